"""Fields that the company defines: seen on the page of one customer and by the API, and changed there.

Only values that are kept with the customer can be changed, by those who may see them. A change says which version of
the customer it was made from, so that of two people who change the same one the second is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from sqlalchemy.orm import Session as Records

from config.sentences import say
from desk import described, shapes
from desk.bounds import Id, IfMatch
from desk.entering import one
from desk.formats import is_version
from desk.layout import Placed
from desk.people import Reader
from desk.queries import subject_of
from desk.services import Desk, Services
from desk.sessions import Session, SignedIn, TheReader
from desk.views import Answers, FieldView, field_views
from records.custom import as_typed, given_value
from records.customers import change_customer
from records.editing import NOT_YOURS
from records.errors import Conflict, Refused, Unfit
from records.tables import Customer

pages = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1", tags=["customers"])


def own_fields(desk: Services, of: Customer, reader: Reader) -> tuple[FieldView, ...]:
    """The company's own fields of a customer, as this reader may see them and as far as they are known now."""
    answers = desk.queries.at_hand(subject_of(of), desk.layout.queries_for(reader.role))
    return _views(desk, of, reader, answers)


async def all_own_fields(desk: Services, of: Customer, reader: Reader) -> tuple[FieldView, ...]:
    """The same, once the queries have answered or failed."""
    answers = await desk.queries.all_of(subject_of(of), desk.layout.queries_for(reader.role))
    return _views(desk, of, reader, answers)


def _views(desk: Services, of: Customer, reader: Reader, answers: Answers) -> tuple[FieldView, ...]:
    placed = [each for each in desk.layout.shown_to(reader.role) if not each.built_in]
    return field_views(placed, of.custom, answers, desk.layout.currency, desk.layout.masked_from(reader.role))


@pages.get("/pieces/customers/{customer_id}/fields")
async def late_fields(request: Request, desk: Desk, session: SignedIn, customer_id: int) -> HTMLResponse:
    """The part of the customer's page that queries fill, once they have."""
    found = await desk.store.read(lambda records: one(records, customer_id))
    own = await all_own_fields(desk, found, session.reader)
    desk.seen.note(session.reader.user_id, [customer_id], "page")
    may_change = bool(desk.layout.kept_changed_by(session.reader.role))
    return desk.pages.part(request, session, "customer_fields.html", customer=found, own=own, may_change=may_change)


@pages.get("/customers/{customer_id}/fields")
async def form(request: Request, desk: Desk, session: SignedIn, customer_id: Id) -> Response:
    found = await desk.store.read(lambda records: one(records, customer_id))
    desk.seen.note(session.reader.user_id, [customer_id], "page")
    return await _form(request, desk, session, found)


@pages.post("/customers/{customer_id}/fields")
async def save(request: Request, desk: Desk, session: SignedIn, customer_id: Id) -> Response:
    """Save what was typed; what cannot be kept comes back with what is wrong, and nothing is lost that was typed."""
    sent = await request.form()
    typed = {name: value for name, value in sent.items() if isinstance(value, str)}
    version = typed.pop("version", "")
    kept, currency, reader = desk.layout.kept_changed_by(session.reader.role), desk.layout.currency, session.reader
    try:
        if not is_version(version):
            raise Refused(say("The form was sent without its version; open it again."))
        await desk.store.write(Change(customer_id, kept, typed, int(version), currency, reader.user_id).make)
    except Unfit as unfit:
        found = await desk.store.read(lambda records: one(records, customer_id))
        return await _form(request, desk, session, found, 422, typed, unfit.errors, version)
    except Conflict as conflict:
        found = await desk.store.read(lambda records: one(records, customer_id))
        theirs = {each.name: as_typed(found.custom.get(each.name)) for each in kept}
        lost = {
            name: say("Your form had: {value}", value=mine or "–")
            for name, mine in typed.items()
            if theirs.get(name, mine) != mine
        }
        return await _form(request, desk, session, found, 409, {}, lost, said=str(conflict))
    return RedirectResponse(f"/customers/{customer_id}", 303)


@api.get("/customers/{customer_id}/fields", response_model=shapes.OwnFields, responses=described.TAGGED)
async def fields_json(desk: Desk, reader: TheReader, customer_id: Id) -> JSONResponse:
    """The fields of a customer that your company defines. Waits for the queries that fill some of them.

    The `ETag` is the version to give with a change.
    """
    found = await desk.store.read(lambda records: one(records, customer_id))
    desk.seen.note(reader.user_id, [customer_id], "api")
    return await _fields(desk, found, reader)


@api.patch("/customers/{customer_id}/fields", response_model=shapes.OwnFields, responses=described.TAGGED)
async def change_json(
    desk: Desk,
    reader: TheReader,
    customer_id: Id,
    values: Annotated[dict[str, Any], Body()],
    if_match: IfMatch = "",
) -> JSONResponse:
    """Change values by the names of their fields; null takes one away. `If-Match` is the `ETag` that you read."""
    version = if_match.strip().removeprefix("W/").strip('"')
    if not is_version(version):
        raise HTTPException(428, say("Give the ETag of the fields as If-Match, so that nobody's change is lost."))
    kept, currency = desk.layout.kept_changed_by(reader.role), desk.layout.currency
    change = Change(customer_id, kept, values, int(version), currency, reader.user_id)
    try:
        changed = await desk.store.write(change.make)
    except Conflict as conflict:
        raise HTTPException(412, str(conflict)) from None
    return await _fields(desk, changed, reader)


@dataclass(frozen=True, slots=True)
class Change:
    """Values that somebody gave for fields which they may change, made from this version of the customer."""

    customer_id: int
    kept: tuple[Placed, ...]
    given: Mapping[str, Any]
    version: int
    currency: str
    by_id: int

    def make(self, records: Records) -> Customer:
        """In a transaction. Raises NotFound, Unfit, Conflict."""
        before = one(records, self.customer_id)
        kept = {each.name: each.field for each in self.kept}
        changes: dict[str, Any] = {}
        errors: dict[str, str] = {}
        for name, raw in self.given.items():
            if name not in kept:
                errors[name] = NOT_YOURS
            elif raw != as_typed(before.custom.get(name)):  # what nobody touched may stay, even if it does not fit
                try:
                    changes[name] = given_value(kept[name], raw, self.currency)
                except Refused as refused:
                    errors[name] = str(refused)
        if errors:
            raise Unfit(errors)
        if not changes and before.version == self.version:
            return before
        return change_customer(records, self.customer_id, {"custom": changes}, self.version, self.by_id)[0]


async def _form(
    request: Request,
    desk: Services,
    session: Session,
    found: Customer,
    status: int = 200,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    version: str = "",
    said: str = "",
) -> Response:
    kept = desk.layout.kept_changed_by(session.reader.role)
    values = {each.name: as_typed(found.custom.get(each.name)) for each in kept} | {**(typed or {})}
    return await desk.pages.page(
        request,
        session,
        "change_fields.html",
        status,
        customer=found,
        kept=kept,
        values=values,
        errors=errors or {},
        version=version or found.version,
        said=said,
    )


async def _fields(desk: Services, found: Customer, reader: Reader) -> JSONResponse:
    items = [asdict(item) for item in await all_own_fields(desk, found, reader)]
    body = {"customer_id": found.id, "version": found.version, "fields": items}
    return JSONResponse(body, headers={"ETag": f'"{found.version}"'})
