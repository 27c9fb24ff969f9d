"""One call's audio inside the worker: what the caller says out of the stack, what we play into it.

The stack paces the wire; we keep at most `AHEAD_MS` queued in it. That is enough to ride out a busy event loop and
little enough that a `stop` is heard at once (what is queued is flushed).
"""

from __future__ import annotations

import array
import asyncio
from typing import TYPE_CHECKING

from baresip import AudioNotActive, AudioRestarted, BaresipError

from anruflotse.pcm import FRAME_MS, SAMPLE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from baresip import CallAudio

    from anruflotse.lines.sip.wire import Prompt

AHEAD_MS = 200
_READ_BYTES = 32768
_MS = 1000
NARROW, WIDE = 8000, 16000


class Playout:
    """A prompt on its way out."""

    def __init__(self, number: int, prompt: Prompt, rate: int) -> None:
        """Play `prompt` as `number` into a stream at `rate` Hz."""
        self.number = number
        self.pcm = memoryview(fit(prompt.pcm, prompt.rate, rate))
        self.rate = rate
        self.at = 0

    @property
    def written(self) -> bool:
        """Whether the stack has been given everything."""
        return self.at >= len(self.pcm)


class Voice:
    """Reads and writes one call's PCM. Never raises: a call that is gone is silent."""

    def __init__(self, audio: CallAudio, played: Callable[[int], None]) -> None:
        """Work on `audio`, which must be active; call `played(number)` when a prompt's last sample went out."""
        info = audio.info()
        self.rate = info.rx_sample_rate
        self._audio = audio
        self._played = played
        self._rx_rate = info.rx_sample_rate
        self._rest = b""
        self._playout: Playout | None = None
        self._check: asyncio.TimerHandle | None = None

    def take(self) -> bytes:
        """What the caller said since the last time, in whole 20 ms frames at `rate` (kept even across re-INVITEs)."""
        try:
            pcm: bytes = self._audio.read(_READ_BYTES)
        except AudioRestarted:
            self._probe()
            return b""
        except BaresipError:
            return b""
        if self._rx_rate != self.rate:
            pcm = fit(pcm, self._rx_rate, self.rate)
        pcm = self._rest + pcm
        whole = len(pcm) - len(pcm) % (self.rate * FRAME_MS // _MS * SAMPLE_BYTES)
        self._rest = pcm[whole:]
        return pcm[:whole]

    def play(self, number: int, prompt: Prompt) -> None:
        """Play `prompt` from its start instead of what is playing."""
        if self._playout is not None:
            self.stop()
        try:
            rate = self._audio.info().tx_sample_rate or self.rate
        except BaresipError:
            rate = self.rate
        self._playout = Playout(number, prompt, rate)
        self.feed()

    def stop(self) -> None:
        """Fall silent: forget what is playing and flush what the stack holds of it."""
        self._playout = None
        if self._check is not None:
            self._check.cancel()
            self._check = None
        try:
            self._audio.flush_tx()
        except BaresipError:
            # Streams that were replaced or are gone hold nothing of ours any more.
            return

    def feed(self) -> None:
        """Top the stack up to `AHEAD_MS`; to be called more often than that."""
        playout = self._playout
        if playout is None or self._check is not None:
            return
        per_second = playout.rate * SAMPLE_BYTES
        try:
            queued = self._audio.info().tx_buffered
            room = (per_second * AHEAD_MS // _MS - queued) // SAMPLE_BYTES * SAMPLE_BYTES
            if room > 0 and not playout.written:
                taken = self._audio.write(playout.pcm[playout.at : playout.at + room])
                playout.at += taken
                queued += taken
        except AudioRestarted:
            # What was queued is lost with the old streams. Say it again: a notice is better stuttered than cut.
            playout.at = max(0, playout.at - per_second * AHEAD_MS // _MS)
            return
        except AudioNotActive:
            return  # on hold, or gone: go on when media does
        if playout.written:
            self._check_after(queued / per_second)

    def _check_after(self, seconds: float) -> None:
        """Look again once `seconds` of queued audio, and the frame that is being encoded, must be out."""
        loop = asyncio.get_running_loop()
        self._check = loop.call_later(seconds + FRAME_MS / _MS, self._finish)

    def _finish(self) -> None:
        self._check = None
        playout = self._playout
        if playout is None:
            return
        try:
            queued = self._audio.info().tx_buffered
        except BaresipError:
            return  # on hold with everything written: the next feed() looks again
        if queued > 0:
            self._check_after(queued / (playout.rate * SAMPLE_BYTES))
            return
        self._playout = None
        self._played(playout.number)

    def _probe(self) -> None:
        try:
            self._rx_rate = self._audio.info().rx_sample_rate or self.rate
        except BaresipError:
            return
        self._rest = b""


def fit(pcm: bytes, rate: int, wanted: int) -> bytes:
    """Live s16le at `rate` as `wanted` Hz by averaging or repeating neighbours; both are 8000 or 16000.

    Only needed when a re-INVITE changes the codec in mid-call: a little aliasing is better than a voice at half speed.
    Other rates come back unchanged.
    """
    if (rate, wanted) == (WIDE, NARROW):
        samples = array.array("h", pcm[: len(pcm) // 4 * 4])
        return array.array("h", ((a + b) >> 1 for a, b in zip(samples[::2], samples[1::2], strict=True))).tobytes()
    if (rate, wanted) == (NARROW, WIDE):
        samples = array.array("h", pcm)
        return array.array("h", (sample for sample in samples for _ in range(2))).tobytes()
    return pcm
