"""Key store and row store, in each kind of database: what they promise to the sweep, to rotation and to restriction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import psycopg
import pytest
from sqlalchemy import Connection, event, text

from anruflotse.clock import FakeClock
from anruflotse.records.model import DestroyReason, StoreError
from anruflotse.records.restriction import Ground, Restriction
from anruflotse.records.stores.keystore import START, KeyStore, RetiredMasterError, StoredKey
from anruflotse.records.stores.postgres import PostgresDatabase
from anruflotse.records.stores.rowstore import RowStore, StoredRow
from anruflotse.records.stores.tables import bury, key_tombstones, keys
from anruflotse.records.vault.keyring import SingleKeyring
from anruflotse.records.vault.master import LocalMaster
from tests.records.conftest import Home

NOW = 1_700_000_000_000_000
EXPIRED = DestroyReason.EXPIRED


@dataclass(frozen=True)
class Both:
    keys: KeyStore
    rows: RowStore


@pytest.fixture
def both(home: Home, clock: FakeClock) -> Iterator[Both]:
    # SQLite has one writer at a time: the others wait long enough here.
    store = home.open(clock, ring=SingleKeyring(LocalMaster(b"k" * 32)), busy_seconds=5)
    stores = store._opener.stores()
    yield Both(stores.keys, stores.rows)
    store.close()


def key(number: int, expires_at: int = NOW + 10, master: str = "m") -> StoredKey:
    return StoredKey(f"{number:032x}", bytes([number % 256]) * 60, master, expires_at)


def row(number: int, expires_at: int = NOW + 10) -> StoredRow:
    return StoredRow(
        id=f"{number:032x}",
        reference=f"{number:032x}",
        started_at=NOW,
        recorded_at=NOW,
        expires_at=expires_at,
        legal_basis="§",
        purpose="weiterleitung",
        format=1,
    )


def pages(store: KeyStore | RowStore, now: int, limit: int) -> list[str]:
    found, after = [], START
    while page := store.due(now, after, limit):
        assert len(page) <= limit
        found += [one for _, one in page]
        after = page[-1]
    return found


def test_what_is_due_comes_in_pages_earliest_first_and_ties_are_not_lost(both: Both) -> None:
    # Many with the same expiry, so that pages end in the middle of them.
    expiries = {number: NOW - number % 3 for number in range(1, 24)} | {90: NOW + 1, 91: NOW}
    for number, expires in expiries.items():
        both.keys.add(key(number, expires), caller=None, now=NOW - 100)
        both.rows.add(row(number, expires), {"summary": b"x"})
    expected = [f"{number:032x}" for expires, number in sorted((e, n) for n, e in expiries.items()) if expires <= NOW]
    for limit in (1, 4, 100):
        assert pages(both.keys, NOW, limit) == expected
        assert pages(both.rows, NOW, limit) == expected
    stored = both.keys.one(expected[0])
    assert stored is not None
    held = Restriction(Ground.LEGAL_CLAIMS, NOW - 50, held=True, review_at=NOW + 99)
    assert both.keys.restrict(stored, b"w" * 60, held)
    assert pages(both.keys, NOW, 4) == expected[1:]
    assert pages(both.rows, NOW, 4) == expected


def test_an_expiry_that_is_no_time_is_refused(both: Both) -> None:
    for wrong in (0, -1, 2**62):
        with pytest.raises(StoreError, match="contradicts"):
            both.keys.add(key(1, wrong), caller=None, now=NOW)
        with pytest.raises(StoreError, match="contradicts"):
            both.rows.add(row(1, wrong), {"summary": b"x"})


def test_readable_records_of_a_number_come_oldest_first(both: Both) -> None:
    for number, at in ((3, NOW - 1), (1, NOW - 3), (2, NOW - 2)):
        both.keys.add(key(number), caller="c" * 64, now=at)
    both.keys.add(key(4, NOW), caller="c" * 64, now=NOW)
    both.keys.add(key(5), caller="d" * 64, now=NOW)
    assert both.keys.by_caller("c" * 64, NOW) == tuple(f"{number:032x}" for number in (1, 2, 3))
    assert both.keys.by_caller("e" * 64, NOW) == ()


def test_under_a_retired_master_key_nothing_can_be_added(both: Both) -> None:
    both.keys.add(key(1, master="old"), caller=None, now=NOW)
    both.keys.retire("old", NOW)
    both.keys.retire("never used", NOW)
    for master in ("old", "never used"):
        with pytest.raises(RetiredMasterError, match="try again"):
            both.keys.add(key(2, master=master), caller=None, now=NOW)
    both.keys.add(key(3, master="new"), caller=None, now=NOW)
    assert both.keys.retired() == {"old", "never used"}
    assert both.keys.masters() == {"old": 1, "new": 1}
    assert [one.id for one in both.keys.under_other_masters("new", "", 9)] == [key(1).id]


def test_wrapping_anew_changes_only_what_is_still_as_it_was_read(both: Both) -> None:
    before = [key(number, master="old") for number in range(4)]
    for one in before:
        both.keys.add(one, caller=None, now=NOW)
    both.keys.destroy([before[0].id], EXPIRED, NOW)
    assert both.keys.restrict(before[1], b"r" * 60, Restriction(Ground.CONTESTED, NOW, held=False, review_at=None))
    moved = [(one, replace(one, wrapped=b"n" * 60, master="new")) for one in before]
    assert both.keys.rewrap(moved) == 2
    assert both.keys.masters() == {"old": 1, "new": 2}
    assert both.keys.one(before[2].id) == moved[2][1]
    assert not both.keys.restrict(before[2], b"x" * 60, None)


def test_a_half_written_key_is_found_until_its_row_was_seen(both: Both) -> None:
    for number in (1, 2, 3):
        both.keys.add(key(number), caller=None, now=NOW + number)
    ids = [key(number).id for number in (1, 2, 3)]
    assert both.keys.pending(NOW + 2, "", 9) == ids[:2]
    both.keys.settle(ids[:1])
    assert both.keys.pending(NOW + 9, "", 9) == ids[1:]
    assert both.keys.settled("", 9) == ids[:1]


def test_a_row_is_not_added_once_it_was_given_up(both: Both) -> None:
    both.rows.destroy([row(1).id], DestroyReason.HALF_WRITTEN, NOW)
    with pytest.raises(StoreError, match="given up"):
        both.rows.add(row(1), {"summary": b"x"})


def test_destroying_twice_leaves_the_first_tombstone(both: Both) -> None:
    both.keys.add(key(1), caller=None, now=NOW)
    both.rows.add(row(1), {"summary": b"x", "details": b"y"})
    ids = [key(1).id, key(2).id]
    assert both.keys.destroy(ids, DestroyReason.ERASED, NOW) == (1, ids)
    assert both.keys.destroy(ids, EXPIRED, NOW + 1) == (0, ids)
    assert both.rows.destroy(ids, DestroyReason.ERASED, NOW) == 1
    assert both.rows.destroy(ids, EXPIRED, NOW + 1) == 0
    assert {one.reason for one in both.rows.tombstones(ids).values()} == {DestroyReason.ERASED}
    assert both.rows.get(ids[0], ["summary", "details"]) is None


def test_the_same_thing_counted_and_buried_at_once_is_counted_and_buried_once(both: Both) -> None:
    ids = [f"{number:032x}" for number in range(50)]
    failed: list[BaseException] = []

    def work(order: int) -> None:
        try:
            for _ in range(10):
                both.rows.count("2026-01-01", "handed", "", "")
            with both.keys.database.write() as connection:
                bury(connection, key_tombstones, ids[::order], EXPIRED, NOW)
        except StoreError as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(order,)) for order in (1, -1, 1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert [one.number for one in both.rows.counted()] == [40]
    assert both.keys.destroyed() == 50


@pytest.fixture
def postgres_only(both: Both, home: Home) -> str:
    assert home.keys_url
    return home.keys_url


@pytest.mark.parametrize("home", ["postgres"], indirect=True)
def test_a_key_another_process_is_destroying_is_left_to_it(both: Both, postgres_only: str) -> None:
    for number in (1, 2, 3):
        both.keys.add(key(number), caller=None, now=NOW)
    ids = [key(number).id for number in (1, 2, 3)]
    with psycopg.connect(postgres_only) as other:
        other.execute("DELETE FROM keys WHERE id = %s", (ids[1],))
        assert both.keys.destroy(ids, EXPIRED, NOW) == (2, [ids[0], ids[2]])
        both.keys.settle(ids)
        other.rollback()
    assert both.keys.existing(ids) == {ids[1]}


def wait_for_a_waiter(other: psycopg.Connection[tuple[object, ...]]) -> None:
    """Until a session waits for what `other` has written and not committed."""
    pause = threading.Event()
    for _ in range(500):
        waiting = other.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted")
        if waiting.fetchone() == (1,):
            return
        pause.wait(0.01)
    pytest.fail("nobody waited")


@pytest.mark.parametrize("home", ["postgres"], indirect=True)
def test_a_rotation_waits_for_a_key_being_added(both: Both, postgres_only: str) -> None:
    both.keys.add(key(1), caller=None, now=NOW)
    adding = threading.Thread(target=lambda: both.keys.add(key(2), caller=None, now=NOW))
    with psycopg.connect(postgres_only) as other:
        # The same key, not committed, holds the one being added up after it has looked at its master key.
        other.execute("INSERT INTO keys SELECT %s, wrapped, master, caller, created_at, expires_at, pending FROM keys",
                      (key(2).id,))  # fmt: skip
        adding.start()
        wait_for_a_waiter(other)
        impatient = PostgresDatabase("key store", postgres_only, keys, "-", 0.1)
        with closing(impatient), pytest.raises(StoreError, match="locked"):
            KeyStore(impatient).retire("m", NOW)
        # Another write may go on beside it.
        both.keys.add(key(3), caller=None, now=NOW)
        other.rollback()
    adding.join(10)
    both.keys.retire("m", NOW)
    assert both.keys.masters() == {"m": 3}


@pytest.mark.parametrize("home", ["postgres"], indirect=True)
def test_tombstones_are_laid_in_order_so_that_nobody_waits_in_a_circle(both: Both, postgres_only: str) -> None:
    ids = [f"{number:032x}" for number in range(30)]

    def work() -> None:
        with both.keys.database.write() as connection:
            bury(connection, key_tombstones, ids[::-1], EXPIRED, NOW)

    burying = threading.Thread(target=work)
    with psycopg.connect(postgres_only) as other:
        other.execute("INSERT INTO tombstones VALUES (%s, 1, 'x')", (ids[10],))
        burying.start()
        wait_for_a_waiter(other)
        other.execute("INSERT INTO tombstones VALUES (%s, 1, 'x')", (ids[20],))
    burying.join(10)
    assert both.keys.destroyed() == 30


@pytest.mark.parametrize("home", ["postgres"], indirect=True)
def test_look_ups_among_many_use_their_indexes(both: Both, postgres_only: str) -> None:
    with psycopg.connect(postgres_only, autocommit=True) as other:
        other.execute(
            "INSERT INTO keys (id, wrapped, master, caller, created_at, expires_at, pending, held) "
            "SELECT md5(n::text), 'w', 'm', md5((n / 3)::text), n, %s + n, false, false "
            "FROM generate_series(1, 20000) AS n",
            (NOW,),
        )
        other.execute("VACUUM ANALYZE keys")
    plans: dict[str, str] = {}

    def explain(connection: Connection, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if statement.startswith("SELECT") and "keys" in statement:
            cursor = connection.connection.cursor()
            cursor.execute(f"EXPLAIN {statement}", parameters)  # type: ignore[arg-type]
            plans[wanted] = "\n".join(line for (line,) in cursor.fetchall())

    engine = both.keys.database._engine  # type: ignore[attr-defined]
    event.listen(engine, "before_cursor_execute", explain)
    look_ups: dict[str, Callable[[], object]] = {
        "ix_keys_due": lambda: both.keys.due(NOW + 100, (NOW + 50, "f" * 32), 200),
        "ix_keys_caller": lambda: both.keys.by_caller("c" * 64, NOW),
        "keys_pkey": lambda: both.keys.settled("8" * 32, 200),
        "ix_keys_pending": lambda: both.keys.pending(NOW, "", 200),
        "ix_keys_restricted": lambda: both.keys.restricted(NOW),
        "ix_keys_held": both.keys.all_held,
    }
    for wanted, look_up in look_ups.items():
        look_up()
        assert wanted in plans[wanted], plans[wanted]
        assert "Seq Scan" not in plans[wanted]
    event.remove(engine, "before_cursor_execute", explain)
    assert len(both.keys.due(NOW + 100, (NOW + 50, "f" * 32), 200)) == 50
    with both.keys.database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM keys")).scalar_one() == 20000
