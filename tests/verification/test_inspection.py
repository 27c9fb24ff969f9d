"""Looking at a store changes nothing in it, and what cannot be looked at is told so."""

from __future__ import annotations

import hashlib
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from anruflotse.app.building import make_records
from anruflotse.bench.cluster import Cluster
from anruflotse.clock import SystemClock
from anruflotse.records.model import Draft
from anruflotse.settings import load
from anruflotse.verification.afterwards import MovedClock
from anruflotse.verification.gathering import look_at_live
from anruflotse.verification.inspection import Place, destroyed_at, ids, look, place_of
from anruflotse.verification.stage import OFFICER
from tests.verification.place import settings_in, subject_in


def contents(home: Path) -> dict[str, str]:
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file()
    }


def test_looking_changes_nothing(tmp_path: Path) -> None:
    subject = subject_in(tmp_path)
    before = contents(tmp_path)
    found = look(place_of(subject.settings), subject.clock)
    left = {name: digest for name, digest in contents(tmp_path).items() if not name.endswith(("-wal", "-shm"))}
    assert left == {name: digest for name, digest in before.items() if not name.endswith(("-wal", "-shm"))}
    assert (found.records, found.keys, found.fault) == (1, 1, None)
    assert (found.unpaired_keys, found.unpaired_rows, found.returned, found.overdue, found.overlong) == (0, 0, 0, 0, 0)
    assert found.open_files == ()
    assert list(found.bases.values()) == [1]


def test_two_databases_of_a_server_are_looked_at_alike(tmp_path: Path, databases: tuple[str, str]) -> None:
    rows, keys = databases
    overrides = {"data": tmp_path / "data", "records.rows": rows, "records.keys": keys, "console.port": 0}
    settings, clock = load(None, overrides, environ={}), SystemClock()
    with closing(make_records(settings, clock)) as store:
        store.seal(draft(clock.now()))
    found = look_at_live(settings, clock)
    assert found is not None
    assert (found.fault, found.records, found.keys, found.overdue, found.trail_intact) == (None, 1, 1, 0, True)
    late = look(place_of(settings), MovedClock(clock, timedelta(days=29)))
    assert (late.overdue, round(late.late_seconds / 86_400)) == (1, 1)


def test_databases_of_a_server_that_were_never_used_hold_nothing(tmp_path: Path, server: Cluster) -> None:
    urls = [server.create(f"unused_{part}") for part in ("rows", "keys")]
    overrides = {"data": tmp_path / "data", "records.rows": urls[0], "records.keys": urls[1]}
    assert look_at_live(load(None, overrides, environ={}), SystemClock()) is None


def test_a_server_that_is_away_is_a_fault_and_not_nothing(tmp_path: Path) -> None:
    overrides = {
        "data": tmp_path / "data",
        "records.rows": "postgresql://a:b@127.0.0.1:1/rows",
        "records.keys": "postgresql://a:b@127.0.0.1:1/keys",
    }
    found = look_at_live(load(None, overrides, environ={}), SystemClock())
    assert found is not None
    assert found.fault
    assert "a:b" not in str(found)


def draft(now: datetime) -> Draft:
    return Draft(
        reference="0123456789abcdef", started_at=now, recorded_at=now, decision="route", outcome="succeeded",
        transcripts=("Hallo",),
    )  # fmt: skip


def test_where_nothing_was_ever_recorded_nothing_is_made(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "none")
    assert look_at_live(settings, subject_in(tmp_path / "other").clock) is None
    assert not (tmp_path / "none").exists()


def test_a_store_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    subject = subject_in(tmp_path)
    (tmp_path / "data" / "records" / "records.sqlite").write_bytes(b"no database at all" * 100)
    found = look_at_live(subject.settings, subject.clock)
    assert found is not None
    assert found.fault


def test_a_store_of_which_half_is_gone_is_told(tmp_path: Path) -> None:
    subject = subject_in(tmp_path)
    for file in (tmp_path / "data" / "records" / "keys").glob("keys.sqlite*"):
        file.unlink()
    found = look(place_of(subject.settings), subject.clock)
    assert found.fault
    assert not (tmp_path / "data" / "records" / "keys" / "keys.sqlite").exists(), "looking must not make an empty one"


def test_a_record_being_written_is_no_fault_and_one_that_was_is(tmp_path: Path) -> None:
    subject = subject_in(tmp_path)
    place = place_of(subject.settings)
    with closing(make_records(subject.settings, subject.clock)) as store:
        rows = store._opener.stores().rows
        with rows.database.write() as connection:
            connection.exec_driver_sql("DELETE FROM records")
    assert look(place, subject.clock).unpaired_keys == 0
    assert look(place, MovedClock(subject.clock, timedelta(minutes=11))).unpaired_keys == 1
    assert look(place, subject.clock, timedelta(0)).unpaired_keys == 1


def test_requests_of_persons_live_longer_than_records_and_that_is_no_fault(tmp_path: Path) -> None:
    subject = subject_in(tmp_path)
    with closing(make_records(subject.settings, subject.clock)) as store:
        store.file_case({"x": 1}, OFFICER, expires_at=subject.clock.now() + timedelta(days=1000))
    found = look(place_of(subject.settings), MovedClock(subject.clock, timedelta(minutes=20)))
    assert (found.keys, found.records, found.unpaired_keys, found.overlong) == (2, 1, 0, 0)


def test_when_a_record_was_destroyed_is_told_by_its_tombstones(tmp_path: Path) -> None:
    subject = subject_in(tmp_path)
    place = Place(tmp_path / "data" / "records")
    assert destroyed_at(place, subject.record.id) is None
    later = MovedClock(subject.clock, timedelta(days=29))
    with closing(make_records(subject.settings, later)) as store:
        store.sweep()
    at = destroyed_at(place, subject.record.id)
    assert at is not None
    assert abs((at - later.now()).total_seconds()) < 30
    assert ids(place) == (frozenset(), frozenset())


@pytest.mark.parametrize("missing", ["0" * 32, "'; DROP TABLE records; --"])
def test_an_id_that_is_none_was_never_destroyed(tmp_path: Path, missing: str) -> None:
    subject = subject_in(tmp_path)
    assert destroyed_at(place_of(subject.settings), missing) is None
