"""The record store as the first release made it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "records",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("reference", sa.String(64), nullable=False, unique=True),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("legal_basis", sa.String(200), nullable=False),
        sa.Column("purpose", sa.String(40), nullable=False),
        sa.Column("restricted", sa.Boolean, nullable=False),
        sa.Column("format", sa.Integer, nullable=False),
        sa.CheckConstraint("recorded_at > 0 AND recorded_at < 32503680000000000", name="recorded_at_is_a_time"),
        sa.CheckConstraint("expires_at > 0 AND expires_at < 32503680000000000", name="expires_at_is_a_time"),
    )
    for column in ("recorded_at", "expires_at"):
        op.create_index(f"ix_records_{column}", "records", [column])
    op.create_table(
        "contents",
        sa.Column("record_id", sa.String(32), sa.ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("field", sa.String(20), primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "counters",
        *(
            sa.Column(name, sa.String(length), primary_key=True)
            for name, length in (("day", 10), ("kind", 40), ("department", 40), ("decision", 40))
        ),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "accesses",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("accessor", sa.String(80), nullable=False),
        sa.Column("purpose", sa.String(40), nullable=False),
        sa.Column("record_id", sa.String(32), nullable=False),
        sa.Column("result", sa.String(20), nullable=False),
    )
    op.create_table(
        "tombstones",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String(20), nullable=False),
    )
    op.create_table(
        "probes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER accesses_no_{verb.lower()} BEFORE {verb} ON accesses "
                "BEGIN SELECT RAISE(ABORT, 'accesses are append-only'); END"
            )
