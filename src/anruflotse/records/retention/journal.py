"""The journal of erasures: what must stay destroyed even if both stores are put back from the same old backup.

Expiry needs no journal: it is bound into the keys, and a key that comes back has expired all the same. An erasure, an
objection or an abandoned call leaves its traces in the two stores only, and an old copy of both does not have them. The
same holds for a hold that was lifted: an old copy would hold the record on.

One plain file for each machine beside the stores (with PostgreSQL it is the machine's own as well), 0600, append-only,
one line of fixed length for each entry: id, time, reason, checksum. An id is random and leads to nothing once the
record is gone. Lines are never dropped: a record that was held when the backup was made has no last day, so neither has
its erasure; and 83 bytes each are no burden.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from anruflotse.records.model import DestroyReason, StoreError

FILE = "erased.log"
LIFTED = "aufgehoben"
"""The reason in an entry about a hold that was lifted; all others are `DestroyReason`s."""
KEPT = (DestroyReason.ERASED, DestroyReason.OBJECTED, DestroyReason.ABANDONED)
"""What is entered. Expiry is bound into the keys, and of a half-written record no store has both halves."""

_ENTRY = re.compile(rb"([0-9a-f]{32}) ([0-9]{17}) ([a-z]{1,14}) {1,14}([0-9a-f]{16})")
_LENGTH = 82
"""Bytes of an entry without the end of its line."""
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Entry:
    """One record that must not come back, and when it was destroyed; or when the hold began that was lifted.

    Times in microseconds.
    """

    id: str
    at: int
    reason: str


class Journal:
    """The journal in one file. Processes that share the file may write at once."""

    def __init__(self, path: Path) -> None:
        """Touch nothing yet; without a file there are no entries."""
        self._path = path

    def add(self, entries: Iterable[Entry]) -> None:
        """Append `entries`, on the disk when this returns. Raises `StoreError`; then some of them may be missing."""
        lines = b"".join(_line(entry) for entry in entries)
        if not lines:
            return
        try:
            made = not self._path.exists()
            handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                if stat.S_IMODE(os.fstat(handle).st_mode) & 0o077:
                    os.fchmod(handle, 0o600)
                fcntl.flock(handle, fcntl.LOCK_EX)
                size = os.fstat(handle).st_size
                # What a crash or a full disk cut off stays as it is; what follows begins on a line of its own.
                if size and os.pread(handle, 1, size - 1) != b"\n":
                    lines = b"\n" + lines
                while lines:
                    lines = lines[os.write(handle, lines) :]
                os.fsync(handle)
            finally:
                os.close(handle)
            if made:
                _sync(self._path.parent)
        except OSError as error:
            message = (
                f"The journal of erasures {self._path} cannot be written ({error.strerror}): check owner, mode and "
                "disk. What was to be done is done, but an old backup could undo it until that is entered here."
            )
            raise StoreError(message) from None

    def pages(self, size: int = 500) -> Iterator[list[Entry]]:
        """The entries, oldest first, `size` at a time. Raises `StoreError`."""
        page: list[Entry] = []
        for entry in self._read(Damage()):
            page.append(entry)
            if len(page) >= size:
                yield page
                page = []
        if page:
            yield page

    def ids(self) -> set[bytes]:
        """The ids of all entries about destroyed records, 16 bytes each. Raises `StoreError`."""
        return {bytes.fromhex(entry.id) for entry in self._read(Damage()) if entry.reason != LIFTED}

    def damaged(self) -> int:
        """How many places are damaged, each of which may have been an entry. Raises `StoreError`.

        What is shorter than an entry was cut off while it was written, and nobody was told that it was done.
        """
        damage = Damage()
        for _ in self._read(damage):
            pass
        return damage.places

    def _read(self, damage: Damage) -> Iterator[Entry]:
        """Every entry that is whole, wherever it lies: a damaged end of line must not cost the line after it."""
        try:
            with self._path.open("rb") as file:
                rest = b""
                while block := file.read(_BLOCK):
                    rest += block
                    end = 0
                    for match in _ENTRY.finditer(rest):
                        if _checksum(rest[match.start() : match.start(4)]) == match[4]:
                            damage.gap(rest[end : match.start()], ended=True)
                            end = match.end()
                            yield Entry(match[1].decode(), int(match[2]), match[3].decode())
                    # An entry may go on in the next block.
                    keep = max(end, len(rest) - _LENGTH)
                    damage.gap(rest[end:keep], ended=False)
                    rest = rest[keep:]
                damage.gap(rest, ended=True)
        except FileNotFoundError:
            return
        except OSError as error:
            message = (
                f"The journal of erasures {self._path} cannot be read ({error.strerror}): it says what must not come "
                "back from a backup, so nothing is opened without it. Check owner, mode and disk."
            )
            raise StoreError(message) from None


class Damage:
    """Counts the stretches between entries that were entries once."""

    def __init__(self) -> None:
        """Nothing found yet."""
        self.places = 0
        self._length = 0

    def gap(self, data: bytes, *, ended: bool) -> None:
        """Take note of bytes that belong to no entry; `ended` when an entry or the end of the file follows."""
        self._length += len(data.strip(b"\n"))
        if ended:
            self.places += self._length >= _LENGTH
            self._length = 0


def _line(entry: Entry) -> bytes:
    told = f"{entry.id} {entry.at:017d} {entry.reason:<14} ".encode()
    return told + _checksum(told) + b"\n"


def _checksum(told: bytes) -> bytes:
    """Against damage, not against malice: who can write here can delete the stores as well."""
    return hashlib.sha256(told).hexdigest()[:16].encode()


def _sync(directory: Path) -> None:
    """Make a new name durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
