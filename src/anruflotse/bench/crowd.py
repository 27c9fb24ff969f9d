"""Many calls at once, placed from a process of their own: `python -m anruflotse.bench.crowd`, the plan on stdin.

Every caller hears notice and question, with audio both ways all the time; every n-th then states a concern and waits
for the answer. A call has failed when it was not answered, ended before its time without having been transferred,
got no answer to its concern within 15 s, or lost more than one packet in a hundred.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

from anruflotse.bench.lateness import Lateness
from anruflotse.bench.single import heard_after
from anruflotse.bench.voices import Utterance, spoken
from anruflotse.lines.peers import Call, Caller, OnRefer, SipError, State

_PAUSE: Final = 1.1
"""Silence of this length in seconds follows the question only; the notice is followed by less."""
_LOST_SHARE: Final = 0.01
_ANSWER_SECONDS: Final = 15.0
_QUESTION_SECONDS: Final = 40.0
_LOOK: Final = 0.2


@dataclass(frozen=True, slots=True)
class Plan:
    """`calls` callers spread over `uris`, `per_second` of them dialling, each staying `seconds` after the answer.

    Every `speaking`-th states a concern and stays at least until it is answered.
    """

    uris: list[str]
    calls: int
    seconds: float
    per_second: float = 10.0
    speaking: int = 4


@dataclass(slots=True)
class Outcome:
    """What the callers saw. Gaps between packets, answers and lateness are in ms; `failed` names reasons."""

    gaps: list[float] = field(default_factory=list, repr=False)
    answers: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    call_seconds: float = 0.0
    lost: int = 0
    transferred: int = 0
    at_once: int = 0
    late: list[float] = field(default_factory=list, repr=False)
    worst_late: float = 0.0


class Crowd:
    """Places the calls of a plan."""

    def __init__(self, plan: Plan, utterances: Sequence[Utterance], up: Callable[[int], None]) -> None:
        """`up` is told how many calls have come to an end."""
        self._plan = plan
        self._utterances = utterances
        self._over = up
        self._up = 0
        self._done = 0
        self.outcome = Outcome()

    async def phone(self) -> Outcome:
        """Everybody phones; returns when the last has hung up."""
        async with Caller(patience=10.0) as caller, Lateness() as lateness, asyncio.TaskGroup() as group:
            # A group that is left has waited for all of its calls.
            for number in range(self._plan.calls):
                group.create_task(self._one(caller, number))
                await asyncio.sleep(1 / self._plan.per_second)
            self.outcome.late = lateness.ms
        return self.outcome

    async def _one(self, caller: Caller, number: int) -> None:
        uri = self._plan.uris[number % len(self._plan.uris)]
        try:
            call = await caller.dial(uri, number=f"+4930555{number:05}", codec="pcma", on_refer=OnRefer.HANG_UP)
        except SipError as error:
            self._failed(f"not answered ({type(error).__name__})")
            return
        self._up += 1
        self.outcome.at_once = max(self.outcome.at_once, self._up)
        speaker = number % self._plan.speaking == 0
        leaving = call.now() + self._plan.seconds
        why = await self._state_concern(call, self._utterances[number % len(self._utterances)]) if speaker else ""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, leaving - call.now())):
                await call.closed()
        self._judge(call, why)
        self._up -= 1
        await call.hang_up()

    async def _state_concern(self, call: Call, utterance: Utterance) -> str:
        """Say it when asked, and wait for the answer; what went wrong, "" when nothing did."""
        while call.heard.finished_after(0.0, call.now(), _PAUSE) is None:
            if call.state is not State.ANSWERED or call.now() > _QUESTION_SECONDS:
                return "no question"
            await asyncio.sleep(_LOOK)
        if not await call.say(utterance.audio):
            return "ended while the caller spoke"
        ended = call.now()
        while call.now() < ended + _ANSWER_SECONDS and call.state is State.ANSWERED:
            found = heard_after(call, ended)
            if found is not None:
                self.outcome.answers.append((found - ended) * 1_000)
                return ""
            await asyncio.sleep(_LOOK)
        return "" if call.referrals else "no answer to a concern"

    def _judge(self, call: Call, why: str) -> None:
        answered = next(event.at for event in call.events if event.event == "answered")
        heard = call.heard
        self.outcome.gaps += heard.gaps_ms()
        self.outcome.call_seconds += call.now() - answered
        self.outcome.lost += heard.lost
        self.outcome.worst_late = max(self.outcome.worst_late, call.stream.late_ms)
        if call.referrals:
            self.outcome.transferred += 1
        elif call.state is not State.ANSWERED:
            self._failed("ended before its time")
            return
        if why:
            self._failed(why)
            return
        if heard.lost > _LOST_SHARE * (heard.packets + heard.lost) or not heard.packets:
            self._failed("lost packets")
            return
        self._finished()

    def _failed(self, why: str) -> None:
        self.outcome.failed.append(why)
        self._finished()

    def _finished(self) -> None:
        self._done += 1
        self._over(self._done)


async def run() -> None:
    """Read the plan, phone, write progress and outcome as JSON lines."""
    plan = Plan(**json.loads(sys.stdin.readline()))
    utterances = await spoken(min(plan.calls, 18))
    _write({"is": "ready"})
    outcome = await Crowd(plan, utterances, lambda done: _write({"is": "done", "calls": done})).phone()
    _write({"is": "outcome", "outcome": asdict(outcome)})


def _write(record: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(run())
