"""Requests of persons end on a day of their own, and are no less hard to bring back than records."""

from __future__ import annotations

from contextlib import closing, suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from anruflotse.clock import FakeClock
from anruflotse.records.model import (
    DestroyReason,
    NotFoundError,
    StoreError,
)
from anruflotse.records.repository import Records
from anruflotse.records.retention import journal
from anruflotse.records.stores.keystore import StoredKey
from anruflotse.records.vault.envelope import Vault
from tests.records.conftest import OFFICER, Home, MakeDraft
from tests.records.faults import CrashError, allow_deletion, ask, crash_at, keys_of, refuse_deletion, rows_of
from tests.records.filing import BODY, TECHNICIAN, YEARS, acts, filed, left
from tests.records.places import Place, heads_of, openable, put_heads


class TestEnding:
    def test_from_the_very_moment_it_is_gone_and_the_sweep_takes_all_of_it(
        self, each_store: Records, clock: FakeClock
    ) -> None:
        one, other = filed(each_store, clock), filed(each_store, clock, 2 * YEARS)
        each_store.attach(one, "a", b"x", OFFICER)
        clock.advance(YEARS.total_seconds() - 1)
        assert each_store.sweep().deleted == 0
        assert each_store.case(one, OFFICER).body == BODY
        clock.advance(1)
        with pytest.raises(NotFoundError):
            each_store.case(one, OFFICER)
        with pytest.raises(NotFoundError):
            each_store.attachment(one, "a", OFFICER)
        assert [case.id for case in each_store.cases(OFFICER)] == [other]
        assert left(each_store)[2] == [one]
        swept = each_store.sweep()
        assert (swept.deleted, swept.keys_destroyed, swept.failed) == (1, 1, 0)
        assert left(each_store) == [[other], [other], []]
        for database in (keys_of(each_store), rows_of(each_store)):
            assert ask(database, "SELECT reason FROM tombstones") == [DestroyReason.EXPIRED]

    def test_a_changed_expiry_is_the_one_that_counts(self, each_store: Records, clock: FakeClock) -> None:
        shorter, longer = filed(each_store, clock), filed(each_store, clock)
        for one, life in ((shorter, timedelta(days=1)), (longer, 2 * YEARS)):
            each_store.update_case(one, BODY, OFFICER, version=1, expires_at=clock.now() + life)
        clock.advance(86400)
        each_store.sweep()
        assert left(each_store)[:2] == [[longer], [longer]]
        clock.advance(YEARS.total_seconds())
        each_store.sweep()
        assert each_store.case(longer, OFFICER).body == BODY

    def test_a_record_ends_and_the_case_about_it_lives_on(
        self, each_store: Records, clock: FakeClock, make_draft: MakeDraft
    ) -> None:
        erased, expired = each_store.seal(make_draft()), each_store.seal(make_draft())
        one = filed(each_store, clock, records=[erased, expired])
        each_store.destroy(erased, DestroyReason.ERASED, OFFICER)
        clock.advance(28 * 86400)
        each_store.sweep()
        each_store.reconcile()
        assert each_store.status().records == 0
        assert each_store.case(one, OFFICER).body["records"] == [erased, expired]

    def test_destroyed_is_destroyed(self, each_store: Records, clock: FakeClock) -> None:
        one = filed(each_store, clock)
        each_store.attach(one, "a", b"x", OFFICER)
        assert each_store.destroy_case(one, OFFICER)
        assert left(each_store) == [[], [], []]
        assert not each_store.destroy_case(one, OFFICER)
        assert acts(each_store)[-2:] == [("case", one, "destroyed"), ("case", one, "not_found")]
        with pytest.raises(NotFoundError):
            each_store.update_case(one, {}, OFFICER, version=1, expires_at=clock.now() + YEARS)
        assert each_store.status().cases == 0

    def test_what_resists_is_unreadable_and_tried_again(self, each_store: Records, clock: FakeClock) -> None:
        one = filed(each_store, clock)
        refuse_deletion(rows_of(each_store), "cases", one)
        with pytest.raises(StoreError):
            each_store.destroy_case(one, OFFICER)
        with pytest.raises(NotFoundError):
            each_store.case(one, OFFICER)
        assert each_store.sweep().failed == 1
        allow_deletion(rows_of(each_store), "cases")
        assert each_store.sweep().failed == 0
        assert left(each_store) == [[], [], []]

    def test_a_row_that_outlived_its_key_goes_with_the_next_sweep(self, each_store: Records, clock: FakeClock) -> None:
        one = filed(each_store, clock, timedelta(days=1))
        clock.advance(86400)
        refuse_deletion(rows_of(each_store), "cases", one)
        assert each_store.sweep().failed == 1
        assert left(each_store)[:2] == [[], [one]]
        allow_deletion(rows_of(each_store), "cases")
        assert each_store.sweep().deleted == 1
        assert left(each_store) == [[], [], []]

    def test_a_case_of_which_only_the_key_was_written_is_swept(self, home: Home, clock: FakeClock) -> None:
        halves = 0
        keys: list[str] = []
        for number in range(1, 30):
            with closing(home.open(clock)) as store:
                store.status()
                with crash_at(number, after=False) as commits, suppress(CrashError, StoreError):
                    filed(store, clock)
            with closing(home.open(clock)) as store:
                keys, rows, _ = left(store)
                halves += len(set(keys) - set(rows))
                clock.advance(11 * 60)
                store.sweep()
                keys, rows, _ = left(store)
                assert keys == rows
                assert len(store.cases(OFFICER)) == len(keys)
                if commits.number < number:
                    break
        assert halves >= 1
        assert len(keys) == 1


