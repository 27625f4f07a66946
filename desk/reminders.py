"""Tasks that have come up to somebody: what their pages show until it is dealt with, and what the stream tells of it.

A notice of the kind `task_due` only says that there is something to look at: what is shown is what the records say at
that moment. So one that comes twice, late or after the task was done changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from desk import formats
from desk.languages import Language
from desk.people import Reader
from desk.services import Desk, Services
from desk.sessions import SignedIn
from desk.tasks import facts
from lookup import due
from lookup.hours import Hours
from lookup.notices import Notice
from lookup.sql_duty import hours_of
from records.errors import DatabaseGone
from records.tables import Task
from records.tasks import up

log = logging.getLogger(__name__)

pages = APIRouter(include_in_schema=False)


@pages.get("/pieces/reminders")
async def all_of_mine(request: Request, desk: Desk, session: SignedIn) -> HTMLResponse:
    """All that waits for a word of this person; a page asks for it when it begins, and after every gap."""
    try:
        tasks, hours = await _read(desk, session.reader)
    except DatabaseGone:
        return HTMLResponse("", headers={"Retry-After": "5"})
    spoken = desk.pages.spoken_to(request, session.reader)
    return HTMLResponse("".join(_piece(desk, spoken, task, hours) for task in tasks))


async def reminder(desk: Services, reader: Reader, notice: Notice, spoken: Language | None) -> dict[str, Any] | None:
    """What the stream tells this reader of a task that came up, or was dealt with; None when it is not theirs.

    With the piece of a page when a language is given.
    """
    if notice.task_id is None or notice.user_id != reader.user_id:
        return None
    head = {
        "kind": notice.kind,
        "at": formats.rfc3339(formats.moment(notice.at_ms)),
        "version": notice.at_ms,
        "task_id": notice.task_id,
    }
    try:
        tasks, hours = await _read(desk, reader, notice.task_id)
    except DatabaseGone as gone:
        log.warning("a reminder is shown later: %s", gone)
        return {**head, "call_id": None, "up": True, "task": None, **({"html": None} if spoken else {})}
    task = tasks[0] if tasks else None
    data = {
        **head,
        "call_id": task.call_id if task else None,
        "up": task is not None,
        "task": facts(task) if task else None,
    }
    return {**data, "html": _piece(desk, spoken, task, hours) if task else None} if spoken else data


async def _read(desk: Services, reader: Reader, task_id: int | None = None) -> tuple[Sequence[Task], Hours]:
    now = desk.parts.clock()
    return await desk.store.read(
        lambda records: (up(records, reader.user_id, now, task_id), hours_of(records, reader.user_id))
    )


def _piece(desk: Services, spoken: Language, task: Task, hours: Hours) -> str:
    tomorrow = due.snoozed("tomorrow", desk.parts.clock(), desk.zone, hours)
    return desk.pages.piece(spoken, "reminder.html", task=task, tomorrow=tomorrow)
