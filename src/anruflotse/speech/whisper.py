"""Hearing with Whisper on CTranslate2: log-mel features, a short window, a vocabulary prompt, and doubts.

Whisper (Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022) was trained on 30 s of
audio at a time. An utterance on the telephone is shorter, and the encoder costs what its window is long, so the window
here is the utterance plus 2 s, at least 10 s; below that it loops.

The faster-whisper package is not imported: its features are thirty lines, and it would load FFmpeg with x264 (GPL)
into this process.

Audio and text exist only on the stack of the worker that recognises them. A cancelled request that was still waiting
is forgotten at once; one that is being recognised is forgotten when its worker is done with it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import heapq
import itertools
import math
import re
import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import ctranslate2
import numpy as np
import numpy.typing as npt
import tokenizers

from anruflotse.pcm import SAMPLE_BYTES, Pcm
from anruflotse.speech import model
from anruflotse.speech.audio import level_dbfs, resample, to_float
from anruflotse.speech.seams import SpeechError, Transcript

Floats = npt.NDArray[np.float32]
Result = TypeVar("Result")

RATE: Final = 16_000
LONGEST_SECONDS: Final = 30
"""Whisper's own limit; what comes later is cut."""
SHORTEST_SECONDS: Final = 0.1
QUIETEST_DBFS: Final = -60.0
"""Below this level nobody speaks: A-law's own idle noise is at -66 dBFS."""
HINT_TOKENS: Final = 100
"""So many tokens of the hints are used; every token of the prompt costs time with every utterance."""
WAITING: Final = 64
"""So many requests may wait; beyond, a caller would wait too long anyway and a human is the better answer."""

