"""The administrator's test call, with doctor's look at every link beside it, as a page and in the API; and, for whoever
it rings, answering and ending it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session as Records
from starlette.requests import HTTPConnection

from config.sentences import say
from desk import described, shapes
from desk.doctor import Doctor, Looked, doctor_of
from desk.formats import rfc3339
from desk.people import Reader
from desk.reading import read
from desk.routing import duty_of, local_now
from desk.services import Desk, Services
from desk.sessions import Session, SignedIn, TheReader
from desk.sign_in import TooMany
from desk.simulating import RING_S, Simulations, Wanted, turn_to
from desk.story import simulated_story
from desk.views import Sheet, reason_for, sight
from lookup import reasons
from lookup.answers import Answer, Caller
from lookup.notices import LiveCall
from lookup.simulated import Turn, read_caller, turn_to_page, turn_to_phones, turns_of
from lookup.trying import way_of
from records.customers import customer
from records.errors import Conflict, NotFound, Refused

pages = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1", tags=["calls"])

doctoring = APIRouter(prefix="/api/v1", tags=["operations"])

LOOKUP_S = 3.0
Text = Annotated[str, Form(max_length=200)]


async def may_test(session: SignedIn) -> Session:
    if not sight(session.reader.role).test_calls:
        raise HTTPException(403, say("Test calls and doctor are for administrators."))
    return session


def simulations_of(connection: HTTPConnection) -> Simulations:
    return cast(Simulations, connection.app.state.simulations)


Administrator = Annotated[Session, Depends(may_test)]
TheDoctor = Annotated[Doctor, Depends(doctor_of)]
TheSimulations = Annotated[Simulations, Depends(simulations_of)]


class NewTestCall(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    number: Annotated[str, Field(max_length=100, description="who calls; or the word withheld")]
    person_id: Annotated[int | None, Field(description="whom it rings; left out: you, on your own pages")] = None
    phone: Annotated[str, Field(max_length=80, description="instead of a person: this phone of the first PBX")] = ""
    by_rules: Annotated[bool, Field(description="instead of both: as the company's rules say")] = False


# --- the page


@pages.get("/test-call")
async def page(
    request: Request, desk: Desk, session: Administrator, doctor: TheDoctor, number: str = "", call: str = ""
) -> Response:
    """`call`: the one that was begun, whose story is shown."""
    return await _page(request, desk, session, doctor, typed={"number": number[:100]}, call_id=call)


@pages.post("/test-call")
async def begin(
    request: Request,
    desk: Desk,
    session: Administrator,
    doctor: TheDoctor,
    simulations: TheSimulations,
    number: Text = "",
    customer: Text = "",
    to: Text = "me",
) -> Response:
    """`customer`: an id, instead of a number. `to`: me, rules, person:7 or phone:101."""
    typed = {"number": number, "customer": customer, "to": to}
    kind, _, whom = to.partition(":")
    try:
        call = await begin_call(
            desk,
            simulations,
            session.reader,
            await _number_of(desk, customer) if customer else number,
            person_id=_id(whom) if kind == "person" else None,
            phone=whom if kind == "phone" else "",
            by_rules=kind == "rules",
        )
    except (Refused, Conflict, NotFound) as refused:
        return await _page(request, desk, session, doctor, 422, said=str(refused), typed=typed)
    except TooMany as wait:
        return await _page(request, desk, session, doctor, 429, said=str(wait), typed=typed)
    return RedirectResponse(f"/test-call?call={call.call_id}", 303)


@pages.post("/test-call/doctor")
async def look(session: Administrator, doctor: TheDoctor) -> Response:
    await doctor.look()
    return RedirectResponse("/test-call#doctor", 303)


@pages.get("/pieces/simulated-story")
async def story_again(request: Request, desk: Desk, session: Administrator, call: str = "") -> HTMLResponse:
    return desk.pages.part(request, session, "simulated_story.html", **await _story(desk, session.reader, call))


# --- the API


@api.post("/test-calls", status_code=201, response_model=shapes.TestCall, responses=described.also(404, 409, 429))
async def begin_json(
    desk: Desk, session: Administrator, simulations: TheSimulations, asked: NewTestCall
) -> dict[str, Any]:
    """Have a call simulated: it is looked up as a call is, and shown as live to those whom it rings. No telephone
    rings, and it is not in the log. For administrators.
    """
    try:
        call = await begin_call(desk, simulations, session.reader, **asked.model_dump())
    except TooMany as wait:
        raise HTTPException(429, str(wait), wait.headers) from None
    directory = await desk.people.directory()
    return {
        "call_id": call.call_id,
        "answer": call.answer,
        "customer_id": call.customer_id,
        "rings": sorted({directory.called_in(call, phone) for phone in call.phones}),
    }


@api.post("/test-calls/{call_id}/answer", status_code=204, responses=described.also(409))
async def answer(desk: Desk, reader: TheReader, simulations: TheSimulations, call_id: str) -> Response:
    """Take a simulated call that rings at your place."""
    simulations.answer(call_id, reader, await desk.people.directory())
    return Response(status_code=204)


@api.post("/test-calls/{call_id}/end", status_code=204)
async def end(desk: Desk, reader: TheReader, simulations: TheSimulations, call_id: str) -> Response:
    """End a simulated call that rings, or rang, at your place; administrators end any."""
    simulations.hang_up(call_id, reader, await desk.people.directory())
    return Response(status_code=204)


@doctoring.post("/doctor", response_model=shapes.Looked)
async def look_json(session: Administrator, doctor: TheDoctor) -> dict[str, Any]:
    """Look at every link between a customer's call and the name on the phone; takes seconds. For administrators."""
    looked = await doctor.look()
    findings = [{name: getattr(each, name) for name in ("name", "state", "seen", "mend")} for each in looked.findings]
    return {"at": rfc3339(looked.at), "works": looked.works, "findings": findings}


