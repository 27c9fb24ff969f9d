"""HashiCorp Vault transit against a fake that really encrypts: what is bound, what is told, and that nothing leaks."""

from __future__ import annotations

import socket
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from anruflotse.records.model import StoreError
from anruflotse.records.vault.api import ForbiddenError
from anruflotse.records.vault.config import TransitConfig
from anruflotse.records.vault.keyring import UnknownMasterError
from anruflotse.records.vault.master import TamperedError
from anruflotse.records.vault.transit import TransitKeyring
from tests.certificates import self_signed
from tests.records.vault.conftest import MakeRing
from tests.records.vault.faking import EVERYTHING, SERVICE, FakeKey, FakeVault

KEY = bytes(range(32))


def test_what_was_wrapped_opens_with_its_context_only(vault: FakeVault, make_ring: MakeRing) -> None:
    ring = make_ring()
    wrapped = ring.wrap(KEY, b"one")
    assert wrapped.master == "transit:transit/anruflotse:v1"
    assert wrapped.data.startswith(b"vault:v1:")
    assert KEY not in wrapped.data
    assert ring.find(wrapped.master).unwrap(wrapped.data, b"one") == KEY
    with pytest.raises(TamperedError):
        ring.find(wrapped.master).unwrap(wrapped.data, b"two")
    with pytest.raises(TamperedError):
        ring.find(wrapped.master).unwrap(wrapped.data, b"")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-4] + b"AAA=",
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: data.replace(b":v1:", b":v2:"),
        lambda data: data.replace(b"vault:", b""),
        lambda _: b"",
        lambda _: b"\xff\xfe",
    ],
)
def test_damaged_keys_do_not_open(make_ring: MakeRing, damage: Callable[[bytes], bytes]) -> None:
    ring = make_ring()
    wrapped = ring.wrap(KEY, b"one")
    with pytest.raises(TamperedError):
        ring.find(wrapped.master).unwrap(damage(wrapped.data), b"one")


def test_a_rotation_in_vault_is_followed_at_once(vault: FakeVault, make_ring: MakeRing) -> None:
    ring = make_ring()
    old = ring.wrap(KEY, b"one")
    vault.keys["anruflotse"].versions.append(b"n" * 32)
    new = ring.wrap(KEY, b"one")
    assert (old.master, new.master) == ("transit:transit/anruflotse:v1", "transit:transit/anruflotse:v2")
    assert ring.current().id == ring.check() == new.master
    for wrapped in (old, new):
        assert ring.find(wrapped.master).unwrap(wrapped.data, b"one") == KEY
    # A restriction binds a key anew under the version it has.
    again = ring.find(old.master).wrap(KEY, b"two")
    assert ring.find(old.master).unwrap(again, b"two") == KEY


def test_the_ring_makes_versions_and_gives_old_ones_up(vault: FakeVault, make_ring: MakeRing) -> None:
    ring = make_ring()
    old = ring.wrap(KEY, b"one")
    assert ring.renew()
    new = ring.check()
    assert new.endswith(":v2")
    assert ring.forget({old.master, new}) == {}
    assert vault.keys["anruflotse"].min_decryption_version == 1
    assert ring.forget({new}) == {}
    assert vault.keys["anruflotse"].min_decryption_version == 2
    with pytest.raises(UnknownMasterError):
        ring.find(old.master).unwrap(old.data, b"one")


def test_without_leave_to_configure_the_operator_is_told_what_to_run(vault: FakeVault, make_ring: MakeRing) -> None:
    vault.tokens["hvs.SERVICE"] = SERVICE
    ring = make_ring(token="hvs.SERVICE")
    assert ring.check().endswith(":v1")
    with pytest.raises(ForbiddenError):
        ring.renew()
    make_ring().renew()
    assert ring.forget({ring.check()}) == {
        "transit:transit/anruflotse:v1": "run `vault write transit/keys/anruflotse/config min_decryption_version=2`"
    }


def test_versions_vault_does_not_have_and_other_names_are_unknown(make_ring: MakeRing) -> None:
    ring = make_ring()
    wrapped = ring.wrap(KEY, b"one")
    with pytest.raises(UnknownMasterError):
        # Vault was put back from a backup that did not know this version yet.
        ring.find("transit:transit/anruflotse:v7").unwrap(wrapped.data.replace(b":v1:", b":v7:"), b"one")
    for name in ("transit:transit/other:v1", "transit:transit/anruflotse:vx", "1234567890abcdef"):
        with pytest.raises(UnknownMasterError, match=name):
            ring.find(name)


