"""Customers know which source they are from, and each source how its last run went."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("customers") as batch:
        batch.add_column(sa.Column("source", sa.String(), nullable=False, server_default=sa.text("''")))
        batch.drop_constraint("uq_customers_external_id", type_="unique")
        batch.create_unique_constraint("uq_customers_source", ["source", "external_id"])
    op.create_table(
        "sources",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("columns", sa.String(), nullable=False),
        sa.Column("since", sa.String(), nullable=False),
        sa.Column("full_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("succeeded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("removed", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("errors", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_sources"),
    )
    op.create_table(
        "source_files",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("external_ids", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["source"], ["sources.name"], name="fk_source_files_source", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("source", "name", name="pk_source_files"),
    )
