"""What a request of a person is made of: which article, whose, how far it has got, and what is still to be done.

A request names no word a caller said: recordings and texts end with their record, while a request is kept for years
(`rights.case_days`). What was corrected, blackened or handed out is therefore told here by number, place and digest.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum

LONGEST = 500
"""Characters of anything typed by an officer: a reason or a remark, not a file."""


class RightsError(Exception):
    """What was asked for cannot be asked like that; the message says what to do instead and holds nothing personal."""


class NotNowError(RightsError):
    """The request is not so far yet, or too far already; the message says what comes first."""


class WrongArticleError(RightsError):
    """The request is about another article than what was asked for."""


class Article(StrEnum):
    """The rights of Articles 15 to 21 GDPR that a person can ask for; 19 follows from 16, 17 and 18 by itself."""

    ACCESS = "15"
    """What is stored about me, why, and who has seen it?"""
    RECTIFICATION = "16"
    """It says something wrong about me."""
    ERASURE = "17"
    """Delete it."""
    RESTRICTION = "18"
    """Keep it, but do not use it."""
    LIFTING = "18(3)"
    """Use it again: the end of a restriction, of which the person is told before."""
    COPY = "20"
    """Give me a copy: Art. 15(3), and Art. 20 where that holds."""
    OBJECTION = "21"
    """Stop it: no recording of my calls."""

    @property
    def number(self) -> str:
        """The number of the article alone."""
        return self.value.partition("(")[0]


class State(StrEnum):
    """How far a request has got."""

    RECEIVED = "received"
    IDENTIFIED = "identified"
    """It was checked who asks."""
    PREPARED = "prepared"
    """What was asked for is done, the answer to the person is ready."""
    ANSWERED = "answered"
    """The person has the answer."""
    REFUSED = "refused"
    """The person was told why not (Art. 12(4) GDPR)."""
    CLOSED = "closed"
    """Nothing is left to be done; from now on its retention runs."""


class Decision(StrEnum):
    """What an officer decided about one record of a request for access or a copy (Art. 15(4) GDPR)."""

    OPEN = "open"
    """Nobody has decided: nothing of the record is handed out, and the request cannot be answered."""
    INCLUDE = "include"
    REDACT = "redact"
    """Passages about somebody else are blackened, in the text and in the sound."""
    WITHHOLD = "withhold"
    """It is somebody else's, or cannot be told apart: not handed out, and the answer says so."""
    ENDED = "ended"
    """It expired or was erased before anybody had decided: nothing is left to decide about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a request is about: exactly one of a number, a record's id, a reference, or a stretch of time.

    `start` and `end` (aware, `end` excluded) are when the recording was made; they are kept in UTC, since in the hour
    that the clocks are put back two German times that look alike are an hour apart. Raises `RightsError`.
    """

    number: str | None = field(default=None, repr=False)
    record: str | None = None
    reference: str | None = None
    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what names nothing, more than one thing, or nothing that can be found."""
        if (self.start is None) != (self.end is None):
            message = "A stretch of time needs both its ends: --from and --to."
            raise RightsError(message)
        named = [one for one in (self.number, self.record, self.reference, self.start) if one is not None]
        if len(named) != 1:
            message = "Name exactly one of: a number, a record, a reference, or a stretch of time (--from and --to)."
            raise RightsError(message)
        if self.start is not None and self.end is not None:
            if self.start.tzinfo is None or self.end.tzinfo is None:
                message = "A stretch of time needs its time zone."
                raise RightsError(message)
            for name, when in (("start", self.start), ("end", self.end)):
                object.__setattr__(self, name, _utc(when))
            if self.start >= self.end:
                message = "The stretch of time is empty: its end has to lie after its beginning."
                raise RightsError(message)
        for name in ("number", "record", "reference"):
            typed = getattr(self, name)
            if typed is not None:
                object.__setattr__(self, name, clean(typed, name))

    @property
    def window(self) -> tuple[datetime, datetime] | None:
        """The stretch of time, if it is one."""
        return None if self.start is None or self.end is None else (self.start, self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that was done: when (UTC), by whom, a word of a closed list, and what an officer remarked."""

    at: datetime
    by: str
    what: str
    note: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """How it was checked who asks: what was looked at, never a copy of it (Art. 5(1)(c) GDPR)."""

    what: str = field(repr=False)
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """Somebody has to be told. `kind` is `notify` (Art. 19), `tell` (the person, Art. 18(3)) or `check`.

    It is settled by doing it, or by saying why it cannot be done (`waived`, Art. 19: impossible, or out of proportion).
    """

    number: int
    kind: str
    recipient: str
    task: str
    settled_at: datetime | None = None
    settled_by: str = ""
    note: str = field(default="", repr=False)
    waived: bool = False

    @property
    def open(self) -> bool:
        """Whether it is still to be done."""
        return self.settled_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A stretch of one utterance, both counted from 0, in characters; `end` is excluded.

    With `correction` it is a stretch of that one of the record's corrections (from 0), which is about this utterance.
    """

    utterance: int
    start: int
    end: int
    correction: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A record that a request is about, and what is to become of it. Times of the recording in UTC.

    `passages` are blackened in the text, `muted` stretches (seconds) are silent in the sound; a record with passages
    and without muted stretches is handed out without sound, and so is one that is `silent`: words were blackened after
    stretches were muted, or together with others that had none. `derived` leaves out what was derived from the words.
    `corrections` are those the record had when an officer decided, None while nobody has: a later one was seen by
    nobody. `done` is a word for what was done with the record. `told` is the to-do of telling the
    person that its restriction is to end, 0 while there is none.
    """

    record: str
    recorded_at: datetime | None = None
    decision: Decision = Decision.INCLUDE
    passages: tuple[Passage, ...] = ()
    muted: tuple[tuple[float, float], ...] = ()
    silent: bool = False
    derived: bool = False
    corrections: int | None = None
    done: str = ""
    done_at: datetime | None = None
    told: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A file that was made for the person: its name, SHA-256 (hex) and size. `kept` ones lie with the request."""

    name: str
    sha256: str
    size: int
    at: datetime
    kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request and everything that became of it. `received` is the day in Germany; other times are in UTC.

    `details` are the words an article needs of its own (the ground of a restriction).
    """

    article: Article
    scope: Scope
    received: date
    person: str = field(default="", repr=False)
    identified: Identified | None = None
    findings: tuple[Finding, ...] = ()
    steps: tuple[Step, ...] = ()
    todos: tuple[Todo, ...] = ()
    proofs: tuple[Proof, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict, repr=False)
    extended_because: str = field(default="", repr=False)
    prepared_at: datetime | None = None
    answered_at: datetime | None = None
    refused_at: datetime | None = None
    refused_because: str = field(default="", repr=False)
    closed_at: datetime | None = None

    @property
    def state(self) -> State:
        """How far it has got."""
        reached = (
            (self.closed_at, State.CLOSED),
            (self.refused_at, State.REFUSED),
            (self.answered_at, State.ANSWERED),
            (self.prepared_at, State.PREPARED),
            (self.identified, State.IDENTIFIED),
        )
        return next((state for sign, state in reached if sign is not None), State.RECEIVED)

    @property
    def running(self) -> bool:
        """Whether the person is still waiting for an answer."""
        return self.answered_at is None and self.refused_at is None and self.closed_at is None

    @property
    def records(self) -> tuple[str, ...]:
        """The ids of the records it is about."""
        return tuple(finding.record for finding in self.findings)

    @property
    def open_todos(self) -> tuple[Todo, ...]:
        """What is still to be done."""
        return tuple(todo for todo in self.todos if todo.open)

    @property
    def undecided(self) -> tuple[str, ...]:
        """Records an officer still has to decide about."""
        return tuple(finding.record for finding in self.findings if finding.decision is Decision.OPEN)


def clean(typed: str, name: str) -> str:
    """What somebody typed, on one line, without control characters.

    Raises `RightsError` when it is empty, longer than `LONGEST`, or no text (half characters).
    """
    try:
        typed.encode()
    except UnicodeEncodeError:
        message = f"The {name} is no text: it holds bytes of another encoding than UTF-8."
        raise RightsError(message) from None
    told = " ".join("".join(" " if _hidden(letter) else letter for letter in typed).split())
    if not told:
        message = f"The {name} is empty."
        raise RightsError(message)
    if len(told) > LONGEST:
        message = f"The {name} is longer than {LONGEST} characters: say it shorter."
        raise RightsError(message)
    return told


def _utc(when: datetime) -> datetime:
    try:
        return when.astimezone(UTC)
    except OverflowError:
        message = "There were no calls at this time: name one of this century."
        raise RightsError(message) from None


def _hidden(letter: str) -> bool:
    """Whether it is a control or format character, which can make a text read otherwise than it is (bidi overrides)."""
    return unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