_SHORT_WINDOW: Final = 10
_WINDOW_REST: Final = 2
_FRAMES_PER_SECOND: Final = 50
_HOP, _FFT = 160, 400
_BATCH: Final = 10
_CONTEXT: Final = 448
_TOKENS_PER_SECOND: Final = 10
_TOKENS_ANYWAY: Final = 12
_LOWEST_LOGPROB: Final = -0.6
_NO_SPEECH: Final = 0.6
_COMPRESSIBLE: Final = 2.4
_REPEATED: Final = re.compile(r"(\b\w[\w ,.?!-]{2,}?\b)(?:\W+\1\b){3,}", re.IGNORECASE)
_CREDITS: Final = re.compile(
    r"untertitel|copyright|amara\.org|vielen dank f(?:ü|ue)rs zu(?:schauen|sehen|hören)|\b(?:swr|wdr|zdf|ndr)\b\W*\d*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Hearing:
    """What one decoding found: the text, its average token log-probability, whether its decoder had to be stopped.

    `others` are what else it may have been, likeliest first: the rest of the beam.
    """

    text: str = field(repr=False)
    logprob: float
    no_speech: float
    cut: bool
    others: tuple[str, ...] = field(default=(), repr=False)

    @property
    def repetitive(self) -> bool:
        """Whether the decoder fell into a loop: it never ended, or its text compresses too well."""
        raw = self.text.encode()
        return self.cut or len(raw) > _COMPRESSIBLE * len(zlib.compress(raw)) or bool(_REPEATED.search(self.text))


class WhisperEngine:
    """A loaded model and what can be asked of it. Everything here blocks; several threads may use it at once."""

    def __init__(self, directory: Path, workers: int = 2, *, embedded: bool = True) -> None:
        """Check and load the model in `directory` (under a second); `workers` calls run at once, one core each.

        Raises SpeechError when the model is missing, damaged or none (see `model.check`).
        """
        model.check(directory, embedded=embedded)
        try:
            # int8 took 0.56 of the processor time of float32; word error rates differed by less than the sets can tell
            # (60 synthetic utterances 19.5 to 19.0 %, 25 by people 32.1 to 36.9 %).
            self._model: Any = ctranslate2.models.Whisper(
                str(directory), device="auto", compute_type="int8", inter_threads=workers, intra_threads=1
            )
            self._tokenizer = tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json"))
        except Exception as error:  # tokenizers raises bare Exception, CTranslate2 RuntimeError and ValueError
            message = f"The speech model in {directory} cannot be loaded: {error}. Delete it and run make setup."
            raise SpeechError(message) from error
        self.name = "whisper-base" if embedded else f"whisper:{directory.name}"
        self._mels = int(self._model.n_mels)
        self._start = [self._special(name) for name in ("startoftranscript", "de", "transcribe")]
        self._no_times = self._special("notimestamps")
        self._previous = self._special("startofprev")
        pieces = ((token, self._tokenizer.decode([token]).strip()) for token in range(self._special("endoftext")))
        # -1 stands for the symbols that the model's own configuration suppresses.
        self._digits = [-1, *(token for token, text in pieces if any(map(str.isdigit, text)))]

    def encode(self, samples: Floats, seconds: float) -> Any:  # noqa: ANN401 - CTranslate2 has no types
        """The encoder's output for `samples` (16 kHz), padded with silence or cut to a window of `seconds`."""
        features = log_mel(samples, seconds, self._mels)
        return self._model.encode(ctranslate2.StorageView.from_array(features[np.newaxis]))

    def decode(
        self,
        encoded: Any,  # noqa: ANN401
        prompt: Sequence[int],
        seconds: float,
        beam: int,
        *,
        digits: bool = True,
    ) -> Hearing:
        """Decode freely. `prompt` is tokens of what may have been said before, `seconds` the utterance's length.

        Without `digits` numbers are written as words, or not at all.
        """
        start = [*([self._previous, *prompt] if prompt else []), *self._start, self._no_times]
        limit = min(_CONTEXT, len(start) + _TOKENS_ANYWAY + round(_TOKENS_PER_SECOND * seconds))
        result = self._model.generate(
            encoded,
            [start],
            beam_size=beam,
            num_hypotheses=beam,
            max_length=limit,
            suppress_tokens=[-1] if digits else self._digits,
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        tokens = result.sequences_ids[0]
        text, *others = (self._tokenizer.decode(sequence).strip() for sequence in result.sequences_ids)
        # The score is the mean without the end token; the sum over one more is how OpenAI's code averages it.
        logprob = result.scores[0] * len(tokens) / (len(tokens) + 1)
        cut = len(start) + len(tokens) >= limit
        return Hearing(text, float(logprob), float(result.no_speech_prob), cut, tuple(others))

    def score(self, encoded: Any, phrases: Sequence[Sequence[int]], seconds: float) -> list[float]:  # noqa: ANN401
        """The log-probability of each of `phrases` (from `tokens`) to be what was said.

        Only the part of the window up to `seconds` is looked at: it must hold the utterance and a second of silence
        after it, without which the last words score as if they had not been said.
        """
        row = np.asarray(encoded)[:, : math.ceil(seconds * _FRAMES_PER_SECOND)]
        frames = row.shape[1]
        scores: dict[int, float] = {}
        # Phrases of one length side by side: the batch pads to its longest. Larger batches lose time on memory.
        order = sorted(range(len(phrases)), key=lambda index: len(phrases[index]))
        for first in range(0, len(order), _BATCH):
            batch = order[first : first + _BATCH]
            repeated = ctranslate2.StorageView.from_array(np.repeat(row, len(batch), axis=0))
            texts = [list(phrases[index]) for index in batch]
            aligned = self._model.align(repeated, self._start, texts, [2 * frames] * len(batch))
            for index, found in zip(batch, aligned, strict=True):
                scores[index] = float(np.log(np.maximum(found.text_token_probs, 1e-10)).sum())
        return [scores[index] for index in range(len(phrases))]

    def tokens(self, text: str) -> list[int]:
        """The tokens of `text` as the decoder would write it, with its leading space."""
        return list(self._tokenizer.encode(f" {text.strip()}", add_special_tokens=False).ids)

    def _special(self, name: str) -> int:
        token = self._tokenizer.token_to_id(f"<|{name}|>")
        if token is None:
            message = f"The speech model's tokenizer has no token <|{name}|>: it is no multilingual Whisper model."
            raise SpeechError(message)
        return int(token)


class WhisperRecogniser:
    """A `Recogniser` on this machine; also the place where a `WhisperScreener` has its work done.

    `threads` requests are computed at once. Others wait: urgent ones (screening) before the rest, otherwise first come,
    first served. Build it off the event loop or before the loop serves calls: loading takes up to a second.
    """

    processor: Final = None
    """It is our own: nothing leaves the machine."""

    def __init__(self, directory: Path, threads: int = 2, beam: int = 5, *, embedded: bool = True) -> None:
        """Load the model in `directory`; `embedded=False` takes any CTranslate2 Whisper model. Raises SpeechError."""
        self.engine = WhisperEngine(directory, threads, embedded=embedded)
        self._beam = beam
        self._desk = _Desk(threads, WAITING)
        self._prompt = functools.lru_cache(maxsize=8)(self._prompt_of)

    async def transcribe(self, audio: Pcm, hints: Sequence[str] = ()) -> Transcript:
        """Recognise one utterance; audio over 30 s is cut. The first `hints` are used, as many as fit `HINT_TOKENS`.

        Cancelling forgets a request that still waits, at once. Raises SpeechError when too many wait, after `close`,
        and when the engine fails.
        """
        prompt_hints = tuple(hints)
        return await self.run(lambda: self.recognise(audio, prompt_hints))

    async def run(self, work: Callable[[], Result], *, urgent: bool = False) -> Result:
        """Have a worker do `work`, which may use `engine`. Same promises as `transcribe`."""
        future = self._desk.put(work, urgent=urgent)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            # asyncio would pass this on one round of the loop later; the audio must go in the same step.
            future.cancel()
            raise

    def recognise(self, audio: Pcm, hints: tuple[str, ...] = ()) -> Transcript:
        """What `transcribe` does, blocking, in the calling thread."""
        samples = prepare(audio)
        refusal = self.refuse(audio)
        if refusal is not None:
            return refusal
        prompt = self._prompt(hints)
        seconds = len(samples) / RATE
        window = min(LONGEST_SECONDS, max(_SHORT_WINDOW, math.ceil(seconds + _WINDOW_REST)))
        hearing = self.engine.decode(self.engine.encode(samples, window), prompt, seconds, self._beam)
        if hearing.repetitive:
            # A loop is the short window's own fault, or the prompt's: once more as the model was trained, without one.
            hearing = self.engine.decode(self.engine.encode(samples, LONGEST_SECONDS), (), seconds, self._beam)
        return self.judge(hearing)

    def refuse(self, audio: Pcm) -> Transcript | None:
        """The transcript of `audio` that no model needs to listen to, or None."""
        if audio.seconds < SHORTEST_SECONDS:
            return self._rejected("", "empty")
        if level_dbfs(_first(audio), active=True) < QUIETEST_DBFS:
            return self._rejected("", "no_speech")
        return None

    def judge(self, hearing: Hearing) -> Transcript:
        """Accept what was heard, or name the rule that makes it an hallucination."""
        if not any(letter.isalnum() for letter in hearing.text):
            return self._rejected("", "empty")
        if hearing.repetitive:
            return self._rejected(hearing.text, "repetition", hearing.logprob)
        if hearing.no_speech > _NO_SPEECH or _CREDITS.search(hearing.text):
            return self._rejected(hearing.text, "no_speech", hearing.logprob)
        if hearing.logprob < _LOWEST_LOGPROB:
            return self._rejected(hearing.text, "low_confidence", hearing.logprob)
        return Transcript(hearing.text, confidence(hearing.logprob), accepted=True, reason="", engine=self.engine.name)

    def close(self) -> None:
        """Refuse new requests, cancel those that wait, and return when the others are done. Safe to call twice."""
        self._desk.close()

    def _rejected(self, text: str, reason: str, logprob: float = -math.inf) -> Transcript:
        return Transcript(text, confidence(logprob), accepted=False, reason=reason, engine=self.engine.name)

    def _prompt_of(self, hints: tuple[str, ...]) -> tuple[int, ...]:
        prompt: list[int] = []
        for hint in hints:
            # In the middle of the list a hint is followed by a comma, which the limit must hold as well.
            added = [*self.engine.tokens(hint), *self.engine.tokens(",")[-1:]]
            if len(prompt) + len(added) > HINT_TOKENS:
                break
            prompt += added
        return tuple(prompt)


def prepare(audio: Pcm) -> Floats:
    """The first 30 s of `audio` as the model takes them: 16 kHz floats."""
    return to_float(resample(_first(audio), RATE))


def confidence(logprob: float) -> float:
    """The share of words (0..1) that is likely right at an average token log-probability."""
    return 0.0 if logprob == -math.inf else min(1.0, math.exp(logprob))


def log_mel(samples: Floats, seconds: float, mels: int = 80) -> Floats:
    """Whisper's features of `samples` (16 kHz), padded with silence or cut to `seconds`: `mels` rows, 100 columns/s.

    As in OpenAI's code: Hann window of 25 ms every 10 ms, power, mel filters, log10, 80 dB below the loudest cut off.
    """
    length = round(seconds * RATE)
    padded = np.pad(samples[:length], (0, max(0, length - len(samples))))
    padded = np.pad(padded, _FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP][: length // _HOP]
    spectrum = np.fft.rfft(frames * np.hanning(_FFT + 1)[:-1].astype(np.float32), axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    logs = np.log10(np.maximum(_mel_filters(mels) @ power.T, 1e-10))
    features: Floats = ((np.maximum(logs, logs.max() - 8.0) + 4.0) / 4.0).astype(np.float32)
    return np.ascontiguousarray(features)


@functools.cache
def _mel_filters(mels: int) -> Floats:
    """Slaney's mel filters (librosa's default, as OpenAI used): linear to 1 kHz, then logarithmic, of equal area."""
    bins = np.fft.rfftfreq(_FFT, 1 / RATE)
    linear_end, hertz_per_mel, log_step = 1_000.0, 200.0 / 3, math.log(6.4) / 27
    end_mel = linear_end / hertz_per_mel
    scale = np.linspace(0.0, end_mel + math.log(RATE / 2 / linear_end) / log_step, mels + 2)
    edges = np.where(
        scale < end_mel, scale * hertz_per_mel, linear_end * np.exp(log_step * (np.maximum(scale, end_mel) - end_mel))
    )
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    filters = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return np.asarray(filters, dtype=np.float32)


def _first(audio: Pcm) -> Pcm:
    """The first 30 s, cut before anything is computed: ten minutes must not cost more than thirty seconds."""
    return Pcm(audio.data[: LONGEST_SECONDS * audio.rate * SAMPLE_BYTES], audio.rate)


class _Desk:
    """Workers behind one counter.

    Unlike a ThreadPoolExecutor it is bounded, serves the urgent first, and a request that is cancelled while waiting
    is gone at once, with the audio it carries.
    """

    def __init__(self, threads: int, waiting: int) -> None:
        self._queue: list[tuple[bool, int, concurrent.futures.Future[Any], Callable[[], Any]]] = []
        self._most = waiting
        self._number = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [threading.Thread(target=self._serve, name=f"whisper-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def put(self, work: Callable[[], Result], *, urgent: bool) -> concurrent.futures.Future[Result]:
        future: concurrent.futures.Future[Result] = concurrent.futures.Future()
        with self._changed:
            if self._closed:
                message = "The recogniser is closed."
                raise SpeechError(message)
            if len(self._queue) >= self._most:
                message = "The recogniser has too much to do; raise speech.threads or add a machine."
                raise SpeechError(message)
            heapq.heappush(self._queue, (not urgent, next(self._number), future, work))
            self._changed.notify()
        future.add_done_callback(self._forget)
        return future

    def close(self) -> None:
        with self._changed:
            self._closed = True
            waiting = [future for _, _, future, _ in self._queue]
            self._changed.notify_all()
        for future in waiting:
            future.cancel()
        for thread in self._threads:
            thread.join()

    def _forget(self, future: concurrent.futures.Future[Any]) -> None:
        if future.cancelled():
            with self._changed:
                self._queue = [entry for entry in self._queue if entry[2] is not future]
                heapq.heapify(self._queue)

    def _serve(self) -> None:
        while (taken := self._take()) is not None:
            future, work = taken
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except SpeechError as error:
                    future.set_exception(error)
                except Exception as error:  # noqa: BLE001 - whatever the engine throws, the call must learn of it
                    failure = SpeechError(f"The recogniser failed ({type(error).__name__}).")
                    failure.__cause__ = error
                    future.set_exception(failure)
            # Else the last utterance would stay in memory until the next one comes.
            del future, work, taken

    def _take(self) -> tuple[concurrent.futures.Future[Any], Callable[[], Any]] | None:
        with self._changed:
            while not self._queue:
                if self._closed:
                    return None
                self._changed.wait()
            _, _, future, work = heapq.heappop(self._queue)
            return future, work
