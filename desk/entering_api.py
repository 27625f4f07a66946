"""Entering and changing customers by the API. A change names the version that it was made from, by the ETag that was
read (RFC 9110): 428 without it, 412 when somebody has changed the customer since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session as Records

from config.sentences import say
from desk import described, shapes
from desk.bounds import Id, IfMatch
from desk.changed import tell
from desk.customers import customer_facts
from desk.entering import one, rules_for
from desk.formats import is_version
from desk.people import Reader
from desk.problems import answer
from desk.services import Desk, Services
from desk.sessions import TheReader
from records import customers
from records.custom import OWN
from records.editing import NOT_YOURS, Line, edit, enter
from records.errors import Conflict, Unfit
from records.tables import Customer
from records.touched import Touched

router = APIRouter(prefix="/api/v1/customers", tags=["customers"])

CHANGED = {**described.TAGGED, **described.also(409)}


class Given(BaseModel):
    """What is named is set; an empty text, or null, takes a value away."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(description="of a company without a person, the company's")] = ""
    company: str | None = None
    email: str | None = None
    address: str | None = None
    note: str | None = None
    manager_id: Id | None = None
    debt: Annotated[
        str | dict[str, Any] | None, Field(description='"1250.50", "4000 KHR", or {"minor": 125050, "currency": "USD"}')
    ] = None
    fields: Annotated[dict[str, Any], Field(description="the company's own fields, by their names")] = {}

    def given(self) -> dict[str, Any]:
        """As `records.editing` names it."""
        said = {name: getattr(self, name) for name in self.model_fields_set - {"fields", "numbers"}}
        return said | {OWN + name: value for name, value in self.fields.items()}


class GivenNumber(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    number: Annotated[str, Field(description="best with + and the country code; or a range, +7 495 123-45xx")]
    label: Annotated[str, Field(description="work, mobile, home ...")] = ""
    ext: Annotated[str, Field(description="extension, up to seven digits")] = ""

    def line(self) -> Line:
        return Line(self.number, self.label, self.ext)


class NewCustomer(Given):
    numbers: Annotated[list[GivenNumber], Field(max_length=100)] = []


def version_of(if_match: str) -> int:
    """The version that a change was made from. Raises HTTPException 428 when it is not said."""
    version = if_match.strip().removeprefix("W/").strip('"')
    if not is_version(version):
        raise HTTPException(428, say("Give the ETag of the customer as If-Match, so that nobody's change is lost."))
    return int(version)


@router.post("", status_code=201, response_model=shapes.Customer, responses=described.MADE)
async def enter_one(desk: Desk, reader: TheReader, new: NewCustomer) -> JSONResponse:
    """A new customer. Earlier calls from these numbers that are nobody's are theirs now."""
    rules, lines = rules_for(desk, reader, is_new=True), [each.line() for each in new.numbers]
    made, touched = await desk.store.write(lambda records: enter(records, new.given(), lines, rules, reader.user_id))
    await tell(desk, touched)
    return await _told(desk, reader, made.id, 201, {"Location": f"/api/v1/customers/{made.id}"})


@router.patch("/{customer_id:id}", response_model=shapes.Customer, responses=CHANGED)
async def change_one(
    request: Request, desk: Desk, reader: TheReader, customer_id: Id, new: Given, if_match: IfMatch = ""
) -> Response:
    """Change what is named of a customer. What a source gives is changed there (422)."""
    rules, given, by_id = rules_for(desk, reader), new.given(), reader.user_id
    version = version_of(if_match)

    def write(records: Records, _: Customer) -> Touched:
        return edit(records, customer_id, given, (), rules, by_id, version)[1]

    return await changed(request, desk, reader, customer_id, version, write)


@router.post("/{customer_id}/numbers", status_code=201, response_model=shapes.Customer, responses=CHANGED)
async def add_number(
    request: Request, desk: Desk, reader: TheReader, customer_id: Id, new: GivenNumber, if_match: IfMatch = ""
) -> Response:
    """One more number, or range of numbers. Earlier calls from it that are nobody's are this customer's now."""
    rules, by_id, version = rules_for(desk, reader, is_new=True), reader.user_id, version_of(if_match)

    def write(records: Records, _: Customer) -> Touched:
        try:
            return edit(records, customer_id, {}, [new.line()], rules, by_id, version)[1]
        except Unfit as unfit:
            raise Unfit({name.replace("numbers.0", "number"): said for name, said in unfit.errors.items()}) from None

    return await changed(request, desk, reader, customer_id, version, write, 201)


@router.delete("/{customer_id}/numbers/{number_id}", response_model=shapes.Customer, responses=CHANGED)
async def remove_number(
    request: Request, desk: Desk, reader: TheReader, customer_id: Id, number_id: Id, if_match: IfMatch = ""
) -> Response:
    """One number less. Calls that came from it stay this customer's."""
    return await _without(request, desk, reader, customer_id, version_of(if_match), number_id, customers.detach_number)


@router.delete("/{customer_id}/ranges/{range_id}", response_model=shapes.Customer, responses=CHANGED)
async def remove_range(
    request: Request, desk: Desk, reader: TheReader, customer_id: Id, range_id: Id, if_match: IfMatch = ""
) -> Response:
    """One range of numbers less."""
    return await _without(request, desk, reader, customer_id, version_of(if_match), range_id, customers.detach_range)


async def _without(
    request: Request,
    desk: Services,
    reader: Reader,
    customer_id: int,
    version: int,
    row_id: int,
    detach: Callable[[Records, int, int, int | None], Touched],
) -> Response:
    if "numbers" not in rules_for(desk, reader).names:
        raise Unfit({"numbers": NOT_YOURS})

    def write(records: Records, found: Customer) -> Touched:
        customers.hold(records, found, version)
        return detach(records, customer_id, row_id, reader.user_id)

    return await changed(request, desk, reader, customer_id, version, write)


async def changed(
    request: Request,
    desk: Services,
    reader: Reader,
    customer_id: int,
    version: int,
    write: Callable[[Records, Customer], Touched],
    status: int = 200,
) -> Response:
    try:
        await tell(desk, await desk.store.write(lambda records: write(records, one(records, customer_id))))
    except Conflict as conflict:
        now = await desk.store.read(lambda records: one(records, customer_id))
        if now.version == version:
            raise
        return answer(request, 412, str(conflict), {"ETag": f'"{now.version}"'}, version=now.version)
    return await _told(desk, reader, customer_id, status)


async def _told(
    desk: Services, reader: Reader, customer_id: Id, status: int, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    found = await desk.store.read(lambda records: one(records, customer_id))
    facts = customer_facts(found, reader, desk.layout.names_seen_by(reader.role))
    return JSONResponse(facts, status, {"ETag": f'"{found.version}"', **(headers or {})})
