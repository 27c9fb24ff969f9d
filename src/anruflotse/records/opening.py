"""From what is stored, sealed, to what somebody sees."""

from __future__ import annotations

from collections.abc import Mapping

from anruflotse.records import contents
from anruflotse.records.model import Handed, Purpose, Record, Summary
from anruflotse.records.stores.keystore import StoredKey
from anruflotse.records.stores.rowstore import Sealed, StoredRow
from anruflotse.records.times import from_micros
from anruflotse.records.vault.envelope import Vault


def summary(vault: Vault, key: StoredKey, sealed: Sealed) -> Summary:
    """The line of the list. Raises `TamperedError`."""
    return _told(sealed.row, key, contents.summary(_plain(vault, key, sealed)[contents.SUMMARY]))


def record(vault: Vault, key: StoredKey, sealed: Sealed, *, has_recording: bool) -> Record:
    """A whole record, with as much of it as was taken out of the row store. Raises `TamperedError`."""
    plain = _plain(vault, key, sealed)
    details = contents.details(plain[contents.DETAILS])
    return Record(
        summary=_told(sealed.row, key, contents.summary(plain[contents.SUMMARY])),
        started_at=from_micros(sealed.row.started_at),
        target=details.target,
        transcripts=details.transcripts,
        ranking=details.ranking,
        evidence=details.evidence,
        explanations=details.explanations,
        caller=contents.caller(plain[contents.CALLER]) if contents.CALLER in plain else None,
        has_recording=has_recording,
        recording=plain.get(contents.RECORDING),
        processors=details.processors,
        engines=details.engines,
        notice_version=details.notice_version,
        legal_basis=sealed.row.legal_basis,
        purpose=Purpose(sealed.row.purpose),
    )


def handed(vault: Vault, key: StoredKey, sealed: Sealed) -> Handed:
    """What the department sees that was given the call. Raises `TamperedError`."""
    plain = _plain(vault, key, sealed)
    told = contents.summary(plain[contents.SUMMARY])
    return Handed(
        reference=sealed.row.reference,
        recorded_at=from_micros(sealed.row.recorded_at),
        expires_at=from_micros(key.expires_at),
        concern=told["concern"],
        department=told["department"],
        transcripts=contents.details(plain[contents.DETAILS]).transcripts,
    )


def _plain(vault: Vault, key: StoredKey, sealed: Sealed) -> Mapping[str, bytes]:
    opened = vault.open_key(key)
    return {name: opened.open(name, value) for name, value in sealed.contents.items()}


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
