"""Whole calls with fakes at every seam: what the caller hears, where they go, and what remains."""

from __future__ import annotations

from array import array

import pytest

from anruflotse.call import Rules
from anruflotse.conversation.actions import Prompt
from anruflotse.lines.line import Outcome
from anruflotse.speech.seams import Heard, SpeechError
from anruflotse.understanding.seams import Decision, DecisionKind
from tests.call.desk import CARE, TEETH, Desk

OBJECTION = {"Widerspruch": Decision(DecisionKind.OBJECTION)}


async def up_to_the_question(desk: Desk) -> Desk:
    await desk.rings()
    await desk.prompt_ends(Prompt.NOTICE, Prompt.QUESTION)
    return desk


async def test_a_concern_reaches_its_department_and_only_the_answer_is_kept() -> None:
    desk = Desk("Ich brauche einen Pflegegrad", hears=(Heard.SPEECH,), outcomes=(Outcome.SUCCEEDED,))
    await desk.rings()
    await desk.says(value=1500)  # over the notice
    await desk.prompt_ends(Prompt.NOTICE, Prompt.QUESTION)
    await desk.says(value=3000)
    assert desk.playing() is Prompt.CONNECT
    desk.speaks(value=5000)  # after the answer
    await desk.settle()
    assert desk.keeper.sealed == [], "kept before anybody took the call"
    await desk.prompt_ends(Prompt.CONNECT)
    assert desk.over
    (draft,) = desk.keeper.sealed
    assert draft.recording is not None
    samples = set(array("h", draft.recording.data))
    assert 3000 in samples, "the answer is not in the recording"
    assert not samples & {1500, 5000}, "something other than the answer is in the recording"
    assert (draft.transcripts, draft.concern, draft.department) == (
        ("Ich brauche einen Pflegegrad",), "pflege", "pflegekasse",
    )  # fmt: skip
    assert desk.leg.transfers == [("sip:pflegekasse@first", draft.reference)]
    assert desk.keeper.counted == [("routed", "pflegekasse")]


@pytest.mark.parametrize("after", [(), (Prompt.NOTICE,), (Prompt.NOTICE, Prompt.QUESTION)])
async def test_the_objection_key_leaves_nothing_and_reaches_a_person_at_once(after: tuple[Prompt, ...]) -> None:
    desk = Desk("Pflegegrad", outcomes=(Outcome.SUCCEEDED,))
    await desk.rings()
    await desk.prompt_ends(*after)
    desk.speaks()
    await desk.settle()
    await desk.presses("9")
    assert desk.leg.transfers[0][0] == "sip:human@first"
    assert desk.over
    assert desk.keeper.sealed == []
    assert desk.keeper.counted == [("objection", None)]


async def test_a_spoken_objection_in_the_notice_is_acted_on_before_anything_is_recorded() -> None:
    desk = Desk(hears=(Heard.OBJECTION,), outcomes=(Outcome.SUCCEEDED,))
    await desk.rings()
    await desk.says()
    assert desk.over
    assert desk.keeper.counted == [("objection", None)]
    assert desk.recogniser.heard == [], "an objection went to the full recogniser"


async def test_a_spoken_objection_in_the_answer_drops_the_recording() -> None:
    desk = await up_to_the_question(Desk("Widerspruch", meanings=OBJECTION, outcomes=(Outcome.SUCCEEDED,)))
    await desk.says()
    assert desk.over
    assert desk.keeper.sealed == []
    assert desk.keeper.counted == [("objection", None)]


async def test_words_said_after_an_objection_are_not_even_listened_to() -> None:
    desk = Desk(outcomes=(None,))
    await desk.rings()
    await desk.presses("9")
    await desk.says()
    assert desk.screener.heard == []
    desk.leg.settle(Outcome.SUCCEEDED)
    await desk.settle()
    assert desk.over


async def test_a_short_answer_that_sounds_like_an_objection_is_asked_about() -> None:
    desk = await up_to_the_question(Desk("Wiedersprung", hears=(Heard.OBJECTION, Heard.NO)))
    await desk.says()
    assert desk.playing() is Prompt.OBJECTION_DOUBT
    await desk.says()
    assert desk.playing() is Prompt.CONFIRM
    assert desk.screener.heard, "the screener was never asked"


