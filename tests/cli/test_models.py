"""An operator's edit, from the catalogue to what callers get, and back again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from anruflotse import departments
from anruflotse.cli import models, understanding
from anruflotse.understanding import corpus
from anruflotse.understanding.errors import CorpusError, VersionError
from anruflotse.yamlshape import ShapeError

WANTED = ("gesundheitskarte", "zahnersatz", "pflege", "bonus_praevention", "ausserhalb", "notfall", "mitarbeiter")
NEW_CONCERN = """\
  kantine:
    abteilung: kantine
    name: "Kantine"
    beschreibung: "Speiseplan, Mittagstisch, Essensmarken"
    ansage: "die Kantine"
    stichworte: [Mittagstisch]
    beispiele:
      - "Was gibt es heute in der Kantine zu essen"
      - "Ich habe meine Essensmarken für die Kantine verloren"
      - "Wann öffnet die Kantine für den Mittagstisch"
"""
NEW_DEPARTMENT = """\
  kantine:
    name: "Kantine"
    beschreibung: "Essen"
    ziele: ["sip:kantine@127.0.0.1:5090"]
"""


@pytest.fixture(scope="module")
def sentences() -> dict[str, list[corpus.Line]]:
    """Some sentences of a few concerns, so that training takes a second: to learn from, and to compare on."""
    found: dict[str, list[corpus.Line]] = {}
    for line in corpus.read(corpus.SHIPPED[:3]):
        if line.concern in WANTED:
            found.setdefault(line.concern, []).append(line)
    return {
        "learn": [line for lines in found.values() for line in lines[:15]],
        "compare": [line for lines in found.values() for line in lines[15:25]],
    }


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sentences: dict[str, list[corpus.Line]]) -> Path:
    """A data directory beside a small corpus and a copy of the shipped catalogue."""
    for name, lines in sentences.items():
        rows = [json.dumps({"text": line.text, "intent": line.concern}) + "\n" for line in lines]
        (tmp_path / f"{name}.jsonl").write_text("".join(rows))
    monkeypatch.setattr(corpus, "SHIPPED", (tmp_path / "learn.jsonl",))
    monkeypatch.setattr(corpus, "HELD_OUT", tmp_path / "compare.jsonl")
    monkeypatch.setattr(corpus, "HELD_OUT_MISHEARD", tmp_path / "none.jsonl")
    (tmp_path / "catalogue.yaml").write_text(departments.shipped(), "utf-8")
    monkeypatch.setenv("ANRUFLOTSE_DEPARTMENTS__CATALOGUE", str(tmp_path / "catalogue.yaml"))
    return tmp_path / "data"


def run(data: Path, *arguments: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    understanding.register(app)
    models.register(app)
    return CliRunner().invoke(app, [*arguments, "--data", str(data)])


def told(data: Path, *arguments: str) -> list[dict[str, object]]:
    result = run(data, *arguments, "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    return [json.loads(line) for line in result.stdout.splitlines()]


def edit(data: Path, old: str, new: str) -> None:
    file = data.parent / "catalogue.yaml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


def understood(data: Path, text: str) -> dict[str, object]:
    return told(data, "understand", text)[0]


def test_a_new_department_is_learnt_shown_approved_and_taken_back(data: Path) -> None:
    question = "Wann gibt es Essen in der Kantine"
    (base, *_) = told(data, "train", "--approve", "--by", "frau.beispiel")
    assert understood(data, question)["department"] != "kantine"
    edit(data, "abteilungen:\n", f"abteilungen:\n{NEW_DEPARTMENT}")
    edit(data, "anliegen:\n", f"anliegen:\n{NEW_CONCERN}")
    summary, *changes = told(data, "train", "--no-approve")
    assert (summary["before"], summary["approved"]) == (base["version"], False)
    assert summary["examples"]["kantine"]["n"] == 3  # type: ignore[index]
    assert summary["examples"]["kantine"]["now"] == 1  # type: ignore[index]
    changed = [change for change in changes if change["concern"] == "kantine"]
    assert changed
    assert all(change["example"] and change["right_now"] and not change["right_before"] for change in changed)
    assert summary["changed"] == len(changes)
    assert understood(data, question)["model"] == base["version"]
    version = str(summary["version"])
    assert told(data, "models", "approve", version)[0]["before"] == base["version"]
    answer = understood(data, question)
    assert (answer["model"], answer["ranking"][0]["concern"]) == (version, "kantine")  # type: ignore[index]
    listed = {row["version"]: row for row in told(data, "models", "list")}
    assert listed[version]["state"] == "in_force"
    assert listed[base["version"]]["state"] == "retired"
    assert listed[base["version"]]["approved_by"] == "frau.beispiel"
    assert told(data, "models", "rollback")[0]["version"] == base["version"]
    assert understood(data, question)["model"] == base["version"]
    compared, *rows = told(data, "models", "diff", str(base["version"]), version)
    assert (compared["changed"], len(rows)) == (summary["changed"], len(changes))


def test_a_version_takes_force_by_itself_when_nothing_is_worse(data: Path) -> None:
    told(data, "train", "--approve")
    edit(
        data, "stichworte: [Zahnarzt,", 'beispiele: ["Die Flugscheibe klemmt"]\n    stichworte: [Flugscheibe, Zahnarzt,'
    )
    result = run(data, "train")
    assert result.exit_code == 0, result.output
    assert "is in force: no department is understood worse" in result.stdout
    assert "examples: zahnersatz" in result.stdout
    assert understood(data, "Die Flugscheibe klemmt")["ranking"][0]["concern"] == "zahnersatz"  # type: ignore[index]


def test_a_version_that_understands_a_department_worse_stays_a_candidate(data: Path) -> None:
    (base, *_) = told(data, "train", "--approve")
    lines = (data.parent / "learn.jsonl").read_text().splitlines()
    spoilt = [line.replace('"intent": "pflege"', '"intent": "zahnersatz"') for line in lines]
    (data.parent / "learn.jsonl").write_text("\n".join(spoilt) + "\n")
    result = run(data, "train")
    assert result.exit_code == 1
    assert "NOT in force" in result.stdout
    assert "pflegekasse" in result.stdout
    assert understood(data, "Pflegegrad")["model"] == base["version"]
    states = [row["state"] for row in told(data, "models", "list")]
    assert states == ["retired", "in_force", "candidate"]


def test_a_concern_that_is_switched_off_asks_again_instead_of_offering_its_neighbour(data: Path) -> None:
    (base, *_) = told(data, "train", "--approve")
    text = next(line.text for line in corpus.read([corpus.HELD_OUT]) if line.concern == "bonus_praevention")
    assert "bonus_praevention" in str(understood(data, text)["ranking"])
    edit(data, 'ansage: "Bonus oder Gesundheitskurse"', 'ansage: "Bonus"\n    aktiv: false')
    summary, *changes = told(data, "train", "--approve")
    assert summary["before"] == base["version"]
    ended = [change for change in changes if change["concern"] == "bonus_praevention"]
    assert ended
    assert {change["department"] for change in ended} == {"ausserhalb"}
    answer = understood(data, text)
    assert "bonus_praevention" not in str(answer["ranking"])
    assert answer["department"] != "praevention"


def test_a_counter_keyword_speaks_against_its_concern(data: Path) -> None:
    told(data, "train", "--approve")

    def karte() -> float:
        ranking = understood(data, "Es geht um die Kundenkarte vom Baumarkt")["ranking"]
        return float(next(r["probability"] for r in ranking if r["concern"] == "gesundheitskarte"))  # type: ignore[attr-defined]

    before = karte()
    edit(data, "stichworte: [Versichertenkarte,", "gegenstichworte: [Kundenkarte]\n    stichworte: [Versichertenkarte,")
    assert karte() < before


def test_the_same_data_gives_the_same_files(data: Path) -> None:
    """With an empty cache and with a full one, byte by byte."""
    versions = [str(told(data, "train", "--no-approve")[0]["version"]) for _ in range(2)]
    hashes = [
        {
            file.name: hashlib.sha256(file.read_bytes()).hexdigest()
            for file in (data / understanding.MODELS / version).glob("*.npz")
        }
        for version in versions
    ]
    assert versions[0] != versions[1]
    assert hashes[0] == hashes[1]
    assert "heads.npz" in hashes[0]
    assert told(data, "models", "diff", *versions)[0]["changed"] == 0


def test_own_sentences_count_and_those_of_no_concern_are_named(data: Path) -> None:
    data.mkdir()
    own = [{"text": f"{who} Flugscheibe klemmt", "intent": "zahnersatz"} for who in ("Die", "Meine", "Seine")]
    rows = [*own, {"text": "Ein Gedicht", "intent": "poesie"}]
    (data / understanding.OWN_CORPUS).write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = run(data, "train", "--approve")
    assert result.exit_code == 0, result.output
    assert "no such concern: poesie" in result.stderr
    assert understood(data, "Flugscheibe")["ranking"][0]["concern"] == "zahnersatz"  # type: ignore[index]


def test_train_stops_at_a_catalogue_that_cannot_be_meant(data: Path) -> None:
    edit(data, "stichworte: [Versichertenkarte,", "gegenstichworte: [Chipkarte]\n    stichworte: [Versichertenkarte,")
    result = run(data, "train")
    assert isinstance(result.exception, ShapeError)
    assert result.exception.line > 100
    assert not data.exists()


def test_train_remarks_what_helps_nobody(data: Path) -> None:
    edit(data, "stichworte: [Versichertenkarte,", "stichworte: [Zahnarzt, Versichertenkarte,")
    result = run(data, "train", "--approve")
    assert "`Zahnarzt` is a keyword of" in result.stderr
    assert result.exit_code == 0


def test_train_refuses_too_little(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "SHIPPED", ())
    (data.parent / "own.jsonl").write_text('{"text": "Karte", "intent": "gesundheitskarte"}\n')
    result = run(data, "train", "--corpus", str(data.parent / "own.jsonl"))
    assert isinstance(result.exception, CorpusError)


@pytest.mark.parametrize(
    "arguments",
    [("approve", "nothing"), ("rollback",), ("diff", "shipped", "nothing")],
)
def test_what_is_not_there_is_refused(data: Path, arguments: tuple[str, ...]) -> None:
    result = run(data, "models", *arguments)
    assert isinstance(result.exception, VersionError)
    assert "models list" in str(result.exception)


def test_the_list_speaks_to_people(data: Path) -> None:
    result = run(data, "models", "list")
    assert result.exit_code == 0
    assert "shipped" in result.stdout
    assert "in_force" in result.stdout
