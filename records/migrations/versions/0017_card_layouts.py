"""What administrators said of the card's fields, each time as a whole."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "card_layouts",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.Column("said", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(["by_id"], ["users.id"], name="fk_card_layouts_by_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_card_layouts"),
    )
    op.create_index("ix_card_layouts_by_id", "card_layouts", ["by_id"])