@pytest.mark.parametrize("trouble", ["hangs", "breaks", "bug"])
async def test_an_engine_in_trouble_costs_the_recording_and_one_apology(trouble: str) -> None:
    says = SpeechError("The engine is down.") if trouble == "breaks" else "Pflegegrad"
    desk = Desk(says, hears=(Heard.SPEECH,), outcomes=(Outcome.SUCCEEDED,))
    if trouble == "hangs":
        desk.recogniser.hold()
    desk.reader.broken = trouble == "bug"
    await up_to_the_question(desk)
    await desk.says()
    if trouble == "hangs":
        assert desk.playing() is None
        await desk.waits(8.0)
    await desk.prompt_ends(Prompt.CONNECT_FAULT)
    assert desk.leg.transfers[0][0] == "sip:human@first"
    assert (desk.keeper.sealed, desk.keeper.counted) == ([], [("fault", None)])


async def test_a_missing_notice_means_a_person_and_no_recording() -> None:
    desk = Desk("Pflegegrad", missing=frozenset({Prompt.NOTICE}), outcomes=(Outcome.SUCCEEDED,))
    await desk.rings()
    desk.speaks(value=3000)
    await desk.prompt_ends(Prompt.CONNECT_FAULT)
    assert desk.over
    assert (desk.keeper.sealed, desk.keeper.counted) == ([], [("fault", None)])


async def test_a_notice_that_never_ends_means_a_person() -> None:
    desk = Desk(outcomes=(Outcome.SUCCEEDED,))
    await desk.rings()
    await desk.waits(6.0)
    await desk.prompt_ends(Prompt.CONNECT_FAULT)
    assert desk.keeper.counted == [("fault", None)]


async def test_a_store_that_is_down_costs_the_recording_not_the_call() -> None:
    desk = Desk("Pflegegrad", outcomes=(Outcome.SUCCEEDED,))
    desk.keeper.is_healthy = False
    await up_to_the_question(desk)
    await desk.says()
    await desk.prompt_ends(Prompt.CONNECT)
    assert (desk.keeper.sealed, desk.keeper.counted) == ([], [("routed", "pflegekasse")])


async def test_a_store_that_breaks_at_the_end_costs_the_record_not_the_call() -> None:
    desk = Desk("Pflegegrad", outcomes=(Outcome.SUCCEEDED,))
    desk.keeper.breaks = True
    await up_to_the_question(desk)
    await desk.says()
    await desk.prompt_ends(Prompt.CONNECT)
    assert desk.over
    assert desk.keeper.counted == [("routed", "pflegekasse")]


async def test_the_next_target_is_tried_and_then_a_person() -> None:
    busy = (Outcome.BUSY, Outcome.NO_ANSWER, Outcome.REFUSED, Outcome.SUCCEEDED)
    desk = await up_to_the_question(Desk("Pflegegrad", outcomes=busy))
    await desk.says()
    await desk.prompt_ends(Prompt.CONNECT)
    dialled = [target for target, _ in desk.leg.transfers]
    assert dialled == ["sip:pflegekasse@first", "sip:pflegekasse@second", "sip:human@first", "sip:human@second"]
    assert len(desk.keeper.sealed) == 1


async def test_a_caller_who_leaves_with_the_transfer_is_kept_when_somebody_took_the_call() -> None:
    """The leg ends as part of a successful transfer: its end alone says nothing about the caller having hung up."""
    desk = await up_to_the_question(Desk("Pflegegrad", outcomes=(None,)))
    await desk.says()
    await desk.prompt_ends(Prompt.CONNECT)
    settling, desk.leg._settling = desk.leg._settling, None  # the network reports the two apart
    desk.leg.drop()
    await desk.settle()
    assert settling is not None
    settling.set_result(Outcome.SUCCEEDED)
    await desk.settle()
    assert len(desk.keeper.sealed) == 1
    assert desk.keeper.counted == [("routed", "pflegekasse")]


async def test_an_awaited_turn_cut_by_the_repeat_key_is_no_answer() -> None:
    desk = Desk("Pflegegrad", hears=(Heard.SPEECH,))
    await up_to_the_question(desk)
    desk.speaks()
    await desk.settle()
    await desk.presses("*")
    await desk.says()
    assert desk.playing() is Prompt.QUESTION
    assert desk.recogniser.heard == []
    assert len(desk.screener.heard) == 1, "an objection in it would have gone unheard"


