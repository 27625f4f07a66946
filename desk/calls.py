"""The log of calls as pages and as JSON: one day's calls, and one call with every phone that rang for it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from config.sentences import say
from desk import shapes
from desk.bounds import After, Day, Limit
from desk.formats import rfc3339
from desk.notes import panel, whose
from desk.people import Directory, Reader
from desk.services import Desk, Services
from desk.sessions import SignedIn, TheReader
from desk.story import story
from lookup.notices import is_simulated
from records.calls import call as read_call
from records.calls import calls_of_day
from records.errors import NotFound
from records.notes import notes_of_call
from records.pages import Page
from records.tables import CallRow

pages = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1", tags=["calls"])

PER_PAGE = 50
"""So that the day before and the one after are days as well."""


@pages.get("/calls")
async def log_page(
    request: Request, desk: Desk, session: SignedIn, day: Day | None = None, after: str = ""
) -> Response:
    wanted, today = day or desk.today(), desk.today()
    rows = await desk.store.read(_reading(desk, wanted, session.reader.sees, after))
    return await desk.pages.page(
        request,
        session,
        "calls.html",
        rows=rows.items,
        next=rows.next,
        day=wanted,
        today=today,
        before=wanted - timedelta(days=1),
        following=wanted + timedelta(days=1) if wanted < today else None,
        directory=await desk.people.directory(),
    )


@pages.get("/calls/{call_id}")
async def call_page(request: Request, desk: Desk, session: SignedIn, call_id: str) -> Response:
    directory = await desk.people.directory()
    row = await desk.store.read(seen_call(call_id, session.reader.sees, directory))
    steps = story(row.started_at, row.trace, desk.hub.call(call_id))
    of = whose(desk, session.reader)
    notes = await desk.store.read(lambda records: notes_of_call(records, call_id, of=of))
    return await desk.pages.page(
        request,
        session,
        "call.html",
        call=row,
        directory=directory,
        steps=steps,
        **panel(notes, "call", f"/calls/{call_id}/notes"),
    )


@api.get("/calls", response_model=shapes.Calls)
async def log(
    desk: Desk, reader: TheReader, day: Day | None = None, after: After = "", limit: Limit = PER_PAGE
) -> dict[str, Any]:
    """Calls of one day of the company (today when none is given), newest first; `next` leads to the next page."""
    rows = await desk.store.read(_reading(desk, day or desk.today(), reader.sees, after, limit))
    sees = desk.layout.names_seen_by(reader.role)
    return {"items": [call_facts(row, sees) for row in rows.items], "next": rows.next}


@api.get("/calls/{call_id}", response_model=shapes.WholeCall)
async def one(desk: Desk, reader: TheReader, call_id: str) -> dict[str, Any]:
    """One call with its legs, and its story step by step; of a call that goes on what is known so far."""
    row = await desk.store.read(seen_call(call_id, reader.sees, await desk.people.directory()))
    legs = [
        {
            "endpoint": leg.endpoint,
            "started_at": rfc3339(leg.started_at),
            "answered_at": rfc3339(leg.answered_at),
            "ended_at": rfc3339(leg.ended_at),
            "outcome": leg.outcome,
        }
        for leg in row.legs
    ]
    steps = story(row.started_at, row.trace, desk.hub.call(call_id))
    trace = [{"at": rfc3339(step.at), "after_ms": step.after_ms, "what": step.what} for step in steps]
    return {**call_facts(row, desk.layout.names_seen_by(reader.role)), "legs": legs, "trace": trace}


async def customer_of_call(desk: Services, reader: Reader, call_id: str) -> int | None:
    """Whose call it is, as far as it is known; of one that goes on, before it is in the log.

    Raises NotFound when there is no such call, or it is not the reader's to see.
    """
    directory = await desk.people.directory()
    live = desk.hub.call(call_id)
    if live is not None and reader.may_see(directory.concerned(live)):
        await desk.cards.of(live)
        return desk.cards.as_chosen(live).customer_id
    row = await desk.store.read(seen_call(call_id, reader.sees, directory))
    return row.customer_id


def call_facts(row: CallRow, sees: Collection[str]) -> dict[str, Any]:
    """A call as the API writes it; names of the facts are those of the contract. `sees`: fields of the card that the
    reader may see; why it rang there names the manager.
    """
    return {
        "call_id": row.call_id,
        "linkedid": row.linkedid,
        "node": row.node,
        "direction": row.direction,
        "outcome": row.outcome,
        "started_at": rfc3339(row.started_at),
        "answered_at": rfc3339(row.answered_at),
        "ended_at": rfc3339(row.ended_at),
        "wait_s": row.wait_s,
        "talk_s": row.talk_s,
        "caller_number": row.caller_number,
        "caller_name": row.caller_name,
        "shown_name": row.shown_name,
        "called_number": row.called_number,
        "customer_id": row.customer_id,
        "customer_name": row.customer.name if row.customer else None,
        "answered_by": row.answered_by.name if row.answered_by else None,
        "reason": row.reason if "manager" in sees else "",
        "hangup_by": row.hangup_by,
        "hangup_cause": row.hangup_cause,
    }


def _reading(
    desk: Services, day: date, sees: Collection[int] | None, after: str, limit: int = PER_PAGE
) -> Callable[[Session], Page[CallRow]]:
    zone = desk.parts.settings.company.time_zone
    return lambda session: calls_of_day(session, day, zone, people=sees, after=after, limit=limit)


def seen_call(call_id: str, sees: Collection[int] | None, directory: Directory) -> Callable[[Session], CallRow]:
    def read(session: Session) -> CallRow:
        if is_simulated(call_id):
            raise NotFound(say("That was a simulated call. Such calls are kept nowhere."))
        row = read_call(session, call_id)
        if row is None or not _concerns(row, sees, directory):
            raise NotFound(say("There is no such call, or it is not yours to see."))
        return row

    return read


def _concerns(row: CallRow, sees: Collection[int] | None, directory: Directory) -> bool:
    """The rule of the log for one call: it rang at or came from one of these people's phones, one of them answered, or
    manages the customer.
    """
    if sees is None:
        return True
    phones = {row.caller_endpoint, *(leg.endpoint for leg in row.legs)}
    rang = frozenset[int]().union(*(directory.people(row.node, phone) for phone in phones))
    manager = row.customer.manager_id if row.customer else None
    return not rang.isdisjoint(sees) or row.answered_by_id in sees or manager in sees
