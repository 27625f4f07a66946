"""Calls know the phone that made them, the conversation that they became a part of, and their story step by step."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("calls", sa.Column("caller_endpoint", sa.String(), nullable=False, server_default=sa.text("''")))
    op.add_column("calls", sa.Column("merged_into", sa.String(), nullable=True))
    kind = sa.JSON().with_variant(JSONB(), "postgresql")
    op.add_column("calls", sa.Column("trace", kind, nullable=False, server_default=sa.text("'[]'")))
