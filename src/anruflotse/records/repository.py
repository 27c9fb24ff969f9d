"""The records: written sealed, read by name and purpose only, unreadable from the moment they expire or are destroyed.

Everything here blocks (disk, cryptography): call it in a thread. Instances are thread-safe, and several processes may
share one directory.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from anruflotse.clock import Clock
from anruflotse.records import contents
from anruflotse.records.model import (
    RETENTION_DAYS,
    AccessRefusedError,
    Counter,
    DestroyReason,
    Draft,
    NotFoundError,
    Purpose,
    Record,
    Status,
    StoreError,
    Summary,
    Swept,
    retention,
)
from anruflotse.records.stores.keystore import StoredKey
from anruflotse.records.stores.opener import Opener
from anruflotse.records.stores.rowstore import Access, Sealed, StoredRow
from anruflotse.records.times import from_micros, to_micros
from anruflotse.records.vault.envelope import FORMAT, Vault
from anruflotse.records.vault.master import Master, TamperedError

DAY_ZONE = ZoneInfo("Europe/Berlin")
"""In which counters are dated."""

_ID = re.compile(r"[0-9a-f]{32}")
_WORD = re.compile(r"[a-z][a-z_]{0,39}")
_DEPARTMENT = re.compile(r"(?!.*[0-9]{4})[a-z][a-z0-9_-]{0,29}")
_ACCESSOR_LENGTH = 80
_PAGE = 500

_log = structlog.get_logger(__name__)


class Records:
    """The record store of one machine in one directory.

    Opened at first use, not when constructed: a store that is down then, or goes down later, makes `healthy` False and
    every other method raise `StoreError`, and works again by itself when it is back.
    """

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        retention_days: int = RETENTION_DAYS,
        *,
        longer_reason: str | None = None,
        environment: Mapping[str, str] | None = None,
        master: Master | None = None,
        busy_seconds: float = 1.0,
    ) -> None:
        """Keep records in `directory` for `retention_days` after their recording.

        The master key is looked for in `environment` (default: the process's) and the directory, unless `master` is
        given. A locked store is waited for `busy_seconds`. Raises `ValueError` for more than 28 days without reason.
        """
        self._clock = clock
        self._retention = retention(retention_days, longer_reason)
        self._opener = Opener(
            directory,
            environment=os.environ if environment is None else environment,
            master=master,
            busy_seconds=busy_seconds,
        )
        self._lock = threading.Lock()
        self._latest = clock.now()

    def prepare(self) -> None:
        """Make or open the stores and the master key, as every method does. Raises `StoreError` with a remedy."""
        self._opener.vault()

    def close(self) -> None:
        """Close the files."""
        self._opener.close()

    def healthy(self) -> bool:
        """Whether a record could be written now, found out by writing; if not, a call must not be recorded."""
        now = self._now()
        if now - self._clock.now() >= self._retention:
            # The clock has gone back so far that whatever is written now would count as expired already.
            return False
        try:
            self._opener.vault()
            stores = self._opener.stores()
            stores.keys.probe(to_micros(now))
            stores.rows.probe(to_micros(now))
        except StoreError:
            _log.warning("The record store is not usable; calls are not recorded", exc_info=True)
            return False
        return self._opener.room()

    def seal(self, draft: Draft) -> str:
        """Store `draft` encrypted and return the id of the record (32 hex digits).

        It expires the retention after its recording. The key is committed before the row; what a crash leaves in
        between is invisible and swept. Raises `StoreError`; then nothing readable was stored.
        """
        now = self._now()
        # A recording cannot lie ahead: a clock that was fast must not lengthen its life.
        expires_at = min(draft.recorded_at, self._clock.now()) + self._retention
        if expires_at <= now:
            message = "The recording is older than the retention allows, or the clock has gone back: it is not stored."
            raise StoreError(message)
        vault, stores = self._opener.vault(), self._opener.stores()
        record_id = secrets.token_hex(16)
        expires_at = from_micros(to_micros(expires_at))
        key, wrapped = vault.new_key(record_id, expires_at)
        sealed = {name: key.seal(name, plain) for name, plain in contents.pack(draft).items()}
        row = StoredRow(
            id=record_id,
            reference=draft.reference,
            started_at=to_micros(draft.started_at),
            recorded_at=to_micros(draft.recorded_at),
            expires_at=to_micros(expires_at),
            legal_basis=draft.legal_basis,
            purpose=draft.purpose,
            restricted=False,
            format=FORMAT,
        )
        stores.keys.add(
            StoredKey(record_id, wrapped, row.expires_at),
            master=vault.master_id,
            caller=vault.fingerprint(draft.caller) if draft.caller else None,
            now=to_micros(now),
        )
        try:
            stores.rows.add(row, sealed)
        except StoreError:
            with contextlib.suppress(StoreError):
                stores.sweeper.destroy([record_id], DestroyReason.HALF_WRITTEN, now)
            raise
        return record_id

    def list(self, accessor: str = "system", limit: int = 1000) -> tuple[Summary, ...]:
        """The newest `limit` records, newest first, without words and numbers; what cannot be opened is left out."""
        now = to_micros(self._now())
        vault, stores = self._opener.vault(), self._opener.stores()
        rows = stores.rows.newest(now, contents.SUMMARY, limit)
        self._log(accessor, None, None, "listed")
        found: list[Summary] = []
        for start in range(0, len(rows), _PAGE):
            page = rows[start : start + _PAGE]
            keys = stores.keys.alive([sealed.row.id for sealed in page], now)
            for sealed in page:
                stored = keys.get(sealed.row.id)
                if stored is None:
                    continue
                try:
                    found.append(_summary(vault, stored, sealed))
                except (TamperedError, ValueError, TypeError, OverflowError):
                    _log.warning("A record in the list cannot be opened", record=sealed.row.id)
        return tuple(found)

    def open(self, record_id: str, accessor: str, purpose: str, *, audio: bool = False) -> Record:
        """Open one record for `accessor` (a name) and a purpose from the closed list, with its FLAC when `audio`.

        Read and refusal alike are in the access log before this returns. Raises `AccessRefusedError` for another
        purpose or a restricted record, `NotFoundError` for one that is not there (any more), `StoreError`.
        """
        try:
            stated = Purpose(purpose)
        except ValueError:
            self._log(accessor, None, record_id, "refused_purpose")
            message = f"This purpose is not on the list. Purposes are: {', '.join(Purpose)}."
            raise AccessRefusedError(message) from None
        now = to_micros(self._now())
        vault, stores = self._opener.vault(), self._opener.stores()
        fields = [contents.SUMMARY, contents.DETAILS, contents.CALLER, *([contents.RECORDING] if audio else [])]
        sealed = stores.rows.get(record_id, fields) if _ID.fullmatch(record_id) else None
        key = stores.keys.alive([record_id], now).get(record_id) if sealed else None
        if sealed is None or key is None or sealed.row.expires_at <= now:
            self._log(accessor, stated, record_id, "not_found")
            message = "There is no such record: it never was, has expired or was destroyed."
            raise NotFoundError(message)
        if sealed.row.restricted and stated is Purpose.FORWARDING:
            self._log(accessor, stated, record_id, "refused_restricted")
            message = "This record is restricted (Art. 18 GDPR): it opens for rights and supervision only."
            raise AccessRefusedError(message)
        try:
            record = _record(vault, key, sealed, has_recording=stores.rows.has(record_id, contents.RECORDING))
        except TamperedError:
            self._log(accessor, stated, record_id, "unreadable")
            raise
        self._log(accessor, stated, record_id, "opened_audio" if audio else "opened")
        return record

    def by_reference(self, reference: str) -> str | None:
        """The id of the record whose reference travelled with a transfer, to be opened with `open`."""
        return self._opener.stores().rows.by_reference(reference, to_micros(self._now()))

    def by_caller(self, number: str) -> tuple[str, ...]:
        """The ids of the records of a caller, however the number is written, oldest first."""
        fingerprint = self._opener.vault().fingerprint(number)
        return self._opener.stores().keys.by_caller(fingerprint, to_micros(self._now()))

    def destroy(self, record_id: str, reason: DestroyReason) -> bool:
        """Make a record unreadable everywhere, then delete it; False when there was none. Raises `StoreError`."""
        if not _ID.fullmatch(record_id):
            return False
        stores = self._opener.stores()
        if not stores.keys.existing([record_id]) and not stores.rows.existing([record_id]):
            return False
        stores.sweeper.destroy([record_id], reason, self._now())
        stores.sweeper.scrub()
        return True

    def sweep(self, now: datetime | None = None) -> Swept:
        """Destroy what has expired by `now` (default: the clock) or was half-written. Raises `StoreError`.

        An earlier `now` puts nothing off: what reads have been refused for expiry goes. Needs no master key.
        """
        return self._opener.stores().sweeper.sweep(self._now(now))

    def status(self) -> Status:
        """How many records there are and when the next one expires. Needs no master key."""
        now = self._now()
        stores = self._opener.stores()
        tally = stores.rows.tally(to_micros(now), to_micros(now + self._retention))
        return Status(
            records=tally.alive,
            next_expiry=None if tally.next_expiry is None else from_micros(tally.next_expiry),
            overdue=tally.overdue,
            overlong=tally.overlong,
            deleted=tally.deleted,
            keys_destroyed=stores.keys.destroyed(),
            at=now,
        )

    def count(self, kind: str, department: str | None = None, decision: str | None = None) -> None:
        """Count something that happened today, with nothing that leads to a call.

        `kind` and `decision` are words (`objected`, `route`), `department` a catalogue key. Raises `ValueError` for
        anything else, such as an id or a number.
        """
        for value, shape in ((kind, _WORD), (department, _DEPARTMENT), (decision, _WORD)):
            if value is not None and not shape.fullmatch(value):
                message = "A counter takes plain words and department keys only, never an id or a number."
                raise ValueError(message)
        day = self._clock.now().astimezone(DAY_ZONE).date().isoformat()
        self._opener.stores().rows.count(day, kind, department or "", decision or "")

    def counters(self) -> tuple[Counter, ...]:
        """All counters, oldest day first."""
        return self._opener.stores().rows.counted()

    def accesses(self) -> tuple[Access, ...]:
        """The access log, oldest entry first."""
        return self._opener.stores().rows.logged()

    def _now(self, suggested: datetime | None = None) -> datetime:
        """The latest time this process has seen: setting the clock back does not bring anything back.

        Kept in this process only: one wild jump ahead must not stop the recording for good.
        """
        with self._lock:
            self._latest = max(self._latest, self._clock.now(), suggested or self._latest)
            return self._latest

    def _log(self, accessor: str, purpose: Purpose | None, record_id: str | None, result: str) -> None:
        """Append to the access log; what was typed is only kept when it has the shape of an id."""
        name = " ".join(accessor.split())[:_ACCESSOR_LENGTH]
        if not name:
            message = "An access needs the name of the accessor."
            raise AccessRefusedError(message)
        shown = record_id if record_id and _ID.fullmatch(record_id) else "-"
        at = to_micros(self._clock.now())
        self._opener.stores().rows.log(
            Access(at=at, accessor=name, purpose=purpose or "-", record_id=shown, result=result)
        )


def _summary(vault: Vault, key: StoredKey, sealed: Sealed) -> Summary:
    opened = vault.open_key(key.id, from_micros(key.expires_at), key.wrapped)
    return _told(sealed.row, key, contents.summary(opened.open(contents.SUMMARY, sealed.contents[contents.SUMMARY])))


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
        restricted=row.restricted,
    )


def _record(vault: Vault, key: StoredKey, sealed: Sealed, *, has_recording: bool) -> Record:
    opened = vault.open_key(key.id, from_micros(key.expires_at), key.wrapped)
    plain = {name: opened.open(name, value) for name, value in sealed.contents.items()}
    details = contents.details(plain[contents.DETAILS])
    return Record(
        summary=_told(sealed.row, key, contents.summary(plain[contents.SUMMARY])),
        started_at=from_micros(sealed.row.started_at),
        target=details.target,
        transcripts=details.transcripts,
        ranking=details.ranking,
        evidence=details.evidence,
        caller=contents.caller(plain[contents.CALLER]) if contents.CALLER in plain else None,
        has_recording=has_recording,
        recording=plain.get(contents.RECORDING),
        processors=details.processors,
        engines=details.engines,
        notice_version=details.notice_version,
        legal_basis=sealed.row.legal_basis,
        purpose=Purpose(sealed.row.purpose),
    )
