"""What counts as right, what as changed, and when a department fell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anruflotse.understanding import comparing, corpus
from anruflotse.understanding.comparing import Count, Task
from anruflotse.understanding.corpus import Line
from anruflotse.understanding.policy import Policy, Thresholds
from anruflotse.understanding.seams import Ranked, Ranking
from anruflotse.understanding.terms import Terms, acted_upon

POLICY = Policy(Thresholds())


class Fixed:
    """Ranks every text the same."""

    processor: None = None

    def __init__(self, *ranked: tuple[str, float]) -> None:
        self._ranking = Ranking(tuple(Ranked(name, name, share) for name, share in ranked))

    def rank(self, text: str) -> Ranking:
        return self._ranking


SURE_A, SURE_B = Fixed(("a", 0.95), ("b", 0.05)), Fixed(("b", 0.95), ("a", 0.05))
BOTH = Fixed(("b", 0.45), ("a", 0.44), ("ausserhalb", 0.11))


@pytest.mark.parametrize(
    ("classifier", "department", "told", "right", "ranked"),
    [
        (SURE_A, "a", "route a", True, True),
        (SURE_B, "a", "route b", False, False),
        (BOTH, "a", "choose b", True, False),
        (Fixed(("ausserhalb", 0.9), ("a", 0.1)), "ausserhalb", "ask_again", True, True),
        (Fixed(("ausserhalb", 0.9), ("a", 0.1)), "a", "ask_again", False, False),
        (Fixed(("notfall", 0.99), ("a", 0.01)), "notfall", "emergency", True, True),
        (Fixed(("notfall", 0.99), ("a", 0.01)), "a", "emergency", False, False),
    ],
)
def test_what_counts_as_right(classifier: Fixed, department: str, told: str, right: bool, ranked: bool) -> None:
    answer = comparing.answer(Task("Ein Satz", department, department), classifier, POLICY)
    assert (str(answer), answer.right, answer.ranked) == (told, right, ranked)


def test_changes_and_counts_are_by_concern_and_examples_apart() -> None:
    asked = [Task("Eins", "a", "a"), Task("Zwei", "b", "b"), Task("Drei", "b", "b", example=True)]
    found = comparing.compare(asked, SURE_A, SURE_B, POLICY)
    assert (found.all, found.concerns["a"], found.concerns["b"]) == (Count(2, 1, 1), Count(1, 1, 0), Count(1, 0, 1))
    assert found.examples == {"b": Count(1, 0, 1)}
    assert [change.task.text for change in found.changes] == ["Eins", "Zwei", "Drei"]
    assert comparing.compare(asked, SURE_A, SURE_A, POLICY).changes == ()


@pytest.mark.parametrize(
    ("count", "fell"),
    [(Count(100, 90, 80), True), (Count(100, 90, 85), False), (Count(3, 3, 2), False), (Count(0, 0, 0), False)],
)
def test_a_department_fell_when_it_lies_below_the_interval_of_what_it_was(count: Count, fell: bool) -> None:
    """90 of 100 have the Wilson interval 82.6 to 94.5 %, 3 of 3 begin at 43.9 %."""
    assert count.fell() is fell


def test_tasks_follow_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("Eins", "a"), ("Zwei", "off"), ("Drei", "gone"), ("Vier", "notfall")]
    file = tmp_path / "f.jsonl"
    file.write_text("".join(json.dumps({"text": text, "intent": concern}) + "\n" for text, concern in rows))
    monkeypatch.setattr(corpus, "HELD_OUT", file)
    monkeypatch.setattr(corpus, "HELD_OUT_MISHEARD", tmp_path / "none")
    terms = Terms({"a": "eins", "off": "zwei"}, disabled=frozenset({"off"}))
    assert comparing.tasks(terms, [Line("Fünf", "a")]) == [
        Task("Eins", "a", "eins"),
        Task("Zwei", "off", "ausserhalb"),
        Task("Vier", "notfall", "notfall"),
        Task("Fünf", "a", "eins", example=True),
    ]


def test_terms_are_remembered_as_they_were() -> None:
    terms = Terms({"a": "eins"}, {"a": ("Wort",)}, {"a": ("Gegenwort",)}, frozenset({"b"}))
    assert Terms.from_json(json.loads(json.dumps(terms.as_json()))) == terms


@pytest.mark.parametrize("told", [None, [], {}, {"departments": 1}, {"departments": {}, "keywords": {"a": 1}}])
def test_damaged_terms_are_none(told: object) -> None:
    assert Terms.from_json(told) is None


def test_what_the_safety_rules_act_upon() -> None:
    assert acted_upon("Ich habe einen Herzinfarkt")
    assert not acted_upon("Ich brauche eine Krone")
