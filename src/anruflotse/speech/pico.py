"""SVOX Pico, the embedded synthetic voice: small, quick, intelligible, dated (Apache-2.0, package `py-nanotts`).

The package holds Python's global lock while it computes (5 to 15 ms a sentence), so a thread alone does not keep an
event loop free: sentences are synthesised one by one, which lets everything else in between. Its pauses are uneven too
(0.15 to 0.6 s after a sentence, up to 0.4 s at a comma); said one by one, sentences get the same pause every time.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final

import numpy as np
from py_nanotts import MAX_PITCH, MAX_SPEED, MIN_PITCH, MIN_SPEED, NanoTTS

from anruflotse.pcm import Pcm
from anruflotse.speech.audio import Samples, from_float, to_float, to_samples
from anruflotse.speech.seams import SpeechError

RATE: Final = 16_000
_QUIET: Final = 100
"""Samples below this (-50 dBFS) at the edges are Pico's own padding."""
_FADE_SAMPLES: Final = 80
_BLOCK: Final = 160
_COMMA_BLOCKS: Final = 18
"""Pauses within a sentence are shortened to 180 ms: a comma, not the end."""
_SENTENCE_END: Final = re.compile(r"(?<=[.!?…])\s+(?=\S)")
_SPEAKABLE: Final = re.compile(r"\w")
_LONGEST_WORD: Final = 100
_LONGEST_SENTENCE: Final = 1_000
"""Pico fails, or never returns, on a word of many thousand letters, and it would hold the whole process meanwhile."""


class PicoSynthesiser:
    """A `Synthesiser` at 16 kHz with the German voice `de-DE`.

    `speed` (0.2-5, 1 is natural), `pitch` (0.5-2) and `volume` (0-5) make the one voice sound like several, which is
    how tests get their callers. Safe to use from many threads and tasks.
    """

    processor: Final = None
    """It is our own: nothing leaves the machine."""

    def __init__(self, speed: float = 0.95, pitch: float = 1.0, volume: float = 1.0, pause_ms: int = 220) -> None:
        """Speak with these settings and `pause_ms` between sentences. Raises ValueError outside Pico's ranges."""
        if not MIN_SPEED <= speed <= MAX_SPEED or not MIN_PITCH <= pitch <= MAX_PITCH or volume <= 0 or pause_ms < 0:
            message = (
                f"Pico speaks at speed {MIN_SPEED}-{MAX_SPEED} and pitch {MIN_PITCH}-{MAX_PITCH}, louder than nothing, "
                f"got speed {speed}, pitch {pitch}, volume {volume}, pause {pause_ms} ms."
            )
            raise ValueError(message)
        self._speed, self._pitch, self._volume, self._pause_ms = speed, pitch, volume, pause_ms
        self._engine = NanoTTS()

    @property
    def voice(self) -> str:
        """What makes this voice sound as it does, for the names of cached audio."""
        return f"pico de-DE speed={self._speed} pitch={self._pitch} volume={self._volume} pause={self._pause_ms}"

    async def speak(self, text: str) -> Pcm:
        """Speak German `text`, without silence at its edges, off the event loop.

        Raises SpeechError, which does not repeat the text, when there is nothing to speak, when a word (100 characters)
        or a sentence (1000) is too long, and when Pico fails.
        """
        plain = _plain(text)
        sentences = [part for part in _SENTENCE_END.split(plain) if _SPEAKABLE.search(part)]
        longest_word = max(map(len, plain.split()), default=0)
        if longest_word > _LONGEST_WORD or max(map(len, sentences), default=0) > _LONGEST_SENTENCE:
            message = f"Pico speaks words up to {_LONGEST_WORD} and sentences up to {_LONGEST_SENTENCE} characters."
            raise SpeechError(message)
        if not sentences:
            message = "There is nothing to speak: the text holds no word."
            raise SpeechError(message)
        pause = np.zeros(self._pause_ms * RATE // 1_000, np.int16)
        parts: list[Samples] = []
        for sentence in sentences:
            if parts:
                parts.append(pause)
            parts.append(await asyncio.to_thread(self._say, sentence))
        return Pcm(np.concatenate(parts).astype("<i2", copy=False).tobytes(), RATE)

    def _say(self, sentence: str) -> Samples:
        try:
            raw = self._engine.speak(sentence, voice="de-DE", speed=self._speed, pitch=self._pitch, volume=self._volume)
        except Exception as error:
            message = "Pico could not speak a text: try other words or punctuation."
            raise SpeechError(message) from error
        return _shorten_pauses(to_samples(trim(Pcm(raw, RATE))))


def trim(audio: Pcm) -> Pcm:
    """`audio` without the quiet (below -50 dBFS) at both ends, faded in and out over 5 ms at 16 kHz."""
    loud = np.flatnonzero(np.abs(to_samples(audio).astype(np.int32)) > _QUIET)
    if not loud.size:
        return Pcm(b"", audio.rate)
    floats = to_float(audio)[max(0, loud[0] - _FADE_SAMPLES) : loud[-1] + _FADE_SAMPLES]
    fade = np.linspace(0, 1, min(_FADE_SAMPLES, floats.size), dtype=np.float32)
    floats[: fade.size] *= fade
    floats[floats.size - fade.size :] *= fade[::-1]
    return from_float(floats, audio.rate)


def _shorten_pauses(samples: Samples) -> Samples:
    """`samples` with every pause longer than 180 ms cut to that, in blocks of 10 ms."""
    blocks = samples[: samples.size // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    quiet = np.abs(blocks.astype(np.int32)).max(axis=1) <= _QUIET if blocks.size else np.zeros(0, np.bool_)
    run, keep = 0, np.ones(len(blocks), np.bool_)
    for index, is_quiet in enumerate(quiet):
        run = run + 1 if is_quiet else 0
        keep[index] = run <= _COMMA_BLOCKS
    return np.concatenate([blocks[keep].ravel(), samples[blocks.size :]])


def _plain(text: str) -> str:
    """`text` without what Pico takes for markup or for the end of the text."""
    return re.sub(r"[\x00-\x1f<>\s]+", " ", text.replace("&", " und ")).strip()
