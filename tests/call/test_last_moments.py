"""The narrow moments: what happens between two events, when a part breaks, and when an objection comes late."""

from __future__ import annotations

from array import array

import pytest

from anruflotse.call import Rules
from anruflotse.conversation.actions import Destination, Prompt
from anruflotse.departments.model import Target
from anruflotse.lines.line import Outcome
from anruflotse.speech.seams import Heard, Screening, SpeechError, Transcript
from anruflotse.understanding.seams import Decision, DecisionKind
from tests.call.desk import CARE, TEETH, Desk


async def up_to_the_question(desk: Desk) -> Desk:
    await desk.rings()
    await desk.prompt_ends(Prompt.NOTICE, Prompt.QUESTION)
    return desk


async def test_an_objection_still_being_screened_when_the_call_arrives_keeps_nothing() -> None:
    desk = await up_to_the_question(Desk("Pflegegrad", hears=(Heard.OBJECTION,), outcomes=(None,)))
    await desk.says(seconds=3)
    desk.screener.hold()
    await desk.says(pause=1.0)  # over "Ich verbinde Sie mit ..."
    await desk.prompt_ends(Prompt.CONNECT)
    desk.leg.settle(Outcome.SUCCEEDED)
    await desk.settle()
    assert desk.keeper.sealed == []
    desk.screener.release()
    await desk.settle()
    assert desk.over
    assert (desk.keeper.sealed, desk.keeper.counted) == ([], [("objection", None)])


async def test_an_objection_in_the_callers_last_breath_keeps_nothing() -> None:
    desk = await up_to_the_question(Desk("Pflegegrad", hears=(Heard.OBJECTION,), outcomes=(None,)))
    await desk.says(seconds=3)
    await desk.prompt_ends(Prompt.CONNECT)
    desk.speaks()  # and no pause behind it: the call is gone before the stretch has ended
    await desk.settle()
    desk.leg.settle(Outcome.SUCCEEDED)
    await desk.settle()
    assert desk.over
    assert (desk.keeper.sealed, desk.keeper.counted) == ([], [("objection", None)])


async def test_speech_that_could_not_be_screened_is_asked_about() -> None:
    desk = Desk()
    desk.screener = type(desk.screener)(SpeechError("too much to do"), Heard.NO)
    object.__setattr__(desk.equipment, "screener", desk.screener)
    await desk.rings()
    await desk.says()
    await desk.prompt_ends(Prompt.NOTICE)
    assert desk.playing() is Prompt.OBJECTION_DOUBT


async def test_an_objection_among_words_too_doubtful_to_act_upon_is_asked_about() -> None:
    rejected = Transcript("Widerspruch", 0.2, accepted=False, reason="low_confidence", engine="fake")
    desk = await up_to_the_question(Desk(rejected))
    await desk.says(seconds=4)
    assert desk.playing() is Prompt.OBJECTION_DOUBT


async def test_words_nobody_could_make_out_are_not_kept() -> None:
    rejected = Transcript("gnhf", 0.2, accepted=False, reason="low_confidence", engine="fake")
    desk = await up_to_the_question(Desk(rejected, outcomes=(Outcome.SUCCEEDED,)))
    await desk.says(seconds=4)
    await desk.prompt_ends(Prompt.QUESTION_AGAIN)
    await desk.says(seconds=4)
    await desk.prompt_ends(Prompt.CONNECT_NOT_UNDERSTOOD)
    assert (desk.keeper.sealed, desk.keeper.counted) == ([], [("not_understood", None)])


async def test_audio_on_its_way_when_the_notice_ends_is_not_recorded() -> None:
    desk = Desk("Pflegegrad", outcomes=(Outcome.SUCCEEDED,))
    await desk.rings()
    desk.leg.finish()  # the notice's last sample went out; what follows was spoken before that
    desk.leg.say((700).to_bytes(2, "little") * 800)
    await desk.settle()
    assert desk.playing() is Prompt.QUESTION
    desk.leg.say((700).to_bytes(2, "little") * 720)
    await desk.says(value=3000, seconds=3)
    await desk.prompt_ends(Prompt.CONNECT)
    (draft,) = desk.keeper.sealed
    assert draft.recording is not None
    samples = set(array("h", draft.recording.data))
    assert 3000 in samples
    assert 700 not in samples


async def test_the_answers_audio_does_not_reach_back_before_the_question() -> None:
    desk = Desk("Pflegegrad")
    await desk.rings()
    for _ in range(4):  # an onset of 80 ms, too short to be speech yet, when the notice ends
        desk.leg.say((1500).to_bytes(2, "little") * 160)
    await desk.settle()
    await desk.prompt_ends(Prompt.NOTICE, Prompt.QUESTION)
    desk.leg.say(bytes(2 * 1600))
    await desk.says(value=3000, seconds=3)
    heard = set(array("h", desk.recogniser.heard[-1][0].data))
    assert 3000 in heard
    assert 1500 not in heard


