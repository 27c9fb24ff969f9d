from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from anruflotse.clock import Clock, FakeClock, SystemClock

START = datetime(2026, 3, 29, 0, 59, tzinfo=UTC)


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_sleeper_wakes_when_its_time_has_come_and_not_before() -> None:
    clock = FakeClock(START)
    sleeper = asyncio.create_task(clock.sleep(10))
    await _settle()
    clock.advance(9.999)
    await _settle()
    assert not sleeper.done()
    clock.advance(0.001)
    await _settle()
    assert sleeper.done()


async def test_sleepers_wake_in_the_order_of_their_times() -> None:
    clock = FakeClock()
    woken: list[int] = []

    async def sleep(seconds: int) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    tasks = [asyncio.create_task(sleep(seconds)) for seconds in (3, 1, 2)]
    await _settle()
    clock.advance(5)
    await asyncio.gather(*tasks)
    assert woken == [1, 2, 3]


async def test_a_cancelled_sleeper_does_not_stop_the_clock() -> None:
    clock = FakeClock()
    cancelled = asyncio.create_task(clock.sleep(1))
    other = asyncio.create_task(clock.sleep(1))
    await _settle()
    cancelled.cancel()
    await _settle()
    clock.advance(1)
    await other
    assert cancelled.cancelled()


async def test_no_time_to_sleep_returns_at_once() -> None:
    clock = FakeClock()
    await clock.sleep(0)
    await clock.sleep(-1)
    assert clock.monotonic() == 0.0


def test_advancing_moves_both_times_and_jumping_only_the_wall() -> None:
    clock = FakeClock(START)
    clock.advance(90)
    assert clock.now() == START + timedelta(seconds=90)
    assert clock.monotonic() == 90
    clock.jump(START - timedelta(days=1))
    assert clock.now() == START - timedelta(days=1)
    assert clock.monotonic() == 90


async def test_the_machines_clock_is_utc_and_only_grows() -> None:
    clock: Clock = SystemClock()
    before, started = clock.now(), clock.monotonic()
    await clock.sleep(0)
    assert before.utcoffset() == timedelta(0)
    assert clock.now() >= before
    assert clock.monotonic() >= started
