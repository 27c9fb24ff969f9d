"""The latest time anybody has seen who uses these stores, which no clock that is set back undoes."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from anruflotse.clock import Clock
from anruflotse.records.model import StoreError
from anruflotse.records.stores.opener import Opener, Stores
from anruflotse.records.times import from_micros, to_micros

_LAG = timedelta(minutes=1)
"""How far the time in the stores may lag behind what a read goes by. A service keeps it every few seconds anyway."""


class LatestTime:
    """Remembers, in this process and in the stores. Thread-safe.

    What the stores tell is asked for every time (one look-up by primary key), since another process may have refused
    by now what this one would still show.
    """

    def __init__(self, clock: Clock, retention: timedelta, opener: Opener) -> None:
        """A clock that goes back by `retention` or more is believed; see `retention.sweeping`."""
        self._clock = clock
        self._retention = retention
        self._opener = opener
        self._lock = threading.Lock()
        self._latest = clock.now()
        self._asked: Stores | None = None

    def now(self, suggested: datetime | None = None) -> datetime:
        """The latest time seen by any process: setting the clock back does not bring anything back.

        Kept in the stores, so that a restart does not forget it; unless it lies the whole retention ahead, for one wild
        jump must not stop the recording for good. See `retention.sweeping` for what holds in each direction.
        """
        try:
            stores = self._opener.stores()
            kept = self._kept(stores)
        except StoreError:
            # Whoever needs the stores is told so by them.
            return self._told(None, suggested)
        latest = self._told(kept, suggested)
        if kept is None or latest - kept > _LAG:
            # What is refused from now on must be so after a restart too, also where nothing but commands are run.
            self._keep(stores, latest)
        return latest

    def settle(self, swept_at: datetime) -> None:
        """Believe a clock that went back by the retention or more, once everything due until then is destroyed.

        The stores forget the time as well: else it would be believed again as soon as the clock comes near it.
        """
        with self._lock:
            if self._latest <= swept_at and swept_at - self._clock.now() >= self._retention:
                self._latest = self._clock.now()
            latest = self._latest
        try:
            stores = self._opener.stores()
            for store in (stores.keys, stores.rows):
                kept = store.latest_time()
                if kept is not None and from_micros(kept) - latest >= self._retention:
                    store.set_back(to_micros(latest), to_micros(latest + self._retention))
        except StoreError:
            # The next sweep does so.
            return

    def _told(self, kept: datetime | None, suggested: datetime | None) -> datetime:
        with self._lock:
            now = self._clock.now()
            if kept is not None and kept - now < self._retention:
                self._latest = max(self._latest, kept)
            self._latest = max(self._latest, now, suggested or self._latest)
            return self._latest

    def _kept(self, stores: Stores) -> datetime | None:
        """The latest time in the stores: both when they were just opened, then one. Raises `StoreError`.

        When they were just opened, what they hold beyond its expiry is looked through as well, before anything of it
        can be read: they may come from a backup.
        """
        times = [stores.keys.latest_time()]
        if stores is not self._asked:
            times.append(stores.rows.latest_time())
            stores.sweeper.end_lifted(self._clock.now())
            self._asked = stores
        return max((from_micros(time) for time in times if time is not None), default=None)

    @staticmethod
    def _keep(stores: Stores, latest: datetime) -> None:
        try:
            stores.keys.probe(to_micros(latest))
            stores.rows.probe(to_micros(latest))
        except StoreError:
            # A store that cannot be written can perhaps be read; whoever must write is told so.
            return
