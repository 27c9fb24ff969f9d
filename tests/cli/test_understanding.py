from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from anruflotse.cli import understanding
from anruflotse.understanding.errors import CorpusError
from tests.understanding.llm_server import says, serving


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    understanding.register(app)
    return app


def run(app: typer.Typer, *arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_understand_says_what_would_be_done(app: typer.Typer, tmp_path: Path) -> None:
    result = run(
        app,
        "understand",
        "Ich brauche eine neue Gesundheitskarte",
        "Keine Aufnahme bitte",
        "--json",
        "--data",
        tmp_path,
    )
    assert result.exit_code == 0, result.output
    card, objection = map(json.loads, result.stdout.splitlines())
    assert {"text", "ranking", "decision", "department", "evidence"} <= card.keys()
    assert (card["decision"], card["department"]) == ("route", "kundenservice")
    assert card["ranking"][0]["concern"] == "gesundheitskarte"
    assert sum(entry["probability"] for entry in card["ranking"]) == pytest.approx(1, abs=0.01)
    assert (objection["decision"], objection["department"], objection["certain"]) == ("objection", None, True)


def test_understand_reads_a_file_and_speaks_to_people(app: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "f.jsonl"
    file.write_text('{"text": "Zahnspange"}\n')
    result = run(app, "understand", "--file", file, "--data", tmp_path)
    assert result.exit_code == 0, result.output
    assert "zahnersatz (leistungen)" in result.stdout


@pytest.mark.parametrize("arguments", [[], ["Karte", "--file", "f.jsonl"]])
def test_understand_wants_sentences_or_a_file(app: typer.Typer, arguments: list[str]) -> None:
    assert run(app, "understand", *arguments).exit_code == 2


def test_understand_names_the_malformed_line(app: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "f.jsonl"
    file.write_text('{"text": "a"}\n{"txt": "b"}\n')
    result = run(app, "understand", "--file", file, "--data", tmp_path)
    assert isinstance(result.exception, CorpusError)
    assert "line 2" in str(result.exception)


def test_the_operators_threshold_wins(app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANRUFLOTSE_UNDERSTANDING__ROUTE", "1.0")
    result = run(app, "understand", "Ich brauche eine neue Gesundheitskarte", "--json", "--data", tmp_path)
    assert json.loads(result.stdout)["decision"] == "confirm"


def test_evaluate_gives_the_figures(app: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "exam.jsonl"
    rows = [
        {"text": "Ich brauche eine neue Gesundheitskarte", "intent": "gesundheitskarte", "department": "kundenservice"},
        {"text": "Ich kriege keine Luft", "intent": "notfall", "department": "notfall"},
        {"text": "Ich kriege keine Luft", "intent": "notfall"},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = run(app, "evaluate", "understanding", "--file", file, "--json", "--data", tmp_path)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["n"] == 3
    assert found["emergency_recall"] == 1
    assert found["intervals"]["emergency_recall"][0] < 1
    assert "department_accuracy" in run(app, "evaluate", "understanding", "--file", file, "--data", tmp_path).stdout


def test_understand_says_why(app: typer.Typer, tmp_path: Path) -> None:
    words = ("Ich brauche eine neue Gesundheitskarte", "Keine Aufnahme bitte")
    result = run(app, "understand", *words, "--json", "--data", tmp_path)
    card, objection = (json.loads(line)["explanation"] for line in result.stdout.splitlines())
    assert card["zone"] == "route"
    assert [one["name"] for one in card["thresholds"]] == ["route", "outside"]
    assert card["thresholds"][0]["found"] >= card["thresholds"][0]["at"]
    assert card["model"]
    assert card["words"]
    assert objection["zone"] == "safety"
    assert any(rule.startswith("objection.") for rule in objection["rules"])
    people = run(app, "understand", *words, "--data", tmp_path).stdout
    assert "zone route: route " in people
    assert "safety rules: objection." in people
    assert f"model {card['model']}" in people


def test_understand_asks_our_own_language_model_and_no_processors(app: typer.Typer, tmp_path: Path) -> None:
    for processor, asked in (("null", 1), ("stimme", 0)):
        with serving(says("keines")) as server:
            file = tmp_path / "settings.yaml"
            llm = f"{{url: '{server.url}', model: m, timeout_seconds: 5, processor: {processor}}}"
            file.write_text(f"understanding: {{route: 1.0, outside: 1.0, llm: {llm}}}\n")
            unsure = "ja also da ist so ein Brief gekommen wegen dem Antrag und dem Geld"
            result = run(app, "understand", unsure, "--json", "--config", file, "--data", tmp_path)
        assert result.exit_code == 0, result.output
        assert len(server.asked) == asked
        assert json.loads(result.stdout)["explanation"]["opinion"] == ("keines" if asked else "")


def test_two_concerns_are_told_as_the_voicebot_would_take_them(app: typer.Typer, tmp_path: Path) -> None:
    said = "Ich brauche Krankengeld und außerdem eine neue Versichertenkarte"
    found = json.loads(run(app, "understand", said, "--data", tmp_path, "--json").stdout)
    assert (found["decision"], found["concerns"], found["second"]) == ("route", ["krankengeld"], "gesundheitskarte")


def test_a_department_the_catalogue_does_not_have_is_told(app: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "exam.jsonl"
    file.write_text(
        '{"text": "Ich brauche eine neue Karte", "intent": "gesundheitskarte", "department": "quatsch"}\n' * 3
    )
    result = run(app, "evaluate", "understanding", "--file", file, "--data", tmp_path, "--json")
    assert "no department quatsch" in result.stderr
    assert json.loads(result.stdout)["department_accuracy"] == 0.0
