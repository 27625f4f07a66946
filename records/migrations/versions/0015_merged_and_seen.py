"""Customers who were merged, who may be the same, and who saw which card."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "customer_aliases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("old_id", sa.Integer(), nullable=True),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("told", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name="fk_customer_aliases_customer_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["by_id"], ["users.id"], name="fk_customer_aliases_by_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_customer_aliases"),
        sa.UniqueConstraint("old_id", name="uq_customer_aliases_old_id"),
        sa.UniqueConstraint("source", "external_id", name="uq_customer_aliases_source"),
    )
    op.create_index("ix_customer_aliases_customer_id", "customer_aliases", ["customer_id"])
    op.create_index("ix_customer_aliases_by_id", "customer_aliases", ["by_id"])
    op.create_table(
        "cards_seen",
        sa.Column("customer_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("way", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "hour", "user_id", "way", name="pk_cards_seen"),
    )
    op.create_index("ix_cards_seen_at", "cards_seen", ["at"])
    op.create_index("ix_cards_seen_user", "cards_seen", ["user_id", "at"])
    for mark in ("name_mark", "email_mark"):
        op.add_column("customer_search", sa.Column(mark, sa.BigInteger(), nullable=True))
        op.create_index(f"ix_customer_search_{mark}", "customer_search", [mark, "customer_id"])
    op.drop_index("ix_phone_numbers_match_key", "phone_numbers")
    op.create_index("ix_phone_numbers_match_key", "phone_numbers", ["match_key", "customer_id"])
