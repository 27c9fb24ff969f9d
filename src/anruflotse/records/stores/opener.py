"""Where the stores lie, and how they are opened: private, together, and never in place of lost ones.

- `DIRECTORY/records.sqlite`, or a PostgreSQL database: rows, sealed; may go into a backup
- `DIRECTORY/keys/keys.sqlite`, or a second PostgreSQL database: wrapped data keys; keep out of backups
- `DIRECTORY/keys/master.key`: the master key, unless it comes from elsewhere; keep out of backups
- `DIRECTORY/erased.log`: the journal of erasures (see `retention.journal`); keep it when stores are put back
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
from anruflotse.records.retention import journal
from anruflotse.records.retention.journal import Journal
from anruflotse.records.retention.sweeping import Sweeper
from anruflotse.records.stores.casestore import CaseStore
from anruflotse.records.stores.database import Database
from anruflotse.records.stores.keystore import KeyStore
from anruflotse.records.stores.objections import Objections
from anruflotse.records.stores.postgres import PostgresDatabase, parsed
from anruflotse.records.stores.rowstore import RowStore
from anruflotse.records.stores.sqlite import SqliteDatabase
from anruflotse.records.stores.tables import cases, keys, objections, records, secrets
from anruflotse.records.vault.envelope import Vault
from anruflotse.records.vault.keyring import Keyring, fitting
from anruflotse.records.vault.master import LocalMaster
from anruflotse.records.vault.secrets import FINGERPRINT, Secrets, masters_of_secrets, new_secret
from anruflotse.records.vault.sources import keyring

ROWS_FILE = "records.sqlite"
KEYS_DIRECTORY = "keys"
KEYS_FILE = "keys.sqlite"


@dataclass(frozen=True, slots=True)
class Stores:
    """What lies in the two stores, open, the sweeper over them and the trail. None of it needs the master key."""

    keys: KeyStore
    rows: RowStore
    cases: CaseStore
    objections: Objections
    sweeper: Sweeper
    trail: Trail


class Opener:
    """Opens the stores at first use and again whenever they were lost or replaced under way. Thread-safe."""

    def __init__(
        self,
        directory: Path,
        *,
        environment: Mapping[str, str],
        ring: Keyring | None,
        busy_seconds: float,
        rows_url: str | None = None,
        keys_url: str | None = None,
    ) -> None:
        """Touch nothing yet. `ring` replaces the look-up of a local master key (see `vault.sources`).

        With both URLs the stores are PostgreSQL databases. Raises `StoreError` for one URL alone, for twice the same
        database, and for what is no PostgreSQL URL.
        """
        self._directory = directory
        self._keys_directory = directory / KEYS_DIRECTORY
        self._environment = environment
        self._ring = ring
        files = (
            SqliteDatabase("key store", self._keys_directory / KEYS_FILE, keys, records.name, busy_seconds),
            SqliteDatabase("record store", directory / ROWS_FILE, records, keys.name, busy_seconds, also=(cases,)),
        )
        self._key_database: Database
        self._row_database: Database
        self._files: tuple[SqliteDatabase, ...] = ()
        if rows_url is None and keys_url is None:
            self._key_database, self._row_database = files
        else:
            rows_url, keys_url = _different(rows_url, keys_url)
            self._key_database = PostgresDatabase(
                "key store",
                keys_url,
                keys,
                records.name,
                busy_seconds,
                rewritten=(keys.name, secrets.name, objections.name),
            )
            self._row_database = PostgresDatabase(
                "record store", rows_url, records, keys.name, busy_seconds, also=(cases,)
            )
            self._files = files
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
                listed = Objections(self._key_database)
                sweeper = Sweeper(keys_, rows, Journal(self._directory / journal.FILE), listed)
                # Before the first read: the stores may have been put back from a backup.
                sweeper.replay()
                trail = Trail(self._row_database, self._key_database, lambda: self.vault().signing_key())
                self._stores = Stores(keys_, rows, CaseStore(self._row_database), listed, sweeper, trail)
            return self._stores

    def vault(self) -> Vault:
        """The vault under this machine's master key, which is made at the first start.

        Raises `StoreError` when the key is missing, unsafe, or not the one the stored keys are wrapped with.
        """
        with self._lock:
            stores = self.stores()
            if self._vault is None:
                ring = self._ring or self._local_ring(stores)
                secrets = Secrets(self._key_database, ring)
                used = fitting(ring, lambda: {*stores.keys.masters(), *secrets.masters()})
                # Numbers stored before the store had a key of its own for them were hashed with their master key's.
                old = next((master.fingerprint_key for master in used if isinstance(master, LocalMaster)), None)
                # Opened now, so that a ring with the right names and the wrong keys is told before anything else is.
                secrets.get(FINGERPRINT, lambda: old or new_secret())
                self._vault = Vault(ring, secrets, stores.keys)
            return self._vault

    def room(self) -> bool:
        """Whether there is disk space left for another record."""
        return self._key_database.room() and self._row_database.room()

    def exposures(self) -> tuple[str, ...]:
        """What about the databases' set-up keeps copies of what it should not; see `Database.exposures`."""
        with self._lock:
            self.stores()
            return (*self._key_database.exposures(), *self._row_database.exposures())

    def close(self) -> None:
        """Close the files, or the connections."""
        with self._lock:
            self._stores = self._vault = None
            self._key_database.close()
            self._row_database.close()

    def _local_ring(self, stores: Stores) -> Keyring:
        in_use = {*stores.keys.masters(), *masters_of_secrets(self._key_database)}
        return keyring(self._keys_directory, self._environment, may_create=not in_use)

    def _open(self) -> None:
        _make_private(self._directory)
        _make_private(self._keys_directory)
        with _alone(self._directory), self._key_database.alone():
            self._refuse_left_files()
            stored_keys, stored_rows = self._key_database.records(), self._row_database.records()
            # A store that is merely away (not mounted, moved) must not be replaced by an empty one: a sweep would then
            # take everything in the other one for half-written.
            if stored_keys is None and stored_rows:
                message = (
                    f"The key store {self._key_database.place} is missing, but there are records: put it back. "
                    "If it is lost for good, so are the records: remove the record store as well."
                )
                raise StoreError(message)
            if stored_rows is None and stored_keys:
                message = (
                    f"The record store {self._row_database.place} is missing, but there are keys: put it back, or "
                    "remove the key store as well to begin anew."
                )
                raise StoreError(message)
            for database in (self._key_database, self._row_database):
                database.prepare()

    def _refuse_left_files(self) -> None:
        """Records in files that nobody sweeps any more would outlive their time."""
        for file in self._files:
            if file.records():
                message = (
                    f"The store was moved to PostgreSQL, but there are still records in {file.place}: unset "
                    "records.rows and records.keys until they have ended, then remove that file."
                )
                raise StoreError(message)
            file.close()


def _different(rows_url: str | None, keys_url: str | None) -> tuple[str, str]:
    """Both URLs, if they name two databases."""
    if rows_url is None or keys_url is None:
        message = "Records in PostgreSQL need two databases: set both records.rows and records.keys."
        raise StoreError(message)
    rows, keys_ = parsed("record store", rows_url), parsed("key store", keys_url)
    if (rows.host, rows.port or 5432, rows.database) == (keys_.host, keys_.port or 5432, keys_.database):
        message = (
            "The record store and the key store need a database each, on two servers if you can: a backup of the one "
            "must not hold the other."
        )
        raise StoreError(message)
    return rows_url, keys_url


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
