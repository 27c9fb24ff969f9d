"""PostgreSQL when something is wrong with it: one clear sentence, no secret in it, and it works again afterwards."""

from __future__ import annotations

import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import insert, make_url, select, text

from anruflotse.bench.cluster import USER, Cluster
from anruflotse.clock import FakeClock
from anruflotse.records.model import DestroyReason, Purpose, StoreError
from anruflotse.records.repository import Records
from anruflotse.records.stores.keystore import KeyStore, StoredKey
from anruflotse.records.stores.postgres import _OPENING_LOCK, PostgresDatabase
from anruflotse.records.stores.tables import key_probes, keys
from tests.records.conftest import OFFICER, Home, MakeDraft

NAMES = ["rows", "keys"]


@pytest.fixture
def home(directory: Path, databases: tuple[str, str]) -> Home:
    return Home(directory, *databases)


@pytest.fixture
def store(home: Home, clock: FakeClock) -> Iterator[Records]:
    with closing(home.open(clock)) as store:
        yield store


@pytest.fixture
def key_database(databases: tuple[str, str]) -> Iterator[PostgresDatabase]:
    database = key_store(databases[1])
    database.prepare()
    yield database
    database.close()


def key_store(url: str, busy_seconds: float = 0.2) -> PostgresDatabase:
    return PostgresDatabase("key store", url, keys, "records", busy_seconds, rewritten=("keys", "secrets"))


def name_of(url: str) -> str:
    return url.rpartition("/")[2]


def reads_and_writes(store: Records, record_id: str, make_draft: MakeDraft) -> list[Callable[[], object]]:
    return [
        lambda: store.seal(make_draft()),
        lambda: store.open(record_id, OFFICER, Purpose.RIGHTS),
        lambda: store.destroy(record_id, DestroyReason.ERASED),
        store.sweep,
    ]


@contextmanager
def locked(url: str, table: str) -> Iterator[None]:
    with psycopg.connect(url) as other:
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"password": "falsch"}, "user or password is wrong"),
        ({"username": "niemand"}, "user or password is wrong"),
        ({"database": "nirgends"}, "no database of this name: create it"),
        ({"port": 1}, "not reachable: check that it runs"),
        ({"host": "nowhere.invalid"}, "not reachable: check that it runs"),
    ],
    ids=["password", "user", "database", "port", "host"],
)
def test_what_is_wrong_with_the_url_is_told_without_it(
    databases: tuple[str, str], change: dict[str, Any], told: str
) -> None:
    url = make_url(databases[1]).set(**change)
    with (
        closing(key_store(url.render_as_string(hide_password=False))) as database,
        pytest.raises(StoreError, match=told) as caught,
    ):
        database.records()
    shown = "".join(traceback.format_exception(caught.value))
    assert f"{url.host}:{url.port}/{url.database}" in shown
    assert str(url.password) not in shown
    assert f"{url.username}:" not in shown


@pytest.mark.parametrize(
    "text_", ["postgresql://u:geheim@h", "mysql://u:geheim@h/d", "geheim", "postgresql://u:geheim@h:x/d"]
)
def test_what_is_no_url_is_refused_without_being_quoted(text_: str) -> None:
    with pytest.raises(StoreError, match="must look like postgresql://user:password@host:5432/database") as caught:
        key_store(text_)
    assert "geheim" not in "".join(traceback.format_exception(caught.value))


def test_one_database_for_both_is_refused_whatever_it_is_called(home: Home, clock: FakeClock, server: Cluster) -> None:
    assert home.keys_url
    assert home.rows_url
    for rows_url, keys_url in ((home.rows_url, home.rows_url), (home.rows_url, None), (None, home.keys_url)):
        with pytest.raises(StoreError, match=r"a database each|need two databases"):
            home.open(clock, rows_url=rows_url, keys_url=keys_url)
    url = server.create("both")
    other = url.replace("127.0.0.1", "localhost")
    try:
        with (
            closing(home.open(clock, rows_url=url, keys_url=other)) as store,
            pytest.raises(StoreError, match="a database each"),
        ):
            store.prepare()
    finally:
        server.drop("both")


def test_a_server_that_stops_under_way_is_told_and_works_again_when_it_is_back(
    store: Records, make_draft: MakeDraft, server: Cluster
) -> None:
    one = store.seal(make_draft())
    for crash in (False, True):
        server.stop(crash=crash)
        try:
            assert not store.healthy()
            for attempt in reads_and_writes(store, one, make_draft):
                with pytest.raises(StoreError, match=r"not reachable|connection was lost"):
                    attempt()
        finally:
            server.start()
        assert store.healthy()
        assert store.open(one, OFFICER, Purpose.RIGHTS).summary.id == one


