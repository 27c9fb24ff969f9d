"""The ways through a call, one by one, as a caller would live them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from anruflotse.conversation import Stage, State, step
from anruflotse.conversation.actions import (
    Action,
    Attend,
    Attention,
    AwaitSpeech,
    Count,
    Destination,
    DropEverything,
    Goal,
    HangUp,
    Pick,
    Play,
    Prompt,
    Screen,
    Seal,
    StartRecording,
    StopPlaying,
    StopRecording,
    Tally,
    Transfer,
    Understand,
)
from anruflotse.conversation.events import (
    Answered,
    Candidate,
    Event,
    HandOverNow,
    Heard,
    HungUp,
    Key,
    KeyPressed,
    NoticeFinished,
    NotUnderstood,
    Picked,
    PromptFailed,
    PromptFinished,
    RecogniserFailed,
    RecorderFailed,
    RecorderStopped,
    Screened,
    Silence,
    SpeechStarted,
    TransferFailed,
    TransferSucceeded,
    TurnEnded,
    Understood,
    Verdict,
)

HUMAN = Destination(Goal.HUMAN)
CARE = Candidate("pflege", "pflegekasse")
TEETH = Candidate("zahnersatz", "leistungen")
MONEY = Candidate("krankengeld", "krankengeld")
CURE = Candidate("reha_kur", "leistungen")
SICK = Candidate("krankenhaus", "leistungen")


class Talk:
    """One conversation: tell it what happens, see what it wants done."""

    def __init__(self, *events: Event) -> None:
        self.state = State()
        self.done: list[Action] = []
        self.last: tuple[Action, ...] = ()
        for event in events:
            self.tell(event)

    def tell(self, *events: Event) -> tuple[Action, ...]:
        for event in events:
            self.state, self.last = step(self.state, event)
            self.done += self.last
        return self.last

    def stated(self, verdict: Verdict, *candidates: Candidate, certain: bool = True) -> tuple[Action, ...]:
        """The caller says a concern in one turn, and this is what is made of it."""
        self.tell(SpeechStarted(), TurnEnded(), RecorderStopped())
        return self.tell(Understood(self.state.turn, verdict, candidates, certain))

    def answered(self, heard: Heard, *, certain: bool = True) -> tuple[Action, ...]:
        """The caller answers a yes-or-no question."""
        self.tell(SpeechStarted(), TurnEnded())
        return self.tell(Screened(heard, certain, self.state.turn))


def asked() -> Talk:
    """A call whose open question has just been asked."""
    return Talk(Answered(), NoticeFinished(), PromptFinished(Prompt.QUESTION))


def test_a_sure_concern_is_announced_then_transferred_then_kept() -> None:
    talk = Talk(Answered())
    assert talk.last == (Play(Prompt.NOTICE), Attend(Attention.SCREEN))
    assert talk.tell(NoticeFinished()) == (Play(Prompt.QUESTION), Attend(Attention.CONCERN), StartRecording())
    assert talk.tell(PromptFinished(Prompt.QUESTION)) == (AwaitSpeech(),)
    talk.tell(SpeechStarted())
    assert talk.tell(TurnEnded()) == (StopRecording(), Attend(Attention.SCREEN))
    assert talk.tell(RecorderStopped()) == (Understand(1),)
    announced = talk.tell(Understood(1, Verdict.ROUTE, (CARE,)))
    assert announced == (Play(Prompt.CONNECT, department="pflegekasse"), Attend(Attention.SCREEN))
    assert talk.tell(PromptFinished(Prompt.CONNECT)) == (Transfer(Destination(Goal.DEPARTMENT, "pflegekasse")),)
    assert talk.tell(TransferSucceeded()) == (Seal(), Count(Tally.ROUTED, "pflegekasse"))
    assert talk.state.ended


def test_who_asks_about_data_protection_hears_who_is_in_charge_of_it() -> None:
    talk = asked()
    announced = talk.stated(Verdict.ROUTE, Candidate("datenschutz", "recht", privacy=True))
    assert announced[0] == Play(Prompt.CONNECT_PRIVACY, department="recht")
    assert talk.tell(PromptFinished(Prompt.CONNECT_PRIVACY)) == (Transfer(Destination(Goal.DEPARTMENT, "recht")),)


def test_who_objected_for_future_calls_is_neither_asked_nor_recorded_but_put_through() -> None:
    talk = Talk(Answered(objected=True))
    assert talk.last == (
        DropEverything(),
        Play(Prompt.CONNECT_OBJECTED_BEFORE),
        Attend(Attention.NONE),
        Transfer(Destination(Goal.HUMAN)),
    )
    assert talk.tell(RecorderStopped(), TransferSucceeded())[-1] == Count(Tally.OBJECTION)
    assert talk.state.ended


def test_the_caller_may_speak_over_the_question_but_not_over_the_notice() -> None:
    talk = Talk(Answered())
    assert talk.tell(SpeechStarted()) == ()
    assert talk.tell(NoticeFinished(), SpeechStarted()) == (StopPlaying(),)
    assert talk.tell(TurnEnded()) == (StopRecording(), Attend(Attention.SCREEN))


NOTICE: list[Event] = [Answered()]
QUESTION: list[Event] = [*NOTICE, NoticeFinished()]
STOPPING: list[Event] = [*QUESTION, SpeechStarted(), TurnEnded()]
UNDERSTANDING: list[Event] = [*STOPPING, RecorderStopped()]
STAGES: dict[str, list[Event]] = {
    "notice": NOTICE,
    "question": QUESTION,
    "listening": [*QUESTION, PromptFinished(Prompt.QUESTION), SpeechStarted()],
    "stopping": STOPPING,
    "understanding": UNDERSTANDING,
    "confirm": [*UNDERSTANDING, Understood(1, Verdict.CONFIRM, (CARE,))],
    "choose": [*UNDERSTANDING, Understood(1, Verdict.CHOOSE, (CARE, TEETH))],
    "clarify": [*QUESTION, Screened(Heard.OBJECTION, certain=False)],
    "announcing": [*UNDERSTANDING, Understood(1, Verdict.ROUTE, (CARE,))],
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("how", [KeyPressed(Key.OBJECTION), Screened(Heard.OBJECTION)])
def test_an_objection_anywhere_drops_everything_and_reaches_a_person(stage: str, how: Event) -> None:
    talk = Talk(*STAGES[stage])
    actions = talk.tell(how)
    assert actions[0] == DropEverything()
    assert Play(Prompt.CONNECT_OBJECTION) in actions
    assert Attend(Attention.NONE) in actions
    if stage in {"question", "listening", "stopping", "clarify"}:
        assert not any(isinstance(action, Transfer) for action in talk.done), "transferred while still recording"
        talk.tell(RecorderStopped())
    assert [a for a in talk.done if isinstance(a, Transfer)] == [Transfer(HUMAN)]
    assert talk.tell(TransferSucceeded()) == (DropEverything(), Count(Tally.OBJECTION))
    assert Seal() not in talk.done


def test_an_objection_while_the_transfer_is_under_way_still_leaves_nothing() -> None:
    talk = Talk(*STAGES["announcing"], PromptFinished(Prompt.CONNECT))
    assert talk.tell(KeyPressed(Key.OBJECTION)) == (DropEverything(), Attend(Attention.NONE))
    assert talk.tell(TransferSucceeded()) == (DropEverything(), Count(Tally.OBJECTION))


@pytest.mark.parametrize("stage", STAGES)
def test_a_wish_for_a_person_is_met_at_once_and_leaves_no_record(stage: str) -> None:
    talk = Talk(*STAGES[stage])
    talk.tell(KeyPressed(Key.HUMAN), RecorderStopped())
    assert talk.state.stage is Stage.TRANSFER
    assert Transfer(HUMAN) in talk.done
    assert talk.tell(TransferSucceeded()) == (DropEverything(), Count(Tally.HUMAN_WISH))


@pytest.mark.parametrize("stage", STAGES)
def test_an_emergency_hears_112_to_its_end_then_a_person_answers(stage: str) -> None:
    talk = Talk(*STAGES[stage])
    assert Play(Prompt.EMERGENCY) in talk.tell(Screened(Heard.EMERGENCY))
    talk.tell(RecorderStopped())
    assert not any(isinstance(a, Transfer) for a in talk.done)
    assert talk.tell(PromptFinished(Prompt.EMERGENCY)) == (Transfer(Destination(Goal.EMERGENCY)),)
    assert talk.tell(TransferSucceeded()) == (DropEverything(), Count(Tally.EMERGENCY))


def test_suicidal_words_get_the_crisis_line() -> None:
    talk = asked()
    talk.tell(SpeechStarted(), TurnEnded(), RecorderStopped())
    actions = talk.tell(Understood(1, Verdict.EMERGENCY, suicidal=True))
    assert Play(Prompt.EMERGENCY_SUICIDAL) in actions


@pytest.mark.parametrize("stage", STAGES)
def test_hanging_up_anywhere_leaves_only_a_counter(stage: str) -> None:
    talk = Talk(*STAGES[stage])
    assert talk.tell(HungUp()) == (DropEverything(), Count(Tally.ABANDONED))
    assert talk.state.ended


@pytest.mark.parametrize("stage", STAGES)
def test_a_call_that_takes_too_long_is_handed_to_a_person(stage: str) -> None:
    talk = Talk(*STAGES[stage])
    talk.tell(HandOverNow(), RecorderStopped())
    if talk.state.playing:
        talk.tell(PromptFinished(talk.state.playing))
    assert talk.state.stage is Stage.TRANSFER


def test_a_fairly_sure_concern_is_confirmed() -> None:
    talk = asked()
    actions = talk.stated(Verdict.CONFIRM, CARE)
    assert actions == (Play(Prompt.CONFIRM, concerns=("pflege",)), Attend(Attention.ANSWER))
    talk.tell(SpeechStarted())
    assert talk.tell(TurnEnded()) == (Attend(Attention.SCREEN), Screen(2))
    assert Play(Prompt.CONNECT, department="pflegekasse") in talk.tell(Screened(Heard.YES, turn=2))


def test_no_to_a_confirmation_asks_once_more_then_a_person() -> None:
    talk = asked()
    talk.stated(Verdict.CONFIRM, CARE)
    assert Play(Prompt.QUESTION_AGAIN) in talk.answered(Heard.NO)
    assert StartRecording() in talk.last
    talk.stated(Verdict.CONFIRM, TEETH)
    assert Play(Prompt.CONNECT_NOT_UNDERSTOOD) in talk.answered(Heard.NO)
    talk.tell(PromptFinished(Prompt.CONNECT_NOT_UNDERSTOOD))
    assert talk.tell(TransferSucceeded()) == (Seal(), Count(Tally.NOT_UNDERSTOOD))


def test_an_unsure_yes_to_a_concern_is_taken() -> None:
    talk = asked()
    talk.stated(Verdict.CONFIRM, CARE)
    assert Play(Prompt.CONNECT, department="pflegekasse") in talk.answered(Heard.YES, certain=False)


def test_an_unsure_no_is_asked_again_and_then_taken() -> None:
    talk = asked()
    talk.stated(Verdict.CONFIRM, CARE)
    assert Play(Prompt.YES_NO_AGAIN) in talk.answered(Heard.NO, certain=False)
    assert Play(Prompt.CONNECT_NOT_UNDERSTOOD) in talk.answered(Heard.NO, certain=False), "two failures"


Failing = Callable[[Talk], object]
FAILURES: dict[str, Failing] = {
    "silence": lambda talk: talk.tell(Silence()),
    "words without a concern": lambda talk: talk.stated(Verdict.ASK_AGAIN),
    "words nobody could make out": lambda talk: (
        talk.tell(SpeechStarted(), TurnEnded(), RecorderStopped()),
        talk.tell(NotUnderstood(talk.state.turn)),
    ),
    "a denied guess": lambda talk: (talk.stated(Verdict.CONFIRM, CARE), talk.answered(Heard.NO)),
    "another denied guess": lambda talk: (talk.stated(Verdict.CONFIRM, TEETH), talk.answered(Heard.NO)),
    "neither of two": lambda talk: (talk.stated(Verdict.CHOOSE, MONEY, CURE), talk.answered(Heard.NO)),
    "silence instead of yes or no": lambda talk: (
        talk.stated(Verdict.CONFIRM, SICK),
        talk.tell(PromptFinished(Prompt.CONFIRM)),
        talk.tell(Silence()),
    ),
}


@pytest.mark.parametrize("second", FAILURES)
@pytest.mark.parametrize("first", FAILURES)
def test_after_two_failures_of_whatever_kind_there_is_a_person(first: str, second: str) -> None:
    talk = asked()
    FAILURES[first](talk)
    assert talk.state.destination is None, "one failure is forgiven"
    talk.tell(RecorderStopped(), PromptFinished(talk.state.playing or Prompt.QUESTION))
    if talk.state.stage is Stage.CONFIRM:
        talk.tell(Silence())
    else:
        FAILURES[second](talk)
    assert talk.state.destination == HUMAN


def test_a_concern_that_was_denied_is_not_offered_again() -> None:
    talk = asked()
    talk.stated(Verdict.CONFIRM, CARE)
    talk.answered(Heard.NO)
    assert Play(Prompt.CONNECT_NOT_UNDERSTOOD) in talk.stated(Verdict.CONFIRM, CARE)


def test_a_concern_that_was_denied_is_not_routed_to_either() -> None:
    talk = asked()
    talk.stated(Verdict.CONFIRM, CARE)
    talk.answered(Heard.NO)
    assert Play(Prompt.CONNECT_NOT_UNDERSTOOD) in talk.stated(Verdict.ROUTE, CARE)


def test_of_two_concerns_of_which_one_was_denied_the_other_is_confirmed() -> None:
    talk = asked()
    talk.stated(Verdict.CONFIRM, CARE)
    talk.answered(Heard.NO)
    assert Play(Prompt.CONFIRM, concerns=("zahnersatz",)) in talk.stated(Verdict.CHOOSE, CARE, TEETH)


def test_the_same_two_are_not_offered_again_to_somebody_who_states_them_once_more() -> None:
    talk = asked()
    talk.stated(Verdict.CHOOSE, CARE, TEETH)
    talk.tell(SpeechStarted(), TurnEnded())
    actions = talk.tell(Understood(talk.state.turn, Verdict.CHOOSE, (TEETH, CARE)))
    assert Play(Prompt.QUESTION_AGAIN) in actions


def test_no_with_another_concern_takes_the_other_concern() -> None:
    talk = asked()
    talk.stated(Verdict.CONFIRM, CARE)
    assert talk.answered(Heard.SPEECH) == (Understand(3),)
    actions = talk.tell(Understood(3, Verdict.ROUTE, (TEETH,)))
    assert Play(Prompt.CONNECT, department="leistungen") in actions


def test_between_two_concerns_the_caller_chooses() -> None:
    talk = asked()
    actions = talk.stated(Verdict.CHOOSE, CARE, TEETH)
    assert actions == (Play(Prompt.CHOOSE, concerns=("pflege", "zahnersatz")), Attend(Attention.ANSWER))
    talk.tell(SpeechStarted())
    assert talk.tell(TurnEnded())[-1] == Pick(2, ("pflege", "zahnersatz"))
    assert Play(Prompt.CONNECT, department="leistungen") in talk.tell(Picked(2, 1))


def test_silence_is_asked_about_once_then_a_person_and_no_record() -> None:
    talk = asked()
    assert Play(Prompt.QUESTION_SILENCE) in talk.tell(Silence())
    talk.tell(PromptFinished(Prompt.QUESTION_SILENCE), Silence(), RecorderStopped())
    talk.tell(PromptFinished(Prompt.CONNECT_NOT_UNDERSTOOD))
    assert Transfer(HUMAN) in talk.done
    assert talk.tell(TransferSucceeded()) == (DropEverything(), Count(Tally.SILENCE))


def test_an_unclear_concern_is_asked_for_once_then_kept_for_the_person_who_helps() -> None:
    talk = asked()
    assert Play(Prompt.QUESTION_AGAIN) in talk.stated(Verdict.ASK_AGAIN)
    talk.stated(Verdict.ASK_AGAIN)
    talk.tell(PromptFinished(Prompt.CONNECT_NOT_UNDERSTOOD))
    assert talk.tell(TransferSucceeded()) == (Seal(), Count(Tally.NOT_UNDERSTOOD))


def test_words_that_cannot_be_made_out_may_be_an_objection_and_are_not_kept() -> None:
    talk = asked()
    talk.tell(SpeechStarted(), TurnEnded(), RecorderStopped())
    assert Play(Prompt.QUESTION_AGAIN) in talk.tell(NotUnderstood(1))
    talk.stated(Verdict.ASK_AGAIN)
    talk.tell(PromptFinished(Prompt.CONNECT_NOT_UNDERSTOOD))
    assert talk.tell(TransferSucceeded()) == (DropEverything(), Count(Tally.NOT_UNDERSTOOD))


def test_a_no_to_the_notice_is_asked_about_as_an_objection() -> None:
    talk = Talk(Answered(), Screened(Heard.NO), NoticeFinished())
    assert Play(Prompt.OBJECTION_DOUBT) in talk.last


def test_an_objection_understood_too_late_for_its_question_still_holds() -> None:
    talk = Talk(*UNDERSTANDING, HandOverNow())
    assert talk.tell(Understood(1, Verdict.OBJECTION))[0] == DropEverything()


def test_a_hand_over_while_an_objection_is_in_doubt_keeps_nothing() -> None:
    talk = asked()
    talk.stated(Verdict.ASK_AGAIN)
    talk.tell(Screened(Heard.OBJECTION, certain=False))
    assert talk.tell(HandOverNow())[0] == DropEverything()
    assert talk.state.objected


def test_a_no_with_a_concern_to_the_emergency_question_goes_on_with_the_concern() -> None:
    talk = asked()
    talk.stated(Verdict.EMERGENCY, certain=False)
    assert talk.answered(Heard.SPEECH) == (Understand(3),)
    assert Play(Prompt.CONNECT, department="leistungen") in talk.tell(Understood(3, Verdict.ROUTE, (TEETH,)))


def test_a_wrong_number_leaves_no_record() -> None:
    talk = asked()
    for turn in (1, 2):
        talk.tell(SpeechStarted(), TurnEnded(), RecorderStopped())
        talk.tell(Understood(turn, Verdict.ASK_AGAIN, stated=False))
    talk.tell(PromptFinished(Prompt.CONNECT_NOT_UNDERSTOOD), RecorderStopped())
    assert talk.tell(TransferSucceeded()) == (DropEverything(), Count(Tally.NOT_UNDERSTOOD))


def test_a_doubtful_objection_in_the_notice_is_asked_about_when_the_notice_has_ended() -> None:
    talk = Talk(Answered())
    assert talk.tell(Screened(Heard.OBJECTION, certain=False)) == ()
    assert talk.tell(NoticeFinished()) == (Play(Prompt.OBJECTION_DOUBT), Attend(Attention.ANSWER))
    assert StartRecording() in talk.answered(Heard.NO)


@pytest.mark.parametrize(
    ("heard", "certain"), [(Heard.YES, True), (Heard.YES, False), (Heard.NO, False), (Heard.SPEECH, True)]
)
def test_anything_but_a_sure_no_to_the_objection_question_counts_as_an_objection(heard: Heard, certain: bool) -> None:
    talk = Talk(Answered(), NoticeFinished(), Screened(Heard.OBJECTION, certain=False), RecorderStopped())
    actions = talk.answered(heard, certain=certain)
    assert actions[0] == DropEverything()
    assert talk.state.objected


@pytest.mark.parametrize("event", [Silence(), PromptFailed(Prompt.OBJECTION_DOUBT)])
def test_no_answer_to_the_objection_question_records_nothing(event: Event) -> None:
    talk = Talk(Answered(), Screened(Heard.OBJECTION, certain=False), NoticeFinished())
    if event == Silence():
        talk.tell(PromptFinished(Prompt.OBJECTION_DOUBT))
    assert DropEverything() in talk.tell(event)
    assert StartRecording() not in talk.done


def test_a_doubtful_emergency_interrupts_the_notice_which_is_then_given_again() -> None:
    talk = Talk(Answered())
    assert Play(Prompt.EMERGENCY_DOUBT) in talk.tell(Screened(Heard.EMERGENCY, certain=False))
    assert talk.answered(Heard.NO) == (Play(Prompt.NOTICE), Attend(Attention.SCREEN))
    assert StartRecording() not in talk.done
    assert StartRecording() in talk.tell(NoticeFinished())


def test_a_second_doubtful_objection_is_not_asked_about_again() -> None:
    talk = Talk(Answered(), NoticeFinished(), Screened(Heard.OBJECTION, certain=False), RecorderStopped())
    talk.answered(Heard.NO)
    assert talk.tell(Screened(Heard.OBJECTION, certain=False))[0] == DropEverything()


def test_a_doubtful_objection_in_the_concern_may_turn_out_to_be_the_concern() -> None:
    appeal = Candidate("widerspruch_beschwerde", "recht")
    talk = asked()
    assert Play(Prompt.OBJECTION_DOUBT) in talk.stated(Verdict.OBJECTION, appeal, certain=False)
    assert Play(Prompt.CONFIRM, concerns=("widerspruch_beschwerde",)) in talk.answered(Heard.NO)


def test_a_notice_that_cannot_be_played_means_a_person_and_no_recording() -> None:
    talk = Talk(Answered(), PromptFailed(Prompt.NOTICE))
    assert talk.last[0] == DropEverything()
    talk.tell(PromptFailed(Prompt.CONNECT_FAULT))
    assert talk.last == (Transfer(HUMAN),)
    assert StartRecording() not in talk.done


def test_a_missing_prompt_later_means_a_person_and_no_recording() -> None:
    talk = Talk(Answered(), NoticeFinished(), PromptFailed(Prompt.QUESTION))
    assert talk.last[0] == DropEverything()
    assert talk.state.destination == HUMAN


def test_a_deaf_recogniser_gets_one_apology_a_person_and_no_record() -> None:
    talk = asked()
    talk.tell(SpeechStarted(), TurnEnded(), RecorderStopped(), RecogniserFailed(1))
    assert talk.last[:2] == (DropEverything(), Play(Prompt.CONNECT_FAULT))


def test_a_store_that_is_down_costs_the_recording_not_the_call() -> None:
    talk = Talk(Answered(may_record=False), NoticeFinished())
    actions = talk.tell(SpeechStarted(), TurnEnded())
    assert Understand(1) in actions
    assert StartRecording() not in talk.done


def test_a_recorder_that_never_confirms_its_end_loses_its_recording_and_the_media_path() -> None:
    talk = Talk(*STAGES["stopping"], RecorderFailed(), PromptFinished(Prompt.CONNECT_FAULT))
    assert DropEverything() in talk.done
    assert Transfer(HUMAN, relay=False) in talk.done


def test_a_closed_department_is_named_and_its_stand_in_takes_the_call() -> None:
    talk = asked()
    talk.stated(Verdict.ROUTE, Candidate("pflege", "pflegekasse", open=False, instead="kundenservice"))
    assert Play(Prompt.CLOSED_INSTEAD, department="pflegekasse", instead="kundenservice") in talk.last
    talk.tell(PromptFinished(Prompt.CLOSED_INSTEAD))
    assert talk.last == (Transfer(Destination(Goal.DEPARTMENT, "kundenservice")),)


def test_a_closed_department_without_stand_in_leads_to_a_person() -> None:
    talk = asked()
    talk.stated(Verdict.ROUTE, Candidate("pflege", "pflegekasse", open=False))
    assert Play(Prompt.CLOSED, department="pflegekasse") in talk.last
    assert talk.tell(PromptFinished(Prompt.CLOSED)) == (Transfer(HUMAN),)
    assert talk.tell(TransferSucceeded()) == (Seal(), Count(Tally.CLOSED))


def test_a_department_nobody_answers_for_falls_back_to_a_person_and_then_to_closing_words() -> None:
    talk = Talk(*STAGES["announcing"], PromptFinished(Prompt.CONNECT))
    assert talk.tell(TransferFailed()) == (Play(Prompt.CONNECT_HUMAN), Transfer(HUMAN))
    assert talk.tell(TransferFailed()) == (DropEverything(), Play(Prompt.NOBODY))
    assert talk.tell(PromptFinished(Prompt.NOBODY)) == (Count(Tally.UNREACHED), HangUp())


def test_the_repeat_key_says_the_last_thing_again_three_times_at_most() -> None:
    talk = asked()
    for _ in range(3):
        assert talk.tell(KeyPressed(Key.REPEAT)) == (Play(Prompt.QUESTION), Attend(Attention.CONCERN))
    assert talk.tell(KeyPressed(Key.REPEAT)) == ()


def test_a_late_answer_to_an_old_request_changes_nothing() -> None:
    talk = asked()
    talk.stated(Verdict.ASK_AGAIN)
    talk.tell(SpeechStarted(), TurnEnded(), RecorderStopped())
    assert talk.state.pending
    before = talk.state
    assert talk.tell(Understood(1, Verdict.ROUTE, (CARE,))) == ()
    assert talk.state == before


def test_pressing_0_while_being_connected_to_a_person_skips_the_rest_of_the_prompt() -> None:
    talk = asked()
    talk.tell(Silence(), PromptFinished(Prompt.QUESTION_SILENCE), Silence(), RecorderStopped())
    assert talk.tell(KeyPressed(Key.HUMAN)) == (Transfer(HUMAN),)
