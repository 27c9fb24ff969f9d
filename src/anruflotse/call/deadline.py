"""Work that may take only so long, by the call's own clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from anruflotse.clock import Clock

T = TypeVar("T")


async def within(clock: Clock, seconds: float, work: Awaitable[T]) -> T:
    """The result of `work`, or `TimeoutError` after `seconds` on `clock`; then, or when cancelled, `work` is given up.

    Not `asyncio.timeout`, which would look at the machine's clock behind the call's back.
    """
    task = asyncio.ensure_future(work)
    alarm = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({task, alarm}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            message = "The engine took too long."
            raise TimeoutError(message)
        return task.result()
    finally:
        task.cancel()
        alarm.cancel()
