from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from anruflotse.cli import main
from anruflotse.clock import SystemClock
from anruflotse.records.model import DestroyReason, Draft
from anruflotse.records.repository import Records


def seal(data: Path, number: int) -> list[str]:
    now = SystemClock().now()
    with closing(Records(data / "records", SystemClock(), environment={})) as store:
        return [
            store.seal(
                Draft(
                    reference=f"{one:032x}",
                    started_at=now,
                    recorded_at=now,
                    decision="route",
                    outcome="succeeded",
                    transcripts=("Guten Tag.",),
                )
            )
            for one in range(number)
        ]


def reconcile(data: Path, *arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["records", "reconcile", *arguments, "--data", str(data)])
    return int(ended.value.code or 0)


def forget_keys(data: Path, ids: list[str]) -> None:
    with closing(sqlite3.connect(data / "records" / "keys" / "keys.sqlite", isolation_level=None)) as database:
        database.executemany("DELETE FROM keys WHERE id = ?", [(one,) for one in ids])


def test_it_tells_what_was_put_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = seal(tmp_path, 4)
    with closing(Records(tmp_path / "records", SystemClock(), environment={})) as store:
        store.destroy(ids[0], DestroyReason.ERASED)
    forget_keys(tmp_path, ids[1:2])
    assert reconcile(tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "returned": 0,
        "unpaired": 1,
        "deleted": 1,
        "keys_destroyed": 0,
        "damaged": 0,
        "failed": 0,
        "trail": True,
    }
    journal = tmp_path / "records" / "erased.log"
    journal.write_bytes(b"x" + journal.read_bytes()[1:])
    assert reconcile(tmp_path) == 1
    assert "damaged         1" in capsys.readouterr().out


def test_an_exchanged_store_is_left_alone_until_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = seal(tmp_path, 21)
    forget_keys(tmp_path, ids[:11])
    assert reconcile(tmp_path) == 3
    assert "--force" in capsys.readouterr().err
    assert reconcile(tmp_path, "--force", "--json") == 0
    assert json.loads(capsys.readouterr().out)["unpaired"] == 11
