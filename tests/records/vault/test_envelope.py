from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from anruflotse.records.vault.envelope import Vault, normalised
from anruflotse.records.vault.master import LocalMaster, TamperedError

ONE, TWO = "1" * 32, "2" * 32
EXPIRY = datetime(2026, 3, 31, 9, tzinfo=UTC)


@pytest.fixture
def vault() -> Vault:
    return Vault(LocalMaster(b"k" * 32))


def test_what_was_sealed_opens_with_the_wrapped_key(vault: Vault) -> None:
    key, wrapped = vault.new_key(ONE, EXPIRY)
    sealed = key.seal("details", b"KANARIE")
    assert b"KANARIE" not in sealed
    assert vault.open_key(ONE, EXPIRY, wrapped).open("details", sealed) == b"KANARIE"


def test_every_record_has_a_key_of_its_own_and_every_sealing_a_nonce(vault: Vault) -> None:
    (one, wrapped_one), (_, wrapped_two) = vault.new_key(ONE, EXPIRY), vault.new_key(ONE, EXPIRY)
    assert wrapped_one != wrapped_two
    assert one.seal("details", b"same") != one.seal("details", b"same")
    with pytest.raises(TamperedError):
        vault.open_key(ONE, EXPIRY, wrapped_two).open("details", one.seal("details", b"same"))


def test_content_opens_only_in_its_field_and_record(vault: Vault) -> None:
    key, wrapped = vault.new_key(ONE, EXPIRY)
    sealed = key.seal("summary", b"x")
    with pytest.raises(TamperedError):
        key.open("details", sealed)
    with pytest.raises(TamperedError):
        vault.open_key(TWO, EXPIRY, wrapped)


def test_a_key_opens_only_with_the_expiry_it_was_made_for(vault: Vault) -> None:
    _, wrapped = vault.new_key(ONE, EXPIRY)
    for other in (EXPIRY + timedelta(microseconds=1), EXPIRY + timedelta(days=365), EXPIRY - timedelta(days=1)):
        with pytest.raises(TamperedError):
            vault.open_key(ONE, other, wrapped)


def test_another_master_key_opens_nothing(vault: Vault) -> None:
    _, wrapped = vault.new_key(ONE, EXPIRY)
    with pytest.raises(TamperedError, match="another master key"):
        Vault(LocalMaster(b"x" * 32)).open_key(ONE, EXPIRY, wrapped)


def _flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    "damage", [_flipped, lambda data: data[:-1], lambda data: data + b"x", lambda _: b"", lambda _: b"x"]
)
def test_damaged_content_and_keys_do_not_open(vault: Vault, damage: Callable[[bytes], bytes]) -> None:
    key, wrapped = vault.new_key(ONE, EXPIRY)
    with pytest.raises(TamperedError):
        key.open("details", damage(key.seal("details", b"x")))
    with pytest.raises(TamperedError):
        vault.open_key(ONE, EXPIRY, damage(wrapped))


def test_fingerprints_find_equal_numbers_and_depend_on_the_key(vault: Vault) -> None:
    assert vault.fingerprint("030 123456") == vault.fingerprint("+4930123456")
    assert vault.fingerprint("030 123456") != vault.fingerprint("030 123457")
    assert vault.fingerprint("030 123456") != Vault(LocalMaster(b"x" * 32)).fingerprint("030 123456")
    assert "123456" not in vault.fingerprint("030 123456")


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+49 30 123456", "+4930123456"),
        ("+49 (0)30 123-456", "+4930123456"),
        ("0049 30/123456", "+4930123456"),
        ("030 123456", "+4930123456"),
        ("+43 1 5879", "+4315879"),
        ("4711", "4711"),
        ("Anonymous", "anonymous"),
        (" alice ", "alice"),
    ],
)
def test_numbers_are_one_however_they_are_written(written: str, number: str) -> None:
    assert normalised(written) == number


def test_no_repr_shows_a_key() -> None:
    master = LocalMaster(b"k" * 32)
    key, _ = Vault(master).new_key(ONE, EXPIRY)
    assert repr(master) == f"<LocalMaster {master.id}>"
    assert repr(key) == f"<DataKey of {ONE}>"
    assert (b"k" * 8).hex() not in master.id