# --- how


async def begin_call(
    desk: Services,
    simulations: Simulations,
    by: Reader,
    number: str,
    person_id: int | None = None,
    phone: str = "",
    by_rules: bool = False,
) -> LiveCall:
    """A call from `number` rings when this returns: `by` on their own pages, where nobody else is named.

    Raises Refused, NotFound, Conflict, TooMany.
    """
    try:
        caller = read_caller(number)
    except ValueError as exc:
        raise Refused(say("{why}.", why=str(exc))) from None
    answer = await desk.parts.finder.find(caller, LOOKUP_S)
    if by_rules:
        wanted = await _by_rules(desk, caller, answer)
    else:
        node, turn = await _turn(desk, by, person_id, phone)
        wanted = Wanted(caller, answer, node, turn.phones[0].reason, (turn,))
    return await simulations.begin(wanted, by)


async def _by_rules(desk: Services, caller: Caller, answer: Answer) -> Wanted:
    """Raises Refused when no phone would ring."""
    settings = desk.parts.settings
    way = way_of(answer, settings, await duty_of(desk), local_now(desk))
    if not way.steps:
        raise Refused(say("No phone would ring. {reason}", reason=read(way.reason)))
    return Wanted(caller, answer, settings.asterisk.node, way.reason, turns_of(way.steps))


async def _turn(desk: Services, by: Reader, person_id: int | None, phone: str) -> tuple[str, Turn]:
    """Who is rung, and on which node. Raises Refused, NotFound."""
    node, directory = desk.parts.settings.asterisk.node, await desk.people.directory()
    if phone:
        if not directory.people(node, phone):
            raise Refused(say("Nobody sits at phone {phone}, so no screen would show it.", phone=phone))
        return node, turn_to_phones((phone,), RING_S, reasons.SIMULATED_FOR_PHONE.format(name=phone))
    if person_id is None or person_id == by.user_id:
        return node, turn_to_page(by.user_id, RING_S, reasons.SIMULATED_FOR_YOU)
    if not await _is_here(desk, person_id):
        raise NotFound(say("There is no such person, or they do not sign in any more."))
    return turn_to(directory, person_id, node)


async def _number_of(desk: Services, customer_id: str) -> str:
    """Raises Refused, NotFound."""

    def read(records: Records) -> str:
        found = customer(records, _id(customer_id))
        if found is None:
            raise NotFound(say("There is no such customer any more."))
        if not found.numbers:
            raise Refused(
                say("{name} has no phone number; choose another customer, or type a number.", name=found.name)
            )
        return found.numbers[0].e164 or found.numbers[0].raw

    return await desk.store.read(read)


def _id(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise Refused(say("Choose one of those that the page shows."))
    return int(text)


EMPTY: Mapping[str, str] = {"number": "", "customer": "", "to": "me"}


async def _page(
    request: Request,
    desk: Services,
    session: Session,
    doctor: Doctor,
    status: int = 200,
    said: str = "",
    typed: Mapping[str, str] = EMPTY,
    call_id: str = "",
) -> Response:
    directory = await desk.people.directory()
    looked: Looked | None = doctor.last
    others = [
        (name, user_id, sorted(directory.phones_of(user_id)))
        for user_id, name in sorted(directory.names.items(), key=lambda item: item[1].casefold())
        if user_id != session.reader.user_id and await _is_here(desk, user_id)
    ]
    return await desk.pages.page(
        request,
        session,
        "test_call.html",
        status,
        said=said,
        typed={**EMPTY, **typed},
        others=others,
        seats=sorted(phone for node, phone in directory.at_phone if node == desk.parts.settings.asterisk.node),
        looked=looked,
        **await _story(desk, session.reader, call_id),
    )


async def _is_here(desk: Services, user_id: int) -> bool:
    account = await desk.people.account(user_id)
    return account is not None and account.active


async def _story(desk: Services, reader: Reader, call_id: str) -> dict[str, Any]:
    """Of a simulated call that is live, or was a moment ago."""
    call = desk.hub.call(call_id)
    if call is None or not call.is_simulated:
        return {"of": None}
    cards = tuple((await desk.cards.of(call)).values())
    why, match = (
        reason_for(reader, reason, cards, Sheet(desk.layout)) for reason in (call.route_reason, call.match_reason)
    )
    return {"of": call, "steps": simulated_story(replace(call, match_reason=match)), "reason": why}
