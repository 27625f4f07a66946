"""Who is calling from a number that several customers share: a person says it once, and every call after takes it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from config.sentences import say
from desk import described, shapes
from desk.asking import expect_may_ask
from desk.bounds import Id
from desk.formats import rfc3339
from desk.people import Reader
from desk.services import Desk, Services
from desk.sessions import TheReader
from lookup.breaker import StoreGone
from records.choices import choice_for, choose, unchoose
from records.errors import NotFound, Refused
from records.touched import Touched

router = APIRouter(prefix="/api/v1/numbers/{number}/choice", tags=["customers"])


class Chosen(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    customer_id: Id


@router.get("", response_model=shapes.Choice)
async def chosen_one(desk: Desk, reader: TheReader, number: str) -> dict[str, Any]:
    """Who is chosen for this number, by whom and when; 404 when nobody is."""
    key = await _asked(desk, reader, number)
    choice = await desk.store.read(lambda records: choice_for(records, key))
    if choice is None:
        raise NotFound(say("Nobody is chosen for {number}.", number=key))
    return {
        "number": key,
        "customer_id": choice.customer_id,
        "chosen_by": choice.chosen_by.name if choice.chosen_by else None,
        "chosen_at": rfc3339(choice.chosen_at),
    }


@router.post("", status_code=204, responses=described.also(409))
async def choose_one(desk: Desk, reader: TheReader, number: str, chosen: Chosen) -> Response:
    """From now on whoever calls from this number is this customer, in the place of one chosen before."""
    key = await _asked(desk, reader, number)
    touched = await desk.store.write(lambda records: choose(records, key, chosen.customer_id, reader.user_id))
    await _tell(desk, touched)
    return Response(status_code=204)


@router.delete("", status_code=204)
async def choose_nobody(desk: Desk, reader: TheReader, number: str) -> Response:
    """Nobody is chosen any more: the card shows all who share the number."""
    key = await _asked(desk, reader, number)
    await _tell(desk, await desk.store.write(lambda records: unchoose(records, key)))
    return Response(status_code=204)


async def _asked(desk: Services, reader: Reader, number: str) -> str:
    """The number as customers have it. Raises Refused, 403."""
    await expect_may_ask(desk, reader, number)
    read = desk.parts.read_number(number)
    if not read.match_key:
        raise Refused(say("{number!r} is no whole phone number; write it with + and the country code", number=number))
    return read.match_key


async def _tell(desk: Services, touched: Touched) -> None:
    """The screens at once; the worker would a moment later, and it tells Redis when that cannot be told now."""
    with suppress(StoreGone):
        await desk.parts.finder.forget(touched.keys)
    desk.cards.changed(touched.customer_ids)
