"""A queue that ends: how frames, keys and calls reach whoever iterates over them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """An asynchronous iterator fed from the same event loop; one consumer at a time.

    What was put before `end` is still delivered, then the iteration stops. Putting never blocks: with a `limit`, a
    consumer that falls behind loses the oldest items (counted in `lost`), because late audio is worth less than new
    audio. Cancelling a waiting consumer loses nothing; a new `async for` goes on where the last one stopped.
    """

    def __init__(self, limit: int | None = None) -> None:
        """Hold at most `limit` items (None: no bound)."""
        self.lost = 0
        self._items: deque[T] = deque()
        self._limit = limit
        self._ended = False
        self._wake = asyncio.Event()

    def put(self, item: T) -> None:
        """Add `item`; after `end` it is dropped without a word."""
        if self._ended:
            return
        if self._limit is not None and len(self._items) >= self._limit:
            self._items.popleft()
            self.lost += 1
        self._items.append(item)
        self._wake.set()

    def end(self) -> None:
        """Let the consumer have what is left, then stop. Safe to call twice."""
        self._ended = True
        self._wake.set()

    def __aiter__(self) -> Mailbox[T]:
        """Iterate; see the class for what a second iteration means."""
        return self

    async def __anext__(self) -> T:
        """The oldest item; waits for one."""
        while not self._items:
            if self._ended:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._items.popleft()
