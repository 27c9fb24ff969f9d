"""How late an event loop is: whatever it should have done at a moment, it did so much later."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Final, Self

EVERY: Final = 0.02
"""Seconds between two looks: the length of a packet."""


class Lateness:
    """Wakes up every 20 ms while it is entered and keeps by how many milliseconds it was late each time."""

    def __init__(self) -> None:
        """Nothing is measured before it is entered."""
        self.ms: list[float] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin."""
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; what was measured stays."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def taken(self) -> list[float]:
        """What was measured since the last time this was asked."""
        taken, self.ms = self.ms, []
        return taken

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + EVERY, loop.time())
            await asyncio.sleep(due - loop.time())
            self.ms.append((loop.time() - due) * 1_000)
