"""The audit trail in the row store: append-only, each entry tied to the one before it."""

from __future__ import annotations

from dataclasses import asdict, fields

from sqlalchemy import Row, insert, select, update

from anruflotse.records.audit.entry import FIRST, Chained, Entry, digest
from anruflotse.records.stores.database import Database
from anruflotse.records.stores.tables import add_missing, audit, audit_tip


class Trail:
    """The trail of one store. Several processes may append at once."""

    def __init__(self, rows: Database) -> None:
        """Keep the entries in `rows`."""
        self._rows = rows

    def append(self, entry: Entry) -> Chained:
        """Commit `entry` as the next one. Raises `StoreError`."""
        with self._rows.write() as connection:
            add_missing(connection, audit_tip, [{"id": 1, "seq": 0, "hash": FIRST}])
            tip = connection.execute(select(audit_tip).with_for_update()).one()
            chained = Chained(
                seq=tip.seq + 1, entry=entry, previous=tip.hash, hash=digest(tip.seq + 1, entry, tip.hash)
            )
            connection.execute(
                insert(audit).values(seq=chained.seq, previous=chained.previous, hash=chained.hash, **asdict(entry))
            )
            connection.execute(update(audit_tip).values(seq=chained.seq, hash=chained.hash))
        return chained

    def page(self, after: int, limit: int) -> list[Chained]:
        """The entries beyond number `after`, in their order."""
        found = select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(limit)
        with self._rows.read() as connection:
            return [_chained(row) for row in connection.execute(found)]


def _chained(row: Row[tuple[object, ...]]) -> Chained:
    entry = Entry(**{field.name: getattr(row, field.name) for field in fields(Entry)})
    return Chained(seq=row.seq, entry=entry, previous=row.previous, hash=row.hash)
