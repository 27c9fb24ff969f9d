"""The journal of erasures as a file: appended to, fsynced, and readable as far as it is whole."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from anruflotse.records.model import DestroyReason, StoreError
from anruflotse.records.retention.journal import LIFTED, Entry, Journal

LINE = 83


def entries(number: int, first: int = 0) -> list[Entry]:
    reasons = [*DestroyReason, LIFTED]
    return [Entry(f"{one:032x}", 10**15 + one, reasons[one % len(reasons)]) for one in range(first, first + number)]


def read(path: Path) -> list[Entry]:
    return [entry for page in Journal(path).pages(7) for entry in page]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "erased.log"


def test_what_was_entered_is_read_in_its_order_from_a_private_file(path: Path) -> None:
    assert read(path) == []
    Journal(path).add([])
    assert not path.exists()
    Journal(path).add(entries(20))
    Journal(path).add(entries(5, first=20))
    assert read(path) == entries(25)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size == 25 * LINE
    assert Journal(path).damaged() == 0
    assert Journal(path).ids() == {bytes.fromhex(entry.id) for entry in entries(25) if entry.reason != LIFTED}


def test_it_is_on_the_disk_before_anybody_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    fsync = os.fsync

    def noted(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    Journal(path).add(entries(1))
    assert synced == [path.stat().st_ino, path.parent.stat().st_ino]
    Journal(path).add(entries(1))
    assert synced[2:] == [path.stat().st_ino]


@pytest.mark.parametrize("cut", range(1, LINE))
def test_a_line_cut_off_by_a_crash_costs_no_other_and_is_no_damage(path: Path, cut: int) -> None:
    Journal(path).add(entries(3))
    path.write_bytes(path.read_bytes()[:-cut])
    # Without the end of its line the last entry is whole.
    whole = entries(3) if cut == 1 else entries(2)
    assert read(path) == whole
    assert Journal(path).damaged() == 0
    Journal(path).add(entries(2, first=10))
    assert read(path) == whole + entries(2, first=10)
    assert Journal(path).damaged() == 0


@pytest.mark.parametrize("at", range(LINE))
def test_a_changed_byte_costs_its_own_line_only_and_is_told(path: Path, at: int) -> None:
    Journal(path).add(entries(4))
    data = bytearray(path.read_bytes())
    data[LINE + at] ^= 0x01
    path.write_bytes(data)
    last = at == LINE - 1
    assert read(path) == (entries(4) if last else [one for one in entries(4) if one.id != entries(4)[1].id])
    assert Journal(path).damaged() == (0 if last else 1)


@pytest.mark.parametrize("number", [788, 789, 790, 1600])
def test_entries_are_found_wherever_a_block_ends(path: Path, number: int) -> None:
    Journal(path).add(entries(number))
    path.write_bytes(b"x" * 40 + b"\n" + path.read_bytes())
    assert read(path) == entries(number)
    assert Journal(path).damaged() == 0


def test_a_file_full_of_nothing_is_damage_without_entries(path: Path) -> None:
    path.write_bytes(bytes(200_000))
    assert read(path) == []
    assert Journal(path).damaged() == 1


def test_several_writers_do_not_mix(path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda first: Journal(path).add(entries(20, first=first)), range(0, 200, 20)))
    assert sorted(read(path), key=lambda entry: entry.id) == entries(200)
    assert Journal(path).damaged() == 0


def test_a_file_open_to_others_is_closed_to_them(path: Path) -> None:
    path.touch(0o644)
    path.chmod(0o644)
    Journal(path).add(entries(1))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_cannot_be_written_or_read_is_told_with_a_remedy(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").touch()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="cannot be written"):
        Journal(path).add(entries(1))
    path.unlink()
    path.mkdir()
    with pytest.raises(StoreError, match="cannot be read"):
        read(path)


def test_a_write_that_the_disk_cut_off_is_told_and_costs_no_other(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Journal(path).add(entries(1))
    write = os.write
    with monkeypatch.context() as patch:

        def full(handle: int, data: bytes) -> int:
            patch.setattr(os, "write", refuse)
            return write(handle, data[:30])

        def refuse(*_: object) -> int:
            raise OSError(28, "No space left on device")

        patch.setattr(os, "write", full)
        with pytest.raises(StoreError, match="No space"):
            Journal(path).add(entries(1, first=1))
    Journal(path).add(entries(1, first=2))
    assert read(path) == [*entries(1), *entries(1, first=2)]
