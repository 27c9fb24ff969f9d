"""Destroying what has expired or was never finished: key first, committed, then the row.

Safe with several processes at once, and to be killed at any point: each step is repeatable, and a record without its
key is unreadable and is found again.

**The journal.** Every sweep enters the erasures of other machines that share the stores, and destroys again what the
journal names and is there: somebody may put a backup back under a running service, however young it is, and no time in
the stores would tell (another machine has written the present one into them before this one looks).

**The clock.** Everything is UTC in whole microseconds; time zones and summer time exist on display only. `at` is the
latest time any process has seen (`LatestTime`), which is kept in both stores with every sweep, every probe and every
read that is more than a minute ahead of it. It never goes down, except in the third case:

- *Forward*, rightly or not: what has expired by then is destroyed with the next sweep, which never waits whether the
  clock will change its mind: "late" would be a broken promise, "early" is a lost recording.
- *Back by less than the retention*, also over a restart: not believed. Nothing that was refused is shown again, and
  sweeping goes on at the latest time seen until the clock has caught up. What is recorded meanwhile expires by the
  clock itself, never later than it would have.
- *Back by the retention or more*: one wild jump ahead and back (a dead battery, a wrong time server) must not stop the
  recording for a year. It is believed once a sweep at the latest time has destroyed everything that was due then, or
  after a restart; the first sweep that believes it sets back the time in the stores. Until then nothing can be
  recorded, since it would count as expired at once.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import structlog

from anruflotse.records.model import DestroyReason, StoreError, Swept
from anruflotse.records.retention.destroying import Destroyer
from anruflotse.records.retention.journal import KEPT, LIFTED, Entry, Journal
from anruflotse.records.retention.paging import pages, places
from anruflotse.records.retention.reconciling import Reconciled, Reconciler, too_many
from anruflotse.records.stores.keystore import KeyStore
from anruflotse.records.stores.objections import Objections
from anruflotse.records.stores.rowstore import RowStore
from anruflotse.records.times import to_micros

_BATCH = 500
_GRACE = timedelta(minutes=10)
"""How long a write may take between its key and its row before it counts as never finished."""
_REWRITE_EVERY = timedelta(days=1)
"""How often the key store is written anew when keys were destroyed: a leftover wrapped key would open a backup."""
_LARGE = 100_000
"""From so many keys on, writing them anew takes seconds in which no record can be kept: it waits for the night."""
_NIGHT = range(1, 4)
"""The hours of the day, UTC, in which few people phone a German health insurer."""
_PATIENCE = timedelta(days=2)
"""How long a large key store waits for the night (the machine may be off then)."""
_MARGIN = timedelta(hours=1) // timedelta(microseconds=1)
"""How long before a sweep a tombstone may be dated that it did not see: of a slow commit, or by a slower clock."""

_log = structlog.get_logger(__name__)


class Sweeper:
    """Keeps the two stores honest. Thread-safe: an erasure does not wait for a sweep, only for a batch of it."""

    def __init__(self, keys: KeyStore, rows: RowStore, journal: Journal, objections: Objections) -> None:
        """Sweep `keys`, `rows` and `objections`; erasures are entered in `journal`."""
        self._keys = keys
        self._rows = rows
        self._journal = journal
        self._objections = objections
        self._reconciler = Reconciler(keys, rows, journal)
        self._sweeping = threading.Lock()
        self._noting = threading.Lock()
        self._rewritten: datetime | None = None
        self._waiting: datetime | None = None
        self._stale = False
        self._unfinished: dict[str, DestroyReason] = {}
        self._learned: int | None = None
        """Until when the journal has what the stores know; None until it was compared once."""

    def replay(self) -> None:
        """Destroy again what the journal says must not come back. Raises `StoreError` when that cannot be made sure."""
        self._stale = bool(self._reconciler.replay()) or self._stale

    def sweep(self, now: datetime) -> Swept:
        """Destroy everything that has expired at `now` or was never finished.

        A record that resists is counted and does not hold up the others. Raises `StoreError` when a store is not there.
        """
        with self._sweeping:
            return self._sweep(now)

    def reconcile(self, now: datetime, *, force: bool = False) -> Reconciled:
        """Put the two stores right after a restore; see `Reconciler`. Raises `StoreError`."""
        with self._sweeping:
            self._sweep(now)
            reconciled = self._reconciler.reconcile(to_micros(now), to_micros(now - _GRACE), force=force)
            self._stale = self._stale or reconciled.keys_destroyed > 0
            self.scrub()
        return reconciled

    def destroy(self, ids: list[str], reason: DestroyReason, now: datetime) -> tuple[int, int]:
        """Destroy these records and return how many rows and keys there were.

        What was asked for is done even when this raises `StoreError`, at the latest by the next sweep or start: the
        journal is written first.
        """
        at = to_micros(now)
        unjournaled = None
        if reason in KEPT:
            try:
                self._journal.add(Entry(one, at, reason) for one in ids)
            except StoreError as error:
                # An erasure does not wait for the journal; but it is not reported as done without. The next sweep
                # enters it, by its tombstone.
                unjournaled = error
        with self._noting:
            self._unfinished.update(dict.fromkeys(ids, reason))
        self._stale = True
        destroyed, gone = self._keys.destroy(ids, reason, at)
        deleted = self._rows.destroy(gone, reason, at)
        with self._noting:
            for one in gone:
                self._unfinished.pop(one, None)
        if unjournaled is not None:
            raise unjournaled
        return deleted, destroyed

    def lifted(self, record_id: str, since: int) -> None:
        """Enter that a hold that began at `since` (microseconds) is over, so that nothing holds on: no backup either.

        To be called before it is lifted in the stores: what was asked for is done, even if that is interrupted. Raises
        `StoreError`; then it must not be lifted.
        """
        self._journal.add([Entry(record_id, since, LIFTED)])

    def is_lifted(self, record_id: str, since: int) -> bool:
        """Whether the hold of a record that began at `since` was entered as lifted. Raises `StoreError`."""
        return any(Entry(record_id, since, LIFTED) in page for page in self._journal.pages(_BATCH))

    def end_lifted(self, now: datetime) -> None:
        """Destroy what an old backup holds beyond its expiry, though the hold was lifted since. Raises `StoreError`."""
        ending = Destroyer(self._keys, self._rows)
        self._reconciler.end_lifted(ending, to_micros(now))
        self._stale = self._stale or ending.keys_destroyed > 0

    def scrub(self) -> bool:
        """Empty the logs of both stores; False when one of them must wait for a reader."""
        keys, rows = self._keys.database.scrub(), self._rows.database.scrub()
        return keys and rows

    def _sweep(self, now: datetime) -> Swept:
        at = to_micros(now)
        # A store that cannot be written fails here, once, and not again for every single record.
        self._keys.probe(at)
        self._rows.probe(at)
        ending = Destroyer(self._keys, self._rows)
        self._finish(ending, at)
        unread = self._follow_journal(ending, at)
        for ids in places(lambda after: self._keys.due(at, after, _BATCH)):
            ending.destroy(ids, DestroyReason.EXPIRED, at, unless_held=True)
        for ids in places(lambda after: self._rows.due(at, after, _BATCH)):
            ending.destroy(ids, DestroyReason.EXPIRED, at, unless_held=True)
        for ids in places(lambda after: self._rows.due_cases(at, after, _BATCH)):
            # The key's expiry is the one that counts; the row's is older when the rows were put back from a backup.
            alive = self._keys.alive(ids, at)
            ending.destroy([one for one in ids if one not in alive], DestroyReason.EXPIRED, at)
        self._settle(ending, at, to_micros(now - _GRACE))
        self._stale = self._stale or ending.keys_destroyed > 0
        objections = self._objections.end(at)
        self._stale = self._stale or objections > 0
        self._rewrite(now)
        if unread is not None:
            raise unread
        return Swept(
            deleted=ending.rows_deleted,
            keys_destroyed=ending.keys_destroyed,
            failed=len(ending.failed),
            scrubbed=self.scrub(),
            at=now,
            objections=objections,
        )

    def _follow_journal(self, ending: Destroyer, at: int) -> StoreError | None:
        """Enter what other machines erased, and do what the journal says; what kept it from being read, if anything.

        Whoever cannot read it must still destroy what is due.
        """
        self._learn(at)
        back = Destroyer(self._keys, self._rows)
        try:
            self._reconciler.follow(back, at)
        except StoreError as error:
            return error
        finally:
            ending.take_over(back)
        if back.keys_destroyed or back.rows_deleted:
            _log.warning("Erased records were there, put back from a backup or left by a crash; they are erased again")
        return None

    def _finish(self, ending: Destroyer, at: int) -> None:
        """Destroy the rows of records whose destruction was interrupted by a fault; a crash leaves that to `replay`."""
        with self._noting:
            unfinished = list(self._unfinished.items())
        for record_id, reason in unfinished:
            ending.destroy([record_id], reason, at)
            if record_id not in ending.failed and not self._keys.existing([record_id]):
                with self._noting:
                    self._unfinished.pop(record_id, None)

    def _settle(self, ending: Destroyer, at: int, started: int) -> None:
        """Note which keys have their row now, and destroy those whose row never came.

        Rows that lack in numbers lack for another reason than a crash: the row store was exchanged. Its keys stay (they
        expire by themselves), until somebody has looked and said `--force`.
        """
        seen = missing = 0
        for ids in pages(lambda after: self._keys.pending(started, after, _BATCH)):
            there = self._rows.existing(ids)
            self._keys.settle(sorted(there, key=str))
            seen += len(ids)
            missing += len(ids) - len(there)
        if too_many(missing, seen):
            _log.error("Most of the latest records lack their row: is this the right record store? See reconcile")
            return
        if not missing:
            return
        for ids in pages(lambda after: self._keys.pending(started, after, _BATCH)):
            there = self._rows.existing(ids)
            ending.destroy([one for one in ids if one not in there], DestroyReason.HALF_WRITTEN, at)

    def _learn(self, at: int) -> None:
        """Enter the erasures of other machines, and those that could not be entered when they were made."""
        try:
            if self._learned is None:
                self._reconciler.complete_journal()
            else:
                self._reconciler.learn(min(self._learned, at) - _MARGIN)
            self._learned = at
        except StoreError:
            _log.warning("The journal of erasures cannot be brought up to date; the next sweep tries again")

    def _rewrite(self, now: datetime) -> None:
        """Write the key store anew, once a day when keys were destroyed; a large one at night."""
        if not self._stale or (self._rewritten is not None and now - self._rewritten < _REWRITE_EVERY):
            return
        self._waiting = self._waiting or now
        wait = now.hour not in _NIGHT and now - self._waiting < _PATIENCE
        if wait and (self._keys.database.records() or 0) >= _LARGE:
            return
        self._stale = False
        try:
            self._keys.database.rewrite()
            self._rewritten, self._waiting = now, None
        except StoreError:
            self._stale = True
            _log.warning("The key store could not be written anew; the next sweep tries again")
