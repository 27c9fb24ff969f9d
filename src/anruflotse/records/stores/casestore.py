"""The cases in the row store: sealed requests of persons with their attachments.

How they end is the `RowStore`'s, together with the records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Row, and_, func, insert, not_, or_, select, update

from anruflotse.records.model import StoreError
from anruflotse.records.stores.database import Database
from anruflotse.records.stores.keystore import Place
from anruflotse.records.stores.tables import add_missing, attachments, cases, is_due, row_tombstones
from anruflotse.records.times import FAR


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCase:
    """A case, its body still sealed; times in microseconds."""

    id: str
    filed_at: int
    version: int
    expires_at: int
    sealed: bytes = field(repr=False)


class CaseStore:
    """What is useless without the key store. Every method is one transaction; changes have been committed."""

    def __init__(self, database: Database) -> None:
        """Work on `database`."""
        self.database = database

    def add(self, case: StoredCase) -> None:
        """Commit a case. Raises `StoreError` when a sweep has given it up meanwhile."""
        with self.database.write() as connection:
            if connection.execute(select(row_tombstones.c.id).where(row_tombstones.c.id == case.id)).first():
                message = "The case took too long to be written and was given up: file it again."
                raise StoreError(message)
            connection.execute(insert(cases).values({name: getattr(case, name) for name in StoredCase.__slots__}))

    def one(self, case_id: str) -> StoredCase | None:
        """A case as it is stored now, expired or not."""
        with self.database.read() as connection:
            row = connection.execute(select(cases).where(cases.c.id == case_id)).first()
        return None if row is None else _case(row)

    def newest(self, limit: int, after: Place | None = None) -> list[StoredCase]:
        """A page of the cases, newest first, beyond when the last one was filed and its id."""
        sane = cases.c.filed_at.between(1, FAR - 1)  # SQLite keeps whatever somebody writes into it
        found = select(cases).where(sane).order_by(cases.c.filed_at.desc(), cases.c.id).limit(limit)
        if after is not None:
            at, last = after
            beyond = or_(cases.c.filed_at < at, and_(cases.c.filed_at == at, cases.c.id > last))
            found = found.where(beyond, cases.c.filed_at <= at)
        with self.database.read() as connection:
            return [_case(row) for row in connection.execute(found)]

    def replace(self, case: StoredCase) -> bool:
        """Put `case` in place of its version before; False when that is not there (any more)."""
        before = (cases.c.id == case.id) & (cases.c.version == case.version - 1)
        with self.database.write() as connection:
            changed = connection.execute(
                update(cases).where(before).values(version=case.version, expires_at=case.expires_at, sealed=case.sealed)
            )
            return bool(changed.rowcount)

    def attach(self, case_id: str, part: str, name: bytes, sealed: bytes) -> bool:
        """Add an attachment; False when there is one of this name. Raises `StoreError` when the case has ended."""
        row = {"case_id": case_id, "part": part, "name": name, "sealed": sealed}
        mine = select(cases.c.id).where(cases.c.id == case_id).with_for_update()
        with self.database.write() as connection:
            if connection.execute(mine).first() is None:
                message = "The case was destroyed meanwhile: nothing was attached."
                raise StoreError(message)
            there = select(attachments.c.part).where(attachments.c.case_id == case_id, attachments.c.part == part)
            if connection.execute(there).first() is not None:
                return False
            add_missing(connection, attachments, [row])
            return True

    def attachment(self, case_id: str, part: str) -> bytes | None:
        """An attachment, sealed."""
        found = select(attachments.c.sealed).where(attachments.c.case_id == case_id, attachments.c.part == part)
        with self.database.read() as connection:
            sealed: bytes | None = connection.execute(found).scalar_one_or_none()
            return sealed

    def names(self, case_id: str) -> Mapping[str, bytes]:
        """The names of the attachments of a case, sealed, by their parts."""
        found = select(attachments.c.part, attachments.c.name).where(attachments.c.case_id == case_id)
        with self.database.read() as connection:
            return {row.part: row.name for row in connection.execute(found)}

    def existing(self, case_id: str) -> bool:
        """Whether this is a case, expired or not."""
        with self.database.read() as connection:
            return connection.execute(select(cases.c.id).where(cases.c.id == case_id)).first() is not None

    def alive(self, now: int) -> int:
        """How many cases there are that have not expired at `now`."""
        found = select(func.count()).select_from(cases).where(not_(is_due(cases, now)))
        with self.database.read() as connection:
            return connection.execute(found).scalar_one()


def _case(row: Row[tuple[object, ...]]) -> StoredCase:
    return StoredCase(**{name: getattr(row, name) for name in StoredCase.__slots__})