def test_a_long_name_still_fits_into_the_key_store(vault: FakeVault, make_ring: MakeRing) -> None:
    vault.mount, vault.keys["k" * 60] = "m" * 60, FakeKey()
    ring = make_ring(mount="m" * 60, key="k" * 60)
    name = ring.check()
    assert len(name) <= 64
    assert name.endswith(":v1")
    assert name != make_ring(mount="m" * 59, key="k" * 60).name(1)


Change = Callable[[FakeVault], object]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda vault: setattr(vault, "sealed", True), "sealed.*vault operator unseal"),
        (lambda vault: vault.tokens.clear(), "token.*expired"),
        (lambda vault: vault.tokens.update({"hvs.ROOT": {}}), "policy does not allow"),
        (lambda vault: setattr(vault, "mount", "elsewhere"), "no such transit key"),
        (lambda vault: setattr(vault, "namespace", "other"), "namespace"),
        (lambda vault: vault.keys.clear(), "no such transit key"),
        (lambda vault: vault.keys.update(anruflotse=FakeKey(type="chacha20-poly1305")), "aes256-gcm96"),
        (lambda vault: vault.keys.update(anruflotse=FakeKey(derived=True)), "neither derived"),
        (lambda vault: vault.keys.update(anruflotse=FakeKey(exportable=True)), "exportable"),
        (lambda vault: setattr(vault, "strict", False), "1.13"),
        (lambda vault: vault.answers.append((429, {"errors": ["request path: rate limit quota exceeded"]})), "rate"),
        (lambda vault: vault.answers.extend([(500, {"errors": ["internal error"]})] * 2), "has a fault"),
        (lambda vault: vault.answers.extend([(502, "<html>Bad Gateway</html>")] * 2), "has a fault"),
        (lambda vault: vault.answers.extend([(503, {"errors": ["standby"]})] * 2), "has a fault"),
        (lambda vault: vault.answers.append((501, {"errors": ["Vault is not initialized"]})), "not initialised"),
        (lambda vault: vault.answers.append((200, "<html>Login</html>")), "is not Vault"),
        (lambda vault: vault.answers.extend([(403, {"errors": []}), (200, {"data": {}})]), "no sense"),
        (lambda vault: vault.answers.extend([(403, {"errors": []}), (200, {"data": {"ciphertext": "x"}})]), "no sense"),
        (lambda vault: vault.answers.append((307, {"errors": []})), "another server"),
        (lambda vault: setattr(vault, "breaks", 2), "cannot be reached"),
        (lambda vault: vault.hangs.set(), "in time"),
    ],
)
def test_every_fault_is_told_with_a_remedy_and_without_the_token(
    vault: FakeVault, make_ring: MakeRing, change: Change, told: str
) -> None:
    ring = make_ring()
    change(vault)
    with pytest.raises(StoreError, match=told) as caught:
        ring.check()
    shown = "".join(traceback.format_exception(caught.value)) + repr(ring) + repr(ring._api) + repr(ring._config)
    assert "hvs.ROOT" not in shown
    assert caught.value.__cause__ is None
    assert "quota exceeded" not in str(caught.value)


def test_it_works_again_by_itself(vault: FakeVault, make_ring: MakeRing) -> None:
    ring = make_ring()
    assert ring.check()
    vault.sealed = True
    with pytest.raises(StoreError):
        ring.check()
    vault.sealed = False
    assert ring.check()


def test_a_broken_connection_or_a_fault_is_tried_once_more(vault: FakeVault, make_ring: MakeRing) -> None:
    ring = make_ring()
    ring.check()
    vault.breaks = 1
    assert ring.check()
    vault.answers = [(500, {"errors": ["internal error"]})]
    assert ring.check()
    before = len(vault.requests)
    vault.answers = [(500, {"errors": ["internal error"]})]
    with pytest.raises(StoreError):
        # A version too many would be made.
        ring.renew()
    assert len(vault.requests) == before + 1
    assert len(vault.keys["anruflotse"].versions) == 1


