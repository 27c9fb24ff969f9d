"""The register of processors as a file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from anruflotse.processors import EEA, Category, load, shipped
from anruflotse.yamlshape import ShapeError

FILE = """\
version: 1
dienstleister:
  stimme:
    name: "Stimme GmbH"
    leistung: "Spracherkennung"
    datenkategorien: [sprachaufnahme, transkript]
    kontakt: "Frau Muster"
    vereinbarung:
      datum: 2026-01-15
      gueltig_ab: 2026-02-01
      gueltig_bis: 2026-12-31
      datenkategorien: [sprachaufnahme]
      orte: [DE, AT]
      fundstelle: "Akte 1"
"""


def test_shipped_register_claims_no_agreement() -> None:
    register = load()
    assert [entry.name for entry in register.values()] == ["Aristech GmbH", "vitaservices GmbH & Co. KG"]
    assert all(entry.agreement is None and entry.contact is None for entry in register.values())
    assert register["aristech"].categories == {Category.AUDIO, Category.TEXT, Category.PROMPTS}
    assert register["vitaservices"].categories == {Category.CALL}


def test_every_category_is_explained_in_the_shipped_file() -> None:
    for category in Category:
        assert f"#   {category} " in shipped()


def test_the_example_in_the_shipped_file_can_be_used(tmp_path: Path) -> None:
    lines = shipped().splitlines()
    start = lines.index("#   vereinbarung:")
    end = next(index for index, line in enumerate(lines) if line == "#" and index > start)
    example = [line.removeprefix("#").replace("   ", "    ", 1) for line in lines[start:end]]
    file = tmp_path / "register.yaml"
    file.write_text(shipped().replace("    vereinbarung: null", "\n".join(example), 1), encoding="utf-8")
    agreement = load(file)["aristech"].agreement
    assert agreement is not None
    assert (agreement.signed, agreement.begins, agreement.until) == (
        date(2026, 1, 15),
        date(2026, 2, 1),
        date(2027, 12, 31),
    )
    assert [(sub.name, sub.place) for sub in agreement.subprocessors] == [("Rechenzentrum Beispiel AG", "DE")]


def test_an_agreement_is_read() -> None:
    entry = load(FILE)["stimme"]
    assert entry.contact == "Frau Muster"
    agreement = entry.agreement
    assert agreement is not None
    assert agreement.categories == {Category.AUDIO}
    assert agreement.places == ("DE", "AT")
    assert agreement.reference == "Akte 1"
    assert agreement.subprocessors == ()


def test_subprocessors_are_read_with_their_place() -> None:
    subs = '      unterauftragnehmer: [{name: "Rechner AG", ort: AT}, {name: "Leitung KG", ort: NO}]\n'
    agreement = load(FILE + subs)["stimme"].agreement
    assert agreement is not None
    assert [(sub.name, sub.place) for sub in agreement.subprocessors] == [("Rechner AG", "AT"), ("Leitung KG", "NO")]
    assert agreement.all_places == ("DE", "AT", "NO")


@pytest.mark.parametrize("end", ["", "      gueltig_bis: null\n"])
def test_an_agreement_may_have_no_end(end: str) -> None:
    agreement = load(FILE.replace("      gueltig_bis: 2026-12-31\n", end))["stimme"].agreement
    assert agreement is not None
    assert agreement.until is None
    assert agreement.in_force(date(2999, 1, 1))


def test_the_eea_has_thirty_states() -> None:
    assert len(EEA) == 30
    assert {"DE", "NO", "IS", "LI"} <= EEA
    assert not {"CH", "GB", "US"} & EEA


@pytest.mark.parametrize(
    ("right", "wrong", "line", "column", "told"),
    [
        ("version: 1", "version: '1'", 1, 10, "whole number"),
        ("  stimme:", "  Stimme:", 3, 3, "cannot be a key"),
        ("leistung", "leistungen", 5, 5, "Did you mean `leistung`?"),
        ("[sprachaufnahme, transkript]", "[sprachaufnahmen]", 6, 23, "Did you mean `sprachaufnahme`?"),
        ("[sprachaufnahme, transkript]", "[]", 6, 22, "at least one kind"),
        ('    kontakt: "Frau Muster"\n', "", 4, 5, "`kontakt` is missing"),
        ("2026-01-15", "15.01.2026", 9, 14, "written as 2026-01-31"),
        ("2026-02-01", "2026-02-30", 10, 19, "not a day"),
        ("2026-02-01", "2025-02-01", 10, 19, "before it was signed"),
        ("2026-12-31", "2026-01-31", 11, 20, "before it begins"),
        ("[DE, AT]", "[DE, Austria]", 13, 18, "`Austria` is not a state"),
        ("[DE, AT]", "[]", 13, 13, "at least one state"),
        ('      fundstelle: "Akte 1"\n', "", 9, 7, "`fundstelle` is missing"),
        ("[sprachaufnahme]", "[sprachaufnahme, anruf]", 12, 41, "which the service does not need"),
        ("fundstelle:", "unterauftragnehmer: [{name: x}]\n      fundstelle:", 14, 28, "`ort` is missing"),
        ("fundstelle:", "unterauftragnehmer: [{name: x, ort: Wien}]\n      fundstelle:", 14, 43, "not a state"),
    ],
)
def test_complaints(right: str, wrong: str, line: int, column: int, told: str) -> None:
    assert right in FILE
    with pytest.raises(ShapeError) as caught:
        load(FILE.replace(right, wrong, 1))
    assert told in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, column)
