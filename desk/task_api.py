"""/api/v1/tasks: what is to be done, listed, made, changed and done by programs and by our own pages."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from config.sentences import say
from desk import described, shapes, tasks
from desk.bounds import After, Id, IfMatch, Limit
from desk.note_pages import Key
from desk.services import Desk
from desk.sessions import TheReader
from desk.tasks import facts, reach_of, read_when
from lookup.due import SNOOZES
from lookup.hours import Hours
from records import tasks as rules
from records.errors import Conflict, Refused
from records.tables import Task

router = APIRouter(prefix="/api/v1/tasks", tags=["tasks"])

SHOWN = 50

When = Annotated[
    str | None,
    Field(max_length=40, description="RFC 3339; or, on the company's clock, 2026-04-14T16:30, or a day: its morning"),
]
Repeats = Annotated[Literal["", "workdays", "weekly", "monthly"], Field(description="on the day of `due_at`")]


class TaskFields(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    title: Annotated[str, Field(max_length=10_000)] = ""
    due_at: When = None
    repeats: Repeats = ""
    user_id: Annotated[Id | None, Field(description="who is to do it; left out: you, null: nobody yet")] = None
    customer_id: Id | None = None


class NewTask(TaskFields):
    call_id: Annotated[str | None, Field(description="of the call in which it came up")] = None


class Changes(TaskFields):
    state: Literal["open", "done"] = "open"


class Snoozed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    until: Annotated[str, Field(max_length=20, json_schema_extra={"enum": [*SNOOZES]})]


MADE: dict[int | str, dict[str, Any]] = {
    200: {"model": shapes.Task, "description": "It was made before, with the same key"},
    **described.TAGGED,
    **described.also(404),
}


@router.get("", response_model=shapes.Tasks)
async def listed(
    desk: Desk,
    reader: TheReader,
    user_id: Id | None = None,
    customer_id: Id | None = None,
    call_id: str = "",
    state: Annotated[Literal["open", "done", "all"], Query()] = "open",
    due_before: Annotated[str, Query(max_length=40, description="as `due_at` is written")] = "",
    after: After = "",
    limit: Limit = SHOWN,
) -> dict[str, Any]:
    """Tasks, those due first before others. Yours, unless you name a person, a customer or a call.

    `next` leads to the next page. You see your own, those of people whom you look after, and, where your role sees
    tasks on cards, those of customers.
    """
    try:
        before = read_when(due_before, desk, Hours)
    except ValueError as exc:
        raise Refused(say("{field}: {what}", field="due_before", what=str(exc))) from None
    of = reader.user_id if user_id is None and customer_id is None and not call_id else user_id
    page = await desk.store.read(
        lambda records: rules.list_tasks(
            records,
            reach_of(desk, reader),
            user_id=of,
            customer_id=customer_id,
            call_id=call_id,
            state="" if state == "all" else state,
            due_before=before,
            after=after,
            limit=limit,
        )
    )
    return {"items": [facts(task) for task in page.items], "next": page.next}


@router.post("", status_code=201, response_model=shapes.Task, responses=MADE)
async def add(desk: Desk, reader: TheReader, task: NewTask, idempotency_key: Key = "") -> JSONResponse:
    """A new task. The same again with the same Idempotency-Key makes nothing, and tells what there is."""
    made, is_new = await tasks.add(desk, reader, task.model_dump(exclude_unset=True), idempotency_key)
    return _told(made, 201 if is_new else 200)


@router.get("/{task_id:id}", response_model=shapes.Task, responses=described.TAGGED)
async def one(desk: Desk, reader: TheReader, task_id: Id) -> JSONResponse:
    """One task; its `ETag` is for changing it."""
    return _told(await desk.store.read(lambda records: tasks.seen(records, desk, reader, task_id)))


@router.patch("/{task_id:id}", response_model=shapes.Task, responses=described.TAGGED)
async def change(desk: Desk, reader: TheReader, task_id: Id, changes: Changes, if_match: IfMatch = "") -> JSONResponse:
    """Change what you name; `If-Match` is the `ETag` that you read. With another date or person it comes up anew."""
    mark = if_match.strip().removeprefix("W/").strip('"')
    if not mark:
        raise HTTPException(428, say("Give the ETag of the task as If-Match, so that nobody's change is lost."))
    given = changes.model_dump(exclude_unset=True)
    state = given.pop("state", None)
    try:
        changed = await tasks.change(desk, reader, task_id, given, mark)
    except Conflict as conflict:
        raise HTTPException(412, str(conflict)) from None
    if state and state != changed.state:
        changed = await (tasks.finish if state == "done" else tasks.reopen)(desk, reader, task_id)
    return _told(changed)


@router.post("/{task_id}/done", response_model=shapes.Task, responses=described.TAGGED)
async def done(desk: Desk, reader: TheReader, task_id: Id) -> JSONResponse:
    """It is done; once is enough. Of one that repeats the next is made."""
    return _told(await tasks.finish(desk, reader, task_id))


@router.post("/{task_id}/snooze", response_model=shapes.Task, responses=described.TAGGED)
async def snooze(desk: Desk, reader: TheReader, task_id: Id, snoozed: Snoozed) -> JSONResponse:
    """Have it come up again: in `10m`, in `1h`, or `tomorrow`, the next working day's morning."""
    return _told(await tasks.snooze(desk, reader, task_id, snoozed.until))


@router.post("/{task_id}/put-away", response_model=shapes.Task, responses=described.TAGGED)
async def put_away(desk: Desk, reader: TheReader, task_id: Id) -> JSONResponse:
    """It was seen: it does not come up again, and stays open."""
    return _told(await tasks.put_away(desk, reader, task_id))


def _told(task: Task, status: int = 200) -> JSONResponse:
    return JSONResponse(facts(task), status, {"ETag": f'"{rules.mark_of(task)}"'})
