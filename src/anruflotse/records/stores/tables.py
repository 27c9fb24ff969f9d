"""The tables of the two databases. Nothing in plain here says what a call was about or who called.

The *key store* holds what makes records readable; it is small and stays out of backups. The *row store* holds what is
useless without it. Times are stored as `times` says.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    and_,
    event,
    insert,
    literal,
    not_,
    select,
)

from anruflotse.records.times import FAR

_Serial = BigInteger().with_variant(Integer, "sqlite")
"""Counts up by itself in both databases (SQLite only does so for INTEGER)."""


def _tombstones(metadata: MetaData) -> Table:
    """What is left of a destroyed record. In both stores, so that either one outlives a restore of the other."""
    return Table(
        "tombstones",
        metadata,
        Column("id", String(32), primary_key=True),
        Column("at", BigInteger, nullable=False),
        Column("reason", String(20), nullable=False),
    )


def _probes(metadata: MetaData) -> Table:
    """One row that is rewritten to find out whether the store can write at all."""
    return Table("probes", metadata, Column("id", Integer, primary_key=True), Column("at", BigInteger, nullable=False))


def _sane(column: str) -> CheckConstraint:
    return CheckConstraint(f"{column} > 0 AND {column} < {FAR}", name=f"{column}_is_a_time")


key_metadata = MetaData()

keys = Table(
    "keys",
    key_metadata,
    Column("id", String(32), primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column("master", String(64), nullable=False),
    # Beside the key, not in the rows: it dies with the key, and no backup of the rows tells who called.
    Column("caller", String(64), nullable=True, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    # Until a sweep has seen the row as well: a key whose row never came is a half-written record.
    Column("pending", Boolean, nullable=False, index=True),
    _sane("expires_at"),
)
key_tombstones = _tombstones(key_metadata)
key_probes = _probes(key_metadata)

row_metadata = MetaData()

records = Table(
    "records",
    row_metadata,
    Column("id", String(32), primary_key=True),
    Column("reference", String(64), nullable=False, unique=True),
    Column("started_at", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False, index=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("legal_basis", String(200), nullable=False),
    Column("purpose", String(40), nullable=False),
    Column("restricted", Boolean, nullable=False),
    Column("format", Integer, nullable=False),
    _sane("recorded_at"),
    _sane("expires_at"),
)
contents = Table(
    "contents",
    row_metadata,
    Column("record_id", ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
    Column("field", String(20), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)
counters = Table(
    "counters",
    row_metadata,
    Column("day", String(10), primary_key=True),
    Column("kind", String(40), primary_key=True),
    Column("department", String(40), primary_key=True),
    Column("decision", String(40), primary_key=True),
    Column("number", BigInteger, nullable=False),
)
accesses = Table(
    "accesses",
    row_metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("accessor", String(80), nullable=False),
    Column("purpose", String(40), nullable=False),
    Column("record_id", String(32), nullable=False),
    Column("result", String(20), nullable=False),
)
row_tombstones = _tombstones(row_metadata)
row_probes = _probes(row_metadata)

for _verb in ("UPDATE", "DELETE"):
    event.listen(
        accesses,
        "after_create",
        DDL(  # type: ignore[no-untyped-call,unused-ignore]
            f"CREATE TRIGGER accesses_no_{_verb.lower()} BEFORE {_verb} ON accesses "
            "BEGIN SELECT RAISE(ABORT, 'accesses are append-only'); END"
        ).execute_if(dialect="sqlite"),
    )


def is_due(table: Table, now: int) -> ColumnElement[bool]:
    """Whether a key or record has expired at `now`; an expiry that is no time at all counts as expired."""
    return not_(and_(table.c.expires_at > now, table.c.expires_at < FAR))


def bury(connection: Connection, tombstones: Table, ids: Sequence[str], reason: str, now: int) -> None:
    """Leave a tombstone for each of `ids` that has none."""
    for record_id in ids:
        buried = select(tombstones.c.id).where(tombstones.c.id == record_id).exists()
        stone = select(literal(record_id), literal(now), literal(reason)).where(not_(buried))
        connection.execute(insert(tombstones).from_select(["id", "at", "reason"], stone))
