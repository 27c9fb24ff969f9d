"""Rotation of the master key, restriction beside the key, secrets of the store, and signed heads of the audit trail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add what is new; the master keys in use are the active ones."""
    op.add_column("keys", sa.Column("restriction", sa.String(1), nullable=True))
    op.add_column("keys", sa.Column("restricted_at", sa.BigInteger, nullable=True))
    op.add_column("keys", sa.Column("review_at", sa.BigInteger, nullable=True))
    # With its constraint, since SQLite takes one for a new column only. The two databases print booleans alike.
    held = (
        "NOT held OR (restriction IS NOT NULL AND restriction IN ('b', 'c') AND restricted_at IS NOT NULL "
        "AND review_at IS NOT NULL)"
    )
    op.execute(
        f"ALTER TABLE keys ADD COLUMN held BOOLEAN DEFAULT false NOT NULL "
        f"CONSTRAINT held_is_a_restriction CHECK ({held})"
        if op.get_bind().dialect.name == "postgresql"
        else f"ALTER TABLE keys ADD COLUMN held BOOLEAN DEFAULT 0 NOT NULL "
        f"CONSTRAINT held_is_a_restriction CHECK ({held})"
    )
    op.create_index("ix_keys_master", "keys", ["master"])
    op.drop_index("ix_keys_pending", "keys")
    for name, column, postgresql, sqlite in (
        ("pending", "id", "pending", "pending = 1"),
        ("held", "id", "held", "held = 1"),
        ("restricted", "review_at", "restriction IS NOT NULL", "restriction IS NOT NULL"),
    ):
        op.create_index(
            f"ix_keys_{name}",
            "keys",
            [column],
            postgresql_where=sa.text(postgresql),
            sqlite_where=sa.text(sqlite),
        )
    # With the id, so that a page through what is due comes out of the index in its order.
    op.drop_index("ix_keys_expires_at", "keys")
    op.create_index("ix_keys_due", "keys", ["expires_at", "id"])
    op.create_table(
        "masters",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO masters (id, state, at) SELECT master, 'active', MIN(created_at) FROM keys GROUP BY master")
    op.create_table(
        "secrets",
        sa.Column("name", sa.String(20), primary_key=True),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.Column("master", sa.String(64), nullable=False),
    )
    op.create_table(
        "heads",
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
    )
