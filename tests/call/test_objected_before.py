"""Callers whose number is on the objection list (Art. 21 GDPR), and what happens when the list cannot be read."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from anruflotse.call import Call
from anruflotse.conversation.actions import Prompt
from anruflotse.lines.line import Outcome
from anruflotse.speech.seams import Heard
from anruflotse.understanding.seams import Decision, DecisionKind
from tests.call.desk import CARE, TEETH, Desk


async def test_who_objected_before_reaches_a_person_at_once_and_is_not_listened_to() -> None:
    desk = Desk("Pflegegrad", outcomes=(Outcome.SUCCEEDED,))
    desk.keeper.objectors = {"+4930123456"}
    await desk.rings()
    desk.speaks()
    await desk.settle()
    assert [play.prompt for play in desk.announcer.asked] == [Prompt.CONNECT_OBJECTED_BEFORE]
    assert [uri for uri, _ in desk.leg.transfers] == ["sip:human@first"]
    assert (desk.recogniser.heard, desk.screener.heard, desk.keeper.sealed) == ([], [], [])
    assert desk.keeper.counted == [("objection", None)]


async def test_others_are_asked_as_ever() -> None:
    desk = Desk()
    desk.keeper.objectors = {"+49301234567"}
    await desk.rings()
    assert desk.playing() is Prompt.NOTICE


async def test_a_caller_without_a_number_is_not_looked_up() -> None:
    desk = Desk()
    desk.leg.caller = None
    desk.keeper.cannot_tell = True
    await desk.rings()
    await desk.prompt_ends(Prompt.NOTICE, Prompt.QUESTION)
    await desk.says(seconds=3)
    assert desk.call._notes.recorder.seconds > 0


async def a_whole_call(desk: Desk) -> Desk:
    await desk.rings()
    await desk.prompt_ends(Prompt.NOTICE, Prompt.QUESTION)
    await desk.says(seconds=3)
    await desk.prompt_ends(Prompt.CONNECT)
    assert desk.leg.transfers[0][0] == "sip:pflegekasse@first"
    return desk


async def test_while_the_list_cannot_be_read_nobody_is_recorded() -> None:
    desk = Desk("Pflegegrad", outcomes=(Outcome.SUCCEEDED,))
    desk.keeper.cannot_tell = True
    await a_whole_call(desk)
    assert desk.keeper.sealed == [], "who may have objected was recorded"


async def test_a_list_that_hangs_does_not_keep_the_caller_waiting() -> None:
    desk = Desk("Pflegegrad", outcomes=(Outcome.SUCCEEDED,))
    stuck = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        desk.keeper.objected = lambda number: stuck.wait(30)  # type: ignore[method-assign]  # noqa: ARG005
        desk.call = Call(desk.leg, replace(desk.equipment, store_threads=pool))
        try:
            await desk.rings()
            assert desk.playing() is None
            await desk.waits(0.25)
            assert desk.playing() is Prompt.NOTICE
            assert desk.call._state.may_record is False
        finally:
            stuck.set()


async def test_a_concern_the_caller_denied_is_not_handed_to_the_person_who_takes_over() -> None:
    unsure = Decision(DecisionKind.CONFIRM, (CARE,))
    again = Decision(DecisionKind.ASK_AGAIN)
    desk = Desk(
        "Irgendwas mit Pflege", "Nein", "Hm", hears=(Heard.NO,), outcomes=(Outcome.SUCCEEDED,),
        meanings={"Irgendwas mit Pflege": unsure, "Hm": again},
    )  # fmt: skip
    await desk.rings()
    await desk.prompt_ends(Prompt.NOTICE, Prompt.QUESTION)
    await desk.says(seconds=3)
    await desk.prompt_ends(Prompt.CONFIRM)
    await desk.says()
    await desk.prompt_ends(Prompt.QUESTION_AGAIN)
    desk.reader.meanings = {"Nein": Decision(DecisionKind.CONFIRM, (CARE,))}
    await desk.says(seconds=3)
    await desk.prompt_ends(Prompt.CONNECT_NOT_UNDERSTOOD)
    (draft,) = desk.keeper.sealed
    assert draft.concern is None
    assert draft.transcripts[0] == "Irgendwas mit Pflege"


async def test_a_second_concern_is_handed_over_with_the_first() -> None:
    both = Decision(DecisionKind.ROUTE, (CARE,), second=TEETH)
    desk = Desk("Pflegegrad, und dann noch der Zahn", meanings={"Pflegegrad, und dann noch der Zahn": both},
                outcomes=(Outcome.SUCCEEDED,))  # fmt: skip
    await a_whole_call(desk)
    (draft,) = desk.keeper.sealed
    assert (draft.concern, draft.second_concern) == ("pflege", "zahnersatz")


async def test_of_two_named_concerns_the_one_not_chosen_is_the_second() -> None:
    both = Decision(DecisionKind.CHOOSE, (CARE, TEETH), second=TEETH)
    desk = Desk("Pflege und Zahn", "zahnersatz", hears=(Heard.SPEECH,), meanings={"Pflege und Zahn": both},
                outcomes=(Outcome.SUCCEEDED,))  # fmt: skip
    await desk.rings()
    await desk.prompt_ends(Prompt.NOTICE, Prompt.QUESTION)
    await desk.says(seconds=3)
    await desk.prompt_ends(Prompt.CHOOSE)
    desk.reader.pick = lambda text, first, second: 1  # type: ignore[method-assign]  # noqa: ARG005
    await desk.says()
    await desk.prompt_ends(Prompt.CONNECT)
    (draft,) = desk.keeper.sealed
    assert (draft.concern, draft.second_concern) == ("zahnersatz", "pflege")
