"""The master keys in a file: private, made whole or not at all, and overwritten where they are no longer needed."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from anruflotse.records.model import StoreError
from anruflotse.records.vault.master import KEY_BYTES

FILE = "master.key"
LONGEST = 64 * 1024
"""Bytes read of a source of keys: more than a thousand keys."""


class KeyFile:
    """A file with one key a line in base64, the current one first; only its owner may read it."""

    def __init__(self, path: Path, *, may_create: bool) -> None:
        """Touch nothing yet; a missing file is made at the first reading if it `may_create` one."""
        self._path = path
        self._may_create = may_create

    @property
    def where(self) -> str:
        """How messages call it."""
        return f"the master key file {self._path}"

    def mark(self) -> object:
        """Something that changes whenever the file does; costs one stat(2)."""
        try:
            return _mark(self._path.stat(follow_symlinks=False))
        except OSError:
            return None

    def load(self) -> tuple[object, bytes]:
        """The file's content with its mark. Raises `StoreError` when it is missing, not private or not readable."""
        if not self._path.is_symlink() and not self._path.exists():
            if not self._may_create:
                message = (
                    f"The master key {self._path} is missing, but there are records sealed with it: put it back, or "
                    "provide it as systemd credential or environment variable."
                )
                raise StoreError(message)
            self._create()
        # From now on there may be something sealed with it.
        self._may_create = False
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError as error:
            message = (
                f"The master key {self._path} cannot be read ({error.strerror}): it must be a plain file of this user."
            )
            raise StoreError(message) from error
        try:
            facts = os.fstat(handle)
            self._refuse_unsafe(facts)
            return _mark(facts), os.read(handle, LONGEST)
        finally:
            os.close(handle)

    def replace(self, keys: Sequence[bytes]) -> None:
        """Put these keys in place of what is there, durably; what was there is overwritten with zeros.

        Killed at any point it leaves the old file or the new one. Call it within `exclusive` only.
        """
        self._remove_drafts()
        try:
            draft = self._draft(keys)
            old = os.open(self._path, os.O_WRONLY | os.O_NOFOLLOW)
            try:
                draft.replace(self._path)
                _sync_directory(self._path.parent)
                _overwrite(old)
            finally:
                os.close(old)
        except OSError as error:
            raise self._cannot_be_made(error) from error

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other rotations out; a lock that a killed process held is free again. Raises `StoreError`."""
        try:
            handle = os.open(self._path.parent, os.O_RDONLY)
        except OSError as error:
            message = f"The directory of the master key {self._path} cannot be opened ({error.strerror})."
            raise StoreError(message) from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                message = "Another rotation of the master key is under way: wait until it has ended."
                raise StoreError(message) from None
            yield
        finally:
            os.close(handle)

    def _create(self) -> None:
        """Make the file with one key; a second process at that moment finds no file or a full one."""
        try:
            draft = self._draft([secrets.token_bytes(KEY_BYTES)])
            try:
                # link(2) refuses an existing name, which rename would overwrite.
                os.link(draft, self._path)
            except FileExistsError:
                return
            finally:
                draft.unlink()
            _sync_directory(self._path.parent)
        except OSError as error:
            raise self._cannot_be_made(error) from error

    def _draft(self, keys: Sequence[bytes]) -> Path:
        """A new private file beside the right one, durable."""
        draft = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            os.fchmod(handle, 0o600)
            os.write(handle, b"".join(base64.b64encode(key) + b"\n" for key in keys))
            os.fsync(handle)
        finally:
            os.close(handle)
        return draft

    def _remove_drafts(self) -> None:
        """Remove what a killed rotation left: it holds keys."""
        for draft in self._path.parent.glob(f".{self._path.name}.*"):
            with contextlib.suppress(OSError):
                handle = os.open(draft, os.O_WRONLY | os.O_NOFOLLOW)
                try:
                    _overwrite(handle)
                finally:
                    os.close(handle)
                draft.unlink()

    def _refuse_unsafe(self, facts: os.stat_result) -> None:
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid not in {os.geteuid(), 0}:
            message = f"The master key {self._path} must be a plain file owned by the user that runs anruflotse."
            raise StoreError(message)
        if facts.st_mode & 0o077:
            message = (
                f"The master key {self._path} is open to others: run `chmod 600 {self._path}`, and "
                "`anruflotse keys rotate` if anybody may have read it."
            )
            raise StoreError(message)

    def _cannot_be_made(self, error: OSError) -> StoreError:
        return StoreError(
            f"The master key {self._path} cannot be made ({error.strerror}): check the disk and the directory's owner."
        )


def _mark(facts: os.stat_result) -> object:
    # The change time as well: an inode number may come back, and a mode may change alone.
    return facts.st_dev, facts.st_ino, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_mode


def _overwrite(handle: int) -> None:
    os.pwrite(handle, bytes(os.fstat(handle).st_size), 0)
    os.fsync(handle)


def _sync_directory(directory: Path) -> None:
    """Make a new name durable: a key must not vanish in a power cut after records were sealed with it."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
