"""The protocols of this room: what an engine must offer to hear, to speak, and to tell when a turn is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from anruflotse.pcm import Pcm


class SpeechError(Exception):
    """An engine cannot do its work (model missing, engine down, too slow); the message says what to do."""


@dataclass(frozen=True, slots=True)
class Word:
    """A recognised word with its time within the utterance (seconds) and probability (0..1)."""

    text: str = field(repr=False)
    start: float
    end: float
    probability: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a recogniser made of an utterance.

    `accepted` is False when the engine itself judges the text to be noise or an hallucination; `reason` then names
    the rule (`no_speech`, `low_confidence`, `repetition`, `empty`), and `text` must not be acted upon.
    """

    text: str = field(repr=False)
    confidence: float
    accepted: bool
    reason: str
    engine: str
    words: tuple[Word, ...] = field(default=(), repr=False)


class Recogniser(Protocol):
    """Audio to words."""

    @property
    def processor(self) -> str | None:
        """Whose engine it is: the processor's key in the register, None for one that works on our own machines.

        A processor's engine is only ever used behind the gate (`anruflotse.app.engines`).
        """
        ...

    async def transcribe(self, audio: Pcm, hints: Sequence[str] = ()) -> Transcript:
        """Recognise one utterance (8 or 16 kHz). `hints` are words likely to occur. Runs off the event loop.

        Raises SpeechError when the engine cannot answer. Audio over 30 s is cut to its first 30 s.
        """
        ...


class Synthesiser(Protocol):
    """Words to audio."""

    @property
    def processor(self) -> str | None:
        """Whose engine it is; see `Recogniser.processor`."""
        ...

    async def speak(self, text: str) -> Pcm:
        """Speak German `text`. Runs off the event loop. Raises SpeechError."""
        ...


class TurnEvent(StrEnum):
    """What an endpointer notices in a stream of audio."""

    SPEECH_STARTED = "speech_started"
    PAUSED = "paused"
    """A pause that may become the end of the turn: who starts to recognise now is done sooner. Once a pause."""
    SPEECH_ENDED = "speech_ended"


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing noticed. `audio` is set with SPEECH_ENDED: the utterance with its pre-roll, cut at 30 s.

    PAUSED carries it too, the very same bytes, should the pause turn out to be the end.
    """

    event: TurnEvent
    audio: Pcm | None = field(default=None, repr=False)


class Endpointer(Protocol):
    """Finds where a caller's turn begins and ends; one instance a call, counts audio time only (no clock)."""

    def feed(self, chunk: bytes) -> Sequence[Turn]:
        """Take the next s16le chunk (any whole number of samples) and say what was noticed in it."""
        ...

    def expect(self, pause_ms: int) -> None:
        """From now on `pause_ms` of silence end a turn (700-800 for a concern, 400-500 for yes/no)."""
        ...

    def reset(self) -> None:
        """Forget the stream so far, audio included; the next sample starts a new one."""
        ...


class Heard(StrEnum):
    """What a short stretch of speech was found to say."""

    YES = "yes"
    NO = "no"
    OBJECTION = "objection"
    HUMAN = "human"
    EMERGENCY = "emergency"
    REPEAT = "repeat"
    SPEECH = "speech"
    """Speech that is none of these."""
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class Screening:
    """A screener's finding. `certain` only when closed-list scoring and the rules over free text agree.

    `confidence` is 0..1. When uncertain, `heard` is the likelier finding of the two, an objection winning over all.
    """

    heard: Heard
    certain: bool
    confidence: float


class Screener(Protocol):
    """Listens, in memory and in this process only, for the few things that must be understood at any time."""

    async def screen(self, audio: Pcm) -> Screening:
        """Judge one short utterance. Runs off the event loop; keeps nothing. Raises SpeechError."""
        ...


WordRules = Callable[[str], Heard | None]
"""Rules over recognised words: what `text` says of `Heard`, or None. Wired in by the app (understanding/safety)."""
