"""The latest time this machine has seen, which no clock that is set back undoes."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from anruflotse.clock import Clock
from anruflotse.records.model import StoreError
from anruflotse.records.stores.opener import Opener, Stores
from anruflotse.records.times import from_micros


class LatestTime:
    """Remembers, in this process and in the stores. Thread-safe."""

    def __init__(self, clock: Clock, retention: timedelta, opener: Opener) -> None:
        """A clock that goes back by `retention` or more is believed; see `retention.sweeping`."""
        self._clock = clock
        self._retention = retention
        self._opener = opener
        self._lock = threading.Lock()
        self._latest = clock.now()
        self._asked: Stores | None = None

    def now(self, suggested: datetime | None = None) -> datetime:
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

    def settle(self, swept_at: datetime) -> None:
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
