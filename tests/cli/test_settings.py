from __future__ import annotations

import json
from pathlib import Path

import pytest

from anruflotse import cli


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_settings_tell_value_and_source_with_secrets_masked(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "site.yaml").write_text("sip: {registration: {registrar: pbx.example, user: bot, password: geheim}}")
    monkeypatch.setenv("ANRUFLOTSE_SIP__PORT", "5070")
    assert run("settings", "--json", "--config", "site.yaml", "--data", "/srv/calls") == 0
    shown = capsys.readouterr().out
    assert "geheim" not in shown
    entries = {entry.pop("key"): entry for entry in map(json.loads, shown.splitlines())}
    assert entries["sip.port"] == {"value": 5070, "source": "env ANRUFLOTSE_SIP__PORT"}
    assert entries["data"] == {"value": "/srv/calls", "source": "option"}
    assert entries["sip.registration.password"] == {"value": "***", "source": "file site.yaml"}
    assert entries["sip.transports"] == {"value": ["udp", "tcp"], "source": "default"}


def test_settings_are_readable_without_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("settings") == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("retention.days"))
    assert line.split() == ["retention.days", "28", "default"]


def test_more_than_28_days_is_refused_with_exit_code_2(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "site.yaml").write_text("retention: {days: 40}")
    assert run("settings", "-c", "site.yaml") == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("anruflotse: retention.days = 40 is not allowed")
    assert shown.out == ""


def test_init_writes_a_file_that_is_read_and_never_overwrites(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("init") == 0
    written = (here / "anruflotse.yaml").read_text(encoding="utf-8")
    assert run("settings") == 0
    assert run("init") == 1
    assert "exists already" in capsys.readouterr().err
    assert (here / "anruflotse.yaml").read_text(encoding="utf-8") == written


def test_init_says_when_it_cannot_write(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("init", "no/such/directory/x.yaml") == 2
    assert "no/such/directory/x.yaml cannot be written: No such file" in capsys.readouterr().err
