"""Files in an archive that opens with a password only, for the way to the person: AES-256 in a ZIP (WinZip AE-2).

7-Zip, WinZip, Keka and the archive tools of Linux open it; what Windows itself brings along opens older, broken
encryption only. The names of the files can be read without the password, and so must not tell anything.
"""

from __future__ import annotations

import io
import re
import secrets
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pyzipper

SHORTEST = 12
"""Characters of a password that somebody chooses."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_CONSONANTS = "bdfgklmnprst"
"""Told apart over the telephone, and said alike by everybody: without c/k/z, v/f/w, h, j, q, x, y."""
_VOWELS = "aeiou"
_GROUPS = 5
_DIGITS = 4


_DAMAGED = (
    *(zipfile.BadZipFile, pyzipper.BadZipFile, zlib.error, struct.error),
    *(RuntimeError, EOFError, ValueError, LookupError, OSError),
)
"""What reading a damaged archive may end in."""


class ArchiveError(ValueError):
    """The archive cannot be made, or not be opened; the message says why and holds neither password nor content."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A locked archive, and what opens it: never send both the same way."""

    data: bytes = field(repr=False)
    password: str = field(repr=False)


def password() -> str:
    """A password to be said over the telephone, as in `bamu-keri-doga-nuli-tefo-4826`: 72 bits from the system.

    Five groups of two syllables (of 12 consonants and 5 vowels) and four digits: log2(60 ** 10 * 10 ** 4).
    """
    groups = ["".join(secrets.choice(_CONSONANTS) + secrets.choice(_VOWELS) for _ in range(2)) for _ in range(_GROUPS)]
    digits = "".join(str(secrets.randbelow(10)) for _ in range(_DIGITS))
    return "-".join([*groups, digits])


def packed(files: Mapping[str, bytes], *, at: datetime, chosen: str | None = None) -> Archive:
    """`files` by name, locked with `chosen` or a password of its own; `at` is the time the archive gives for all.

    Everything happens in memory. Raises `ArchiveError` without files, for a name that is none (`[a-z0-9._-]`, 80 at
    most, so that it cannot lead out of a folder), and for a password that is too short or not typed alike everywhere.
    """
    if not files:
        message = "An archive needs at least one file."
        raise ArchiveError(message)
    for name in files:
        if not _NAME.fullmatch(name) or ".." in name:
            message = "A file of an archive has a name of a-z, 0-9, '.', '_' and '-', 80 characters at most."
            raise ArchiveError(message)
    opens = password() if chosen is None else _checked(chosen)
    held = io.BytesIO()
    with pyzipper.AESZipFile(held, "w", compression=zipfile.ZIP_DEFLATED, encryption=pyzipper.WZ_AES) as file:
        file.setpassword(opens.encode())
        for name, data in files.items():
            entry = file.zipinfo_cls(name, at.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(entry, data)
    return Archive(held.getvalue(), opens)


def unpacked(data: bytes, opens: str) -> dict[str, bytes]:
    """The files of an archive by name. Raises `ArchiveError` for a wrong password, damage, or anything not locked."""
    message = "The archive cannot be opened: the password is another one, or it is damaged."
    try:
        with pyzipper.AESZipFile(io.BytesIO(data)) as file:
            # By both marks: pyzipper trips over an entry whose flag says that it is not encrypted.
            if not all(entry.wz_aes_strength == 3 and entry.flag_bits & 1 for entry in file.infolist()):  # noqa: PLR2004
                raise ArchiveError(message)
            file.setpassword(opens.encode())
            return {name: file.read(name) for name in file.namelist()}
    except _DAMAGED:
        raise ArchiveError(message) from None


def _checked(chosen: str) -> str:
    if len(chosen) < SHORTEST or not chosen.isascii() or not chosen.isprintable():
        message = f"A password has {SHORTEST} characters or more, of those on every keyboard (no umlauts)."
        raise ArchiveError(message)
    return chosen
