"""What comes back with a backup, whichever store it was of, and what is never touched without being asked."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from anruflotse.clock import FakeClock
from anruflotse.records import contents, opening
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import DestroyReason, Purpose, StoreError
from anruflotse.records.repository import Records
from anruflotse.records.restriction import Ground
from anruflotse.records.retention import journal
from anruflotse.records.retention.journal import Journal
from anruflotse.records.times import to_micros
from tests.records.conftest import OFFICER, Home, MakeDraft
from tests.records.faults import allow_deletion, ask, keys_of, refuse_deletion, rows_of, run

LIFE = 28 * 86400
FILES = {"rows": "records.sqlite", "keys": "keys/keys.sqlite"}


class Backup:
    """File-level copies of closed SQLite stores, taken now and put back later."""

    def __init__(self, directory: Path, place: Path) -> None:
        self._directory = directory
        self._place = place
        place.mkdir()
        for name, file in FILES.items():
            assert not (directory / f"{file}-wal").exists()
            shutil.copy(directory / file, place / name)

    def restore(self, *names: str) -> None:
        for name in names:
            for suffix in ("", "-wal", "-shm"):
                (self._directory / f"{FILES[name]}{suffix}").unlink(missing_ok=True)
            shutil.copy(self._place / name, self._directory / FILES[name])


def listed(store: Records) -> set[str]:
    return {line.id for line in store.list(OFFICER, Purpose.RIGHTS)}


def openable(store: Records) -> set[str]:
    """The records that key and row alone would open now: past every rule of who may see what, and past the trail."""
    stores, vault = store._opener.stores(), store._opener.vault()
    found = set()
    for one in stores.rows.all("", 1000):
        sealed = stores.rows.get(one, [contents.SUMMARY])
        key = stores.keys.alive([one], to_micros(store._now())).get(one)
        if sealed is not None and key is not None:
            found.add(opening.summary(vault, key, sealed).id)
    return found


def keys_by_caller(store: Records, number: str) -> tuple[str, ...]:
    fingerprint = store._opener.vault().fingerprint(number)
    return store._opener.stores().keys.by_caller(fingerprint, to_micros(store._now()))


def several(store: Records, make_draft: MakeDraft, number: int) -> list[str]:
    return sorted(store.seal(make_draft(recording=None)) for _ in range(number))


@pytest.fixture
def files(directory: Path) -> Home:
    return Home(directory)


def settled(home: Home, clock: FakeClock, make_draft: MakeDraft, number: int) -> list[str]:
    """So many records, beyond the time in which a write may still be under way."""
    with closing(home.open(clock)) as store:
        ids = several(store, make_draft, number)
        clock.advance(11 * 60)
        store.sweep()
    return ids


@pytest.mark.parametrize("reason", [DestroyReason.ERASED, DestroyReason.OBJECTED, DestroyReason.ABANDONED])
@pytest.mark.parametrize("what", [("rows",), ("keys",), ("rows", "keys")])
def test_what_was_erased_stays_erased_whatever_is_put_back(
    files: Home,
    clock: FakeClock,
    make_draft: MakeDraft,
    tmp_path: Path,
    what: tuple[str, ...],
    reason: DestroyReason,
) -> None:
    gone, kept = settled(files, clock, make_draft, 2)
    backup = Backup(files.directory, tmp_path / "backup")
    with closing(files.open(clock)) as store:
        store.destroy(gone, reason, OFFICER if reason is DestroyReason.ERASED else None)
        erased_at = clock.now()
    backup.restore(*what)
    clock.advance(3600)
    with closing(files.open(clock)) as store:
        # Before anybody has reconciled anything.
        assert openable(store) == {kept}
        done = store.reconcile()
        assert done.failed == done.unpaired == 0
        assert openable(store) == {kept}
        for database, table in ((keys_of(store), "keys"), (rows_of(store), "records")):
            assert ask(database, f"SELECT id FROM {table}") == [kept]  # noqa: S608
            assert ask(database, "SELECT reason FROM tombstones") == [reason]
            assert ask(database, "SELECT at FROM tombstones") == [int(erased_at.timestamp() * 1e6)]
        assert keys_by_caller(store, "030 123456") == (kept,)
        again = store.reconcile()
        assert (again.returned, again.unpaired) == (0, 0)


def test_both_stores_from_one_backup_and_no_journal_would_undo_an_erasure(
    files: Home, clock: FakeClock, make_draft: MakeDraft, tmp_path: Path
) -> None:
    """What the journal is for; and that the tests above would notice if it were not read."""
    gone, kept = settled(files, clock, make_draft, 2)
    backup = Backup(files.directory, tmp_path / "backup")
    with closing(files.open(clock)) as store:
        store.destroy(gone, DestroyReason.ERASED)
    backup.restore("rows", "keys")
    (files.directory / journal.FILE).unlink()
    with closing(files.open(clock)) as store:
        assert listed(store) == {gone, kept}


def test_what_expired_stays_expired_whatever_is_put_back(
    files: Home, clock: FakeClock, make_draft: MakeDraft, tmp_path: Path
) -> None:
    settled(files, clock, make_draft, 2)
    backup = Backup(files.directory, tmp_path / "backup")
    clock.advance(LIFE)
    with closing(files.open(clock)) as store:
        assert store.sweep().deleted == 2
    for what in (("rows",), ("keys",), ("rows", "keys")):
        backup.restore(*what)
        with closing(files.open(clock)) as store:
            assert openable(store) == set()
            store.reconcile()
            assert ask(keys_of(store), "SELECT id FROM keys") == []
            assert ask(rows_of(store), "SELECT id FROM records") == []


def test_rows_put_back_lose_what_was_recorded_since_and_nothing_else(
    files: Home, clock: FakeClock, make_draft: MakeDraft, tmp_path: Path
) -> None:
    before = settled(files, clock, make_draft, 3)
    backup = Backup(files.directory, tmp_path / "backup")
    lost = settled(files, clock, make_draft, 2)
    backup.restore("rows")
    with closing(files.open(clock)) as store:
        done = store.reconcile()
        assert (done.unpaired, done.keys_destroyed, done.trail) == (2, 2, True)
        assert listed(store) == set(before)
        assert set(ask(keys_of(store), "SELECT id FROM tombstones")) == set(lost)


def test_the_audit_trail_goes_on_after_what_a_restore_lost_of_it(
    files: Home, clock: FakeClock, make_draft: MakeDraft, tmp_path: Path
) -> None:
    (one,) = settled(files, clock, make_draft, 1)
    with closing(files.open(clock)) as store:
        listed(store)
    backup = Backup(files.directory, tmp_path / "backup")
    with closing(files.open(clock)) as store:
        listed(store)
    backup.restore("rows")
    with closing(files.open(clock)) as store:
        with pytest.raises(StoreError):
            listed(store)
        assert store.reconcile().trail
        assert listed(store) == {one}


def test_keys_put_back_lose_what_was_recorded_since_and_nothing_else(
    files: Home, clock: FakeClock, make_draft: MakeDraft, tmp_path: Path
) -> None:
    before = settled(files, clock, make_draft, 3)
    backup = Backup(files.directory, tmp_path / "backup")
    lost = settled(files, clock, make_draft, 2)
    backup.restore("keys")
    with closing(files.open(clock)) as store:
        done = store.reconcile()
        assert (done.unpaired, done.rows_deleted) == (2, 2)
        assert openable(store) == set(before)
        assert set(ask(rows_of(store), "SELECT id FROM tombstones")) == set(lost)


class TestHolds:
    @pytest.fixture
    def held(self, files: Home, clock: FakeClock, make_draft: MakeDraft) -> str:
        (one,) = settled(files, clock, make_draft, 1)
        with closing(files.open(clock)) as store:
            self.hold(store, one, clock)
        return one

    def hold(self, store: Records, one: str, clock: FakeClock) -> None:
        review = clock.now() + timedelta(days=365)
        store.restrict(one, OFFICER, Ground.LEGAL_CLAIMS, hold=True, review_on=review)

    @pytest.mark.parametrize("what", [("keys",), ("rows", "keys")])
    def test_a_hold_that_was_lifted_is_not_brought_back_beyond_the_expiry(
        self, files: Home, clock: FakeClock, held: str, tmp_path: Path, what: tuple[str, ...]
    ) -> None:
        backup = Backup(files.directory, tmp_path / "backup")
        with closing(files.open(clock)) as store:
            store.lift(held, OFFICER)
        backup.restore(*what)
        with closing(files.open(clock)) as store:
            store.reconcile()
            assert openable(store) == {held}
        clock.advance(LIFE)
        with closing(files.open(clock)) as store:
            assert openable(store) == set()
            assert ask(keys_of(store), "SELECT id FROM keys") == []

    def test_a_hold_placed_after_an_earlier_one_was_lifted_holds(
        self, files: Home, clock: FakeClock, held: str, make_draft: MakeDraft
    ) -> None:
        with closing(files.open(clock)) as store:
            store.lift(held, OFFICER)
            clock.advance(1)
            self.hold(store, held, clock)
            clock.advance(LIFE)
            assert store.sweep().deleted == 0
            store.reconcile()
        with closing(files.open(clock)) as store:
            assert store.open(held, OFFICER, Purpose.RIGHTS).transcripts

    def test_a_held_key_whose_row_is_away_stays(self, files: Home, clock: FakeClock, held: str) -> None:
        with closing(files.open(clock)) as store:
            run(rows_of(store), "DELETE FROM contents", "DELETE FROM records")
            assert store.reconcile(force=True).keys_destroyed == 0
            assert ask(keys_of(store), "SELECT id FROM keys") == [held]


class TestExchanged:
    """A store that is another one's, or empty: nothing is destroyed by mistake."""

    @pytest.mark.parametrize("table", ["keys", "records"])
    def test_when_most_of_many_lack_a_half_nothing_is_touched(
        self, each_store: Records, clock: FakeClock, make_draft: MakeDraft, table: str
    ) -> None:
        ids = several(each_store, make_draft, 25)
        clock.advance(11 * 60)
        each_store.sweep()
        database = keys_of(each_store) if table == "keys" else rows_of(each_store)
        run(database, *(["DELETE FROM contents"] if table == "records" else []), f"DELETE FROM {table}")  # noqa: S608
        with pytest.raises(StoreError, match="exchanged"):
            each_store.reconcile()
        each_store.sweep()
        other = rows_of(each_store) if table == "keys" else keys_of(each_store)
        left = "SELECT id FROM records" if table == "keys" else "SELECT id FROM keys"
        assert set(ask(other, left)) == set(ids)
        done = each_store.reconcile(force=True)
        assert done.unpaired == done.rows_deleted + done.keys_destroyed == 25
        assert ask(other, left) == []

    def test_half_of_many_or_all_of_few_are_put_right_without_being_asked(
        self, each_store: Records, clock: FakeClock, make_draft: MakeDraft
    ) -> None:
        ids = several(each_store, make_draft, 24)
        listing = ", ".join(f"'{one}'" for one in ids[:12])
        run(keys_of(each_store), f"DELETE FROM keys WHERE id IN ({listing})")  # noqa: S608
        assert each_store.reconcile().rows_deleted == 12
        assert listed(each_store) == set(ids[12:])
        run(keys_of(each_store), "DELETE FROM keys")
        assert each_store.reconcile().rows_deleted == 12

    def test_what_is_known_to_be_destroyed_goes_however_much_it_is(
        self, files: Home, clock: FakeClock, make_draft: MakeDraft, tmp_path: Path
    ) -> None:
        ids = settled(files, clock, make_draft, 25)
        backup = Backup(files.directory, tmp_path / "backup")
        with closing(files.open(clock)) as store:
            for one in ids:
                store.destroy(one, DestroyReason.ERASED)
        backup.restore("rows")
        with closing(files.open(clock)) as store:
            store.reconcile()
            assert ask(rows_of(store), "SELECT id FROM records") == []


