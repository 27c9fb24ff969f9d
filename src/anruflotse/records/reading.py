"""What people do with records: each names themselves, their role and a purpose, and each act is in the audit trail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import structlog

from anruflotse.records import contents, opening, statistics
from anruflotse.records.access import Accessor, Kind, allowed
from anruflotse.records.audit.entry import Chained
from anruflotse.records.audit.trail import EVERYTHING, Filter
from anruflotse.records.desk import ATTEMPTS, Desk, closed
from anruflotse.records.door import ID, is_text
from anruflotse.records.model import (
    REFERENCE,
    AccessRefusedError,
    Handed,
    Purpose,
    Recipient,
    Record,
    Statistic,
    StoreError,
    Summary,
)
from anruflotse.records.restriction import Ground, Restriction
from anruflotse.records.stores.keystore import START, Place
from anruflotse.records.times import FAR, from_micros, to_micros
from anruflotse.records.vault.keyring import UnknownMasterError
from anruflotse.records.vault.master import TamperedError

HUMAN_DESK = "mensch"
"""The department, as it were, of calls that were handed to the human desk."""

_PAGE = 500
_READING = (Kind.TEXT, Kind.AUDIO, Kind.CONCERN)
"""What counts as having received something of a record."""

list_ = list
"""The type, where the method of this name hides it."""

_log = structlog.get_logger(__name__)


class Reading(Desk):
    """The officers' side of `Records`; the software's own side is there."""

    def list(self, accessor: Accessor, purpose: str, limit: int = 1000) -> tuple[Summary, ...]:
        """The newest `limit` records, newest first, without words and numbers; what cannot be opened is left out.

        Restricted records are shown to rights handling only. Raises `AccessRefusedError`, `StoreError`.
        """
        stated = self._door.admit(accessor, purpose, Kind.LIST)
        now = to_micros(self._now())
        vault, stores = self._opener.vault(), self._opener.stores()
        held = stores.keys.all_held() if stated is Purpose.RIGHTS else ()
        self._door.log(accessor, stated, Kind.LIST, None, "granted")
        found: list[Summary] = []
        after: Place | None = None
        # On until there are enough: what is closed or unreadable is not there, so it takes nobody's place.
        while len(found) < limit and (page := stores.rows.newest(now, contents.SUMMARY, _PAGE, held, after)):
            after = (page[-1].row.recorded_at, page[-1].row.id)
            keys = stores.keys.alive([sealed.row.id for sealed in page], now)
            for sealed in page:
                key = keys.get(sealed.row.id)
                if key is None or closed(key, stated) or len(found) >= limit:
                    continue
                try:
                    found.append(opening.summary(vault, key, sealed))
                except TamperedError:
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
        try:
            record = opening.record(self._opener.vault(), key, sealed)
        except StoreError:
            self._door.log(accessor, stated, kind, record_id, "unreadable")
            raise
        self._door.log(accessor, stated, kind, record_id, "granted")
        return record

    def concern(self, reference: str, accessor: Accessor, purpose: str = Purpose.FORWARDING) -> Handed:
        """What a call was about that was handed to a department of `accessor`, by the reference that came with it.

        Calls that were handed to the human desk belong to the department `mensch`. Raises `AccessRefusedError` for
        another department's call and for a restricted one, `NotFoundError`, `StoreError`.
        """
        kind = Kind.CONCERN
        stated = self._door.admit(accessor, purpose, kind)
        found = self._referred(reference)
        key, sealed = self._there(found or "", [contents.SUMMARY, contents.DETAILS], accessor, stated, kind)
        try:
            handed = opening.handed(self._opener.vault(), key, sealed)
        except StoreError:
            self._door.log(accessor, stated, kind, found, "unreadable")
            raise
        if (handed.department or HUMAN_DESK) not in accessor.departments:
            self._door.log(accessor, stated, kind, found, "refused_department")
            message = "This call was handed to another department: only its staff may see what it was about."
            raise AccessRefusedError(message)
        # Only now: that a call is restricted is nothing for the other departments.
        self._open_to(key, accessor, stated, kind)
        self._door.log(accessor, stated, kind, found, "granted")
        return handed

    def find_reference(self, reference: str, accessor: Accessor, purpose: str) -> str | None:
        """The id of the record whose reference travelled with a transfer, to be opened with `open`.

        A restricted record is as good as none for every purpose but rights handling: only the trail tells the two
        apart. Raises `AccessRefusedError`, `StoreError`.
        """
        stated = self._door.admit(accessor, purpose, Kind.FIND_REFERENCE)
        found = self._referred(reference)
        there = self._alive(found, []) if found else None
        if there is None:
            self._door.log(accessor, stated, Kind.FIND_REFERENCE, None, "not_found")
            return None
        if closed(there[0], stated):
            self._door.log(accessor, stated, Kind.FIND_REFERENCE, found, "refused_restricted")
            return None
        self._door.log(accessor, stated, Kind.FIND_REFERENCE, found, "granted")
        return found

    def find_caller(self, number: str, accessor: Accessor, purpose: str) -> tuple[str, ...]:
        """The ids of the records of a caller, however the number is written, oldest first.

        Raises `AccessRefusedError`, `StoreError`.
        """
        stated = self._door.admit(accessor, purpose, Kind.FIND_NUMBER)
        found: tuple[str, ...] = ()
        if is_text(number):
            fingerprint = self._opener.vault().fingerprint(number)
            found = self._opener.stores().keys.by_caller(
                fingerprint, to_micros(self._now()), restricted=stated is Purpose.RIGHTS
            )
        self._door.log(accessor, stated, Kind.FIND_NUMBER, None, "granted" if found else "not_found")
        return found

    def find_window(
        self, start: datetime, end: datetime, accessor: Accessor, purpose: str, limit: int | None = None
    ) -> tuple[str, ...]:
        """The ids of the records that were recorded from `start` until before `end`, oldest first, `limit` at most.

        A restricted record is as good as none for every purpose but rights handling. Raises `ValueError` for times
        without a zone or an end that is not after the start; `AccessRefusedError`, `StoreError`.
        """
        stated, pages = self._window(start, end, accessor, purpose)
        found: list[str] = []
        for page in pages:
            found += page
            if limit is not None and len(found) >= limit:
                found = found[:limit]
                break
        self._door.log(accessor, stated, Kind.FIND_WINDOW, None, "granted" if found else "not_found")
        return tuple(found)

    def count_window(self, start: datetime, end: datetime, accessor: Accessor, purpose: str) -> int:
        """How many records `find_window` finds, to be asked before it is done. Raises as that does."""
        stated, pages = self._window(start, end, accessor, purpose)
        number = sum(map(len, pages))
        self._door.log(accessor, stated, Kind.FIND_WINDOW, None, "granted" if number else "not_found")
        return number

    def recipients(self, record_id: str, accessor: Accessor) -> tuple[Recipient, ...]:
        """Who really read this record (Art. 15(1)(c), Art. 19 GDPR), oldest first; also when it has ended.

        Words, sound or concern; not who saw a line of a list. Raises `AccessRefusedError`, `StoreError`.
        """
        stated = self._door.admit(accessor, Purpose.RIGHTS, Kind.TRAIL, record_id)
        self._door.log(accessor, stated, Kind.TRAIL, record_id, "granted")
        entries = self._entries(Filter(subject=record_id), None) if ID.fullmatch(record_id) else []
        return tuple(
            Recipient(
                accessor=one.entry.accessor,
                role=one.entry.role,
                purpose=one.entry.purpose,
                act=one.entry.act,
                at=from_micros(one.entry.at),
            )
            for one in reversed(entries)
            if one.entry.act in _READING and one.entry.result == "granted"
        )

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
        try:
            review_at = self._review(review_on)
            # The clock's time, not the latest seen, which may stand still: it tells one hold of a record from the next.
            restriction = Restriction(ground, to_micros(self._clock.now()), held=hold, review_at=review_at)
        except ValueError:
            self._door.log(accessor, stated, Kind.RESTRICT, record_id, "refused_input")
            raise
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
        if not all(is_text(one) for one in (wanted.accessor, wanted.subject) if one):
            return ()
        return tuple(reversed(self._entries(wanted, limit)))

    def _entries(self, wanted: Filter, limit: int | None) -> list_[Chained]:
        """The last `limit` entries of the trail that are `wanted`, newest first."""
        trail = self._opener.stores().trail
        found: list_[Chained] = []
        while page := trail.newest(found[-1].seq if found else None, _page_size(limit, len(found)), wanted):
            found += page
        return found

    def _window(
        self, start: datetime, end: datetime, accessor: Accessor, purpose: str
    ) -> tuple[Purpose, Iterator[list_[str]]]:
        """The purpose, and in pages the ids of what is readable for it of a stretch of time."""
        stated = self._door.admit(accessor, purpose, Kind.FIND_WINDOW)
        if start.tzinfo is None or end.tzinfo is None or end <= start:
            self._door.log(accessor, stated, Kind.FIND_WINDOW, None, "refused_input")
            message = "A stretch of time needs a start and a later end, both in a time zone."
            raise ValueError(message)
        return stated, self._recorded(to_micros(start), to_micros(end), stated)

    def _recorded(self, start: int, end: int, stated: Purpose) -> Iterator[list_[str]]:
        now, stores = to_micros(self._now()), self._opener.stores()
        held = stores.keys.all_held() if stated is Purpose.RIGHTS else ()
        after = START
        while page := stores.rows.window(start, end, now, held, after, _PAGE):
            after = page[-1]
            keys = stores.keys.alive([one for _, one in page], now)
            yield [one for _, one in page if one in keys and not closed(keys[one], stated)]

    def _referred(self, reference: str) -> str | None:
        """The id of the record with this reference, ended or not; what has not the shape of one names none."""
        return self._opener.stores().rows.by_reference(reference) if REFERENCE.fullmatch(reference) else None

    def _review(self, review_on: datetime | None) -> int | None:
        """A date of review as it is stored. Raises `ValueError`."""
        if review_on is None:
            return None
        if review_on.tzinfo is None or not to_micros(self._now()) < to_micros(review_on) < FAR:
            message = "The date of review of a restriction must lie ahead, before the year 3000, in a time zone."
            raise ValueError(message)
        return to_micros(review_on)

    def _rebind(
        self, record_id: str, restriction: Restriction | None, accessor: Accessor, stated: Purpose, result: str
    ) -> None:
        """Wrap the record's key anew with another restriction."""
        for _ in range(ATTEMPTS):
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
