"""What somebody else did meanwhile: another machine, another process, whoever puts a backup back under way."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from anruflotse.bench.cluster import Cluster
from anruflotse.clock import FakeClock
from anruflotse.records.model import DestroyReason, NotFoundError, Purpose, StoreError
from anruflotse.records.repository import Records
from anruflotse.records.restriction import Ground
from anruflotse.records.retention import journal
from anruflotse.records.retention.journal import Journal
from anruflotse.records.retention.reconciling import Reconciler
from anruflotse.records.stores.keystore import KeyStore
from anruflotse.records.times import to_micros
from tests.records.conftest import OFFICER, Home, MakeDraft
from tests.records.faults import CrashError, ask, keys_of, rows_of, run
from tests.records.places import PARTS, Databases, openable

LIFE = 28 * 86400


def several(store: Records, make_draft: MakeDraft, number: int) -> list[str]:
    return sorted(store.seal(make_draft(recording=None)) for _ in range(number))


def erased(home: Home) -> set[str]:
    return {one.hex() for one in Journal(home.directory / journal.FILE).ids()}


def kept_times(store: Records) -> set[int | None]:
    stores = store._opener.stores()
    return {stores.keys.latest_time(), stores.rows.latest_time()}


class TestTwoMachines:
    """On the same two databases, each with a directory of its own."""

    @pytest.fixture
    def place(self, server: Cluster, templates: tuple[str, str], tmp_path: Path) -> Iterator[Databases]:
        place = Databases(server, templates, tmp_path / "a")
        yield place
        place.remove()

    @pytest.fixture
    def other(self, place: Databases, clock: FakeClock, tmp_path: Path) -> Home:
        """The second machine, with a copy of the master key."""
        with closing(place.home.open(clock)) as store:
            store.prepare()
        keys = tmp_path / "b" / "keys"
        keys.mkdir(parents=True, mode=0o700)
        shutil.copy(place.home.directory / "keys" / "master.key", keys)
        return Home(tmp_path / "b", place.home.rows_url, place.home.keys_url)

    def test_what_the_one_erased_the_other_does_not_bring_back(
        self, place: Databases, other: Home, clock: FakeClock, make_draft: MakeDraft, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with closing(place.home.open(clock)) as store:
            gone, kept = several(store, make_draft, 2)
        with closing(other.open(clock)) as store:
            store.sweep()
        number = place.backup()
        with closing(place.home.open(clock)) as here, closing(other.open(clock)) as there:
            there.sweep()
            clock.advance(3 * 3600)
            here.destroy(gone, DestroyReason.ERASED)
            clock.advance(60)
            with monkeypatch.context() as patch:
                # The comparison of everything is daily; what is new must do without it.
                patch.delattr(Reconciler, "complete_journal")
                there.sweep()
        assert erased(other) == {gone}
        for part in PARTS:
            place.restore(number, part)
        with closing(other.open(clock)) as store:
            assert openable(store) == {kept}

    def test_what_is_known_is_entered_once_and_what_cannot_be_entered_later(
        self, place: Databases, other: Home, clock: FakeClock, make_draft: MakeDraft
    ) -> None:
        file = other.directory / journal.FILE
        with closing(place.home.open(clock)) as here, closing(other.open(clock)) as there:
            ids = several(here, make_draft, 3)
            there.sweep()
            here.destroy(ids[0], DestroyReason.ERASED)
            here.destroy(ids[1], DestroyReason.HALF_WRITTEN)
            for _ in range(3):
                clock.advance(60)
                there.sweep()
            assert len(file.read_bytes().splitlines()) == 1
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Journal, "add", _full)
                here_erased = here._opener.stores().keys.destroy([ids[2]], DestroyReason.ERASED, to_micros(clock.now()))
                assert here_erased[0] == 1
                for _ in range(3):
                    clock.advance(3600)
                    there.sweep()
            there.sweep()
        assert erased(other) == {ids[0], ids[2]}


def _full(_: Journal, entries: object) -> None:
    list(entries)  # type: ignore[call-overload]
    message = "The journal is full."
    raise StoreError(message)


class TestRestoredUnderWay:
    """As a PostgreSQL server can do it; here SQLite writes the content of a backup into the files that are open."""

    @staticmethod
    def copy(source: Path, target: Path) -> None:
        with closing(sqlite3.connect(source)) as from_, closing(sqlite3.connect(target)) as to:
            from_.backup(to)

    @pytest.mark.parametrize("parts", [("rows", "keys"), ("keys",), ("rows",)])
    def test_an_erasure_is_repeated_within_a_minute_however_young_the_backup_is(
        self,
        store: Records,
        directory: Path,
        clock: FakeClock,
        make_draft: MakeDraft,
        tmp_path: Path,
        parts: tuple[str, ...],
    ) -> None:
        gone, kept = several(store, make_draft, 2)
        store.sweep()
        (tmp_path / "backup").mkdir()
        for part in parts:
            self.copy(directory / PARTS[part], tmp_path / "backup" / part)
        clock.advance(60)
        store.destroy(gone, DestroyReason.ERASED)
        clock.advance(60)
        assert store.sweep().deleted == 0
        for part in parts:
            self.copy(tmp_path / "backup" / part, directory / PARTS[part])
        # A service looks every few seconds whether it could write, and writes the time of now.
        assert store.healthy()
        assert openable(store) == ({gone, kept} if len(parts) == 2 else {kept})
        with capture_logs() as logs:
            swept = store.sweep()
        assert (swept.keys_destroyed, swept.deleted) == (int("keys" in parts), int("rows" in parts))
        assert any("put back from a backup" in entry["event"] for entry in logs)
        assert openable(store) == {kept}
        with capture_logs() as logs:
            assert store.sweep().deleted == 0
        assert logs == []

    def test_whoever_cannot_read_the_journal_still_destroys_what_is_due(
        self, store: Records, directory: Path, clock: FakeClock, make_draft: MakeDraft
    ) -> None:
        several(store, make_draft, 2)
        clock.advance(LIFE)
        (directory / journal.FILE).mkdir()
        with pytest.raises(StoreError, match="journal"):
            store.sweep()
        assert ask(rows_of(store), "SELECT id FROM records") == []


class TestLifting:
    def hold(self, store: Records, one: str, clock: FakeClock, days: int = 365) -> None:
        review = clock.now() + timedelta(days=days)
        store.restrict(one, OFFICER, Ground.LEGAL_CLAIMS, hold=True, review_on=review)

    def test_a_lift_that_was_not_entered_did_not_happen_and_can_be_repeated(
        self, store: Records, directory: Path, clock: FakeClock, make_draft: MakeDraft
    ) -> None:
        (one,) = several(store, make_draft, 1)
        self.hold(store, one, clock)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Journal, "add", _full)
            with pytest.raises(StoreError, match="full"):
                store.lift(one, OFFICER)
        assert store._opener.stores().keys.held([one]) == {one}
        clock.advance(1)
        store.lift(one, OFFICER)
        assert store._opener.stores().keys.held([one]) == set()
        assert len((directory / journal.FILE).read_bytes().splitlines()) == 1

    def test_a_lift_that_was_killed_after_it_was_entered_ends_the_hold(
        self, home: Home, clock: FakeClock, make_draft: MakeDraft
    ) -> None:
        def die(*_: object) -> None:
            raise CrashError

        with closing(home.open(clock)) as store:
            one, held = several(store, make_draft, 2)
            for each in (one, held):
                self.hold(store, each, clock)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(KeyStore, "restrict", die)
                with pytest.raises(CrashError):
                    store.lift(one, OFFICER)
            clock.advance(LIFE)
            assert store.sweep().deleted == 1
        with closing(home.open(clock)) as store:
            assert openable(store) == {held}

    def test_held_again_after_such_a_kill_it_is_held(
        self, store: Records, clock: FakeClock, make_draft: MakeDraft
    ) -> None:
        def die(*_: object) -> None:
            raise CrashError

        (one,) = several(store, make_draft, 1)
        self.hold(store, one, clock)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(KeyStore, "restrict", die)
            with pytest.raises(CrashError):
                store.lift(one, OFFICER)
        clock.advance(1)
        self.hold(store, one, clock)
        clock.advance(LIFE)
        assert store.sweep().deleted == 0
        assert openable(store) == {one}

    def test_lifted_under_new_terms_it_is_lifted_in_a_backup_with_the_old_ones(
        self, home: Home, clock: FakeClock, make_draft: MakeDraft
    ) -> None:
        with closing(home.open(clock)) as store:
            (one,) = several(store, make_draft, 1)
            self.hold(store, one, clock)
            old = store._opener.stores().keys.one(one)
            assert old is not None
            clock.advance(86400)
            self.hold(store, one, clock, days=700)
            new = store._opener.stores().keys.one(one)
            assert new is not None
            assert new.restriction != old.restriction
            store.lift(one, OFFICER)
            lifted = store._opener.stores().keys.one(one)
            assert lifted is not None
            # What an old key store would bring back.
            assert store._opener.stores().keys.restrict(lifted, old.wrapped, old.restriction)
        clock.advance(LIFE)
        with closing(home.open(clock)) as store:
            assert openable(store) == set()


class TestTime:
    """The latest time seen, by whichever process; see also `TestClock` in the tests of the sweep."""

    BACK = timedelta(days=27)

    def test_every_write_of_it_keeps_the_latest(
        self, each_store: Records, clock: FakeClock, make_draft: MakeDraft
    ) -> None:
        start = clock.now()
        for time, expected in ((start, start), (start + self.BACK, start + self.BACK), (start, start + self.BACK)):
            clock.jump(time)
            assert each_store.healthy()
            assert kept_times(each_store) == {to_micros(expected)}
            stores = each_store._opener.stores()
            stores.keys.probe(to_micros(time))
            stores.rows.probe(to_micros(time))
            assert kept_times(each_store) == {to_micros(expected)}
        each_store.sweep()
        assert kept_times(each_store) == {to_micros(start + self.BACK)}
        assert each_store.seal(make_draft())

    @pytest.mark.parametrize("part", ["rows", "keys"])
    def test_it_is_found_out_by_writing_also_when_it_does_not_change(
        self, store: Records, directory: Path, part: str
    ) -> None:
        assert store.healthy()
        with closing(sqlite3.connect(directory / PARTS[part])) as other:
            for _ in range(3):
                before = other.execute("PRAGMA data_version").fetchone()
                assert store.healthy()
                assert other.execute("PRAGMA data_version").fetchone() != before

    def test_what_one_process_refused_no_other_one_shows(
        self, home: Home, each_store: Records, clock: FakeClock, make_draft: MakeDraft
    ) -> None:
        (one,) = several(each_store, make_draft, 1)
        with closing(home.open(clock)) as other:
            assert other.open(one, OFFICER, Purpose.RIGHTS).transcripts
            clock.advance(LIFE)
            with pytest.raises(NotFoundError):
                each_store.open(one, OFFICER, Purpose.RIGHTS)
            clock.jump(clock.now() - self.BACK)
            with pytest.raises(NotFoundError):
                other.open(one, OFFICER, Purpose.RIGHTS)
            assert other.healthy()
        with closing(home.open(clock)) as third:
            assert openable(third) == set()

    def test_a_read_keeps_it_too_where_no_service_runs(
        self, home: Home, clock: FakeClock, make_draft: MakeDraft
    ) -> None:
        with closing(home.open(clock)) as store:
            (one,) = several(store, make_draft, 1)
            clock.advance(30)
            store.list(OFFICER, Purpose.RIGHTS)
            # Not for every read: a service does so anyway.
            assert kept_times(store) == {to_micros(clock.now() - timedelta(seconds=30))}
            clock.advance(LIFE)
            with pytest.raises(NotFoundError):
                store.open(one, OFFICER, Purpose.RIGHTS)
            assert kept_times(store) == {to_micros(clock.now())}
        clock.jump(clock.now() - self.BACK)
        with closing(home.open(clock)) as store:
            assert openable(store) == set()

    @pytest.mark.parametrize("restart", [False, True])
    def test_a_wild_jump_that_was_given_up_is_not_believed_when_its_day_comes(
        self, home: Home, clock: FakeClock, make_draft: MakeDraft, restart: bool
    ) -> None:
        start = clock.now()
        store = home.open(clock)
        clock.jump(start + timedelta(days=400))
        assert store.healthy()
        clock.jump(start)
        if restart:
            store.close()
            store = home.open(clock)
        store.sweep()
        assert kept_times(store) == {to_micros(start)}
        clock.jump(start + timedelta(days=380))
        (one,) = several(store, make_draft, 1)
        clock.advance(86400)
        store.close()
        with closing(home.open(clock)) as store:
            assert store._now() == clock.now()
            assert openable(store) == {one}

    def test_no_time_at_all_is_not_believed(self, each_store: Records, clock: FakeClock) -> None:
        assert each_store.healthy()
        for database in (keys_of(each_store), rows_of(each_store)):
            run(database, "UPDATE probes SET at = 9000000000000000000")
        assert each_store._now() == clock.now()
        assert each_store.healthy()
        assert kept_times(each_store) == {to_micros(clock.now())}


def test_one_restriction_that_no_officer_can_have_set_stops_nothing_else(
    home: Home, clock: FakeClock, make_draft: MakeDraft
) -> None:
    with closing(home.open(clock)) as store:
        bad, erase, kept = several(store, make_draft, 3)
        store.restrict(bad, OFFICER, Ground.UNLAWFUL, hold=True, review_on=clock.now() + timedelta(days=60))
        store.lift(bad, OFFICER)
        run(keys_of(store), f"UPDATE keys SET restriction = 'z', restricted_at = 1, review_at = 5 WHERE id = '{bad}'")  # noqa: S608
    with closing(home.open(clock)) as store:
        assert store.healthy()
        new = store.seal(make_draft())
        assert store.destroy(erase, DestroyReason.ERASED, OFFICER)
        assert {line.id for line in store.list(OFFICER, Purpose.RIGHTS)} == {kept, new}
        assert store.sweep().failed == 0
        clock.advance(LIFE)
        assert store.sweep().deleted == 3  # on its day it goes like the others
        assert store.reconcile(force=True).failed == 0
        assert ask(keys_of(store), "SELECT id FROM keys") == []