class TestJournal:
    def test_it_is_made_whole_again_from_the_tombstones(
        self, home: Home, clock: FakeClock, make_draft: MakeDraft
    ) -> None:
        file = home.directory / journal.FILE
        with closing(home.open(clock)) as store:
            one, two, three = several(store, make_draft, 3)
            store.destroy(one, DestroyReason.ERASED)
            store.destroy(two, DestroyReason.OBJECTED)
            store.destroy(three, DestroyReason.HALF_WRITTEN)
            before = file.read_bytes()
            file.unlink()
            store.reconcile()
        assert sorted(file.read_bytes().splitlines()) == sorted(before.splitlines())
        assert Journal(file).ids() == {bytes.fromhex(one), bytes.fromhex(two)}

    def test_an_erasure_does_not_wait_for_it_but_is_not_reported_done_without(
        self, store: Records, directory: Path, make_draft: MakeDraft
    ) -> None:
        one, other = several(store, make_draft, 2)
        (directory / journal.FILE).mkdir()
        with pytest.raises(StoreError, match="journal"):
            store.destroy(one, DestroyReason.ERASED)
        (directory / journal.FILE).rmdir()
        assert listed(store) == {other}
        store.sweep()
        assert Journal(directory / journal.FILE).ids() == {bytes.fromhex(one)}

    def test_a_damaged_line_is_told_and_the_others_count(
        self, files: Home, clock: FakeClock, make_draft: MakeDraft, tmp_path: Path
    ) -> None:
        one, two, three = settled(files, clock, make_draft, 3)
        backup = Backup(files.directory, tmp_path / "backup")
        with closing(files.open(clock)) as store:
            store.destroy(one, DestroyReason.ERASED)
            store.destroy(two, DestroyReason.ERASED)
        file = files.directory / journal.FILE
        file.write_bytes(b"x" + file.read_bytes()[1:])
        backup.restore("rows", "keys")
        with capture_logs() as logs, closing(files.open(clock)) as store:
            assert store.reconcile().damaged == 1
            assert listed(store) == {one, three}
        assert any("journal of erasures is damaged" in entry["event"] for entry in logs)

    def test_without_being_able_to_read_it_nothing_is_opened(
        self, files: Home, clock: FakeClock, make_draft: MakeDraft
    ) -> None:
        settled(files, clock, make_draft, 1)
        (files.directory / journal.FILE).mkdir()
        with closing(files.open(clock)) as store:
            assert not store.healthy()
            with pytest.raises(StoreError, match="journal"):
                listed(store)
            (files.directory / journal.FILE).rmdir()
            assert store.healthy()

    def test_an_erased_record_whose_key_is_back_and_resists_closes_the_store(
        self, files: Home, clock: FakeClock, make_draft: MakeDraft, tmp_path: Path
    ) -> None:
        one, _ = settled(files, clock, make_draft, 2)
        with closing(files.open(clock)) as store:
            refuse_deletion(keys_of(store), "keys", one)
            store.sweep()
        backup = Backup(files.directory, tmp_path / "backup")
        with closing(files.open(clock)) as store:
            allow_deletion(keys_of(store), "keys")
            store.destroy(one, DestroyReason.ERASED)
        backup.restore("rows", "keys")
        with closing(files.open(clock)) as store, pytest.raises(StoreError, match="erased is back"):
            listed(store)


