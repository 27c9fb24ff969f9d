"""The rules of the dialogue stand twice: here both are taken through the same answers."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anruflotse.conversation import Stage, State, step
from anruflotse.conversation.actions import Goal
from anruflotse.conversation.events import (
    Answered,
    Candidate,
    Event,
    Heard,
    NoticeFinished,
    NotUnderstood,
    Picked,
    PromptFinished,
    RecorderStopped,
    Screened,
    Silence,
    SpeechStarted,
    TurnEnded,
    Understood,
    Verdict,
)
from anruflotse.understanding.dialogue import Asked, Course
from anruflotse.understanding.seams import Decision, DecisionKind, Ranked

CONCERNS = (
    Ranked("pflege", "pflegekasse", 0.5),
    Ranked("zahnersatz", "leistungen", 0.5),
    Ranked("heilmittel", "leistungen", 0.5),
    Ranked("krankengeld", "krankengeld", 0.5),
)
STAGES = {
    Asked.CONCERN: Stage.QUESTION,
    Asked.DOUBT: Stage.CLARIFY,
    Asked.CONFIRM: Stage.CONFIRM,
    Asked.CHOOSE: Stage.CHOOSE,
}
GOALS = {"mensch": Goal.HUMAN, "notfall": Goal.EMERGENCY, "aufzeichnung_aus": Goal.HUMAN}
ANSWERS = {
    Asked.CONCERN: ("stated", "stated", "silent", "unheard", "gives_up"),
    Asked.DOUBT: ("yes", "no", "no", "no", "stated", "silent", "unheard", "gives_up"),
    Asked.CONFIRM: ("yes", "no", "no", "stated", "stated", "silent", "unheard", "gives_up"),
    Asked.CHOOSE: ("picked", "no", "stated", "stated", "silent", "unheard", "gives_up"),
}


class Machine:
    """The conversation's machine, with everything between two answers taken care of."""

    def __init__(self) -> None:
        self.state = State()
        self.tell(Answered(), NoticeFinished())

    def tell(self, *events: Event) -> None:
        for event in events:
            self.state, _ = step(self.state, event)

    def hear(self, how: str, decision: Decision, index: int) -> None:
        if self.state.playing:
            self.tell(PromptFinished(self.state.playing))
        if how == "silent":
            self.tell(Silence(), RecorderStopped())
            return
        self.tell(SpeechStarted(), TurnEnded(), RecorderStopped())
        turn = self.state.turn
        simple: dict[str, Event] = {
            "yes": Screened(Heard.YES, turn=turn),
            "no": Screened(Heard.NO, turn=turn),
            "unheard": NotUnderstood(turn),
            "gives_up": Screened(Heard.HUMAN, turn=turn),
            "picked": Picked(turn, index),
        }
        if how in simple:
            self.tell(simple[how])
        elif self.state.stage in {Stage.CONFIRM, Stage.CLARIFY}:
            self.tell(Screened(Heard.SPEECH, turn=turn))
            if self.state.pending:  # the machine wants to know more than that it was speech
                self._understood(decision)
        else:
            self._understood(decision)
        self.tell(RecorderStopped())

    def _understood(self, decision: Decision) -> None:
        candidates = tuple(Candidate(ranked.concern, ranked.department) for ranked in decision.concerns)
        self.tell(Understood(self.state.turn, Verdict(decision.kind.value), candidates, decision.certain))


def _decision(dice: Random) -> Decision:
    kind = dice.choice(list(DecisionKind))
    alarm = kind in {DecisionKind.EMERGENCY, DecisionKind.OBJECTION, DecisionKind.HUMAN}
    certain = not alarm or dice.random() < 0.4
    number = {DecisionKind.ROUTE: 1, DecisionKind.CONFIRM: 1, DecisionKind.CHOOSE: 2}.get(kind, 0)
    if not certain:
        number = dice.choice([0, 1])
    return Decision(kind, tuple(dice.sample(CONCERNS, number)), certain)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=1000, deadline=None)
def test_both_stand_in_the_same_place_after_every_answer(seed: int) -> None:
    dice = Random(seed)
    machine, course = Machine(), Course()
    answers = 0
    while course.end is None:
        assert machine.state.stage is STAGES[course.asked]
        if course.asked in {Asked.CONFIRM, Asked.CHOOSE}:
            offered = [candidate.concern for candidate in machine.state.candidates]
            assert offered == [ranked.concern for ranked in course.offered]
        how, decision, index = dice.choice(ANSWERS[course.asked]), _decision(dice), dice.choice([0, 1])
        machine.hear(how, decision, index)
        course = course.stated(decision) if how == "stated" else _told(course, how, index)
        answers += 1
        assert answers < 12, "no caller goes round in circles"
    destination = machine.state.destination
    assert machine.state.stage in {Stage.HANDOVER, Stage.TRANSFER}
    assert destination is not None
    assert destination.goal is GOALS.get(course.end, Goal.DEPARTMENT)
    assert destination.department == (None if course.end in GOALS else course.end)
    assert machine.state.objected is (course.end == "aufzeichnung_aus")


def _told(course: Course, how: str, index: int) -> Course:
    if how == "picked":
        return course.picked(index)
    told: Course = getattr(course, how)()
    return told


@pytest.mark.parametrize("first", ["silent", "unheard"])
@pytest.mark.parametrize("second", ["silent", "unheard"])
def test_two_failures_lead_to_a_person(first: str, second: str) -> None:
    course = _told(Course(), first, 0)
    assert course.end is None
    assert _told(course, second, 0).end == "mensch"
