"""Where a call stands: everything `step` may remember between two events."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from anruflotse.conversation.actions import Destination, Play, Prompt, Tally
from anruflotse.conversation.events import Candidate, Heard


class Stage(StrEnum):
    """The stages of a call, in the order a call usually sees them."""

    START = "start"
    NOTICE = "notice"
    CLARIFY = "clarify"
    """Asking whether a half-heard objection, human wish or emergency was meant."""
    QUESTION = "question"
    """Asking for the concern and listening to it."""
    UNDERSTANDING = "understanding"
    CONFIRM = "confirm"
    CHOOSE = "choose"
    HANDOVER = "handover"
    """The destination is known; a prompt is being heard to its end or the recorder is still stopping."""
    TRANSFER = "transfer"
    CLOSING = "closing"
    """Nobody could be reached; the closing announcement plays."""
    ENDED = "ended"


LISTENING = frozenset({Stage.CLARIFY, Stage.QUESTION, Stage.CONFIRM, Stage.CHOOSE})
"""The stages in which the floor is the caller's once the prompt has ended."""
ANSWERING = frozenset({Stage.CONFIRM, Stage.CHOOSE})
"""The stages in which a concern is on offer."""


class Recorder(StrEnum):
    """What is known of the recorder."""

    OFF = "off"
    RUNNING = "running"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class State:
    """One call. Begin with `State()`."""

    stage: Stage = Stage.START
    may_record: bool = False
    notice_heard: bool = False
    objected: bool = False
    recorder: Recorder = Recorder.OFF
    rearm: bool = False
    """Recording is wanted again as soon as the recorder has confirmed its stop."""
    relay: bool = True
    """False once the recorder failed to confirm its end."""
    held: bool = False
    """The shell may hold audio or text of this call."""
    playing: Prompt | None = None
    last: Play | None = None
    """What is repeated on request."""
    speaking: bool = False
    """The caller is in the middle of an awaited turn."""
    turn: int = 0
    """Number of the last request for an interpretation; answers to older ones are stale."""
    pending: bool = False
    """An interpretation is awaited."""
    candidates: tuple[Candidate, ...] = ()
    doubt: Heard | None = None
    """What CLARIFY asks about, or what it will ask about when the notice has ended."""
    clarified: bool = False
    failures: int = 0
    """How often it was asked in vain: silence, an unclear concern, a denied guess, no usable answer."""
    unclear: int = 0
    """How many of the failures were words that led to no concern."""
    answers_unclear: int = 0
    """Answers to a closed question that were neither of its answers."""
    denied: frozenset[str] = frozenset()
    """The concerns the caller has said it is not."""
    offered: frozenset[frozenset[str]] = frozenset()
    """The concerns of every closed question put so far."""
    repeats: int = 0
    stated: bool = False
    """A concern was stated, understood or not."""
    unheard: bool = False
    """A turn could not be made out at all: nobody knows that it was no objection."""
    emergency: bool = False
    destination: Destination | None = None
    wait_for_prompt: bool = False
    """The handover prompt is to be heard to its end before the transfer."""
    reason: Tally | None = None
    """What this call will be counted as."""

    @property
    def ended(self) -> bool:
        """Nothing will happen in this call any more."""
        return self.stage is Stage.ENDED
