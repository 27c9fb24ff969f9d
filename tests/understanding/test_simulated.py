from __future__ import annotations

from dataclasses import fields

import pytest

from anruflotse.understanding import simulated
from anruflotse.understanding.corpus import Line
from anruflotse.understanding.errors import CorpusError
from anruflotse.understanding.evaluation import examine, play, report
from anruflotse.understanding.policy import Policy, Thresholds
from anruflotse.understanding.seams import Ranked, Ranking
from anruflotse.understanding.simulated import MANNERS, Manner, Simulation, prepared

POLICY = Policy(Thresholds(route=0.8, confirm=0.45, choose=0.6, second=0.15, outside=0.45, likely=0.3, likely_wish=0.3))
DEPARTMENTS = {
    "zahn": "leistungen", "brille": "leistungen", "pflege": "pflegekasse", "karte": "service",
    "mitarbeiter": "mensch", "notfall": "notfall", "aufzeichnung": "aufzeichnung_aus", "ausserhalb": "ausserhalb",
}  # fmt: skip
TRUTHFUL = Manner(*(0.0 for _ in fields(Manner)))


def ranking(**sure: float) -> Ranking:
    rest = (1 - sum(sure.values())) / (len(DEPARTMENTS) - len(sure))
    ranked = [Ranked(concern, department, sure.get(concern, rest)) for concern, department in DEPARTMENTS.items()]
    return Ranking(tuple(sorted(ranked, key=lambda one: -one.probability)))


class Book:
    """A classifier that has the rankings of a few sentences by heart."""

    processor = None

    def __init__(self, **known: Ranking) -> None:
        self._known = known

    def rank(self, text: str) -> Ranking:
        return self._known[text.split(maxsplit=1)[0]]


BOOK = Book(
    Krone=ranking(zahn=0.9),
    Brücke=ranking(zahn=0.6),
    Dings=ranking(zahn=0.2, pflege=0.15),
    Beides=ranking(zahn=0.45, pflege=0.4),
    Brille=ranking(zahn=0.6, brille=0.1),
    Pizza=ranking(ausserhalb=0.8),
)


def plays(monkeypatch: pytest.MonkeyPatch, *lines: Line, **changed: float) -> list[set[tuple[str, int]]]:
    """How 20 dialogues of each line end if everybody is truthful but for what is `changed`."""
    manner = Manner(*(changed.get(field.name, 0.0) for field in fields(Manner)))
    monkeypatch.setattr(simulated, "MANNERS", dict.fromkeys(MANNERS, manner))
    played = Simulation(prepared(lines, BOOK), POLICY).play(20)
    return [{(one.ending, one.turns) for one in several} for several in played]


def test_a_truthful_caller_fares_as_the_truthful_dialogue_says(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [Line("Krone", "zahn"), Line("Brücke", "zahn"), Line("Beides", "pflege"), Line("Krone", "pflege")]
    cases = examine(lines, BOOK, POLICY)
    wanted = [{play(case.department, case.ranking, case.decision, POLICY)} for case in cases]
    assert (
        plays(monkeypatch, *lines) == wanted == [{("correct", 1)}, {("correct", 2)}, {("correct", 2)}, {("wrong", 1)}]
    )


def test_who_is_asked_again_says_it_in_other_words_of_the_same_person(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [Line("Dings", "zahn", persona="p10"), Line("Krone", "zahn", persona="p10"), Line("Dings", "zahn")]
    assert plays(monkeypatch, *lines)[0] == {("correct", 2)}
    assert plays(monkeypatch, *lines)[2] == {("human", 2)}, "a stranger has no other words"
    assert plays(monkeypatch, *lines, parrots=1.0)[0] == {("human", 2)}


@pytest.mark.parametrize(
    ("line", "slip", "ends"),
    [
        (Line("Brücke", "pflege"), {"nods": 1.0}, {("wrong", 2)}),
        (Line("Brücke", "zahn"), {"denies": 1.0}, {("human", 3)}),
        (Line("Beides", "zahn"), {"mixes_up": 1.0}, {("wrong", 2)}),
        (Line("Beides", "karte"), {"nods": 1.0}, {("wrong", 2)}),
        (Line("Brücke", "zahn"), {"gives_up": 1.0}, {("human", 2)}),
        (Line("Brücke", "zahn"), {"silent": 1.0}, {("human", 3)}),
        (Line("Dings", "zahn"), {"unheard": 1.0}, {("human", 2)}),
        (Line("Pizza", "ausserhalb"), {}, {("correct", 2)}),
        (Line("Krone", "ausserhalb"), {}, {("wrong", 1)}),
        (Line("Einen Menschen", "mitarbeiter"), {}, {("correct", 1)}),
    ],
)
def test_what_a_slip_leads_to(
    monkeypatch: pytest.MonkeyPatch, line: Line, slip: dict[str, float], ends: set[tuple[str, int]]
) -> None:
    monkeypatch.setitem(BOOK._known, "Einen", ranking(zahn=0.9))
    assert plays(monkeypatch, line, **slip) == [ends]


def test_another_concern_of_the_right_department_is_taken_for_ones_own_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (ends,) = plays(monkeypatch, Line("Brille", "brille"))
    assert ends == {("correct", 2), ("human", 3)}


def test_the_same_callers_are_met_whatever_else_is_examined() -> None:
    lines = [Line("Brücke", "zahn", persona="p39"), Line("Beides", "karte", persona="p34")] * 10
    once = Simulation(prepared(lines, BOOK), POLICY).play(10)
    assert Simulation(prepared(lines, BOOK), POLICY).play(10) == once
    assert Simulation(prepared(lines, BOOK), POLICY).play(10, [3, 4]) == once[3:5]
    assert len({played.ending for several in once for played in several}) == 3, "people differ"


def test_every_manner_is_made_of_probabilities_that_leave_room_for_an_answer() -> None:
    for manner in MANNERS.values():
        assert all(0 <= getattr(manner, field.name) <= 1 for field in fields(Manner))
        assert manner.gives_up + manner.silent + manner.unheard < 0.5


def test_every_persona_of_the_corpus_has_a_manner() -> None:
    lines = [Line("Krone", "zahn", persona=f"p{number:02}") for number in range(1, 61)]
    groups = [one.group for one in prepared(lines, BOOK)]
    assert set(groups) == set(MANNERS)


def test_an_unknown_concern_is_told() -> None:
    with pytest.raises(CorpusError, match="`fremd`"):
        prepared([Line("Krone", "fremd")], BOOK)


def test_the_report_has_the_simulated_figures_with_intervals() -> None:
    lines = [Line("Krone", "zahn"), Line("Brücke", "zahn"), Line("Dings", "zahn"), Line("Krone", "pflege")]
    found = report(examine(lines, BOOK, POLICY))
    figures, intervals = found["simulated"], found["intervals"]
    assert isinstance(figures, dict)
    assert isinstance(intervals, dict)
    assert figures.keys() == {"correct", "human", "wrong", "turns"}
    assert figures["correct"] + figures["human"] + figures["wrong"] == pytest.approx(1)
    for name, value in figures.items():
        low, high = intervals[f"simulated.{name}"]
        assert low <= value <= high


def test_people_have_their_manners_also_those_nothing_is_learnt_from() -> None:
    lines = [Line("Krone", "zahn", persona=persona) for persona in ("p61", "p83", "p97", "p89", "p99", "p10", "p64")]
    groups = [one.group for one in prepared(lines, BOOK)]
    assert groups == ["old", "broken", "angry", "professional", "hurried", "professional", "plain"]