async def test_what_is_being_recognised_is_given_up_with_an_objection() -> None:
    desk = await up_to_the_question(Desk("Pflegegrad", outcomes=(None,)))
    desk.recogniser.hold()
    await desk.says(seconds=4)
    await desk.presses("9")
    assert desk.call._interpreting == set()
    assert desk.equipment.workload.under_way == 0


async def test_no_audio_is_left_in_the_endpointer_after_an_objection() -> None:
    desk = await up_to_the_question(Desk(outcomes=(None,)))
    desk.speaks(seconds=2)
    await desk.settle()
    await desk.presses("9")
    finder = desk.call._ears._endpointer._finder  # type: ignore[attr-defined] # the fake's
    assert len(finder._kept) == 0


async def test_a_transfer_that_breaks_ends_in_closing_words() -> None:
    desk = await up_to_the_question(Desk("Pflegegrad"))

    def broken(destination: Destination, now: object) -> list[Target]:
        raise KeyError(destination)

    desk.directory.targets = broken  # type: ignore[method-assign]
    await desk.says(seconds=3)
    await desk.prompt_ends(Prompt.CONNECT, Prompt.NOBODY)
    assert desk.leg.hung_up


@pytest.mark.parametrize("trouble", ["raises", "hangs"])
async def test_a_prompt_that_breaks_or_never_comes_leads_to_a_person(trouble: str) -> None:
    desk = Desk("Pflegegrad", outcomes=(Outcome.SUCCEEDED,))
    speak = desk.announcer.audio

    async def audio(play, rate):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - stands in for the method
        if play.prompt is Prompt.CONNECT:
            if trouble == "raises":
                raise RuntimeError
            await desk.clock.sleep(3600)
        return await speak(play, rate)

    desk.announcer.audio = audio  # type: ignore[method-assign]
    await up_to_the_question(desk)
    await desk.says(seconds=3)
    await desk.waits(6.0)
    assert desk.leg.transfers, "the call is stuck"
    assert desk.over


async def test_the_record_names_the_concern_that_was_chosen() -> None:
    meanings = {"irgendwas": Decision(DecisionKind.CHOOSE, (CARE, TEETH))}
    desk = Desk("irgendwas", "zahnersatz", meanings=meanings, outcomes=(Outcome.SUCCEEDED,))
    await up_to_the_question(desk)
    await desk.says(seconds=3)
    await desk.prompt_ends(Prompt.CHOOSE)
    await desk.says(seconds=3)
    await desk.prompt_ends(Prompt.CONNECT)
    (draft,) = desk.keeper.sealed
    assert (draft.concern, draft.department) == ("zahnersatz", "leistungen")


async def test_a_doubtful_objection_that_was_none_leaves_a_record_with_its_words() -> None:
    meanings = {"Widerspruch einlegen": Decision(DecisionKind.OBJECTION, (CARE,), certain=False)}
    desk = Desk("Widerspruch einlegen", hears=(Heard.NO, Heard.YES), meanings=meanings, outcomes=(Outcome.SUCCEEDED,))
    await up_to_the_question(desk)
    await desk.says(seconds=3)
    assert desk.playing() is Prompt.OBJECTION_DOUBT
    await desk.says()
    assert desk.playing() is Prompt.CONFIRM
    await desk.says()
    await desk.prompt_ends(Prompt.CONNECT)
    (draft,) = desk.keeper.sealed
    assert (draft.transcripts, draft.concern, draft.decision) == (("Widerspruch einlegen",), "pflege", "confirm")


async def test_a_caller_who_talks_on_from_the_notice_is_not_told_that_nothing_was_heard() -> None:
    desk = Desk(hears=(Heard.SPEECH,))
    await desk.rings()
    desk.speaks()
    await desk.settle()
    await desk.prompt_ends(Prompt.NOTICE, Prompt.QUESTION)
    await desk.waits(8.0)
    assert desk.playing() is None
    desk.leg.say(bytes(2 * 8000))
    await desk.settle()
    await desk.waits(1.0)
    assert desk.playing() is Prompt.QUESTION_SILENCE


async def test_the_end_of_a_prompt_that_was_just_replaced_is_not_taken_for_the_end_of_the_new_one() -> None:
    desk = Desk(rules=Rules(silence_seconds=3))
    await desk.rings()
    await desk.prompt_ends(Prompt.NOTICE)
    desk.leg.press("*")
    desk.leg.finish()
    await desk.settle()
    assert desk.playing() is Prompt.QUESTION
    await desk.waits(4.0)
    assert desk.announcer.asked[-1].prompt is Prompt.QUESTION, "the silence timer ran while the question played"


async def test_an_unsure_objection_over_the_connecting_prompt_keeps_nothing() -> None:
    desk = await up_to_the_question(Desk("Pflegegrad", outcomes=(None,)))
    desk.screener = type(desk.screener)(Screening(Heard.OBJECTION, certain=False, confidence=0.4))
    object.__setattr__(desk.equipment, "screener", desk.screener)
    await desk.says(seconds=3)
    await desk.says()
    assert desk.leg.transfers[0][0] == "sip:human@first"
