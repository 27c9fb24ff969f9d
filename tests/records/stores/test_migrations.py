"""However old a store is, its tables become today's, and what was in them stays."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import (
    URL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Engine,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError

from anruflotse.bench.cluster import Cluster
from anruflotse.clock import FakeClock
from anruflotse.records import contents as packing
from anruflotse.records.audit.entry import FIRST, digest
from anruflotse.records.model import LEGAL_BASIS, Draft, Purpose, StoreError
from anruflotse.records.stores import tables
from anruflotse.records.stores.database import Database
from anruflotse.records.stores.migrations import running
from anruflotse.records.stores.postgres import PostgresDatabase
from anruflotse.records.stores.sqlite import SqliteDatabase
from anruflotse.records.times import FAR, to_micros
from anruflotse.records.vault.envelope import DataKey
from anruflotse.records.vault.master import LocalMaster
from tests.records.conftest import OFFICER, Home, MakeDraft

MAINS = [tables.keys, tables.records]
KEY = b"k" * 32

# What the first release made with `create_all`, copied from it.
_sane = [f"{name} > 0 AND {name} < {FAR}" for name in ("recorded_at", "expires_at")]
old_keys = MetaData()
keys = Table(
    "keys",
    old_keys,
    Column("id", String(32), primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column("master", String(64), nullable=False),
    Column("caller", String(64), nullable=True, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("pending", Boolean, nullable=False, index=True),
    CheckConstraint(_sane[1], name="expires_at_is_a_time"),
)
old_rows = MetaData()
records = Table(
    "records",
    old_rows,
    Column("id", String(32), primary_key=True),
    Column("reference", String(64), nullable=False, unique=True),
    Column("started_at", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False, index=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("legal_basis", String(200), nullable=False),
    Column("purpose", String(40), nullable=False),
    Column("restricted", Boolean, nullable=False),
    Column("format", Integer, nullable=False),
    CheckConstraint(_sane[0], name="recorded_at_is_a_time"),
    CheckConstraint(_sane[1], name="expires_at_is_a_time"),
)
contents = Table(
    "contents",
    old_rows,
    Column("record_id", ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
    Column("field", String(20), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)
counters = Table(
    "counters",
    old_rows,
    *(Column(name, String(40 if name != "day" else 10), primary_key=True)
      for name in ("day", "kind", "department", "decision")),
    Column("number", BigInteger, nullable=False),
)  # fmt: skip
accesses = Table(
    "accesses",
    old_rows,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("accessor", String(80), nullable=False),
    Column("purpose", String(40), nullable=False),
    Column("record_id", String(32), nullable=False),
    Column("result", String(20), nullable=False),
)
for one in (old_keys, old_rows):
    Table(
        "tombstones",
        one,
        Column("id", String(32), primary_key=True),
        Column("at", BigInteger, nullable=False),
        Column("reason", String(20), nullable=False),
    )
    Table("probes", one, Column("id", Integer, primary_key=True), Column("at", BigInteger, nullable=False))


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, directory: Path) -> Iterator[Home]:
    """Where a store has not been set up yet."""
    if request.param == "sqlite":
        (directory / "keys").mkdir(parents=True)
        yield Home(directory)
        return
    server: Cluster = request.getfixturevalue("server")
    yield Home(directory, server.create("empty_rows"), server.create("empty_keys"))
    for name in ("empty_rows", "empty_keys"):
        server.drop(name)


def database(home: Home, main: Table) -> Database:
    """The database of `home` with this main table."""
    stranger = "records" if main is tables.keys else "keys"
    url = home.keys_url if main is tables.keys else home.rows_url
    if url:
        return PostgresDatabase("store", url, main, stranger, 1)
    sqlite_file(home, main).parent.mkdir(parents=True, exist_ok=True)
    return SqliteDatabase("store", sqlite_file(home, main), main, stranger, 1)


def sqlite_file(home: Home, main: Table) -> Path:
    return home.directory / ("keys/keys.sqlite" if main is tables.keys else "records.sqlite")


@contextlib.contextmanager
def plain(home: Home, main: Table) -> Iterator[Connection]:
    """A connection with nothing of ours in it."""
    url = home.keys_url if main is tables.keys else home.rows_url
    engine: Engine = create_engine(
        url.replace("postgresql:", "postgresql+psycopg:")
        if url
        else URL.create("sqlite", database=str(sqlite_file(home, main)))
    )
    with engine.begin() as connection:
        yield connection
    engine.dispose()


@pytest.mark.parametrize("main", MAINS, ids=["keys", "rows"])
def test_the_migrations_amount_to_the_tables(empty: Home, main: Table) -> None:
    one = database(empty, main)
    one.prepare()
    with one.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, main.metadata) == []
        migrated = {name: inspect(connection).get_indexes(name) for name in main.metadata.tables}
        constraints = {name: inspect(connection).get_check_constraints(name) for name in main.metadata.tables}
    one.close()
    with plain(empty, main) as connection:
        for table in ("alembic_version", *reversed(main.metadata.sorted_tables)):
            connection.execute(text(f"DROP TABLE {table}"))
        main.metadata.create_all(connection)
        made = {name: inspect(connection).get_indexes(name) for name in main.metadata.tables}
        assert {name: {i["name"]: i["column_names"] for i in found} for name, found in migrated.items()} == {
            name: {i["name"]: i["column_names"] for i in found} for name, found in made.items()
        }
        for name, found in constraints.items():
            expected = inspect(connection).get_check_constraints(name)
            assert {(c["name"], c["sqltext"]) for c in found} == {(c["name"], c["sqltext"]) for c in expected}, name


@pytest.mark.parametrize(("main", "old"), [(tables.keys, old_keys), (tables.records, old_rows)], ids=["keys", "rows"])
def test_the_first_revision_is_what_the_first_release_made(empty: Home, main: Table, old: MetaData) -> None:
    with plain(empty, main) as connection:
        assert running.upgrade(connection, main.name, "0001")
        connection.execute(text("DROP TABLE alembic_version"))
        assert compare_metadata(MigrationContext.configure(connection), old) == []


def test_a_store_of_the_first_release_is_carried_over(empty: Home, clock: FakeClock, make_draft: MakeDraft) -> None:
    draft = make_draft(transcripts=("Ein altes Anliegen.",))
    record_id = make_old_store(empty, draft, clock)
    store = empty.open(clock)
    store.prepare()
    record = store.open(record_id, OFFICER, Purpose.RIGHTS, audio=True)
    assert record.transcripts == ("Ein altes Anliegen.",)
    assert record.caller == draft.caller
    assert store.find_caller("030 123456", OFFICER, Purpose.RIGHTS) == (record_id,)
    assert store.find_reference(draft.reference, OFFICER, Purpose.RIGHTS) == record_id
    assert store.statistics(OFFICER, Purpose.SUPERVISION)
    trail = store.trail(OFFICER, Purpose.SUPERVISION)
    told = [(one.seq, one.entry.accessor, one.entry.role, one.entry.act, one.entry.result) for one in trail[:4]]
    assert told == [
        (1, "früher", "-", "list", "granted"),
        (2, "früher", "-", "text", "granted"),
        (3, "früher", "-", "audio", "granted"),
        (4, "früher", "-", "text", "refused_purpose"),
    ]
    assert [one.entry.subject for one in trail[:3]] == ["-", record_id, record_id]
    previous = FIRST
    for one in trail:
        assert (one.previous, one.hash) == (previous, digest(one.seq, one.entry, previous))
        previous = one.hash
    with store._opener._key_database.read() as connection:
        assert connection.execute(select(tables.masters)).one()[:2] == (LocalMaster(KEY).id, "active")
        assert connection.execute(select(tables.keys.c.held)).scalar_one() is False
    clock.advance(29 * 86400)
    assert store.sweep().deleted == 1
    store.close()


def make_old_store(home: Home, draft: Draft, clock: FakeClock) -> str:
    """A store as the first release left it, with a record in it."""
    import base64  # noqa: PLC0415
    import hashlib  # noqa: PLC0415
    import hmac  # noqa: PLC0415

    (home.directory / "keys").mkdir(parents=True, exist_ok=True)
    (home.directory / "keys" / "master.key").touch(mode=0o600)
    (home.directory / "keys" / "master.key").write_bytes(base64.b64encode(KEY) + b"\n")
    master, record_id, data = LocalMaster(KEY), "ab" * 16, b"d" * 32
    at, expires = to_micros(clock.now()), to_micros(clock.now()) + 28 * 86400 * 10**6
    wrapped = master.wrap(data, f"anruflotse/1/key/{record_id}/{expires}".encode())
    hashed = hmac.new(master.fingerprint_key, b"+4930123456", hashlib.sha256).hexdigest()
    sealed = {name: DataKey(record_id, data).seal(name, value) for name, value in packing.pack(draft).items()}
    with plain(home, tables.keys) as connection:
        old_keys.create_all(connection)
        connection.execute(
            keys.insert().values(
                id=record_id,
                wrapped=wrapped,
                master=master.id,
                caller=hashed,
                created_at=at,
                expires_at=expires,
                pending=False,
            )
        )
    with plain(home, tables.records) as connection:
        old_rows.create_all(connection)
        connection.execute(
            records.insert().values(
                id=record_id,
                reference=draft.reference,
                started_at=at,
                recorded_at=at,
                expires_at=expires,
                legal_basis=LEGAL_BASIS,
                purpose="weiterleitung",
                restricted=False,
                format=1,
            )
        )
        connection.execute(
            contents.insert(), [{"record_id": record_id, "field": name, "sealed": one} for name, one in sealed.items()]
        )
        connection.execute(
            counters.insert().values(day="2026-01-01", kind="handed", department="", decision="", number=7)
        )
        log = [("-", "-", "listed"), ("weiterleitung", record_id, "opened")]
        log += [("betroffenenrechte", record_id, "opened_audio"), ("-", record_id, "refused_purpose")]
        connection.execute(
            accesses.insert(),
            [
                {"at": at, "accessor": "früher", "purpose": purpose, "record_id": one, "result": result}
                for purpose, one, result in log
            ],
        )
        if connection.dialect.name == "sqlite":
            for verb in ("UPDATE", "DELETE"):
                connection.execute(
                    text(
                        f"CREATE TRIGGER accesses_no_{verb.lower()} BEFORE {verb} ON accesses "
                        "BEGIN SELECT RAISE(ABORT, 'accesses are append-only'); END"
                    )
                )
    return record_id


@pytest.mark.parametrize("verb", ["UPDATE audit SET accessor = 'niemand'", "DELETE FROM audit", "TRUNCATE audit"])
def test_the_trail_cannot_be_changed_by_accident(home: Home, clock: FakeClock, verb: str) -> None:
    if verb.startswith("TRUNCATE") and not home.rows_url:
        verb = "DELETE FROM audit WHERE seq = 1"  # SQLite has no TRUNCATE
    store = home.open(clock)
    store.list(OFFICER, Purpose.RIGHTS)
    rows = store._opener._row_database
    with pytest.raises(StoreError, match="contradicts what is stored"), rows.write() as connection:
        connection.execute(text(verb))
    assert len(store.trail(OFFICER, Purpose.SUPERVISION)) == 2
    store.close()


@pytest.mark.parametrize("main", MAINS, ids=["keys", "rows"])
def test_a_newer_database_is_refused_and_left_alone(home: Home, main: Table) -> None:
    one = database(home, main)
    one.prepare()
    with one.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"newer version of anruflotse: update the software"):
        one.prepare()
    with one.read() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"
    one.close()


@pytest.mark.parametrize("main", MAINS, ids=["keys", "rows"])
def test_the_other_stores_database_is_refused(home: Home, main: Table) -> None:
    other = next(one for one in MAINS if one is not main)
    right = database(home, main)
    right.prepare()
    right.close()
    url = home.keys_url if main is tables.keys else home.rows_url
    wrong: Database = (
        PostgresDatabase("store", url, other, main.name, 1)
        if url
        else SqliteDatabase("store", sqlite_file(home, main), other, main.name, 1)
    )
    with pytest.raises(StoreError, match="a database each"):
        wrong.prepare()
    wrong.close()


def test_a_migration_that_fails_half_way_leaves_nothing_behind(
    empty: Home, clock: FakeClock, make_draft: MakeDraft
) -> None:
    make_old_store(empty, make_draft(), clock)
    one = database(empty, tables.records)
    before = schema(empty)

    def fail(connection: Connection, cursor: object, statement: str, *_: object) -> None:
        if "DROP COLUMN restricted" in statement:
            raise DBAPIError(None, None, Exception("power cut"))

    event.listen(one._engine, "before_cursor_execute", fail)  # type: ignore[attr-defined]
    with pytest.raises(StoreError):
        one.prepare()
    one.close()
    assert schema(empty) == before
    again = database(empty, tables.records)
    again.prepare()
    again.close()
    assert "audit" in schema(empty)


def schema(home: Home) -> dict[str, list[str]]:
    with plain(home, tables.records) as connection:
        looked = inspect(connection)
        return {name: [column["name"] for column in looked.get_columns(name)] for name in looked.get_table_names()}
