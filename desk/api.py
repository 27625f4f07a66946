"""What of the API belongs to no page: who I am, a lookup by hand, and the description of the API itself."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from desk import described, shapes
from desk.asking import expect_may_ask
from desk.people import Reader
from desk.queries import subject_of_card
from desk.services import Desk, Services
from desk.sessions import SignedIn, TheReader
from desk.views import Answers, Sheet, customer_view, reason_for
from lookup.answers import Caller, Found, Withheld

router = APIRouter(prefix="/api/v1")


@router.get("/me", tags=["me"], response_model=shapes.Me)
async def me(desk: Desk, reader: TheReader) -> dict[str, Any]:
    """The person this session belongs to, and their phones."""
    directory = await desk.people.directory()
    return {
        "user_id": reader.user_id,
        "login": reader.login,
        "name": reader.name,
        "role": reader.role,
        "phones": sorted(directory.phones_of(reader.user_id)),
    }


@router.get("/lookup", tags=["lookup"], response_model=shapes.Lookup, response_model_exclude_unset=True)
async def lookup(
    desk: Desk,
    reader: TheReader,
    number: Annotated[str, Query(max_length=100)],
    trunk: Annotated[str, Query(max_length=100)] = "",
    presentation: Annotated[str, Query(max_length=100)] = "",
) -> dict[str, Any]:
    """Who a caller with this number would be, and why, as a call would find it.

    A role that is not shown customers' numbers is told only of the number that calls it (403).
    """
    await expect_may_ask(desk, reader, number)
    caller = Caller(number, presentation=presentation, trunk=trunk)
    answer = await desk.parts.finder.find(caller, desk.parts.settings.lookup.budget_ms / 1000)
    result: dict[str, Any] = {"answer": type(answer).__name__.lower(), "reason": answer.reason}
    if not isinstance(answer, Withheld):
        result["number"] = asdict(answer.number)
    if isinstance(answer, Found):
        sheet = Sheet(desk.layout, _at_hand(desk, reader, answer))
        desk.seen.note(reader.user_id, (card.customer_id for card in answer.candidates), "api")
        result |= {
            "reason": reason_for(reader, answer.reason, answer.candidates, sheet),
            "tier": answer.tier,
            "may": answer.may,
            "source": answer.source,
            "chosen": answer.chosen.customer_id if answer.chosen else None,
            "candidates": [asdict(customer_view(card, reader, sheet)) for card in answer.candidates],
        }
    return result


def _at_hand(desk: Services, reader: Reader, answer: Found) -> dict[int, Answers]:
    """What queries know now of the customer; what they do not know yet they have a moment later."""
    names = desk.layout.queries_for(reader.role)
    if not answer.chosen or not names:
        return {}
    subject = subject_of_card(answer.chosen, answer.number.e164 or answer.number.raw)
    return {answer.chosen.customer_id: desk.queries.at_hand(subject, names)}


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request, session: SignedIn) -> dict[str, Any]:
    """The description of this API, for those who may use it."""
    return await asyncio.to_thread(described.of, request.app)  # the first time takes a while
