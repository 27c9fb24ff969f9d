"""The requests of persons (Art. 15-21 GDPR) as cases: sealed like records, with a key and an expiry of their own.

What is in a case is personal data: who asked, how they were identified, what they were told. What it means is for the
room `rights` to know; here a case is a JSON object, a version and attachments. The record it is about may end while the
case lives on, as proof of what was done.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from datetime import datetime

import structlog

from anruflotse.records import opening
from anruflotse.records.access import Accessor, Kind
from anruflotse.records.desk import ATTEMPTS, Desk
from anruflotse.records.door import ID
from anruflotse.records.model import Case, ConflictError, DestroyReason, NotFoundError, Purpose, StoreError
from anruflotse.records.stores.casestore import StoredCase
from anruflotse.records.stores.keystore import Place, StoredKey
from anruflotse.records.times import FAR, from_micros, to_micros
from anruflotse.records.vault.envelope import DataKey
from anruflotse.records.vault.keyring import UnknownMasterError
from anruflotse.records.vault.master import TamperedError

LONGEST_BODY = 1024 * 1024
"""Bytes of JSON that a case may have."""
LARGEST_ATTACHMENT = 32 * 1024 * 1024
"""Bytes: while one is written no call can be kept, with SQLite."""

_NAME = re.compile(r"[a-z0-9._-]{1,80}")
_BLOCK = 2048
"""The length of a ciphertext should not tell one request from another."""
_NAME_BLOCK = 80
_PAGE = 100

_log = structlog.get_logger(__name__)


class Casework(Desk):
    """The part of `Records` that keeps cases: for data protection, and the handling of rights, only."""

    def file_case(self, body: Mapping[str, object], accessor: Accessor, *, expires_at: datetime) -> str:
        """Keep a new case until `expires_at` and return its id (32 hex digits).

        `body` is a JSON object of 1 MiB at most. Raises `ValueError` for what is none, or an expiry that does not lie
        ahead; `AccessRefusedError`, `StoreError`.
        """
        stated = self._door.admit(accessor, Purpose.RIGHTS, Kind.CASE)
        plain, until = self._given(body, expires_at, accessor, stated, None)
        now = self._now()
        vault, stores = self._opener.vault(), self._opener.stores()
        case_id = secrets.token_hex(16)
        key, stored = vault.new_key(case_id, until)
        filed_at = to_micros(now)
        sealed = key.seal(_field(1, filed_at), plain)
        self._door.log(accessor, stated, Kind.CASE, case_id, "filed")
        self._add_key(key, stored, None, now)
        try:
            stores.cases.add(StoredCase(id=case_id, filed_at=filed_at, version=1, expires_at=until, sealed=sealed))
        except StoreError:
            try:
                stores.sweeper.destroy([case_id], DestroyReason.HALF_WRITTEN, now)
            except StoreError:
                _log.warning("A case was written by half; the next sweep removes it", record=case_id)
            raise
        return case_id

    def case(self, case_id: str, accessor: Accessor) -> Case:
        """A case as it is now. Raises `AccessRefusedError`, `NotFoundError`, `StoreError`."""
        stated = self._door.admit(accessor, Purpose.RIGHTS, Kind.CASE, case_id)
        key, stored = self._case(case_id, accessor, stated)
        try:
            case = opened(self._opener.vault().open_key(key), key, stored)
        except StoreError:
            self._door.log(accessor, stated, Kind.CASE, case_id, "unreadable")
            raise
        self._door.log(accessor, stated, Kind.CASE, case_id, "granted")
        return case

    def cases(self, accessor: Accessor, limit: int = 1000) -> tuple[Case, ...]:
        """The newest `limit` cases, newest first; what cannot be opened is left out.

        Raises `AccessRefusedError`, `StoreError`.
        """
        stated = self._door.admit(accessor, Purpose.RIGHTS, Kind.CASE)
        now = to_micros(self._now())
        vault, stores = self._opener.vault(), self._opener.stores()
        self._door.log(accessor, stated, Kind.CASE, None, "listed")
        found: list[Case] = []
        after: Place | None = None
        while len(found) < limit and (page := stores.cases.newest(_PAGE, after)):
            after = (page[-1].filed_at, page[-1].id)
            keys = stores.keys.alive([stored.id for stored in page], now)
            for stored in page:
                if stored.id not in keys or len(found) >= limit:
                    continue
                try:
                    found.append(opened(vault.open_key(keys[stored.id]), keys[stored.id], stored))
                except TamperedError:
                    _log.warning("A case in the list cannot be opened", record=stored.id)
        return tuple(found)

    def update_case(
        self, case_id: str, body: Mapping[str, object], accessor: Accessor, *, version: int, expires_at: datetime
    ) -> int:
        """Put `body` and `expires_at` in place of what the case has in `version`; the number of the new version.

        Raises `ConflictError` when somebody changed it since that version was read, `ValueError` as `file_case` does,
        `AccessRefusedError`, `NotFoundError`, `StoreError`. After the last one look at the case: the new body may be
        there, with the expiry of before.
        """
        stated = self._door.admit(accessor, Purpose.RIGHTS, Kind.CASE, case_id)
        plain, until = self._given(body, expires_at, accessor, stated, case_id)
        key, stored = self._case(case_id, accessor, stated)
        if stored.version != version:
            raise self._conflict(accessor, stated, case_id)
        try:
            data_key = self._opener.vault().open_key(key)
            opened(data_key, key, stored)
        except StoreError:
            self._door.log(accessor, stated, Kind.CASE, case_id, "unreadable")
            raise
        sealed = data_key.seal(_field(version + 1, stored.filed_at), plain)
        changed = StoredCase(id=case_id, filed_at=stored.filed_at, version=version + 1, expires_at=until, sealed=sealed)
        # Before: no change without an entry.
        self._door.log(accessor, stated, Kind.CASE, case_id, "changed")
        if not self._opener.stores().cases.replace(changed):
            raise self._conflict(accessor, stated, case_id)
        self._put_off(changed)
        return changed.version

    def attach(self, case_id: str, name: str, data: bytes, accessor: Accessor) -> None:
        """Keep a file with a case: an answer, evidence. It stays as it is, and ends with the case.

        `name` has up to 80 of a-z, 0-9, `.`, `_`, `-`. Raises `ValueError` for another name, nothing, or more than
        32 MiB; `ConflictError` when the case has an attachment of this name; `AccessRefusedError`, `NotFoundError`,
        `StoreError`.
        """
        stated = self._door.admit(accessor, Purpose.RIGHTS, Kind.CASE, case_id)
        if not _NAME.fullmatch(name) or not 0 < len(data) <= LARGEST_ATTACHMENT:
            self._door.log(accessor, stated, Kind.CASE, case_id, "refused_input")
            message = "An attachment has 1 byte to 32 MiB, and a name of up to 80 of a-z, 0-9, '.', '_' and '-'."
            raise ValueError(message)
        key, _ = self._case(case_id, accessor, stated)
        data_key = self._key_of(key, accessor, stated)
        part = data_key.tag(_PART, name)
        sealed_name = data_key.seal(f"{_PART}/{part}/name", name.encode().ljust(_NAME_BLOCK))
        sealed = data_key.seal(f"{_PART}/{part}", data)
        self._door.log(accessor, stated, Kind.CASE, case_id, "attached")
        if not self._opener.stores().cases.attach(case_id, part, sealed_name, sealed):
            self._door.log(accessor, stated, Kind.CASE, case_id, "conflict")
            message = "The case has an attachment of this name already, which stays as it is: choose another name."
            raise ConflictError(message)

    def attachment(self, case_id: str, name: str, accessor: Accessor) -> bytes:
        """A file kept with a case. Raises `NotFoundError` also for a name it has none of, `StoreError`."""
        stated = self._door.admit(accessor, Purpose.RIGHTS, Kind.CASE, case_id)
        key, _ = self._case(case_id, accessor, stated)
        data_key = self._key_of(key, accessor, stated)
        part = data_key.tag(_PART, name) if _NAME.fullmatch(name) else ""
        sealed = self._opener.stores().cases.attachment(case_id, part)
        if sealed is None:
            self._door.log(accessor, stated, Kind.CASE, case_id, "not_found")
            message = "The case has no attachment of this name."
            raise NotFoundError(message)
        try:
            with opening.readable():
                data = data_key.open(f"{_PART}/{part}", sealed)
        except TamperedError:
            self._door.log(accessor, stated, Kind.CASE, case_id, "unreadable")
            raise
        self._door.log(accessor, stated, Kind.CASE, case_id, "granted")
        return data

    def attachments(self, case_id: str, accessor: Accessor) -> tuple[str, ...]:
        """The names of the files kept with a case, in order of the alphabet.

        Raises `AccessRefusedError`, `NotFoundError`, `StoreError`.
        """
        stated = self._door.admit(accessor, Purpose.RIGHTS, Kind.CASE, case_id)
        key, _ = self._case(case_id, accessor, stated)
        data_key = self._key_of(key, accessor, stated)
        sealed = self._opener.stores().cases.names(case_id)
        try:
            with opening.readable():
                names = [data_key.open(f"{_PART}/{part}/name", name).decode().rstrip() for part, name in sealed.items()]
        except TamperedError:
            self._door.log(accessor, stated, Kind.CASE, case_id, "unreadable")
            raise
        self._door.log(accessor, stated, Kind.CASE, case_id, "granted")
        return tuple(sorted(names))

    def destroy_case(self, case_id: str, accessor: Accessor) -> bool:
        """Make a case with all its attachments unreadable everywhere, then delete it; False when there was none.

        Raises `AccessRefusedError`, `StoreError`.
        """
        stated = self._door.admit(accessor, Purpose.RIGHTS, Kind.CASE, case_id)
        stores = self._opener.stores()
        if not ID.fullmatch(case_id) or not stores.cases.existing(case_id):
            self._door.log(accessor, stated, Kind.CASE, case_id, "not_found")
            return False
        self._door.log(accessor, stated, Kind.CASE, case_id, "destroyed")
        stores.sweeper.destroy([case_id], DestroyReason.ERASED, self._now())
        stores.sweeper.scrub()
        return True

    def _given(
        self, body: Mapping[str, object], expires_at: datetime, accessor: Accessor, stated: Purpose, case_id: str | None
    ) -> tuple[bytes, int]:
        """Body and expiry as they are stored. Raises `ValueError`, once the refusal is noted."""
        try:
            return _packed(body), self._expiry(expires_at)
        except ValueError:
            self._door.log(accessor, stated, Kind.CASE, case_id, "refused_input")
            raise

    def _expiry(self, expires_at: datetime) -> int:
        if expires_at.tzinfo is None or not to_micros(self._now()) < to_micros(expires_at) < FAR:
            message = "The expiry of a case must lie ahead, before the year 3000, in a time zone."
            raise ValueError(message)
        return to_micros(expires_at)

    def _case(self, case_id: str, accessor: Accessor, stated: Purpose) -> tuple[StoredKey, StoredCase]:
        """The key and the row of a case that has not ended; else the refusal is in the trail."""
        stores = self._opener.stores()
        stored = stores.cases.one(case_id) if ID.fullmatch(case_id) else None
        key = stores.keys.alive([case_id], to_micros(self._now())).get(case_id) if stored else None
        if stored is None or key is None:
            self._door.log(accessor, stated, Kind.CASE, case_id, "not_found")
            message = "There is no such case: it never was, has expired or was destroyed."
            raise NotFoundError(message)
        return key, stored

    def _key_of(self, key: StoredKey, accessor: Accessor, stated: Purpose) -> DataKey:
        try:
            return self._opener.vault().open_key(key)
        except StoreError:
            self._door.log(accessor, stated, Kind.CASE, key.id, "unreadable")
            raise

    def _conflict(self, accessor: Accessor, stated: Purpose, case_id: str) -> ConflictError:
        self._door.log(accessor, stated, Kind.CASE, case_id, "conflict")
        return ConflictError("Somebody else has changed the case meanwhile: look at it again, then repeat your change.")

    def _put_off(self, changed: StoredCase) -> None:
        """Give the key of a case the expiry of its latest version, which may be somebody else's by now."""
        for _ in range(ATTEMPTS):
            vault, stores = self._opener.vault(), self._opener.stores()
            key, stored = stores.keys.one(changed.id), stores.cases.one(changed.id)
            if key is None or stored is None or stored.version != changed.version:
                return
            if key.expires_at == changed.expires_at:
                return
            try:
                after = vault.put_off(key, changed.expires_at)
            except UnknownMasterError:
                # A rotation may have wrapped the key anew since it was read; if not, there is nothing to be done.
                if stores.keys.one(changed.id) == key:
                    raise
                continue
            if stores.keys.put_off(key, after):
                return
        message = "The case was being changed by somebody else at the same time: look at its expiry, and set it again."
        raise StoreError(message)


_PART = "attachment"


def _field(version: int, filed_at: int) -> str:
    """What a body is bound to beside its case: a row cannot be given another version or date by editing it."""
    return f"case/{version}/{filed_at}"


def _packed(body: Mapping[str, object]) -> bytes:
    """The body as JSON, filled up with blanks, which JSON ignores. Raises `ValueError`, which quotes nothing."""
    try:
        text = json.dumps(dict(body), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        text = ""
    plain = text.encode(errors="replace")
    if not plain or len(plain) > LONGEST_BODY:
        message = "A case is a JSON object (texts, numbers, lists, objects) of 1 MiB at most."
        raise ValueError(message)
    return plain.ljust(-(-len(plain) // _BLOCK) * _BLOCK)


def opened(key: DataKey, stored_key: StoredKey, stored: StoredCase) -> Case:
    """A case as it is shown. Raises `TamperedError`."""
    with opening.readable():
        plain = key.open(_field(stored.version, stored.filed_at), stored.sealed)
        return Case(
            id=stored.id,
            filed_at=from_micros(stored.filed_at),
            # The key's, since that one is proven by decrypting.
            expires_at=from_micros(stored_key.expires_at),
            version=stored.version,
            body=json.loads(plain),
        )
