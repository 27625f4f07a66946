"""Notes of calls and of customers: written during a call or after it, read on both, as pages and in the API.

A role that may not see the note of a card sees of these only its own.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Header
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session as Records

from config.sentences import say
from desk import shapes
from desk.bounds import After, Id, Limit
from desk.calls import customer_of_call
from desk.notes import facts, panel, whose
from desk.people import Reader
from desk.services import Desk, Services
from desk.sessions import SignedIn, TheReader
from lookup.notices import is_simulated
from records import notes as rules
from records import posted
from records.customers import customer
from records.errors import NotFound, Refused
from records.tables import Note

pages = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1", tags=["notes"])

SHOWN = 50
Key = Annotated[str, Header(max_length=posted.LONGEST, description="of your own; the same again makes nothing twice")]
NOTED: dict[int | str, dict[str, Any]] = {
    200: {"model": shapes.Note, "description": "It was written before, with the same key"}
}


class NewNote(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    text: Annotated[str, Field(max_length=rules.LONGEST)]


@pages.post("/customers/{customer_id}/notes")
async def write_of_customer(
    desk: Desk, session: SignedIn, customer_id: Id, text: Annotated[str, Form(max_length=rules.LONGEST)] = ""
) -> Response:
    await add(desk, session.reader, text, customer_id=customer_id)
    return RedirectResponse(f"/customers/{customer_id}#notes", 303)


@pages.post("/calls/{call_id}/notes")
async def write_of_call(
    desk: Desk, session: SignedIn, call_id: str, text: Annotated[str, Form(max_length=rules.LONGEST)] = ""
) -> Response:
    await add(desk, session.reader, text, call_id=call_id)
    return RedirectResponse(f"/calls/{call_id}#notes", 303)


@api.get("/customers/{customer_id}/notes", response_model=shapes.Notes)
async def of_customer(
    desk: Desk, reader: TheReader, customer_id: Id, after: After = "", limit: Limit = SHOWN
) -> dict[str, Any]:
    """What was written of this customer and during their calls, the newest first."""

    def read(records: Records) -> dict[str, Any]:
        _expect(records, customer_id)
        page = rules.notes_of_customer(records, customer_id, of=whose(desk, reader), after=after, limit=limit)
        return {"items": [facts(note) for note in page.items], "next": page.next}

    return await desk.store.read(read)


@api.post("/customers/{customer_id}/notes", status_code=201, response_model=shapes.Note, responses=NOTED)
async def add_to_customer(
    desk: Desk, reader: TheReader, customer_id: Id, note: NewNote, idempotency_key: Key = ""
) -> JSONResponse:
    """Write a note of this customer. The same again with the same Idempotency-Key writes nothing."""
    return _told(await add(desk, reader, note.text, customer_id=customer_id, key=idempotency_key))


@api.get("/calls/{call_id}/notes", response_model=shapes.Notes)
async def of_call(desk: Desk, reader: TheReader, call_id: str) -> dict[str, Any]:
    """What was written during this call and after it, in order of time."""
    await customer_of_call(desk, reader, call_id)
    notes = await desk.store.read(lambda records: rules.notes_of_call(records, call_id, of=whose(desk, reader)))
    return {"items": [facts(note) for note in notes], "next": ""}


@api.post("/calls/{call_id}/notes", status_code=201, response_model=shapes.Note, responses=NOTED)
async def add_to_call(
    desk: Desk, reader: TheReader, call_id: str, note: NewNote, idempotency_key: Key = ""
) -> JSONResponse:
    """Write a note of this call, while it goes on or after it; it is its customer's too."""
    return _told(await add(desk, reader, note.text, call_id=call_id, key=idempotency_key))


async def notes_beside(desk: Services, reader: Reader, customer_id: int) -> dict[str, Any]:
    """What the page of a customer shows of their notes."""
    of = whose(desk, reader)
    page = await desk.store.read(lambda records: rules.notes_of_customer(records, customer_id, of=of, limit=SHOWN))
    return panel(page.items, "customer", f"/customers/{customer_id}/notes", bool(page.next))


async def add(
    desk: Services,
    reader: Reader,
    text: str,
    *,
    customer_id: int | None = None,
    call_id: str | None = None,
    key: str = "",
) -> tuple[Note, bool]:
    """A note, and whether it was written now. Raises Refused, NotFound."""
    of = customer_id if call_id is None else await customer_of_call(desk, reader, call_id)

    if of is None and call_id and is_simulated(call_id):
        raise Refused(say("A note of a simulated call stays with the customer only, and nobody has this number."))

    def write(records: Records) -> tuple[Note, bool]:
        if of is not None:
            _expect(records, of)

        def make() -> int:
            return rules.add_note(records, text, reader.user_id, customer_id=of, call_id=call_id).id

        asked = f"{customer_id} {call_id} {text}"
        note_id, made = posted.once(records, reader.user_id, "note", key, asked, make)
        return rules.note_by_id(records, note_id), made

    return await desk.store.write_once(write)


def _expect(records: Records, customer_id: int) -> None:
    if customer(records, customer_id) is None:
        raise NotFound(say("There is no such customer. The card may have been deleted."))


def _told(written: tuple[Note, bool]) -> JSONResponse:
    note, made = written
    return JSONResponse(facts(note), 201 if made else 200)
