"""Tasks: what a person must do, mostly for a customer. Each write returns what was `Touched`; callers commit.

A task with a date comes up to the person responsible when it is due: until it is done, snoozed or put away. Then the
desk is told, once (`to_tell`, `told`). What a repeating task becomes next is decided above, in `lookup.due`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, literal_column, or_, select, true, update
from sqlalchemy.orm import Session, selectinload

from config.sentences import say
from records.aliases import id_of_now
from records.errors import Conflict, Refused
from records.pages import NO_PAGE, Page, at_most, cursor, values_of
from records.rows import no_row, row
from records.tables import Customer, Task, User
from records.touched import Touched, touch

LONGEST = 500  # letters of a title
CHANGEABLE = frozenset({"title", "customer_id", "user_id", "due_at", "repeats"})


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose tasks a person sees: those of `people`, None: everybody's; with `customers` those of any customer too."""

    user_id: int
    people: Collection[int] | None
    customers: bool = False

    def sees(self, task: Task) -> bool:
        return (self.customers and task.customer_id is not None) or self.may_change(task)

    def may_change(self, task: Task) -> bool:
        """Theirs, of somebody whom they look after, made by them, or nobody's yet and theirs to see."""
        if self.people is None or task.user_id in self.people or self.user_id in (task.user_id, task.created_by_id):
            return True
        return task.user_id is None and task.customer_id is not None and self.customers


def add_task(
    session: Session,
    title: str,
    *,
    customer_id: int | None = None,
    user_id: int | None = None,
    due_at: datetime | None = None,
    created_at: datetime | None = None,
    created_by_id: int | None = None,
    call_id: str | None = None,
    repeats: str = "",
) -> tuple[Task, Touched]:
    """A new open task. Raises Refused without a title, NotFound."""
    if customer_id is not None:
        customer_id = row(session, Customer, id_of_now(session, customer_id)).id
    _may_have(session, user_id)
    task = Task(
        title=_title(title),
        customer_id=customer_id,
        user_id=user_id,
        state="open",
        due_at=due_at,
        done_at=None,
        created_at=created_at or datetime.now(UTC),
        created_by_id=created_by_id,
        call_id=call_id,
        repeats=repeats,
    )
    session.add(task)
    return task, _touched(session, task)


def change_task(
    session: Session, task_id: int, changes: Mapping[str, Any], if_mark: str | None = None
) -> tuple[Task, Touched]:
    """Changes fields of CHANGEABLE; with another date or person it comes up anew. With `if_mark` only when the task is
    as `mark_of` said. Raises NotFound, Refused, Conflict.
    """
    task = _held(session, task_id)
    if if_mark is not None and if_mark != mark_of(task):
        raise Conflict(say("somebody changed this task meanwhile; look at it again, then make your change"))
    if unknown := sorted(set(changes) - CHANGEABLE):
        raise Refused(
            say(
                "a task has no {unknown}; known are {known}",
                unknown=", ".join(unknown),
                known=", ".join(sorted(CHANGEABLE)),
            )
        )
    news = {name: value for name, value in changes.items() if getattr(task, name) != value}
    if "title" in news:
        news["title"] = _title(news["title"])
    if news.get("customer_id") is not None:
        news["customer_id"] = row(session, Customer, id_of_now(session, news["customer_id"])).id
    if "user_id" in news:
        _may_have(session, news["user_id"])
    customers = {task.customer_id, news.get("customer_id")} - {None}
    for name, value in news.items():
        setattr(task, name, value)
    if news.keys() & {"due_at", "user_id"}:
        task.snoozed_to = task.told_at = task.put_away_at = None
    session.flush()
    session.refresh(task)
    return task, touch(session, [id for id in customers if id is not None]) if news and customers else Touched()


