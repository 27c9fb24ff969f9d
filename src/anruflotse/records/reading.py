"""What people do with records: each names themselves, their role and a purpose, and each act is in the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from anruflotse.clock import Clock
from anruflotse.records import contents, opening, statistics
from anruflotse.records.access import Accessor, Kind, allowed
from anruflotse.records.audit.entry import Chained
from anruflotse.records.audit.trail import EVERYTHING, Filter
from anruflotse.records.door import ID, Door
from anruflotse.records.model import (
    AccessRefusedError,
    Handed,
    NotFoundError,
    Purpose,
    Record,
    Statistic,
    StoreError,
    Summary,
)
from anruflotse.records.restriction import Ground, Restriction
from anruflotse.records.stores.keystore import StoredKey
from anruflotse.records.stores.opener import Opener
from anruflotse.records.stores.rowstore import Sealed
from anruflotse.records.times import to_micros
from anruflotse.records.vault.keyring import UnknownMasterError
from anruflotse.records.vault.master import TamperedError

HUMAN_DESK = "mensch"
"""The department, as it were, of calls that were handed to the human desk."""

_ATTEMPTS = 3
_PAGE = 500

_log = structlog.get_logger(__name__)


class Reading:
    """The officers' side of `Records`; the software's own side is there."""

    def __init__(self, opener: Opener, door: Door, clock: Clock, now: Callable[[], datetime]) -> None:
        """Read from what `opener` opens; `now` is the latest time seen, `clock` what the clock says."""
        self._opener = opener
        self._door = door
        self._clock = clock
        self._now = now

    def list(self, accessor: Accessor, purpose: str, limit: int = 1000) -> tuple[Summary, ...]:
        """The newest `limit` records, newest first, without words and numbers; what cannot be opened is left out.

        Restricted records are shown to rights handling only. Raises `AccessRefusedError`, `StoreError`.
        """
        stated = self._door.admit(accessor, purpose, Kind.LIST)
        now = to_micros(self._now())
        vault, stores = self._opener.vault(), self._opener.stores()
        held = stores.keys.all_held() if stated is Purpose.RIGHTS else ()
        rows = stores.rows.newest(now, contents.SUMMARY, limit, held)
        self._door.log(accessor, stated, Kind.LIST, None, "granted")
        found: list[Summary] = []
        for start in range(0, len(rows), _PAGE):
            page = rows[start : start + _PAGE]
            keys = stores.keys.alive([sealed.row.id for sealed in page], now)
            for sealed in page:
                key = keys.get(sealed.row.id)
                if key is None or _closed(key, stated):
                    continue
                try:
                    found.append(opening.summary(vault, key, sealed))
                except (TamperedError, ValueError, TypeError, OverflowError):
                    _log.warning("A record in the list cannot be opened", record=sealed.row.id)
        return tuple(found)

    def open(self, record_id: str, accessor: Accessor, purpose: str, *, audio: bool = False) -> Record:
        """Open one record for a purpose from the closed list, with its FLAC when `audio`.

        The caller's number is only there for those who may see it. Read and refusal alike are in the audit trail before
        this returns. Raises `AccessRefusedError` for what the role may not do for this purpose and for a restricted
        record, `NotFoundError` for one that is not there (any more), `StoreError`.
        """
        kind = Kind.AUDIO if audio else Kind.TEXT
        stated = self._door.admit(accessor, purpose, kind, record_id)
        fields = [contents.SUMMARY, contents.DETAILS]
        if allowed(accessor.role, stated, Kind.NUMBER):
            fields.append(contents.CALLER)
        if audio:
            fields.append(contents.RECORDING)
        key, sealed = self._found(record_id, fields, accessor, stated, kind)
        stores = self._opener.stores()
        try:
            has_recording = stores.rows.has(record_id, contents.RECORDING)
            record = opening.record(self._opener.vault(), key, sealed, has_recording=has_recording)
        except TamperedError:
            self._door.log(accessor, stated, kind, record_id, "unreadable")
            raise
        self._door.log(accessor, stated, kind, record_id, "granted")
        return record

    def concern(self, reference: str, accessor: Accessor, purpose: str = Purpose.FORWARDING) -> Handed:
        """What a call was about that was handed to a department of `accessor`, by the reference that came with it.

        Calls that were handed to the human desk belong to the department `mensch`. Raises `AccessRefusedError` for
        another department's call, `NotFoundError`, `StoreError`.
        """
        kind = Kind.CONCERN
        stated = self._door.admit(accessor, purpose, kind)
        found = self._opener.stores().rows.by_reference(reference)
        key, sealed = self._found(found or "", [contents.SUMMARY, contents.DETAILS], accessor, stated, kind)
        try:
            handed = opening.handed(self._opener.vault(), key, sealed)
        except TamperedError:
            self._door.log(accessor, stated, kind, found, "unreadable")
            raise
        if (handed.department or HUMAN_DESK) not in accessor.departments:
            self._door.log(accessor, stated, kind, found, "refused_department")
            message = "This call was handed to another department: only its staff may see what it was about."
            raise AccessRefusedError(message)
        self._door.log(accessor, stated, kind, found, "granted")
        return handed

    def find_reference(self, reference: str, accessor: Accessor, purpose: str) -> str | None:
        """The id of the record whose reference travelled with a transfer, to be opened with `open`.

        Raises `AccessRefusedError`, `StoreError`.
        """
        stated = self._door.admit(accessor, purpose, Kind.FIND_REFERENCE)
        stores = self._opener.stores()
        found = stores.rows.by_reference(reference)
        if found and not stores.keys.alive([found], to_micros(self._now())):
            found = None
        self._door.log(accessor, stated, Kind.FIND_REFERENCE, found, "granted" if found else "not_found")
        return found

    def find_caller(self, number: str, accessor: Accessor, purpose: str) -> tuple[str, ...]:
        """The ids of the records of a caller, however the number is written, oldest first.

        Raises `AccessRefusedError`, `StoreError`.
        """
        stated = self._door.admit(accessor, purpose, Kind.FIND_NUMBER)
        fingerprint = self._opener.vault().fingerprint(number)
        found = self._opener.stores().keys.by_caller(fingerprint, to_micros(self._now()))
        self._door.log(accessor, stated, Kind.FIND_NUMBER, None, "granted" if found else "not_found")
        return found

    def restrict(
        self,
        record_id: str,
        accessor: Accessor,
        ground: Ground,
        *,
        hold: bool = False,
        review_on: datetime | None = None,
    ) -> None:
        """Restrict a record (Art. 18 GDPR): it opens for rights handling only, until `lift`.

        With `hold`, which the law gives for the grounds (b) and (c) only, it outlives its expiry; it then needs a date
        of review. Raises `ValueError`, `AccessRefusedError`, `NotFoundError`, `StoreError`.
        """
        stated = self._door.admit(accessor, Purpose.RIGHTS, Kind.RESTRICT, record_id)
        now = self._now()
        review_at = None if review_on is None else to_micros(review_on)
        if review_at is not None and review_at <= to_micros(now):
            message = "The date of review of a restriction must lie ahead."
            raise ValueError(message)
        # The clock's time, not the latest seen, which may stand still: it tells one hold of a record from the next.
        restriction = Restriction(ground, to_micros(self._clock.now()), held=hold, review_at=review_at)
        self._rebind(record_id, restriction, accessor, stated, "restricted_held" if hold else "restricted")

    def lift(self, record_id: str, accessor: Accessor) -> None:
        """Lift the restriction of a record; if it has outlived its expiry, nobody can read it from now on.

        Raises `AccessRefusedError`, `NotFoundError`, `StoreError`.
        """
        stated = self._door.admit(accessor, Purpose.RIGHTS, Kind.RESTRICT, record_id)
        self._rebind(record_id, None, accessor, stated, "lifted")

    def statistics(self, accessor: Accessor, purpose: str) -> tuple[Statistic, ...]:
        """All counters, oldest day first, small numbers hidden. Raises `AccessRefusedError`, `StoreError`."""
        stated = self._door.admit(accessor, purpose, Kind.STATISTICS)
        counted = self._opener.stores().rows.counted()
        self._door.log(accessor, stated, Kind.STATISTICS, None, "granted")
        return statistics.shown(counted)

    def trail(
        self, accessor: Accessor, purpose: str, wanted: Filter = EVERYTHING, limit: int | None = None
    ) -> tuple[Chained, ...]:
        """The audit trail, oldest entry first: the last `limit` entries that are `wanted`, all of them without limit.

        Looking is itself an access, and the last of the entries. Raises `AccessRefusedError`, `StoreError`.
        """
        stated = self._door.admit(accessor, purpose, Kind.TRAIL)
        self._door.log(accessor, stated, Kind.TRAIL, None, "granted")
        trail = self._opener.stores().trail
        found: list[Chained] = []
        while page := trail.newest(found[-1].seq if found else None, _page_size(limit, len(found)), wanted):
            found += page
        return tuple(reversed(found))

    def _found(
        self, record_id: str, fields: Sequence[str], accessor: Accessor, stated: Purpose, kind: Kind
    ) -> tuple[StoredKey, Sealed]:
        """The key and the row of a record that may be read now; else the refusal is in the trail."""
        now = to_micros(self._now())
        stores = self._opener.stores()
        sealed = stores.rows.get(record_id, fields) if ID.fullmatch(record_id) else None
        key = stores.keys.alive([record_id], now).get(record_id) if sealed else None
        held = key is not None and key.restriction is not None and key.restriction.held
        if sealed is None or key is None or (sealed.row.expires_at <= now and not held):
            self._door.log(accessor, stated, kind, record_id, "not_found")
            message = "There is no such record: it never was, has expired or was destroyed."
            raise NotFoundError(message)
        if _closed(key, stated):
            self._door.log(accessor, stated, kind, record_id, "refused_restricted")
            message = "This record is restricted (Art. 18 GDPR): it opens for the handling of rights only."
            raise AccessRefusedError(message)
        return key, sealed

    def _rebind(
        self, record_id: str, restriction: Restriction | None, accessor: Accessor, stated: Purpose, result: str
    ) -> None:
        """Wrap the record's key anew with another restriction."""
        for _ in range(_ATTEMPTS):
            key, _sealed = self._found(record_id, [], accessor, stated, Kind.RESTRICT)
            stores = self._opener.stores()
            held = key.restriction if key.restriction and key.restriction.held else None
            wanted = restriction
            if held and wanted and wanted.held and not stores.sweeper.is_lifted(record_id, held.since):
                # One hold under new terms: when it is lifted, it is so in every backup, whatever its terms are there.
                wanted = replace(wanted, since=held.since)
            try:
                wrapped = self._opener.vault().bound(key, wanted)
            except UnknownMasterError:
                # A rotation may have wrapped the key anew since it was read; if not, there is nothing to be done.
                if self._opener.stores().keys.one(record_id) == key:
                    raise
                continue
            # Before: no change without an entry. If it then fails, the trail says more than happened, never less.
            self._door.log(accessor, stated, Kind.RESTRICT, record_id, result)
            if held and not (wanted and wanted.held):
                # Before: if anything fails from here on, the hold is over all the same, and it can be asked for again.
                stores.sweeper.lifted(record_id, held.since)
            if stores.keys.restrict(key, wrapped, wanted):
                return
        message = "The record was being changed by somebody else at the same time: try again."
        raise StoreError(message)


def _page_size(limit: int | None, found: int) -> int:
    """How many entries to fetch next; 0 when there are enough."""
    return _PAGE if limit is None else min(_PAGE, limit - found)


def _closed(key: StoredKey, purpose: Purpose) -> bool:
    """Whether a restriction closes this record for this purpose."""
    return key.restriction is not None and purpose is not Purpose.RIGHTS
