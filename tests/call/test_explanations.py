"""Why each turn of a call was decided as it was goes into the record, and nowhere when the caller objects."""

from __future__ import annotations

from anruflotse.conversation.actions import Prompt
from anruflotse.lines.line import Outcome
from anruflotse.understanding.explaining import Explanation
from anruflotse.understanding.seams import Decision, DecisionKind, Ranked
from tests.call.desk import Desk

CARE = Ranked("pflege", "pflegekasse", 0.9)
MEANINGS = {
    "hm": Decision(DecisionKind.ASK_AGAIN, explanation=Explanation("ask_again", model="v1")),
    "Pflegegrad": Decision(DecisionKind.ROUTE, (CARE,), explanation=Explanation("route", model="v1")),
}


async def test_every_turn_is_explained_in_order() -> None:
    desk = Desk("hm", "Pflegegrad", outcomes=(Outcome.SUCCEEDED,), meanings=MEANINGS)
    await desk.rings()
    await desk.prompt_ends(Prompt.NOTICE, Prompt.QUESTION)
    await desk.says(seconds=3)
    await desk.prompt_ends(Prompt.QUESTION_AGAIN)
    await desk.says(seconds=3)
    await desk.prompt_ends(Prompt.CONNECT)
    (draft,) = desk.keeper.sealed
    assert [one["zone"] for one in draft.explanations] == ["ask_again", "route"]
    assert {one["model"] for one in draft.explanations} == {"v1"}


async def test_after_an_objection_none_is_left() -> None:
    desk = Desk("hm", "Pflegegrad", outcomes=(Outcome.SUCCEEDED,), meanings=MEANINGS)
    await desk.rings()
    await desk.prompt_ends(Prompt.NOTICE, Prompt.QUESTION)
    await desk.says(seconds=3)
    await desk.presses("9")
    assert desk.keeper.sealed == []
