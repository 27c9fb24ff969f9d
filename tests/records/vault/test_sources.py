"""Master keys on this machine: made at the first start, private, several at once, and read again when they change."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from anruflotse.records.model import StoreError
from anruflotse.records.vault.keyfile import FILE, KeyFile
from anruflotse.records.vault.keyring import Keyring, SingleKeyring, UnknownMasterError
from anruflotse.records.vault.local import CREDENTIAL, ENVIRONMENT, FileKeyring
from anruflotse.records.vault.master import LocalMaster
from anruflotse.records.vault.sources import configured, keyring
from anruflotse.settings import load
from tests.records.vault.faking import FakeVault

ONE, TWO, THREE = b"1" * 32, b"2" * 32, b"3" * 32


def written(*keys: bytes) -> str:
    return "".join(base64.b64encode(key).decode() + "\n" for key in keys)


def ring_of(directory: Path, environment: dict[str, str] | None = None, *, may_create: bool = True) -> Keyring:
    return keyring(directory, environment or {}, may_create=may_create)


def put(file: Path, text: str) -> None:
    """As an operator with an editor does: a new file in place of the old one."""
    draft = file.with_name("draft")
    draft.write_text(text)
    draft.chmod(0o600)
    draft.replace(file)


def name(key: bytes) -> str:
    return LocalMaster(key).id


def test_the_first_start_makes_a_private_key_file_and_later_ones_keep_it(tmp_path: Path) -> None:
    made = ring_of(tmp_path).current()
    file = tmp_path / FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = file.read_bytes()
    assert len(base64.b64decode(content)) == 32
    assert ring_of(tmp_path).current().id == made.id
    assert ring_of(tmp_path, may_create=False).current().id == made.id
    assert file.read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir()] == [FILE]


def test_nothing_is_made_before_it_is_needed(tmp_path: Path) -> None:
    ring = ring_of(tmp_path)
    with pytest.raises(UnknownMasterError):
        ring_of(tmp_path, {ENVIRONMENT: written(ONE)}).find(name(TWO))
    assert list(tmp_path.iterdir()) == []
    ring.current()
    assert [entry.name for entry in tmp_path.iterdir()] == [FILE]


def test_every_first_start_makes_another_key(tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
    one, two = (ring_of(tmp_path / place).current() for place in ("one", "two"))
    assert one.id != two.id


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o666])
def test_a_key_that_others_can_read_is_refused_with_a_remedy_even_under_way(tmp_path: Path, mode: int) -> None:
    ring = ring_of(tmp_path)
    ring.current()
    (tmp_path / FILE).chmod(mode)
    for one in (ring, ring_of(tmp_path)):
        with pytest.raises(StoreError, match="chmod 600"):
            one.current()
    (tmp_path / FILE).chmod(0o600)
    assert ring.check()


def test_a_link_in_place_of_the_key_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(written(ONE))
    elsewhere.chmod(0o600)
    (tmp_path / FILE).symlink_to(elsewhere)
    with pytest.raises(StoreError, match="plain file"):
        ring_of(tmp_path).current()
    elsewhere.unlink()
    with pytest.raises(StoreError, match="plain file"):
        ring_of(tmp_path).current()


def test_a_directory_in_place_of_the_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir(mode=0o700)
    with pytest.raises(StoreError, match="plain file"):
        ring_of(tmp_path).current()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"short",
        b"!" * 44,
        base64.b64encode(b"x" * 31),
        b"\xff\xfe" * 22,
        base64.b64encode(ONE) + b"\nc2VjcmV0\n",
        bytes(45),
    ],
)
def test_what_is_no_key_is_refused_not_quoted_and_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / FILE
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(StoreError, match="openssl rand") as caught:
        ring_of(tmp_path).current()
    assert "c2VjcmV0" not in str(caught.value)
    assert file.read_bytes() == content


def test_a_missing_key_is_not_replaced_when_something_was_sealed_with_it(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="put it back"):
        ring_of(tmp_path, may_create=False).current()
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_vanishes_under_way_stops_everything_until_it_is_back(tmp_path: Path) -> None:
    ring = ring_of(tmp_path)
    made = ring.current().id
    (tmp_path / FILE).rename(tmp_path / "away")
    for attempt in (ring.current, ring.check, lambda: ring.find(made)):
        with pytest.raises(StoreError, match="put it back"):
            attempt()
    (tmp_path / "away").rename(tmp_path / FILE)
    assert ring.check() == made


def test_the_first_key_wraps_and_every_one_unwraps(tmp_path: Path) -> None:
    put(tmp_path / FILE, written(TWO, ONE, TWO))
    ring = ring_of(tmp_path)
    assert ring.current().id == ring.check() == name(TWO)
    assert list(ring.masters()) == [name(TWO), name(ONE)]
    wrapped = SingleKeyring(LocalMaster(ONE)).wrap(THREE, b"x")
    assert ring.find(wrapped.master).unwrap(wrapped.data, b"x") == THREE
    assert ring.wrap(THREE, b"x").master == name(TWO)
    with pytest.raises(UnknownMasterError, match=name(THREE)):
        ring.find(name(THREE))


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    put(tmp_path / FILE, written(ONE))
    ring = ring_of(tmp_path)
    assert ring.check() == name(ONE)
    put(tmp_path / FILE, written(TWO, ONE))
    assert ring.find(name(TWO)).id == name(TWO)
    assert ring.check() == name(TWO)
    put(tmp_path / FILE, written(TWO))
    with pytest.raises(UnknownMasterError):
        ring.find(name(ONE))


def test_an_unchanged_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / FILE, written(ONE))
    ring = ring_of(tmp_path)
    ring.check()
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", lambda *_: pytest.fail("read again"))
        assert ring.check() == name(ONE)


def test_a_reader_that_is_overtaken_by_a_replacement_reads_the_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = KeyFile(tmp_path / FILE, may_create=False)
    put(tmp_path / FILE, written(ONE))
    overtaken = FileKeyring(file)
    read = os.read
    turns = 0

    def late(handle: int, count: int) -> bytes:
        nonlocal turns
        turns += 1
        if turns == 1:
            # Between opening and reading: the opened file is overwritten with zeros.
            KeyFile(tmp_path / FILE, may_create=False).replace([TWO, ONE])
        return read(handle, count)

    monkeypatch.setattr(os, "read", late)
    assert overtaken.check() == name(TWO)
    assert turns == 2


def test_replacing_leaves_no_trace_of_the_old_keys(tmp_path: Path) -> None:
    put(tmp_path / FILE, written(ONE))
    stays = tmp_path / "same-blocks"
    os.link(tmp_path / FILE, stays)
    (tmp_path / f".{FILE}.abandoned").write_text(written(THREE))
    KeyFile(tmp_path / FILE, may_create=False).replace([TWO])
    assert (tmp_path / FILE).read_text() == written(TWO)
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert stays.read_bytes() == bytes(45)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [FILE, "same-blocks"]


def test_a_full_disk_leaves_the_old_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / FILE, written(ONE))
    ring = ring_of(tmp_path)

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        ring.renew()
    monkeypatch.undo()
    assert (tmp_path / FILE).read_text() == written(ONE)
    assert ring.renew()
    assert [entry.name for entry in tmp_path.iterdir()] == [FILE]


def test_only_one_rotation_at_a_time(tmp_path: Path) -> None:
    one, two = ring_of(tmp_path), ring_of(tmp_path)
    with one.exclusive(), pytest.raises(StoreError, match="under way"), two.exclusive():
        pass
    with two.exclusive():
        pass


def test_a_systemd_credential_wins_over_environment_and_file(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / CREDENTIAL).write_text(written(ONE))
    environment = {"CREDENTIALS_DIRECTORY": str(credentials), ENVIRONMENT: written(TWO)}
    assert ring_of(tmp_path, environment).check() == name(ONE)
    (credentials / CREDENTIAL).unlink()
    assert ring_of(tmp_path, environment).check() == name(TWO)
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("between", ["\n", " ", ",", ", ", "\n\n", "\r\n"])
def test_several_keys_in_the_environment(tmp_path: Path, between: str) -> None:
    text = between.join(base64.b64encode(key).decode() for key in (TWO, ONE))
    ring = ring_of(tmp_path, {ENVIRONMENT: text})
    assert list(ring.masters()) == [name(TWO), name(ONE)]
    assert ring.forget({name(ONE), name(TWO)}) == {}
    assert ring.forget({name(TWO)}) == {name(ONE): f"remove this key from the environment variable {ENVIRONMENT}"}
    assert not ring.renew()


def test_the_older_source_still_opens_what_it_wrapped(tmp_path: Path) -> None:
    put(tmp_path / FILE, written(ONE))
    ring = ring_of(tmp_path, {ENVIRONMENT: written(TWO)})
    assert ring.check() == name(TWO)
    assert ring.find(name(ONE)).id == name(ONE)
    assert ring.forget({name(TWO)}) == {name(ONE): f"remove the master key file {tmp_path / FILE}"}
    assert (tmp_path / FILE).read_text() == written(ONE)


def test_a_wrong_environment_variable_is_told_without_its_value(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=ENVIRONMENT) as caught:
        ring_of(tmp_path, {ENVIRONMENT: "c2VjcmV0"}).current()
    assert "c2VjcmV0" not in str(caught.value)


def test_a_directory_that_cannot_hold_the_key_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be made"):
        ring_of(tmp_path / "missing").current()


def test_two_first_starts_at_once_end_up_with_one_key(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from anruflotse.records.vault.sources import keyring; "
        "sys.stdin.readline(); print(keyring(Path(sys.argv[1]), {}, may_create=True).check())"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    ids = {process.communicate(timeout=30)[0].strip() for process in both}
    assert ids == {ring_of(tmp_path, may_create=False).check()}
    assert [entry.name for entry in tmp_path.iterdir()] == [FILE]


def test_the_key_must_have_its_length() -> None:
    with pytest.raises(ValueError, match="32"):
        LocalMaster(os.urandom(16))


def test_the_settings_choose(tmp_path: Path, vault: FakeVault) -> None:
    def chosen(**environment: str) -> Keyring | None:
        given = {f"ANRUFLOTSE_KEYS__{key.upper()}": value for key, value in environment.items()}
        return configured(tmp_path, {}, load(None, {}, given).keys)

    assert chosen() is None
    put(tmp_path / FILE, written(ONE))
    there = {"vault__address": vault.address, "vault__token": "hvs.ROOT"}
    ring = chosen(provider="vault", **there)
    assert ring is not None
    assert ring.check() == "transit:transit/anruflotse:v1"
    assert ring.find(name(ONE)).id == name(ONE)
    back = chosen(provider="local", **there)
    assert back is not None
    assert back.check() == name(ONE)
    wrapped = ring.wrap(THREE, b"x")
    assert back.find(wrapped.master).unwrap(wrapped.data, b"x") == THREE


def test_the_variable_with_the_key_is_no_setting(tmp_path: Path) -> None:
    settings = load(None, {"data": tmp_path}, {ENVIRONMENT: written(ONE)})
    assert base64.b64encode(ONE).decode() not in repr(settings)
