"""What a conversation wants done, as frozen orders. The shell carries them out in the order given."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Prompt(StrEnum):
    """Everything the caller can hear; the value is the prompt's name in the prompt catalogue."""

    NOTICE = "hinweis"
    QUESTION = "frage"
    QUESTION_AGAIN = "frage_noch_einmal"
    QUESTION_SILENCE = "frage_stille"
    OBJECTION_DOUBT = "widerspruch_nachfrage"
    HUMAN_DOUBT = "mensch_nachfrage"
    EMERGENCY_DOUBT = "notfall_nachfrage"
    YES_NO_AGAIN = "ja_nein_noch_einmal"
    CONFIRM = "bestaetigen"
    CHOOSE = "auswahl"
    CONNECT = "verbinde"
    CONNECT_PRIVACY = "datenschutz_verbinde"
    CONNECT_OBJECTION = "widerspruch_verbinde"
    CONNECT_OBJECTED_BEFORE = "widerspruch_bekannt"
    CONNECT_HUMAN = "mensch_verbinde"
    CONNECT_NOT_UNDERSTOOD = "nicht_verstanden_verbinde"
    CONNECT_FAULT = "stoerung"
    CLOSED = "geschlossen"
    CLOSED_INSTEAD = "geschlossen_alternative"
    EMERGENCY = "notfall"
    EMERGENCY_SUICIDAL = "notfall_suizid"
    NOBODY = "niemand_erreichbar"


class Attention(StrEnum):
    """What the shell does with speech from now on."""

    SCREEN = "screen"
    """Judge each stretch of speech in memory (`Screened` with turn None), keep none of it."""
    CONCERN = "concern"
    """Await one turn, ended by a long pause: `SpeechStarted`, then `TurnEnded`."""
    ANSWER = "answer"
    """Await one short turn, ended by a short pause: `SpeechStarted`, then `TurnEnded`."""
    NONE = "none"
    """Do not listen at all: the caller has objected."""


class Goal(StrEnum):
    """Who a call is to reach."""

    DEPARTMENT = "department"
    HUMAN = "human"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a call goes; `department` is set for a DEPARTMENT only."""

    goal: Goal
    department: str | None = None


class Tally(StrEnum):
    """How a call ended, as an anonymous daily counter."""

    ROUTED = "routed"
    CLOSED = "closed"
    """The concern was understood, its department is closed, a person took the call."""
    HUMAN_WISH = "human_wish"
    OBJECTION = "objection"
    EMERGENCY = "emergency"
    SILENCE = "silence"
    NOT_UNDERSTOOD = "not_understood"
    ABANDONED = "abandoned"
    FAULT = "fault"
    UNREACHED = "unreached"
    HANDED_OVER = "handed_over"
    """The call took too long or the service was stopping."""


@dataclass(frozen=True, slots=True)
class Play:
    """Play a prompt, cutting whatever plays. `department` and `concerns` are catalogue keys that fill its gaps."""

    prompt: Prompt
    department: str | None = None
    concerns: tuple[str, ...] = ()
    instead: str | None = None
    """With CLOSED_INSTEAD: the department the caller is sent to while `department` is closed."""


@dataclass(frozen=True, slots=True)
class StopPlaying:
    """Cut the prompt."""


@dataclass(frozen=True, slots=True)
class Attend:
    """Change what is done with speech. A turn under way is forgotten."""

    attention: Attention


@dataclass(frozen=True, slots=True)
class AwaitSpeech:
    """The floor is the caller's: report `Silence` when they say nothing."""


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Record the caller's side from now on."""


@dataclass(frozen=True, slots=True)
class StopRecording:
    """Take no more audio and acknowledge with `RecorderStopped`; what was recorded is held in memory."""


@dataclass(frozen=True, slots=True)
class DropEverything:
    """Stop the recorder and overwrite all audio and text of this call, now; acknowledge with `RecorderStopped`."""


@dataclass(frozen=True, slots=True)
class Understand:
    """Recognise and classify the turn just ended: `Understood`, `NotUnderstood` or `RecogniserFailed`."""

    turn: int


@dataclass(frozen=True, slots=True)
class Screen:
    """Judge the turn just ended as a short answer, in memory: `Screened`, `NotUnderstood` or `RecogniserFailed`."""

    turn: int


@dataclass(frozen=True, slots=True)
class Pick:
    """Find which of two concerns the turn just ended means.

    Answered by `Picked`, `Screened` (yes, no, a safety word), `Understood` (a concern of its own), `NotUnderstood`
    or `RecogniserFailed`.
    """

    turn: int
    concerns: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Transfer:
    """Send the caller on, along the destination's chain of targets: `TransferSucceeded` or `TransferFailed`.

    With `relay` False the media must not run through us (promise P4: the recorder could not confirm its end).
    """

    destination: Destination
    relay: bool = True


@dataclass(frozen=True, slots=True)
class Seal:
    """Keep what is held, encrypted, for the retention period: the call reached the one it is for."""


@dataclass(frozen=True, slots=True)
class Count:
    """Raise an anonymous daily counter."""

    tally: Tally
    department: str | None = None


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call."""


Action = (
    Play
    | StopPlaying
    | Attend
    | AwaitSpeech
    | StartRecording
    | StopRecording
    | DropEverything
    | Understand
    | Screen
    | Pick
    | Transfer
    | Seal
    | Count
    | HangUp
)
