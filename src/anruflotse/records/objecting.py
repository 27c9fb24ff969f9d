"""Objections for the time to come (Art. 21 GDPR): who is not recorded when they call again.

The list holds keyed hashes of numbers and when each ends, nothing else. It lies in the key store, under a key of its
own: no old backup of the rows brings an objection back that was withdrawn or is over, or takes one away; and without
the master key nobody can tell whether a number is in it, or which records belong to it.
"""

from __future__ import annotations

from datetime import datetime

from anruflotse.records.access import Accessor, Kind
from anruflotse.records.desk import Desk
from anruflotse.records.door import is_text
from anruflotse.records.model import Purpose
from anruflotse.records.times import FAR, to_micros
from anruflotse.records.vault.numbers import telephone


class Objecting(Desk):
    """The part of `Records` that keeps the list of objections."""

    def object_number(self, number: str, accessor: Accessor, *, until: datetime) -> None:
        """Enter that the caller of `number` objects, until `until`; if it is entered already, with this end from now.

        Raises `ValueError` for what is no whole telephone number or an end that does not lie ahead;
        `AccessRefusedError`, `StoreError`.
        """
        stated = self._door.admit(accessor, Purpose.RIGHTS, Kind.OBJECT)
        try:
            end = self._end(until)
            hashed = self._hashed(number)
        except ValueError:
            self._door.log(accessor, stated, Kind.OBJECT, None, "refused_input")
            raise
        # Before: no change without an entry.
        self._door.log(accessor, stated, Kind.OBJECT, None, "objected")
        self._opener.stores().objections.enter(hashed, end)

    def withdraw_objection(self, number: str, accessor: Accessor) -> bool:
        """Take the objection of a number back; False when there was none, or it was over.

        Raises `ValueError` for what is no whole telephone number, `AccessRefusedError`, `StoreError`.
        """
        stated = self._door.admit(accessor, Purpose.RIGHTS, Kind.OBJECT)
        try:
            hashed = self._hashed(number)
        except ValueError:
            self._door.log(accessor, stated, Kind.OBJECT, None, "refused_input")
            raise
        stores, now = self._opener.stores(), to_micros(self._now())
        if not stores.objections.there(hashed, now):
            self._door.log(accessor, stated, Kind.OBJECT, None, "not_found")
            return False
        self._door.log(accessor, stated, Kind.OBJECT, None, "withdrawn")
        withdrawn = stores.objections.withdraw(hashed, now)
        stores.sweeper.scrub()
        return withdrawn

    def objected(self, number: str | None, now: datetime | None = None) -> bool:
        """Whether the caller of `number` has objected and that is not over at `now` (default: the latest time seen).

        The software asks this at the start of a call: no person, no entry in the trail. However the number is written;
        what is no telephone number never is. Raises `StoreError`: then nobody knows, and nothing must be recorded.
        """
        whole = telephone(number) if number and is_text(number) else None
        if whole is None:
            return False
        hashed = self._opener.vault().objection(whole)
        latest = self._now()
        at = latest if now is None else max(now, latest)
        return self._opener.stores().objections.there(hashed, to_micros(at))

    def _hashed(self, number: str) -> str:
        whole = telephone(number) if is_text(number) else None
        if whole is None:
            message = "This is no whole telephone number: give it with its area code, as 030 123456 or +49 30 123456."
            raise ValueError(message)
        return self._opener.vault().objection(whole)

    def _end(self, until: datetime) -> int:
        if until.tzinfo is None or not to_micros(self._now()) < to_micros(until) < FAR:
            message = "The end of an objection must lie ahead, before the year 3000, in a time zone."
            raise ValueError(message)
        return to_micros(until)
