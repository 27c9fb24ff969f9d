"""The parent's side of one SIP call."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import structlog

from anruflotse.lines.line import LegClosedError, Outcome
from anruflotse.lines.mailbox import Mailbox
from anruflotse.lines.sip import wire
from anruflotse.lines.sip.addresses import is_target, refer_to

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from anruflotse.pcm import Pcm

log = structlog.get_logger(__name__)

_UNREAD_CHUNKS = 1000
"""A minute of audio (60 ms chunks) that nobody reads; then the oldest goes."""
_HANG_UP_SECONDS = 2.0


class Carrier(Protocol):
    """What a leg needs of the worker process that carries it."""

    def send(self, message: wire.Message) -> None:
        """Pass an order on; silently nothing when the process is gone (the leg is told by `end`)."""
        ...

    async def load(self, audio: Pcm, rate: int) -> str:
        """Make sure the worker has `audio` at `rate`, and return the key to play it by."""
        ...


@dataclass(slots=True)
class _Playing:
    number: int
    done: asyncio.Future[bool] = field(repr=False)


class SipLeg:
    """A `Leg` on a worker process. Its `id` is random; number and headers never show in a `repr`."""

    def __init__(self, carrier: Carrier, incoming: wire.Incoming) -> None:
        """Begin where the worker's `Incoming` left off: answered, media running."""
        self.id = secrets.token_hex(8)
        self.caller = incoming.caller
        self.rate = incoming.rate
        self.headers: Mapping[str, str] = MappingProxyType(incoming.headers)
        self._carrier = carrier
        self._number = incoming.leg
        self._frames: Mailbox[bytes] = Mailbox(_UNREAD_CHUNKS)
        self._keys: Mailbox[str] = Mailbox()
        self._playing: _Playing | None = None
        self._order = 0
        self._referring: tuple[int, asyncio.Future[Outcome]] | None = None
        self._over = asyncio.Event()

    def __repr__(self) -> str:
        """Only what may be logged."""
        return f"<SipLeg {self.id}>"

    async def play(self, audio: Pcm) -> bool:
        """See `Leg.play`. A cancelled `play` falls silent."""
        self._check()
        self._cut(played=False)
        self._order += 1
        mine = _Playing(self._order, asyncio.get_running_loop().create_future())
        self._playing = mine
        try:
            key = await self._carrier.load(audio, self.rate)
            if not mine.done.done():
                self._carrier.send(wire.Play(self._number, mine.number, key))
            return await mine.done
        finally:
            if self._playing is mine:
                self._playing = None
                if mine.done.cancelled() or not mine.done.done():
                    self._carrier.send(wire.Stop(self._number))

    async def stop(self) -> None:
        """See `Leg.stop`."""
        self._check()
        if self._cut(played=False):
            self._carrier.send(wire.Stop(self._number))

    def frames(self) -> AsyncIterator[bytes]:
        """See `Leg.frames`."""
        return self._frames

    def keys(self) -> AsyncIterator[str]:
        """See `Leg.keys`."""
        return self._keys

    async def transfer(self, target: str, reference: str, seconds: float) -> Outcome:
        """See `Leg.transfer`.

        A target that is no plain SIP URI is REFUSED (and logged as an error), so that the next one gets its turn.
        Raises `ValueError` for a `reference` that is not hexadecimal, `RuntimeError` while another transfer runs.
        """
        if not is_target(target):
            log.error("transfer target is not a plain SIP URI; correct the department's targets", leg=self.id)
            return Outcome.REFUSED
        value = refer_to(target, reference)
        if self._over.is_set():
            return Outcome.HUNG_UP
        if self._referring is not None:
            message = "One transfer at a time: await the running one first."
            raise RuntimeError(message)
        self._order += 1
        decided: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._referring = (self._order, decided)
        self._carrier.send(wire.Refer(self._number, self._order, value, max(seconds, 0.1)))
        try:
            outcome = await decided
        finally:
            self._referring = None
        if outcome in (Outcome.SUCCEEDED, Outcome.UNKNOWN, Outcome.HUNG_UP):
            # The worker says Closed right after; if the stack should not, the call is of no more use to anybody.
            await self.hang_up()
        return outcome

    async def hang_up(self) -> None:
        """See `Leg.hang_up`; returns when the call is over."""
        if self._over.is_set():
            return
        self._carrier.send(wire.HangUp(self._number))
        # Bounded by real time, not by the clock: this waits for another process, not for the world of the call.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_HANG_UP_SECONDS):
                await self._over.wait()
        self.end()

    async def closed(self) -> None:
        """See `Leg.closed`."""
        await self._over.wait()

    # What the worker reports, by way of the process.

    def heard(self, pcm: bytes) -> None:
        """The caller's next audio."""
        self._frames.put(pcm)

    def pressed(self, key: str) -> None:
        """The caller pressed a key."""
        self._keys.put(key)

    def played(self, number: int) -> None:
        """The prompt ordered as `number` went out to its end."""
        if self._playing is not None and self._playing.number == number:
            self._cut(played=True)

    def referred(self, number: int, outcome: Outcome) -> None:
        """The transfer ordered as `number` is decided."""
        if self._referring is not None and self._referring[0] == number and not self._referring[1].done():
            self._referring[1].set_result(outcome)

    def end(self) -> None:
        """The call is over, or the process that carried it. Safe to call twice."""
        if self._over.is_set():
            return
        self._over.set()
        if self._frames.lost:
            log.warning("caller audio was not read in time and dropped", leg=self.id, chunks=self._frames.lost)
        self._frames.end()
        self._keys.end()
        if self._playing is not None and not self._playing.done.done():
            self._playing.done.set_exception(LegClosedError())
        if self._referring is not None and not self._referring[1].done():
            # Had the peer taken the REFER, the worker would have said so before Closed: the caller hung up before the
            # worker saw the order, or the worker died. In both cases nobody is known to have been reached.
            self._referring[1].set_result(Outcome.HUNG_UP)

    def _check(self) -> None:
        if self._over.is_set():
            raise LegClosedError

    def _cut(self, *, played: bool) -> bool:
        """Settle the running `play`, if there is one."""
        playing = self._playing
        if playing is None or playing.done.done():
            return False
        playing.done.set_result(played)
        return True
