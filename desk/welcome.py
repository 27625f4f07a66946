"""The walk to one's first call: a customer who does not exist rings on this very page, and one does with the card what
one will do every day. For administrators, who are the first to see a desk.
"""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session as Records

from desk.people import Reader
from desk.services import Desk, Services
from desk.sessions import Session
from desk.sign_in import TooMany
from desk.simulated_calls import Administrator, TheSimulations, begin_call
from desk.simulating import Simulations
from desk.views import sight
from lookup import numbers
from lookup.notices import LiveCall
from records.errors import Conflict, DatabaseGone, Refused
from records.first_calls import go_to, number_to_show, step_of
from records.notes import notes_of_call

pages = APIRouter(include_in_schema=False)

Stage = Literal["begin", "ringing", "talking", "after"]


@pages.get("/welcome")
async def page(request: Request, desk: Desk, session: Administrator, simulations: TheSimulations) -> Response:
    return await _page(request, desk, session, simulations)


@pages.get("/pieces/welcome")
async def steps_again(
    request: Request, desk: Desk, session: Administrator, simulations: TheSimulations
) -> HTMLResponse:
    """The steps as they are now."""
    values = await _values(desk, session.reader, simulations)
    return desk.pages.part(request, session, "welcome_steps.html", **values)


@pages.post("/welcome/ring")
async def ring(request: Request, desk: Desk, session: Administrator, simulations: TheSimulations) -> Response:
    """A customer rings the reader, on their own pages alone; one that rings already is enough."""
    reader = session.reader
    before = simulations.of_page(reader.user_id)
    if before is None or before.ended_ms:
        try:
            number = await desk.store.read(number_to_show) or numbers.example(desk.parts.settings.company.country)
            await begin_call(desk, simulations, reader, number or "withheld")
        except (Refused, Conflict) as refused:
            return await _page(request, desk, session, simulations, 422, str(refused))
        except TooMany as wait:
            return await _page(request, desk, session, simulations, 429, str(wait))
        await desk.store.write_once(lambda records: go_to(records, reader.user_id, "rung"))
    return RedirectResponse("/welcome", 303)


@pages.post("/welcome/over")
async def over(desk: Desk, session: Administrator) -> Response:
    """Done, or not wanted: the first page does not offer it any more."""
    await desk.store.write_once(lambda records: go_to(records, session.reader.user_id, "over"))
    return RedirectResponse("/", 303)


async def is_offered(desk: Services, reader: Reader) -> bool:
    """Whether the first page leads to it."""
    if not sight(reader.role).test_calls:
        return False
    try:
        return await desk.store.read(lambda records: step_of(records, reader.user_id)) != "over"
    except DatabaseGone:
        return False


def stage_of(call: LiveCall | None, has_rung: bool) -> Stage:
    """Where in the walk somebody is, by the last call that was simulated for them."""
    if call is None:
        return "after" if has_rung else "begin"
    if call.ended_ms:
        return "after" if call.answered_ms else "begin"
    return "talking" if call.answered_ms else "ringing"


async def _page(
    request: Request, desk: Services, session: Session, simulations: Simulations, status: int = 200, said: str = ""
) -> Response:
    values = await _values(desk, session.reader, simulations)
    return await desk.pages.page(request, session, "welcome.html", status, **values, said=said)


async def _values(desk: Services, reader: Reader, simulations: Simulations) -> dict[str, Any]:
    call = simulations.of_page(reader.user_id)

    def read(records: Records) -> tuple[bool, bool]:
        noted = call is not None and bool(notes_of_call(records, call.call_id, of=reader.user_id))
        return bool(step_of(records, reader.user_id)), noted

    has_rung, noted = await desk.store.read(read)
    customer_id = call.customer_id if call else None
    return {"stage": stage_of(call, has_rung), "walk_call": call, "noted": noted, "customer_id": customer_id}