def test_a_connection_that_dies_between_calls_is_not_even_noticed(
    store: Records, make_draft: MakeDraft, server: Cluster
) -> None:
    one = store.seal(make_draft())
    end_sessions(server)
    assert store.open(one, OFFICER, Purpose.RIGHTS).summary.id == one


def test_a_restart_nobody_noticed_makes_everything_be_compared_anew(
    store: Records, make_draft: MakeDraft, server: Cluster
) -> None:
    one = store.seal(make_draft())
    before = store._opener.stores()
    assert store._opener.stores() is before
    server.stop()
    server.start()
    assert store.open(one, OFFICER, Purpose.RIGHTS).summary.id == one
    # What was restored from a backup meanwhile has to be found by a sweeper that compares both stores.
    assert store._opener.stores().sweeper is not before.sweeper


def end_sessions(server: Cluster) -> None:
    server.administer(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '{USER}'")  # noqa: S608 - a constant


def test_a_connection_that_dies_in_mid_transaction_leaves_nothing(
    key_database: PostgresDatabase, server: Cluster
) -> None:
    def write(*, goes_on: bool) -> None:
        with key_database.write() as connection:
            connection.execute(insert(key_probes).values(id=7, at=7))
            end_sessions(server)
            if goes_on:
                connection.execute(select(key_probes))

    with pytest.raises(StoreError, match="connection was lost: try again"):
        write(goes_on=True)
    with pytest.raises(StoreError, match="nobody knows whether it did"):
        write(goes_on=False)
    assert not key_database.in_place()
    key_database.prepare()
    assert key_database.in_place()
    with key_database.read() as connection:
        assert connection.execute(select(key_probes)).all() == []


@pytest.mark.parametrize("which", [0, 1], ids=NAMES)
def test_a_seal_whose_commit_is_cut_off_stores_nothing_readable(
    store: Records, home: Home, make_draft: MakeDraft, clock: FakeClock, which: int
) -> None:
    store.prepare()
    url, table = [(home.rows_url, "records"), (home.keys_url, "keys")][which]
    assert url
    with psycopg.connect(url, autocommit=True) as other:
        # Deferred to the commit, in which the server process then dies.
        other.execute(
            "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$"
        )
        other.execute(
            f"CREATE CONSTRAINT TRIGGER die AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION die()".encode()
        )
        with pytest.raises(StoreError, match="nobody knows whether it did"):
            store.seal(make_draft())
        other.execute(f"DROP TRIGGER die ON {table}".encode())
    assert store.list(OFFICER, Purpose.RIGHTS) == ()
    one = store.seal(make_draft())
    clock.advance(3600)
    store.sweep()
    assert [line.id for line in store.list(OFFICER, Purpose.RIGHTS)] == [one]
    assert store.status().records == 1


@pytest.mark.parametrize(("which", "table"), [(0, "records"), (1, "keys")], ids=NAMES)
def test_a_locked_table_is_waited_for_and_then_told(
    store: Records, home: Home, make_draft: MakeDraft, clock: FakeClock, which: int, table: str
) -> None:
    one = store.seal(make_draft())
    url = (home.rows_url, home.keys_url)[which]
    assert url
    with locked(url, table):
        for attempt in reads_and_writes(store, one, make_draft):
            with pytest.raises(StoreError, match="locked by another session: end the session"):
                attempt()
    assert store.healthy()
    # An erasure does not wait for the row: without its key the record is gone.
    assert bool(store.list(OFFICER, Purpose.RIGHTS)) == (table == "keys")
    clock.advance(3600)
    store.sweep()
    assert store.status().records == (1 if table == "keys" else 0)


@pytest.mark.parametrize("which", [0, 1], ids=NAMES)
def test_a_database_that_is_read_only_is_told_and_noticed(
    store: Records, home: Home, make_draft: MakeDraft, server: Cluster, which: int
) -> None:
    one = store.seal(make_draft())
    name = name_of((home.rows_url or "", home.keys_url or "")[which])
    server.administer(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    store.close()
    assert not store.healthy()
    for attempt in (lambda: store.seal(make_draft()), store.sweep):
        with pytest.raises(StoreError, match="standby or set read-only: name the primary server"):
            attempt()
    server.administer(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    store.close()
    assert store.healthy()
    assert store.open(one, OFFICER, Purpose.RIGHTS).summary.id == one


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("53100", "disk of the server is full: free some space"),
        ("53200", "run out of something: see its log"),
        ("40001", "another change came in between: try again"),
        ("40P01", "another change came in between: try again"),
        ("58030", "disk of the server reports errors"),
        ("XX001", "reports damage"),
        ("42501", "lacks the rights: make it the owner"),
        ("57014", "did not answer in time"),
        ("23514", "contradicts what is stored already"),
        ("22000", "unexpected error"),
    ],
)
def test_what_the_server_answers_becomes_a_sentence(
    store: Records, home: Home, make_draft: MakeDraft, code: str, told: str
) -> None:
    store.prepare()
    assert home.rows_url
    with psycopg.connect(home.rows_url, autocommit=True) as other:
        other.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"RAISE EXCEPTION 'KANARIE' USING ERRCODE = '{code}'; END $$".encode()
        )
        other.execute("CREATE TRIGGER fail BEFORE INSERT ON contents EXECUTE FUNCTION fail()")
    draft = make_draft(transcripts=("KANARIE",), caller="+49 30 98765", reference="fe" * 16)
    with pytest.raises(StoreError, match=told) as caught:
        store.seal(draft)
    shown = "".join(traceback.format_exception(caught.value))
    for secret in ("KANARIE", "98765", "fefe", "INSERT", "krankengeld", "user=", str(make_url(home.rows_url).password)):
        assert secret not in shown
    assert store.list(OFFICER, Purpose.RIGHTS) == ()


