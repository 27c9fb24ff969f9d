"""The stores when something is wrong with them: the answer is one clear sentence, and never a new, empty store."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import event

from anruflotse.clock import FakeClock
from anruflotse.records.model import DestroyReason, Purpose, StoreError
from anruflotse.records.repository import Records
from anruflotse.records.stores.sqlite import SqliteDatabase as Database
from tests.records.conftest import OFFICER, MakeDraft


def databases(store: Records) -> list[Database]:
    found = [store._opener._key_database, store._opener._row_database]
    return [one for one in found if isinstance(one, Database)]


def every_write(store: Records, record_id: str, make_draft: MakeDraft) -> list[Callable[[], object]]:
    return [
        lambda: store.seal(make_draft()),
        lambda: store.destroy(record_id, DestroyReason.ERASED),
        store.sweep,
    ]


def test_files_and_directories_are_private_whatever_the_umask(
    directory: Path, clock: FakeClock, make_draft: MakeDraft
) -> None:
    before = os.umask(0)
    try:
        with closing(Records(directory, clock, environment={})) as store:
            store.open(store.seal(make_draft()), OFFICER, Purpose.RIGHTS)
            found = {str(path.relative_to(directory.parent)): path.stat().st_mode for path in directory.rglob("*")}
    finally:
        os.umask(before)
    assert {"records/records.sqlite", "records/records.sqlite-wal", "records/keys/keys.sqlite"} <= set(found)
    found["records"] = directory.stat().st_mode
    for name, mode in found.items():
        assert stat.S_IMODE(mode) == (0o700 if stat.S_ISDIR(mode) else 0o600), name


def test_what_was_opened_to_others_is_closed_again(store: Records, directory: Path, clock: FakeClock) -> None:
    store.prepare()
    store.close()
    for path in (directory, directory / "keys"):
        path.chmod(0o755)
    for path in (directory / "records.sqlite", directory / "keys" / "keys.sqlite"):
        path.chmod(0o644)
    with closing(Records(directory, clock, environment={})) as again:
        again.prepare()
    assert not any(path.stat().st_mode & 0o077 for path in [directory, *directory.rglob("*")])


@pytest.mark.parametrize(
    ("pragma", "told"),
    [("query_only = 1", "cannot be written"), ("max_page_count = 1", "disk is full")],
    ids=["read-only", "full"],
)
@pytest.mark.parametrize("which", [0, 1], ids=["keys", "rows"])
def test_a_store_that_cannot_be_written_is_told_and_noticed(
    store: Records, make_draft: MakeDraft, pragma: str, told: str, which: int
) -> None:
    one = store.seal(make_draft())
    database = databases(store)[which]
    database.close()

    def disable(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA {pragma}")

    def fill() -> None:
        # max_page_count never goes below the size of the file: what is free in it is used first.
        for _ in range(20):
            store.seal(make_draft())

    event.listen(database._engine, "connect", disable)
    with pytest.raises(StoreError, match=told):
        fill()
    if told != "disk is full":
        # (Deleting and probing need no new pages, so a merely full file does not hinder them.)
        assert not store.healthy()
        for write in every_write(store, one, make_draft):
            with pytest.raises(StoreError, match=told):
                write()
    database.close()
    event.remove(database._engine, "connect", disable)
    assert store.healthy()
    store.open(store.seal(make_draft()), OFFICER, Purpose.RIGHTS)


@pytest.mark.parametrize("which", ["records.sqlite", "keys/keys.sqlite"])
def test_a_locked_store_is_waited_for_and_then_told(
    store: Records, make_draft: MakeDraft, directory: Path, which: str
) -> None:
    one = store.seal(make_draft())
    with closing(sqlite3.connect(directory / which, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert not store.healthy()
        for write in every_write(store, one, make_draft):
            with pytest.raises(StoreError, match="locked"):
                write()
        other.execute("ROLLBACK")
    assert store.healthy()


@pytest.mark.parametrize(("which", "name"), [("records.sqlite", "record store"), ("keys/keys.sqlite", "key store")])
def test_a_store_that_is_away_is_not_replaced_and_works_again_when_it_is_back(
    store: Records, make_draft: MakeDraft, directory: Path, clock: FakeClock, which: str, name: str
) -> None:
    one = store.seal(make_draft())
    store.close()
    (directory / which).rename(directory / "away")
    for other in (store, Records(directory, clock, environment={})):
        with closing(other):
            assert not other.healthy()
            reads: list[Callable[[], object]] = [partial(other.list, OFFICER, Purpose.RIGHTS), other.status]
            for attempt in every_write(other, one, make_draft) + reads:
                with pytest.raises(StoreError, match=f"{name}.*missing.*put it back"):
                    attempt()
    assert not (directory / which).exists()
    (directory / "away").rename(directory / which)
    assert store.healthy()
    assert [line.id for line in store.list(OFFICER, Purpose.RIGHTS)] == [one]


def test_a_store_that_vanishes_under_way_is_noticed(store: Records, make_draft: MakeDraft, directory: Path) -> None:
    store.seal(make_draft())
    assert store.healthy()
    (directory / "keys" / "keys.sqlite").unlink()
    assert not store.healthy()
    with pytest.raises(StoreError, match="missing"):
        store.seal(make_draft())


def test_an_empty_file_in_place_of_the_keys_is_not_taken_for_them(
    store: Records, make_draft: MakeDraft, directory: Path
) -> None:
    store.seal(make_draft())
    store.close()
    for file in (directory / "keys").glob("keys.sqlite*"):
        file.unlink()
    (directory / "keys" / "keys.sqlite").touch(mode=0o600)
    with pytest.raises(StoreError, match="missing"):
        store.sweep()


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_file_is_told(store: Records, directory: Path, content: bytes) -> None:
    directory.mkdir()
    (directory / "records.sqlite").write_bytes(content)
    assert not store.healthy()
    with pytest.raises(StoreError, match=r"no database|damaged"):
        store.list(OFFICER, Purpose.RIGHTS)
    assert (directory / "records.sqlite").read_bytes() == content


def test_a_place_that_is_no_directory_is_told(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "file").write_text("")
    with closing(Records(tmp_path / "file", clock, environment={})) as store:
        assert not store.healthy()
        with pytest.raises(StoreError, match="directory"):
            store.prepare()


def test_too_little_space_stops_the_recording_before_the_disk_is_full(
    store: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.healthy()
    facts = os.statvfs("/")
    almost_full = os.statvfs_result([facts.f_bsize, 4096, facts.f_blocks, 100, 100, *tuple(facts)[5:]])
    monkeypatch.setattr(os, "statvfs", lambda _: almost_full)
    assert not store.healthy()


def test_constructing_touches_nothing(directory: Path, clock: FakeClock) -> None:
    Records(directory, clock, environment={}).close()
    assert not directory.exists()


def test_errors_hold_nothing_of_what_was_being_written(store: Records, make_draft: MakeDraft, directory: Path) -> None:
    store.prepare()
    with closing(sqlite3.connect(directory / "records.sqlite")) as database:
        database.execute("CREATE TRIGGER no BEFORE INSERT ON contents BEGIN SELECT RAISE(ABORT, 'no'); END")
    draft = make_draft(transcripts=("KANARIE",), caller="+49 30 98765", reference="fe" * 16)
    with pytest.raises(StoreError) as caught:
        store.seal(draft)
    told = "".join(traceback.format_exception(caught.value))
    for secret in ("KANARIE", "98765", "fefe", "INSERT", "krankengeld"):
        assert secret not in told
    assert store.list(OFFICER, Purpose.RIGHTS) == ()


START = """
import sys
from pathlib import Path
from anruflotse.clock import FakeClock
from anruflotse.records.repository import Records

store = Records(Path(sys.argv[1]), FakeClock(), environment={}, busy_seconds=20)
print("ready", flush=True)
sys.stdin.readline()
store.prepare()
print(store.healthy())
store.close()
"""


def test_processes_may_start_for_the_first_time_at_once(directory: Path) -> None:
    several = [
        subprocess.Popen(
            [sys.executable, "-c", START, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in several:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in several:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60)[0] for process in several] == ["True\n"] * 2
