"""What pages and the API do with tasks: who may, how dates are read, and what everybody is told after a change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time
from typing import Any

from fastapi import HTTPException
from sqlalchemy.orm import Session as Records

from config.sentences import say
from desk.calls import customer_of_call
from desk.formats import rfc3339
from desk.people import Reader
from desk.services import Services
from lookup import due
from lookup.breaker import StoreGone
from lookup.notices import Notice
from lookup.sql_duty import hours_of
from records import posted
from records import tasks as rules
from records.errors import NotFound, Refused
from records.tables import Task
from records.tasks import Reach
from records.touched import Touched

NOT_THERE = say("There is no such task, or it is not yours to see.")
NOT_YOURS = say("This task is somebody else's; ask them, or whoever looks after them.")


def reach_of(desk: Services, reader: Reader) -> Reach:
    """Own tasks, those of people whom the reader looks after, and those of customers where the role sees them."""
    return Reach(reader.user_id, reader.sees, "last_task" in desk.layout.names_seen_by(reader.role))


def as_kept(
    given: Mapping[str, Any], desk: Services, records: Records, before: Task | None, of: int | None
) -> dict[str, Any]:
    """What somebody said of a task, by field, as the records take it: `due_at` and `repeats` come as they were typed.

    `of`: whose hours say when a morning is. Raises Refused.
    """
    news = dict(given)
    kept, text = (before.due_at, before.repeats) if before else (None, "")
    try:
        if "due_at" in news:
            news["due_at"] = read_when(news["due_at"], desk, lambda: hours_of(records, of))
        if "due_at" in news or "repeats" in news:
            due_at, known = news.get("due_at", kept), due.read_repeat(text)
            kind = news.get("repeats", known.kind if known and due_at else "")
            news["repeats"] = due.kept_repeat(text, due_at, kind, kept, desk.zone)
    except ValueError as exc:
        raise Refused(str(exc)) from None
    return news


def read_when(typed: str | None, desk: Services, hours: Callable[[], Any]) -> datetime | None:
    """A day (its morning), a day and a time on the company's clock, or a moment of RFC 3339. Raises ValueError."""
    text = (typed or "").strip()
    if not text:
        return None
    try:
        if len(text) == 10:
            day = date.fromisoformat(text)
            return due.on_the_clock(day, due.opens(hours(), day), desk.zone)
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=moment.tzinfo or desk.zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(say("{text!r} is no date; write it like 2026-04-14, or 2026-04-14T16:30", text=text)) from None


async def add(desk: Services, reader: Reader, given: Mapping[str, Any], key: str = "") -> tuple[Task, bool]:
    """A new task, and whether it was made now. `given` may name a call. Raises Refused, NotFound."""
    values = {"user_id": reader.user_id, **given}
    call_id = values.pop("call_id", None) or None
    if call_id:
        of_call = await customer_of_call(desk, reader, call_id)
        values.setdefault("customer_id", of_call)
    touched = Touched()

    def write(records: Records) -> tuple[int, bool]:
        def make() -> int:
            nonlocal touched
            news = as_kept(values, desk, records, None, values["user_id"])
            title = news.pop("title", "")
            made, touched = rules.add_task(records, title, created_by_id=reader.user_id, call_id=call_id, **news)
            return made.id

        return posted.once(records, reader.user_id, "task", key, repr(sorted(given.items())), make)

    task_id, made = await desk.store.write_once(write)
    task = await desk.store.read(lambda records: rules.task_by_id(records, task_id))
    if made:
        await tell(desk, touched)
    return task, made


async def change(
    desk: Services, reader: Reader, task_id: int, given: Mapping[str, Any], if_mark: str | None = None
) -> Task:
    """Raises NotFound, Refused, Conflict, 403."""

    def write(records: Records) -> tuple[Touched, int | None]:
        before = mine(records, desk, reader, task_id)
        held = before.user_id
        news = as_kept(given, desk, records, before, given.get("user_id", held))
        return rules.change_task(records, task_id, news, if_mark)[1], held

    touched, held = await desk.store.write(write)
    return await _changed(desk, task_id, touched, held)


async def finish(desk: Services, reader: Reader, task_id: int) -> Task:
    """Done; of one that repeats the next is made. Raises NotFound, 403."""
    now = desk.parts.clock()

    def follow(records: Records) -> Callable[[Task], datetime | None]:
        return lambda task: due.next_due(task.repeats, task.due_at, now, desk.zone, hours_of(records, task.user_id))

    def write(records: Records) -> Touched:
        mine(records, desk, reader, task_id)
        return rules.finish_task(records, task_id, now, follow(records))

    return await _changed(desk, task_id, await desk.store.write(write))


