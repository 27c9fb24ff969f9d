"""The form of the safety table: how it counts, and that every fault is told with its line."""

from __future__ import annotations

from importlib import resources

import pytest

from anruflotse.understanding.errors import UnderstandingError
from anruflotse.understanding.safety_rules import ENOUGH, STORY, Sure, parse

TABLE = """\
mend:
  - ["\\\\bnot arzt\\\\b", "notarzt"]
fillers: [bitte]
bausteine:
  tier: "(?:hund|katze)"
emergency:
  certain: ["notarzt"]
  unless: ["rechnung"]
  signs:
    - name: "Blut"
      points: 2
      patterns: ["blut\\\\w*", "messer"]
    - name: "Jetzt"
      points: 1
      patterns: ["jetzt"]
    - name: "Straße"
      points: 3
      patterns: ["straße"]
    - name: "Tier"
      points: -3
      patterns: ["{tier}"]
suicidal: {}
objection: {}
human: {}
repeat: {}
yes: {words: [ja]}
no: {words: [nein]}
"""


def test_signs_count_once_and_are_enough_together() -> None:
    kind = parse(TABLE, "t.yaml").kinds["emergency"]
    assert kind.points("blut und blut und messer") == ENOUGH - 1
    assert kind.sure("blut und messer", "") == (Sure.NO, False)
    assert kind.sure("jetzt blut", "") == (Sure.LIKELY, False)
    assert kind.sure("jetzt blut am hund", "") == (Sure.NO, False)


def test_who_tells_a_long_story_needs_more_signs() -> None:
    kind = parse(TABLE, "t.yaml").kinds["emergency"]
    assert kind.sure("jetzt blut" + " und" * STORY, "")[0] is Sure.NO


def test_a_look_alike_costs_two_points_and_is_none_when_the_signs_are_many() -> None:
    kind = parse(TABLE, "t.yaml").kinds["emergency"]
    assert kind.sure("rechnung", "") == (Sure.NO, True)
    assert kind.sure("rechnung jetzt blut", "") == (Sure.NO, False)
    assert kind.sure("rechnung jetzt blut straße", "")[0] is Sure.LIKELY
    assert kind.sure("notarzt", "")[0] is Sure.CERTAIN
    assert kind.sure("rechnung notarzt", "") == (Sure.NO, True)
    assert kind.sure("rechnung notarzt jetzt blut", "")[0] is Sure.LIKELY


def test_mends_what_was_split_and_reads_both_spellings() -> None:
    rules = parse(TABLE, "t.yaml")
    assert rules.mend("der not arzt kommt") == "der notarzt kommt"
    assert rules.kinds["emergency"].points("strasse") == rules.kinds["emergency"].points("straße") == ENOUGH


@pytest.mark.parametrize(
    ("old", "new", "line", "wrong"),
    [
        ('certain: ["notarzt"]', 'certain: ["not(arzt"]', 7, "no regular expression"),
        ('certain: ["notarzt"]', 'certain: "notarzt"', 7, "a list is expected"),
        ('certain: ["notarzt"]', 'sicher: ["notarzt"]', 7, "`sicher` is not known"),
        ('certain: ["notarzt"]', "certain: [[notarzt]]", 7, "a text is expected"),
        ('certain: ["notarzt"]', 'certain: ["notarzt"', 8, "not YAML"),
        ("points: 2", "points: viele", 11, "`viele` are no points"),
        ("points: 1", "points: 0", 14, "`0` are no points"),
        ('"{tier}"', '"{vogel}"', 21, "no building block {vogel}"),
        ('name: "Blut"', 'titel: "Blut"', 10, "a sign has name, points and patterns"),
        ('patterns: ["jetzt"]', "patterns: []", 15, "needs a pattern"),
        ('"notarzt"]\nfillers', '"\\\\2"]\nfillers', 2, "names a group"),
        ('["\\\\bnot arzt\\\\b", "notarzt"]', "[nichts]", 2, "a mend is"),
        ("human: {}", "humans: {}", None, "`human` is missing"),
        ("human: {}", "human: {}\nhumans: {}", 25, "`humans` is not known"),
        ("human: {}", "human: {}\nhuman: {}", 25, "there twice"),
        ("human: {}", "human: []", 24, "names with contents"),
    ],
)
def test_tells_a_fault_with_its_line(old: str, new: str, line: int | None, wrong: str) -> None:
    assert old in TABLE
    with pytest.raises(UnderstandingError) as caught:
        parse(TABLE.replace(old, new, 1), "t.yaml")
    told = str(caught.value)
    assert told.startswith("t.yaml" + (f", line {line}:" if line else ":"))
    assert wrong in told


@pytest.mark.parametrize("raw", ["", "nur text", "- eins", "\x00"])
def test_tells_what_is_no_table_at_all(raw: str) -> None:
    with pytest.raises(UnderstandingError, match=r"^t\.yaml"):
        parse(raw, "t.yaml")


def test_the_shipped_table_has_signs_for_and_against_each_alarm() -> None:
    raw = resources.files("anruflotse.understanding").joinpath("data/safety.de.yaml").read_text(encoding="utf-8")
    rules = parse(raw, "safety.de.yaml")
    for kind in ("emergency", "objection", "human"):
        assert any(points >= ENOUGH for points, _ in rules.kinds[kind].signs)
        assert any(points < 0 for points, _ in rules.kinds[kind].signs)