async def test_recognition_begins_in_the_pause_that_ends_the_turn_and_only_once() -> None:
    desk = await up_to_the_question(Desk("Pflegegrad", outcomes=(Outcome.SUCCEEDED,)))
    await desk.says(seconds=3, pause=0.4)
    assert len(desk.recogniser.heard) == 1, "recognition waited for the end of the turn"
    assert desk.playing() is None, "the caller was answered before the turn was over"
    desk.leg.say(bytes(8000))
    await desk.settle()
    assert desk.playing() is Prompt.CONNECT
    assert len(desk.recogniser.heard) == 1, "the same turn was recognised twice"


async def test_what_was_recognised_in_a_pause_is_forgotten_when_the_caller_goes_on() -> None:
    desk = Desk("Ich habe eine Frage", "Pflegegrad", outcomes=(Outcome.SUCCEEDED,))
    await up_to_the_question(desk)
    await desk.says(seconds=3, pause=0.4)
    await desk.says(seconds=2)
    await desk.prompt_ends(Prompt.CONNECT)
    (draft,) = desk.keeper.sealed
    assert draft.transcripts == ("Pflegegrad",)
    assert desk.recogniser.heard[-1][0].seconds > 5, "only the last part was understood"


async def test_nothing_is_begun_ahead_while_the_engines_are_busy() -> None:
    desk = await up_to_the_question(Desk("Pflegegrad"))
    desk.equipment.workload.under_way = 1
    await desk.says(seconds=3, pause=0.4)
    assert desk.recogniser.heard == []


async def test_an_objection_in_a_pause_drops_what_was_begun_ahead() -> None:
    desk = await up_to_the_question(Desk("Pflegegrad", outcomes=(None,)))
    desk.recogniser.hold()
    await desk.says(seconds=3, pause=0.4)
    await desk.presses("9")
    assert desk.call._mind._ahead == {}
    assert desk.equipment.workload.under_way == 0


async def test_what_is_recognised_after_an_objection_is_not_noted() -> None:
    desk = await up_to_the_question(Desk("Pflegegrad", outcomes=(None,)))
    desk.recogniser.hold()
    await desk.says()
    await desk.presses("9")
    desk.recogniser.release()
    await desk.settle()
    notes = desk.call._notes  # nothing of it is public, which is the point
    assert (notes.transcripts, notes.ranking, notes.turn, notes.recorder.seconds) == ([], None, None, 0.0)


async def test_when_nobody_can_be_reached_the_caller_is_told_and_nothing_is_kept() -> None:
    desk = await up_to_the_question(Desk("Pflegegrad"))
    desk.directory.empty = True
    await desk.says()
    await desk.prompt_ends(Prompt.CONNECT, Prompt.NOBODY)
    assert desk.leg.hung_up
    assert (desk.keeper.sealed, desk.keeper.counted) == ([], [("unreached", None)])


async def test_a_transfer_of_unknown_outcome_counts_as_arrived() -> None:
    desk = await up_to_the_question(Desk("Pflegegrad", outcomes=(Outcome.UNKNOWN,)))
    await desk.says()
    await desk.prompt_ends(Prompt.CONNECT)
    assert len(desk.keeper.sealed) == 1


@pytest.mark.parametrize("stage", ["notice", "question", "speaking", "understanding", "announcing", "transfer"])
async def test_hanging_up_anywhere_leaves_only_a_counter(stage: str) -> None:
    desk = Desk("Pflegegrad", outcomes=(None,))
    if stage == "understanding":
        desk.recogniser.hold()
    await desk.rings()
    if stage != "notice":
        await desk.prompt_ends(Prompt.NOTICE)
    if stage == "speaking":
        desk.speaks()
        await desk.settle()
    elif stage in {"understanding", "announcing", "transfer"}:
        await desk.says()
    if stage == "transfer":
        await desk.prompt_ends(Prompt.CONNECT)
        assert desk.leg.transfers
    desk.leg.drop()
    await desk.settle()
    assert desk.over
    assert (desk.keeper.sealed, desk.keeper.counted) == ([], [("abandoned", None)])


async def test_two_silences_lead_to_a_person() -> None:
    desk = await up_to_the_question(Desk(outcomes=(Outcome.SUCCEEDED,)))
    await desk.waits(7.0)
    await desk.prompt_ends(Prompt.QUESTION_SILENCE)
    await desk.waits(7.0)
    await desk.prompt_ends(Prompt.CONNECT_NOT_UNDERSTOOD)
    assert desk.leg.transfers[0][0] == "sip:human@first"
    assert (desk.keeper.sealed, desk.keeper.counted) == ([], [("silence", None)])


