"""A line without a network: the test drives the caller, the carrier and the transfer targets by hand.

    line = FakeLine()
    leg = line.ring(caller="+4930123456", outcomes=[Outcome.BUSY, Outcome.SUCCEEDED])
    assert await leg.prompt() == greeting     # waits until the call plays something
    leg.finish()                              # its last sample went out: `play` returns True
    leg.say(b"..."); leg.press("9"); leg.drop()

No real time: nothing here waits for a clock, and a prompt lasts until the test says so (or not at all: `instant`).
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from anruflotse.lines.line import LegClosedError, LineError, Outcome
from anruflotse.lines.mailbox import Mailbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from anruflotse.pcm import Pcm

_ids = itertools.count(1)


class FakeLeg:
    """A `Leg` whose other end is the test. Keeps the promises of `Leg`, including `LegClosedError`."""

    def __init__(
        self,
        *,
        caller: str | None = None,
        rate: int = 8000,
        headers: Mapping[str, str] | None = None,
        outcomes: Iterable[Outcome | None] = (),
        instant: bool = False,
    ) -> None:
        """`outcomes`: what the next transfers come to, in order; None (or nothing left) waits for `settle`.

        `instant`: every prompt is played to its end at once.
        """
        self.id = f"fake-{next(_ids)}"
        self.caller = caller
        self.rate = rate
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in (headers or {}).items()}
        self.played: list[Pcm] = []
        self.stops = 0
        self.transfers: list[tuple[str, str]] = []
        self.over = False
        self.hung_up = False
        self._instant = instant
        self._outcomes = list(outcomes)
        self._frames: Mailbox[bytes] = Mailbox()
        self._keys: Mailbox[str] = Mailbox()
        self._prompts: Mailbox[Pcm] = Mailbox()
        self._refers: Mailbox[tuple[str, str]] = Mailbox()
        self._playing: asyncio.Future[bool] | None = None
        self._settling: asyncio.Future[Outcome] | None = None
        self._closed = asyncio.Event()

    # What the caller and the network do.

    def say(self, pcm: bytes) -> None:
        """The caller's next audio: s16le at `rate`, delivered as one chunk."""
        self._frames.put(pcm)

    def press(self, keys: str) -> None:
        """Each character is a key the caller presses."""
        for key in keys:
            self._keys.put(key)

    def finish(self) -> None:
        """The last sample of the running prompt goes out. Fails when nothing is playing."""
        if not self._resolve(played=True):
            message = "Nothing is playing: finish() needs a running play()."
            raise AssertionError(message)

    def settle(self, outcome: Outcome) -> None:
        """Decide the transfer that is under way."""
        if self._settling is None or self._settling.done():
            message = "No transfer is waiting for an outcome: settle() needs a running transfer()."
            raise AssertionError(message)
        self._settling.set_result(outcome)

    def drop(self) -> None:
        """The caller hangs up (or the worker dies): everything on this leg ends."""
        self.over = True
        for box in (self._frames, self._keys, self._prompts, self._refers):
            box.end()
        self._closed.set()
        if self._playing is not None and not self._playing.done():
            self._playing.set_exception(LegClosedError())
        if self._settling is not None and not self._settling.done():
            self._settling.set_result(Outcome.HUNG_UP)

    # What a test waits for.

    async def prompt(self) -> Pcm:
        """The next prompt the call starts, in order. `LegClosedError` when the leg ends without one."""
        async for pcm in self._prompts:
            return pcm
        raise LegClosedError

    async def referral(self) -> tuple[str, str]:
        """`(target, reference)` of the next transfer. `LegClosedError` when the leg ends without one."""
        async for refer in self._refers:
            return refer
        raise LegClosedError

    @property
    def playing(self) -> bool:
        """Whether a prompt is running now."""
        return self._playing is not None and not self._playing.done()

    # The Leg protocol.

    async def play(self, audio: Pcm) -> bool:
        """See `Leg.play`."""
        self._check()
        self._resolve(played=False)
        self.played.append(audio)
        self._prompts.put(audio)
        if self._instant:
            await asyncio.sleep(0)
            return True
        playing: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._playing = playing
        try:
            return await playing
        except asyncio.CancelledError:
            playing.cancel()
            raise

    async def stop(self) -> None:
        """See `Leg.stop`."""
        self._check()
        self.stops += 1
        self._resolve(played=False)

    def frames(self) -> AsyncIterator[bytes]:
        """See `Leg.frames`."""
        return self._frames

    def keys(self) -> AsyncIterator[str]:
        """See `Leg.keys`."""
        return self._keys

    async def transfer(self, target: str, reference: str, seconds: float) -> Outcome:  # noqa: ARG002 (no real time)
        """See `Leg.transfer`."""
        if self.over:
            return Outcome.HUNG_UP
        self.transfers.append((target, reference))
        self._refers.put((target, reference))
        outcome = self._outcomes.pop(0) if self._outcomes else None
        if outcome is None:
            self._settling = asyncio.get_running_loop().create_future()
            outcome = await self._settling
        if outcome in (Outcome.SUCCEEDED, Outcome.UNKNOWN, Outcome.HUNG_UP):
            self.drop()
        return outcome

    async def hang_up(self) -> None:
        """See `Leg.hang_up`; `hung_up` tells that it was us."""
        if not self.over:
            self.hung_up = True
            self.drop()

    async def closed(self) -> None:
        """See `Leg.closed`."""
        await self._closed.wait()

    def _check(self) -> None:
        if self.over:
            raise LegClosedError

    def _resolve(self, *, played: bool) -> bool:
        if self._playing is None or self._playing.done():
            return False
        self._playing.set_result(played)
        return True


class FakeLine:
    """A `Line` on which calls ring when the test says so."""

    def __init__(self, *, broken: str | None = None) -> None:
        """`broken`: `open` raises `LineError` with this message."""
        self.opened = False
        self.refusing = False
        self.legs: list[FakeLeg] = []
        self._broken = broken
        self._calls: Mailbox[FakeLeg] = Mailbox()

    def ring(
        self,
        *,
        caller: str | None = None,
        rate: int = 8000,
        headers: Mapping[str, str] | None = None,
        outcomes: Iterable[Outcome | None] = (),
        instant: bool = False,
    ) -> FakeLeg:
        """A call comes in; arguments as for `FakeLeg`. A line that refuses calls hangs up on it at once."""
        leg = FakeLeg(caller=caller, rate=rate, headers=headers, outcomes=outcomes, instant=instant)
        self.legs.append(leg)
        if self.refusing:
            leg.drop()
        else:
            self._calls.put(leg)
        return leg

    async def open(self) -> None:
        """See `Line.open`."""
        if self._broken is not None:
            raise LineError(self._broken)
        self.opened = True

    def calls(self) -> AsyncIterator[FakeLeg]:
        """See `Line.calls`."""
        return self._calls

    async def refuse(self) -> None:
        """See `Line.refuse`; `refusing` tells that it was asked for."""
        self.refusing = True

    async def close(self) -> None:
        """See `Line.close`: ends every leg that is still alive."""
        self.opened = False
        self._calls.end()
        for leg in self.legs:
            await leg.hang_up()
