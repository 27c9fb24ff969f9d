"""`anruflotse keys` from outside: output for people and programs, and exit codes."""

from __future__ import annotations

import base64
import json
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from anruflotse.cli import main
from anruflotse.clock import SystemClock
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import Draft, Purpose
from anruflotse.records.repository import Records

OFFICER = Accessor("pruefer", Role.PRIVACY)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ANRUFLOTSE_MASTER_KEY", raising=False)
    return tmp_path / "data"


def run(data: Path, *arguments: str) -> int:
    with pytest.raises(SystemExit) as exited:
        main([*arguments, "--data", str(data)])
    return int(exited.value.code or 0)


def seal(data: Path) -> str:
    now = SystemClock().now() - timedelta(minutes=1)
    draft = Draft(
        reference="ab12" * 8,
        started_at=now,
        recorded_at=now,
        decision="route",
        outcome="succeeded",
        transcripts=("Kanarienvogel",),
    )
    with closing(Records(data / "records", SystemClock(), environment={})) as store:
        return store.seal(draft)


def keys_in(data: Path) -> list[str]:
    return (data / "records" / "keys" / "master.key").read_text().split()


def test_the_status_names_keys_and_never_shows_one(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seal(data)
    assert run(data, "keys", "status", "--json") == 0
    shown = capsys.readouterr().out
    line = json.loads(shown)
    assert list(line) == ["master", "state", "source", "keys", "named"]
    assert (line["state"], line["keys"], line["named"]) == ("current", 1, True)
    assert run(data, "keys", "status") == 0
    shown += capsys.readouterr().out
    assert f"{line['master']}  current  1 records" in shown
    (key,) = keys_in(data)
    assert key not in shown
    assert base64.b64decode(key).hex()[:16] != line["master"]


def test_rotating_is_told_and_in_the_trail(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = seal(data)
    before = keys_in(data)
    assert run(data, "keys", "rotate", "--json", "--accessor", "herr.beispiel") == 0
    line = json.loads(capsys.readouterr().out)
    assert list(line) == ["master", "made", "moved", "unreadable", "scrubbed", "left"]
    assert (line["made"], line["unreadable"], line["scrubbed"], line["left"]) == (True, 0, True, {})
    assert keys_in(data) != before
    assert run(data, "keys", "rotate") == 0
    told = capsys.readouterr()
    assert "a new one" in told.out
    assert "keys were wrapped anew" in told.out
    with closing(Records(data / "records", SystemClock(), environment={})) as store:
        assert store.open(one, OFFICER, Purpose.RIGHTS).transcripts == ("Kanarienvogel",)
        acts = [entry.entry for entry in store.trail(OFFICER, Purpose.RIGHTS) if entry.entry.act == "rotate"]
    assert [(entry.role, entry.purpose, entry.result) for entry in acts][:2] == [
        ("technik", "betrieb", "granted"),
        ("technik", "betrieb", "done"),
    ]
    assert "herr.beispiel" in {entry.accessor for entry in acts}


def test_keys_of_the_environment_are_moved_and_the_old_source_is_named(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seal(data)
    monkeypatch.setenv("ANRUFLOTSE_MASTER_KEY", base64.b64encode(b"1" * 32).decode())
    assert run(data, "keys", "rotate") == 0
    assert f"remove the master key file {data}" in capsys.readouterr().out
    (data / "records" / "keys" / "master.key").unlink()
    assert run(data, "records", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out)["reference"] == "ab12" * 8
    assert run(data, "keys", "rotate") == 3
    assert "openssl rand -base64 32" in capsys.readouterr().err


def test_a_key_that_does_not_open_is_exit_code_1(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seal(data)
    with (
        closing(Records(data / "records", SystemClock(), environment={})) as store,
        store._opener.stores().keys.database.write() as connection,
    ):
        connection.exec_driver_sql("UPDATE keys SET expires_at = expires_at + 1")
    assert run(data, "keys", "rotate") == 1
    assert "1 keys do not open" in capsys.readouterr().out
    assert len(keys_in(data)) == 2


def test_a_missing_key_and_an_unsafe_vault_are_told(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seal(data)
    (data / "records" / "keys" / "master.key").unlink()
    assert run(data, "keys", "status") == 3
    assert "put it back" in capsys.readouterr().err
    monkeypatch.setenv("ANRUFLOTSE_KEYS__PROVIDER", "vault")
    assert run(data, "keys", "status") == 2
    assert "keys.vault.address" in capsys.readouterr().err
    monkeypatch.setenv("ANRUFLOTSE_KEYS__VAULT__ADDRESS", "http://vault.example:8200")
    assert run(data, "keys", "status") == 2
    assert "one way to log in" in capsys.readouterr().err
    monkeypatch.setenv("ANRUFLOTSE_KEYS__VAULT__TOKEN", "hvs.SECRET")
    assert run(data, "keys", "status") == 3
    told = capsys.readouterr()
    assert "https://HOST:PORT" in told.err
    assert "hvs.SECRET" not in told.err + told.out
