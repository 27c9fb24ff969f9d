"""The row store: sealed contents with what is needed to find and expire them, and counters."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    Select,
    String,
    and_,
    delete,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    tuple_,
    update,
)

from anruflotse.records.model import Counter, DestroyReason, StoreError
from anruflotse.records.stores.database import Database
from anruflotse.records.stores.keystore import Place
from anruflotse.records.stores.tables import (
    Tombstone,
    add_missing,
    attachments,
    bury,
    cases,
    contents,
    corrections,
    counters,
    due_page,
    is_due,
    latest_time,
    probe,
    records,
    row_probes,
    row_tombstones,
    set_back,
    tombstones_because,
    tombstones_of,
    tombstones_since,
)
from anruflotse.records.times import FAR

_WHOLES: Final = (
    (records, (contents.c.record_id, corrections.c.record_id)),
    (cases, (attachments.c.case_id,)),
)
"""What is destroyed as a whole, with the columns by which its parts belong to it."""
_PAGE: Final = 500
"""Contents fetched at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRow:
    """A record without its contents; times in microseconds."""

    id: str
    reference: str
    started_at: int
    recorded_at: int
    expires_at: int
    legal_basis: str
    purpose: str
    format: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many records there are, and when the next one expires (microseconds)."""

    alive: int
    next_expiry: int | None
    overdue: int
    overlong: int
    deleted: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """A row with the contents that were asked for, still sealed; `parts` names all it has, None where nobody looked."""

    row: StoredRow
    contents: Mapping[str, bytes] = field(repr=False)
    parts: frozenset[str] | None = None
    corrections: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    """By their number, from 1."""


class RowStore:
    """What is useless without the key store. Every method is one transaction; changes have been committed."""

    def __init__(self, database: Database) -> None:
        """Work on `database`."""
        self.database = database

    def add(self, row: StoredRow, sealed: Mapping[str, bytes]) -> None:
        """Commit a record. Raises `StoreError` when a sweep has given it up meanwhile."""
        with self.database.write() as connection:
            if connection.execute(select(row_tombstones.c.id).where(row_tombstones.c.id == row.id)).first():
                message = "The record took too long to be written and was given up: it is not stored."
                raise StoreError(message)
            connection.execute(insert(records).values({name: getattr(row, name) for name in StoredRow.__slots__}))
            connection.execute(
                insert(contents),
                [{"record_id": row.id, "field": name, "sealed": value} for name, value in sealed.items()],
            )

    def get(self, record_id: str, fields: Sequence[str]) -> Sealed | None:
        """One record with the named contents, expired or not; those it lacks are left out."""
        wanted = select(contents.c.field, contents.c.sealed).where(
            contents.c.record_id == record_id, contents.c.field.in_(fields)
        )
        parts = select(contents.c.field).where(contents.c.record_id == record_id)
        corrected = select(corrections).where(corrections.c.record_id == record_id).order_by(corrections.c.number)
        with self.database.read() as connection:
            # The row last: if it is there, nobody has destroyed its parts between these looks.
            sealed = {found.field: found.sealed for found in connection.execute(wanted)}
            names = frozenset(connection.execute(parts).scalars())
            corrected_by = {found.number: found.sealed for found in connection.execute(corrected)}
            row = connection.execute(select(records).where(records.c.id == record_id)).first()
            return None if row is None else Sealed(_row(row), sealed, names, corrected_by)

    def correct(self, record_id: str, number: int, sealed: bytes) -> bool:
        """Commit the correction of this number; False when somebody was faster, or the record has ended."""
        row = {"record_id": record_id, "number": number, "sealed": sealed}
        there = select(corrections.c.number).where(corrections.c.record_id == record_id, corrections.c.number == number)
        with self.database.write() as connection:
            # Locked, so that nobody destroys it meanwhile or adds the same number.
            mine = select(records.c.id).where(records.c.id == record_id).with_for_update()
            if connection.execute(mine).first() is None or connection.execute(there).first() is not None:
                return False
            connection.execute(insert(corrections).values(row))
            return True

    def window(self, start: int, end: int, now: int, besides: Collection[str], after: Place, limit: int) -> list[Place]:
        """A page of when records were recorded within [start, end), and their ids, oldest first, beyond `after`.

        Of the unexpired ones and those of `besides`.
        """
        at, name = records.c.recorded_at, records.c.id
        beyond = tuple_(at, name) > tuple_(literal(after[0], BigInteger), literal(after[1], String))
        # The start moves on with the pages: by this a database finds the place in its index.
        within = and_(at >= max(start, after[0], 1), at < min(end, FAR), beyond)
        wanted = [within & not_(is_due(records, now))]
        if besides:
            wanted.append(within & is_due(records, now) & name.in_(besides))
        with self.database.read() as connection:
            found = [
                (row.recorded_at, row.id)
                for condition in wanted
                for row in connection.execute(select(at, name).where(condition).order_by(at, name).limit(limit))
            ]
        return sorted(found)[:limit]

    def newest(
        self, now: int, field: str, limit: int, besides: Collection[str] = (), after: Place | None = None
    ) -> list[Sealed]:
        """A page of the unexpired records and those of `besides`, newest first, each with one content if it has that.

        `after` is when the last one of the page before was recorded, and its id. What was recorded at no time at all
        is left out.
        """
        sane: ColumnElement[bool] = records.c.recorded_at.between(1, FAR - 1)
        if after is not None:
            at, last = after
            sane &= or_(records.c.recorded_at < at, and_(records.c.recorded_at == at, records.c.id > last))
            # Said once more, alone: by this a database finds the place in its index.
            sane &= records.c.recorded_at <= at
        # Which rows first, their contents then: a condition on both at once keeps databases from using the index.
        wanted = [self._newest(not_(is_due(records, now)) & sane, limit)]
        if besides:
            wanted.append(self._newest(is_due(records, now) & records.c.id.in_(besides) & sane, limit))
        with self.database.read() as connection:
            rows = [_row(row) for found in wanted for row in connection.execute(found)]
            rows = sorted(rows, key=lambda row: (-row.recorded_at, str(row.id)))[:limit]
            sealed = {
                row.record_id: row.sealed
                for start in range(0, len(rows), _PAGE)
                for row in connection.execute(
                    select(contents.c.record_id, contents.c.sealed).where(
                        contents.c.field == field,
                        contents.c.record_id.in_([row.id for row in rows[start : start + _PAGE]]),
                    )
                )
            }
        return [Sealed(row, {field: sealed[row.id]} if row.id in sealed else {}) for row in rows]

    @staticmethod
    def _newest(condition: ColumnElement[bool], limit: int) -> Select[Any]:
        order = (records.c.recorded_at.desc(), records.c.id)
        return select(records).where(condition).order_by(*order).limit(limit)

    def by_reference(self, reference: str) -> str | None:
        """The id of the record with this reference, expired or not."""
        found = select(records.c.id).where(records.c.reference == reference)
        with self.database.read() as connection:
            return connection.execute(found).scalar_one_or_none()

    def due(self, now: int, after: Place, limit: int) -> list[Place]:
        """A page of the expired records, earliest expiry first, beyond `after`."""
        found = due_page(records, now, after, limit)
        with self.database.read() as connection:
            return [(row.expires_at, row.id) for row in connection.execute(found)]

    def all(self, after: str, limit: int) -> list[str]:
        """A page of the ids of all records."""
        return self._page(records.c.id > "", after, limit)

    def due_cases(self, now: int, after: Place, limit: int) -> list[Place]:
        """A page of the cases whose row says that they have expired, earliest expiry first, beyond `after`."""
        with self.database.read() as connection:
            return [(row.expires_at, row.id) for row in connection.execute(due_page(cases, now, after, limit))]

    def all_cases(self, after: str, limit: int) -> list[str]:
        """A page of the ids of all cases."""
        found = select(cases.c.id).where(cases.c.id > after).order_by(cases.c.id).limit(limit)
        with self.database.read() as connection:
            return list(connection.execute(found).scalars())

    def existing(self, ids: Sequence[str]) -> set[str]:
        """Which of `ids` have a row, as a record or a case."""
        with self.database.read() as connection:
            return {
                one
                for table in (records, cases)
                for one in connection.execute(select(table.c.id).where(table.c.id.in_(ids))).scalars()
            }

    def destroy(self, ids: Sequence[str], reason: DestroyReason, now: int) -> int:
        """Delete these records and cases whole, leave tombstones for all `ids`, return how many there were.

        Rows another process is destroying at this moment are left to it (PostgreSQL: `SKIP LOCKED`).
        """
        number = 0
        with self.database.write() as connection:
            for table, parts in _WHOLES:
                mine = select(table.c.id).where(table.c.id.in_(ids)).order_by(table.c.id)
                taken = list(connection.execute(mine.with_for_update(skip_locked=True)).scalars())
                if not taken:
                    continue
                # Not left to the foreign keys: that would depend on a setting of the connection.
                for column in parts:
                    connection.execute(delete(column.table).where(column.in_(taken)))
                connection.execute(delete(table).where(table.c.id.in_(taken)))
                number += len(taken)
            bury(connection, row_tombstones, ids, reason, now)
        return number

    def tombstones(self, ids: Sequence[str]) -> dict[str, Tombstone]:
        """The tombstones of those of `ids` that were destroyed here."""
        with self.database.read() as connection:
            return tombstones_of(connection, row_tombstones, ids)

    def destroyed_because(self, reasons: Sequence[str], after: str, limit: int) -> list[Tombstone]:
        """A page of the tombstones with one of `reasons`, in the order of their ids, beyond `after`."""
        with self.database.read() as connection:
            return tombstones_because(connection, row_tombstones, reasons, after, limit)

    def destroyed_since(self, reasons: Sequence[str], after: Place, limit: int) -> list[Tombstone]:
        """A page of the tombstones with one of `reasons`, in the order of their time, beyond `after`."""
        with self.database.read() as connection:
            return tombstones_since(connection, row_tombstones, reasons, after, limit)

    def tally(self, now: int, latest_expiry: int) -> Tally:
        """Count the records; those that expire after `latest_expiry` are overlong."""
        alive = not_(is_due(records, now))

        def number(condition: ColumnElement[bool]) -> Select[int]:
            return select(func.count()).select_from(records).where(condition)

        finished = row_tombstones.c.reason != DestroyReason.HALF_WRITTEN
        with self.database.read() as connection:
            return Tally(
                alive=connection.execute(number(alive)).scalar_one(),
                next_expiry=connection.execute(select(func.min(records.c.expires_at)).where(alive)).scalar_one(),
                overdue=connection.execute(number(is_due(records, now))).scalar_one(),
                overlong=connection.execute(number(alive & (records.c.expires_at > latest_expiry))).scalar_one(),
                deleted=connection.execute(
                    select(func.count()).select_from(row_tombstones).where(finished)
                ).scalar_one(),
            )

    def count(self, day: str, kind: str, department: str, decision: str) -> None:
        """Add one to a counter."""
        key = {"day": day, "kind": kind, "department": department, "decision": decision}
        same = [counters.c[name] == value for name, value in key.items()]
        with self.database.write() as connection:
            add_missing(connection, counters, [{**key, "number": 0}])
            connection.execute(update(counters).where(*same).values(number=counters.c.number + 1))

    def counted(self) -> tuple[Counter, ...]:
        """All counters, oldest day first."""
        with self.database.read() as connection:
            rows = connection.execute(select(counters).order_by(*counters.primary_key.columns))
            return tuple(Counter(row.day, row.kind, row.department, row.decision, row.number) for row in rows)

    def probe(self, now: int) -> None:
        """Write something, durably, and keep `now` if it is the latest. Raises `StoreError` when that fails."""
        with self.database.write() as connection:
            probe(connection, row_probes, now)

    def latest_time(self) -> int | None:
        """The latest time of any `probe`."""
        with self.database.read() as connection:
            return latest_time(connection, row_probes)

    def set_back(self, now: int, from_: int) -> None:
        """Give up a latest time of `from_` or later, knowingly, for the earlier `now`."""
        with self.database.write() as connection:
            set_back(connection, row_probes, now, from_)

    def _page(self, condition: ColumnElement[bool], after: str, limit: int) -> list[str]:
        found = select(records.c.id).where(condition, records.c.id > after).order_by(records.c.id).limit(limit)
        with self.database.read() as connection:
            return list(connection.execute(found).scalars())


def _row(row: Row[tuple[object, ...]]) -> StoredRow:
    return StoredRow(**{name: getattr(row, name) for name in StoredRow.__slots__})
