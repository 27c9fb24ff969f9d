"""The queue behind frames, keys and calls."""

from __future__ import annotations

import asyncio

import pytest

from anruflotse.lines.mailbox import Mailbox


async def test_delivers_in_order_then_stops() -> None:
    box: Mailbox[int] = Mailbox()
    box.put(1)
    box.put(2)
    box.end()
    box.put(3)
    assert [item async for item in box] == [1, 2]


async def test_a_slow_consumer_loses_the_oldest() -> None:
    box: Mailbox[int] = Mailbox(limit=2)
    for item in range(5):
        box.put(item)
    box.end()
    assert [item async for item in box] == [3, 4]
    assert box.lost == 3


async def test_cancelling_a_waiter_loses_nothing() -> None:
    box: Mailbox[int] = Mailbox()
    waiter = asyncio.create_task(anext(box))
    await asyncio.sleep(0)
    box.put(7)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert await anext(box) == 7


async def test_end_wakes_a_waiter() -> None:
    box: Mailbox[int] = Mailbox()
    waiter = asyncio.create_task(anext(box))
    await asyncio.sleep(0)
    box.end()
    with pytest.raises(StopAsyncIteration):
        await waiter
