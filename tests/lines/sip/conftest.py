"""A real SIP line on a free port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from anruflotse.clock import SystemClock
from anruflotse.lines.sip.config import SipConfig
from anruflotse.lines.sip.leg import SipLeg
from anruflotse.lines.sip.line import SipLine

OpenLine = Callable[..., AbstractAsyncContextManager[SipLine]]


def port_of(line: SipLine, worker: int = 0) -> int:
    return int(line.addresses[worker * len(line.addresses) // line.health().workers].rpartition(":")[2])


async def next_leg(line: SipLine) -> SipLeg:
    return await asyncio.wait_for(anext(line.calls()), 5)


async def until(condition: Callable[[], bool]) -> None:
    """Wait, at most 5 s, for what another process does."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 (no event crosses a process border)
            await asyncio.sleep(0.01)


@pytest.fixture
def open_line() -> OpenLine:
    """`async with open_line(workers=2) as line`: opened on free ports, closed at the end."""

    @asynccontextmanager
    async def opened(**settings: object) -> AsyncIterator[SipLine]:
        line = SipLine(SipConfig(**{"port": 0, **settings}), SystemClock())  # type: ignore[arg-type]
        await line.open()
        try:
            yield line
        finally:
            await line.close()

    return opened
