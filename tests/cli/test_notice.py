"""`anruflotse notice`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from anruflotse import cli
from anruflotse.app import building
from anruflotse.clock import SystemClock
from anruflotse.notice import Promise
from anruflotse.processors import day_in_germany
from anruflotse.settings import load


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.build(), ["notice", *map(str, arguments)])


def objects(result: Result) -> list[dict[str, str]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def in_force(data: Path) -> str:
    settings = load(None, {"data": data}, environ={})
    gate = building.make_gate(settings)
    now = SystemClock().now()
    notice = building.make_notice(settings, gate, day_in_germany(now))
    building.make_archive(settings).keep(notice, now)
    return notice.version()


def test_every_promise_is_made_by_a_sentence(data: Path) -> None:
    lines = objects(run("--data", data, "--json"))
    assert {line["promise"] for line in lines} == {promise.value for promise in Promise}
    assert any("28 Tage" in line["sentence"] for line in lines if line["promise"] == "P11")


def test_the_page_is_written_as_it_is_published(data: Path, tmp_path: Path) -> None:
    page = tmp_path / "hinweis.html"
    (line,) = objects(run("--data", data, "--html", page, "--json"))
    assert line["version"] in page.read_text("utf-8")
    assert run("--data", data, "--html", tmp_path / "none" / "x.html").exit_code == 2


def test_the_spoken_form_names_the_keys_that_are_set(data: Path, tmp_path: Path) -> None:
    config = tmp_path / "site.yaml"
    config.write_text("call: {objection_key: 5}\ninsurer: {spoken_name: Musterkasse}\n")
    spoken = run("--config", config, "--data", data, "--spoken").stdout
    assert "Musterkasse" in spoken
    assert "5 drücken" in spoken
    (usual,) = objects(run("--data", data, "--spoken", "--json"))
    assert usual["version"] != objects(run("--config", config, "--data", data, "--spoken", "--json"))[0]["version"]


def test_an_earlier_edition_can_be_read_by_its_version(data: Path) -> None:
    assert run("--data", data, "--editions").exit_code == 1
    version = in_force(data)
    (line,) = objects(run("--data", data, "--editions", "--json"))
    assert line["version"] == version
    assert run("--data", data, "--edition", version).stdout.startswith("# Gesprächsaufzeichnung")
    assert "Sprachassistent" in run("--data", data, "--edition", version, "--spoken").stdout
    missing = run("--data", data, "--edition", "0" * 16)
    assert (missing.exit_code, "never in force" in missing.output) == (1, True)
