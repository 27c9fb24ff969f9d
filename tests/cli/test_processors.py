"""`anruflotse processors`: what an officer reads, and what a script checks."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from anruflotse import cli
from anruflotse.clock import SystemClock
from anruflotse.processors import day_in_germany
from tests.app.agreements import AGREED, BEGINS, NONE, UNTIL, write
from tests.app.catalogues import with_overflow

ENDLESS = AGREED.replace(f"gueltig_bis: {UNTIL}, ", "")
TODAY = day_in_germany(SystemClock().now())


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    with_overflow(tmp_path / "departments.yaml", "stimme")
    (tmp_path / "anruflotse.yaml").write_text(
        "processors: {agreements: register.yaml}\ndepartments: {catalogue: departments.yaml}\n", "utf-8"
    )
    return write(tmp_path / "register.yaml", ENDLESS)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(("processors", *arguments))
    assert isinstance(caught.value.code, int)
    return caught.value.code


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run("--json", *arguments) == 0
    (line,) = capsys.readouterr().out.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


@pytest.mark.parametrize(
    ("agreement", "state", "code"),
    [
        (NONE, "no_agreement", 1),
        (ENDLESS, "in_force", 0),
        (ENDLESS.replace(str(BEGINS), str(TODAY + timedelta(1))), "not_yet_in_force", 1),
        (AGREED.replace(str(UNTIL), str(TODAY)), "ends_soon", 0),
        (AGREED.replace(str(UNTIL), str(TODAY - timedelta(1))), "expired", 1),
        (ENDLESS.replace("[DE]", "[DE, US]"), "outside_eea", 1),
    ],
)
def test_every_state_is_told_and_checked(
    site: Path, capsys: pytest.CaptureFixture[str], agreement: str, state: str, code: int
) -> None:
    write(site, agreement)
    assert shown(capsys)["state"] == state
    assert run("--check") == code


def test_what_is_refused_says_why_and_what_to_do(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(site, NONE)
    (refused,) = shown(capsys)["refused"]
    assert (refused["by"], refused["category"]) == ("overflow of pflegekasse", "anruf")
    assert "Enter the agreement" in refused["reason"]
    assert run() == 0
    text = capsys.readouterr().out
    assert "Stimme GmbH (stimme): no_agreement" in text
    assert "→ refused, overflow of pflegekasse: Stimme GmbH may not be used" in text


def test_an_agreement_is_shown_with_all_that_was_entered(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(site, ENDLESS.replace("orte:", "unterauftragnehmer: [{name: Rechner AG, ort: AT}], orte:"))
    assert shown(capsys) == {
        "key": "stimme",
        "name": "Stimme GmbH",
        "service": "Spracherkennung und Überlauf",
        "categories": ["anruf", "ansagetexte", "sprachaufnahme", "transkript"],
        "contact": None,
        "state": "in_force",
        "agreement": {
            "signed": "2026-01-15",
            "in_force_from": "2026-02-01",
            "in_force_until": None,
            "categories": ["anruf", "ansagetexte", "sprachaufnahme", "transkript"],
            "places": ["DE"],
            "reference": "Akte 1",
            "subprocessors": [{"name": "Rechner AG", "place": "AT"}],
        },
        "used_by": ["overflow of pflegekasse"],
        "refused": [],
    }
    assert run() == 0
    text = capsys.readouterr().out
    assert "of 2026-01-15, in force from 2026-02-01 until further notice, Akte 1" in text
    assert "passes on:  Rechner AG in AT" in text


def test_as_shipped_nobody_has_an_agreement_and_nothing_needs_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("--check", "--json") == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(entry["name"], entry["state"], entry["used_by"]) for entry in found] == [
        ("Aristech GmbH", "no_agreement", []),
        ("vitaservices GmbH & Co. KG", "no_agreement", []),
    ]


def test_a_damaged_register_is_named_with_its_place(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site.write_text("version: 1\ndienstleister: []\n", "utf-8")
    assert run() == 2
    assert "register.yaml, line 2, column 16" in capsys.readouterr().err
