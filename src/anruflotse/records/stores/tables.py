"""The tables of the two databases. Nothing in plain here says what a call was about or who called.

The *key store* holds what makes records readable; it is small and stays out of backups. The *row store* holds what is
useless without it. Times are stored as `times` says. The tables are made by the migrations beside this file; this is
what they amount to, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    and_,
    case,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    text,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from anruflotse.records.restriction import HOLDING
from anruflotse.records.times import FAR


def _tombstones(metadata: MetaData) -> Table:
    """What is left of a destroyed record. In both stores, so that either one outlives a restore of the other."""
    return Table(
        "tombstones",
        metadata,
        Column("id", String(32), primary_key=True),
        Column("at", BigInteger, nullable=False),
        Column("reason", String(20), nullable=False),
        # Every sweep asks for the newest, to enter other machines' erasures in this one's journal.
        Index("ix_tombstones_at", "at", "id"),
    )


def _probes(metadata: MetaData) -> Table:
    """Two rows that are rewritten to find out whether the store can write at all; one keeps the latest time seen."""
    return Table("probes", metadata, Column("id", Integer, primary_key=True), Column("at", BigInteger, nullable=False))


def _sane(column: str) -> CheckConstraint:
    return CheckConstraint(f"{column} > 0 AND {column} < {FAR}", name=f"{column}_is_a_time")


_LATEST, _FLIPPED = 1, 2
"""The rows of a table of probes: the latest time seen, and what alternates between 0 and 1."""

key_metadata = MetaData()

keys = Table(
    "keys",
    key_metadata,
    Column("id", String(32), primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column("master", String(64), nullable=False, index=True),
    # Beside the key, not in the rows: it dies with the key, and no backup of the rows tells who called.
    Column("caller", String(64), nullable=True, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    # Until a sweep has seen the row as well: a key whose row never came is a half-written record.
    Column("pending", Boolean, nullable=False),
    # Restriction (Art. 18 GDPR) lies here and not in the rows: an old backup of the rows must not lift it. It is bound
    # into the wrapped key, so that editing these columns makes the record unreadable instead of free.
    Column("restriction", String(1), nullable=True),
    Column("restricted_at", BigInteger, nullable=True),
    Column("review_at", BigInteger, nullable=True),
    Column("held", Boolean, nullable=False, server_default=false()),
    Index("ix_keys_due", "expires_at", "id"),
    # Of the few that are anything but ordinary; the others cost nothing.
    Index("ix_keys_pending", "id", postgresql_where=text("pending"), sqlite_where=text("pending = 1")),
    Index("ix_keys_held", "id", postgresql_where=text("held"), sqlite_where=text("held = 1")),
    Index(
        "ix_keys_restricted",
        "review_at",
        postgresql_where=text("restriction IS NOT NULL"),
        sqlite_where=text("restriction IS NOT NULL"),
    ),
    _sane("expires_at"),
    CheckConstraint(
        "NOT held OR (restriction IS NOT NULL AND restriction IN ('b', 'c') AND restricted_at IS NOT NULL "
        "AND review_at IS NOT NULL)",
        name="held_is_a_restriction",
    ),
)
masters = Table(
    "masters",
    key_metadata,
    Column("id", String(64), primary_key=True),
    # `active` or `retired`: no key may be added under a retired master key, so that rotation can end.
    Column("state", String(10), nullable=False),
    Column("at", BigInteger, nullable=False),
)
secrets = Table(
    "secrets",
    key_metadata,
    # Keys that outlive a rotation of the master key, wrapped under it: `fingerprint`, `audit`.
    Column("name", String(20), primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column("master", String(64), nullable=False),
)
heads = Table(
    "heads",
    key_metadata,
    # The signed heads of the audit trail: one a day (`day` an ISO date, UTC), and `latest`, which moves with each.
    Column("day", String(10), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)
objections = Table(
    "objections",
    key_metadata,
    # Who has objected for the time to come: a keyed hash under a key of its own, so that nothing here leads to a
    # record, and in the key store, so that no old backup of the rows brings an objection back or takes it away.
    Column("number", String(64), primary_key=True),
    Column("until", BigInteger, nullable=False),
    Index("ix_objections_until", "until", "number"),
    _sane("until"),
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
    Column("expires_at", BigInteger, nullable=False),
    Column("legal_basis", String(200), nullable=False),
    Column("purpose", String(40), nullable=False),
    Column("format", Integer, nullable=False),
    Index("ix_records_due", "expires_at", "id"),
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
corrections = Table(
    "corrections",
    row_metadata,
    # Beside the contents, which nobody changes: what the caller says was meant (Art. 16 GDPR), under the same key.
    Column("record_id", ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
)
cases = Table(
    "cases",
    row_metadata,
    # Requests of persons. Their keys lie among those of the records, and end, rotate and come back like them.
    Column("id", String(32), primary_key=True),
    Column("filed_at", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    # As last asked for; what counts is the expiry of the key.
    Column("expires_at", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("ix_cases_filed", "filed_at", "id"),
    Index("ix_cases_due", "expires_at", "id"),
    _sane("filed_at"),
    _sane("expires_at"),
)
attachments = Table(
    "attachments",
    row_metadata,
    Column("case_id", ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True),
    # The keyed hash of the name: people write names of people into names of files.
    Column("part", String(64), primary_key=True),
    Column("name", LargeBinary, nullable=False),
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
audit = Table(
    "audit",
    row_metadata,
    # Counts from 1 without a gap; assigned by the trail, not by the database.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("accessor", String(80), nullable=False),
    Column("role", String(20), nullable=False),
    Column("purpose", String(40), nullable=False),
    Column("act", String(20), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("result", String(20), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    # Who asks what became of their data is told who read it, however long the trail is by then.
    Index("ix_audit_subject", "subject", "seq"),
)
audit_tip = Table(
    "audit_tip",
    row_metadata,
    # One row, locked by whoever appends, so that entries of several processes follow each other.
    Column("id", Integer, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)
row_tombstones = _tombstones(row_metadata)
row_probes = _probes(row_metadata)


def is_held() -> ColumnElement[bool]:
    """Whether a key is held beyond its expiry: `held` counts only as part of a restriction that gives a hold.

    Beside the constraint, which whoever edits a file of SQLite may switch off. A text is greater than every number
    there, so a time that is none does not count either.
    """
    return and_(
        keys.c.held,
        keys.c.restriction.in_(sorted(HOLDING)),
        keys.c.restricted_at.between(1, FAR - 1),
        keys.c.review_at.between(1, FAR - 1),
    )


def not_held() -> ColumnElement[bool]:
    """The contrary of `is_held`, also where columns are NULL."""
    return not_(func.coalesce(is_held(), false()))


def is_due(table: Table, now: int) -> ColumnElement[bool]:
    """Whether a key or record has expired at `now`; an expiry that is no time at all counts as expired."""
    return or_(table.c.expires_at <= now, table.c.expires_at >= FAR)


def is_over(now: int) -> ColumnElement[bool]:
    """Whether the time of an objection is over at `now`.

    An end that is no time is none: only honest ones are stored, and whoever can edit this table can empty it.
    """
    return objections.c.until <= now


def due_page(
    table: Table, now: int, after: tuple[int, str], limit: int, condition: ColumnElement[bool] | None = None
) -> Select[int, str]:
    """Expiry and id of what `is_due`, earliest expiry first, beyond `after`, `limit` of them.

    Two ranges of the index instead of one condition with OR: with a million keys and few of them due, a database would
    otherwise look at all of them.
    """
    expiry, name = table.c.expires_at, table.c.id
    beyond = tuple_(expiry, name) > tuple_(literal(after[0], BigInteger), literal(after[1], String))
    conditions = (beyond,) if condition is None else (beyond, condition)

    def part(expired: ColumnElement[bool]) -> Select[int, str]:
        inner = select(expiry, name).where(expired, *conditions).order_by(expiry, name).limit(limit).subquery()
        return select(inner.c.expires_at, inner.c.id)

    both = union_all(part(expiry <= now), part(expiry >= FAR)).subquery()
    return select(both.c.expires_at, both.c.id).order_by(both.c.expires_at, both.c.id).limit(limit)


def add_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert the `rows` whose primary key is not there yet; two processes may do so at once."""
    if not rows:
        return
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(insert(table).on_conflict_do_nothing(), list(rows))


