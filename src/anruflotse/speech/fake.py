"""Engines for tests: they hear, say and notice exactly what the test wrote down, at once and without a model."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np

from anruflotse.pcm import FRAME_MS, SAMPLE_BYTES, Pcm
from anruflotse.speech.seams import Heard, Screening, Transcript, Turn
from anruflotse.speech.turns import TurnFinder

Answer = TypeVar("Answer")

_LOUD = 1_000


class _Script(Generic[Answer]):
    """Gives the answers in order, the last one for ever; an exception among them is raised. Waits while held."""

    def __init__(self, answers: Sequence[Answer | Exception]) -> None:
        self._answers = list(answers)
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def next(self) -> Answer:
        await self.go_on.wait()
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class FakeRecogniser:
    """A `Recogniser` with a script: texts (heard for sure), `Transcript`s, or exceptions to raise.

    `heard` keeps the audio and hints of every call. `hold()` makes it hang until `release()`.
    """

    def __init__(self, *answers: str | Transcript | Exception, processor: str | None = None) -> None:
        """Answer in this order, the last for ever; without answers, nothing is understood (`empty`).

        `processor` makes it that processor's engine.
        """
        self.processor = processor
        nothing = Transcript("", 0.0, accepted=False, reason="empty", engine="fake")
        self._script = _Script[str | Transcript](answers or (nothing,))
        self.heard: list[tuple[Pcm, tuple[str, ...]]] = []

    async def transcribe(self, audio: Pcm, hints: Sequence[str] = ()) -> Transcript:
        """Note what was asked and give the next answer."""
        self.heard.append((audio, tuple(hints)))
        answer = await self._script.next()
        if isinstance(answer, Transcript):
            return answer
        return Transcript(answer, 1.0, accepted=True, reason="", engine="fake")

    def hold(self) -> None:
        """Answer nothing until `release`: an engine that hangs."""
        self._script.go_on.clear()

    def release(self) -> None:
        """Answer again, whoever waits first."""
        self._script.go_on.set()


class FakeScreener:
    """A `Screener` with a script of `Heard` (certain), `Screening`s or exceptions; `heard` keeps the audio."""

    def __init__(self, *answers: Heard | Screening | Exception) -> None:
        """Answer in this order, the last for ever; without answers, everything is `SPEECH`."""
        self._script = _Script[Heard | Screening](answers or (Heard.SPEECH,))
        self.heard: list[Pcm] = []

    async def screen(self, audio: Pcm) -> Screening:
        """Note the audio and give the next answer."""
        self.heard.append(audio)
        answer = await self._script.next()
        return answer if isinstance(answer, Screening) else Screening(answer, certain=True, confidence=1.0)

    def hold(self) -> None:
        """Answer nothing until `release`."""
        self._script.go_on.clear()

    def release(self) -> None:
        """Answer again."""
        self._script.go_on.set()


class FakeSynthesiser:
    """A `Synthesiser` whose audio lasts 50 ms a character and differs from text to text; `spoken` keeps the texts."""

    def __init__(self, *answers: Exception | None, rate: int = 16_000, processor: str | None = None) -> None:
        """Raise the exceptions among `answers` in their turn, speak on None and when there are no answers.

        `processor` makes it that processor's engine.
        """
        self.processor = processor
        self._script = _Script[None](answers or (None,))
        self._rate = rate
        self.spoken: list[str] = []

    async def speak(self, text: str) -> Pcm:
        """Note the text and give its audio: a tone whose pitch depends on the text, about -20 dBFS."""
        self.spoken.append(text)
        await self._script.next()
        hertz = 300 + hashlib.sha256(text.encode()).digest()[0] * 8
        time = np.arange(len(text) * self._rate // 20) / self._rate
        return Pcm((4_600 * np.sin(2 * np.pi * hertz * time)).astype("<i2").tobytes(), self._rate)


class FakeEndpointer:
    """An `Endpointer` for which every 20 ms frame that peaks above 1000 (of 32768) is speech, everything else silence.

    Turns are cut by the same rules as behind the real detector: 120 ms begin one, `pause_ms` of silence end it.
    """

    def __init__(self, rate: int = 8_000, pause_ms: int = 700) -> None:
        """Listen at any `rate` in Hz."""
        self._frame = FRAME_MS * rate // 1_000
        self._finder = TurnFinder(rate, self._frame, pause_ms)
        self._pending = b""
        self.expected: list[int] = []

    def feed(self, chunk: bytes) -> Sequence[Turn]:
        """Take the next chunk and say what was noticed in it."""
        self._pending += chunk
        size = self._frame * SAMPLE_BYTES
        turns: list[Turn] = []
        while len(self._pending) >= size:
            window, self._pending = self._pending[:size], self._pending[size:]
            loud = np.abs(np.frombuffer(window, "<i2").astype(int)).max() > _LOUD
            turns += self._finder.take(window, float(loud))
        return turns

    def expect(self, pause_ms: int) -> None:
        """Take the pause over and note it in `expected`."""
        self.expected.append(pause_ms)
        self._finder.expect(pause_ms)

    def reset(self) -> None:
        """Forget the stream so far."""
        self._pending = b""
        self._finder.reset()
