"""Where the stores lie in a directory, and how they are opened: private, together, and never in place of lost ones.

- `DIRECTORY/records.sqlite`: rows, sealed; may go into a backup
- `DIRECTORY/keys/keys.sqlite`: wrapped data keys; keep out of backups
- `DIRECTORY/keys/master.key`: the master key, unless it comes from elsewhere; keep out of backups
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from anruflotse.records.audit.trail import Trail
from anruflotse.records.model import StoreError
from anruflotse.records.stores.database import Database
from anruflotse.records.stores.keystore import KeyStore
from anruflotse.records.stores.rowstore import RowStore
from anruflotse.records.stores.sqlite import SqliteDatabase
from anruflotse.records.stores.tables import keys, records
from anruflotse.records.sweeping import Sweeper
from anruflotse.records.vault.envelope import Vault
from anruflotse.records.vault.keyring import Keyring, SingleKeyring
from anruflotse.records.vault.master import LocalMaster, find_master
from anruflotse.records.vault.secrets import FINGERPRINT, Secrets

ROWS_FILE = "records.sqlite"
KEYS_DIRECTORY = "keys"
KEYS_FILE = "keys.sqlite"


@dataclass(frozen=True, slots=True)
class Stores:
    """The two stores, open, the sweeper over them and the trail. None of it needs the master key."""

    keys: KeyStore
    rows: RowStore
    sweeper: Sweeper
    trail: Trail


class Opener:
    """Opens the stores at first use and again whenever they were lost or replaced under way. Thread-safe."""

    def __init__(
        self, directory: Path, *, environment: Mapping[str, str], ring: Keyring | None, busy_seconds: float
    ) -> None:
        """Touch nothing yet. `ring` replaces the look-up of a local master key (see `find_master`)."""
        self._directory = directory
        self._keys_directory = directory / KEYS_DIRECTORY
        self._environment = environment
        self._ring = ring
        self._key_database: Database = SqliteDatabase("key store", self._keys_directory / KEYS_FILE, keys, busy_seconds)
        self._row_database: Database = SqliteDatabase("record store", directory / ROWS_FILE, records, busy_seconds)
        self._lock = threading.RLock()
        self._stores: Stores | None = None
        self._vault: Vault | None = None

    def stores(self) -> Stores:
        """The stores, made at the first start. Raises `StoreError`, in particular when one of them is gone."""
        with self._lock:
            # Both are asked: each lets go of its connections when its file has gone.
            in_place = [self._key_database.in_place(), self._row_database.in_place()]
            if self._stores is None or not all(in_place):
                self._stores = self._vault = None
                self._open()
                keys_, rows = KeyStore(self._key_database), RowStore(self._row_database)
                self._stores = Stores(keys_, rows, Sweeper(keys_, rows), Trail(self._row_database))
            return self._stores

    def vault(self) -> Vault:
        """The vault under this machine's master key, which is made at the first start.

        Raises `StoreError` when the key is missing, unsafe, or not the one the stored keys are wrapped with.
        """
        with self._lock:
            stores = self.stores()
            if self._vault is None:
                ring = self._ring or self._local_ring()
                secrets = Secrets(self._key_database, ring)
                for master in stores.keys.masters():
                    ring.find(master)
                current = ring.current()
                if self._key_database.records() and isinstance(current, LocalMaster):
                    # Numbers stored before the store had a key of its own for them were hashed with this one.
                    secrets.get(FINGERPRINT, lambda: current.fingerprint_key)
                self._vault = Vault(ring, secrets)
            return self._vault

    def room(self) -> bool:
        """Whether there is disk space left for another record."""
        return self._key_database.room() and self._row_database.room()

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            self._stores = self._vault = None
            self._key_database.close()
            self._row_database.close()

    def _local_ring(self) -> Keyring:
        may_create = not self._key_database.records()
        return SingleKeyring(find_master(self._keys_directory, self._environment, may_create=may_create))

    def _open(self) -> None:
        _make_private(self._directory)
        _make_private(self._keys_directory)
        with _alone(self._directory):
            stored_keys, stored_rows = self._key_database.records(), self._row_database.records()
            # A store that is merely away (not mounted, moved) must not be replaced by an empty one: a sweep would then
            # take everything in the other one for half-written.
            if stored_keys is None and stored_rows:
                message = (
                    f"The key store {self._keys_directory / KEYS_FILE} is missing, but there are records: put it back. "
                    "If it is lost for good, so are the records: remove the record store as well."
                )
                raise StoreError(message)
            if stored_rows is None and stored_keys:
                message = (
                    f"The record store {self._directory / ROWS_FILE} is missing, but there are keys: put it back, or "
                    "remove the key store as well to begin anew."
                )
                raise StoreError(message)
            for database in (self._key_database, self._row_database):
                database.prepare()


def _make_private(directory: Path) -> None:
    """Make a directory that only its owner can enter."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if directory.stat().st_mode & 0o077:
            directory.chmod(0o700)
    except OSError as error:
        message = f"The directory {directory} cannot be made private ({error.strerror}): check its owner and the disk."
        raise StoreError(message) from error


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Keep other processes from opening the stores in this directory at the same moment."""
    try:
        handle = os.open(directory, os.O_RDONLY)
    except OSError as error:
        message = f"The directory {directory} cannot be opened ({error.strerror}): check its owner and the disk."
        raise StoreError(message) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
