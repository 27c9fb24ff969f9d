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
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from anruflotse.clock import Clock
from anruflotse.records import contents, opening, statistics
from anruflotse.records.access import Accessor, Kind, allowed
from anruflotse.records.audit.entry import Chained
from anruflotse.records.audit.signing import Head
from anruflotse.records.audit.trail import EVERYTHING, Filter
from anruflotse.records.audit.verification import Verified
from anruflotse.records.door import ID, Door
from anruflotse.records.model import (
    RETENTION_DAYS,
    AccessRefusedError,
    DestroyReason,
    Draft,
    Handed,
    NotFoundError,
    Purpose,
    Record,
    Statistic,
    Status,
    StoreError,
    Summary,
    Swept,
    retention,
)
from anruflotse.records.restriction import Ground, Restriction
from anruflotse.records.retention.reconciling import Reconciled
from anruflotse.records.stores.keystore import RetiredMasterError, StoredKey
from anruflotse.records.stores.opener import Opener, Stores
from anruflotse.records.stores.rowstore import Sealed, StoredRow
from anruflotse.records.times import from_micros, to_micros
from anruflotse.records.vault import rotation
from anruflotse.records.vault.envelope import FORMAT
from anruflotse.records.vault.keyring import Keyring, UnknownMasterError
from anruflotse.records.vault.master import TamperedError
from anruflotse.records.vault.rotation import MasterStatus, Rotated

HUMAN_DESK = "mensch"
"""The department, as it were, of calls that were handed to the human desk."""
DAY_ZONE = ZoneInfo("Europe/Berlin")
"""In which counters are dated."""

