"""Master keys that this process holds itself: from a file, a systemd credential or the environment."""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
import secrets
import threading
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Protocol

from anruflotse.records.model import StoreError
from anruflotse.records.vault.keyfile import LONGEST, KeyFile
from anruflotse.records.vault.keyring import Wrapped, unknown
from anruflotse.records.vault.master import KEY_BYTES, LocalMaster

ENVIRONMENT = "ANRUFLOTSE_MASTER_KEY"
CREDENTIAL = "anruflotse-master-key"
_TRIES = 5


class Source(Protocol):
    """Text with one or several keys in base64, the current one first, separated by new lines, blanks or commas."""

    @property
    def where(self) -> str:
        """How messages call it."""
        ...

    def mark(self) -> object:
        """Something that changes whenever the text does, cheaply."""
        ...

    def load(self) -> tuple[object, bytes]:
        """The text with its mark. Raises `StoreError` when it is missing or not safe."""
        ...


class Credential:
    """A systemd credential (`LoadCredential=`, `LoadCredentialEncrypted=`); systemd.exec(5)."""

    def __init__(self, path: Path) -> None:
        """Read it from `path`, below `$CREDENTIALS_DIRECTORY`."""
        self._path = path

    @property
    def where(self) -> str:
        """See `Source.where`."""
        return f"the systemd credential {CREDENTIAL}"

    def mark(self) -> object:
        """See `Source.mark`."""
        try:
            facts = self._path.stat()
        except OSError:
            return None
        return facts.st_ino, facts.st_mtime_ns, facts.st_size

    def load(self) -> tuple[object, bytes]:
        """See `Source.load`. systemd guards the directory (an ACL, which shows as group bits): no look at the mode."""
        mark = self.mark()
        try:
            with self._path.open("rb") as file:
                return mark, file.read(LONGEST)
        except OSError as error:
            message = f"The systemd credential {CREDENTIAL} cannot be read ({error.strerror}): check the unit."
            raise StoreError(message) from error


class Variable:
    """An environment variable."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Look for it in `environment`."""
        self._environment = environment

    @property
    def where(self) -> str:
        """See `Source.where`."""
        return f"the environment variable {ENVIRONMENT}"

    def mark(self) -> object:
        """See `Source.mark`."""
        return self._environment.get(ENVIRONMENT, "")

    def load(self) -> tuple[object, bytes]:
        """See `Source.load`."""
        text = self._environment.get(ENVIRONMENT, "")
        return text, text.encode(errors="replace")


class LocalKeyring:
    """The keys of one source, read again whenever it changes. Thread-safe."""

    def __init__(self, source: Source) -> None:
        """Read nothing yet."""
        self._source = source
        self._mark: object = None
        self._masters: tuple[LocalMaster, ...] = ()
        self._lock = threading.Lock()

    def wrap(self, key: bytes, context: bytes) -> Wrapped:
        """See `Keyring.wrap`."""
        master = self.current()
        return Wrapped(master.wrap(key, context), master.id)

    def current(self) -> LocalMaster:
        """See `Keyring.current`."""
        return self._fresh()[0]

    def find(self, master_id: str) -> LocalMaster:
        """See `Keyring.find`."""
        for master in self._fresh():
            if master.id == master_id:
                return master
        raise unknown(master_id)

    def check(self) -> str:
        """See `Keyring.check`."""
        return self.current().id

    def masters(self) -> dict[str, str]:
        """See `Keyring.masters`."""
        return {master.id: self._source.where for master in self._fresh()}

    def unfinished(self) -> bool:
        """See `Keyring.unfinished`; only where this ring makes new keys itself."""
        return False

    def renew(self) -> bool:
        """See `Keyring.renew`."""
        return False

    def forget(self, in_use: AbstractSet[str]) -> dict[str, str]:
        """See `Keyring.forget`."""
        return {
            master.id: f"remove this key from {self._source.where}"
            for master in self._fresh()[1:]
            if master.id not in in_use
        }

    def exclusive(self) -> contextlib.AbstractContextManager[None]:
        """See `Keyring.exclusive`; two at once do no harm, since no key is made here."""
        return contextlib.nullcontext()

    def _fresh(self) -> tuple[LocalMaster, ...]:
        with self._lock:
            if not self._masters or self._source.mark() != self._mark:
                self._mark, keys = self._keys()
                self._masters = tuple(LocalMaster(key) for key in keys)
            return self._masters

    def _keys(self) -> tuple[object, tuple[bytes, ...]]:
        for _ in range(_TRIES):
            mark, text = self._source.load()
            try:
                return mark, decoded(text, self._source.where)
            except StoreError:
                # Replaced (and overwritten) between opening and reading: read the new one.
                if self._source.mark() == mark:
                    raise
        message = f"The content of {self._source.where} keeps changing: end what changes it."
        raise StoreError(message)


class FileKeyring(LocalKeyring):
    """The keys of a key file, which this ring also makes and removes."""

    def __init__(self, file: KeyFile) -> None:
        """Read nothing yet."""
        super().__init__(file)
        self._file = file

    def unfinished(self) -> bool:
        """Whether the file holds more than one key."""
        return len(self._fresh()) > 1

    def renew(self) -> bool:
        """Put a new key in front."""
        self._file.replace([secrets.token_bytes(KEY_BYTES), *self._keys()[1]])
        return True

    def forget(self, in_use: AbstractSet[str]) -> dict[str, str]:
        """Remove the old keys that are not in use from the file."""
        first, *old = self._keys()[1]
        kept = [first, *(key for key in old if LocalMaster(key).id in in_use)]
        if len(kept) <= len(old):
            self._file.replace(kept)
        return {}

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """See `Keyring.exclusive`."""
        with self._file.exclusive():
            yield


def decoded(text: bytes, where: str) -> tuple[bytes, ...]:
    """The keys in `text`, each once. Raises `StoreError`, which says where, and never quotes it."""
    keys: dict[bytes, None] = {}
    for part in re.split(rb"[\s,]+", text.strip()):
        try:
            key = base64.b64decode(part, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            message = (
                f"What is in {where} is no master key: each must be {KEY_BYTES} random bytes in base64 "
                "(`openssl rand -base64 32`)."
            )
            raise StoreError(message)
        keys[key] = None
    return tuple(keys)
