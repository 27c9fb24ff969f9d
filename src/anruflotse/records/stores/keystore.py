"""The key store: wrapped data keys, when they die, what restricts them, and the hashes by which a number is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, not_, or_, select, update

from anruflotse.records.model import DestroyReason, StoreError
from anruflotse.records.restriction import Restriction
from anruflotse.records.stores.database import Database
from anruflotse.records.stores.tables import (
    Tombstone,
    add_missing,
    bury,
    due_page,
    is_due,
    is_held,
    key_probes,
    key_tombstones,
    keys,
    latest_time,
    masters,
    not_held,
    probe,
    set_back,
    tombstones_because,
    tombstones_of,
    tombstones_since,
)

Place = tuple[int, str]
"""Where a page through expiries has got to: expiry and id of the last one seen."""
START: Place = (-(2**62), "")
"""Before the first one."""


class RetiredMasterError(StoreError):
    """The master key a data key was wrapped with has been retired by a rotation meanwhile: wrap with the new one."""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A wrapped data key, the master key it is wrapped with, when it dies (microseconds) and what restricts it."""

    id: str
    wrapped: bytes = field(repr=False)
    master: str
    expires_at: int
    restriction: Restriction | None = None

    def due(self, now: int) -> bool:
        """Whether the key must not be used any more at `now`."""
        return self.expires_at <= now and not (self.restriction is not None and self.restriction.held)


