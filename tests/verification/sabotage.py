"""Ways to break the software in one place, for one call only: what a fault in the code would do to every call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete

from anruflotse.call import Call, Equipment
from anruflotse.call.equipment import PromptMissingError
from anruflotse.conversation.actions import Destination, Goal, Play, Prompt
from anruflotse.conversation.events import Event, NoticeFinished, PromptFailed
from anruflotse.departments.model import Target
from anruflotse.lines.line import Leg
from anruflotse.pcm import Pcm
from anruflotse.records.model import Draft
from anruflotse.records.recorder import RecorderState
from anruflotse.records.stores.tables import records


@dataclass(frozen=True, slots=True)
class Sabotage:
    """What is broken: the equipment a call gets, or the call itself; which call shows it, and what it breaks."""

    call: str
    breaks: frozenset[str]
    equipment: Callable[[Equipment], Equipment] = lambda equipment: equipment
    built: Callable[[Call, Leg, Any], None] = lambda _call, _leg, _parts: None


class Saying:
    """An announcer that says one prompt in the place of another, or has it not at all."""

    def __init__(self, real: Any, instead: Mapping[Prompt, Prompt | None]) -> None:  # noqa: ANN401 - any announcer
        self._real = real
        self._instead = instead

    async def audio(self, play: Play, rate: int) -> Pcm:
        said = self._instead.get(play.prompt, play.prompt)
        if said is None:
            raise PromptMissingError(play.prompt.value)
        return await self._real.audio(replace(play, prompt=said), rate)  # type: ignore[no-any-return]


class Misleading:
    """A directory that sends calls for a department to another one, or calls for a person nowhere."""

    def __init__(self, real: Any, department: str | None) -> None:  # noqa: ANN401 - any directory
        self._real = real
        self._department = department
        self.candidate = real.candidate

    def targets(self, destination: Destination, now: datetime) -> Sequence[Target]:
        if self._department is None:
            return ()
        return self._real.targets(Destination(Goal.DEPARTMENT, self._department), now)  # type: ignore[no-any-return]


class Forgetful:
    """A keeper that never heard of an objection."""

    def __init__(self, real: Any) -> None:  # noqa: ANN401 - any keeper
        self.healthy, self.seal, self.count = real.healthy, real.seal, real.count

    def objected(self, number: str) -> bool:
        return False


def saying(**instead: Prompt | None) -> Callable[[Equipment], Equipment]:
    by_prompt = {Prompt[name]: said for name, said in instead.items()}
    return lambda equipment: replace(equipment, announcer=Saying(equipment.announcer, by_prompt))


def sent_to(department: str | None) -> Callable[[Equipment], Equipment]:
    return lambda equipment: replace(equipment, directory=Misleading(equipment.directory, department))


def another_key(equipment: Equipment) -> Equipment:
    return replace(equipment, rules=replace(equipment.rules, objection_key="#"))


def forgetful(equipment: Equipment) -> Equipment:
    return replace(equipment, keeper=Forgetful(equipment.keeper))


def starts_early(call: Call, leg: Leg, _parts: object) -> None:
    recorder = call._notes.recorder
    recorder.start(leg.rate)
    recorder.start = lambda rate: None  # type: ignore[method-assign]  # noqa: ARG005


def never_stops(call: Call, _leg: Leg, _parts: object) -> None:
    recorder = call._notes.recorder
    take = recorder.take

    def stop_and_take() -> Pcm:
        recorder._state = RecorderState.STOPPED
        return take()

    recorder.stop = lambda: True  # type: ignore[method-assign]
    recorder.take = stop_and_take  # type: ignore[method-assign]


def stops_with_the_transfer(call: Call, _leg: Leg, _parts: object) -> None:
    recorder, way_out = call._notes.recorder, call._way_out
    transfer = way_out.transfer

    async def stop_and_transfer(destination: Destination) -> Event:
        recorder._state = RecorderState.STOPPED
        return await transfer(destination)

    recorder.stop = lambda: True  # type: ignore[method-assign]
    way_out.transfer = stop_and_transfer  # type: ignore[method-assign]


def goes_on_without_notice(call: Call, _leg: Leg, _parts: object) -> None:
    post = call._post

    def lenient(event: Event) -> None:
        post(NoticeFinished() if event == PromptFailed(Prompt.NOTICE) else event)

    call._post = lenient  # type: ignore[method-assign]


def keeps_the_key(call: Call, leg: Leg, parts: Any) -> None:  # noqa: ANN401 - the app's parts
    forget, now = call._forget, parts.clock.now()

    def careless() -> None:
        call._forget = forget  # type: ignore[method-assign]
        draft = Draft(
            reference=call._way_out.reference, started_at=now, recorded_at=now, decision="", outcome="",
            transcripts=("x",), caller=leg.caller,
        )  # fmt: skip
        record = parts.records.seal(draft)
        with parts.records._opener.stores().rows.database.write() as connection:
            connection.execute(delete(records).where(records.c.id == record))
        forget()

    call._forget = careless  # type: ignore[method-assign]


def writes_the_number(call: Call, leg: Leg, parts: Any) -> None:  # noqa: ANN401 - the app's parts
    Path(parts.settings.data, "calls.txt").write_text(f"objected: {leg.caller}\n", "utf-8")


WHOLE = Sabotage("", frozenset())
"""Nothing is broken."""
SABOTAGES: Mapping[str, Sabotage] = {
    "contact unsaid": Sabotage("privacy", frozenset({"P16"}), saying(CONNECT_PRIVACY=Prompt.CONNECT_HUMAN)),
    "earlier objection forgotten": Sabotage("objected_before", frozenset({"P8", "P10"}), forgetful),
    "question unasked": Sabotage("concern", frozenset({"P1"}), saying(QUESTION=Prompt.CONNECT_HUMAN)),
    "recorder stops with the transfer": Sabotage("concern", frozenset({"P2"}), built=stops_with_the_transfer),
    "wrong department": Sabotage("concern", frozenset({"P3"}), sent_to("beitraege")),
    "recorder never stops": Sabotage("concern", frozenset({"P2", "P4"}), built=never_stops),
    "recorder starts early": Sabotage("concern", frozenset({"P2", "P7"}), built=starts_early),
    "objection key ignored": Sabotage("key_while_ringing", frozenset({"P8", "P9"}), another_key),
    "goes on without notice": Sabotage(
        "notice_lost", frozenset({"P7", "P10"}), saying(NOTICE=None), goes_on_without_notice
    ),
    "nobody for who objects": Sabotage("key_in_notice", frozenset({"P10"}), sent_to(None)),
    "key kept": Sabotage("key_in_notice", frozenset({"P9"}), built=keeps_the_key),
    "number written down": Sabotage("key_in_notice", frozenset({"P9"}), built=writes_the_number),
}
"""By name. Some break two promises at once, and then both must be told: who objects and is recorded has a record."""
