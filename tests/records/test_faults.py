"""Faults of DESIGN §4 for either store, in both kinds of database: calls go on, nothing is recorded, nothing is lost.

Each fault is a real one: SQLite's own limits and locks, a file that is moved away, a server's locks, a lost connection.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.engine.default import DefaultDialect

from anruflotse.bench.cluster import Cluster
from anruflotse.clock import FakeClock
from anruflotse.records.model import DestroyReason, Draft, Purpose, StoreError
from anruflotse.records.repository import Records
from tests.records.conftest import OFFICER, Home, MakeDraft, speech
from tests.records.faults import ask, keys_of, rows_of
from tests.records.places import openable

LIFE = 28 * 86400
Fault = Callable[[Records, Home, str], AbstractContextManager[None]]


def engine_of(store: Records, part: str) -> Any:  # noqa: ANN401 - an engine, of a protected attribute
    return (keys_of if part == "keys" else rows_of)(store)._engine  # type: ignore[attr-defined]


def file_of(home: Home, part: str) -> Path:
    return home.directory / ("keys/keys.sqlite" if part == "keys" else "records.sqlite")


@contextlib.contextmanager
def pragma(store: Records, part: str, statement: str) -> Iterator[None]:
    """Every connection to this store is made with a limit."""
    engine = engine_of(store, part)

    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(statement).close()

    event.listen(engine, "connect", limit)
    engine.dispose()
    yield
    event.remove(engine, "connect", limit)
    engine.dispose()


@contextlib.contextmanager
def without_room(limit: AbstractContextManager[None]) -> Iterator[None]:
    """What the system says of a disk without room."""
    facts = list(os.statvfs("/"))
    facts[4] = 0
    with limit, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "statvfs", lambda _: os.statvfs_result(facts))
        yield


def full(store: Records, home: Home, part: str) -> AbstractContextManager[None]:
    """SQLITE_FULL: no further page fits."""
    with closing(sqlite3.connect(file_of(home, part))) as database:
        # Whatever is free inside the file is filled.
        database.execute("CREATE TABLE filler (data BLOB)")
        database.execute("INSERT INTO filler VALUES (zeroblob(200000))")
        database.commit()
        (pages,) = database.execute("PRAGMA page_count").fetchone()
    limit = pragma(store, part, f"PRAGMA max_page_count = {pages}")
    return without_room(limit)


def read_only(store: Records, _home: Home, part: str) -> AbstractContextManager[None]:
    """SQLITE_READONLY, as on a disk that the kernel has set read-only after errors."""
    return pragma(store, part, "PRAGMA query_only = 1")


@contextlib.contextmanager
def locked(_store: Records, home: Home, part: str) -> Iterator[None]:
    with closing(sqlite3.connect(file_of(home, part), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@contextlib.contextmanager
def away(_store: Records, home: Home, part: str) -> Iterator[None]:
    """A volume that is not mounted."""
    place = file_of(home, part).parent
    moved = [(file, file.with_name(f"away-{file.name}")) for file in place.glob(f"{file_of(home, part).name}*")]
    for file, elsewhere in moved:
        file.rename(elsewhere)
    yield
    for file in place.glob(f"{file_of(home, part).name}*"):
        file.unlink()
    for file, elsewhere in moved:
        elsewhere.rename(file)


def check(store: Records, home: Home, part: str, fault: Fault, make_draft: MakeDraft, clock: FakeClock) -> None:
    """Nothing works while it lasts, nothing is lost by it, and everything works again by itself afterwards."""
    old = store.seal(make_draft(recording=None))
    clock.advance(LIFE - 60)
    kept, doomed = (store.seal(make_draft(recording=None)) for _ in range(2))
    clock.advance(60)
    with fault(store, home, part):
        assert not store.healthy()
        # A full disk may have room for a few keys, but not for a recording.
        drafts = [
            make_draft(recording=speech(20) if part == "rows" else None) for _ in range(80 if fault is full else 1)
        ]
        fitted: set[str] = set()
        with pytest.raises(StoreError):
            _sealed(store, drafts, fitted)
        for attempt in (store.sweep, lambda: store.destroy(doomed, DestroyReason.OBJECTED)):
            # Deleting needs so little room that a full disk may leave it.
            with contextlib.suppress(StoreError) if fault is full else pytest.raises(StoreError):
                attempt()
    assert store.healthy()
    assert store.sweep().failed == 0
    # Who was told that it failed tries again, whether or not it was done meanwhile.
    store.destroy(doomed, DestroyReason.OBJECTED)
    assert openable(store) == {kept} | fitted
    assert {line.id for line in store.list(OFFICER, Purpose.RIGHTS)} == {kept} | fitted
    new = store.seal(make_draft())
    clock.advance(11 * 60)
    store.sweep()
    assert set(ask(keys_of(store), "SELECT id FROM keys")) == {kept, new} | fitted
    assert set(ask(rows_of(store), "SELECT id FROM records")) == {kept, new} | fitted
    assert old not in openable(store)


def _sealed(store: Records, drafts: list[Draft], done: set[str]) -> None:
    for draft in drafts:
        done.add(store.seal(draft))


@pytest.mark.parametrize("part", ["rows", "keys"])
@pytest.mark.parametrize("fault", [full, read_only, locked, away])
def test_a_fault_of_a_file_costs_nothing_but_recordings(
    store: Records, directory: Path, make_draft: MakeDraft, clock: FakeClock, fault: Fault, part: str
) -> None:
    check(store, Home(directory), part, fault, make_draft, clock)


@pytest.mark.parametrize("part", ["rows", "keys"])
def test_a_database_that_is_locked_costs_nothing_but_recordings(
    server: Cluster, databases: tuple[str, str], directory: Path, make_draft: MakeDraft, clock: FakeClock, part: str
) -> None:
    home = Home(directory, *databases)

    @contextlib.contextmanager
    def taken(store: Records, _home: Home, part: str) -> Iterator[None]:
        tables = "keys, tombstones, probes" if part == "keys" else "records, contents, tombstones, probes, audit"
        with engine_of(store, part).connect() as other:
            other.execute(text(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"))
            yield
            other.rollback()

    with closing(home.open(clock)) as store:
        check(store, home, part, taken, make_draft, clock)


@pytest.mark.parametrize("part", ["rows", "keys"])
def test_a_database_that_is_away_costs_nothing_but_recordings(
    server: Cluster, databases: tuple[str, str], directory: Path, make_draft: MakeDraft, clock: FakeClock, part: str
) -> None:
    home = Home(directory, *databases)

    @contextlib.contextmanager
    def gone(store: Records, _home: Home, part: str) -> Iterator[None]:
        name = engine_of(store, part).url.database
        end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608
        server.administer(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        server.administer(end)
        yield
        server.administer(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    with closing(home.open(clock)) as store:
        check(store, home, part, gone, make_draft, clock)


@pytest.mark.parametrize("committed", [False, True])
def test_a_connection_lost_in_mid_commit_leaves_a_whole_record_or_none(
    home: Home, make_draft: MakeDraft, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    """Nobody knows whether the commit came to pass: at every commit of a write, with either outcome."""
    commit = DefaultDialect.do_commit
    error = sqlite3.OperationalError if home.rows_url is None else psycopg.OperationalError
    lost = 0
    with closing(home.open(clock)) as store:
        store.seal(make_draft(recording=None))
        for number in range(1, 30):
            seen = 0

            def do_commit(self: DefaultDialect, connection: Any) -> None:  # noqa: ANN401 - whichever driver
                nonlocal seen
                seen += 1
                if seen == number and not committed:  # noqa: B023 - used within this round only
                    raise error
                commit(self, connection)  # type: ignore[no-untyped-call]
                if seen == number:  # noqa: B023
                    raise error

            before = openable(store)
            with monkeypatch.context() as patch:
                patch.setattr(DefaultDialect, "do_commit", do_commit)
                try:
                    sealed = {store.seal(make_draft(recording=None))}
                except StoreError:
                    sealed = set()
                    lost += 1
            assert openable(store) == before | sealed
            if seen < number:
                break
        clock.advance(11 * 60)
        assert store.sweep().failed == 0
        alive = openable(store)
        assert set(ask(keys_of(store), "SELECT id FROM keys")) == alive
        assert set(ask(rows_of(store), "SELECT id FROM records")) == alive
    assert lost == 2
