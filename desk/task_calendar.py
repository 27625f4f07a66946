"""GET /tasks/calendar/{secret}.ics: a person's open tasks, for a calendar program to subscribe to.

Such a program has no session: the address itself is the secret. It is made from the desk's own secret, the person and
a mark in the records, so that neither a copy of the records nor an address of before leads to anything.
"""

from __future__ import annotations

import hashlib
import hmac

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session as Records

from config.sentences import say
from desk import calendar_file
from desk.services import Desk, Services
from desk.sessions import SignedIn
from records.errors import NotFound
from records.task_calendars import calendar_mark, end_calendar, renew_calendar
from records.tasks import Reach, list_tasks

pages = APIRouter(include_in_schema=False)

MOST = 500
NOWHERE = say("This calendar is no longer there. Take its new address from the page of tasks.")


@pages.post("/tasks/calendar/renew")
async def renew(desk: Desk, session: SignedIn) -> Response:
    """From now on another address leads to the calendar, and the one before leads nowhere."""
    await desk.store.write(lambda records: renew_calendar(records, session.reader.user_id))
    return RedirectResponse("/tasks#calendar", 303)


@pages.post("/tasks/calendar/end")
async def end(desk: Desk, session: SignedIn) -> Response:
    await desk.store.write(lambda records: end_calendar(records, session.reader.user_id))
    return RedirectResponse("/tasks#calendar", 303)


@pages.get("/tasks/calendar/{secret}.ics")
async def calendar(request: Request, desk: Desk, secret: str) -> Response:
    user_id = _whose(secret)
    mark = await desk.store.read(lambda records: calendar_mark(records, user_id)) if user_id is not None else ""
    if user_id is None or not mark or not hmac.compare_digest(secret.encode(), _secret(desk, user_id, mark).encode()):
        raise NotFound(NOWHERE)
    account = await desk.people.account(user_id)
    if account is None or not account.active:
        raise NotFound(NOWHERE)

    settings, spoken = desk.parts.settings, desk.pages.spoken_to(request, account.reader)
    named = spoken.put(say("{company}: tasks", company=settings.company.name))

    def read(records: Records) -> str:
        mine = list_tasks(records, Reach(user_id, (user_id,)), user_id=user_id, limit=MOST).items
        return calendar_file.of(mine, named, settings.public_url, desk.parts.clock())

    return Response(await desk.store.read(read), media_type="text/calendar; charset=utf-8")


def address_of(desk: Services, user_id: int, mark: str) -> str:
    return f"{desk.parts.settings.public_url.rstrip('/')}/tasks/calendar/{_secret(desk, user_id, mark)}.ics"


def _secret(desk: Services, user_id: int, mark: str) -> str:
    said = hmac.new(desk.parts.secret.encode(), f"tasks calendar {user_id} {mark}".encode(), hashlib.sha256)
    return f"{user_id}-{said.hexdigest()[:40]}"


def _whose(secret: str) -> int | None:
    user_id = secret.partition("-")[0]
    return int(user_id) if user_id.isascii() and user_id.isdecimal() and len(user_id) < 10 else None
