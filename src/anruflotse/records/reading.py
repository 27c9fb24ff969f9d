"""What people do with records: each names themselves, their role and a purpose, and each act is in the audit trail."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import structlog

from anruflotse.records import contents, opening, statistics
from anruflotse.records.access import Accessor, Kind, allowed
from anruflotse.records.desk import ATTEMPTS, Desk, closed
from anruflotse.records.model import (
    REFERENCE,
    AccessRefusedError,
    Handed,
    Purpose,
    Record,
    Statistic,
    StoreError,
    Summary,
)
from anruflotse.records.restriction import Ground, HeldError, Restriction
from anruflotse.records.stores.keystore import Place
from anruflotse.records.times import FAR, to_micros
from anruflotse.records.vault.keyring import UnknownMasterError
from anruflotse.records.vault.master import TamperedError

HUMAN_DESK = "mensch"
"""The department, as it were, of calls that were handed to the human desk."""

_PAGE = 500

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
        of review. A hold in force takes new terms, and ends by `lift` alone. Raises `HeldError` for a restriction that
        would end one, `ValueError`, `AccessRefusedError`, `NotFoundError`, `StoreError`.
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
            in_force = held is not None and wanted is not None and not stores.sweeper.is_lifted(record_id, held.since)
            if in_force and wanted and not wanted.held:
                self._door.log(accessor, stated, Kind.RESTRICT, record_id, "refused_input")
                message = (
                    "This record is held beyond its expiry: another restriction would end that. Lift the hold first if "
                    "it is to end; until then the record is restricted all the same."
                )
                raise HeldError(message)
            if held and wanted and in_force:
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
