"""PUT and DELETE /api/v1/customers/by-external-id/...: a program of the company tells us of its customers.

It has no session: a token of its own says which source of [sources] it is. What it says is how its customer is.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Coroutine, Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from config.sentences import say
from desk import shapes
from desk.problems import problem
from desk.services import Desk, Services, services_of
from records.customers import own_phones
from records.intake.rows import Cell, Column, Row
from records.intake.rules import Understanding, Wanted
from records.sources import push
from records.sources.push import Faults, Put
from records.tables import User


class EveryFault(APIRoute):
    """A body with a wrong form is looked at for what else is wrong as well."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await answer(request)
            except RequestValidationError as exc:
                if not isinstance(exc.body, dict):
                    raise
                of_form = [(".".join(map(str, each["loc"][1:])), str(each["msg"])) for each in exc.errors()]
                return _faults([*of_form, *await _other_faults(services_of(request), exc)])

        return answered


router = APIRouter(prefix="/api/v1", tags=["sources"], route_class=EveryFault)

LONGEST_ID = 200

Text = Annotated[str, Field(max_length=20_000)]


class PushedNumber(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    number: Annotated[str, Field(max_length=100, description="as a person would write it, best with + and the country")]
    label: Annotated[str, Field(max_length=40, description="work, mobile, home ...")] = ""


class PushedCustomer(BaseModel):
    """All that the source knows. What it once told and leaves out now is empty from now on."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: Annotated[str, Field(max_length=20_000, description="of a company without a person, the company's")]
    company: Text = ""
    email: Text = ""
    address: Text = ""
    note: Text = ""
    debt: Annotated[str, Field(max_length=40, description="what the customer owes, like 1250.50")] = ""
    currency: Annotated[str, Field(max_length=3, description="of the debt, ISO 4217; else the company's")] = ""
    manager: Annotated[str, Field(max_length=100, description="the login of the person who works with them")] = ""
    numbers: Annotated[list[PushedNumber], Field(max_length=100)] = []


_bearer = HTTPBearer(auto_error=False, description="The token of a source of the kind push.")


def source_of(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None) -> str:
    """The source whose token this is; each is compared, so that the time says nothing."""
    said = (given.credentials if given else "").encode()
    found = ""
    for name, source in services_of(request).parts.settings.sources.items():
        if source.kind == "push" and source.token and hmac.compare_digest(said, source.token.encode()):
            found = name
    if not found:
        raise HTTPException(401, say("No source has this token."), {"WWW-Authenticate": "Bearer"})
    return found


TheSource = Annotated[str, Depends(source_of)]


@router.put(
    "/customers/by-external-id/{external_id:path}",
    response_model=shapes.Told,
    responses={201: {"model": shapes.Told, "description": "The customer is new"}},
)
async def put(desk: Desk, source: TheSource, external_id: str, customer: PushedCustomer) -> Response:
    """A customer of yours is so. The same again changes nothing, and has the same ETag."""
    if not 0 < len(external_id.strip()) <= LONGEST_ID:
        raise HTTPException(422, say("The id must have 1 to {most} characters.", most=LONGEST_ID))
    row = _row(external_id.strip(), customer)

    def write(session: Session) -> Put:
        wanted = _understood(desk, session, row)
        return push.put(session, source, wanted, row, desk.parts.settings.company.currency)

    try:
        done = await desk.store.write(write)
    except Faults as faults:
        return _faults([(each.header, str(each)) for each in faults.problems])
    except IntegrityError:  # the same customer was told at the same moment
        done = await desk.store.write(write)
    told = {"customer_id": done.customer_id, "external_id": external_id.strip(), "source": source}
    return JSONResponse(told, 201 if done.made else 200, {"ETag": f'"{done.mark}"'})


@router.delete("/customers/by-external-id/{external_id:path}", status_code=204)
async def delete(desk: Desk, source: TheSource, external_id: str) -> Response:
    """A customer of yours is gone, with tasks and orders; calls stay in the log. Nothing happens when it was."""
    await desk.store.write(lambda session: push.drop(session, source, external_id.strip()))
    return Response(status_code=204)


def _faults(faults: Iterable[tuple[str, str]]) -> Response:
    errors = [{"field": field, "message": message} for field, message in faults]
    said = "; ".join(f"{each['field']}: {each['message']}" for each in errors)
    return problem(422, said, errors=errors)


async def _other_faults(desk: Services, exc: RequestValidationError) -> list[tuple[str, str]]:
    """Of the fields whose form is right."""
    wrong = {str(each["loc"][1]) for each in exc.errors() if len(each["loc"]) > 1}
    right = {key: value for key, value in exc.body.items() if key in PushedCustomer.model_fields and key not in wrong}
    row = _row("-", PushedCustomer.model_validate({"name": "-", **right}))
    try:
        await desk.store.read(lambda session: _understood(desk, session, row))
    except Faults as faults:
        return [(each.header, str(each)) for each in faults.problems]
    return []


def _understood(desk: Services, session: Session, row: Row) -> Wanted:
    read = desk.parts.read_number
    logins = {user.login: user.id for user in session.execute(select(User.login, User.id))}
    phones = own_phones(session, read)
    currency = desk.parts.settings.company.currency
    return push.understood(row, Understanding(read, logins, currency, own_phones=phones))


def _row(external_id: str, customer: PushedCustomer) -> Row:
    said: dict[str, Any] = customer.model_dump(include=customer.model_fields_set | {"name"})
    cells: dict[Column, tuple[Cell, ...]] = {"external_id": (Cell(external_id, "", "external_id"),)}
    for column in ("name", "company", "email", "address", "note", "debt", "currency", "manager"):
        if column in said:
            cells[column] = (Cell(said[column].replace("\x00", "").strip(), "", column),)
    cells["number"] = tuple(
        Cell(each.number.replace("\x00", "").strip(), each.label.strip(), f"numbers.{place}")
        for place, each in enumerate(customer.numbers)
    )
    return Row(1, cells)
