"""One customer's whole card, as a page and as JSON; `desk/finding.py` has the list of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from config.sentences import say
from desk import described, shapes
from desk.asking import may_ask
from desk.bounds import Id
from desk.fields import own_fields
from desk.formats import rfc3339
from desk.history import at_a_glance
from desk.note_pages import notes_beside
from desk.people import Reader
from desk.seen_pages import seen_beside
from desk.services import Desk
from desk.sessions import SignedIn, TheReader
from desk.task_pages import beside_customer
from desk.views import sight
from lookup.answers import Caller, Found
from records.aliases import aliases_of
from records.customers import CustomerPage, customer_page
from records.errors import NotFound
from records.tables import Customer, CustomerAlias

pages = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1", tags=["customers"])

CALLS_SHOWN = 10


@pages.get("/customers/by-number/{number}")
async def by_number(desk: Desk, session: SignedIn, number: str, trunk: str = "") -> Response:
    """On to the card of whoever has this number; to the list when several or none have it, or one may not ask."""
    answer = await desk.parts.finder.find(Caller(number, trunk=trunk), desk.parts.settings.lookup.budget_ms / 1000)
    if isinstance(answer, Found) and answer.chosen and await may_ask(desk, session.reader, number):
        return RedirectResponse(f"/customers/{answer.chosen.customer_id}", 303)
    return RedirectResponse(f"/customers?{urlencode({'q': number})}", 303)


@pages.get("/customers/{customer_id}")
async def card_page(request: Request, desk: Desk, session: SignedIn, customer_id: Id) -> Response:
    page, aliases = await desk.store.read(lambda records: _with_aliases(records, customer_id))
    directory = await desk.people.directory()
    history, more_history = await at_a_glance(desk, session.reader, customer_id)
    desk.seen.note(session.reader.user_id, [customer_id], "page")
    return await desk.pages.page(
        request,
        session,
        "customer.html",
        history=history,
        more_history=more_history,
        all=page,
        customer=page.customer,
        aliases=aliases,
        directory=directory,
        own=own_fields(desk, page.customer, session.reader),
        may_change=bool(desk.layout.kept_changed_by(session.reader.role)),
        **await seen_beside(desk, session.reader, customer_id),
        **await beside_customer(desk, session),
        **await notes_beside(desk, session.reader, customer_id),
    )


@api.get("/customers/{customer_id:id}", response_model=shapes.WholeCustomer, responses=described.TAGGED)
async def one_json(response: Response, desk: Desk, reader: TheReader, customer_id: Id) -> dict[str, Any]:
    """One customer's card, as you may see it. The `ETag` is the version to give with a change."""
    page, aliases = await desk.store.read(lambda records: _with_aliases(records, customer_id))
    sees, masked = desk.layout.names_seen_by(reader.role), desk.layout.masked_from(reader.role)
    tasks = [
        {"title": task.title, "state": task.state, "due_at": rfc3339(task.due_at)}
        for task in page.tasks
        if "last_task" in sees
    ]
    orders = [
        {
            "number": order.number,
            "title": order.title,
            "state": order.state,
            "total": money(order.total_minor, order.currency, reader) if "orders" in sees else None,
            "placed_at": rfc3339(order.placed_at),
        }
        for order in page.orders
        if "orders" in sees | masked
    ]
    also = [
        {"customer_id": each.old_id, "name": each.name, "source": each.source, "external_id": each.external_id}
        for each in aliases
    ]
    desk.seen.note(reader.user_id, [customer_id], "api")
    response.headers["ETag"] = f'"{page.customer.version}"'
    facts = customer_facts(page.customer, reader, sees)
    return {**facts, "orders": orders, "tasks": tasks, "also_known_as": also, "masked": sorted(masked)}


def whole(session: Session, customer_id: int) -> CustomerPage:
    """The customer with all that the card page shows. Raises NotFound."""
    page = customer_page(session, customer_id, calls=CALLS_SHOWN)
    if page is None:
        raise NotFound(say("There is no such customer. The card may have been deleted."))
    return page


def _with_aliases(session: Session, customer_id: int) -> tuple[CustomerPage, Sequence[CustomerAlias]]:
    return whole(session, customer_id), aliases_of(session, customer_id)


def customer_facts(customer: Customer, reader: Reader, sees: Collection[str]) -> dict[str, Any]:
    """`sees`: fields of the card that the reader may see; what they may not is empty, or null."""
    return {
        "customer_id": customer.id,
        "source": customer.source,
        "external_id": customer.external_id,
        "version": customer.version,
        "name": customer.name,
        **{name: getattr(customer, name) if name in sees else "" for name in ("company", "email", "address", "note")},
        "photo": f"/photos/{customer.photo}" if customer.photo else None,
        "debt": money(customer.debt_minor, customer.currency, reader) if "debt" in sees else None,
        "manager": customer.manager.name if customer.manager and "manager" in sees else None,
        "manager_id": customer.manager_id if "manager" in sees else None,
        "numbers": [
            {"number_id": item.id, "number": item.e164 or item.raw, "label": item.label, "ext": item.ext}
            for item in customer.numbers
            if "numbers" in sees
        ],
        "ranges": [
            {"range_id": item.id, "range": item.raw, "label": item.label}
            for item in customer.ranges
            if "numbers" in sees
        ],
        "updated_at": rfc3339(customer.updated_at),
    }


def money(minor: int, currency: str, reader: Reader) -> dict[str, Any] | None:
    """An amount, for those who may see amounts."""
    return {"minor": minor, "currency": currency} if sight(reader.role).amounts else None
