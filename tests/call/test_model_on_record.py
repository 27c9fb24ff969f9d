"""Every decision is recorded with the version of the model that made it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from anruflotse.conversation.actions import Prompt
from anruflotse.lines.line import Outcome
from anruflotse.understanding.explaining import Explanation
from anruflotse.understanding.seams import Decision, DecisionKind, Grounds, Ranking
from tests.call.desk import CARE, TEETH, Desk


async def test_the_record_names_the_version_that_decided() -> None:
    desk = Desk("Pflegegrad", outcomes=(Outcome.SUCCEEDED,))
    desk.reader.rank = lambda _text: Ranking((CARE, TEETH), grounds=Grounds("20260101T000000Z"))  # type: ignore[assignment,method-assign]
    await desk.rings()
    await desk.prompt_ends(Prompt.NOTICE, Prompt.QUESTION)
    await desk.says(seconds=3)
    await desk.prompt_ends(Prompt.CONNECT)
    (draft,) = desk.keeper.sealed
    assert draft.engines[-1] == "understanding:20260101T000000Z"


async def test_a_version_approved_in_the_middle_of_a_call_is_recorded_beside_the_one_before() -> None:
    desk = Desk("Hm", "Pflegegrad", outcomes=(Outcome.SUCCEEDED,))
    versions: Iterator[str] = iter(["a", "b"])
    again = Decision(DecisionKind.ASK_AGAIN, explanation=Explanation("ask_again", model="a"))
    route = Decision(DecisionKind.ROUTE, (CARE,), explanation=Explanation("route", model="b"))
    desk.reader.meanings = {"Hm": again, "Pflegegrad": route}
    desk.reader.rank = lambda _text: Ranking((CARE, TEETH), grounds=Grounds(next(versions)))  # type: ignore[assignment,method-assign]
    await desk.rings()
    await desk.prompt_ends(Prompt.NOTICE, Prompt.QUESTION)
    await desk.says(seconds=3)
    asked = desk.playing()
    assert asked is not None
    await desk.prompt_ends(asked)
    await desk.says(seconds=3)
    await desk.prompt_ends(Prompt.CONNECT)
    (draft,) = desk.keeper.sealed
    assert draft.engines[-2:] == ("understanding:a", "understanding:b")


@pytest.mark.parametrize("grounds", [None, Grounds()])
async def test_a_classifier_without_versions_is_not_named(grounds: Grounds | None) -> None:
    desk = Desk("Pflegegrad", outcomes=(Outcome.SUCCEEDED,))
    desk.reader.rank = lambda _text: Ranking((CARE, TEETH), grounds=grounds)  # type: ignore[assignment,method-assign]
    await desk.rings()
    await desk.prompt_ends(Prompt.NOTICE, Prompt.QUESTION)
    await desk.says(seconds=3)
    await desk.prompt_ends(Prompt.CONNECT)
    (draft,) = desk.keeper.sealed
    assert not any(engine.startswith("understanding") for engine in draft.engines)
