"""What can happen in a call, as frozen facts. The shell (`anruflotse.call`) observes them; `step` reacts to them.

An event never carries what was said or who called: the conversation decides on categories, not on content.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from anruflotse.conversation.actions import Prompt


class Key(StrEnum):
    """What a pressed key means; which digit it is, is a setting of the shell."""

    OBJECTION = "objection"
    HUMAN = "human"
    REPEAT = "repeat"
    OTHER = "other"


class Heard(StrEnum):
    """What a short stretch of speech was found to say."""

    YES = "yes"
    NO = "no"
    OBJECTION = "objection"
    HUMAN = "human"
    EMERGENCY = "emergency"
    REPEAT = "repeat"
    SPEECH = "speech"
    SILENCE = "silence"


class Verdict(StrEnum):
    """What the decision policy made of a stated concern."""

    ROUTE = "route"
    CONFIRM = "confirm"
    CHOOSE = "choose"
    ASK_AGAIN = "ask_again"
    HUMAN = "human"
    EMERGENCY = "emergency"
    OBJECTION = "objection"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A concern that may be meant, with the department for it and whether that department can be reached now.

    `instead` names the department the catalogue sends callers to while this one is closed; None means a person.
    With `privacy` the caller is told whom to turn to about personal data (P16).
    """

    concern: str
    department: str
    open: bool = True
    instead: str | None = None
    privacy: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """The call is up. `may_record` is False when the record store cannot take a record: then nothing is recorded.

    `objected` tells that this number objected earlier, for future calls too (Art. 21 GDPR).
    """

    may_record: bool = True
    objected: bool = False


@dataclass(frozen=True, slots=True)
class NoticeFinished:
    """The notice was played to its last sample."""


@dataclass(frozen=True, slots=True)
class PromptFinished:
    """Any other prompt was played to its last sample."""

    prompt: Prompt


@dataclass(frozen=True, slots=True)
class PromptFailed:
    """A prompt (the notice too) is missing or could not be played."""

    prompt: Prompt


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """The caller pressed a key."""

    key: Key


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The caller began to speak while a turn of theirs is awaited; over a prompt this is barge-in."""


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The caller's awaited turn is over."""


@dataclass(frozen=True, slots=True)
class Silence:
    """The caller was expected to speak and did not."""


@dataclass(frozen=True, slots=True)
class Screened:
    """Speech was judged in memory. `turn` is None for speech nobody asked for, else the request's number."""

    heard: Heard
    certain: bool = True
    turn: int | None = None
    suicidal: bool = False


@dataclass(frozen=True, slots=True)
class Understood:
    """The answer to `Understand(turn)`. `candidates`: one for ROUTE and CONFIRM, two for CHOOSE.

    An uncertain OBJECTION, HUMAN or EMERGENCY may carry the concern it would otherwise be.
    """

    turn: int
    verdict: Verdict
    candidates: tuple[Candidate, ...] = ()
    certain: bool = True
    suicidal: bool = False
    stated: bool = True
    """False when the words were clearly no concern of ours (a wrong number): nothing of them is kept."""


@dataclass(frozen=True, slots=True)
class Picked:
    """The answer to `Pick(turn)`: which of the two offered concerns was meant (0 or 1)."""

    turn: int
    index: int


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """The answer to any request when no words could be made out of the turn."""

    turn: int


@dataclass(frozen=True, slots=True)
class RecogniserFailed:
    """The answer to any request when an engine is down or too slow."""

    turn: int


@dataclass(frozen=True, slots=True)
class RecorderStopped:
    """The recorder confirms that it takes no more audio."""


@dataclass(frozen=True, slots=True)
class RecorderFailed:
    """The recorder could not confirm that it stopped, or failed while recording."""


@dataclass(frozen=True, slots=True)
class TransferSucceeded:
    """Somebody took the call over (or the peer left after accepting the transfer)."""


@dataclass(frozen=True, slots=True)
class TransferFailed:
    """No target of the destination took the call; the caller is still with us."""


@dataclass(frozen=True, slots=True)
class HandOverNow:
    """The call has taken too long, or the service is stopping: a person takes over at once."""


@dataclass(frozen=True, slots=True)
class HungUp:
    """The call is over: the caller, the network or a dead line ended it."""


Event = (
    Answered
    | NoticeFinished
    | PromptFinished
    | PromptFailed
    | KeyPressed
    | SpeechStarted
    | TurnEnded
    | Silence
    | Screened
    | Understood
    | Picked
    | NotUnderstood
    | RecogniserFailed
    | RecorderStopped
    | RecorderFailed
    | TransferSucceeded
    | TransferFailed
    | HandOverNow
    | HungUp
)
