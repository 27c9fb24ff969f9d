"""A whole record store on HashiCorp Vault: it seals, opens and rotates, and stands still while Vault is away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from anruflotse.clock import FakeClock
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import Purpose, StoreError
from anruflotse.records.repository import Records
from anruflotse.records.vault.config import TransitConfig
from anruflotse.records.vault.keyfile import FILE
from anruflotse.records.vault.keyring import Keyring, UnknownMasterError
from anruflotse.records.vault.sources import keyring
from anruflotse.records.vault.transit import TransitKeyring
from anruflotse.settings import load
from tests.records.conftest import OFFICER, Home, MakeDraft
from tests.records.vault.conftest import MakeRing
from tests.records.vault.faking import FakeKey, FakeVault, Policy

OPERATOR = Accessor("betrieb", Role.OPERATIONS)
NUMBER = "+49 30 123456"


@pytest.fixture
def place(directory: Path) -> Home:
    """Files: but for the first test below it does not matter which database it is."""
    return Home(directory)


@pytest.fixture
def on_vault(place: Home, clock: FakeClock, make_ring: MakeRing) -> Iterator[Records]:
    with closing(place.open(clock, ring=make_ring())) as store:
        yield store


def test_it_seals_opens_and_rotates(
    vault: FakeVault, home: Home, clock: FakeClock, make_draft: MakeDraft, make_ring: MakeRing
) -> None:
    on_vault = home.open(clock, ring=make_ring())
    ids = [on_vault.seal(make_draft(caller=NUMBER)) for _ in range(3)]
    assert on_vault.healthy()
    assert not (home.directory / "keys" / FILE).exists()
    rotated = on_vault.rotate(OPERATOR)
    assert (rotated.master, rotated.made, rotated.left) == ("transit:transit/anruflotse:v2", True, {})
    assert rotated.moved == 5
    assert vault.keys["anruflotse"].min_decryption_version == 2
    ids.append(on_vault.seal(make_draft(caller=NUMBER)))
    with closing(home.open(clock, ring=make_ring())) as again, closing(on_vault):
        for one in ids:
            assert again.open(one, OFFICER, Purpose.RIGHTS, audio=True).caller == NUMBER
        assert set(again.find_caller(NUMBER, OFFICER, Purpose.RIGHTS)) == set(ids)


def test_while_vault_is_sealed_nothing_is_recorded_and_nothing_shown_and_then_it_goes_on(
    on_vault: Records, vault: FakeVault, make_draft: MakeDraft
) -> None:
    one = on_vault.seal(make_draft())
    vault.sealed = True
    assert not on_vault.healthy()
    with pytest.raises(StoreError, match="sealed"):
        on_vault.open(one, OFFICER, Purpose.RIGHTS)
    with pytest.raises(StoreError, match="sealed"):
        on_vault.seal(make_draft())
    # Expiry and erasure need no master key.
    assert on_vault.sweep().failed == 0
    assert on_vault.status().records == 1
    vault.sealed = False
    assert on_vault.healthy()
    assert on_vault.open(one, OFFICER, Purpose.RIGHTS).has_recording


def test_vault_away_from_the_start_is_no_reason_to_make_a_key_here(
    place: Home, clock: FakeClock, vault: FakeVault, make_ring: MakeRing
) -> None:
    vault.sealed = True
    with closing(place.open(clock, ring=make_ring())) as store:
        assert not store.healthy()
        vault.sealed = False
        assert store.healthy()
    assert not (place.directory / "keys" / FILE).exists()


def test_sealed_in_the_middle_of_a_rotation_it_is_completed_later_with_the_same_version(
    on_vault: Records, vault: FakeVault, make_draft: MakeDraft
) -> None:
    ids = [on_vault.seal(make_draft()) for _ in range(4)]
    decrypted = 0

    def seal_then(_method: str, path: str) -> None:
        nonlocal decrypted
        decrypted += path.endswith("decrypt/anruflotse")
        vault.sealed = decrypted > 3

    vault.on_request = seal_then
    with pytest.raises(StoreError, match="sealed"):
        on_vault.rotate(OPERATOR)
    vault.on_request, vault.sealed = None, False
    for one in ids:
        on_vault.open(one, OFFICER, Purpose.RIGHTS)
    rotated = on_vault.rotate(OPERATOR)
    assert (rotated.made, rotated.master) == (False, "transit:transit/anruflotse:v2")
    assert set(on_vault._opener.stores().keys.masters()) == {rotated.master}


def test_a_version_vault_made_by_itself_is_taken_up(on_vault: Records, vault: FakeVault, make_draft: MakeDraft) -> None:
    ids = [on_vault.seal(make_draft())]
    vault.keys["anruflotse"].versions.append(b"n" * 32)
    ids.append(on_vault.seal(make_draft()))
    assert on_vault._opener.stores().keys.masters() == {f"transit:transit/anruflotse:v{n}": 1 for n in (1, 2)}
    rotated = on_vault.rotate(OPERATOR)
    assert (rotated.made, rotated.master) == (False, "transit:transit/anruflotse:v2")
    for one in ids:
        on_vault.open(one, OFFICER, Purpose.RIGHTS)


def test_a_process_that_read_before_the_old_version_was_given_up_still_opens(
    on_vault: Records, place: Home, clock: FakeClock, make_draft: MakeDraft, make_ring: MakeRing
) -> None:
    one = on_vault.seal(make_draft())
    with closing(place.open(clock, ring=make_ring())) as other:
        before = other._opener.stores().keys.one(one)
        assert before is not None
        on_vault.rotate(OPERATOR)
        other._opener.vault().open_key(before)
        with pytest.raises(UnknownMasterError):
            make_ring().find(before.master).unwrap(before.wrapped, b"")


def test_another_key_of_the_same_name_is_told_before_anything_is_written(
    on_vault: Records, vault: FakeVault, place: Home, clock: FakeClock, make_draft: MakeDraft, make_ring: MakeRing
) -> None:
    on_vault.seal(make_draft())
    vault.keys["anruflotse"] = FakeKey()
    with closing(place.open(clock, ring=make_ring())) as store:
        assert not store.healthy()
        with pytest.raises(StoreError, match="another master key"):
            store.seal(make_draft())
    assert sum(on_vault._opener.stores().keys.masters().values()) == 1


DOCUMENTATION = Path("docs/keys.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENTATION, re.DOTALL)


def policy_of(text: str) -> Policy:
    found = re.findall(r'path "transit/([^"]+)" \{\s*capabilities = \["(\w+)"\]', text)
    return {path: {capability} for path, capability in found}


def test_the_policies_of_the_documentation_are_enough(
    place: Home, clock: FakeClock, vault: FakeVault, make_draft: MakeDraft, make_ring: MakeRing
) -> None:
    service, more = (policy_of(text) for text in blocks("hcl"))
    assert (len(service), len(more)) == (2, 3)
    vault.tokens |= {"hvs.SERVICE": service, "hvs.OPERATOR": service | more}
    with closing(place.open(clock, ring=make_ring(token="hvs.OPERATOR"))) as store:
        store.seal(make_draft())
        assert store.rotate(OPERATOR).left == {}
    assert vault.keys["anruflotse"].min_decryption_version == 2
    with closing(place.open(clock, ring=make_ring(token="hvs.SERVICE"))) as store:
        one = store.seal(make_draft())
        assert store.healthy()
        assert store.open(one, OFFICER, Purpose.RIGHTS).has_recording
        with pytest.raises(StoreError, match="policy"):
            store.rotate(OPERATOR)
        assert store.healthy()


def test_the_settings_of_the_documentation_are_settings(tmp_path: Path) -> None:
    (text,) = blocks("yaml")
    file = tmp_path / "anruflotse.yaml"
    file.write_text(text)
    chosen = load(file, {}, {}).keys
    assert (chosen.provider, chosen.vault.token_file) == ("vault", Path("/run/vault/token"))
    file.write_text(re.sub(r"# (namespace|ca_file)", r"\1", text))
    assert load(file, {}, {}).keys.vault.ca_file == Path("/etc/ssl/vault-ca.pem")


def mixed(directory: Path, vault: FakeVault, *, transit_first: bool) -> Keyring:
    config = TransitConfig(address=vault.address, token="hvs.ROOT")
    return keyring(directory / "keys", {}, may_create=True, transit=config, transit_first=transit_first)


def test_moving_to_vault_and_back(place: Home, clock: FakeClock, vault: FakeVault, make_draft: MakeDraft) -> None:
    file = place.directory / "keys" / FILE
    with closing(place.open(clock)) as store:
        ids = [store.seal(make_draft(caller=NUMBER))]
    with closing(place.open(clock, ring=mixed(place.directory, vault, transit_first=True))) as store:
        ids.append(store.seal(make_draft(caller=NUMBER)))
        rotated = store.rotate(OPERATOR)
        assert rotated.master == "transit:transit/anruflotse:v1"
        assert list(rotated.left.values()) == [f"remove the master key file {file}"]
        file.unlink()
        assert set(store.find_caller(NUMBER, OFFICER, Purpose.RIGHTS)) == set(ids)
    with closing(place.open(clock, ring=mixed(place.directory, vault, transit_first=False))) as store:
        ids.append(store.seal(make_draft(caller=NUMBER)))
        rotated = store.rotate(OPERATOR)
        assert not rotated.made
        assert "transit:transit/anruflotse:v1" in rotated.left
    vault.close()
    with closing(place.open(clock)) as store:
        assert store.healthy()
        for one in ids:
            assert store.open(one, OFFICER, Purpose.RIGHTS).caller == NUMBER


def test_vault_is_asked_once_for_each_record(
    place: Home, clock: FakeClock, vault: FakeVault, make_draft: MakeDraft, make_ring: MakeRing
) -> None:
    ring: TransitKeyring = make_ring()
    with closing(place.open(clock, ring=ring)) as store:
        store.prepare()
        one = store.seal(make_draft(caller=NUMBER))
        store.open(one, OFFICER, Purpose.RIGHTS)
        before = len(vault.requests)
        another = store.seal(make_draft(caller=NUMBER))
        assert [path.split("/")[3] for _, path in vault.requests[before:]] == ["encrypt"]
        store.open(another, OFFICER, Purpose.RIGHTS)
        assert [path.split("/")[3] for _, path in vault.requests[before:]] == ["encrypt", "decrypt"]
        assert store.healthy()
        assert [path.split("/")[3] for _, path in vault.requests[before + 2 :]] == ["encrypt", "decrypt"]
