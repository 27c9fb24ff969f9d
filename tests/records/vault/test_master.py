from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from anruflotse.records.model import StoreError
from anruflotse.records.vault.master import CREDENTIAL, ENVIRONMENT, FILE, LocalMaster, find_master

KEY = base64.b64encode(b"e" * 32)


def test_the_first_start_makes_a_private_key_file_and_later_ones_keep_it(tmp_path: Path) -> None:
    made = find_master(tmp_path, {}, may_create=True)
    file = tmp_path / FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = file.read_bytes()
    assert len(base64.b64decode(content)) == 32
    assert find_master(tmp_path, {}, may_create=True).id == made.id
    assert find_master(tmp_path, {}, may_create=False).id == made.id
    assert file.read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir()] == [FILE]


def test_every_first_start_makes_another_key(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (find_master(tmp_path / name, {}, may_create=True) for name in ("one", "two"))
    assert one.id != two.id


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o666])
def test_a_key_that_others_can_read_is_refused_with_a_remedy(tmp_path: Path, mode: int) -> None:
    find_master(tmp_path, {}, may_create=True)
    (tmp_path / FILE).chmod(mode)
    with pytest.raises(StoreError, match="chmod 600"):
        find_master(tmp_path, {}, may_create=True)


def test_a_link_in_place_of_the_key_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(KEY)
    elsewhere.chmod(0o600)
    (tmp_path / FILE).symlink_to(elsewhere)
    with pytest.raises(StoreError, match="plain file"):
        find_master(tmp_path, {}, may_create=True)


def test_a_directory_in_place_of_the_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir(mode=0o700)
    with pytest.raises(StoreError, match="plain file"):
        find_master(tmp_path, {}, may_create=True)


@pytest.mark.parametrize("content", [b"", b"short", b"!" * 44, base64.b64encode(b"x" * 31), b"\xff\xfe" * 22])
def test_what_is_no_key_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / FILE
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(StoreError, match="openssl rand"):
        find_master(tmp_path, {}, may_create=True)
    assert file.read_bytes() == content


def test_a_missing_key_is_not_replaced_when_something_was_sealed_with_it(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="put it back"):
        find_master(tmp_path, {}, may_create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_systemd_credential_wins_over_environment_and_file(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / CREDENTIAL).write_bytes(base64.b64encode(b"c" * 32) + b"\n")
    environment = {"CREDENTIALS_DIRECTORY": str(credentials), ENVIRONMENT: KEY.decode()}
    assert find_master(tmp_path, environment, may_create=True).id == LocalMaster(b"c" * 32).id
    (credentials / CREDENTIAL).unlink()
    assert find_master(tmp_path, environment, may_create=True).id == LocalMaster(b"e" * 32).id
    assert not (tmp_path / FILE).exists()


def test_a_wrong_environment_variable_is_told_without_its_value(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=ENVIRONMENT) as caught:
        find_master(tmp_path, {ENVIRONMENT: "c2VjcmV0"}, may_create=True)
    assert "c2VjcmV0" not in str(caught.value)


def test_a_directory_that_cannot_hold_the_key_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be made"):
        find_master(tmp_path / "missing", {}, may_create=True)


def test_two_first_starts_at_once_end_up_with_one_key(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from anruflotse.records.vault.master import find_master; "
        "sys.stdin.readline(); print(find_master(Path(sys.argv[1]), {}, may_create=True).id)"
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
    assert ids == {find_master(tmp_path, {}, may_create=False).id}
    assert [entry.name for entry in tmp_path.iterdir()] == [FILE]


def test_the_key_must_have_its_length() -> None:
    with pytest.raises(ValueError, match="32"):
        LocalMaster(os.urandom(16))