class KeyStore:
    """What makes records readable. Every method is one transaction; those that change something have committed it."""

    def __init__(self, database: Database) -> None:
        """Work on `database`."""
        self.database = database

    def add(self, key: StoredKey, *, caller: str | None, now: int) -> None:
        """Commit a new key; it counts as half-written until `settle` has seen its row.

        Raises `RetiredMasterError` when its master key was retired meanwhile.
        """
        with self.database.write() as connection:
            if _state(connection, key.master) is None:
                add_missing(connection, masters, [{"id": key.master, "state": "active", "at": now}])
            # Looked at again: another process may have brought it in, and retired it, at this moment.
            if _state(connection, key.master) == "retired":
                message = "The master key was rotated at this moment: try again."
                raise RetiredMasterError(message)
            connection.execute(
                insert(keys).values(
                    id=key.id,
                    wrapped=key.wrapped,
                    master=key.master,
                    caller=caller,
                    created_at=now,
                    expires_at=key.expires_at,
                    pending=True,
                    held=False,
                )
            )

    def alive(self, ids: Sequence[str], now: int) -> dict[str, StoredKey]:
        """The keys among `ids` that exist and have not expired at `now`, or are held beyond their expiry."""
        found = select(keys).where(keys.c.id.in_(ids), or_(not_(is_due(keys, now)), is_held()))
        with self.database.read() as connection:
            return {row.id: _stored(row) for row in connection.execute(found)}

    def readable(self, ids: Sequence[str], now: int, *, restricted: bool) -> set[str]:
        """Which of `ids` have a key as `alive` tells; also `restricted` ones. For many: it fetches nothing else."""
        found = select(keys.c.id).where(keys.c.id.in_(ids), or_(not_(is_due(keys, now)), is_held()))
        if not restricted:
            found = found.where(keys.c.restriction.is_(None))
        with self.database.read() as connection:
            return set(connection.execute(found).scalars())

    def one(self, record_id: str) -> StoredKey | None:
        """The key of a record as it is stored now, expired or not."""
        with self.database.read() as connection:
            row = connection.execute(select(keys).where(keys.c.id == record_id)).first()
        return None if row is None else _stored(row)

    def existing(self, ids: Sequence[str]) -> set[str]:
        """Which of `ids` have a key, expired or not."""
        with self.database.read() as connection:
            return set(connection.execute(select(keys.c.id).where(keys.c.id.in_(ids))).scalars())

    def held(self, ids: Sequence[str]) -> set[str]:
        """Which of `ids` are held beyond their expiry."""
        with self.database.read() as connection:
            return set(connection.execute(select(keys.c.id).where(keys.c.id.in_(ids), is_held())).scalars())

    def all_held(self) -> set[str]:
        """The ids of the records that are held beyond their expiry."""
        with self.database.read() as connection:
            return set(connection.execute(select(keys.c.id).where(is_held())).scalars())

    def by_caller(self, fingerprint: str, now: int, *, restricted: bool = True) -> tuple[str, ...]:
        """The ids of the readable records of a number, by its keyed hash, oldest first; also `restricted` ones."""
        found = select(keys.c.id).where(keys.c.caller == fingerprint, or_(not_(is_due(keys, now)), is_held()))
        if not restricted:
            found = found.where(keys.c.restriction.is_(None))
        with self.database.read() as connection:
            return tuple(connection.execute(found.order_by(keys.c.created_at, keys.c.id)).scalars())

    def due(self, now: int, after: Place, limit: int) -> list[Place]:
        """A page of the expired keys that are not held, earliest expiry first, beyond `after`."""
        found = due_page(keys, now, after, limit, not_held())
        with self.database.read() as connection:
            return [(row.expires_at, row.id) for row in connection.execute(found)]

    def pending(self, before: int, after: str, limit: int) -> list[str]:
        """A page of the ids of keys made until `before` whose row no sweep has seen yet."""
        return self._page(keys.c.pending & (keys.c.created_at <= before), after, limit)

    def settled(self, after: str, limit: int) -> list[str]:
        """A page of the ids of keys whose row was seen once."""
        return self._page(not_(keys.c.pending), after, limit)

    def settle(self, ids: Sequence[str]) -> None:
        """Note that the rows of these keys are there."""
        # What another process has its hands on is left to it, lest two sweeps wait for each other.
        mine = select(keys.c.id).where(keys.c.id.in_(ids)).order_by(keys.c.id).with_for_update(skip_locked=True)
        with self.database.write() as connection:
            taken = list(connection.execute(mine).scalars())
            connection.execute(update(keys).where(keys.c.id.in_(taken)).values(pending=False))

    def destroy(
        self, ids: Sequence[str], reason: DestroyReason, now: int, *, unless_held: bool = False
    ) -> tuple[int, list[str]]:
        """Delete these keys, leaving tombstones; how many there were, and which of `ids` have no key now.

        Keys another process is destroying at this moment are left to it (PostgreSQL: `SKIP LOCKED`) and do not count as
        gone, for it has not committed yet. With `unless_held` nor do those that are held beyond their expiry.
        """
        with self.database.write() as connection:
            there = set(connection.execute(select(keys.c.id).where(keys.c.id.in_(ids))).scalars())
            mine = select(keys.c.id).where(keys.c.id.in_(ids)).order_by(keys.c.id).with_for_update(skip_locked=True)
            if unless_held:
                mine = mine.where(not_held())
            taken = list(connection.execute(mine).scalars())
            connection.execute(delete(keys).where(keys.c.id.in_(taken)))
            bury(connection, key_tombstones, taken, reason, now)
            left = there - set(taken)
            return len(taken), [one for one in ids if one not in left]

    def restrict(self, key: StoredKey, wrapped: bytes, restriction: Restriction | None) -> bool:
        """Replace what restricts `key`, with its key wrapped anew; False when it was changed or destroyed meanwhile."""
        columns: Mapping[str, object] = {
            "restriction": restriction.reason if restriction else None,
            "restricted_at": restriction.since if restriction else None,
            "held": restriction.held if restriction else False,
            "review_at": restriction.review_at if restriction else None,
        }
        return self._replace(key, wrapped, key.master, columns)

    def put_off(self, key: StoredKey, after: StoredKey) -> bool:
        """Replace the expiry of `key`, wrapped anew for that; False when it was changed or destroyed meanwhile.

        For cases only: a record's expiry is that of its recording.
        """
        return self._replace(key, after.wrapped, after.master, {"expires_at": after.expires_at})

    def rewrap(self, moved: Sequence[tuple[StoredKey, StoredKey]]) -> int:
        """Replace how keys are wrapped, each given before and after; how many were not changed or destroyed meanwhile.

        One transaction: give it few.
        """
        with self.database.write() as connection:
            return sum(
                connection.execute(
                    update(keys)
                    .where(keys.c.id == before.id, keys.c.wrapped == before.wrapped)
                    .values(wrapped=after.wrapped, master=after.master)
                ).rowcount
                for before, after in moved
            )

    def under_other_masters(self, master: str, after: str, limit: int) -> list[StoredKey]:
        """A page of the keys wrapped with another master key than `master`, in order, beyond `after`."""
        found = select(keys).where(keys.c.master != master, keys.c.id > after).order_by(keys.c.id).limit(limit)
        with self.database.read() as connection:
            return [_stored(row) for row in connection.execute(found)]

    def masters(self) -> dict[str, int]:
        """How many keys are wrapped with which master key, by its name."""
        found = select(keys.c.master, func.count().label("number")).group_by(keys.c.master)
        with self.database.read() as connection:
            return {row.master: row.number for row in connection.execute(found)}

    def retire(self, master: str, now: int) -> None:
        """From now on no key can be added under `master`."""
        with self.database.write() as connection:
            add_missing(connection, masters, [{"id": master, "state": "active", "at": now}])
            connection.execute(update(masters).where(masters.c.id == master).values(state="retired", at=now))

    def retired(self) -> set[str]:
        """The master keys that have been retired."""
        with self.database.read() as connection:
            return set(connection.execute(select(masters.c.id).where(masters.c.state == "retired")).scalars())

    def restricted(self, review_until: int | None = None) -> int:
        """How many records are restricted; with `review_until`, how many whose review is due by then."""
        condition: ColumnElement[bool] = keys.c.restriction.is_not(None)
        if review_until is not None:
            condition &= keys.c.review_at <= review_until
        with self.database.read() as connection:
            return connection.execute(select(func.count()).select_from(keys).where(condition)).scalar_one()

    def held_count(self, now: int) -> int:
        """How many records outlive their expiry at `now` because they are held."""
        condition = is_due(keys, now) & is_held()
        with self.database.read() as connection:
            return connection.execute(select(func.count()).select_from(keys).where(condition)).scalar_one()

    def destroyed(self) -> int:
        """How many keys were ever destroyed here."""
        with self.database.read() as connection:
            return connection.execute(select(func.count()).select_from(key_tombstones)).scalar_one()

    def tombstones(self, ids: Sequence[str]) -> dict[str, Tombstone]:
        """The tombstones of those of `ids` that were destroyed here."""
        with self.database.read() as connection:
            return tombstones_of(connection, key_tombstones, ids)

    def destroyed_because(self, reasons: Sequence[str], after: str, limit: int) -> list[Tombstone]:
        """A page of the tombstones with one of `reasons`, in the order of their ids, beyond `after`."""
        with self.database.read() as connection:
            return tombstones_because(connection, key_tombstones, reasons, after, limit)

    def destroyed_since(self, reasons: Sequence[str], after: Place, limit: int) -> list[Tombstone]:
        """A page of the tombstones with one of `reasons`, in the order of their time, beyond `after`."""
        with self.database.read() as connection:
            return tombstones_since(connection, key_tombstones, reasons, after, limit)

    def probe(self, now: int) -> None:
        """Write something, durably, and keep `now` if it is the latest. Raises `StoreError` when that fails."""
        with self.database.write() as connection:
            probe(connection, key_probes, now)

    def latest_time(self) -> int | None:
        """The latest time of any `probe`."""
        with self.database.read() as connection:
            return latest_time(connection, key_probes)

    def set_back(self, now: int, from_: int) -> None:
        """Give up a latest time of `from_` or later, knowingly, for the earlier `now`."""
        with self.database.write() as connection:
            set_back(connection, key_probes, now, from_)

    def _replace(self, key: StoredKey, wrapped: bytes, master: str, columns: Mapping[str, object]) -> bool:
        same = (keys.c.id == key.id) & (keys.c.wrapped == key.wrapped)
        with self.database.write() as connection:
            changed = connection.execute(update(keys).where(same).values(wrapped=wrapped, master=master, **columns))
            return bool(changed.rowcount)

    def _page(self, condition: ColumnElement[bool], after: str, limit: int) -> list[str]:
        found = select(keys.c.id).where(condition, keys.c.id > after).order_by(keys.c.id).limit(limit)
        with self.database.read() as connection:
            return list(connection.execute(found).scalars())


def _state(connection: Connection, master: str) -> str | None:
    """Whether a master key is in use, under a shared lock: a rotation that retires it waits for us, or we for it."""
    found = select(masters.c.state).where(masters.c.id == master).with_for_update(read=True)
    state: str | None = connection.execute(found).scalar_one_or_none()
    return state


def _stored(row: Row[tuple[object, ...]]) -> StoredKey:
    if row.restriction is None and not row.held:
        return StoredKey(row.id, row.wrapped, row.master, row.expires_at)
    try:
        restriction = Restriction(row.restriction, row.restricted_at, held=row.held, review_at=row.review_at)
    except (ValueError, TypeError):
        # No officer can have set that: somebody edited the database. The key opens nothing, and the others do not wait.
        return StoredKey(row.id, b"", row.master, row.expires_at)
    return StoredKey(row.id, row.wrapped, row.master, row.expires_at, restriction)
