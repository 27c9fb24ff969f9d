"""Finding records by number and time, and who read them, in the audit trail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from anruflotse.records.access import Accessor, Kind
from anruflotse.records.audit.entry import Chained
from anruflotse.records.audit.trail import EVERYTHING, Filter
from anruflotse.records.desk import Desk
from anruflotse.records.door import ID, is_text
from anruflotse.records.model import Purpose, Recipient
from anruflotse.records.stores.keystore import START
from anruflotse.records.times import from_micros, to_micros

_PAGE = 2000
_READING = (Kind.TEXT, Kind.AUDIO, Kind.CONCERN)
"""What counts as having received something of a record."""


class Searching(Desk):
    """The part of `Records` that finds."""

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

    def _entries(self, wanted: Filter, limit: int | None) -> list[Chained]:
        """The last `limit` entries of the trail that are `wanted`, newest first."""
        trail = self._opener.stores().trail
        found: list[Chained] = []
        while page := trail.newest(found[-1].seq if found else None, _page_size(limit, len(found)), wanted):
            found += page
        return found

    def _window(
        self, start: datetime, end: datetime, accessor: Accessor, purpose: str
    ) -> tuple[Purpose, Iterator[list[str]]]:
        """The purpose, and in pages the ids of what is readable for it of a stretch of time."""
        stated = self._door.admit(accessor, purpose, Kind.FIND_WINDOW)
        if start.tzinfo is None or end.tzinfo is None or end <= start:
            self._door.log(accessor, stated, Kind.FIND_WINDOW, None, "refused_input")
            message = "A stretch of time needs a start and a later end, both in a time zone."
            raise ValueError(message)
        return stated, self._recorded(to_micros(start), to_micros(end), stated)

    def _recorded(self, start: int, end: int, stated: Purpose) -> Iterator[list[str]]:
        now, stores = to_micros(self._now()), self._opener.stores()
        held = stores.keys.all_held() if stated is Purpose.RIGHTS else ()
        after = START
        while page := stores.rows.window(start, end, now, held, after, _PAGE):
            if page[-1] == after:
                # An id that is no text is told in other letters than it is sorted by, and is "beyond itself" for ever.
                return
            after = page[-1]
            open_ = stores.keys.readable([one for _, one in page], now, restricted=stated is Purpose.RIGHTS)
            yield [one for _, one in page if one in open_]


def _page_size(limit: int | None, found: int) -> int:
    """How many entries to fetch next; 0 when there are enough."""
    return _PAGE if limit is None else min(_PAGE, limit - found)
