"""`anruflotse documents`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from anruflotse import cli, compliance


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.build(), ["documents", *map(str, arguments)])


def objects(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_five_papers_are_written_each_in_three_forms_with_the_day_in_their_names(tmp_path: Path) -> None:
    out = tmp_path / "neu" / "papiere"
    told = objects(run("--data", tmp_path / "data", "--out", out, "--json"))
    assert [one["document"] for one in told] == [paper.key for paper in compliance.PAPERS]
    for one in told:
        assert set(one["files"]) == {"pdf", "html", "json"}
        for kind, name in one["files"].items():
            content = Path(name).read_bytes()
            assert hashlib.sha256(content).hexdigest() == one["sha256"][kind]
            assert Path(name).parent == out
            assert Path(name).name.startswith(f"{one['document']}-20")
        assert json.loads(Path(one["files"]["json"]).read_bytes())["title"] == one["title"]
        assert Path(one["files"]["pdf"]).read_bytes().startswith(b"%PDF-1.7")
    assert len(list(out.iterdir())) == 15


def test_without_a_folder_they_lie_in_the_data_directory_and_a_second_run_replaces_them(tmp_path: Path) -> None:
    for _ in range(2):
        result = run("--data", tmp_path / "data")
        assert result.exit_code == 0
        assert "Löschkonzept: " in result.stdout
    assert len(list((tmp_path / "data" / "documents").iterdir())) == 15
    assert not (tmp_path / "data" / "records").exists()


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "datei").write_text("", "utf-8")
    result = run("--data", tmp_path / "data", "--out", tmp_path / "datei")
    assert result.exit_code == 2
    assert "--out" in result.output


def test_a_damaged_register_is_told_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "register.yaml").write_text("version: 1\ndienstleister: 7\n", "utf-8")
    (tmp_path / "anruflotse.yaml").write_text("processors: {agreements: register.yaml}\n", "utf-8")
    with pytest.raises(SystemExit) as caught:
        cli.main(("documents", "--data", str(tmp_path / "data")))
    assert caught.value.code == 2
    assert not (tmp_path / "data" / "documents").exists()
