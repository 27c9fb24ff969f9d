from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from anruflotse.app.service import RECONCILE_AGAIN_SECONDS, RECONCILE_SECONDS, Service
from anruflotse.clock import FakeClock
from anruflotse.records.model import StoreError


class Store:
    """Notes what it is asked for, and can be broken."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.broken = False

    def sweep(self) -> object:
        return self._asked("sweep", SimpleNamespace(deleted=0))

    def reconcile(self) -> object:
        return self._asked("reconcile", SimpleNamespace(returned=2, unpaired=1))

    def _asked(self, what: str, answer: object) -> object:
        self.asked.append(what)
        if self.broken:
            message = "The record store is locked."
            raise StoreError(message)
        return answer


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def service(clock: FakeClock, store: Store) -> Service:
    """A service of which nothing runs but what a test starts."""
    service = Service.__new__(Service)
    settings = SimpleNamespace(retention=SimpleNamespace(sweep_seconds=60))
    service._parts = SimpleNamespace(clock=clock, records=store, settings=settings)  # type: ignore[assignment]
    return service


async def asleep(clock: FakeClock) -> None:
    """Until whoever is at work waits for the clock again."""
    async with asyncio.timeout(10):
        while not clock._sleepers:  # noqa: ASYNC110 - a FakeClock has no event for that
            await asyncio.sleep(0)


async def test_the_stores_are_reconciled_at_the_start_and_daily_and_swept_every_minute(
    service: Service, clock: FakeClock, store: Store
) -> None:
    with capture_logs() as logs:
        task = asyncio.create_task(service._sweep())
        await asleep(clock)
        assert store.asked == ["reconcile", "sweep"]
        clock.advance(60)
        await asleep(clock)
        assert store.asked == ["reconcile", "sweep", "sweep"]
        clock.advance(RECONCILE_SECONDS)
        await asleep(clock)
        assert store.asked[3:] == ["reconcile", "sweep"]
        task.cancel()
    assert [entry["count"] for entry in logs] == [3, 3]


async def test_a_broken_store_is_swept_again_in_a_minute_and_reconciled_again_in_an_hour(
    service: Service, clock: FakeClock, store: Store
) -> None:
    store.broken = True
    task = asyncio.create_task(service._sweep())
    await asleep(clock)
    clock.advance(60)
    await asleep(clock)
    assert store.asked == ["reconcile", "sweep", "sweep"]
    store.broken = False
    clock.advance(RECONCILE_AGAIN_SECONDS - 60)
    await asleep(clock)
    assert store.asked[3:] == ["reconcile", "sweep"]
    task.cancel()
