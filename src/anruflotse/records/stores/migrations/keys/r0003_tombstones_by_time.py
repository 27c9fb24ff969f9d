"""The tombstones in the order of their time: every sweep asks for the newest."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_tombstones_at", "tombstones", ["at", "id"])
