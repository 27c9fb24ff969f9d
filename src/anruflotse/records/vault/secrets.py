"""Keys of the store that outlive a rotation of the master key: made once, kept wrapped in the key store."""

from __future__ import annotations

import secrets as randomness
import threading
from collections.abc import Callable

from sqlalchemy import select

from anruflotse.records.stores import tables
from anruflotse.records.stores.database import Database
from anruflotse.records.stores.tables import add_missing
from anruflotse.records.vault.keyring import Keyring
from anruflotse.records.vault.master import KEY_BYTES

FINGERPRINT = "fingerprint"
"""The key of the hashes by which a number is found."""
AUDIT = "audit"
"""The seed of the Ed25519 key that signs the heads of the audit trail."""


class Secrets:
    """The named keys in a key store, 32 bytes each. Thread-safe; each is unwrapped once and then kept in memory."""

    def __init__(self, database: Database, ring: Keyring) -> None:
        """Keep them in `database`, wrapped with a master key of `ring`."""
        self._database = database
        self._ring = ring
        self._known: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def get(self, name: str, make: Callable[[], bytes] = lambda: randomness.token_bytes(KEY_BYTES)) -> bytes:
        """The key called `name`; made with `make` when there is none yet. Raises `StoreError`."""
        with self._lock:
            if name not in self._known:
                self._known[name] = self._read(name, make)
            return self._known[name]

    def _read(self, name: str, make: Callable[[], bytes]) -> bytes:
        found = select(tables.secrets).where(tables.secrets.c.name == name)
        with self._database.read() as connection:
            row = connection.execute(found).first()
        if row is None:
            master = self._ring.current()
            wrapped = master.wrap(make(), context(name))
            with self._database.write() as connection:
                # Another process may have been faster: its key is the one that counts.
                add_missing(connection, tables.secrets, [{"name": name, "wrapped": wrapped, "master": master.id}])
                row = connection.execute(found).one()
        return self._ring.find(row.master).unwrap(row.wrapped, context(name))


def context(name: str) -> bytes:
    """What the wrapped form of the key called `name` is bound to."""
    return f"anruflotse/1/secret/{name}".encode()
