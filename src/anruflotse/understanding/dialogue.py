"""How a dialogue about a concern goes on: the rules of `anruflotse.conversation` without sound, time and recorder.

Evaluation and the choice of thresholds play thousands of dialogues with it. This room may not know the conversation's
machine (they are on one level), so the rules stand here a second time; `tests/understanding/test_dialogue.py` takes
both through the same random answers and finds them in the same place after each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from anruflotse.understanding.classifier import SPECIAL
from anruflotse.understanding.seams import Decision, DecisionKind, Ranked

MAX_FAILURES = 2
"""With this many failures a person takes over."""

PERSON = SPECIAL["mitarbeiter"]
ALARMS = {
    DecisionKind.EMERGENCY: SPECIAL["notfall"],
    DecisionKind.OBJECTION: SPECIAL["aufzeichnung"],
    DecisionKind.HUMAN: PERSON,
}
"""The departments' stand-ins that a believed alarm leads to."""


class Asked(StrEnum):
    """What the caller has just been asked."""

    CONCERN = "concern"
    DOUBT = "doubt"
    """Whether a half-heard emergency, objection or wish for a human was meant."""
    CONFIRM = "confirm"
    CHOOSE = "choose"


@dataclass(frozen=True, slots=True)
class Course:
    """Where a dialogue stands; begin with `Course()`, which has just asked for the concern.

    `end` is the department reached (or a special one: `mensch`, `notfall`, `aufzeichnung_aus`), None while it goes on.
    """

    asked: Asked = Asked.CONCERN
    offered: tuple[Ranked, ...] = ()
    doubt: DecisionKind | None = None
    end: str | None = None
    clarified: bool = False
    failures: int = 0
    detours: int = 0
    denied: frozenset[str] = frozenset()
    before: frozenset[frozenset[str]] = frozenset()

    def stated(self, decision: Decision) -> Course:
        """The caller says something, and `decision` is made of it.

        An unsure alarm names the concern it would be otherwise, as the conversation's events do.
        """
        if self.asked is Asked.DOUBT:
            return _in_doubt(self, decision)
        if self.asked is Asked.CONFIRM and self.detours:
            return _no_answer(self)
        after = replace(self, detours=1) if self.asked is Asked.CONFIRM else self
        if decision.kind in ALARMS:
            return _alarm(after, decision)
        if self.asked is Asked.CONCERN:
            return _understood(after, decision)
        return _instead(after, decision) if decision.concerns else _no_answer(after)

    def yes(self) -> Course:
        """The caller says yes to a doubt or to the concern offered."""
        return _believed(self) if self.asked is Asked.DOUBT else _ended(self, self.offered[0].department)

    def no(self) -> Course:
        """The caller says no to a doubt, to the concern offered, or to both."""
        if self.asked is not Asked.DOUBT:
            return _unclear(replace(self, denied=self.denied | {ranked.concern for ranked in self.offered}))
        return _confirm(self, self.offered[0]) if self.offered else replace(self, asked=Asked.CONCERN)

    def picked(self, index: int) -> Course:
        """The caller chooses one of the two offered."""
        return _ended(self, self.offered[index].department)

    def silent(self) -> Course:
        """The caller says nothing."""
        if self.asked is Asked.CONCERN:
            return _failed(self, Asked.CONCERN)
        return _believed(self) if self.asked is Asked.DOUBT else _no_answer(self)

    def unheard(self) -> Course:
        """The caller says something that cannot be made out."""
        if self.asked is Asked.CONCERN:
            return _unclear(self)
        return _believed(self) if self.asked is Asked.DOUBT else _no_answer(self)

    def gives_up(self) -> Course:
        """The caller says clearly that they want a person."""
        return _ended(self, PERSON)


def _ended(course: Course, department: str) -> Course:
    return replace(course, end=department)


def _failed(course: Course, asked: Asked) -> Course:
    failures = course.failures + 1
    return replace(course, failures=failures, asked=asked, end=PERSON if failures >= MAX_FAILURES else None)


def _unclear(course: Course) -> Course:
    return _failed(course, Asked.CONCERN)


def _no_answer(course: Course) -> Course:
    return _failed(replace(course, detours=course.detours + 1), course.asked)


def _believed(course: Course) -> Course:
    return _ended(course, ALARMS[course.doubt or DecisionKind.OBJECTION])


def _alarm(course: Course, decision: Decision) -> Course:
    if decision.certain or course.clarified:
        return _ended(course, ALARMS[decision.kind])
    return replace(course, asked=Asked.DOUBT, doubt=decision.kind, clarified=True, offered=decision.concerns)


def _understood(course: Course, decision: Decision) -> Course:
    concerns = tuple(ranked for ranked in decision.concerns if ranked.concern not in course.denied)
    if not concerns:
        return _unclear(course)
    if decision.kind is DecisionKind.ROUTE:
        return _ended(course, concerns[0].department)
    return _confirm(course, concerns[0]) if len(concerns) == 1 else _offer(course, Asked.CHOOSE, concerns)


def _confirm(course: Course, ranked: Ranked) -> Course:
    return _unclear(course) if ranked.concern in course.denied else _offer(course, Asked.CONFIRM, (ranked,))


def _offer(course: Course, asked: Asked, concerns: tuple[Ranked, ...]) -> Course:
    question = frozenset(ranked.concern for ranked in concerns)
    if question in course.before:
        return _unclear(course)
    return replace(course, asked=asked, offered=concerns, doubt=None, before=course.before | {question})


def _in_doubt(course: Course, decision: Decision) -> Course:
    """A concern was said instead of yes or no to a doubt: only when no objection is in doubt, and once, it counts."""
    if course.doubt is DecisionKind.OBJECTION or course.detours:
        return _believed(course)
    after = replace(course, detours=1)
    if decision.kind in ALARMS:
        return _ended(after, ALARMS[decision.kind])
    return _understood(after, decision) if decision.concerns else _believed(after)


def _instead(course: Course, decision: Decision) -> Course:
    """A concern was said instead of an answer: the one offered confirms it, another one replaces it."""
    same = next((r for r in course.offered if r.department == decision.concerns[0].department), None)
    if same is not None and decision.kind is not DecisionKind.CHOOSE:
        return _ended(course, same.department)
    if course.detours > 1:
        return _ended(course, PERSON)
    return _understood(replace(course, detours=course.detours + 1), decision)
