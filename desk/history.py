"""Who changed what of a customer, for those who may see these fields: on the customer's page and in the API.

What a role may not see now is left out, whoever could see it when it was changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from config.sentences import say
from desk import formats, shapes
from desk.bounds import After, Id, Limit
from desk.entering import LABELS, one
from desk.formats import rfc3339
from desk.people import Reader
from desk.services import Desk, Services
from desk.sessions import SignedIn, TheReader
from desk.views import field_views, sight
from records.custom import OWN
from records.history import MERGED, changes_of
from records.pages import Page
from records.tables import CustomerChange

pages = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1", tags=["customers"])

SHOWN = 50
AT_A_GLANCE = 8
ALWAYS = ("name", "photo", "external_id")
"""What every role sees of a customer."""

CALLED = {**LABELS, "number": say("Number"), "manager": say("Manager"), "external_id": say("Number in your books")}


@dataclass(frozen=True, slots=True)
class ChangeView:
    label: str
    before: str  # empty: nothing
    after: str


@dataclass(frozen=True, slots=True)
class Moment:
    """What one person changed within a minute, in the order of its reading."""

    at: datetime
    by: str  # empty: it was not a person at the desk, or is one no longer
    changes: tuple[ChangeView, ...]


@pages.get("/customers/{customer_id}/history")
async def page(request: Request, desk: Desk, session: SignedIn, customer_id: Id, after: str = "") -> Response:
    found = await desk.store.read(lambda records: one(records, customer_id))
    rows = await _rows(desk, session.reader, customer_id, after, SHOWN)
    moments = _moments(desk, rows.items)
    desk.seen.note(session.reader.user_id, [customer_id], "page")
    return await desk.pages.page(
        request, session, "history.html", customer=found, history=moments, next=rows.next, after=after
    )


@api.get("/customers/{customer_id}/history", response_model=shapes.Changes)
async def listed(
    desk: Desk, reader: TheReader, customer_id: Id, after: After = "", limit: Limit = SHOWN
) -> dict[str, Any]:
    """Who changed what, the newest first: each field as it was before and after; null is nothing."""
    await desk.store.read(lambda records: one(records, customer_id))
    rows = await _rows(desk, reader, customer_id, after, limit)
    desk.seen.note(reader.user_id, [customer_id], "api")
    return {"items": [_facts(row) for row in rows.items], "next": rows.next}


async def at_a_glance(desk: Services, reader: Reader, customer_id: int) -> tuple[list[Moment], bool]:
    """The last changes, and whether there are more."""
    rows = await _rows(desk, reader, customer_id, "", AT_A_GLANCE)
    return _moments(desk, rows.items), bool(rows.next)


async def _rows(desk: Services, reader: Reader, customer_id: int, after: str, limit: int) -> Page[CustomerChange]:
    fields = fields_seen_by(desk, reader.role)
    return await desk.store.read(lambda records: changes_of(records, customer_id, fields, after=after, limit=limit))


def fields_seen_by(desk: Services, role: str) -> frozenset[str]:
    """Names of `records.history` that this role may see."""
    sees = desk.layout.names_seen_by(role)
    names: list[str] = [name for name in ("company", "email", "address", "note", "manager") if name in sees]
    names += ["number"] if "numbers" in sees else []
    names += ["debt"] if "debt" in sees and sight(role).amounts else []
    every = (*ALWAYS, *names, *(OWN + one.name for one in desk.layout.kept_seen_by(role)))
    return frozenset((*every, MERGED, *(f"{MERGED}.{name}" for name in every)))


def _facts(row: CustomerChange) -> dict[str, Any]:
    by = row.by.name if row.by else None
    return {"at": rfc3339(row.at), "by": by, "field": row.field, "before": row.before, "after": row.after}


def _moments(desk: Services, rows: Sequence[CustomerChange]) -> list[Moment]:
    def together(row: CustomerChange) -> tuple[datetime, int | None]:
        return row.at.replace(second=0, microsecond=0), row.by_id

    moments = []
    for _, group in groupby(rows, together):
        changes = list(group)
        by = changes[0].by
        views = tuple(_view(desk, row) for row in reversed(changes))
        moments.append(Moment(changes[0].at, by.name if by else "", views))
    return moments


def _view(desk: Services, row: CustomerChange) -> ChangeView:
    if row.field == MERGED and row.before is not None:
        who = say("{name} (no. {id})", name=row.before["name"], id=row.before["customer_id"])
        return ChangeView(say("Merged"), who, say("is this customer now"))
    if row.field.startswith(f"{MERGED}."):
        name = row.field.removeprefix(f"{MERGED}.")
        label = say("{field} of the other", field=label_of(desk, name))
        return ChangeView(label, text_of(desk, name, row.before), say("was not kept"))
    before, after = (text_of(desk, row.field, value) for value in (row.before, row.after))
    return ChangeView(label_of(desk, row.field), before, after)


def label_of(desk: Services, field: str) -> str:
    """What a field of `records.history` is called."""
    own = {OWN + one.name: one.label for one in desk.layout.fields if one.kept}
    return own.get(field) or (desk.layout.label(field) if _is_renamed(desk, field) else CALLED[field])


def _is_renamed(desk: Services, name: str) -> bool:
    return any(one.name == name and one.field.label for one in desk.layout.fields)


def text_of(desk: Services, field: str, value: Any) -> str:
    """A value of a field of `records.history` for the screen."""
    if value is None:
        return ""
    if field == "photo":
        return say("a picture")
    if field == "number" and isinstance(value, Mapping):
        number = formats.number(str(value["number"]))
        number = say("{number} ext. {ext}", number=number, ext=value["ext"]) if value["ext"] else number
        return say("{number} ({label})", number=number, label=value["label"]) if value["label"] else number
    if field == "debt" and isinstance(value, Mapping):
        return _money(formats.amount(value["minor"], value["currency"]), value["currency"])
    if field.startswith(OWN):
        placed = [one for one in desk.layout.fields if OWN + one.name == field]
        [view] = field_views(placed, {field.removeprefix(OWN): value}, {}, desk.layout.currency)
        return _money(view.text, view.value["currency"]) if view.kind == "money" and view.value else view.text
    return str(value)


def _money(amount: str, currency: str) -> str:
    return say("{amount} {currency}", amount=amount, currency=currency)
