from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from anruflotse.cli import audit as commands
from anruflotse.cli import main
from anruflotse.records.audit import verification


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    return tmp_path / "data"


def run(data: Path, *arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--data", str(data)])
    return int(ended.value.code or 0)


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def accessed(data: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A store that was looked at four times."""
    for name in ("frau.beispiel", "herr.muster"):
        for _ in range(2):
            assert run(data, "records", "list", "--accessor", name) == 0
    capsys.readouterr()
    return data


def attack(data: Path, statement: str) -> None:
    with closing(sqlite3.connect(data / "records" / "records.sqlite")) as connection, connection:
        for name in ("audit_no_update", "audit_no_delete"):
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement)


def test_an_intact_trail(accessed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(accessed, "audit", "verify", "--json") == 0
    (told,) = printed(capsys)
    assert told == {
        "entries": 4, "intact": True, "first_broken": None, "wrong": None, "damage": [], "found": 0,
        "known_gaps": [], "head": 4, "days": 0,
    }  # fmt: skip
    assert run(accessed, "audit", "verify") == 0
    assert capsys.readouterr().out == "The audit trail is intact: 4 entries.\n"


def test_a_broken_trail_exits_1_and_says_where(accessed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attack(accessed, "UPDATE audit SET accessor = 'niemand' WHERE seq = 3")
    assert run(accessed, "audit", "verify", "--json") == 1
    (told,) = printed(capsys)
    assert (told["entries"], told["intact"], told["first_broken"], told["wrong"]) == (4, False, 3, "changed")
    assert run(accessed, "audit", "verify") == 1
    assert "NOT intact: 4 entries.\n  entry 3: an entry is not what its hash says" in capsys.readouterr().out


def test_a_store_that_cannot_be_read_exits_3(accessed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (accessed / "records" / "keys" / "keys.sqlite").unlink()
    for leftover in (accessed / "records" / "keys").glob("keys.sqlite-*"):
        leftover.unlink()
    (accessed / "records" / "records.sqlite").write_bytes(b"no database at all" * 999)
    assert run(accessed, "audit", "verify") == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert "restore it from a backup" in told.err


def test_a_lost_end_is_noted_by_reconcile_and_may_be_accepted(
    accessed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    attack(accessed, "DELETE FROM audit WHERE seq > 2")
    assert run(accessed, "audit", "verify", "--json") == 1
    (told,) = printed(capsys)
    assert {one["what"] for one in told["damage"]} == {"truncated"}  # type: ignore[attr-defined]
    assert run(accessed, "audit", "list") == 3
    assert run(accessed, "records", "reconcile") == 0
    capsys.readouterr()
    assert run(accessed, "audit", "verify", "--json") == 1
    (told,) = printed(capsys)
    assert (told["known_gaps"], told["damage"], told["wrong"]) == ([[3, 4]], [], "lost")
    assert run(accessed, "audit", "verify", "--accept", "3-4") == 0
    assert "entries 3 to 4: a restore lost entries; the trail says so, accepted" in capsys.readouterr().out
    assert run(accessed, "audit", "verify", "--accept", "1-4") == 1
    assert run(accessed, "audit", "verify", "--accept", "drei") == 2


def test_a_head_that_was_filed_is_found_again_and_shows_a_rollback(
    accessed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(accessed, "audit", "head", "--json") == 0
    filed = tmp_path / "head.json"
    filed.write_text(capsys.readouterr().out)
    # Without the master key, as an auditor has it.
    master = accessed / "records" / "keys" / "master.key"
    master.rename(tmp_path / "away")
    assert run(accessed, "audit", "verify", "--head", str(filed)) == 0
    (tmp_path / "away").rename(master)
    other = tmp_path / "other"
    assert run(other, "records", "list") == 0
    capsys.readouterr()
    assert run(other, "audit", "verify", "--head", str(filed), "--json") == 1
    (told,) = printed(capsys)
    assert {one["what"] for one in told["damage"]} == {"head", "truncated"}  # type: ignore[attr-defined]
    assert run(other, "audit", "head") == 0
    assert "public_key" in capsys.readouterr().out


@pytest.mark.parametrize("contents", [b"", b"[]", b"7", b"{}", b"\xff", b'{"version": 1}', b"[" * 100_000])
def test_what_is_no_head_is_refused(accessed: Path, tmp_path: Path, contents: bytes) -> None:
    filed = tmp_path / "head.json"
    filed.write_bytes(contents)
    assert run(accessed, "audit", "verify", "--head", str(filed)) == 2
    assert run(accessed, "audit", "verify", "--head", str(tmp_path / "absent.json")) == 2


def test_a_new_store_has_no_head_and_nothing_to_complain_about(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "audit", "verify") == 0
    assert run(data, "audit", "head") == 1
    assert "no signed head yet" in capsys.readouterr().err


def test_the_list_shows_who_what_and_when_and_itself(accessed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(accessed, "audit", "list", "--accessor-name", "pruefer", "--json") == 0
    told = printed(capsys)
    assert [one["seq"] for one in told] == [5, 4, 3, 2, 1]
    assert list(told[0]) == [
        "seq", "at", "accessor", "role", "purpose", "act", "record", "result", "previous", "hash",
    ]  # fmt: skip
    assert (told[0]["accessor"], told[0]["act"], told[0]["role"]) == ("pruefer", "trail", "datenschutz")
    assert (told[0]["purpose"], told[0]["previous"]) == ("datenschutzkontrolle", told[1]["hash"])
    assert run(accessed, "audit", "list", "--accessor", "herr.muster", "--limit", "1", "--json") == 0
    assert [one["seq"] for one in printed(capsys)] == [4]
    assert run(accessed, "audit", "list", "--until", "2020-01-01") == 0
    assert "no such entries" in capsys.readouterr().out
    assert run(accessed, "audit", "list", "--since", "2020-01-01T00:00:00+01:00") == 0
    assert "frau.beispiel" in capsys.readouterr().out
    assert run(accessed, "audit", "list", "--since", "gestern") == 2


def test_who_may_not_see_the_trail_is_refused_and_in_it(accessed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(accessed, "audit", "list", "--accessor-name", "t", "--role", "technik", "--purpose", "betrieb") == 1
    assert run(accessed, "audit", "list", "--accessor", "t", "--json") == 0
    (told,) = printed(capsys)
    assert (told["act"], told["result"]) == ("trail", "refused_role")


def test_every_word_has_its_meaning() -> None:
    assert verification.__doc__ is not None
    for word in commands._MEANINGS:
        assert f"`{word}`" in verification.__doc__ or word == "lost"
