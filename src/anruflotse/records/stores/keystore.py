"""The key store: wrapped data keys, when they die, and the hashes by which a number is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, delete, func, insert, not_, select, update

from anruflotse.records.model import DestroyReason
from anruflotse.records.stores.sqlite import Database
from anruflotse.records.stores.tables import bury, is_due, key_probes, key_tombstones, keys


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A wrapped key and when it dies (microseconds)."""

    id: str
    wrapped: bytes = field(repr=False)
    expires_at: int


class KeyStore:
    """What makes records readable. Every method is one transaction; those that change something have committed it."""

    def __init__(self, database: Database) -> None:
        """Work on `database`."""
        self._database = database

    def add(self, key: StoredKey, *, master: str, caller: str | None, now: int) -> None:
        """Commit a new key; it counts as half-written until `settle` has seen its row."""
        with self._database.write() as connection:
            connection.execute(
                insert(keys).values(
                    id=key.id,
                    wrapped=key.wrapped,
                    master=master,
                    caller=caller,
                    created_at=now,
                    expires_at=key.expires_at,
                    pending=True,
                )
            )

    def alive(self, ids: Sequence[str], now: int) -> dict[str, StoredKey]:
        """The keys among `ids` that exist and have not expired at `now`."""
        found = select(keys.c.id, keys.c.wrapped, keys.c.expires_at).where(keys.c.id.in_(ids), not_(is_due(keys, now)))
        with self._database.read() as connection:
            return {row.id: StoredKey(row.id, row.wrapped, row.expires_at) for row in connection.execute(found)}

    def existing(self, ids: Sequence[str]) -> set[str]:
        """Which of `ids` have a key, expired or not."""
        with self._database.read() as connection:
            return set(connection.execute(select(keys.c.id).where(keys.c.id.in_(ids))).scalars())

    def by_caller(self, fingerprint: str, now: int) -> tuple[str, ...]:
        """The ids of the unexpired records of a number, by its keyed hash, oldest first."""
        found = select(keys.c.id).where(keys.c.caller == fingerprint, not_(is_due(keys, now)))
        with self._database.read() as connection:
            return tuple(connection.execute(found.order_by(keys.c.created_at, keys.c.id)).scalars())

    def of_other_masters(self, master: str) -> int:
        """How many keys are wrapped under another master key than `master`."""
        with self._database.read() as connection:
            return connection.execute(
                select(func.count()).select_from(keys).where(keys.c.master != master)
            ).scalar_one()

    def due(self, now: int, after: str, limit: int) -> list[str]:
        """A page of the ids of expired keys: in order, those beyond `after`."""
        return self._page(is_due(keys, now), after, limit)

    def pending(self, before: int, after: str, limit: int) -> list[str]:
        """A page of the ids of keys made until `before` whose row no sweep has seen yet."""
        return self._page(keys.c.pending & (keys.c.created_at <= before), after, limit)

    def settled(self, after: str, limit: int) -> list[str]:
        """A page of the ids of keys whose row was seen once."""
        return self._page(not_(keys.c.pending), after, limit)

    def settle(self, ids: Sequence[str]) -> None:
        """Note that the rows of these keys are there."""
        with self._database.write() as connection:
            connection.execute(update(keys).where(keys.c.id.in_(ids)).values(pending=False))

    def destroy(self, ids: Sequence[str], reason: DestroyReason, now: int) -> int:
        """Delete these keys, leaving tombstones, and return how many there were."""
        with self._database.write() as connection:
            there = list(connection.execute(select(keys.c.id).where(keys.c.id.in_(ids))).scalars())
            connection.execute(delete(keys).where(keys.c.id.in_(there)))
            bury(connection, key_tombstones, there, reason, now)
            return len(there)

    def destroyed(self) -> int:
        """How many keys were ever destroyed here."""
        return self._database.content(key_tombstones) or 0

    def probe(self, now: int) -> None:
        """Write something, durably. Raises `StoreError` when that is not possible."""
        with self._database.write() as connection:
            connection.execute(delete(key_probes))
            connection.execute(insert(key_probes).values(id=1, at=now))

    def rewrite(self) -> None:
        """See `Database.rewrite`."""
        self._database.rewrite()

    def scrub(self) -> bool:
        """See `Database.scrub`."""
        return self._database.scrub()

    def _page(self, condition: ColumnElement[bool], after: str, limit: int) -> list[str]:
        found = select(keys.c.id).where(condition, keys.c.id > after).order_by(keys.c.id).limit(limit)
        with self._database.read() as connection:
            return list(connection.execute(found).scalars())
