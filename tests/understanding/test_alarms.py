"""The table of alarms counts what it says it counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from anruflotse.understanding import alarms
from anruflotse.understanding.corpus import Line
from anruflotse.understanding.policy import Thresholds
from anruflotse.understanding.seams import Ranked, Ranking


def ranking(**masses: float) -> Ranking:
    return Ranking(tuple(Ranked(name, name, mass) for name, mass in masses.items()), ())


LINES = [
    Line("Das ist ein Notfall", "notfall"),  # the rules know it
    Line("da stimmt etwas gar nicht mit ihm", "notfall"),  # only the classifier knows it, half
    Line("komm", "notfall"),  # nobody knows it
    Line("Zahnersatz", "zahnersatz"),
    Line("Rechnung für die Brille", "hilfsmittel"),  # the classifier takes it for an emergency
    Line("mein Knie, und jetzt auch noch das", "hilfsmittel", second="notfall"),  # either answer is right
]
RANKINGS = [
    ranking(notfall=0.1, leistung=0.9),
    ranking(notfall=0.4, leistung=0.6),
    ranking(notfall=0.0, leistung=1.0),
    ranking(notfall=0.0, leistung=1.0),
    ranking(notfall=0.95, leistung=0.05),
    ranking(notfall=0.95, leistung=0.05),
]


def test_counts_certain_asked_missed_and_false_alarms_of_each() -> None:
    rows = {row.by: row for row in alarms.alarms(LINES, RANKINGS, Thresholds(likely=0.3, likely_wish=0.3, sure=0.9))}
    assert {row.concern for row in rows.values()} == {"notfall"}
    assert (rows["rules"].certain, rows["rules"].asked, rows["rules"].missed) == (1, 0, 2)
    assert (rows["model"].certain, rows["model"].asked, rows["model"].missed) == (0, 1, 2)
    assert (rows["both"].certain, rows["both"].asked, rows["both"].missed) == (1, 1, 1)
    assert (rows["rules"].false_certain, rows["rules"].false_asked, rows["rules"].others) == (0, 0, 2)
    assert rows["model"].false_certain == 1
    # The rules know a bill for a look-alike: the classifier alone may make us ask, not act.
    assert (rows["both"].false_certain, rows["both"].false_asked) == (0, 1)


def test_recall_and_false_alarms_come_with_intervals() -> None:
    row = alarms.Row("notfall", "both", 40, 9, 1, 1, 1, 100)
    assert row.recall[0] == pytest.approx(0.98)
    assert row.recall[1] == pytest.approx((0.895, 0.996), abs=0.001)
    assert row.false[0] == pytest.approx(0.02)
    assert "recall  98.0% (89.5%-99.6%)" in alarms.table([row])


def test_prints_the_table_of_a_model(tmp_path: Path) -> None:
    file, catalogue = tmp_path / "held.jsonl", tmp_path / "c.yaml"
    file.write_text(
        '{"text": "Notarzt bitte", "intent": "notfall"}\n{"text": "Zahnersatz", "intent": "zahnersatz"}\n', "utf-8"
    )
    catalogue.write_text("anliegen: {zahnersatz: {abteilung: leistung}, mitarbeiter: {aktion: mensch}}", "utf-8")
    told: list[str] = []
    alarms.main(["--catalogue", str(catalogue), "--file", str(file)], told.append)
    assert sum("notfall" in line for line in told) == len(alarms.LIKELY) + len(alarms.SURE) - 1
    assert any("rules  certain    1 asked    0 missed    0" in line for line in told)
