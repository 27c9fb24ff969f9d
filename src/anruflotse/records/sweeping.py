"""Destroying what has expired or was never finished: key first, committed, then the row.

Safe with several processes at once, and to be killed at any point: each step is repeatable, and a record without its
key is unreadable and is found again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import structlog

from anruflotse.records.model import DestroyReason, StoreError, Swept
from anruflotse.records.stores.keystore import START, KeyStore, Place
from anruflotse.records.stores.rowstore import RowStore
from anruflotse.records.times import to_micros

_BATCH = 200
_GRACE = timedelta(minutes=10)
"""How long a write may take between its key and its row before it counts as never finished."""

_REWRITE_EVERY = timedelta(days=1)
"""How often the key store is written anew when keys were destroyed: a leftover wrapped key would open a backup."""

_log = structlog.get_logger(__name__)


class Sweeper:
    """Keeps the two stores honest."""

    def __init__(self, keys: KeyStore, rows: RowStore) -> None:
        """Sweep `keys` and `rows`. The first sweep compares them (after a crash, an old backup)."""
        self._keys = keys
        self._rows = rows
        self._lock = threading.Lock()
        self._compare = True
        self._rewritten: datetime | None = None
        self._stale = False
        self._deleted = 0
        self._destroyed = 0
        self._failed: set[str] = set()

    def sweep(self, now: datetime) -> Swept:
        """Destroy everything that has expired at `now`, was never finished, or lacks its other half.

        A record that resists is counted and does not hold up the others. Raises `StoreError` when a store is not there.
        """
        with self._lock:
            return self._sweep(now)

    def destroy(self, ids: list[str], reason: DestroyReason, now: datetime) -> tuple[int, int]:
        """Destroy these records and return how many rows and keys there were. Raises `StoreError`."""
        at = to_micros(now)
        with self._lock:
            # Until the row is gone as well, the next sweep has something to find.
            compare, self._compare = self._compare, True
            destroyed, gone = self._keys.destroy(ids, reason, at)
            self._stale = True
            deleted = self._rows.destroy(gone, reason, at)
            self._compare = compare
        return deleted, destroyed

    def scrub(self) -> bool:
        """Empty the logs of both stores; False when one of them must wait for a reader."""
        keys, rows = self._keys.database.scrub(), self._rows.database.scrub()
        return keys and rows

    def _sweep(self, now: datetime) -> Swept:
        self._deleted = self._destroyed = 0
        self._failed = set()
        at = to_micros(now)
        # A store that cannot be written fails here, once, and not again for every single record.
        self._keys.probe(at)
        self._rows.probe(at)
        for ids in _places(lambda after: self._keys.due(at, after, _BATCH)):
            self._destroy_all(ids, DestroyReason.EXPIRED, at)
        for ids in _places(lambda after: self._rows.due(at, after, _BATCH)):
            held = self._keys.held(ids)
            self._destroy_all([one for one in ids if one not in held], DestroyReason.EXPIRED, at)
        started = to_micros(now - _GRACE)
        for ids in _pages(lambda after: self._keys.pending(started, after, _BATCH)):
            there = self._rows.existing(ids)
            self._keys.settle(sorted(there))
            self._destroy_all([one for one in ids if one not in there], DestroyReason.HALF_WRITTEN, at)
        if self._compare:
            self._compare_stores(at)
            self._compare = bool(self._failed)
        self._stale = self._stale or self._destroyed > 0
        if self._stale and (self._rewritten is None or now - self._rewritten >= _REWRITE_EVERY):
            try:
                self._keys.database.rewrite()
                self._rewritten, self._stale = now, False
            except StoreError:
                _log.warning("The key store could not be written anew; the next sweep tries again")
        scrubbed = self.scrub()
        return Swept(
            deleted=self._deleted, keys_destroyed=self._destroyed, failed=len(self._failed), scrubbed=scrubbed, at=now
        )

    def _compare_stores(self, at: int) -> None:
        """Find rows without key, keys whose row is gone, and keys that an old backup brought back."""
        for ids in _pages(lambda after: self._rows.all(after, _BATCH)):
            keyed = self._keys.existing(ids)
            self._destroy_all([one for one in ids if one not in keyed], DestroyReason.HALF_WRITTEN, at)
        for ids in _pages(lambda after: self._keys.settled(after, _BATCH)):
            there = self._rows.existing(ids)
            self._destroy_all([one for one in ids if one not in there], DestroyReason.HALF_WRITTEN, at)

    def _destroy_all(self, ids: list[str], reason: DestroyReason, at: int) -> None:
        """Destroy a batch at once, or one by one when something in it resists."""
        if not ids:
            return
        try:
            destroyed, gone = self._keys.destroy(ids, reason, at)
            self._destroyed += destroyed
            self._deleted += self._rows.destroy(gone, reason, at)
        except StoreError:
            self._keys.probe(at)
            self._rows.probe(at)
            for one in ids:
                self._destroy_one(one, reason, at)

    def _destroy_one(self, record_id: str, reason: DestroyReason, at: int) -> None:
        try:
            destroyed, gone = self._keys.destroy([record_id], reason, at)
            self._destroyed += destroyed
            self._deleted += self._rows.destroy(gone, reason, at)
        except StoreError:
            self._failed.add(record_id)
            self._compare = True
            _log.warning("A record could not be destroyed; the next sweep tries again", record=record_id)


def _pages(page: Callable[[str], list[str]]) -> Iterator[list[str]]:
    """Page through ids in their order, so that what stays behind is not met again."""
    after = ""
    while ids := page(after):
        yield ids
        after = ids[-1]


def _places(page: Callable[[Place], list[Place]]) -> Iterator[list[str]]:
    """Page through expiries in their order; see `_pages`."""
    after = START
    while places := page(after):
        yield [record_id for _, record_id in places]
        after = places[-1]
