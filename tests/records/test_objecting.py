"""Who objected for the time to come is not recorded when they call again, and nobody else can tell who that is."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from anruflotse.clock import FakeClock
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import AccessRefusedError, DestroyReason, Purpose, StoreError
from anruflotse.records.repository import Records
from tests.records.conftest import OFFICER, Home, MakeDraft
from tests.records.faults import ask, keys_of, rows_of, run
from tests.records.places import Place, heads_of, put_heads

NUMBER = "+49 30 123456"
YEAR = timedelta(days=365)
TECHNICIAN = Accessor("Technik", Role.OPERATIONS)
LIST = "SELECT number FROM objections"


def acts(store: Records) -> list[tuple[str, str]]:
    told = store.trail(OFFICER, Purpose.RIGHTS)
    return [(one.entry.subject, one.entry.result) for one in told if one.entry.act == "object"]


def test_an_objection_counts_from_now_until_its_end(each_store: Records, clock: FakeClock) -> None:
    assert not each_store.objected(NUMBER)
    each_store.object_number(NUMBER, OFFICER, until=clock.now() + YEAR)
    assert each_store.objected(NUMBER)
    assert not each_store.objected("+49 30 123457")
    assert each_store.status().objections == 1
    clock.advance(YEAR.total_seconds() - 1)
    assert each_store.objected(NUMBER)
    assert not each_store.objected(NUMBER, clock.now() + timedelta(seconds=1))
    clock.advance(1)
    assert not each_store.objected(NUMBER)
    assert each_store.status().objections == 0
    # Earlier than what has been seen is not believed.
    assert not each_store.objected(NUMBER, clock.now() - YEAR)


@pytest.mark.parametrize("typed", ["030/12 34-56", "0049 (0)30 123456", "Tel. 030 123456", "4930123456"])
@pytest.mark.parametrize("sent", ["+4930123456", "030123456", "4930123456", "004930123456", "sip:+4930123456@x"])
def test_what_an_officer_types_is_what_a_network_sends(
    store: Records, clock: FakeClock, make_draft: MakeDraft, typed: str, sent: str
) -> None:
    store.object_number(typed, OFFICER, until=clock.now() + YEAR)
    assert store.objected(sent)
    record = store.seal(make_draft(caller=sent))
    assert store.find_caller(typed, OFFICER, Purpose.RIGHTS) == (record,)
    assert store.withdraw_objection(sent, OFFICER)
    assert not store.objected(typed)


@pytest.mark.parametrize(
    "number", [None, "", " ", "anonymous", "0", "000000", "4711", "112", "030", "\udcff", "' OR 1=1 --"]
)
def test_what_is_no_telephone_number_never_matches(each_store: Records, clock: FakeClock, number: str | None) -> None:
    each_store.object_number(NUMBER, OFFICER, until=clock.now() + YEAR)
    assert not each_store.objected(number)
    if number is not None:
        with pytest.raises(ValueError, match="no whole telephone number"):
            each_store.object_number(number, OFFICER, until=clock.now() + YEAR)
        with pytest.raises(ValueError, match="no whole telephone number"):
            each_store.withdraw_objection(number, OFFICER)
        assert acts(each_store) == [("-", "objected"), ("-", "refused_input"), ("-", "refused_input")]
    assert each_store.status().objections == 1


def test_an_end_must_lie_ahead(each_store: Records, clock: FakeClock) -> None:
    for until in (
        clock.now(),
        clock.now() - YEAR,
        clock.now() + 1000 * YEAR,
        (clock.now() + YEAR).replace(tzinfo=None),
    ):
        with pytest.raises(ValueError, match="must lie ahead"):
            each_store.object_number(NUMBER, OFFICER, until=until)
    assert not each_store.objected(NUMBER)


def test_objecting_twice_sets_the_end_anew(each_store: Records, clock: FakeClock) -> None:
    each_store.object_number(NUMBER, OFFICER, until=clock.now() + YEAR)
    each_store.object_number("030 123456", OFFICER, until=clock.now() + 2 * YEAR)
    assert each_store.status().objections == 1
    clock.advance(1.5 * YEAR.total_seconds())
    assert each_store.objected(NUMBER)
    each_store.object_number(NUMBER, OFFICER, until=clock.now() + timedelta(days=1))
    clock.advance(86400)
    assert not each_store.objected(NUMBER)


def test_an_objection_can_be_withdrawn_once(each_store: Records, clock: FakeClock) -> None:
    assert not each_store.withdraw_objection(NUMBER, OFFICER)
    each_store.object_number(NUMBER, OFFICER, until=clock.now() + YEAR)
    assert each_store.withdraw_objection(NUMBER, OFFICER)
    assert not each_store.objected(NUMBER)
    assert not each_store.withdraw_objection(NUMBER, OFFICER)
    assert ask(keys_of(each_store), LIST) == []
    assert [result for _, result in acts(each_store)] == ["not_found", "objected", "withdrawn", "not_found"]


def test_one_that_is_over_cannot_be_withdrawn(each_store: Records, clock: FakeClock) -> None:
    each_store.object_number(NUMBER, OFFICER, until=clock.now() + YEAR)
    clock.advance(YEAR.total_seconds())
    assert not each_store.withdraw_objection(NUMBER, OFFICER)


def test_the_sweep_takes_out_what_is_over(each_store: Records, clock: FakeClock) -> None:
    for days in (1, 2, 3):
        each_store.object_number(f"030 12345{days}", OFFICER, until=clock.now() + timedelta(days=days))
    assert each_store.sweep().objections == 0
    clock.advance(2 * 86400)
    swept = each_store.sweep()
    assert (swept.objections, swept.deleted, swept.keys_destroyed) == (2, 0, 0)
    assert len(ask(keys_of(each_store), LIST)) == 1
    assert each_store.objected("030 123453")


def test_asking_needs_no_person_and_leaves_no_entry(each_store: Records, clock: FakeClock) -> None:
    each_store.object_number(NUMBER, OFFICER, until=clock.now() + YEAR)
    before = len(each_store.trail(OFFICER, Purpose.RIGHTS))
    for number in (NUMBER, "+49 30 123457", None, "anonymous"):
        each_store.objected(number)
    assert len(each_store.trail(OFFICER, Purpose.RIGHTS)) == before + 1


def test_only_data_protection_enters_and_withdraws(each_store: Records, clock: FakeClock) -> None:
    for role in set(Role) - {Role.PRIVACY}:
        with pytest.raises(AccessRefusedError):
            each_store.object_number(NUMBER, Accessor("Neugier", role), until=clock.now() + YEAR)
        with pytest.raises(AccessRefusedError):
            each_store.withdraw_objection(NUMBER, Accessor("Neugier", role))
    assert not each_store.objected(NUMBER)


def test_an_objection_outlives_the_records_of_the_number(
    each_store: Records, clock: FakeClock, make_draft: MakeDraft
) -> None:
    one = each_store.seal(make_draft(caller=NUMBER))
    each_store.object_number(NUMBER, OFFICER, until=clock.now() + YEAR)
    each_store.destroy(one, DestroyReason.OBJECTED, OFFICER)
    assert each_store.find_caller(NUMBER, OFFICER, Purpose.RIGHTS) == ()
    assert each_store.objected(NUMBER)


class TestSecrecy:
    def test_the_list_leads_to_no_record(self, each_store: Records, clock: FakeClock, make_draft: MakeDraft) -> None:
        each_store.seal(make_draft(caller=NUMBER))
        each_store.object_number(NUMBER, OFFICER, until=clock.now() + YEAR)
        (hashed,) = ask(keys_of(each_store), LIST)
        (caller,) = ask(keys_of(each_store), "SELECT caller FROM keys")
        assert len(hashed) == len(caller) == 64
        assert hashed != caller
        # Not the same key under another message either.
        secrets = each_store._opener.vault().secrets
        assert secrets.get("objection") != secrets.get("fingerprint")

    def test_neither_disk_nor_log_nor_error_tells_a_number(
        self, store: Records, clock: FakeClock, directory: Path
    ) -> None:
        with capture_logs() as logs:
            store.object_number("030 8675309", OFFICER, until=clock.now() + YEAR)
            with pytest.raises(ValueError, match="telephone") as raised:
                store.object_number("8675309", OFFICER, until=clock.now() + YEAR)
            store.objected("030 8675309")
            store.withdraw_objection("+49 30 8675309", OFFICER)
        disk = b"".join(file.read_bytes() for file in directory.rglob("*") if file.is_file())
        for told in (disk, repr(logs).encode(), str(raised.value).encode(), repr(store.status()).encode()):
            assert b"8675309" not in told

    def test_a_withdrawn_hash_is_gone_from_the_disk(self, store: Records, clock: FakeClock, directory: Path) -> None:
        store.object_number(NUMBER, OFFICER, until=clock.now() + YEAR)
        (hashed,) = ask(keys_of(store), LIST)
        assert any(hashed.encode() in file.read_bytes() for file in (directory / "keys").iterdir())
        store.withdraw_objection(NUMBER, OFFICER)
        assert not any(hashed.encode() in file.read_bytes() for file in (directory / "keys").iterdir())

    def test_a_hash_that_is_over_is_gone_from_the_disk(self, store: Records, clock: FakeClock, directory: Path) -> None:
        store.object_number(NUMBER, OFFICER, until=clock.now() + YEAR)
        (hashed,) = ask(keys_of(store), LIST)
        clock.advance(YEAR.total_seconds())
        store.sweep()
        assert not any(hashed.encode() in file.read_bytes() for file in (directory / "keys").iterdir())


class TestFaults:
    def test_an_old_row_store_brings_nothing_back_and_takes_nothing_away(self, place: Place, clock: FakeClock) -> None:
        with closing(place.home.open(clock)) as store:
            store.object_number("030 1111111", OFFICER, until=clock.now() + YEAR)
            store.object_number("030 2222222", OFFICER, until=clock.now() + timedelta(days=1))
        backup = place.backup()
        with closing(place.home.open(clock)) as store:
            store.withdraw_objection("030 1111111", OFFICER)
            store.object_number("030 3333333", OFFICER, until=clock.now() + YEAR)
            clock.advance(86400)
            store.sweep()
        place.restore(backup, "rows")
        with closing(place.home.open(clock)) as store:
            for _ in range(2):
                objected = [store.objected(f"030 {str(one) * 7}") for one in (1, 2, 3)]
                assert objected == [False, False, True]
                store.reconcile()
            assert len(ask(keys_of(store), LIST)) == 1

    def test_an_old_key_store_brings_nothing_back_that_is_over(self, place: Place, clock: FakeClock) -> None:
        with closing(place.home.open(clock)) as store:
            store.object_number(NUMBER, OFFICER, until=clock.now() + timedelta(days=1))
        backup = place.backup()
        clock.advance(86400)
        with closing(place.home.open(clock)) as store:
            store.sweep()
            heads = heads_of(store)
        place.restore(backup, "keys")
        with closing(place.home.open(clock)) as store:
            put_heads(store, heads)
            assert not store.objected(NUMBER)
            store.reconcile()
            assert ask(keys_of(store), LIST) == []

    def test_rotation_keeps_it(self, home: Home, clock: FakeClock) -> None:
        with closing(home.open(clock)) as store:
            store.object_number(NUMBER, OFFICER, until=clock.now() + YEAR)
            rotated = store.rotate(TECHNICIAN)
            assert set(ask(keys_of(store), "SELECT master FROM secrets")) == {rotated.master}
            assert store.objected(NUMBER)
        with closing(home.open(clock)) as store:
            assert store.objected(NUMBER)
            assert not store.objected("030 123457")

    def test_without_the_key_store_nobody_knows(self, store: Records, clock: FakeClock, directory: Path) -> None:
        store.object_number(NUMBER, OFFICER, until=clock.now() + YEAR)
        keys = directory / "keys" / "keys.sqlite"
        keys.rename(directory / "elsewhere")
        keys.mkdir()
        with pytest.raises(StoreError):
            store.objected(NUMBER)
        assert not store.objected("anonymous")

    def test_what_cannot_be_entered_is_not_said_to_be(self, each_store: Records, clock: FakeClock) -> None:
        each_store.prepare()
        run(rows_of(each_store), "ALTER TABLE audit RENAME TO gone")
        with pytest.raises(StoreError):
            each_store.object_number(NUMBER, OFFICER, until=clock.now() + YEAR)
        assert not each_store.objected(NUMBER)
        run(rows_of(each_store), "ALTER TABLE gone RENAME TO audit")
        each_store.object_number(NUMBER, OFFICER, until=clock.now() + YEAR)
        assert each_store.objected(NUMBER)
