"""Playing the demonstration: callers and department phones around a running service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from anruflotse.conversation.actions import Count, Play, Seal, Transfer
from anruflotse.conversation.events import Screened, TurnEnded
from anruflotse.demo.cast import Part, SampleCaller
from anruflotse.lines.peers import Call, Caller, NotAnsweredError, Phone
from anruflotse.speech.pico import PicoSynthesiser
from anruflotse.understanding.seams import Decision, Ranking

LONGEST_SECONDS = 120.0
"""A sample call that takes longer has failed."""
LANES = 3
"""So many sample callers are on the line at once."""


@dataclass(slots=True)
class Story:
    """What is known of one sample call so far."""

    caller: SampleCaller
    state: str = "waits"
    heard: list[str] = field(default_factory=list)
    understood: str = ""
    answered_by: str | None = None
    kept: bool = False
    kept_until: str = ""
    over: bool = False
    think_ms: int | None = None

    @property
    def as_it_must(self) -> bool:
        """Whether the call ended where it had to, and left what it may."""
        return self.over and self.answered_by == self.caller.ends_at and self.kept == self.caller.kept


class Scribe:
    """A `Watcher` that writes the stories; calls are told apart by the order in which they were dialled."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """`changed` is called whenever a story has grown."""
        self._changed = changed
        self._stories: dict[str, Story] = {}
        self._turns: dict[str, float] = {}
        self._expected: Story | None = None
        self._arrived = asyncio.Event()

    async def announce(self, story: Story, dial: Callable[[], asyncio.Future[Call] | asyncio.Task[Call]]) -> Call:
        """Dial, and make sure that the next call that comes up is known to be this story's."""
        self._expected = story
        self._arrived.clear()
        call = await dial()
        await asyncio.wait_for(self._arrived.wait(), 10)
        return call

    def note(self, call: str, what: str, at: float, **facts: object) -> None:
        """See `Watcher.note`."""
        if call not in self._stories:
            if self._expected is None:
                return
            self._stories[call], self._expected = self._expected, None
            self._arrived.set()
        self._write(self._stories[call], call, what, at, facts)
        self._changed()

    def _write(self, story: Story, call: str, what: str, at: float, facts: dict[str, object]) -> None:  # noqa: C901 - a table
        event, action = facts.get("event"), facts.get("action")
        if what == "recognised":
            story.heard.append(str(facts["text"]))
        elif what == "understood":
            story.understood = _verdict(facts["decision"], facts["ranking"])
        elif isinstance(event, Screened) and event.heard.value in ("objection", "human", "emergency"):
            story.understood = event.heard.value
        elif isinstance(event, TurnEnded):
            self._turns[call] = at
            story.state = "understands"
        elif isinstance(action, Play):
            story.state = f"plays '{action.prompt.value}'"
            if call in self._turns:
                story.think_ms = round((at - self._turns.pop(call)) * 1000)
        elif isinstance(action, Transfer):
            story.state = "transfers"
        elif isinstance(action, Seal):
            story.kept = True
        elif isinstance(action, Count):
            story.state = "over"
        if what == "not_kept":
            story.kept = False


def _verdict(decision: object, ranking: object) -> str:
    if not isinstance(decision, Decision) or not isinstance(ranking, Ranking):
        return ""
    if not decision.concerns:
        return decision.kind.value
    first = decision.concerns[0]
    return f"{first.concern} {first.probability:.0%}"


class Scene:
    """Runs the sample calls against the voicebot at `bot` (a SIP URI), with `phone` answering for all departments."""

    def __init__(self, bot: str, phone: Phone, scribe: Scribe, stories: list[Story]) -> None:
        """Nobody dials before `play`."""
        self._bot = bot
        self._phone = phone
        self._scribe = scribe
        self._stories = stories
        self._dialling = asyncio.Lock()
        self._lanes = asyncio.Semaphore(LANES)

    async def play(self) -> None:
        """All callers phone, a few at a time; returns when the last has hung up."""
        async with Caller() as caller:
            await asyncio.gather(*(self._phones(caller, story) for story in self._stories))

    async def _phones(self, caller: Caller, story: Story) -> None:
        person = story.caller
        voice = PicoSynthesiser(speed=person.speed, pitch=person.pitch)
        async with self._lanes:
            story.state = "dials"
            async with self._dialling:
                call = await self._scribe.announce(
                    story, lambda: asyncio.ensure_future(caller.dial(self._bot, number=person.number, codec="pcma"))
                )
            try:
                async with asyncio.timeout(LONGEST_SECONDS):
                    await self._act(call, person, voice)
                    referral = await call.wait_transferred(LONGEST_SECONDS)
                    story.answered_by = referral.target.partition(":")[2].partition("@")[0]
                    await asyncio.sleep(1.0)
            except (TimeoutError, NotAnsweredError):
                story.state = "lost"
            finally:
                await call.hang_up()
                story.over = True

    async def _act(self, call: Call, person: SampleCaller, voice: PicoSynthesiser) -> None:
        for number, part in enumerate(person.parts):
            await self._do(call, part, voice, first=number == 0)

    async def _do(self, call: Call, part: Part, voice: PicoSynthesiser, *, first: bool) -> None:
        if part.after_prompt:
            # The first time the notice and the question follow each other; 1.2 s of silence are the end of both.
            await call.wait_prompt(after=0 if first else None, pause_ms=1200)
        await asyncio.sleep(part.wait)
        if part.press:
            await call.press(part.press)
        if part.say:
            await call.say(await voice.speak(part.say))


def numbers_left(data: Path, callers: list[SampleCaller]) -> list[str]:
    """The names of callers whose number stands in plain in any file of the data directory; blocking."""
    found = set()
    for path in data.rglob("*"):
        if path.is_file() and path.relative_to(data).parts[0] != "models":
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue  # the store tidies up while we look
            found |= {c.name for c in callers if c.number.encode() in content or c.number[1:].encode() in content}
    return sorted(found)
