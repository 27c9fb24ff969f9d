"""From what is stored, sealed, to what somebody sees."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from anruflotse.records import contents
from anruflotse.records.model import Correction, Handed, Purpose, Record, Summary
from anruflotse.records.stores.keystore import StoredKey
from anruflotse.records.stores.rowstore import Sealed, StoredRow
from anruflotse.records.times import from_micros
from anruflotse.records.vault.envelope import Vault
from anruflotse.records.vault.master import TamperedError

_BOUND = ("id", "reference", "started_at", "recorded_at", "legal_basis", "purpose", "format")
"""What of a row is bound into its sealed summary; its expiry is bound into the key."""


def row_digest(row: StoredRow) -> str:
    """SHA-256 over what is stored of a record in plain (JSON, no blanks, ASCII) in hex."""
    told = json.dumps([getattr(row, name) for name in _BOUND], separators=(",", ":"))
    return hashlib.sha256(told.encode()).hexdigest()


def summary(vault: Vault, key: StoredKey, sealed: Sealed) -> Summary:
    """The line of the list. Raises `TamperedError`."""
    with readable():
        return _told(sealed.row, key, contents.summary(_plain(vault, key, sealed)[contents.SUMMARY]))


def record(vault: Vault, key: StoredKey, sealed: Sealed) -> Record:
    """A whole record, with as much of it as was taken out of the row store. Raises `TamperedError`."""
    with readable():
        return _record(key, sealed, _plain(vault, key, sealed))


def correction_field(number: int) -> str:
    """What the correction of this number is bound to beside its record."""
    return f"correction/{number}"


def _record(key: StoredKey, sealed: Sealed, plain: Mapping[str, bytes]) -> Record:
    details = contents.details(plain[contents.DETAILS])
    return Record(
        summary=_told(sealed.row, key, contents.summary(plain[contents.SUMMARY])),
        started_at=from_micros(sealed.row.started_at),
        target=details.target,
        transcripts=details.transcripts,
        ranking=details.ranking,
        evidence=details.evidence,
        explanations=details.explanations,
        second_concern=details.second_concern,
        caller=contents.caller(plain[contents.CALLER]) if contents.CALLER in plain else None,
        has_recording=contents.RECORDING in (sealed.parts or ()),
        recording=plain.get(contents.RECORDING),
        processors=details.processors,
        engines=details.engines,
        notice_version=details.notice_version,
        legal_basis=sealed.row.legal_basis,
        purpose=Purpose(sealed.row.purpose),
        corrections=_corrections(sealed, plain),
    )


def handed(vault: Vault, key: StoredKey, sealed: Sealed) -> Handed:
    """What the department sees that was given the call. Raises `TamperedError`."""
    with readable():
        return _handed(key, sealed, _plain(vault, key, sealed))


def _handed(key: StoredKey, sealed: Sealed, plain: Mapping[str, bytes]) -> Handed:
    told = contents.summary(plain[contents.SUMMARY])
    details = contents.details(plain[contents.DETAILS])
    return Handed(
        reference=sealed.row.reference,
        recorded_at=from_micros(sealed.row.recorded_at),
        expires_at=from_micros(key.expires_at),
        concern=told["concern"],
        department=told["department"],
        second_concern=details.second_concern,
        transcripts=details.transcripts,
        corrections=_corrections(sealed, plain),
    )


def _corrections(sealed: Sealed, plain: Mapping[str, bytes]) -> tuple[Correction, ...]:
    """The corrections in their order. Raises `TamperedError` when one of them is gone from between the others."""
    if sorted(sealed.corrections) != list(range(1, len(sealed.corrections) + 1)):
        message = "A record does not open: one of its corrections is gone."
        raise TamperedError(message)
    return tuple(contents.correction(plain[correction_field(number)]) for number in sorted(sealed.corrections))


def _plain(vault: Vault, key: StoredKey, sealed: Sealed) -> Mapping[str, bytes]:
    opened = vault.open_key(key)
    plain = {name: opened.open(name, value) for name, value in sealed.contents.items()}
    for number, value in sealed.corrections.items():
        plain[correction_field(number)] = opened.open(correction_field(number), value)
    bound = contents.binding(plain[contents.SUMMARY])
    if bound is not None:
        row, parts = bound
        if row != row_digest(sealed.row) or (sealed.parts is not None and sealed.parts != parts):
            message = "A record does not open: what is stored beside its content was changed, or a part of it is gone."
            raise TamperedError(message)
    return plain


@contextmanager
def readable() -> Iterator[None]:
    """Tell of whatever shape somebody gave to what is stored as what it is. Raises `TamperedError`."""
    try:
        yield
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError):
        message = "A record does not open: what is stored of it has a shape no record has."
        raise TamperedError(message) from None


def _told(row: StoredRow, key: StoredKey, told: Mapping[str, str | None]) -> Summary:
    return Summary(
        id=row.id,
        reference=row.reference,
        recorded_at=from_micros(row.recorded_at),
        # The key's, since that one is proven by decrypting.
        expires_at=from_micros(key.expires_at),
        concern=told["concern"],
        department=told["department"],
        decision=str(told["decision"]),
        outcome=str(told["outcome"]),
        restricted=key.restriction is not None,
    )
