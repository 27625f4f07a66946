"""/tasks: what one has to do, what others have to do for those who look after them, and one task to change or hand on.

The same forms stand on the page of a customer; `back` says where to go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session as Records

from config.sentences import say
from desk import formats, tasks
from desk.services import Desk, Services
from desk.sessions import Session, SignedIn
from desk.sign_in import local
from desk.task_calendar import address_of
from lookup import due
from records import tasks as rules
from records.errors import Conflict, Refused
from records.pages import Page
from records.tables import Customer, Task, User
from records.task_calendars import calendar_mark
from records.tasks import Reach
from records.users import list_users

pages = APIRouter(include_in_schema=False)

PER_PAGE = 100
Text = Annotated[str, Form(max_length=2000)]
Groups = Sequence[tuple[due.Group, Sequence[Task]]]
EVERY = (
    say("every Monday"),
    say("every Tuesday"),
    say("every Wednesday"),
    say("every Thursday"),
    say("every Friday"),
    say("every Saturday"),
    say("every Sunday"),
)
EMPTY: Mapping[str, str] = dict.fromkeys(("title", "day", "at", "repeats", "user", "customer"), "")


@pages.get("/tasks")
async def page(request: Request, desk: Desk, session: SignedIn, of: str = "me", after: str = "") -> Response:
    """`of`: me, others or done."""
    return await _page(request, desk, session, of, after)


@pages.post("/tasks")
async def add(
    request: Request,
    desk: Desk,
    session: SignedIn,
    title: Text = "",
    day: Text = "",
    at: Text = "",
    repeats: Text = "",
    user: Text = "",
    customer: Text = "",
    back: Text = "/tasks",
) -> Response:
    typed = {"title": title, "day": day, "at": at, "repeats": repeats, "user": user, "customer": customer}
    try:
        await tasks.add(desk, session.reader, _given(typed))
    except Refused as refused:
        return await _page(request, desk, session, "me", status=422, said=str(refused), typed=typed)
    return RedirectResponse(local(back), 303)


@pages.get("/tasks/{task_id}")
async def one_page(request: Request, desk: Desk, session: SignedIn, task_id: int) -> Response:
    return await _one(request, desk, session, task_id)


@pages.post("/tasks/{task_id}")
async def save(
    request: Request,
    desk: Desk,
    session: SignedIn,
    task_id: int,
    mark: Text = "",
    title: Text = "",
    day: Text = "",
    at: Text = "",
    repeats: Text = "",
    user: Text = "",
    customer: Text = "",
) -> Response:
    """Save what was typed; what cannot be kept comes back with what is wrong, and nothing is lost that was typed."""
    typed = {"title": title, "day": day, "at": at, "repeats": repeats, "user": user, "customer": customer}
    try:
        before = await desk.store.read(lambda records: tasks.seen(records, desk, session.reader, task_id))
        given = _given(typed)
        if (day.strip(), at.strip()) == tasks.local_parts(before.due_at, desk):
            del given["due_at"]  # to the minute it is as it was
        await tasks.change(desk, session.reader, task_id, given, mark)
    except Refused as refused:
        return await _one(request, desk, session, task_id, 422, str(refused), typed)
    except Conflict as conflict:
        return await _one(request, desk, session, task_id, 409, str(conflict))
    return RedirectResponse("/tasks", 303)


@pages.post("/tasks/{task_id}/done")
async def done(desk: Desk, session: SignedIn, task_id: int, back: Text = "/tasks") -> Response:
    await tasks.finish(desk, session.reader, task_id)
    return RedirectResponse(local(back), 303)


@pages.post("/tasks/{task_id}/reopen")
async def reopen(desk: Desk, session: SignedIn, task_id: int, back: Text = "/tasks") -> Response:
    await tasks.reopen(desk, session.reader, task_id)
    return RedirectResponse(local(back), 303)


def grouped(found: Sequence[Task], desk: Services) -> Groups:
    """Open tasks in the order of the records, under what they have in common."""
    now, zone = desk.parts.clock(), desk.zone
    return [(name, list(of)) for name, of in groupby(found, lambda task: due.group(task.due_at, now, zone))]


def repeats_in_words(text: str) -> str:
    """ "every Friday", "on the 31st of each month"; empty: it does not repeat."""
    rule = due.read_repeat(text)
    if rule is None:
        return ""
    if rule.kind == "workdays":
        return say("every working day")
    if rule.kind == "weekly":
        return EVERY[rule.day]
    ending = "th" if rule.day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rule.day % 10, "th")
    day = formats.local(f"{rule.day}{ending}", lambda _: str(rule.day))  # only English writes it so
    if rule.day > 28:
        return say("on the {day} of each month, or its last day", day=day)
    return say("on the {day} of each month", day=day)


def form_parts(desk: Services, session: Session, people: Sequence[User]) -> dict[str, Any]:
    """What the form of a task needs, on whichever page it stands."""
    return {"task_people": people, "task_typed": {**EMPTY, "user": str(session.reader.user_id)}}


async def beside_customer(desk: Services, session: Session) -> dict[str, Any]:
    """What the page of a customer needs to show tasks and take new ones."""
    reach = tasks.reach_of(desk, session.reader)
    people = await desk.store.read(list_users)
    return {**form_parts(desk, session, people), "may_change_task": reach.may_change, "in_words": repeats_in_words}


async def _page(
    request: Request,
    desk: Services,
    session: Session,
    of: str,
    after: str = "",
    status: int = 200,
    said: str = "",
    typed: Mapping[str, str] | None = None,
) -> Response:
    reader = session.reader

    def read(records: Records) -> tuple[Page[Task], Sequence[User], str, Customer | None]:
        mark = calendar_mark(records, reader.user_id)
        chosen = _customer(records, (typed or {}).get("customer", ""))
        return _listed(desk, session, records, of, after), list_users(records), mark, chosen

    found, people, mark, chosen = await desk.store.read(read)
    parts = form_parts(desk, session, people)
    return await desk.pages.page(
        request,
        session,
        "tasks.html",
        status,
        of=of,
        groups=[("done", found.items)] if of == "done" and found.items else grouped(found.items, desk),
        next=found.next,
        said=said,
        **{**parts, "task_typed": {**parts["task_typed"], **(typed or {})}},
        task_customer=chosen,
        in_words=repeats_in_words,
        may_change_task=tasks.reach_of(desk, reader).may_change,
        calendar=address_of(desk, reader.user_id, mark) if mark else "",
    )


def _listed(desk: Services, session: Session, records: Records, of: str, after: str) -> Page[Task]:
    me = session.reader.user_id
    if of == "done":
        return rules.done_tasks(records, Reach(me, session.reader.sees), me, after=after, limit=PER_PAGE)
    reach = Reach(me, session.reader.sees)
    if of == "others":
        return rules.list_tasks(records, reach, but=me, after=after, limit=PER_PAGE)
    return rules.list_tasks(records, reach, user_id=me, after=after, limit=PER_PAGE)


async def _one(
    request: Request,
    desk: Services,
    session: Session,
    task_id: int,
    status: int = 200,
    said: str = "",
    typed: Mapping[str, str] | None = None,
) -> Response:
    def read(records: Records) -> tuple[Task, Sequence[User], Customer | None]:
        task = tasks.seen(records, desk, session.reader, task_id)
        chosen = _customer(records, typed["customer"]) if typed else task.customer
        people = list(list_users(records))
        if task.user and task.user not in people:  # who has left keeps what nobody has taken over
            people.append(task.user)
        return task, people, chosen

    task, people, chosen = await desk.store.read(read)
    day, at = tasks.local_parts(task.due_at, desk)
    rule = due.read_repeat(task.repeats)
    kept = {
        "title": task.title,
        "day": day,
        "at": at,
        "repeats": rule.kind if rule else "",
        "user": str(task.user_id or ""),
        "customer": str(task.customer_id or ""),
    }
    return await desk.pages.page(
        request,
        session,
        "task.html",
        status,
        task=task,
        task_people=people,
        task_typed=typed or kept,
        task_customer=chosen,
        mark=rules.mark_of(task),
        said=said,
        in_words=repeats_in_words,
        may_change=tasks.reach_of(desk, session.reader).may_change(task),
    )


def _given(typed: Mapping[str, str]) -> dict[str, Any]:
    """A form as `desk.tasks` takes it. Raises Refused."""
    return {
        "title": typed["title"],
        "due_at": tasks.typed_when(typed["day"], typed["at"]),
        "repeats": typed["repeats"],
        "user_id": _id(typed["user"]),
        "customer_id": _id(typed["customer"]),
    }


def _id(typed: str) -> int | None:
    if typed and not (typed.isascii() and typed.isdecimal() and len(typed) < 19):
        raise HTTPException(422, say("{typed!r} is no id.", typed=typed))
    return int(typed) if typed else None


def _customer(records: Records, typed: str) -> Customer | None:
    known = typed.isascii() and typed.isdecimal() and len(typed) < 19
    return records.get(Customer, int(typed)) if known else None