def test_nobody_waits_twice_for_a_vault_that_hangs(
    vault: FakeVault, make_ring: MakeRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    ring = make_ring(timeout_seconds=0.1)
    ring.check()
    vault.hangs.set()
    with pytest.raises(StoreError, match="in time"):
        ring.check()
    vault.hangs.clear()
    before = len(vault.requests)
    now += 4.9
    with pytest.raises(StoreError, match="in time"):
        ring.check()
    assert len(vault.requests) == before
    now += 0.2
    assert ring.check()
    assert ring.check()


def test_a_login_hangs_no_longer_than_anything_else(vault: FakeVault, make_ring: MakeRing) -> None:
    vault.hangs.set()
    ring = make_ring(token=None, role_id="role", secret_id="secret", timeout_seconds=0.1)
    for _ in range(2):
        with pytest.raises(StoreError, match="in time"):
            ring.check()


def test_nothing_listens_or_the_name_does_not_exist(vault: FakeVault, make_ring: MakeRing) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(StoreError, match="cannot be reached"):
        make_ring(address=address).check()
    with pytest.raises(StoreError, match="cannot be reached"):
        make_ring(address="https://vault.invalid:8200").check()


@pytest.mark.parametrize(
    "address",
    [
        "http://vault.example:8200",
        "http://192.0.2.1",
        "ftp://127.0.0.1",
        "127.0.0.1:8200",
        "https://user:pass@vault.example",
        "https://",
        "",
        "http://[::1",
    ],
)
def test_keys_never_travel_in_plain(address: str) -> None:
    with pytest.raises(StoreError, match="https://") as caught:
        TransitConfig(address=address, token="hvs.ROOT")
    assert "pass" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["https://vault.example", "http://127.0.0.1:8200", "http://[::1]:8200", "http://localhost:8200"]
)
def test_tls_and_this_machine_are_fine(address: str) -> None:
    assert repr(TransitConfig(address=address, token="hvs.ROOT", secret_id="SECRET")).count("hvs") == 0


def test_the_certificate_is_checked_against_the_ca_file(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    server = FakeVault(certificate=certificate)
    try:
        config = {"address": server.address, "token": "hvs.ROOT"}
        assert TransitKeyring(TransitConfig(**config, ca_file=certificate)).check()  # type: ignore[arg-type]
        with pytest.raises(StoreError, match=r"not trusted.*ca_file"):
            TransitKeyring(TransitConfig(**config)).check()  # type: ignore[arg-type]
        with pytest.raises(StoreError, match="CA file"):
            TransitKeyring(TransitConfig(**config, ca_file=tmp_path / "missing.pem")).check()  # type: ignore[arg-type]
        other = tmp_path / "other.pem"
        other.write_text("no certificate")
        with pytest.raises(StoreError, match="ca_file"):
            TransitKeyring(TransitConfig(**config, ca_file=other)).check()  # type: ignore[arg-type]
    finally:
        server.close()


def test_a_renewed_token_file_is_read_again(vault: FakeVault, make_ring: MakeRing, tmp_path: Path) -> None:
    file = tmp_path / "token"
    ring = make_ring(token=None, token_file=file)
    with pytest.raises(StoreError, match=r"token file.*cannot be read"):
        ring.check()
    file.write_text("hvs.ROOT\n")
    assert ring.check()
    vault.tokens = {"hvs.RENEWED": EVERYTHING}
    with pytest.raises(StoreError, match="token"):
        ring.check()
    file.write_text("hvs.RENEWED\n")
    assert ring.check()
    file.write_text("")
    with pytest.raises(StoreError, match="no token"):
        ring.check()
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(StoreError, match="cannot be read"):
        ring.check()


def test_an_approle_logs_in_when_it_has_to(vault: FakeVault, make_ring: MakeRing) -> None:
    vault.roles["role", "secret"] = SERVICE
    ring = make_ring(token=None, role_id="role", secret_id="secret")
    for _ in range(3):
        assert ring.check()
    assert vault.asked("auth/approle/login") == 1
    vault.tokens.clear()
    assert ring.check()
    assert vault.asked("auth/approle/login") == 2
    vault.tokens.clear()
    vault.roles.clear()
    with pytest.raises(StoreError, match=r"AppRole login.*secret_id"):
        ring.check()


def test_the_namespace_is_sent(vault: FakeVault, make_ring: MakeRing) -> None:
    vault.namespace = "kasse"
    assert make_ring(namespace="kasse").check()


def test_nothing_of_the_environment_is_taken(
    vault: FakeVault, make_ring: MakeRing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("VAULT_TOKEN", "VAULT_ADDR", "VAULT_NAMESPACE", "HTTP_PROXY", "http_proxy", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert make_ring().check()
    monkeypatch.setenv("VAULT_TOKEN", "hvs.ROOT")
    with pytest.raises(StoreError, match="no token"):
        make_ring(token=None).check()


def test_many_threads_share_a_ring(vault: FakeVault, make_ring: MakeRing) -> None:
    ring = make_ring(timeout_seconds=5)
    wrong: list[int] = []

    def work(number: int) -> None:
        for turn in range(5):
            context = f"{number}/{turn}".encode()
            wrapped = ring.wrap(KEY, context)
            if ring.find(wrapped.master).unwrap(wrapped.data, context) != KEY:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert vault.asked("transit/encrypt/anruflotse") == 31  # one of them found out whether this Vault binds the context
