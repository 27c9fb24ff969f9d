from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from anruflotse.clock import FakeClock
from anruflotse.records.model import DestroyReason, Purpose, StoreError
from anruflotse.records.repository import Records
from anruflotse.records.stores.rowstore import RowStore
from tests.records.conftest import OFFICER, MakeDraft


def rows_file(directory: Path) -> sqlite3.Connection:
    return sqlite3.connect(directory / "records.sqlite", isolation_level=None)


def keys_file(directory: Path) -> sqlite3.Connection:
    return sqlite3.connect(directory / "keys" / "keys.sqlite", isolation_level=None)


def test_exactly_what_has_expired_goes(store: Records, make_draft: MakeDraft, clock: FakeClock) -> None:
    store.seal(make_draft())
    clock.advance(60)
    later = store.seal(make_draft())
    assert store.sweep().deleted == 0
    clock.advance(28 * 86400 - 60)
    swept = store.sweep()
    assert (swept.deleted, swept.keys_destroyed, swept.failed) == (1, 1, 0)
    assert swept.at == clock.now()
    assert [line.id for line in store.list(OFFICER, Purpose.RIGHTS)] == [later]
    assert store.status().next_expiry == clock.now() + timedelta(seconds=60)
    assert store.sweep().deleted == 0


def test_more_than_one_batch_goes_in_one_sweep(
    store: Records, make_draft: MakeDraft, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anruflotse.records.sweeping._BATCH", 3)
    for _ in range(8):
        store.seal(make_draft(recording=None))
    clock.advance(28 * 86400)
    assert store.sweep().deleted == 8
    assert store.status().overdue == 0


def test_a_later_time_may_be_named_an_earlier_one_puts_nothing_off(
    store: Records, make_draft: MakeDraft, clock: FakeClock
) -> None:
    store.seal(make_draft())
    clock.advance(28 * 86400)
    assert store.sweep(clock.now() - timedelta(days=5)).deleted == 1
    store.seal(make_draft())
    assert store.sweep(clock.now() + timedelta(days=28)).deleted == 1


def test_one_record_that_resists_does_not_hold_up_the_others(
    store: Records, make_draft: MakeDraft, clock: FakeClock, directory: Path
) -> None:
    ids = sorted(store.seal(make_draft(recording=None)) for _ in range(5))
    clock.advance(28 * 86400)
    with closing(rows_file(directory)) as database:
        database.execute(
            f"CREATE TRIGGER no BEFORE DELETE ON records WHEN old.id = '{ids[2]}' BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        swept = store.sweep()
        assert (swept.deleted, swept.failed) == (4, 1)
        with closing(keys_file(directory)) as keys:
            assert keys.execute("SELECT count(*) FROM keys").fetchone() == (0,)
        database.execute("DROP TRIGGER no")
    assert store.sweep().deleted == 1


@pytest.mark.parametrize("value", ["garbage", -1, 10**17])
def test_an_expiry_that_is_no_time_counts_as_expired(
    store: Records, make_draft: MakeDraft, directory: Path, value: object
) -> None:
    broken, whole = store.seal(make_draft()), store.seal(make_draft())
    for file, table in ((rows_file(directory), "records"), (keys_file(directory), "keys")):
        with closing(file) as database:
            with pytest.raises(sqlite3.IntegrityError, match="expires_at"):
                database.execute(f"UPDATE {table} SET expires_at = ? WHERE id = ?", (value, broken))  # noqa: S608
            database.execute("PRAGMA ignore_check_constraints = 1")
            database.execute(f"UPDATE {table} SET expires_at = ? WHERE id = ?", (value, broken))  # noqa: S608
    assert [line.id for line in store.list(OFFICER, Purpose.RIGHTS)] == [whole]
    swept = store.sweep()
    assert (swept.deleted, swept.keys_destroyed, swept.failed) == (1, 1, 0)
    assert [line.id for line in store.list(OFFICER, Purpose.RIGHTS)] == [whole]


class TestHalfWritten:
    @pytest.fixture
    def half(
        self, store: Records, make_draft: MakeDraft, directory: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A key without row, as a process leaves it that dies between the two."""

        class DeadError(BaseException):
            pass

        def die(*_: object) -> None:
            raise DeadError

        draft = make_draft()
        with monkeypatch.context() as patch:
            patch.setattr(RowStore, "add", die)
            with pytest.raises(DeadError):
                store.seal(draft)

    @pytest.mark.usefixtures("half")
    def test_it_is_invisible_and_goes_once_no_write_can_still_be_under_way(
        self, store: Records, clock: FakeClock, directory: Path
    ) -> None:
        assert store.list(OFFICER, Purpose.RIGHTS) == ()
        assert store.status().records == 0
        clock.advance(9 * 60)
        assert store.sweep().keys_destroyed == 0
        clock.advance(60)
        assert store.sweep().keys_destroyed == 1
        with closing(keys_file(directory)) as keys:
            assert keys.execute("SELECT count(*) FROM keys").fetchone() == (0,)
        assert store.status().deleted == 0

    @pytest.mark.usefixtures("half")
    def test_a_write_that_was_given_up_cannot_be_finished_any_more(
        self, store: Records, clock: FakeClock, make_draft: MakeDraft, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add = RowStore.add

        def slowly(self: RowStore, row: object, sealed: object) -> None:
            clock.advance(10 * 60)
            store.sweep()
            add(self, row, sealed)  # type: ignore[arg-type]

        monkeypatch.setattr(RowStore, "add", slowly)
        with pytest.raises(StoreError, match="too long"):
            store.seal(make_draft())
        assert store.list(OFFICER, Purpose.RIGHTS) == ()

    def test_a_finished_record_is_left_alone_however_old(
        self, store: Records, make_draft: MakeDraft, clock: FakeClock
    ) -> None:
        one = store.seal(make_draft())
        for _ in range(3):
            clock.advance(3600)
            assert store.sweep().keys_destroyed == 0
        assert [line.id for line in store.list(OFFICER, Purpose.RIGHTS)] == [one]

    def test_a_key_whose_row_was_seen_is_not_looked_for_again(
        self, store: Records, make_draft: MakeDraft, clock: FakeClock, directory: Path
    ) -> None:
        store.seal(make_draft())
        clock.advance(11 * 60)
        store.sweep()
        with closing(keys_file(directory)) as keys:
            assert keys.execute("SELECT count(*) FROM keys WHERE pending").fetchone() == (0,)

    def test_a_row_that_cannot_be_written_takes_its_key_along(
        self, store: Records, make_draft: MakeDraft, directory: Path
    ) -> None:
        reference = "ab" * 16
        one = store.seal(make_draft(reference=reference))
        with pytest.raises(StoreError, match="contradicts"):
            store.seal(make_draft(reference=reference))
        with closing(keys_file(directory)) as keys:
            assert keys.execute("SELECT id FROM keys").fetchall() == [(one,)]

    def test_a_row_without_key_goes_at_the_first_sweep_after_a_start(
        self, store: Records, make_draft: MakeDraft, clock: FakeClock, directory: Path
    ) -> None:
        lost, kept = store.seal(make_draft()), store.seal(make_draft())
        store.close()
        with closing(keys_file(directory)) as keys:
            keys.execute("DELETE FROM keys WHERE id = ?", (lost,))
        with closing(Records(directory, clock, environment={})) as restarted:
            assert [line.id for line in restarted.list(OFFICER, Purpose.RIGHTS)] == [kept]
            assert restarted.sweep().deleted == 1
            assert restarted.status().records == 1

    def test_a_key_whose_row_was_lost_goes_at_the_first_sweep_after_a_start(
        self, store: Records, make_draft: MakeDraft, clock: FakeClock, directory: Path
    ) -> None:
        lost, kept = store.seal(make_draft()), store.seal(make_draft())
        clock.advance(11 * 60)
        store.sweep()
        store.close()
        with closing(rows_file(directory)) as database:
            database.execute("DELETE FROM contents WHERE record_id = ?", (lost,))
            database.execute("DELETE FROM records WHERE id = ?", (lost,))
        with closing(Records(directory, clock, environment={})) as restarted:
            assert restarted.sweep().keys_destroyed == 1
            assert [line.id for line in restarted.list(OFFICER, Purpose.RIGHTS)] == [kept]


SWEEP = """
import json, sys
from datetime import timedelta
from pathlib import Path
from anruflotse.clock import FakeClock
from anruflotse.records.repository import Records

clock = FakeClock()
clock.advance(28 * 86400)
store = Records(Path(sys.argv[1]), clock, environment={}, busy_seconds=20)
store.status()
print("ready", flush=True)
sys.stdin.readline()
swept = store.sweep()
print(json.dumps([swept.deleted, swept.keys_destroyed, swept.failed]))
store.close()
"""


def test_two_processes_may_sweep_at_once(
    store: Records, make_draft: MakeDraft, clock: FakeClock, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(60):
        store.seal(make_draft(recording=None))
    program = "import anruflotse.records.sweeping as s; s._BATCH = 4\n" + SWEEP
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    results = [json.loads(process.communicate(timeout=60)[0]) for process in both]
    deleted, destroyed, failed = (sum(column) for column in zip(*results, strict=True))
    assert (deleted, destroyed, failed) == (60, 60, 0)
    clock.advance(28 * 86400)
    assert store.status().overdue == 0
    assert store.status().deleted == store.status().keys_destroyed == 60


def test_a_locked_store_ends_the_sweep_at_once_and_the_next_one_does_the_work(
    store: Records, make_draft: MakeDraft, clock: FakeClock, directory: Path
) -> None:
    for _ in range(5):
        store.seal(make_draft(recording=None))
    clock.advance(28 * 86400)
    with closing(rows_file(directory)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            store.sweep()
        other.execute("ROLLBACK")
    assert store.sweep().deleted == 5


def test_destroying_names_its_reason_in_the_tombstone(store: Records, make_draft: MakeDraft, directory: Path) -> None:
    for reason in DestroyReason:
        store.destroy(store.seal(make_draft(recording=None)), reason)
    with closing(rows_file(directory)) as database:
        told = {row[0] for row in database.execute("SELECT reason FROM tombstones")}
    assert told == {"abgelaufen", "geloescht", "widersprochen", "abgebrochen", "unvollstaendig"}
