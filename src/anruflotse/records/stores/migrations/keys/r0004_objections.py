"""Numbers whose callers have objected to recording for the time to come (Art. 21 GDPR), as keyed hashes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "objections",
        sa.Column("number", sa.String(64), primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.CheckConstraint("until > 0 AND until < 32503680000000000", name="until_is_a_time"),
    )
    op.create_index("ix_objections_until", "objections", ["until", "number"])