def test_a_database_that_is_put_back_under_way_is_noticed_by_the_next_sweep(
    files: Home, clock: FakeClock, make_draft: MakeDraft, tmp_path: Path
) -> None:
    """As a PostgreSQL server can do; here the content of the tables is exchanged while the store is open."""
    gone, kept = settled(files, clock, make_draft, 2)
    Backup(files.directory, tmp_path / "backup")
    clock.advance(3600)
    with closing(files.open(clock)) as store:
        store.destroy(gone, DestroyReason.ERASED)
        store.sweep()
        for name, tables in (("keys", ("keys", "probes")), ("rows", ("records", "contents", "probes"))):
            with closing(sqlite3.connect(files.directory / FILES[name], isolation_level=None)) as database:
                database.execute("ATTACH ? AS old", (str(tmp_path / "backup" / name),))
                for table in tables:
                    database.execute(f"DELETE FROM main.{table}")  # noqa: S608
                    database.execute(f"INSERT INTO main.{table} SELECT * FROM old.{table}")  # noqa: S608
        clock.advance(60)
        with capture_logs() as logs:
            store.sweep()
        assert any("put back from a backup" in entry["event"] for entry in logs)
        assert listed(store) == {kept}


def test_reconciling_beside_writing_destroys_nothing_that_is_being_written(
    home: Home, each_store: Records, make_draft: MakeDraft, clock: FakeClock
) -> None:
    drafts = [make_draft(recording=None) for _ in range(30)]
    with closing(home.open(clock, busy_seconds=20)) as other:
        sealed: list[str] = []
        writing = threading.Thread(target=lambda: sealed.extend(other.seal(draft) for draft in drafts))
        writing.start()
        while writing.is_alive():
            done = each_store.reconcile()
            assert done.returned == done.unpaired == 0
        writing.join()
    assert listed(each_store) == set(sealed)
    assert len(sealed) == 30


def test_restriction_survives_rows_put_back(
    files: Home, clock: FakeClock, make_draft: MakeDraft, tmp_path: Path
) -> None:
    (one,) = settled(files, clock, make_draft, 1)
    backup = Backup(files.directory, tmp_path / "backup")
    with closing(files.open(clock)) as store:
        store.restrict(one, OFFICER, Ground.CONTESTED)
    backup.restore("rows")
    with closing(files.open(clock)) as store:
        store.reconcile()
        assert store.list(Accessor("stimme", Role.SPEECH), Purpose.FORWARDING) == ()
        assert listed(store) == {one}
