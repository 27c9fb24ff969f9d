"""Archives: what is locked in comes out with the password, and in no other way."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, datetime

import pytest
import pyzipper

from anruflotse.rights import archive
from anruflotse.rights.archive import ArchiveError, packed, password, unpacked

AT = datetime(2026, 11, 24, 9, 30, 1, tzinfo=UTC)
FILES = {"auskunft.pdf": b"%PDF Krankengeld " * 100, "kopie.vcon": b"{}", "leer.txt": b""}


def test_what_is_locked_in_comes_out_again() -> None:
    made = packed(FILES, at=AT)
    assert unpacked(made.data, made.password) == FILES
    assert b"Krankengeld" not in made.data


def test_every_file_is_locked_with_aes_256_and_has_the_time_it_was_given() -> None:
    made = packed(FILES, at=AT)
    with pyzipper.AESZipFile(io.BytesIO(made.data)) as file:
        for entry in file.infolist():
            assert entry.wz_aes_strength == 3
            assert entry.wz_aes_version == 2
            assert entry.date_time == (2026, 11, 24, 9, 30, 0)
            with pytest.raises(RuntimeError):
                file.read(entry)


@pytest.mark.parametrize("wrong", ["", "bamu", "x" * 30])
def test_another_password_opens_nothing(wrong: str) -> None:
    made = packed(FILES, at=AT)
    with pytest.raises(ArchiveError):
        unpacked(made.data, wrong)
    assert unpacked(packed(FILES, at=AT, chosen="ein gutes Passwort").data, "ein gutes Passwort") == FILES


def test_damage_is_noticed() -> None:
    made = packed({"kopie.vcon": bytes(1000)}, at=AT)
    inside = range(made.data.index(b"kopie.vcon") + 21, made.data.index(b"PK\x01\x02"))  # behind the entry's header
    for place in range(len(made.data)):
        changed = bytearray(made.data)
        changed[place] ^= 1
        try:
            found = unpacked(bytes(changed), made.password)
        except ArchiveError:
            continue
        assert place not in inside
        # The list of contents is not locked, so a length there can be changed: what matters is signed besides.
        assert all(bytes(1000).startswith(content) for content in found.values())
    for data in (b"", b"PK", made.data[:-30], b"\x00" * 500):
        with pytest.raises(ArchiveError):
            unpacked(data, made.password)


def test_an_entry_whose_flag_says_that_it_is_open_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    made = packed({"kopie.vcon": bytes(1000)}, at=AT)
    changed = bytearray(made.data)
    changed[made.data.index(b"PK\x01\x02") + 8] ^= 1
    # Reading such an entry ends in an error of no kind that is expected, for one random key in a few hundred.
    monkeypatch.setattr(pyzipper.AESZipFile, "read", lambda *_: pytest.fail("it was read"))
    with pytest.raises(ArchiveError):
        unpacked(bytes(changed), made.password)


def test_what_was_never_locked_is_not_taken_for_an_archive() -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr("kopie.vcon", b"{}")
    with pytest.raises(ArchiveError):
        unpacked(held.getvalue(), "ein gutes Passwort")


@pytest.mark.parametrize(
    "name",
    ["", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "..", "a..b", ".geheim", "Müller.pdf", "a" * 81, "=1"],
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ArchiveError):
        packed({name: b""}, at=AT)


def test_an_archive_of_nothing_is_refused() -> None:
    with pytest.raises(ArchiveError):
        packed({}, at=AT)


@pytest.mark.parametrize("chosen", ["", "zu kurz", "größtenteils gut", "mit\tTabulator drin", "elf zeichen"])
def test_a_password_that_is_weak_or_typed_differently_elsewhere_is_refused(chosen: str) -> None:
    with pytest.raises(ArchiveError) as caught:
        packed(FILES, at=AT, chosen=chosen)
    assert not chosen or chosen not in str(caught.value)


def test_passwords_can_be_said_and_do_not_repeat() -> None:
    made = {password() for _ in range(500)}
    assert len(made) == 500
    syllable = f"[{archive._CONSONANTS}][{archive._VOWELS}]"
    assert all(re.fullmatch(rf"(?:(?:{syllable}){{2}}-){{5}}[0-9]{{4}}", one) for one in made)
    letters = "".join(made)
    assert set(letters) == set(archive._CONSONANTS) | set(archive._VOWELS) | set("0123456789-")


def test_an_archive_never_shows_its_password() -> None:
    made = packed(FILES, at=AT)
    assert made.password not in repr(made)
