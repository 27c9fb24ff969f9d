"""Keys of the store that outlive a rotation of the master key: made once, kept wrapped in the key store."""

from __future__ import annotations

import secrets as randomness
import threading
from collections.abc import Callable

from sqlalchemy import select, update

from anruflotse.records.model import StoreError
from anruflotse.records.stores import tables
from anruflotse.records.stores.database import Database
from anruflotse.records.stores.tables import add_missing
from anruflotse.records.vault.keyring import Keyring, UnknownMasterError, Wrapped
from anruflotse.records.vault.master import KEY_BYTES

FINGERPRINT = "fingerprint"
"""The key of the hashes by which a number is found."""
OBJECTION = "objection"
"""The key of the hashes in the list of objections; another one, so that nothing leads from there to a record."""
AUDIT = "audit"
"""The seed of the Ed25519 key that signs the heads of the audit trail."""


_ATTEMPTS = 3


class Secrets:
    """The named keys in a key store, 32 bytes each. Thread-safe; each is unwrapped once and then kept in memory."""

    def __init__(self, database: Database, ring: Keyring) -> None:
        """Keep them in `database`, wrapped with a master key of `ring`."""
        self._database = database
        self._ring = ring
        self._known: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def get(self, name: str, make: Callable[[], bytes] | None = None) -> bytes:
        """The key called `name`; made with `make` when there is none yet. Raises `StoreError`."""
        with self._lock:
            if name not in self._known:
                self._known[name] = self._read(name, make or new_secret)
            return self._known[name]

    def masters(self) -> set[str]:
        """The master keys that these keys are wrapped with."""
        return masters_of_secrets(self._database)

    def move(self, master_id: str) -> int:
        """Wrap everything that is not under `master_id` with the current master key; how many that were.

        What somebody else has wrapped anew meanwhile is left alone. Raises `StoreError`.
        """
        with self._database.read() as connection:
            others = connection.execute(select(tables.secrets).where(tables.secrets.c.master != master_id)).all()
        moved = 0
        for row in others:
            key = self._ring.find(row.master).unwrap(row.wrapped, context(row.name))
            wrapped = self._ring.wrap(key, context(row.name))
            same = (tables.secrets.c.name == row.name) & (tables.secrets.c.wrapped == row.wrapped)
            with self._database.write() as connection:
                change = update(tables.secrets).where(same).values(wrapped=wrapped.data, master=wrapped.master)
                moved += connection.execute(change).rowcount
        return moved

    def _read(self, name: str, make: Callable[[], bytes]) -> bytes:
        for _ in range(_ATTEMPTS):
            wrapped = self._stored(name)
            if wrapped is None and (wrapped := self._made(name, make)) is None:
                continue
            try:
                return self._ring.find(wrapped.master).unwrap(wrapped.data, context(name))
            except UnknownMasterError:
                # A rotation may have wrapped it anew, and given the old master key up, since it was read.
                if self._stored(name) == wrapped:
                    raise
        message = "The master key was being rotated at the same time: try again."
        raise StoreError(message)

    def _stored(self, name: str) -> Wrapped | None:
        with self._database.read() as connection:
            row = connection.execute(select(tables.secrets).where(tables.secrets.c.name == name)).first()
        return None if row is None else Wrapped(row.wrapped, row.master)

    def _made(self, name: str, make: Callable[[], bytes]) -> Wrapped | None:
        """The new key as it is stored now; None when the master key was retired meanwhile."""
        wrapped = self._ring.wrap(make(), context(name))
        with self._database.write() as connection:
            # As in `KeyStore.add`: a rotation that retires the master key waits for this, or this for it.
            state = connection.execute(
                select(tables.masters.c.state).where(tables.masters.c.id == wrapped.master).with_for_update(read=True)
            ).scalar_one_or_none()
            if state == "retired":
                return None
            # Another process may have been faster: its key is the one that counts.
            add_missing(connection, tables.secrets, [{"name": name, "wrapped": wrapped.data, "master": wrapped.master}])
        return self._stored(name)


def masters_of_secrets(database: Database) -> set[str]:
    """The master keys that the named keys in `database` are wrapped with."""
    with database.read() as connection:
        return set(connection.execute(select(tables.secrets.c.master)).scalars())


def new_secret() -> bytes:
    """A fresh key."""
    return randomness.token_bytes(KEY_BYTES)


def context(name: str) -> bytes:
    """What the wrapped form of the key called `name` is bound to."""
    return f"anruflotse/1/secret/{name}".encode()
