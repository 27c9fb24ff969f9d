from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from anruflotse.records.model import StoreError
from anruflotse.records.restriction import Restriction
from anruflotse.records.stores.keystore import KeyStore
from anruflotse.records.stores.sqlite import SqliteDatabase
from anruflotse.records.stores.tables import keys
from anruflotse.records.vault.envelope import Vault
from anruflotse.records.vault.keyring import Chain, SingleKeyring, UnknownMasterError
from anruflotse.records.vault.master import LocalMaster, TamperedError
from anruflotse.records.vault.secrets import AUDIT, FINGERPRINT, Secrets

ONE, TWO = "1" * 32, "2" * 32
EXPIRY = 1_800_000_000_000_000
OLD, NEW = LocalMaster(b"k" * 32), LocalMaster(b"n" * 32)


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[KeyStore]:
    database = SqliteDatabase("key store", tmp_path / "keys.sqlite", keys, "records", 1)
    with closing(database):
        database.prepare()
        yield KeyStore(database)


def vault_of(stored: KeyStore, *masters: LocalMaster) -> Vault:
    first, *others = (SingleKeyring(master) for master in masters)
    ring = Chain(first, *others)
    return Vault(ring, Secrets(stored.database, ring), stored)


@pytest.fixture
def vault(stored: KeyStore) -> Vault:
    return vault_of(stored, OLD)


def test_what_was_sealed_opens_with_the_wrapped_key(vault: Vault) -> None:
    key, stored_key = vault.new_key(ONE, EXPIRY)
    sealed = key.seal("details", b"KANARIE")
    assert b"KANARIE" not in sealed
    assert stored_key.master == OLD.id
    assert vault.open_key(stored_key).open("details", sealed) == b"KANARIE"


def test_every_record_has_a_key_of_its_own_and_every_sealing_a_nonce(vault: Vault) -> None:
    (one, stored_one), (_, stored_two) = vault.new_key(ONE, EXPIRY), vault.new_key(ONE, EXPIRY)
    assert stored_one.wrapped != stored_two.wrapped
    assert one.seal("details", b"same") != one.seal("details", b"same")
    with pytest.raises(TamperedError):
        vault.open_key(stored_two).open("details", one.seal("details", b"same"))


def test_content_opens_only_in_its_field_and_record(vault: Vault) -> None:
    key, stored_key = vault.new_key(ONE, EXPIRY)
    with pytest.raises(TamperedError):
        key.open("details", key.seal("summary", b"x"))
    with pytest.raises(TamperedError):
        vault.open_key(replace(stored_key, id=TWO))


@pytest.mark.parametrize("shift", [1, 365 * 86_400_000_000, -86_400_000_000])
def test_a_key_opens_only_with_the_expiry_it_was_made_for(vault: Vault, shift: int) -> None:
    _, stored_key = vault.new_key(ONE, EXPIRY)
    with pytest.raises(TamperedError):
        vault.open_key(replace(stored_key, expires_at=EXPIRY + shift))


RESTRICTION = Restriction("b", 5, held=True, review_at=9)


@pytest.mark.parametrize(
    "other",
    [
        None,
        Restriction("c", 5, held=True, review_at=9),
        Restriction("b", 6, held=True, review_at=9),
        Restriction("b", 5, held=True, review_at=10),
        Restriction("b", 5, held=False, review_at=9),
    ],
)
def test_a_restricted_key_opens_only_with_its_restriction(vault: Vault, other: Restriction | None) -> None:
    _, free = vault.new_key(ONE, EXPIRY)
    bound = replace(free, wrapped=vault.bound(free, RESTRICTION), restriction=RESTRICTION)
    vault.open_key(bound)
    with pytest.raises(TamperedError):
        vault.open_key(replace(bound, restriction=other))
    with pytest.raises(TamperedError):
        vault.open_key(replace(free, restriction=RESTRICTION))


def test_another_master_key_opens_nothing(vault: Vault, stored: KeyStore) -> None:
    _, stored_key = vault.new_key(ONE, EXPIRY)
    with pytest.raises(UnknownMasterError, match=OLD.id):
        vault_of(stored, NEW).open_key(stored_key)
    with pytest.raises(TamperedError, match="another master key"):
        vault_of(stored, NEW).open_key(replace(stored_key, master=NEW.id))


def test_a_key_that_was_moved_after_it_was_read_still_opens(stored: KeyStore) -> None:
    key, before = vault_of(stored, OLD).new_key(ONE, EXPIRY)
    stored.add(before, caller=None, now=1)
    sealed = key.seal("details", b"KANARIE")
    after = vault_of(stored, NEW, OLD).moved(before)
    assert after.master == NEW.id
    # Not moved yet: then it is told.
    with pytest.raises(UnknownMasterError):
        vault_of(stored, NEW).open_key(before)
    assert stored.rewrap([(before, after)]) == 1
    assert vault_of(stored, NEW).open_key(before).open("details", sealed) == b"KANARIE"


