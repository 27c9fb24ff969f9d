"""What a call works with: the other rooms as it sees them, narrow enough that a test can hand in fakes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from anruflotse.clock import Clock
from anruflotse.conversation.actions import Destination, Play
from anruflotse.conversation.events import Candidate
from anruflotse.departments.model import Target
from anruflotse.pcm import Pcm
from anruflotse.records.model import Draft
from anruflotse.speech.seams import Endpointer, Heard, Recogniser, Screener
from anruflotse.understanding.seams import Decision, Ranking


class PromptMissingError(Exception):
    """A prompt cannot be had: the call fails closed."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How calls are led; the units are in the names. See the settings section `call`."""

    objection_key: str = "9"
    human_key: str = "0"
    repeat_key: str = "*"
    silence_seconds: float = 7.0
    max_seconds: float = 240.0
    transfer_seconds: float = 25.0
    recognition_seconds: float = 8.0
    concern_pause_ms: int = 700
    answer_pause_ms: int = 450


class Announcer(Protocol):
    """The prompts, ready to be played."""

    async def audio(self, play: Play, rate: int) -> Pcm:
        """The prompt at `rate` Hz. Raises `PromptMissingError`."""
        ...


class Reader(Protocol):
    """Words to decisions (the understanding room). All methods block for up to 60 ms: call them off the event loop."""

    def rank(self, text: str) -> Ranking:
        """Rank the concerns."""
        ...

    def decide(self, text: str, ranking: Ranking) -> Decision:
        """Apply the decision policy; safety words count before everything."""
        ...

    def heard(self, text: str) -> tuple[Heard | None, bool, bool]:
        """What a short answer says by the word rules: (finding, certain, suicidal)."""
        ...

    def pick(self, text: str, first: str, second: str) -> int | None:
        """Which of two concerns (catalogue keys) `text` chooses: 0, 1 or None."""
        ...

    def out_of_scope(self, ranking: Ranking) -> bool:
        """Whether the likeliest reading is that this is no concern of ours."""
        ...


class Directory(Protocol):
    """Who is responsible and reachable now (the departments room)."""

    def candidate(self, concern: str, department: str, now: datetime) -> Candidate:
        """The concern with its department's state at `now`."""
        ...

    def targets(self, destination: Destination, now: datetime) -> Sequence[Target]:
        """The targets to try, in order; empty when nobody is there. Those of processors are permitted at `now`."""
        ...


class Keeper(Protocol):
    """The record store."""

    def healthy(self) -> bool:
        """Whether a record could be kept now. Answers at once (from a probe made in the background)."""
        ...

    def objected(self, number: str) -> bool:
        """Whether `number` objected for future calls (Art. 21 GDPR). Raises `StoreError`. Blocking."""
        ...

    def seal(self, draft: Draft) -> str:
        """Keep a draft encrypted; its id. Raises `StoreError`. Blocking."""
        ...

    def count(self, kind: str, department: str | None = None, decision: str | None = None) -> None:
        """Raise an anonymous daily counter. Raises `StoreError`. Blocking."""
        ...


class Watcher(Protocol):
    """Somebody who looks on (the demo, the benchmark, the metrics). Never given a number."""

    def note(self, call: str, what: str, at: float, **facts: object) -> None:
        """`what` happened in the call with the opaque id `call` at monotonic time `at`; `facts` may hold content."""
        ...


@dataclass(slots=True)
class Workload:
    """How many utterances are being interpreted now, over all calls."""

    under_way: int = 0


@dataclass(frozen=True, slots=True)
class Equipment:
    """Everything a call needs, shared by all calls. Made once by the app."""

    announcer: Announcer
    recogniser: Recogniser
    screener: Screener
    endpointer: Callable[[int], Endpointer]
    """Makes a fresh endpointer for audio at the given rate in Hz."""
    reader: Reader
    directory: Directory
    keeper: Keeper
    clock: Clock
    threads: Executor
    """Where endpointing and understanding run, off the event loop."""
    store_threads: Executor
    """Where the store is written to; apart, so that a locked store does not make every call deaf."""
    rules: Rules = Rules()
    hints: tuple[str, ...] = ()
    """Words the recogniser may expect, most useful first."""
    engines: tuple[str, ...] = ()
    notice_version: Callable[[], str] = str
    """The version of the privacy notice that is valid now."""
    watchers: tuple[Watcher, ...] = ()
    workload: Workload = field(default_factory=Workload)