class TestRestoring:
    @pytest.mark.parametrize("what", [("rows",), ("keys",), ("rows", "keys")])
    def test_what_was_destroyed_or_is_over_stays_so_whatever_is_put_back(
        self, place: Place, clock: FakeClock, what: tuple[str, ...]
    ) -> None:
        with closing(place.home.open(clock)) as store:
            kept, gone, over = filed(store, clock), filed(store, clock), filed(store, clock, timedelta(days=1))
            store.attach(kept, "a", b"kept", OFFICER)
            store.attach(gone, "a", b"gone", OFFICER)
            clock.advance(11 * 60)
            store.sweep()
        backup = place.backup()
        with closing(place.home.open(clock)) as store:
            store.destroy_case(gone, OFFICER)
            clock.advance(86400)
            store.sweep()
            heads = heads_of(store)
        for part in what:
            place.restore(backup, part)
        with closing(place.home.open(clock)) as store:
            if what == ("keys",):
                put_heads(store, heads)
            # Before anybody has reconciled anything.
            keys = store._opener.stores().keys
            assert set(keys.alive([kept, gone, over], int(clock.now().timestamp() * 1e6))) == {kept}
            done = store.reconcile()
            assert (done.failed, done.unpaired) == (0, 0)
            assert left(store) == [[kept], [kept], [kept]]
            assert store.attachment(kept, "a", OFFICER) == b"kept"
            assert [case.id for case in store.cases(OFFICER)] == [kept]
            for database in (keys_of(store), rows_of(store)):
                reasons = ask(database, "SELECT reason FROM tombstones ORDER BY id")
                expected = {gone: DestroyReason.ERASED, over: DestroyReason.EXPIRED}
                assert reasons == [expected[one] for one in sorted(expected)]

    def test_cases_are_no_halves_of_records(self, each_store: Records, clock: FakeClock, make_draft: MakeDraft) -> None:
        ids = sorted(filed(each_store, clock) for _ in range(25))
        each_store.seal(make_draft())
        clock.advance(11 * 60)
        for _ in range(2):
            swept = each_store.sweep()
            assert (swept.deleted, swept.failed) == (0, 0)
            done = each_store.reconcile(force=True)
            assert (done.unpaired, done.returned) == (0, 0)
        assert sorted(case.id for case in each_store.cases(OFFICER)) == ids
        assert openable(each_store)

    def test_an_old_row_store_has_the_older_version_and_the_expiry_of_today(
        self, place: Place, clock: FakeClock
    ) -> None:
        with closing(place.home.open(clock)) as store:
            one = filed(store, clock, timedelta(days=1))
        backup = place.backup()
        with closing(place.home.open(clock)) as store:
            store.update_case(one, {"state": "closed"}, OFFICER, version=1, expires_at=clock.now() + YEARS)
        place.restore(backup, "rows")
        clock.advance(2 * 86400)
        with closing(place.home.open(clock)) as store:
            store.reconcile()
            case = store.case(one, OFFICER)
            assert (case.version, case.body) == (1, BODY)
            assert case.expires_at == clock.now() - timedelta(days=2) + YEARS

    def test_a_missing_key_store_is_not_replaced_while_there_are_cases(self, directory: Path, clock: FakeClock) -> None:
        with closing(Home(directory).open(clock)) as store:
            one = filed(store, clock)
        keys = directory / "keys" / "keys.sqlite"
        keys.rename(directory / "elsewhere")
        with closing(Home(directory).open(clock)) as store:
            with pytest.raises(StoreError, match=r"key store .* is missing"):
                store.case(one, OFFICER)
            assert not store.healthy()
            (directory / "elsewhere").rename(keys)
            assert store.case(one, OFFICER).body == BODY

    def test_the_wrong_row_store_costs_no_case(self, place: Place, clock: FakeClock) -> None:
        with closing(place.home.open(clock)) as store:
            store.prepare()
        empty = place.backup()
        with closing(place.home.open(clock)) as store:
            ids = sorted(filed(store, clock) for _ in range(21))
            clock.advance(11 * 60)
            store.sweep()
        right = place.backup()
        place.restore(empty, "rows")
        with closing(place.home.open(clock)) as store:
            with pytest.raises(StoreError, match="exchanged"):
                store.reconcile()
            store.sweep()
        place.restore(right, "rows")
        with closing(place.home.open(clock)) as store:
            assert sorted(ask(keys_of(store), "SELECT id FROM keys")) == ids
            assert (store.reconcile().unpaired, len(ask(rows_of(store), "SELECT id FROM cases"))) == (0, 21)

    @pytest.mark.parametrize("number", [1, 21])
    def test_rows_of_cases_without_their_keys_are_given_up_unless_they_are_many(
        self, place: Place, clock: FakeClock, number: int
    ) -> None:
        with closing(place.home.open(clock)) as store:
            store.prepare()
        old = place.backup()
        with closing(place.home.open(clock)) as store:
            ids = {filed(store, clock) for _ in range(number)}
        right = place.backup()
        place.restore(old, "keys")
        with closing(place.home.open(clock)) as store:
            if number == 1:
                assert (store.reconcile().unpaired, left(store)) == (1, [[], [], []])
                return
            with pytest.raises(StoreError, match="exchanged"):
                store.reconcile()
        place.restore(right, "keys")
        with closing(place.home.open(clock)) as store:
            assert openable(store) == ids

    def test_the_journal_names_a_destroyed_case(self, each_store: Records, home: Home, clock: FakeClock) -> None:
        one = filed(each_store, clock)
        each_store.destroy_case(one, OFFICER)
        assert one in (home.directory / journal.FILE).read_text()


