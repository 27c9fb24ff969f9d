"""The concerns of a catalogue: what an operator may write, and where the complaint stands when it cannot be meant."""

from __future__ import annotations

import pytest

from anruflotse.departments import load, shipped
from anruflotse.yamlshape import ShapeError

FILE = """\
version: 1
mensch: {ziele: ["sip:m@10.0.0.1"]}
abteilungen:
  eins: {name: "Eins", beschreibung: "a", ziele: ["sip:1@10.0.0.1"]}
  zwei: {name: "Zwei", beschreibung: "b", ziele: ["sip:2@10.0.0.1"]}
aktionen: {mensch: a, notfall: b, aufzeichnung_aus: c, nachfragen: d}
anliegen:
  karte:
    abteilung: eins
    name: "Karte"
    beschreibung: "Karte verloren"
    ansage: "Ihre Karte"
    stichworte: [Chipkarte, Lichtbild]
    gegenstichworte: [Bankkarte]
    beispiele:
      - "Der Chip geht nicht"
      - "Ich habe die Karte verloren"
    aktiv: true
  pflege:
    abteilung: zwei
    name: "Pflege"
    beschreibung: "Pflegegrad"
    ansage: "die Pflege"
    stichworte: [Pflegegrad]
    beispiele: ["Meine Oma braucht Hilfe"]
  mensch: {abteilung: mensch, aktion: mensch, name: "Mensch", beschreibung: "m", sonder: true}
  not: {abteilung: notfall, aktion: notfall, name: "Not", beschreibung: "n", sonder: true}
  aus: {abteilung: aufzeichnung_aus, aktion: aufzeichnung_aus, name: "Aus", beschreibung: "a", sonder: true}
  sonst: {abteilung: ausserhalb, aktion: nachfragen, name: "Sonst", beschreibung: "s", sonder: true}
"""


def test_everything_an_operator_may_say_about_a_concern_is_read() -> None:
    karte, pflege = list(load(FILE).concerns.values())[:2]
    assert karte.keywords == ("Chipkarte", "Lichtbild")
    assert karte.counter_keywords == ("Bankkarte",)
    assert karte.examples == ("Der Chip geht nicht", "Ich habe die Karte verloren")
    assert karte.enabled
    assert (pflege.counter_keywords, pflege.enabled) == ((), True)
    assert load(FILE).remarks == ()


def test_a_concern_can_be_switched_off_and_its_words_are_no_longer_expected() -> None:
    found = load(FILE.replace("aktiv: true", "aktiv: false"))
    assert not found.concerns["karte"].enabled
    assert "Chipkarte" in load(FILE).vocabulary()
    assert "Chipkarte" not in found.vocabulary()


WRONG: list[tuple[str, str, int, int, str]] = [
    ("abteilung: eins", "abteilung: einz", 9, 16, "Did you mean `eins`?"),
    ("aktiv: true", "aktiv: nein", 18, 12, "expected `true` or `false`"),
    ("gegenstichworte", "gegenstichwort", 14, 5, "Did you mean `gegenstichworte`?"),
    ("[Chipkarte, Lichtbild]", '[Chipkarte, ""]', 13, 29, "nothing between the quotes"),
    ("[Chipkarte, Lichtbild]", '[Chipkarte, "?!"]', 13, 29, "no letter and no digit"),
    ("[Chipkarte, Lichtbild]", "[Chipkarte, 12]", 13, 29, "Put it into quotes"),
    ("Lichtbild", "x" * 61, 13, 29, "this has 61 letters. Allowed: 60"),
    ("[Bankkarte]", "Bankkarte", 14, 22, "expected a list"),
    ("[Bankkarte]", "[chipkarte]", 14, 23, "stands in `stichworte` too (line 13)"),
    ('"Ihre Karte"', f'"{"x" * 121}"', 12, 13, "Allowed: 120"),
    ('"Der Chip geht nicht"', '" "', 16, 9, "nothing between the quotes"),
    ('"Der Chip geht nicht"', f'"{"x" * 601}"', 16, 9, "Allowed: 600"),
    ('"Meine Oma braucht Hilfe"', '"der Chip geht nicht."', 25, 17, "example of `karte` too (line 16)"),
    ('beschreibung: "m", ', 'beschreibung: "m", aktiv: false, ', 26, 89, "cannot be switched off"),
    ('beschreibung: "m", ', 'beschreibung: "m", gegenstichworte: [x], ', 26, 100, "takes no `gegenstichworte`"),
]


@pytest.mark.parametrize(("right", "wrong", "line", "column", "told"), WRONG)
def test_complaints(right: str, wrong: str, line: int, column: int, told: str) -> None:
    assert right in FILE
    with pytest.raises(ShapeError) as caught:
        load(FILE.replace(right, wrong, 1))
    assert told in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, column)


REMARKS: list[tuple[str, str, int, int, str]] = [
    ("[Pflegegrad]", "[Pflegegrad, chipkarte]", 24, 30, "a keyword of `karte` as well (line 13)"),
    ("[Pflegegrad]", "[Pflegegrad, pflegegrad]", 24, 30, "stands twice"),
    ("[Pflegegrad]", "[Pflegegrad, Feuer]", 24, 30, "brings nobody to `pflege`"),
    ('["Meine Oma braucht Hilfe"]', '["Es brennt Feuer"]', 25, 17, "teaches nothing"),
    ('["Meine Oma braucht Hilfe"]', '["Oma fragt", "oma fragt!"]', 25, 30, "stands twice (first on line 25)"),
]


@pytest.mark.parametrize(("right", "wrong", "line", "column", "told"), REMARKS)
def test_remarks_about_what_works_but_helps_nobody(right: str, wrong: str, line: int, column: int, told: str) -> None:
    (remark,) = load(FILE.replace(right, wrong, 1), hears=lambda words: "Feuer" in words).remarks
    assert remark.startswith(f"departments.de.yaml, line {line}, column {column}: ")
    assert told in remark


def test_a_keyword_of_a_concern_that_is_switched_off_may_be_used_elsewhere() -> None:
    text = FILE.replace("aktiv: true", "aktiv: false").replace("[Pflegegrad]", "[Pflegegrad, Chipkarte]")
    assert load(text).remarks == ()


def test_the_shipped_catalogue_needs_no_remark() -> None:
    assert load(shipped()).remarks == ()
