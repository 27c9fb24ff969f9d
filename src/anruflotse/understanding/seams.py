"""The protocols and shapes of this room: words in, ranked concerns and a decision out."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Ranked:
    """A concern with its calibrated probability (0..1); `department` is the catalogue's key for it."""

    concern: str
    department: str
    probability: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """All concerns, likeliest first, and the words that spoke for the first one."""

    concerns: tuple[Ranked, ...]
    evidence: tuple[str, ...] = field(default=(), repr=False)


class Classifier(Protocol):
    """Words to concerns."""

    @property
    def processor(self) -> str | None:
        """Whose engine it is: the processor's key in the register, None for one that works on our own machines.

        A processor's engine is only ever used behind the gate (`anruflotse.app.engines`).
        """
        ...

    def rank(self, text: str) -> Ranking:
        """Rank every concern of the catalogue for `text`; probabilities sum to 1.

        Blocking, up to 60 ms: call it off the event loop.
        """
        ...


class DecisionKind(StrEnum):
    """What to do with an utterance."""

    ROUTE = "route"
    CONFIRM = "confirm"
    CHOOSE = "choose"
    ASK_AGAIN = "ask_again"
    HUMAN = "human"
    EMERGENCY = "emergency"
    OBJECTION = "objection"


@dataclass(frozen=True, slots=True)
class Decision:
    """The policy's verdict. `concerns` holds one entry for ROUTE and CONFIRM, two for CHOOSE, none otherwise.

    `certain` is False only for a likely but unsure OBJECTION (and HUMAN / EMERGENCY), which is asked about once.
    `suicidal` adds the Telefonseelsorge to an emergency announcement.
    """

    kind: DecisionKind
    concerns: tuple[Ranked, ...] = ()
    certain: bool = True
    suicidal: bool = False
