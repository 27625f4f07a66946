"""Who saw which customer's card, as a page and in the API, for administrators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import Response

from config.sentences import say
from desk import shapes
from desk.bounds import After, Id, Limit
from desk.entering import one
from desk.formats import rfc3339
from desk.people import Reader
from desk.services import Desk, Services
from desk.sessions import Session, SignedIn
from desk.views import sight
from records.pages import Page
from records.seen import A_PHONE, SeenRow, looks

pages = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1/seen", tags=["customers"])

SHOWN = 50
AT_A_GLANCE = 8

WAYS = {
    "page": say("on the page"),
    "call": say("with a call"),
    "api": say("by the API"),
    "file": say("in a file, or on a phone's screen"),
}


async def may_see(session: SignedIn) -> Session:
    if not sight(session.reader.role).seen:
        raise HTTPException(403, say("Who saw which card is for administrators."))
    return session


MaySee = Annotated[Session, Depends(may_see)]


@pages.get("/seen")
async def page(
    request: Request, desk: Desk, session: MaySee, customer: Id | None = None, person: str = "", after: str = ""
) -> Response:
    """`person`: an id, or empty for everybody."""
    user_id = int(person) if person.isdecimal() and len(person) < 10 else None
    found = await _looks(desk, customer, user_id, after, SHOWN)
    of = await desk.store.read(lambda records: one(records, customer)) if customer is not None else None
    directory = await desk.people.directory()
    return await desk.pages.page(
        request,
        session,
        "seen.html",
        looks=found.items,
        next=found.next,
        customer=of,
        person=user_id,
        people=sorted(directory.names.items(), key=lambda each: (each[1].casefold(), each[0])),
        ways=WAYS,
        days=desk.parts.settings.desk.seen_days,
    )


@api.get("", response_model=shapes.SeenPage)
async def listed(
    desk: Desk,
    session: MaySee,
    customer_id: Id | None = None,
    user_id: Id | None = None,
    after: After = "",
    limit: Limit = SHOWN,
) -> dict[str, Any]:
    """Who saw which card, the newest first; each person, customer and `way` (page, call, api, file) once in an hour.
    `user_id` null: a phone, by the address that it was given for a call. For administrators."""
    found = await _looks(desk, customer_id, user_id, after, limit)
    return {"items": [_facts(look) for look in found.items], "next": found.next}


async def seen_beside(desk: Services, reader: Reader, customer_id: int) -> dict[str, Any]:
    """What a customer's page shows of it; nothing to whoever may not see it."""
    if not sight(reader.role).seen:
        return {"seen": None, "ways": WAYS}
    found = await _looks(desk, customer_id, None, "", AT_A_GLANCE)
    return {"seen": found.items, "ways": WAYS}


async def _looks(desk: Services, customer_id: int | None, user_id: int | None, after: str, limit: int) -> Page[SeenRow]:
    wanted = {"customer_id": customer_id, "user_id": user_id}
    return await desk.store.read(lambda records: looks(records, **wanted, after=after, limit=limit))


def _facts(look: SeenRow) -> dict[str, Any]:
    return {
        "at": rfc3339(look.at),
        "way": look.way,
        "user_id": None if look.user_id == A_PHONE else look.user_id,
        "user": look.user,
        "customer_id": look.customer_id,
        "customer": look.customer,
    }