def bury(connection: Connection, tombstones: Table, ids: Sequence[str], reason: str, now: int) -> None:
    """Leave a tombstone for each of `ids` that has none."""
    # In order: two processes that bury the same ones must not wait for each other.
    add_missing(connection, tombstones, [{"id": one, "at": now, "reason": reason} for one in sorted(ids, key=str)])


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left of a destroyed record: `at` in microseconds, `reason` a `DestroyReason`."""

    id: str
    at: int
    reason: str


def tombstones_of(connection: Connection, tombstones: Table, ids: Sequence[str]) -> dict[str, Tombstone]:
    """The tombstones of those of `ids` that have one."""
    found = connection.execute(select(tombstones).where(tombstones.c.id.in_(ids)))
    return {row.id: Tombstone(row.id, row.at, row.reason) for row in found}


def tombstones_since(
    connection: Connection, tombstones: Table, reasons: Sequence[str], after: tuple[int, str], limit: int
) -> list[Tombstone]:
    """A page of the tombstones with one of `reasons`, in the order of their time and id, beyond `after`."""
    at, name = tombstones.c.at, tombstones.c.id
    found = select(tombstones).where(tombstones.c.reason.in_(reasons), tuple_(at, name) > tuple_(*map(literal, after)))
    rows = connection.execute(found.order_by(at, name).limit(limit))
    return [Tombstone(row.id, row.at, row.reason) for row in rows]


def probe(connection: Connection, probes: Table, now: int) -> None:
    """Write something, and keep the latest time seen, which never goes down here."""
    add_missing(connection, probes, [{"id": _LATEST, "at": now}, {"id": _FLIPPED, "at": 0}])
    # The one that changes whatever the time: SQLite writes nothing when nothing changes, and that would prove nothing.
    earlier = or_(probes.c.at < now, probes.c.at >= FAR)
    changed = case((probes.c.id == _FLIPPED, 1 - probes.c.at), (earlier, now), else_=probes.c.at)
    connection.execute(update(probes).values(at=changed))


def latest_time(connection: Connection, probes: Table) -> int | None:
    """The latest time that was kept; None for none, or for what is no time."""
    found: int | None = connection.execute(select(probes.c.at).where(probes.c.id == _LATEST)).scalar_one_or_none()
    return found if isinstance(found, int) and 0 < found < FAR else None


def set_back(connection: Connection, probes: Table, now: int, from_: int) -> None:
    """Give up the time that was kept, if it is `from_` or later, for an earlier one."""
    connection.execute(update(probes).where(probes.c.id == _LATEST, probes.c.at >= from_).values(at=now))


def tombstones_because(
    connection: Connection, tombstones: Table, reasons: Sequence[str], after: str, limit: int
) -> list[Tombstone]:
    """A page of the tombstones with one of `reasons`, in the order of their ids, beyond `after`."""
    found = select(tombstones).where(tombstones.c.reason.in_(reasons), tombstones.c.id > after)
    rows = connection.execute(found.order_by(tombstones.c.id).limit(limit))
    return [Tombstone(row.id, row.at, row.reason) for row in rows]
