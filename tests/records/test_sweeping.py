"""The sweep, in both kinds of database: what has expired goes, whatever resists, dies or happens at the same time."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from anruflotse.clock import FakeClock
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import DestroyReason, NotFoundError, Purpose, StoreError
from anruflotse.records.repository import Records
from anruflotse.records.restriction import Ground
from anruflotse.records.retention import journal
from anruflotse.records.stores.keystore import KeyStore
from anruflotse.records.stores.rowstore import RowStore
from tests.records.conftest import OFFICER, Home, MakeDraft
from tests.records.faults import (
    CrashError,
    allow_deletion,
    ask,
    crash_at,
    keys_of,
    refuse_deletion,
    rows_of,
    run,
)

LIFE = 28 * 86400


def listed(store: Records) -> set[str]:
    return {line.id for line in store.list(OFFICER, Purpose.RIGHTS)}


def several(store: Records, make_draft: MakeDraft, number: int) -> list[str]:
    return sorted(store.seal(make_draft(recording=None)) for _ in range(number))


def test_exactly_what_has_expired_goes(each_store: Records, make_draft: MakeDraft, clock: FakeClock) -> None:
    store = each_store
    store.seal(make_draft())
    clock.advance(60)
    later = store.seal(make_draft())
    assert store.sweep().deleted == 0
    clock.advance(LIFE - 60)
    swept = store.sweep()
    assert (swept.deleted, swept.keys_destroyed, swept.failed) == (1, 1, 0)
    assert swept.at == clock.now()
    assert listed(store) == {later}
    assert store.status().next_expiry == clock.now() + timedelta(seconds=60)
    assert store.sweep().deleted == 0


def test_more_than_one_batch_goes_in_one_sweep(
    each_store: Records, make_draft: MakeDraft, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anruflotse.records.retention.sweeping._BATCH", 3)
    several(each_store, make_draft, 8)
    clock.advance(LIFE)
    assert each_store.sweep().deleted == 8
    assert each_store.status().overdue == 0


def test_a_later_time_may_be_named_an_earlier_one_puts_nothing_off(
    store: Records, make_draft: MakeDraft, clock: FakeClock
) -> None:
    store.seal(make_draft())
    clock.advance(LIFE)
    assert store.sweep(clock.now() - timedelta(days=5)).deleted == 1
    store.seal(make_draft())
    assert store.sweep(clock.now() + timedelta(days=28)).deleted == 1


class TestResisting:
    def test_a_row_that_resists_does_not_hold_up_the_others(
        self, each_store: Records, make_draft: MakeDraft, clock: FakeClock
    ) -> None:
        ids = several(each_store, make_draft, 9)
        refuse_deletion(rows_of(each_store), "records", ids[2])
        clock.advance(LIFE)
        swept = each_store.sweep()
        assert (swept.deleted, swept.keys_destroyed, swept.failed) == (8, 9, 1)
        assert ask(keys_of(each_store), "SELECT id FROM keys") == []
        again = each_store.sweep()
        assert (again.deleted, again.failed) == (0, 1)
        allow_deletion(rows_of(each_store), "records")
        assert each_store.sweep().deleted == 1

    def test_a_key_that_resists_keeps_its_row_and_stays_unreadable(
        self, each_store: Records, make_draft: MakeDraft, clock: FakeClock
    ) -> None:
        ids = several(each_store, make_draft, 5)
        refuse_deletion(keys_of(each_store), "keys", ids[4])
        clock.advance(LIFE)
        swept = each_store.sweep()
        assert (swept.deleted, swept.keys_destroyed) == (4, 4)
        # Due as a key, and again as a row.
        assert swept.failed == 1
        assert ask(rows_of(each_store), "SELECT id FROM records") == [ids[4]]
        with pytest.raises(NotFoundError):
            each_store.open(ids[4], OFFICER, Purpose.RIGHTS)
        allow_deletion(keys_of(each_store), "keys")
        assert each_store.sweep().deleted == 1

    def test_one_that_resists_among_many_costs_few_transactions(
        self, store: Records, make_draft: MakeDraft, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ids = several(store, make_draft, 64)
        refuse_deletion(rows_of(store), "records", ids[20])
        clock.advance(LIFE)
        tried: list[int] = []
        destroy = RowStore.destroy

        def noted(self: RowStore, gone: list[str], reason: DestroyReason, now: int) -> int:
            tried.append(len(gone))
            return destroy(self, gone, reason, now)

        monkeypatch.setattr(RowStore, "destroy", noted)
        assert store.sweep().deleted == 63
        # Once as a key that is due, once more as a row that is: 64, 32, 32, 16, 16 … 1, 1, and then 1.
        assert len(tried) == 1 + 2 * 6 + 1

    @pytest.mark.parametrize("value", ["garbage", -1, 10**17, 1e300, b"\x00"])
    def test_an_expiry_that_is_no_time_counts_as_expired(
        self, store: Records, make_draft: MakeDraft, directory: Path, value: object
    ) -> None:
        broken, whole = store.seal(make_draft()), store.seal(make_draft())
        for file, table in (("records.sqlite", "records"), ("keys/keys.sqlite", "keys")):
            with closing(sqlite3.connect(directory / file, isolation_level=None)) as database:
                update = f"UPDATE {table} SET expires_at = ? WHERE id = ?"  # noqa: S608
                with pytest.raises(sqlite3.IntegrityError, match="expires_at"):
                    database.execute(update, (value, broken))
                database.execute("PRAGMA ignore_check_constraints = 1")
                database.execute(update, (value, broken))
        assert listed(store) == {whole}
        swept = store.sweep()
        assert (swept.deleted, swept.keys_destroyed, swept.failed) == (1, 1, 0)
        assert listed(store) == {whole}

    @pytest.mark.parametrize("odd", [b"\xff\xfe broken", b"zz"])
    def test_an_id_that_is_no_id_holds_up_nothing(
        self, store: Records, make_draft: MakeDraft, directory: Path, clock: FakeClock, odd: bytes
    ) -> None:
        """SQLite keeps any bytes as text, also those that are none."""
        one, *others = several(store, make_draft, 4)
        with closing(sqlite3.connect(directory / "keys" / "keys.sqlite", isolation_level=None)) as database:
            database.execute("UPDATE keys SET id = CAST(? AS TEXT) WHERE id = ?", (odd, one))
        clock.advance(LIFE)
        swept = store.sweep()
        assert swept.deleted == 4
        readable = odd == b"zz"
        assert (swept.keys_destroyed, swept.failed) == ((4, 0) if readable else (len(others), 1))

    def test_a_blob_in_place_of_an_id_holds_up_nothing(
        self, store: Records, make_draft: MakeDraft, directory: Path, clock: FakeClock
    ) -> None:
        one, *_ = several(store, make_draft, 4)
        with closing(sqlite3.connect(directory / "keys" / "keys.sqlite", isolation_level=None)) as database:
            database.execute("UPDATE keys SET id = ? WHERE id = ?", (b"\x00\xff", one))
        clock.advance(LIFE)
        assert store.sweep().deleted == 4
        assert ask(keys_of(store), "SELECT count(*) FROM keys") == [0]


class TestHeld:
    """Art. 18(1)(b) and (c): the person needs it kept."""

    def test_a_held_record_is_not_swept_until_it_is_lifted_and_then_at_once(
        self, each_store: Records, make_draft: MakeDraft, clock: FakeClock
    ) -> None:
        store = each_store
        held, restricted = several(store, make_draft, 2)
        store.restrict(held, OFFICER, Ground.LEGAL_CLAIMS, hold=True, review_on=clock.now() + timedelta(days=100))
        store.restrict(restricted, OFFICER, Ground.CONTESTED)
        clock.advance(LIFE)
        swept = store.sweep()
        assert (swept.deleted, swept.keys_destroyed, swept.failed) == (1, 1, 0)
        assert store.open(held, OFFICER, Purpose.RIGHTS).transcripts
        clock.advance(LIFE)
        assert store.sweep().deleted == 0
        store.lift(held, OFFICER)
        with pytest.raises(NotFoundError):
            store.open(held, OFFICER, Purpose.RIGHTS)
        assert store.sweep().deleted == 1
        assert ask(keys_of(store), "SELECT id FROM keys") == []

    def test_a_hold_that_comes_between_finding_and_destroying_is_kept(
        self, each_store: Records, make_draft: MakeDraft, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = each_store
        (one,) = several(store, make_draft, 1)
        due = KeyStore.due

        def held_meanwhile(self: KeyStore, *page: object) -> object:
            found = due(self, *page)  # type: ignore[arg-type]
            run(self.database, "UPDATE keys SET held = true, restriction = 'c', restricted_at = 1, review_at = 1")
            return found

        monkeypatch.setattr(KeyStore, "due", held_meanwhile)
        clock.advance(LIFE)
        assert store.sweep().keys_destroyed == 0
        assert ask(rows_of(store), "SELECT id FROM records") == [one]


class TestHalfWritten:
    @pytest.fixture
    def half(self, each_store: Records, make_draft: MakeDraft, monkeypatch: pytest.MonkeyPatch) -> None:
        """A key without row, as a process leaves it that dies between the two."""

        def die(*_: object) -> None:
            raise CrashError

        draft = make_draft()
        with monkeypatch.context() as patch:
            patch.setattr(RowStore, "add", die)
            with pytest.raises(CrashError):
                each_store.seal(draft)

    @pytest.mark.usefixtures("half")
    def test_it_is_invisible_and_goes_once_no_write_can_still_be_under_way(
        self, each_store: Records, clock: FakeClock
    ) -> None:
        store = each_store
        assert listed(store) == set()
        assert store.status().records == 0
        clock.advance(9 * 60)
        assert store.sweep().keys_destroyed == 0
        clock.advance(60)
        assert store.sweep().keys_destroyed == 1
        assert ask(keys_of(store), "SELECT id FROM keys") == []
        assert store.status().deleted == 0

    @pytest.mark.usefixtures("half")
    def test_a_clock_that_goes_back_meanwhile_does_not_keep_it(self, each_store: Records, clock: FakeClock) -> None:
        each_store.sweep()
        clock.jump(clock.now() - timedelta(days=10))
        each_store.sweep()
        clock.jump(clock.now() + timedelta(days=10, minutes=10))
        assert each_store.sweep().keys_destroyed == 1

    def test_a_write_that_was_given_up_cannot_be_finished_any_more(
        self, each_store: Records, clock: FakeClock, make_draft: MakeDraft, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add = RowStore.add

        def slowly(self: RowStore, row: object, sealed: object) -> None:
            clock.advance(10 * 60)
            each_store.sweep()
            add(self, row, sealed)  # type: ignore[arg-type]

        monkeypatch.setattr(RowStore, "add", slowly)
        with pytest.raises(StoreError, match="too long"):
            each_store.seal(make_draft())
        assert listed(each_store) == set()

    def test_a_finished_record_is_left_alone_and_not_looked_for_again(
        self, each_store: Records, make_draft: MakeDraft, clock: FakeClock
    ) -> None:
        one = each_store.seal(make_draft())
        for _ in range(3):
            clock.advance(3600)
            assert each_store.sweep().keys_destroyed == 0
        assert listed(each_store) == {one}
        assert ask(keys_of(each_store), "SELECT id FROM keys WHERE pending") == []

    def test_a_row_that_cannot_be_written_takes_its_key_along(self, each_store: Records, make_draft: MakeDraft) -> None:
        reference = "ab" * 16
        one = each_store.seal(make_draft(reference=reference))
        with pytest.raises(StoreError, match="contradicts"):
            each_store.seal(make_draft(reference=reference))
        assert ask(keys_of(each_store), "SELECT id FROM keys") == [one]

    def test_keys_are_not_given_up_in_numbers_because_another_row_store_is_in_place(
        self, each_store: Records, make_draft: MakeDraft, clock: FakeClock
    ) -> None:
        several(each_store, make_draft, 25)
        run(rows_of(each_store), "DELETE FROM contents", "DELETE FROM records")
        clock.advance(11 * 60)
        with capture_logs() as logs:
            assert each_store.sweep().keys_destroyed == 0
        assert any("right record store" in entry["event"] for entry in logs)
        assert each_store.reconcile(force=True).keys_destroyed == 25


class TestInterrupted:
    def test_killed_at_every_commit_a_sweep_is_finished_by_the_next_one(
        self, home: Home, make_draft: MakeDraft, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("anruflotse.records.retention.sweeping._BATCH", 2)
        step = 1 if home.rows_url is None else 5
        moments = [(number, after) for number in range(1, 80, step) for after in (False, True)]
        died = 0
        with closing(home.open(clock)) as store:
            store.sweep()
        for number, after in moments:
            with closing(home.open(clock)) as store:
                several(store, make_draft, 3)
                clock.advance(LIFE)
                alive = store.seal(make_draft(recording=None))
                with crash_at(number, after=after) as commits:
                    try:
                        store.sweep()
                    except CrashError:
                        died += 1
                    else:
                        assert commits.number < number
                        break
            with closing(home.open(clock)) as store:
                assert listed(store) == {alive}
                assert store.sweep().failed == 0
                for database in (keys_of(store), rows_of(store)):
                    assert ask(database, f"SELECT id FROM {database._main.name}") == [alive]  # type: ignore[attr-defined]  # noqa: S608
                store.destroy(alive, DestroyReason.ERASED)
        assert died > 20 // step

    def test_the_key_goes_before_the_row_whoever_destroys(
        self, each_store: Records, make_draft: MakeDraft, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def die(*_: object) -> None:
            raise CrashError

        one, two = several(each_store, make_draft, 2)
        with monkeypatch.context() as patch:
            patch.setattr(RowStore, "destroy", die)
            with pytest.raises(CrashError):
                each_store.destroy(one, DestroyReason.HALF_WRITTEN)
            assert ask(keys_of(each_store), "SELECT id FROM keys") == [two]
            # A process that died has forgotten what it was about.
            each_store._opener.stores().sweeper._unfinished.clear()
            clock.advance(LIFE)
            with pytest.raises(CrashError):
                each_store.sweep()
            assert ask(keys_of(each_store), "SELECT id FROM keys") == []
        assert len(ask(rows_of(each_store), "SELECT id FROM records")) == 2

    def test_an_erasure_that_a_fault_interrupted_is_finished_by_the_next_sweep(
        self, each_store: Records, make_draft: MakeDraft
    ) -> None:
        one, other = several(each_store, make_draft, 2)
        refuse_deletion(rows_of(each_store), "records", one)
        with pytest.raises(StoreError):
            each_store.destroy(one, DestroyReason.ERASED)
        assert listed(each_store) == {other}
        assert each_store.sweep().failed == 1
        allow_deletion(rows_of(each_store), "records")
        assert each_store.sweep().deleted == 1
        assert ask(rows_of(each_store), "SELECT reason FROM tombstones") == ["geloescht"]

    def test_the_next_start_finishes_an_erasure_that_was_killed_before_its_key_was_gone(
        self, home: Home, make_draft: MakeDraft, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def die(*_: object, **__: object) -> None:
            raise CrashError

        with closing(home.open(clock)) as store:
            one, other = several(store, make_draft, 2)
            with monkeypatch.context() as patch:
                patch.setattr(KeyStore, "destroy", die)
                with pytest.raises(CrashError):
                    store.destroy(one, DestroyReason.ERASED)
        with closing(home.open(clock)) as store:
            assert listed(store) == {other}


SWEEP = """
import json, sys
from pathlib import Path
from anruflotse.clock import FakeClock
from anruflotse.records.repository import Records
import anruflotse.records.retention.sweeping as sweeping

