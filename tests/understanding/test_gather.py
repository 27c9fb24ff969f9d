"""What authors wrote becomes the shipped corpus: what is checked, what is dropped, what is never learnt from."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from anruflotse.understanding import corpus
from anruflotse.understanding.finetune import gather

DEPARTMENTS = {"krankengeld": "krankengeld", "pflege": "pflegekasse", "ausserhalb": "ausserhalb"}


def entry(text: str, concern: str = "pflege", persona: str = "p01", **more: str) -> dict[str, Any]:
    return {"text": text, "concern": concern, "persona": persona, "register": "spoken", **more}


def test_a_sound_line_has_nothing_wrong() -> None:
    assert gather.wrong(entry("Mutter braucht einen Pflegegrad", second="krankengeld"), DEPARTMENTS) == ""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"text": "…"}, "no word"),
        ({"text": 3}, "must be there"),
        ({"concern": "pfelge"}, "unknown concern pfelge"),
        ({"persona": "p101"}, "unknown persona p101"),
        ({"persona": "p1"}, "unknown persona"),
        ({"register": "loud"}, "unknown register"),
        ({"second": "fremd"}, "unknown second"),
        ({"second": "pflege"}, "is the first"),
        ({"sceond": "pflege"}, "unknown field"),
    ],
)
def test_a_faulty_line_is_told(change: dict[str, Any], told: str) -> None:
    assert told in gather.wrong(entry("Mutter braucht einen Pflegegrad") | change, DEPARTMENTS)


def test_what_is_nearly_said_already_is_dropped_and_counted() -> None:
    kept, dropped = gather.unique(
        [
            entry("Meine Mutter braucht einen Pflegegrad."),
            entry("meine Mutter braucht einen Pflegegrad"),
            entry("Ich kann nicht arbeiten, wann kommt Geld?", "krankengeld"),
            entry("Etwas ganz anderes, die Pflege beim Heim."),
        ],
        ["Ich kann nicht arbeiten wann kommt Geld"],
    )
    assert [line["text"] for line in kept] == [
        "Meine Mutter braucht einen Pflegegrad.",
        "Etwas ganz anderes, die Pflege beim Heim.",
    ]
    assert dropped["nearly said before"] == 1
    assert dropped["nearly in the older corpora"] == 1


def test_the_same_words_under_two_concerns_go_but_nearly_the_same_stay() -> None:
    kept, dropped = gather.unique(
        [
            entry("Der Antrag ist weg"),
            entry("der Antrag ist weg!", "krankengeld"),
            entry("Ich will das Geld von der Pflegekasse haben"),
            entry("Ich will das Geld von der Pflegekasse haben nicht", "ausserhalb"),
        ],
        [],
    )
    assert [line["concern"] for line in kept] == ["pflege", "ausserhalb"]
    assert dropped["the same words under two concerns"] == 2


def test_held_out_personas_never_reach_what_is_learnt(tmp_path: Path) -> None:
    (tmp_path / "written").mkdir()
    (tmp_path / "written" / "gone.jsonl").write_text("")
    gather.write(
        [entry("Pflegegrad bitte"), entry("Wat is mit Pflege", persona="p09"), entry("Pflege", persona="p99")],
        DEPARTMENTS, tmp_path,
    )  # fmt: skip
    assert [file.name for file in (tmp_path / "written").iterdir()] == ["pflege.jsonl"]
    (learnt,) = corpus.read([tmp_path / "written" / "pflege.jsonl"])
    (held,) = corpus.read([tmp_path / "held_out" / "written.jsonl"])
    assert (learnt.persona, learnt.department) == ("p01", "pflegekasse")
    assert held.persona == "p09"


def test_a_malformed_file_is_named_and_fails_the_command_and_exams_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "w1").mkdir()
    known = json.dumps(entry("Pflegegrad, bitte!"))
    (tmp_path / "w1" / "a.jsonl").write_text(json.dumps(entry("Mutter braucht einen Pflegegrad")) + f"\n{{\n{known}\n")
    (tmp_path / "exam.jsonl").write_text('{"text": "pflegegrad bitte", "intent": "pflege"}\n')
    catalogue = tmp_path / "c.yaml"
    catalogue.write_text("anliegen: {pflege: {abteilung: pflegekasse}}")
    command = ["gather", "w1", "--catalogue", str(catalogue), "--never", "exam.jsonl", "--out", "out"]
    monkeypatch.setattr(sys, "argv", command)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        gather.main()
    assert caught.value.code == 1
    told = capsys.readouterr().err
    assert "w1/a.jsonl, line 2: not JSON" in told
    assert "dropped 1: said in an exam" in told
    (kept,) = corpus.read([tmp_path / "out" / "written" / "pflege.jsonl"])
    assert kept.text == "Mutter braucht einen Pflegegrad"