async def test_speaking_stops_the_silence_timer_and_the_question() -> None:
    desk = Desk("Pflegegrad")
    await desk.rings()
    await desk.prompt_ends(Prompt.NOTICE)
    desk.speaks()
    await desk.settle()
    assert desk.leg.stops == 1
    await desk.waits(20.0)
    assert desk.announcer.asked[-1].prompt is Prompt.QUESTION


async def test_speech_that_began_in_the_notice_is_no_answer_to_the_question() -> None:
    desk = Desk(hears=(Heard.SPEECH,))
    await desk.rings()
    desk.speaks()
    await desk.settle()
    await desk.prompt_ends(Prompt.NOTICE)
    await desk.says()
    assert desk.playing() is Prompt.QUESTION, "early speech cut the question"
    assert len(desk.screener.heard) == 1
    assert desk.recogniser.heard == []


async def test_a_confirmed_concern_is_routed_and_the_yes_is_not_recorded() -> None:
    meanings = {"irgendwas": Decision(DecisionKind.CONFIRM, (CARE,))}
    desk = Desk("irgendwas", hears=(Heard.SPEECH, Heard.YES), meanings=meanings, outcomes=(Outcome.SUCCEEDED,))
    await up_to_the_question(desk)
    await desk.says(value=3000)
    await desk.prompt_ends(Prompt.CONFIRM)
    await desk.says(value=4000)
    await desk.prompt_ends(Prompt.CONNECT)
    (draft,) = desk.keeper.sealed
    assert draft.recording is not None
    assert 4000 not in set(array("h", draft.recording.data))


async def test_one_of_two_concerns_is_picked_by_its_words() -> None:
    meanings = {"irgendwas": Decision(DecisionKind.CHOOSE, (CARE, TEETH))}
    desk = Desk("irgendwas", "zahnersatz", meanings=meanings, outcomes=(Outcome.SUCCEEDED,))
    await up_to_the_question(desk)
    await desk.says()
    await desk.prompt_ends(Prompt.CHOOSE)
    await desk.says()
    await desk.prompt_ends(Prompt.CONNECT)
    assert desk.leg.transfers[0][0] == "sip:leistungen@first"


async def test_how_please_repeats_the_question() -> None:
    desk = Desk("wie bitte", meanings={"wie bitte": Decision(DecisionKind.ASK_AGAIN)})
    await up_to_the_question(desk)
    await desk.says()
    assert desk.playing() is Prompt.QUESTION


async def test_a_wrong_number_leaves_no_record() -> None:
    desk = Desk("Pizza", meanings={"Pizza": Decision(DecisionKind.ASK_AGAIN)}, outcomes=(Outcome.SUCCEEDED,))
    await up_to_the_question(desk)
    await desk.says()
    await desk.prompt_ends(Prompt.QUESTION_AGAIN)
    await desk.says()
    await desk.prompt_ends(Prompt.CONNECT_NOT_UNDERSTOOD)
    assert (desk.keeper.sealed, desk.keeper.counted) == ([], [("not_understood", None)])


async def test_a_call_that_takes_too_long_goes_to_a_person() -> None:
    desk = Desk(rules=Rules(max_seconds=30, silence_seconds=60), outcomes=(Outcome.SUCCEEDED,))
    await up_to_the_question(desk)
    await desk.waits(30.0)
    await desk.prompt_ends(Prompt.CONNECT_HUMAN)
    assert desk.keeper.counted == [("handed_over", None)]


async def test_a_stopping_service_hands_the_caller_to_a_person() -> None:
    desk = await up_to_the_question(Desk(outcomes=(Outcome.SUCCEEDED,)))
    desk.call.hand_over()
    await desk.settle()
    await desk.prompt_ends(Prompt.CONNECT_HUMAN)
    assert desk.leg.transfers[0][0] == "sip:human@first"


async def test_a_turn_whose_audio_stops_coming_does_not_hang_the_call() -> None:
    desk = await up_to_the_question(Desk(outcomes=(Outcome.SUCCEEDED,)))
    desk.speaks()
    await desk.settle()
    await desk.waits(40.0)
    assert desk.playing() is Prompt.CONNECT_HUMAN
