"""By what customers are found and listed, and the lists that people save."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "customer_search",
        sa.Column("customer_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("names", "company", "email", "numbers", "orders", "choices")
        ),
        sa.Column("manager_id", sa.Integer(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("owes", sa.Boolean(), nullable=False),
        sa.Column("open_task", sa.Boolean(), nullable=False),
        sa.Column("rules", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name="pk_customer_search"),
    )
    by_name = ["name", "customer_id"]
    op.create_index("ix_customer_search_name", "customer_search", by_name)
    op.create_index("ix_customer_search_manager", "customer_search", ["manager_id", *by_name])
    op.create_index("ix_customer_search_source", "customer_search", ["source", *by_name])
    for flag in ("owes", "open_task"):
        op.create_index(
            f"ix_customer_search_{flag}",
            "customer_search",
            by_name,
            sqlite_where=sa.text(f"{flag} = 1"),
            postgresql_where=sa.text(flag),
        )
    op.create_table(
        "saved_views",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_saved_views_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_saved_views"),
        sa.UniqueConstraint("user_id", "name", name="uq_saved_views_user_id"),
    )
