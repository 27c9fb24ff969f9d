"""The seam between a call and whatever carries it: a `Line` brings calls in, a `Leg` is one call on it.

Modelled on Asterisk's chan_websocket (the carrier paces the audio, we may flush it), so that a PBX can
replace our own SIP worker.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from enum import StrEnum
from typing import Protocol

from anruflotse.pcm import Pcm


class LegClosedError(Exception):
    """The caller, the network or the worker ended this leg; there is nothing left to do on it."""


class Outcome(StrEnum):
    """What became of a transfer attempt."""

    SUCCEEDED = "succeeded"
    """The transferee reached the target (final NOTIFY 2xx, RFC 3515)."""
    BUSY = "busy"
    """The target answered 486 or 600."""
    NO_ANSWER = "no_answer"
    """The target rang until the time given was over, or answered 408 or 480."""
    REFUSED = "refused"
    """The REFER itself was refused, or the target answered any other failure. The leg is alive."""
    UNKNOWN = "unknown"
    """The peer took the REFER and hung up without ever telling: the caller is gone, presumably transferred."""
    HUNG_UP = "hung_up"
    """The caller hung up, before the REFER was accepted or while the target was reported to ring."""


class Leg(Protocol):
    """One call. Every coroutine raises `LegClosedError` once the call is over."""

    @property
    def id(self) -> str:
        """An opaque id, new for every call; safe in logs."""
        ...

    @property
    def caller(self) -> str | None:
        """The caller's number as the network gave it (P-Asserted-Identity, else From), or None. Personal data."""
        ...

    @property
    def rate(self) -> int:
        """The sample rate of `frames`, in Hz: 8000 (G.711) or 16000 (G.722)."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The SIP headers the line was told to pass on, by lower-case name."""
        ...

    async def play(self, audio: Pcm) -> bool:
        """Play `audio` (8 or 16 kHz; the line converts) and return once its last sample went out.

        Returns True when it was played to its end, False when `stop` cut it short or another `play` replaced it.
        """
        ...

    async def stop(self) -> None:
        """Cut what is playing; silence follows within 50 ms."""
        ...

    def frames(self) -> AsyncIterator[bytes]:
        """The caller's audio: s16le mono chunks of whole 20 ms frames at `rate`. Ends with the call. One consumer."""
        ...

    def keys(self) -> AsyncIterator[str]:
        """Keys the caller presses (`0`-`9`, `*`, `#`), from RFC 4733 and SIP INFO. Ends with the call. One consumer."""
        ...

    async def transfer(self, target: str, reference: str, seconds: float) -> Outcome:
        """Send the caller to the SIP URI `target` (blind REFER) and follow what becomes of it for at most `seconds`.

        `reference` is the opaque hex reference that travels as User-to-User (RFC 7433), never content. Does not raise
        `LegClosedError`: a leg that ends under way is an `Outcome`. After SUCCEEDED or UNKNOWN the leg is over.
        """
        ...

    async def hang_up(self) -> None:
        """End the call. Safe to call twice."""
        ...

    async def closed(self) -> None:
        """Return when the call is over, whoever ended it."""
        ...


class Line(Protocol):
    """A place calls come from."""

    async def open(self) -> None:
        """Begin to take calls. Raises `LineError` with a remedy when the port is taken or settings are unusable."""
        ...

    def calls(self) -> AsyncIterator[Leg]:
        """Calls as they come in, answered, media running. Ends after `close`."""
        ...

    async def refuse(self) -> None:
        """Take no new calls from now on (486); calls that are up go on. For an orderly end, before `close`."""
        ...

    async def close(self) -> None:
        """Refuse new calls (486/503), end the remaining ones and free the port. Bounded: returns within 5 s."""
        ...


class LineError(Exception):
    """The line cannot do its work; the message says why and what to do."""
