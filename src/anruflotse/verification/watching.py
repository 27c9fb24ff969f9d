"""What the software says it does in each test call, beside what the test caller hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from anruflotse.conversation.actions import Count, Play
from anruflotse.lines.peers import Call

ARRIVAL_SECONDS = 10.0


@dataclass(slots=True)
class Log:
    """One call as the software tells it: the names of its events and actions in order, and how it was counted.

    A prompt stands in `order` as `Play:NAME`.
    """

    order: list[str] = field(default_factory=list)
    tally: str | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, told: str, tally: str | None = None) -> None:
        """Something happened; `tally` when it was the count that ends a call."""
        self.order.append(told)
        self.tally = tally or self.tally
        self._changed.set()

    async def until(self, reached: Callable[[Log], bool], seconds: float) -> None:
        """Return when `reached` is so. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not reached(self):
                self._changed.clear()
                await self._changed.wait()


class Watch:
    """A `Watcher`; calls are told apart by the order in which they were dialled."""

    def __init__(self) -> None:
        """Nobody is expected."""
        self._logs: dict[str, Log] = {}
        self._expected: Log | None = None
        self._arrived = asyncio.Event()
        self._dialling = asyncio.Lock()

    async def dial(self, dial: Callable[[], Awaitable[Call]]) -> tuple[Call, Log]:
        """Dial, and make sure that the next call that comes up is known to be this one. Raises as `dial` does.

        Raises TimeoutError when the software takes the call and never tells of it.
        """
        async with self._dialling:
            log = self._expected = Log()
            self._arrived.clear()
            try:
                call = await dial()
                await asyncio.wait_for(self._arrived.wait(), ARRIVAL_SECONDS)
            finally:
                self._expected = None
            return call, log

    def note(self, call: str, what: str, at: float, **facts: object) -> None:  # noqa: ARG002 - the seam's
        """See `Watcher.note`."""
        if call not in self._logs:
            if self._expected is None:
                return
            self._logs[call], self._expected = self._expected, None
            self._arrived.set()
        told = facts.get("event") or facts.get("action")
        name = what if told is None else type(told).__name__
        if isinstance(told, Play):
            name = f"Play:{told.prompt.value}"
        self._logs[call].add(name, told.tally.value if isinstance(told, Count) else None)