def test_a_database_that_was_replaced_by_an_empty_one_is_not_taken_for_it(
    store: Records, home: Home, make_draft: MakeDraft, server: Cluster
) -> None:
    one = store.seal(make_draft())
    name = name_of(home.keys_url or "")
    server.administer(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")  # noqa: S608 - ours
    server.administer(f"ALTER DATABASE {name} RENAME TO away")
    with pytest.raises(StoreError, match="no database of this name"):
        store.seal(make_draft())
    server.create(name)
    for attempt in reads_and_writes(store, one, make_draft):
        with pytest.raises(StoreError, match=r"key store .* is missing, but there are records: put it back"):
            attempt()
    store.close()
    server.drop(name)
    server.administer(f"ALTER DATABASE away RENAME TO {name}")
    assert store.open(one, OFFICER, Purpose.RIGHTS).summary.id == one


def test_records_left_in_files_keep_the_databases_from_being_used(
    home: Home, clock: FakeClock, make_draft: MakeDraft
) -> None:
    with closing(Records(home.directory, clock, environment={})) as files:
        files.seal(make_draft())
        with closing(home.open(clock)) as store, pytest.raises(StoreError, match=r"still records in .*sqlite"):
            store.seal(make_draft())
        clock.advance(29 * 86400)
        files.sweep()
    with closing(home.open(clock)) as store:
        store.prepare()


def test_a_failing_statement_leaves_no_value_in_the_servers_log(
    key_database: PostgresDatabase, server: Cluster
) -> None:
    key = StoredKey("ab" * 16, b"VOGEL" * 9, "m" * 16, -5)
    with pytest.raises(StoreError, match="contradicts"):
        KeyStore(key_database).add(key, caller="c" * 64, now=5)
    log = server.log()
    assert "expires_at_is_a_time" in log
    assert "INSERT INTO keys" in log
    for secret in ("VOGEL", b"VOGEL".hex(), key.id, "c" * 64):
        assert secret not in log
    assert key_database.exposures() == ()


def test_a_server_that_would_keep_values_in_its_log_is_found(databases: tuple[str, str], server: Cluster) -> None:
    for setting in ("log_error_verbosity = default", "log_parameter_max_length = -1, log_statement = 'all'"):
        for part in setting.split(", "):
            server.administer(f"ALTER ROLE {USER} SET {part}")
        with closing(key_store(databases[1])) as database:
            (found,) = database.exposures()
            assert "may note stored values in its log: as its administrator, ALTER ROLE" in found
        server.administer(f"ALTER ROLE {USER} SET log_error_verbosity = terse")
        server.administer(f"ALTER ROLE {USER} SET log_parameter_max_length = 0")
        server.administer(f"ALTER ROLE {USER} RESET log_statement")


def test_where_the_user_may_it_silences_the_servers_log_itself(databases: tuple[str, str], server: Cluster) -> None:
    server.administer(f"GRANT SET ON PARAMETER log_statement TO {USER}")
    server.administer(f"ALTER ROLE {USER} SET log_statement = 'all'")
    try:
        with closing(key_store(databases[1])) as database, database.read() as connection:
            assert connection.execute(text("SHOW log_statement")).scalar_one() == "none"
    finally:
        server.administer(f"ALTER ROLE {USER} RESET log_statement")
        server.administer(f"REVOKE SET ON PARAMETER log_statement FROM {USER}")


def test_an_idle_replication_slot_is_found(databases: tuple[str, str], server: Cluster) -> None:
    server.administer("SELECT pg_create_physical_replication_slot('idle')")
    try:
        for url, number in zip(databases, (0, 1), strict=True):
            rewritten = ("keys",) if number else ()
            with closing(PostgresDatabase("store", url, keys, "-", 1, rewritten)) as database:
                assert len(database.exposures()) == number
    finally:
        server.administer("SELECT pg_drop_replication_slot('idle')")


def test_sessions_are_set_up_for_waiting_and_durability(databases: tuple[str, str], server: Cluster) -> None:
    server.administer(f"ALTER ROLE {USER} SET synchronous_commit = off")
    try:
        with closing(key_store(databases[1])) as database, database.read() as connection:
            shown = {
                name: connection.execute(text(f"SHOW {name}")).scalar_one()
                for name in ("lock_timeout", "statement_timeout", "synchronous_commit", "transaction_isolation")
            }
            assert shown == {
                "lock_timeout": "200ms",
                "statement_timeout": "5s",
                "synchronous_commit": "on",
                "transaction_isolation": "read committed",
            }
    finally:
        server.administer(f"ALTER ROLE {USER} RESET synchronous_commit")


def test_a_destroyed_key_is_gone_from_the_files_of_the_server(
    store: Records, make_draft: MakeDraft, clock: FakeClock, server: Cluster
) -> None:
    # The later one, which a plain VACUUM would leave in the gap below the other.
    staying, going = store.seal(make_draft()), store.seal(make_draft())
    stored = store._opener.stores().keys.alive([going, staying], 0)

    def found(record_id: str) -> bool:
        server.administer("CHECKPOINT")
        files = (path for path in (server.directory / "data" / "base").rglob("*") if path.is_file())
        return any(stored[record_id].wrapped in path.read_bytes() for path in files)

    assert found(going)
    store.destroy(going, DestroyReason.ERASED)
    clock.advance(60)
    store.sweep()
    assert not found(going)
    assert found(staying)
    assert store.open(staying, OFFICER, Purpose.RIGHTS).summary.id == staying


def test_writing_anew_gives_up_on_a_table_in_use(key_database: PostgresDatabase, databases: tuple[str, str]) -> None:
    with locked(databases[1], "keys"):
        with pytest.raises(StoreError, match="locked"):
            key_database.rewrite()
        assert key_database.scrub()
    key_database.rewrite()
    with key_database.read() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "5s"


def test_two_sweeps_share_what_is_due_and_neither_fails(home: Home, clock: FakeClock, make_draft: MakeDraft) -> None:
    with closing(home.open(clock, busy_seconds=5)) as one, closing(home.open(clock, busy_seconds=5)) as two:
        for _ in range(30):
            one.seal(make_draft(recording=None))
        two.prepare()
        clock.advance(29 * 86400)
        swept = []
        threads = [threading.Thread(target=lambda store=store: swept.append(store.sweep())) for store in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [result.failed for result in swept] == [0, 0]
        assert sum(result.keys_destroyed for result in swept) == 30
        one.sweep()
        assert one.status().records == 0
        assert one.status().deleted == one.status().keys_destroyed == 30


def test_opening_waits_for_another_process_that_opens(store: Records, home: Home) -> None:
    assert home.keys_url
    with psycopg.connect(home.keys_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (_OPENING_LOCK,))
        opening = threading.Thread(target=store.prepare)
        opening.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        pause = threading.Event()
        for _ in range(500):
            if other.execute(waiting).fetchone() == (1,):
                break
            pause.wait(0.01)
        else:
            pytest.fail("nobody waited")
        assert opening.is_alive()
    opening.join(10)
    assert store.healthy()


START = """
import sys
from pathlib import Path
from typing import Any
from anruflotse.clock import FakeClock
from anruflotse.records.repository import Records

directory, rows, keys = sys.argv[1:]
store = Records(Path(directory), FakeClock(), environment={}, busy_seconds=20, rows_url=rows, keys_url=keys)
print("ready", flush=True)
sys.stdin.readline()
store.prepare()
print(store.healthy())
store.close()
"""


def test_processes_may_start_for_the_first_time_at_once(directory: Path, server: Cluster) -> None:
    urls = [server.create(f"first_{name}") for name in NAMES]
    several = [
        subprocess.Popen(
            [sys.executable, "-c", START, str(directory), *urls],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
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
    for name in NAMES:
        server.drop(f"first_{name}")