def test_a_key_that_was_restricted_after_it_was_read_does_not_slip_through(stored: KeyStore) -> None:
    both = vault_of(stored, NEW, OLD)
    _, before = vault_of(stored, OLD).new_key(ONE, EXPIRY)
    stored.add(before, caller=None, now=1)
    assert stored.restrict(before, both.bound(before, RESTRICTION), RESTRICTION)
    restricted = stored.one(ONE)
    assert restricted is not None
    assert stored.rewrap([(restricted, both.moved(restricted))]) == 1
    with pytest.raises(StoreError, match="try again"):
        vault_of(stored, NEW).open_key(before)


def test_moving_does_not_undo_a_change_in_between(vault: Vault, stored: KeyStore) -> None:
    _, before = vault.new_key(ONE, EXPIRY)
    stored.add(before, caller=None, now=1)
    after = vault_of(stored, NEW, OLD).moved(before)
    assert stored.restrict(before, vault.bound(before, RESTRICTION), RESTRICTION)
    assert stored.rewrap([(before, after)]) == 0
    found = stored.one(ONE)
    assert found is not None
    assert (found.master, found.restriction) == (OLD.id, RESTRICTION)


def test_a_retired_master_key_in_front_is_not_healthy(vault: Vault, stored: KeyStore) -> None:
    vault.check()
    stored.retire(OLD.id, 1)
    with pytest.raises(StoreError, match="keys rotate"):
        vault.check()


def test_own_keys_of_the_store_are_kept_and_moved(vault: Vault, stored: KeyStore) -> None:
    made = {name: vault.secrets.get(name) for name in (FINGERPRINT, AUDIT)}
    assert len(set(made.values())) == 2
    both, new = vault_of(stored, NEW, OLD), vault_of(stored, NEW)
    with pytest.raises(UnknownMasterError):
        new.secrets.get(AUDIT)
    assert both.secrets.move(NEW.id) == 2
    assert both.secrets.move(NEW.id) == 0
    assert {name: new.secrets.get(name) for name in made} == made
    assert new.secrets.masters() == {NEW.id}


def test_own_keys_are_never_made_under_a_retired_master_key(stored: KeyStore) -> None:
    stored.retire(OLD.id, 1)
    with pytest.raises(StoreError, match="try again"):
        vault_of(stored, OLD).secrets.get(FINGERPRINT)
    assert vault_of(stored, OLD).secrets.masters() == set()


def test_two_processes_agree_on_one_own_key(stored: KeyStore) -> None:
    one, two = (vault_of(stored, OLD).secrets for _ in range(2))
    made: list[bytes] = []

    def late() -> bytes:
        made.append(two.get(FINGERPRINT))
        return b"l" * 32

    assert one.get(FINGERPRINT, late) == made[0]


def _flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    "damage", [_flipped, lambda data: data[:-1], lambda data: data + b"x", lambda _: b"", lambda _: b"x"]
)
def test_damaged_content_and_keys_do_not_open(vault: Vault, damage: Callable[[bytes], bytes]) -> None:
    key, stored_key = vault.new_key(ONE, EXPIRY)
    with pytest.raises(TamperedError):
        key.open("details", damage(key.seal("details", b"x")))
    with pytest.raises(TamperedError):
        vault.open_key(replace(stored_key, wrapped=damage(stored_key.wrapped)))


def test_fingerprints_find_equal_numbers_and_depend_on_the_key(vault: Vault, stored: KeyStore) -> None:
    assert vault.fingerprint("030 123456") == vault.fingerprint("+4930123456")
    assert vault.fingerprint("030 123456") != vault.fingerprint("030 123457")
    assert "123456" not in vault.fingerprint("030 123456")
    before = vault.fingerprint("030 123456")
    vault_of(stored, NEW, OLD).secrets.move(NEW.id)
    assert vault_of(stored, NEW).fingerprint("030 123456") == before
    with stored.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM secrets")
    assert vault_of(stored, NEW).fingerprint("030 123456") != before


def test_no_repr_shows_a_key(vault: Vault) -> None:
    key, stored_key = vault.new_key(ONE, EXPIRY)
    wrapped = vault.ring.wrap(b"w" * 32, b"x")
    assert repr(OLD) == f"<LocalMaster {OLD.id}>"
    assert repr(key) == f"<DataKey of {ONE}>"
    assert (b"k" * 8).hex() not in OLD.id
    for data, shown in ((stored_key.wrapped, repr(stored_key)), (wrapped.data, repr(wrapped))):
        assert repr(data) not in shown
        assert data.hex() not in shown
