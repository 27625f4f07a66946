"""A customer's picture, and all calls of a customer, by the API. The picture itself is at the address that the customer
names (`photo`), which a token may read too."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session as Records

from desk import described, shapes
from desk.bounds import After, Id, IfMatch, Limit
from desk.calls import call_facts
from desk.entering import one, rules_for
from desk.entering_api import changed, version_of
from desk.people import Reader
from desk.services import Desk, Services
from desk.sessions import TheReader
from records.calls import calls_of_customer
from records.editing import edit
from records.photos import FORMATS, store_photo
from records.tables import Customer
from records.touched import Touched

router = APIRouter(prefix="/api/v1/customers/{customer_id}", tags=["customers"])

SHOWN = 50


@router.put(
    "/photo", response_model=shapes.Customer, responses=described.TAGGED, openapi_extra=described.picture(FORMATS)
)
async def put(request: Request, desk: Desk, reader: TheReader, customer_id: Id, if_match: IfMatch = "") -> Response:
    """Give the customer a picture: the file is the body. It is cut square and made anew, never passed on as it came."""
    version = version_of(if_match)
    raw = await request.body()
    name = await asyncio.to_thread(store_photo, desk.parts.settings.data_dir, raw)
    return await _with(request, desk, reader, customer_id, name, version)


@router.delete("/photo", response_model=shapes.Customer, responses=described.TAGGED)
async def take_away(
    request: Request, desk: Desk, reader: TheReader, customer_id: Id, if_match: IfMatch = ""
) -> Response:
    """Take the customer's picture away."""
    return await _with(request, desk, reader, customer_id, "", version_of(if_match))


@router.get("/calls", response_model=shapes.Calls)
async def calls(
    desk: Desk, reader: TheReader, customer_id: Id, after: After = "", limit: Limit = SHOWN
) -> dict[str, Any]:
    """All calls of this customer, newest first, as their card shows the last of them."""

    def read(records: Records) -> dict[str, Any]:
        one(records, customer_id)
        page = calls_of_customer(records, customer_id, after=after, limit=limit)
        sees = desk.layout.names_seen_by(reader.role)
        return {"items": [call_facts(row, sees) for row in page.items], "next": page.next}

    return await desk.store.read(read)


async def _with(
    request: Request, desk: Services, reader: Reader, customer_id: int, photo: str, version: int
) -> Response:
    rules, by_id = rules_for(desk, reader), reader.user_id

    def write(records: Records, _: Customer) -> Touched:
        return edit(records, customer_id, {"photo": photo}, (), rules, by_id, version)[1]

    return await changed(request, desk, reader, customer_id, version, write)
