"""How far each person is on the walk to their first call."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "first_calls",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_first_calls_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name="pk_first_calls"),
    )