_WORD = re.compile(r"[a-z][a-z_]{0,39}")
_DEPARTMENT = re.compile(r"(?!.*[0-9]{4})[a-z][a-z0-9_-]{0,29}")
_ATTEMPTS = 3
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
        ring: Keyring | None = None,
        busy_seconds: float = 1.0,
        rows_url: str | None = None,
        keys_url: str | None = None,
    ) -> None:
        """Keep records in `directory` for `retention_days` after their recording.

        The master key is looked for in `environment` (default: the process's) and the directory, unless `ring` is
        given. A locked store is waited for `busy_seconds`. With `rows_url` and `keys_url` the stores are two PostgreSQL
        databases. Raises `ValueError` for more than 28 days without reason, `StoreError` for unsuitable URLs.
        """
        self._clock = clock
        self._retention = retention(retention_days, longer_reason)
        self._opener = Opener(
            directory,
            environment=os.environ if environment is None else environment,
            ring=ring,
            busy_seconds=busy_seconds,
            rows_url=rows_url,
            keys_url=keys_url,
        )
        self._door = Door(lambda: self._opener.stores().trail, clock)
        self._lock = threading.Lock()
        self._latest = clock.now()
        self._asked: Stores | None = None

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
            self._opener.vault().check()
            stores = self._opener.stores()
            stores.keys.probe(to_micros(now))
            stores.rows.probe(to_micros(now))
        except StoreError:
            _log.warning("The record store is not usable; calls are not recorded", exc_info=True)
            return False
        return self._opener.room()

    def exposures(self) -> tuple[str, ...]:
        """What about the databases' set-up keeps copies of what it should not: sentences, each with its remedy."""
        return self._opener.exposures()

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
        key, stored = vault.new_key(record_id, to_micros(expires_at))
        sealed = {name: key.seal(name, plain) for name, plain in contents.pack(draft).items()}
        row = StoredRow(
            id=record_id,
            reference=draft.reference,
            started_at=to_micros(draft.started_at),
            recorded_at=to_micros(draft.recorded_at),
            expires_at=stored.expires_at,
            legal_basis=draft.legal_basis,
            purpose=draft.purpose,
            format=FORMAT,
        )
        fingerprint = vault.fingerprint(draft.caller) if draft.caller else None
        try:
            stores.keys.add(stored, caller=fingerprint, now=to_micros(now))
        except RetiredMasterError:
            # The master key was rotated between wrapping and storing; the new one is at hand now.
            stored = vault.again(key, stored)
            stores.keys.add(stored, caller=fingerprint, now=to_micros(now))
        try:
            stores.rows.add(row, sealed)
        except StoreError:
            with contextlib.suppress(StoreError):
                stores.sweeper.destroy([record_id], DestroyReason.HALF_WRITTEN, now)
            raise
        return record_id

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

    def destroy(self, record_id: str, reason: DestroyReason, accessor: Accessor | None = None) -> bool:
        """Make a record unreadable everywhere, then delete it; False when there was none.

        Without `accessor` the software itself does so (an objection while the call goes on). Raises
        `AccessRefusedError`, `StoreError`.
        """
        stated = self._door.admit(accessor, Purpose.RIGHTS, Kind.DESTROY, record_id) if accessor else Purpose.RIGHTS
        if not ID.fullmatch(record_id):
            return False
        stores = self._opener.stores()
        if not stores.keys.existing([record_id]) and not stores.rows.existing([record_id]):
            if accessor:
                self._door.log(accessor, stated, Kind.DESTROY, record_id, "not_found")
            return False
        # Before and after: an erasure must neither go unnoticed nor wait for the trail.
        if accessor:
            self._door.log(accessor, stated, Kind.DESTROY, record_id, "granted")
        stores.sweeper.destroy([record_id], reason, self._now())
        stores.sweeper.scrub()
        return True

    def sweep(self, now: datetime | None = None) -> Swept:
        """Destroy what has expired by `now` (default: the clock) or was half-written. Raises `StoreError`.

        An earlier `now` puts nothing off: what reads have been refused for expiry goes. Needs no master key.
        """
        swept = self._opener.stores().sweeper.sweep(self._now(now))
        if not swept.failed:
            self._settle_clock(swept.at)
        try:
            self._opener.stores().trail.seal_day(self._clock.now())
        except StoreError:
            _log.warning("The head of the audit trail cannot be signed; the next sweep tries again", exc_info=True)
        return swept

    def reconcile(self, *, force: bool = False) -> Reconciled:
        """Put the stores right after a restore: what was destroyed once is destroyed again, halves are given up.

        The audit trail goes on after what a restore lost of it, with an entry that says so; without the master key it
        does not, and the result tells that. Raises `StoreError`, in particular when most records lack a half, which
        `force` accepts.
        """
        stores, now = self._opener.stores(), self._now()
        try:
            # First: as long as the trail is broken, nobody can read anything.
            stores.trail.acknowledge_loss(self._clock.now())
            trail = True
        except StoreError:
            _log.error("The audit trail cannot go on; see anruflotse audit verify", exc_info=True)
            trail = False
        return replace(stores.sweeper.reconcile(now, force=force), trail=trail)

    def rotate(
        self, accessor: Accessor, purpose: str = Purpose.OPERATION, tell: rotation.Tell | None = None
    ) -> Rotated:
        """Replace the master key while reads and writes go on, or complete an earlier rotation; see `vault.rotation`.

        Raises `AccessRefusedError`, and `StoreError`, after which it can be run again.
        """
        stated = self._door.admit(accessor, purpose, Kind.ROTATE)
        self._door.log(accessor, stated, Kind.ROTATE, None, "granted")
        rotated = rotation.rotate(self._opener.vault(), self._opener.stores().keys, to_micros(self._now()), tell)
        self._door.log(accessor, stated, Kind.ROTATE, None, "done")
        return rotated

    def masters(self) -> Sequence[MasterStatus]:
        """The master keys at hand or in use, by their names, the current one first. Raises `StoreError`."""
        return rotation.status(self._opener.vault(), self._opener.stores().keys)

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
            restricted=stores.keys.restricted(),
            held=stores.keys.held_count(to_micros(now)),
            reviews_due=stores.keys.restricted(review_until=to_micros(now)),
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

    def verify_trail(self, filed: tuple[Head, Ed25519PublicKey] | None = None) -> Verified:
        """Whether the audit trail is what it was; tells no entry, so anybody may ask. See `Trail.verify`."""
        return self._opener.stores().trail.verify(filed)

    def trail_head(self) -> dict[str, object] | None:
        """The latest signed head of the audit trail, to be filed elsewhere; see `Trail.head`."""
        return self._opener.stores().trail.head()

    def _now(self, suggested: datetime | None = None) -> datetime:
        """The latest time this machine has seen: setting the clock back does not bring anything back.

        Kept in the stores, so that a restart does not forget it; unless it lies the whole retention ahead, for one wild
        jump must not stop the recording for good. See `retention.sweeping` for what holds in each direction.
        """
        remembered = self._remembered()
        with self._lock:
            now = self._clock.now()
            if remembered is not None and remembered - now < self._retention:
                self._latest = max(self._latest, remembered)
            self._latest = max(self._latest, now, suggested or self._latest)
            return self._latest

    def _settle_clock(self, swept_at: datetime) -> None:
        """Believe a clock that went back by the retention or more, once everything due until then is destroyed."""
        with self._lock:
            if self._latest <= swept_at and swept_at - self._clock.now() >= self._retention:
                self._latest = self._clock.now()

    def _remembered(self) -> datetime | None:
        """The latest time the stores were written, told once each time they are opened.

        Then also what they hold beyond its expiry is looked through, before anything of it can be read: they may come
        from a backup.
        """
        try:
            stores = self._opener.stores()
            if stores is self._asked:
                return None
            times = [time for time in (stores.keys.latest_time(), stores.rows.latest_time()) if time is not None]
            stores.sweeper.end_lifted(self._clock.now())
        except StoreError:
            # Whoever needs the stores is told so by them.
            return None
        self._asked = stores
        return from_micros(max(times)) if times else None

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
            try:
                wrapped = self._opener.vault().bound(key, restriction)
            except UnknownMasterError:
                # A rotation may have wrapped the key anew since it was read; if not, there is nothing to be done.
                if self._opener.stores().keys.one(record_id) == key:
                    raise
                continue
            # Before: no change without an entry. If it then fails, the trail says more than happened, never less.
            self._door.log(accessor, stated, Kind.RESTRICT, record_id, result)
            stores = self._opener.stores()
            if stores.keys.restrict(key, wrapped, restriction):
                if key.restriction and key.restriction.held:
                    stores.sweeper.lifted(record_id, key.restriction.since)
                return
        message = "The record was being changed by somebody else at the same time: try again."
        raise StoreError(message)


def _page_size(limit: int | None, found: int) -> int:
    """How many entries to fetch next; 0 when there are enough."""
    return _PAGE if limit is None else min(_PAGE, limit - found)


def _closed(key: StoredKey, purpose: Purpose) -> bool:
    """Whether a restriction closes this record for this purpose."""
    return key.restriction is not None and purpose is not Purpose.RIGHTS
