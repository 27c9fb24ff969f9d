"""The protocols and shapes of this room: words in, ranked concerns and a decision out."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anruflotse.understanding.explaining import Explanation


@dataclass(frozen=True, slots=True)
class Ranked:
    """A concern with its calibrated probability (0..1); `department` is the catalogue's key for it."""

    concern: str
    department: str
    probability: float


@dataclass(frozen=True, slots=True)
class Keyword:
    """An operator's keyword that was said: it spoke for `concern`, or against it."""

    word: str = field(repr=False)
    concern: str = field(repr=False)
    against: bool = False


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A sentence the model has learnt from, and how much it is like what was said (-1..1)."""

    text: str = field(repr=False)
    concern: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a ranking rests on; see `explaining.Explanation` for the fields."""

    model: str = ""
    keywords: tuple[Keyword, ...] = field(default=(), repr=False)
    neighbours: tuple[Neighbour, ...] = field(default=(), repr=False)
    opinion: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Ranking:
    """All concerns, likeliest first, the words that spoke for the first one, and what else it rests on."""

    concerns: tuple[Ranked, ...]
    evidence: tuple[str, ...] = field(default=(), repr=False)
    grounds: Grounds | None = field(default=None, repr=False, compare=False)


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


@dataclass(frozen=True, slots=True)
class Option:
    """A concern that a second opinion may choose: its key, and the catalogue's words about it."""

    concern: str
    name: str
    description: str


class Adviser(Protocol):
    """A second opinion on sentences the classifier is not sure about."""

    @property
    def processor(self) -> str | None:
        """Whose it is; see `Classifier.processor`."""
        ...

    @property
    def ready(self) -> bool:
        """Whether it is worth asking now; while it is not, nothing is sent to anybody."""
        ...

    def choose(self, text: str, options: Sequence[Option]) -> str | None:
        """The concern among `options` that `text` states, `keines` for none of them, None for no opinion.

        Blocking, up to its own time-out. Raises UnderstandingError, without the sentence, when it cannot answer.
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
    `suicidal` adds the Telefonseelsorge to an emergency announcement. `explanation` says why, once it was asked for.
    `second` is another concern that was named beside the one in `concerns`, for whoever takes the call to know.
    """

    kind: DecisionKind
    concerns: tuple[Ranked, ...] = ()
    certain: bool = True
    suicidal: bool = False
    explanation: Explanation | None = field(default=None, repr=False, compare=False)
    second: Ranked | None = None