class TestRotation:
    def test_cases_are_wrapped_anew_with_all_that_belongs_to_them(self, home: Home, clock: FakeClock) -> None:
        with closing(home.open(clock)) as store:
            one = filed(store, clock)
            store.attach(one, "a", b"x", OFFICER)
            rotated = store.rotate(TECHNICIAN)
            assert (rotated.made, rotated.unreadable) == (True, 0)
            assert ask(keys_of(store), "SELECT master FROM keys") == [rotated.master]
        with closing(home.open(clock)) as store:
            assert store.case(one, OFFICER).body == BODY
            assert store.attachment(one, "a", OFFICER) == b"x"
            assert store.update_case(one, {}, OFFICER, version=1, expires_at=clock.now() + 2 * YEARS) == 2
            assert store.case(one, OFFICER).expires_at == clock.now() + 2 * YEARS

    def test_an_expiry_can_be_changed_while_the_master_key_is(
        self, each_store: Records, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = filed(each_store, clock)
        put_off = Vault.put_off

        def meanwhile(vault: Vault, stored: StoredKey, expires_at: int) -> StoredKey:
            monkeypatch.setattr(Vault, "put_off", put_off)
            each_store.rotate(TECHNICIAN)
            return put_off(vault, stored, expires_at)

        monkeypatch.setattr(Vault, "put_off", meanwhile)
        until: datetime = clock.now() + 2 * YEARS
        each_store.update_case(one, {}, OFFICER, version=1, expires_at=until)
        assert each_store.case(one, OFFICER).expires_at == until
