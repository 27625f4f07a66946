"""Ranges of numbers, and who was chosen among the customers of a shared number."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "number_ranges",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("raw", sa.String(), nullable=False),
        sa.Column("prefix", sa.String(), nullable=True),
        sa.Column("open_digits", sa.Integer(), nullable=True),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("norm_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name="fk_number_ranges_customer_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_number_ranges"),
        sa.UniqueConstraint("customer_id", "prefix", "open_digits", name="uq_number_ranges_customer_id"),
    )
    op.create_index("ix_number_ranges_prefix", "number_ranges", ["prefix"])
    op.create_table(
        "number_choices",
        sa.Column("match_key", sa.String(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("chosen_by_id", sa.Integer(), nullable=True),
        sa.Column("chosen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name="fk_number_choices_customer_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["chosen_by_id"], ["users.id"], name="fk_number_choices_chosen_by_id", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("match_key", name="pk_number_choices"),
    )
    op.create_index("ix_number_choices_customer_id", "number_choices", ["customer_id"])
    op.create_index("ix_number_choices_chosen_by_id", "number_choices", ["chosen_by_id"])
    op.create_index("ix_endpoints_name", "endpoints", ["name"])
    op.add_column("changes", sa.Column("range_id", sa.Integer(), nullable=True))
    op.add_column("changes", sa.Column("prefix", sa.String(), nullable=True))
    op.add_column("changes", sa.Column("open_digits", sa.Integer(), nullable=True))
    op.add_column("changes", sa.Column("endpoint", sa.String(), nullable=True))
