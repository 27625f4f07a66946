"""The first page: the live desk, with the reader's own figures of today and their last calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from desk.people import Reader
from desk.services import Desk, Services
from desk.sessions import SignedIn
from desk.welcome import is_offered
from records.calls import bounds, calls_of_day
from records.errors import DatabaseGone
from records.pages import LONGEST_PAGE
from records.tables import CallRow, Task
from records.tasks import tasks_due

router = APIRouter(include_in_schema=False)

LAST_CALLS = 8


@dataclass(frozen=True, slots=True)
class Figures:
    """One person's day so far."""

    answered: int
    missed: int
    talk_s: float
    wait_s: float | None  # how long those waited whom they answered, on average


@router.get("/")
async def first_page(request: Request, desk: Desk, session: SignedIn) -> Response:
    directory = await desk.people.directory()
    today = await _today(desk, session.reader)
    return await desk.pages.page(
        request,
        session,
        "desk.html",
        phones=sorted(directory.phones_of(session.reader.user_id)),
        walk=today["figures"] is not None and await is_offered(desk, session.reader),
        part_of_day=part_of_day(desk.parts.clock().astimezone(desk.zone)),
        **today,
    )


@router.get("/pieces/today")
async def today_again(request: Request, desk: Desk, session: SignedIn) -> HTMLResponse:
    """The part of the first page that changes with every call's end."""
    values = await _today(desk, session.reader)
    return desk.pages.part(request, session, "today.html", reader=session.reader, **values)


def part_of_day(local: datetime) -> str:
    """morning | afternoon | evening | night, by which one is greeted."""
    if 5 <= local.hour < 12:
        return "morning"
    if 12 <= local.hour < 18:
        return "afternoon"
    return "evening" if local.hour >= 18 else "night"


def figures(rows: Sequence[CallRow], user_id: int) -> Figures:
    """Of calls that concern the user. Missed: a call from outside that nobody answered."""
    mine = [row for row in rows if row.answered_by_id == user_id]
    waits = [row.wait_s for row in mine if row.wait_s is not None]
    return Figures(
        answered=len(mine),
        missed=sum(is_missed(row) for row in rows),
        talk_s=sum(row.talk_s or 0 for row in mine),
        wait_s=sum(waits) / len(waits) if waits else None,
    )


def is_missed(row: CallRow) -> bool:
    return row.direction == "inbound" and row.outcome not in ("", "answered", "voicemail", "blocked")


async def day_of(desk: Services, reader: Reader) -> Figures:
    """The reader's own day so far. Raises DatabaseGone."""
    day, zone = desk.today(), desk.parts.settings.company.time_zone

    def mine(session: Session) -> Sequence[CallRow]:
        return calls_of_day(session, day, zone, people=(reader.user_id,), limit=LONGEST_PAGE).items

    return figures(await desk.store.read(mine), reader.user_id)


async def _today(desk: Services, reader: Reader) -> dict[str, Any]:
    """Without the records the page still shows live calls; figures are then None."""
    day, zone = desk.today(), desk.parts.settings.company.time_zone

    def mine(session: Session) -> tuple[Sequence[CallRow], Sequence[Task]]:
        calls = calls_of_day(session, day, zone, people=(reader.user_id,), limit=LONGEST_PAGE).items
        return calls, tasks_due(session, bounds(day, zone)[1], user_id=reader.user_id)

    try:
        rows, tasks = await desk.store.read(mine)
    except DatabaseGone:
        return {"figures": None, "last_calls": (), "tasks": ()}
    return {"figures": figures(rows, reader.user_id), "last_calls": rows[:LAST_CALLS], "tasks": tasks}
