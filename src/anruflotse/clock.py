"""Time, passed in: nothing in this project asks the machine for the time except through a `Clock`.

Tests hand in a `FakeClock` and move it by hand, so no test sleeps and every order of events can be played.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where wall time, elapsed time and waiting come from."""

    def now(self) -> datetime:
        """The current time, timezone-aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow, from an arbitrary start; for measuring how long something took."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` on this clock."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The machine's time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """The machine's monotonic counter in seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(seconds)


class FakeClock:
    """A clock that stands still until a test moves it with `advance` or `jump`."""

    def __init__(self, start: datetime | None = None) -> None:
        """Start at `start` (aware UTC); by default a Tuesday morning in 2026."""
        self._now = start or datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
        self._monotonic = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """The time this clock was last set to."""
        return self._now

    def monotonic(self) -> float:
        """Seconds this clock has been advanced."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Return once the clock was advanced by `seconds`."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + seconds, next(self._order), waiter))
        await waiter

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass: wall time and monotonic time move, sleepers that are due wake."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds
        while self._sleepers and self._sleepers[0][0] <= self._monotonic:
            waiter = heapq.heappop(self._sleepers)[2]
            if not waiter.done():
                waiter.set_result(None)

    def jump(self, to: datetime) -> None:
        """Set the wall clock as an administrator would: elapsed time does not move."""
        self._now = to
