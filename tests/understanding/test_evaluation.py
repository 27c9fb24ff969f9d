from __future__ import annotations

import numpy as np
import pytest

from anruflotse.understanding.corpus import Line
from anruflotse.understanding.errors import CorpusError
from anruflotse.understanding.evaluation import auroc, calibration_error, examine, play, report, wilson
from anruflotse.understanding.policy import Policy, Thresholds
from anruflotse.understanding.seams import Decision, DecisionKind, Ranked, Ranking

POLICY = Policy(Thresholds(route=0.8))
ZAHN, PFLEGE, KARTE = (
    Ranked("zahn", "leistungen", 0.9),
    Ranked("pflege", "pflegekasse", 0.05),
    Ranked("karte", "service", 0.05),
)
SURE = Ranking((ZAHN, PFLEGE, KARTE))


class Oracle:
    """Always sure of dental matters, whatever is said."""

    processor = None

    def rank(self, text: str) -> Ranking:
        return SURE


@pytest.mark.parametrize(
    ("department", "decision", "ending"),
    [
        ("leistungen", Decision(DecisionKind.ROUTE, (ZAHN,)), ("correct", 1)),
        ("pflegekasse", Decision(DecisionKind.ROUTE, (ZAHN,)), ("wrong", 1)),
        ("ausserhalb", Decision(DecisionKind.ROUTE, (ZAHN,)), ("wrong", 1)),
        ("leistungen", Decision(DecisionKind.CONFIRM, (ZAHN,)), ("correct", 2)),
        ("pflegekasse", Decision(DecisionKind.CONFIRM, (ZAHN,)), ("human", 2)),
        ("pflegekasse", Decision(DecisionKind.CHOOSE, (ZAHN, PFLEGE)), ("correct", 2)),
        ("service", Decision(DecisionKind.CHOOSE, (ZAHN, PFLEGE)), ("human", 2)),
        ("leistungen", Decision(DecisionKind.ASK_AGAIN), ("human", 2)),
        ("ausserhalb", Decision(DecisionKind.ASK_AGAIN), ("correct", 2)),
        ("notfall", Decision(DecisionKind.ASK_AGAIN), ("human", 2)),
        ("notfall", Decision(DecisionKind.EMERGENCY), ("correct", 1)),
        ("notfall", Decision(DecisionKind.EMERGENCY, certain=False), ("correct", 2)),
        ("leistungen", Decision(DecisionKind.HUMAN), ("human", 1)),
        ("leistungen", Decision(DecisionKind.HUMAN, certain=False), ("correct", 2)),
        ("pflegekasse", Decision(DecisionKind.OBJECTION, certain=False), ("wrong", 2)),
    ],
)
def test_a_dialogue_ends_as_it_must(department: str, decision: Decision, ending: tuple[str, int]) -> None:
    assert play(department, SURE, decision, POLICY) == ending


def test_the_report_counts_and_gives_intervals() -> None:
    lines = [
        Line("Krone", "zahn", "leistungen"),
        Line("Brücke", "zahn", "leistungen"),
        Line("Pflegegrad", "pflege", "pflegekasse"),
        Line("Pizza", "ausserhalb", "ausserhalb"),
        Line("Ich kriege keine Luft", "notfall", "notfall"),
        Line("Keine Aufnahme", "aufzeichnung", "aufzeichnung_aus"),
        Line("Einen Menschen bitte", "mitarbeiter", "mensch"),
        Line("so halt", "mitarbeiter", "mensch"),
    ]
    found = report(examine(lines, Oracle(), POLICY))
    assert found["n"] == 8
    assert found["intent_accuracy"] == found["department_accuracy"] == 2 / 8
    assert found["top2_department"] == 3 / 8
    assert found["routed"] == {"share": 5 / 8, "precision": 2 / 5}
    assert found["dialogue"] == {"correct": 5 / 8, "human": 0, "wrong": 3 / 8, "turns": 1.0}
    assert (found["emergency_recall"], found["objection_recall"], found["human_recall"]) == (1.0, 1.0, 0.5)
    assert found["out_of_scope"] == {"auroc": 0.5, "routed_wrongly": 1.0}
    assert found["ece"] == pytest.approx(0.9 - 0.25)
    intervals = found["intervals"]
    assert isinstance(intervals, dict)
    assert intervals["department_accuracy"] == [round(x, 4) for x in wilson(2, 8)]
    assert {"routed.precision", "dialogue.turns", "emergency_recall", "out_of_scope.auroc", "ece"} <= intervals.keys()


def test_what_has_no_cases_is_none() -> None:
    found = report(examine([Line("Krone", "zahn", "leistungen")], Oracle(), POLICY))
    assert found["emergency_recall"] is None
    assert found["out_of_scope"] == {"auroc": None, "routed_wrongly": None}


def test_a_line_without_department_takes_it_from_the_catalogue() -> None:
    (case,) = examine([Line("Krone", "zahn")], Oracle(), POLICY)
    assert case.department == "leistungen"


def test_an_unknown_concern_is_told() -> None:
    with pytest.raises(CorpusError, match="`fremd`"):
        examine([Line("Krone", "fremd")], Oracle(), POLICY)


def test_nothing_to_evaluate_is_told() -> None:
    with pytest.raises(CorpusError, match="not a single"):
        report([])


def test_wilson_agrees_with_the_textbook() -> None:
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_auroc_counts_pairs() -> None:
    scores, positive = np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])
    assert auroc(scores, positive) == 0.75
    assert auroc(np.zeros(4), positive) == 0.5


def test_calibration_error_is_the_mean_gap() -> None:
    assert calibration_error(np.array([0.95, 0.95, 0.15, 0.15]), np.array([True, True, False, False])) == pytest.approx(
        0.1
    )
