"""A call's equipment made of fakes, and a `Desk` that plays the caller, the carrier and the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from datetime import datetime
from typing import Any

from anruflotse.call import Call, Equipment, Rules
from anruflotse.call.equipment import PromptMissingError
from anruflotse.clock import FakeClock
from anruflotse.conversation.actions import Destination, Goal, Play, Prompt
from anruflotse.conversation.events import Candidate
from anruflotse.departments.model import Target
from anruflotse.lines.fake import FakeLeg
from anruflotse.lines.line import Outcome
from anruflotse.pcm import Pcm
from anruflotse.records.model import Draft, StoreError
from anruflotse.speech.fake import FakeEndpointer, FakeRecogniser, FakeScreener
from anruflotse.speech.seams import Heard, Transcript
from anruflotse.understanding.seams import Decision, DecisionKind, Ranked, Ranking

RATE = 8000
CARE = Ranked("pflege", "pflegekasse", 0.95)
TEETH = Ranked("zahnersatz", "leistungen", 0.04)


class Inline(Executor):
    """Runs work at once in the calling thread, so that every test takes the same steps in the same order."""

    def submit(self, fn: Callable[..., Any], /, *args: object, **kwargs: object) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - handed on to whoever awaits
            future.set_exception(error)
        return future


class FakeAnnouncer:
    """Prompts of different lengths, so that a test can tell them apart."""

    def __init__(self, missing: frozenset[Prompt] = frozenset()) -> None:
        self.missing = missing
        self.asked: list[Play] = []

    async def audio(self, play: Play, rate: int) -> Pcm:
        self.asked.append(play)
        if play.prompt in self.missing:
            raise PromptMissingError
        return Pcm(bytes(2 * (1 + list(Prompt).index(play.prompt))), rate)


class FakeReader:
    """Decides by the text: the test says what each text means."""

    def __init__(self, meanings: dict[str, Decision] | None = None) -> None:
        self.meanings = meanings or {}
        self.broken = False

    def rank(self, text: str) -> Ranking:
        if self.broken:
            message = "a bug in understanding"
            raise RuntimeError(message)
        return Ranking((CARE, TEETH), evidence=(text,))

    def decide(self, text: str, ranking: Ranking) -> Decision:
        return self.meanings.get(text, Decision(DecisionKind.ROUTE, (ranking.concerns[0],)))

    def heard(self, text: str) -> tuple[Heard | None, bool, bool]:
        return {
            "ja": (Heard.YES, True, False),
            "wie bitte": (Heard.REPEAT, True, False),
            "Widerspruch": (Heard.OBJECTION, True, False),
        }.get(text, (None, True, False))

    def pick(self, text: str, first: str, second: str) -> int | None:
        return {first: 0, second: 1}.get(text)

    def out_of_scope(self, ranking: Ranking) -> bool:
        return ranking.evidence == ("Pizza",)


class FakeDirectory:
    def __init__(self) -> None:
        self.empty = False
        self.processor: str | None = None
        """Whose the second target is."""

    def candidate(self, concern: str, department: str, now: datetime) -> Candidate:
        assert now.tzinfo is not None
        return Candidate(concern, department)

    def targets(self, destination: Destination, now: datetime) -> list[Target]:
        assert now.tzinfo is not None
        if self.empty:
            return []
        name = destination.department if destination.goal is Goal.DEPARTMENT else destination.goal.value
        return [Target(f"sip:{name}@first"), Target(f"sip:{name}@second", self.processor)]


class FakeKeeper:
    """Keeps drafts in a list; can be down at the start, or break at sealing."""

    def __init__(self) -> None:
        self.is_healthy = True
        self.breaks = False
        self.sealed: list[Draft] = []
        self.objectors: set[str] = set()
        self.cannot_tell = False
        self.counted: list[tuple[str, str | None]] = []

    def healthy(self) -> bool:
        return self.is_healthy

    def objected(self, number: str) -> bool:
        if self.cannot_tell:
            message = "The key store is down."
            raise StoreError(message)
        return number in self.objectors

    def seal(self, draft: Draft) -> str:
        if self.breaks:
            message = "The key store is down."
            raise StoreError(message)
        self.sealed.append(draft)
        return "record-1"

    def count(self, kind: str, department: str | None = None, decision: str | None = None) -> None:
        self.counted.append((kind, department))


class Desk:
    """One call under test."""

    def __init__(
        self,
        *says: str | Transcript | Exception,
        hears: tuple[Heard, ...] = (),
        meanings: dict[str, Decision] | None = None,
        missing: frozenset[Prompt] = frozenset(),
        outcomes: tuple[Outcome | None, ...] = (),
        rules: Rules | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.recogniser = FakeRecogniser(*says)
        self.screener = FakeScreener(*hears)
        self.announcer = FakeAnnouncer(missing)
        self.reader = FakeReader(meanings)
        self.directory = FakeDirectory()
        self.keeper = FakeKeeper()
        self.leg = FakeLeg(caller="+4930123456", outcomes=outcomes)
        self.equipment = Equipment(
            announcer=self.announcer,
            recogniser=self.recogniser,
            screener=self.screener,
            endpointer=FakeEndpointer,
            reader=self.reader,
            directory=self.directory,
            keeper=self.keeper,
            clock=self.clock,
            threads=Inline(),
            store_threads=Inline(),
            rules=rules or Rules(),
        )
        self.call = Call(self.leg, self.equipment)
        self.task: asyncio.Task[None] | None = None

    async def rings(self) -> None:
        self.task = asyncio.create_task(self.call.run())
        await self.settle()

    async def settle(self) -> None:
        """Let everything that can happen now happen."""
        for _ in range(600):
            await asyncio.sleep(0)

    async def waits(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.settle()

    async def prompt_ends(self, *prompts: Prompt) -> None:
        """The named prompts are heard to their end, one after the other."""
        for prompt in prompts:
            assert self.playing() is prompt
            self.leg.finish()
            await self.settle()

    def playing(self) -> Prompt | None:
        return self.announcer.asked[-1].prompt if self.leg.playing else None

    async def says(self, value: int = 2000, seconds: float = 1.0, pause: float = 1.0) -> None:
        """Speech (every sample is `value`), then silence long enough to end a turn."""
        self.speaks(value, seconds)
        self.leg.say(bytes(int(RATE * pause) * 2))
        await self.settle()

    def speaks(self, value: int = 2000, seconds: float = 1.0) -> None:
        for _ in range(round(seconds * 50)):
            self.leg.say(value.to_bytes(2, "little", signed=True) * (RATE // 50))

    async def presses(self, key: str) -> None:
        self.leg.press(key)
        await self.settle()

    @property
    def over(self) -> bool:
        return self.task is not None and self.task.done()
