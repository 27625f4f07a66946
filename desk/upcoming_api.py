"""Tasks that have come up, and the address of one's calendar of tasks, by the API."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.orm import Session as Records

from desk import shapes
from desk.services import Desk
from desk.sessions import TheReader
from desk.task_calendar import address_of
from desk.tasks import facts
from records.task_calendars import calendar_mark, end_calendar, renew_calendar
from records.tasks import up

router = APIRouter(prefix="/api/v1/tasks", tags=["tasks"])


@router.get("/up", response_model=shapes.Reminders)
async def reminders(desk: Desk, reader: TheReader) -> dict[str, Any]:
    """Tasks of yours that have come up and wait for a word: done, snooze or put-away."""
    now = desk.parts.clock()

    def read(records: Records) -> dict[str, Any]:
        return {"items": [facts(task) for task in up(records, reader.user_id, now)]}

    return await desk.store.read(read)


@router.get("/calendar", response_model=shapes.Calendar)
async def calendar(desk: Desk, reader: TheReader) -> dict[str, Any]:
    """The address at which a calendar program finds your tasks; null: there is none. It is a secret."""
    mark = await desk.store.read(lambda records: calendar_mark(records, reader.user_id))
    return {"address": address_of(desk, reader.user_id, mark) if mark else None}


@router.post("/calendar", response_model=shapes.Calendar)
async def renew(desk: Desk, reader: TheReader) -> dict[str, Any]:
    """Another address for your calendar; the one before leads nowhere."""
    mark = await desk.store.write_once(lambda records: renew_calendar(records, reader.user_id))
    return {"address": address_of(desk, reader.user_id, mark)}


@router.delete("/calendar", status_code=204)
async def end(desk: Desk, reader: TheReader) -> Response:
    """No address leads to your tasks any more."""
    await desk.store.write(lambda records: end_calendar(records, reader.user_id))
    return Response(status_code=204)
