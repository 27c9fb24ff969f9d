"""Both kinds of database: one chain whoever writes at once, and what is done to it is found."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from anruflotse.clock import FakeClock
from anruflotse.records.audit.trail import Filter
from anruflotse.records.model import StoreError
from anruflotse.records.repository import Records
from anruflotse.records.stores.database import Database
from tests.records.audit.conftest import entry
from tests.records.conftest import OFFICER, Home

EACH = 50
WRITER = """
import sys
from pathlib import Path
from anruflotse.clock import FakeClock
from anruflotse.records.access import Accessor, Role
from anruflotse.records.repository import Records

directory, name, rows_url, keys_url, number = sys.argv[1:]
store = Records(Path(directory), FakeClock(), environment={}, busy_seconds=30, rows_url=rows_url or None,
                keys_url=keys_url or None)
for _ in range(int(number)):
    store.find_reference("ab" * 16, Accessor(name, Role.PRIVACY), "betroffenenrechte")
store.close()
"""


def databases(store: Records) -> tuple[Database, Database]:
    trail = store._opener.stores().trail
    return trail._rows, trail._keys


def test_threads_and_processes_make_one_chain(home: Home, clock: FakeClock) -> None:
    store = home.open(clock, busy_seconds=30)
    store.prepare()
    trail = store._opener.stores().trail
    seen: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.01):
            latest = trail._heads.latest()
            seen.append(latest.seq if latest else 0)

    def write(name: int) -> None:
        for _ in range(EACH):
            trail.append(entry(1, accessor=f"Thread {name}"))

    with ThreadPoolExecutor(3) as pool:
        watching = pool.submit(watch)
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")}
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(home.directory), f"Process {number}", home.rows_url or "",
                 home.keys_url or "", str(EACH)],
                env=environment,
            )
            for number in range(2)
        ]  # fmt: skip
        for writing in [pool.submit(write, number) for number in range(2)]:
            writing.result()
        assert [process.wait(60) for process in processes] == [0, 0]
        over.set()
        watching.result()
    verified = store.verify_trail()
    assert (verified.intact, verified.entries, verified.head) == (True, 4 * EACH, 4 * EACH)
    assert seen == sorted(seen)
    by = [chained.entry.accessor for chained in trail.page(0, 1000)]
    assert {name: by.count(name) for name in by} == dict.fromkeys(
        ("Thread 0", "Thread 1", "Process 0", "Process 1"), EACH
    )
    store.close()


def test_verifying_while_others_write_finds_nothing(home: Home, clock: FakeClock) -> None:
    store = home.open(clock, busy_seconds=30)
    trail = store._opener.stores().trail

    def write() -> None:
        for number in range(EACH):
            trail.append(entry(number))

    with ThreadPoolExecutor(2) as pool:
        writing = [pool.submit(write) for _ in range(2)]
        while not all(one.done() for one in writing):
            assert trail.verify().intact
    assert trail.verify().entries == 2 * EACH
    store.close()


ATTACKS = {
    "UPDATE audit SET accessor = 'niemand' WHERE seq = 3": ("changed", 3),
    "UPDATE audit SET at = at + 1 WHERE seq = 6": ("changed", 6),
    "DELETE FROM audit WHERE seq = 4": ("gap", 4),
    "DELETE FROM audit WHERE seq > 5": ("truncated", 6),
    "DELETE FROM audit": ("truncated", 1),
    "INSERT INTO audit SELECT seq + 1, at, accessor, role, purpose, act, subject, result, previous, hash FROM audit "
    "WHERE seq = 8": ("changed", 9),
    "UPDATE audit_tip SET seq = 7": ("tip", 8),
    "UPDATE heads SET at = at + 1 WHERE day = 'latest'": ("head", 0),
    "DELETE FROM heads WHERE day = '2026-03-02'": ("head", 0),
    "DELETE FROM heads": ("head", 0),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_on_either_database_is_found(each_store: Records, attack: str) -> None:
    rows, keys = databases(each_store)
    trail = each_store._opener.stores().trail
    for number in range(1, 9):
        trail.append(entry(number))
    attacked = keys if "heads" in attack else rows
    # Append-only for everybody who does not go to the trouble.
    if attacked is rows and "tip" not in attack and not attack.startswith("INSERT"):
        with pytest.raises(StoreError), rows.write() as connection:
            connection.execute(text(attack))
        assert trail.verify().intact
    with rows.write() as connection:
        names = ["audit_no_update", "audit_no_delete"]
        if connection.dialect.name == "postgresql":
            connection.execute(text("DROP TRIGGER audit_append_only ON audit"))
        else:
            for name in names:
                connection.execute(text(f"DROP TRIGGER {name}"))
    with attacked.write() as connection:
        connection.execute(text(attack))
    verified = trail.verify()
    assert not verified.intact
    assert (verified.wrong, verified.first_broken) == ATTACKS[attack]


def test_the_trail_is_searched_by_time_accessor_and_record(each_store: Records) -> None:
    trail = each_store._opener.stores().trail
    for number in range(1, 9):
        trail.append(entry(number, accessor="frau.beispiel" if number % 2 else "herr.muster"))

    def found(wanted: Filter, limit: int | None = None) -> list[int]:
        return [chained.seq for chained in each_store.trail(OFFICER, "betroffenenrechte", wanted, limit)]

    assert found(Filter(accessor="frau.beispiel")) == [1, 3, 5, 7]
    assert found(Filter(accessor="frau.beispiel"), 2) == [5, 7]
    assert found(Filter(subject=entry(4).subject)) == [4]
    assert found(Filter(since=entry(4).at, until=entry(6).at, accessor="frau.beispiel")) == [5]
    # Each look is an access itself.
    assert found(Filter(accessor=OFFICER.name)) == [9, 10, 11, 12, 13]
    assert found(Filter(), 3) == [12, 13, 14]