def finish_task(
    session: Session,
    task_id: int,
    at: datetime | None = None,
    follow: Callable[[Task], datetime | None] | None = None,
) -> Touched:
    """Done; once is enough. `follow` says when the next one is due, of a task that repeats. Raises NotFound."""
    task = _held(session, task_id)
    if task.state == "done":
        return Touched()
    task.state, task.done_at = "done", at or datetime.now(UTC)
    due_at = follow(task) if follow and task.repeats else None
    if due_at is not None:
        kept = ("title", "customer_id", "user_id", "created_by_id", "repeats")
        add_task(session, **{name: getattr(task, name) for name in kept}, due_at=due_at, created_at=task.done_at)
        task.repeats = ""  # the next one has it: opened again, this one would make another
    return _touched(session, task)


def reopen_task(session: Session, task_id: int) -> Touched:
    """To be done after all. One that is overdue does not come up: whoever opens it again has it in mind."""
    task = _held(session, task_id)
    if task.state == "open":
        return Touched()
    now = datetime.now(UTC)
    task.state, task.done_at, task.snoozed_to = "open", None, None
    task.told_at = task.put_away_at = now if task.due_at is not None and task.due_at <= now else None
    return _touched(session, task)


def task_by_id(session: Session, task_id: int) -> Task:
    """With its customer and people. Raises NotFound."""
    found = session.get(Task, task_id, options=_WHOLE)
    if found is None:
        raise no_row(Task, task_id)
    return found


def mark_of(task: Task) -> str:
    """Another one after each change of what `CHANGEABLE` names or of the state, whoever made it."""
    said = [str(getattr(task, name)) for name in sorted(CHANGEABLE)] + [task.state]
    return hashlib.sha256("\x1f".join(said).encode()).hexdigest()[:16]


def tasks_due(session: Session, before: datetime, *, user_id: int | None = None) -> Sequence[Task]:
    """Open tasks due before that moment, the oldest first, with their customers; of one person, or of everybody."""
    wanted = select(Task).where(Task.state == "open", Task.due_at < before)
    if user_id is not None:
        wanted = wanted.where(Task.user_id == user_id)
    return session.scalars(wanted.order_by(Task.due_at, Task.id).options(selectinload(Task.customer))).all()


def list_tasks(
    session: Session,
    reach: Reach,
    *,
    user_id: int | None = None,
    customer_id: int | None = None,
    call_id: str | None = None,
    but: int | None = None,
    state: str = "open",
    due_before: datetime | None = None,
    after: str = "",
    limit: int = 50,
) -> Page[Task]:
    """Tasks that the reach lets see, those due first before others, those without a date last.

    `but`: of others than this person. `state`: "open", "done" or "" for both. Raises Refused for an `after` not of
    ours.
    """
    wanted = select(Task).where(_within(reach)).options(*_WHOLE)
    given = ((Task.user_id, user_id), (Task.customer_id, customer_id), (Task.call_id, call_id), (Task.state, state))
    for column, value in given:
        if value not in (None, ""):
            wanted = wanted.where(column == value)
    if but is not None:
        wanted = wanted.where(or_(Task.user_id.is_(None), Task.user_id != but))
    if due_before is not None:
        wanted = wanted.where(Task.due_at < due_before)
    if after:
        wanted = wanted.where(_after(after))
    count = at_most(limit)
    rows = session.scalars(wanted.order_by(Task.due_at.is_(None), Task.due_at, Task.id).limit(count + 1)).all()
    last = rows[count - 1] if len(rows) > count else None
    more = cursor(last.due_at.isoformat() if last.due_at else "", last.id) if last else ""
    return Page(tuple(rows[:count]), more)


def done_tasks(session: Session, reach: Reach, user_id: int, *, after: str = "", limit: int = 50) -> Page[Task]:
    """What this person has done, the latest first. Raises Refused for an `after` not of ours."""
    wanted = select(Task).where(_within(reach), Task.user_id == user_id, Task.state == "done").options(*_WHOLE)
    if after:
        at, last_id = values_of(after, str, int)
        done_at = _moment(str(at))
        wanted = wanted.where(or_(Task.done_at < done_at, and_(Task.done_at == done_at, Task.id < last_id)))
    count = at_most(limit)
    known = wanted.where(Task.done_at.is_not(None)).order_by(Task.done_at.desc(), Task.id.desc())
    rows = session.scalars(known.limit(count + 1)).all()
    last = rows[count - 1] if len(rows) > count else None
    more = cursor(last.done_at.isoformat(), last.id) if last and last.done_at else ""
    return Page(tuple(rows[:count]), more)


