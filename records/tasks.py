"""Tasks: what a person must do, mostly for a customer. Each write returns what was `Touched`; callers commit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from records.errors import Refused
from records.rows import row
from records.tables import Customer, Task, User
from records.touched import Touched, touch


def add_task(
    session: Session,
    title: str,
    *,
    customer_id: int | None = None,
    user_id: int | None = None,
    due_at: datetime | None = None,
    created_at: datetime | None = None,
) -> tuple[Task, Touched]:
    """A new open task. Raises Refused without a title, NotFound."""
    if not title.strip():
        raise Refused("a task needs a title: what is to be done?")
    if customer_id is not None:
        row(session, Customer, customer_id, "customer")
    if user_id is not None:
        row(session, User, user_id, "person")
    task = Task(
        title=title.strip(),
        customer_id=customer_id,
        user_id=user_id,
        state="open",
        due_at=due_at,
        done_at=None,
        created_at=created_at or datetime.now(UTC),
    )
    session.add(task)
    return task, _touched(session, task)


def finish_task(session: Session, task_id: int, at: datetime | None = None) -> Touched:
    """Done; once is enough. Raises NotFound."""
    task = row(session, Task, task_id, "task")
    if task.state == "done":
        return Touched()
    task.state, task.done_at = "done", at or datetime.now(UTC)
    return _touched(session, task)


def tasks_due(session: Session, before: datetime, *, user_id: int | None = None) -> Sequence[Task]:
    """Open tasks due before that moment, the oldest first, with their customers; of one person, or of everybody."""
    wanted = select(Task).where(Task.state == "open", Task.due_at < before)
    if user_id is not None:
        wanted = wanted.where(Task.user_id == user_id)
    return session.scalars(wanted.order_by(Task.due_at, Task.id).options(selectinload(Task.customer))).all()


def _touched(session: Session, task: Task) -> Touched:
    session.flush()
    return touch(session, [task.customer_id]) if task.customer_id is not None else Touched()