async def reopen(desk: Services, reader: Reader, task_id: int) -> Task:
    """Raises NotFound, 403."""

    def write(records: Records) -> Touched:
        mine(records, desk, reader, task_id)
        return rules.reopen_task(records, task_id)

    return await _changed(desk, task_id, await desk.store.write(write))


async def snooze(desk: Services, reader: Reader, task_id: int, how: str) -> Task:
    """It comes up again after that (`lookup.due.SNOOZES`). Raises NotFound, Refused, 403."""

    def write(records: Records) -> None:
        task = mine(records, desk, reader, task_id)
        try:
            until = due.snoozed(how, desk.parts.clock(), desk.zone, hours_of(records, task.user_id))
        except ValueError as exc:
            raise Refused(str(exc)) from None
        rules.snooze_task(records, task_id, until)

    await desk.store.write(write)
    return await _changed(desk, task_id, Touched())


async def put_away(desk: Services, reader: Reader, task_id: int) -> Task:
    """Seen, and still to be done. Raises NotFound, 403."""

    def write(records: Records) -> None:
        mine(records, desk, reader, task_id)
        rules.put_away(records, task_id)

    await desk.store.write(write)
    return await _changed(desk, task_id, Touched())


def seen(records: Records, desk: Services, reader: Reader, task_id: int) -> Task:
    """The task, if this reader sees it. Raises NotFound."""
    try:
        task = rules.task_by_id(records, task_id)
    except NotFound:
        raise NotFound(NOT_THERE) from None  # the same words as for one that is there: they tell nothing
    if not reach_of(desk, reader).sees(task):
        raise NotFound(NOT_THERE)
    return task


def mine(records: Records, desk: Services, reader: Reader, task_id: int) -> Task:
    """The task, if this reader may change it. Raises NotFound, 403."""
    task = seen(records, desk, reader, task_id)
    if not reach_of(desk, reader).may_change(task):
        raise HTTPException(403, NOT_YOURS)
    return task


async def tell(desk: Services, touched: Touched) -> None:
    """The screens at once; the worker would a moment later, and it tells Redis when that cannot be told now."""
    with suppress(StoreGone):
        await desk.parts.finder.forget(touched.keys, touched.tails, touched.ranges)
    desk.cards.changed(touched.customer_ids)


def facts(task: Task) -> dict[str, Any]:
    """A task as the API writes it."""
    rule = due.read_repeat(task.repeats)
    return {
        "task_id": task.id,
        "title": task.title,
        "state": task.state,
        "due_at": rfc3339(task.due_at),
        "snoozed_to": rfc3339(task.snoozed_to),
        "done_at": rfc3339(task.done_at),
        "repeats": rule.kind if rule else "",
        "user_id": task.user_id,
        "responsible": task.user.name if task.user else None,
        "customer_id": task.customer_id,
        "customer_name": task.customer.name if task.customer else None,
        "call_id": task.call_id,
        "created_by": task.created_by.name if task.created_by else None,
        "created_at": rfc3339(task.created_at),
    }


async def _changed(desk: Services, task_id: int, touched: Touched, held: int | None = None) -> Task:
    """Tells the screens: the cards that show the task, and the reminders of whoever has it, or had it before."""
    task = await desk.store.read(lambda records: rules.task_by_id(records, task_id))
    await tell(desk, touched)
    at_ms = int(desk.parts.clock().timestamp() * 1000)
    for user_id in {task.user_id, held} - {None}:
        desk.hub.tell(Notice("task_due", at_ms, None, task.customer_id, task_id, user_id))
    return task


def local_parts(moment: datetime | None, desk: Services) -> tuple[str, str]:
    """A moment as the fields of a form show it: day, and time on the company's clock."""
    if moment is None:
        return "", ""
    local = moment.astimezone(desk.zone)
    return local.date().isoformat(), f"{local:%H:%M}"


def typed_when(day: str, at: str) -> str:
    """The two fields of a form as `read_when` takes them. Raises Refused for a time without a day."""
    day, at = day.strip(), at.strip()
    if at and not day:
        raise Refused(say("a time needs a day: when is it due?"))
    if not at:
        return day
    try:
        return f"{day}T{time.fromisoformat(at):%H:%M}"
    except ValueError:
        raise Refused(say("{at!r} is no time; write it like 16:30", at=at)) from None
