"""Tasks that come up, that repeat and that belong to a call; notes; what was posted with a key; calendars of tasks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("tasks") as batch:
        batch.add_column(sa.Column("call_id", sa.String(), nullable=True))
        batch.add_column(sa.Column("created_by_id", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("repeats", sa.String(), nullable=False, server_default=sa.text("''")))
        batch.add_column(sa.Column("snoozed_to", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("put_away_at", sa.DateTime(timezone=True), nullable=True))
        batch.create_foreign_key("fk_tasks_created_by_id", "users", ["created_by_id"], ["id"])
    op.create_index("ix_tasks_call_id", "tasks", ["call_id"])
    waiting = sa.text("state = 'open' AND told_at IS NULL AND put_away_at IS NULL")
    op.create_index("ix_tasks_to_tell", "tasks", ["due_at"], sqlite_where=waiting, postgresql_where=waiting)
    # What was overdue before there were reminders does not come up all at once now.
    op.execute(
        "UPDATE tasks SET told_at = CURRENT_TIMESTAMP, put_away_at = CURRENT_TIMESTAMP"
        " WHERE state = 'open' AND due_at < CURRENT_TIMESTAMP"
    )
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column("call_id", sa.String(), nullable=True),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_notes_customer_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_notes_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_notes"),
    )
    op.create_index("ix_notes_customer_id", "notes", ["customer_id"])
    op.create_index("ix_notes_call_id", "notes", ["call_id"])
    op.create_table(
        "posted",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("made_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_posted"),
    )
    op.create_index("ix_posted_at", "posted", ["at"])
    op.create_table(
        "task_calendars",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_task_calendars_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name="pk_task_calendars"),
    )