# --- coming up


def up(session: Session, user_id: int, now: datetime, task_id: int | None = None) -> Sequence[Task]:
    """What has come up to this person and waits for a word, the earliest first; of one task, or of all."""
    wanted = select(Task).where(_comes_up(now), Task.user_id == user_id, Task.put_away_at.is_(None))
    if task_id is not None:
        wanted = wanted.where(Task.id == task_id)
    return session.scalars(wanted.order_by(Task.due_at, Task.id).options(*_WHOLE)).all()


def snooze_task(session: Session, task_id: int, until: datetime) -> Task:
    """It comes up again then. Raises NotFound, Refused (it is done, or has no date)."""
    task = _held(session, task_id)
    if task.state != "open" or task.due_at is None:
        raise Refused(say("this task is done, or has no date by now, so it does not come up again"))
    task.snoozed_to, task.told_at, task.put_away_at = until, None, None
    return task


def put_away(session: Session, task_id: int) -> Task:
    """It was seen, and stays open. Raises NotFound."""
    task = _held(session, task_id)
    task.put_away_at = datetime.now(UTC)
    return task


def to_tell(session: Session, now: datetime, limit: int = 200) -> Sequence[Task]:
    """What comes up by now and the desk was not told of. Plain rows, without what belongs to them."""
    waiting = _comes_up(now), Task.told_at.is_(None), Task.put_away_at.is_(None), Task.user_id.is_not(None)
    return session.scalars(select(Task).where(*waiting).order_by(Task.due_at, Task.id).limit(limit)).all()


def told(session: Session, task_ids: Collection[int], now: datetime) -> None:
    """The desk was told; not of those that were snoozed meanwhile, which come up again."""
    session.execute(
        update(Task)
        .where(Task.id.in_(task_ids), _comes_up(now), Task.told_at.is_(None))
        .values(told_at=now)
        .execution_options(synchronize_session=False)
    )


# As the index `ix_tasks_to_tell` says it: SQLite does not see it in a parameter.
_OPEN: ColumnElement[str] = literal_column("'open'")
_WHOLE = (selectinload(Task.customer), selectinload(Task.user), selectinload(Task.created_by))


def _comes_up(now: datetime) -> ColumnElement[bool]:
    return and_(Task.state == _OPEN, Task.due_at <= now, or_(Task.snoozed_to.is_(None), Task.snoozed_to <= now))


def _within(reach: Reach) -> ColumnElement[bool]:
    """`Reach.sees`, for the database."""
    if reach.people is None:
        return true()
    seen = [Task.user_id.in_({*reach.people, reach.user_id}), Task.created_by_id == reach.user_id]
    return or_(*seen, Task.customer_id.is_not(None)) if reach.customers else or_(*seen)


def _after(text: str) -> ColumnElement[bool]:
    at, last_id = values_of(text, str, int)
    if not at:
        return and_(Task.due_at.is_(None), Task.id > last_id)
    due_at = _moment(str(at))
    return or_(Task.due_at > due_at, and_(Task.due_at == due_at, Task.id > last_id), Task.due_at.is_(None))


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refused(NO_PAGE)
    return moment


def _held(session: Session, task_id: int) -> Task:
    """The task, and until the commit nobody else changes it. Raises NotFound."""
    task = session.get(Task, task_id, populate_existing=True, with_for_update=True)
    if task is None:
        raise no_row(Task, task_id)
    return task


def _title(text: str) -> str:
    title = text.strip()
    if not title:
        raise Refused(say("a task needs a title: what is to be done?"))
    if len(title) > LONGEST:
        raise Refused(say("a title has {most} letters at most; write the rest as a note", most=LONGEST))
    return title


def _may_have(session: Session, user_id: int | None) -> None:
    if user_id is not None and not row(session, User, user_id).active:
        raise Refused(say("this person has left; give the task to somebody else"))


def _touched(session: Session, task: Task) -> Touched:
    session.flush()
    return touch(session, [task.customer_id]) if task.customer_id is not None else Touched()
