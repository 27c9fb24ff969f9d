"""The audit trail, into which the entries of the access log are carried over; restriction moves beside the key."""

from __future__ import annotations

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_FIRST = "0" * 64
_BATCH = 1000
_ACTS = {"listed": "list", "opened_audio": "audio"}

_APPEND_ONLY = """
CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'integrity_constraint_violation';
END
$$
"""


def upgrade() -> None:
    """Make the trail, chain the old entries into it, and drop what it replaces."""
    bind = op.get_bind()
    audit = op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("accessor", sa.String(80), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("purpose", sa.String(40), nullable=False),
        sa.Column("act", sa.String(20), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("result", sa.String(20), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    tip = op.create_table(
        "audit_tip",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    seq, previous = _carry_over(bind, audit)
    bind.execute(sa.insert(tip).values(id=1, seq=seq, hash=previous))
    op.drop_table("accesses")
    # Nothing could set it: the first release had no command for it.
    op.drop_column("records", "restricted")
    # With the id, so that a page through what is due comes out of the index in its order.
    op.drop_index("ix_records_expires_at", "records")
    op.create_index("ix_records_due", "records", ["expires_at", "id"])
    _forbid_changes(bind.dialect.name)


def _carry_over(bind: sa.Connection, audit: sa.Table) -> tuple[int, str]:
    """Chain the entries of the access log; the number and the hash of the last one. Roles were not known then."""
    old = sa.table(
        "accesses", *(sa.column(name) for name in ("seq", "at", "accessor", "purpose", "record_id", "result"))
    )
    after, seq, previous = 0, 0, _FIRST
    while page := bind.execute(sa.select(old).where(old.c.seq > after).order_by(old.c.seq).limit(_BATCH)).all():
        after, chained = page[-1].seq, []
        for row in page:
            seq += 1
            entry = {
                "at": row.at,
                "accessor": row.accessor,
                "role": "-",
                "purpose": row.purpose,
                "act": _ACTS.get(row.result, "text"),
                "subject": row.record_id,
                "result": "granted" if row.result in {*_ACTS, "opened"} else row.result,
            }
            hashed = _digest(seq, entry, previous)
            chained.append({"seq": seq, "previous": previous, "hash": hashed, **entry})
            previous = hashed
        bind.execute(sa.insert(audit), chained)
    return seq, previous


def _digest(seq: int, entry: dict[str, object], previous: str) -> str:
    """Version 1 of the chain's hash, as it was when this was written."""
    told = {"v": 1, "seq": seq, "previous": previous, **entry}
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _forbid_changes(dialect: str) -> None:
    """Let entries be added only. Whoever owns the database can undo this; the chain then shows what was done."""
    if dialect == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
            )
        return
    op.execute(_APPEND_ONLY)
    op.execute(
        "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()"
    )
