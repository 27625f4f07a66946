"""Customers as pages and as JSON: finding one, and one customer's whole card."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from desk.fields import own_fields
from desk.formats import rfc3339
from desk.people import Reader
from desk.services import Desk
from desk.sessions import SignedIn, TheReader
from desk.views import sight
from lookup.answers import Caller, Found
from records.customers import CustomerPage, customer_page, list_customers
from records.errors import NotFound
from records.tables import Customer

pages = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1", tags=["customers"])

SHOWN = 50
CALLS_SHOWN = 10
LONGEST = 100  # characters of a search


@pages.get("/customers")
async def list_page(request: Request, desk: Desk, session: SignedIn, q: str = "", after: str = "") -> Response:
    found = await desk.store.read(lambda records: list_customers(records, search=q[:LONGEST], after=after))
    return await desk.pages.page(request, session, "customers.html", q=q, customers=found.items, next=found.next)


@pages.get("/customers/by-number/{number}")
async def by_number(desk: Desk, session: SignedIn, number: str, trunk: str = "") -> Response:
    """On to the card of whoever has this number; to the list when several or none have it."""
    answer = await desk.parts.finder.find(Caller(number, trunk=trunk), desk.parts.settings.lookup.budget_ms / 1000)
    if isinstance(answer, Found) and answer.chosen:
        return RedirectResponse(f"/customers/{answer.chosen.customer_id}", 303)
    return RedirectResponse(f"/customers?{urlencode({'q': number})}", 303)


@pages.get("/customers/{customer_id}")
async def card_page(request: Request, desk: Desk, session: SignedIn, customer_id: int) -> Response:
    page = await desk.store.read(lambda records: whole(records, customer_id))
    directory = await desk.people.directory()
    return await desk.pages.page(
        request,
        session,
        "customer.html",
        all=page,
        customer=page.customer,
        directory=directory,
        own=own_fields(desk, page.customer, session.reader),
        may_change=bool(desk.layout.kept_seen_by(session.reader.role)),
    )


@api.get("/customers")
async def list_json(desk: Desk, reader: TheReader, q: str = "", after: str = "", limit: int = SHOWN) -> dict[str, Any]:
    """Customers by name; `q` is the beginning of a word of the name or company, or digits of a number."""
    found = await desk.store.read(lambda records: list_customers(records, search=q[:LONGEST], after=after, limit=limit))
    sees = desk.layout.names_seen_by(reader.role)
    return {"items": [customer_facts(customer, reader, sees) for customer in found.items], "next": found.next}


@api.get("/customers/{customer_id}")
async def one_json(desk: Desk, reader: TheReader, customer_id: int) -> dict[str, Any]:
    """One customer's card, as you may see it."""
    page = await desk.store.read(lambda records: whole(records, customer_id))
    sees = desk.layout.names_seen_by(reader.role)
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
            "total": money(order.total_minor, order.currency, reader),
            "placed_at": rfc3339(order.placed_at),
        }
        for order in page.orders
        if "orders" in sees
    ]
    return {**customer_facts(page.customer, reader, sees), "orders": orders, "tasks": tasks}


def whole(session: Session, customer_id: int) -> CustomerPage:
    """The customer with all that the card page shows. Raises NotFound."""
    page = customer_page(session, customer_id, calls=CALLS_SHOWN)
    if page is None:
        raise NotFound("There is no such customer. The card may have been deleted.")
    return page


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
        "numbers": [
            {"number": item.e164 or item.raw, "label": item.label, "ext": item.ext}
            for item in customer.numbers
            if "numbers" in sees
        ],
        "ranges": [{"range": item.raw, "label": item.label} for item in customer.ranges],
        "updated_at": rfc3339(customer.updated_at),
    }


def money(minor: int, currency: str, reader: Reader) -> dict[str, Any] | None:
    """An amount, for those who may see amounts."""
    return {"minor": minor, "currency": currency} if sight(reader.role).amounts else None