sweeping._BATCH = 4
clock = FakeClock()
clock.advance(28 * 86400)
rows, keys = [url or None for url in sys.argv[2:]]
store = Records(Path(sys.argv[1]), clock, environment={}, busy_seconds=20, rows_url=rows, keys_url=keys)
store.status()
print("ready", flush=True)
sys.stdin.readline()
swept = store.sweep()
print(json.dumps([swept.deleted, swept.keys_destroyed, swept.failed]))
store.close()
"""


def test_two_processes_may_sweep_at_once(
    home: Home, each_store: Records, make_draft: MakeDraft, clock: FakeClock
) -> None:
    several(each_store, make_draft, 60)
    place = [str(home.directory), home.rows_url or "", home.keys_url or ""]
    both = [
        subprocess.Popen(
            [sys.executable, "-c", SWEEP, *place], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
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
    clock.advance(LIFE)
    assert each_store.status().overdue == 0
    assert each_store.status().deleted == each_store.status().keys_destroyed == 60


def test_a_row_waits_while_another_process_is_destroying_its_key(
    each_store: Records, make_draft: MakeDraft, clock: FakeClock, home: Home
) -> None:
    """PostgreSQL: skipped; the key is not gone before the other one has committed."""
    if home.rows_url is None:
        pytest.skip("in SQLite the other process holds the whole file, see the test of a locked store")
    one, two = several(each_store, make_draft, 2)
    clock.advance(LIFE)
    with keys_of(each_store).write() as other:
        other.execute(text("DELETE FROM keys WHERE id = :one"), {"one": one})
        swept = each_store.sweep()
        assert (swept.deleted, swept.keys_destroyed, swept.failed) == (1, 1, 0)
        assert ask(rows_of(each_store), "SELECT id FROM records") == [one]
    assert each_store.sweep().deleted == 1
    assert two not in listed(each_store)


def test_an_erasure_waits_for_a_batch_and_not_for_a_sweep(
    store: Records, make_draft: MakeDraft, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    several(store, make_draft, 3)
    clock.advance(LIFE)
    one = store.seal(make_draft(recording=None))
    in_the_middle, go_on = threading.Event(), threading.Event()
    due = RowStore.due

    def paused(self: RowStore, *page: object) -> object:
        in_the_middle.set()
        assert go_on.wait(20)
        return due(self, *page)  # type: ignore[arg-type]

    monkeypatch.setattr(RowStore, "due", paused)
    sweep = threading.Thread(target=store.sweep)
    sweep.start()
    assert in_the_middle.wait(20)
    erased: list[bool] = []
    erasure = threading.Thread(target=lambda: erased.append(store.destroy(one, DestroyReason.ERASED)))
    erasure.start()
    erasure.join(20)
    go_on.set()
    sweep.join(20)
    assert erased == [True]


def test_a_locked_store_ends_the_sweep_at_once_and_the_next_one_does_the_work(
    store: Records, make_draft: MakeDraft, clock: FakeClock, directory: Path
) -> None:
    several(store, make_draft, 5)
    clock.advance(LIFE)
    with closing(sqlite3.connect(directory / "records.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            store.sweep()
        other.execute("ROLLBACK")
    assert store.sweep().deleted == 5


def test_destroying_names_its_reason_in_the_tombstone(each_store: Records, make_draft: MakeDraft) -> None:
    for reason in DestroyReason:
        each_store.destroy(each_store.seal(make_draft(recording=None)), reason)
    told = set(ask(rows_of(each_store), "SELECT reason FROM tombstones"))
    assert told == {"abgelaufen", "geloescht", "widersprochen", "abgebrochen", "unvollstaendig"}


class TestClock:
    """See `retention.sweeping` for what holds in which direction."""

    def test_forward_everything_that_is_due_then_goes_with_the_next_sweep(
        self, store: Records, make_draft: MakeDraft, clock: FakeClock
    ) -> None:
        several(store, make_draft, 2)
        clock.jump(clock.now() + timedelta(days=28))
        assert store.sweep().deleted == 2

    def test_back_by_less_than_the_retention_is_not_believed_even_after_a_restart(
        self, home: Home, make_draft: MakeDraft, clock: FakeClock
    ) -> None:
        with closing(home.open(clock)) as store:
            (early,) = several(store, make_draft, 1)
            clock.advance(LIFE)
            (late,) = several(store, make_draft, 1)
            assert store.healthy()
        # Refused by then, not swept yet, and the machine goes down.
        clock.jump(clock.now() - timedelta(days=27))
        with closing(home.open(clock)) as store:
            assert listed(store) == {late}
            with pytest.raises(NotFoundError):
                store.open(early, OFFICER, Purpose.RIGHTS)
            assert store.healthy()
            new = store.seal(make_draft())
            assert listed(store) == {late, new}
            assert store.sweep().deleted == 1
            # It expires by the clock, not 27 days later.
            clock.advance(LIFE)
            assert new not in listed(store)

    def test_one_wild_jump_ahead_does_not_stop_the_recording_for_good(
        self, home: Home, make_draft: MakeDraft, clock: FakeClock
    ) -> None:
        with closing(home.open(clock)) as store:
            several(store, make_draft, 1)
            start = clock.now()
            clock.jump(start + timedelta(days=400))
            assert store.healthy()
            clock.jump(start)
            assert not store.healthy()
            with pytest.raises(StoreError, match="clock"):
                store.seal(make_draft())
            # By then the sweep has destroyed what was due at the latest time seen.
            assert store.sweep().deleted == 1
            assert store.healthy()
            new = store.seal(make_draft())
            assert listed(store) == {new}

    def test_after_a_restart_a_wild_jump_is_forgotten(
        self, home: Home, make_draft: MakeDraft, clock: FakeClock
    ) -> None:
        with closing(home.open(clock)) as store:
            (one,) = several(store, make_draft, 1)
            start = clock.now()
            clock.jump(start + timedelta(days=28, seconds=1))
            assert store.healthy()
        clock.jump(start)
        with closing(home.open(clock)) as store:
            assert store.healthy()
            assert listed(store) == {one}

    def test_a_sweep_in_which_something_resisted_does_not_make_a_far_clock_believed(
        self, store: Records, make_draft: MakeDraft, clock: FakeClock
    ) -> None:
        (one,) = several(store, make_draft, 1)
        refuse_deletion(keys_of(store), "keys", one)
        start = clock.now()
        clock.jump(start + timedelta(days=400))
        assert store.sweep().failed == 1
        clock.jump(start)
        assert store.sweep().failed == 1
        assert listed(store) == set()
        allow_deletion(keys_of(store), "keys")
        assert store.sweep().failed == 0
        assert store.healthy()


def test_only_rights_handling_sees_what_outlives_its_day(
    store: Records, make_draft: MakeDraft, clock: FakeClock, directory: Path
) -> None:
    (one,) = several(store, make_draft, 1)
    store.restrict(one, OFFICER, Ground.UNLAWFUL, hold=True, review_on=clock.now() + timedelta(days=90))
    clock.advance(LIFE)
    store.sweep()
    assert store.list(Accessor("stimme", Role.SPEECH), Purpose.FORWARDING) == ()
    assert listed(store) == {one}
    assert not (directory / journal.FILE).exists()


class TestRewriting:
    """Writing the key store anew takes it for itself, so a large one waits for the night."""

    @pytest.fixture
    def rewritten(self, each_store: Records, monkeypatch: pytest.MonkeyPatch) -> list[object]:
        done: list[object] = []
        keys = each_store._opener.stores().keys.database

        def rewrite(database: object) -> None:
            done.append(database)

        monkeypatch.setattr(type(keys), "rewrite", rewrite)
        monkeypatch.setattr("anruflotse.records.retention.sweeping._LARGE", 2)
        return done

    def test_a_large_one_waits_for_the_night_and_a_small_one_does_not(
        self, each_store: Records, make_draft: MakeDraft, clock: FakeClock, rewritten: list[object]
    ) -> None:
        one, *_ = several(each_store, make_draft, 2)
        each_store.destroy(one, DestroyReason.ERASED)
        each_store.sweep()
        assert len(rewritten) == 1  # one key is left
        several(each_store, make_draft, 3)
        each_store.destroy(each_store.seal(make_draft()), DestroyReason.ERASED)
        clock.advance(24 * 3600)
        each_store.sweep()
        assert len(rewritten) == 1  # 9 o'clock
        clock.advance(16 * 3600)
        each_store.sweep()
        assert len(rewritten) == 2  # 1 o'clock in the night

    def test_a_large_one_does_not_wait_for_ever(
        self, each_store: Records, make_draft: MakeDraft, clock: FakeClock, rewritten: list[object]
    ) -> None:
        several(each_store, make_draft, 3)
        each_store.destroy(each_store.seal(make_draft()), DestroyReason.ERASED)
        for _ in range(2):
            each_store.sweep()
            assert rewritten == []
            clock.jump(clock.now() + timedelta(days=1))  # the machine is off at night
        each_store.sweep()
        assert len(rewritten) == 1
