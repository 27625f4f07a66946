"""Entering a customer and changing one, as pages: nothing typed is lost, and nobody's change overwrites another's.

A form says from which version it was made and what it was made of. When somebody has changed the customer meanwhile,
what they changed is shown beside what was typed, and saving goes on from there.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session as Records
from starlette.datastructures import UploadFile

from config.sentences import say
from desk import formats
from desk.changed import tell
from desk.customer_form import Form, Overtaken, Shown, overtaken, read_form
from desk.layout import Placed
from desk.people import Reader
from desk.services import Desk, Services
from desk.sessions import Session, SignedIn
from desk.views import sight
from records.customers import customer
from records.editing import LONGEST_NUMBER, TEXTS, Line, Rules, as_given, edit, enter, lines_of
from records.errors import Conflict, NotFound, Refused, Unfit
from records.photos import MOST_BYTES, photo_path, read_crop, store_photo
from records.sources.owned import owned
from records.tables import Customer, User
from records.touched import Touched

pages = APIRouter(include_in_schema=False)

LABELS = {
    "name": say("Name"),
    "company": say("Company"),
    "email": say("E-mail"),
    "address": say("Address"),
    "debt": say("Owes"),
    "manager_id": say("Manager"),
    "note": say("Note"),
    "numbers": say("Numbers"),
    "photo": say("Picture"),
}
PLACED = {"manager_id": "manager"}
"""Under which name a value stands among the fields of a card, where that is another."""

OWNED = {"debt": "debt_minor"}
"""The same among what a source gives."""


class Meanwhile(Conflict):
    """Somebody changed what a form was made from: the customer as it is now, and what is other than it was."""

    def __init__(self, now: Shown, version: int, changes: Sequence[Overtaken]) -> None:
        super().__init__("somebody changed the customer meanwhile")
        self.now, self.version, self.changes = now, version, changes


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the form needs beside the values: whom one may choose, and what is not ours to change."""

    people: Sequence[User]
    owned: frozenset[str]  # names of the form
    source: str


def rules_for(desk: Services, reader: Reader, is_new: bool = False) -> Rules:
    """What this person may give. Of a new customer there is nothing yet that a role may not see, so they may give any
    number."""
    may = {one.name for one in desk.layout.changed_by(reader.role)}
    names = {name for name in (*TEXTS, "manager_id", "debt", "numbers") if PLACED.get(name, name) in may}
    names |= {"name", "photo"} | ({"numbers"} if is_new else set())
    if not sight(reader.role).amounts:
        names.discard("debt")
    own = {one.name: one.field for one in desk.layout.kept_changed_by(reader.role)}
    return Rules(frozenset(names), own, desk.layout.currency, desk.parts.read_number)


@pages.get("/customers/new")
async def new_form(request: Request, desk: Desk, session: SignedIn, number: str = "", name: str = "") -> Response:
    """`number`, `name`: of somebody who calls, say; whatever a network sends is cut to what the form may have."""
    line = (Line(number.strip()[:LONGEST_NUMBER]),) if number.strip() else ()
    shown = Shown({"name": name[: TEXTS["name"]]}, line)
    return await _form(request, desk, session, None, shown, Shown(), 0)


@pages.post("/customers/new")
async def save_new(request: Request, desk: Desk, session: SignedIn) -> Response:
    rules = rules_for(desk, session.reader, is_new=True)
    form, errors = await _sent(request, desk)

    def write(records: Records) -> tuple[Customer, Touched]:
        if errors:
            raise Unfit(errors)
        return enter(records, form.typed.values, form.typed.lines, rules, session.reader.user_id)

    try:
        made, touched = await desk.store.write(write)
    except Unfit as unfit:
        return await _form(request, desk, session, None, form.typed, Shown(), 0, 422, unfit.errors)
    await tell(desk, touched)
    return RedirectResponse(f"/customers/{made.id}", 303)


@pages.get("/customers/{customer_id}/edit")
async def edit_form(request: Request, desk: Desk, session: SignedIn, customer_id: int) -> Response:
    found = await desk.store.read(lambda records: one(records, customer_id))
    shown = _shown(found, rules_for(desk, session.reader))
    desk.seen.note(session.reader.user_id, [customer_id], "page")
    return await _form(request, desk, session, found, shown, shown, found.version)


@pages.post("/customers/{customer_id}/edit")
async def save(request: Request, desk: Desk, session: SignedIn, customer_id: int) -> Response:
    rules = rules_for(desk, session.reader)
    form, errors = await _sent(request, desk)

    def write(records: Records) -> Touched:
        found = one(records, customer_id)
        now = _shown(found, rules)
        if changes := overtaken(form.was, now):
            raise Meanwhile(now, found.version, changes)
        if errors:
            raise Unfit(errors)
        changed, lines, by_id = form.changed, form.typed.lines, session.reader.user_id
        return edit(records, customer_id, changed, lines, rules, by_id, found.version)[1]

    try:
        await tell(desk, await _twice(desk, write))
    except Meanwhile as late:
        found = await desk.store.read(lambda records: one(records, customer_id))
        page = (request, desk, session, found, form.beside(late.now), late.now, late.version)
        return await _form(*page, 409, errors, meanwhile=late.changes)
    except Unfit as unfit:
        found = await desk.store.read(lambda records: one(records, customer_id))
        return await _form(request, desk, session, found, form.typed, form.was, form.version, 422, unfit.errors)
    except Refused as refused:
        found = await desk.store.read(lambda records: one(records, customer_id))
        page = (request, desk, session, found, form.typed, form.was, form.version)
        return await _form(*page, 422, said=str(refused))
    return RedirectResponse(f"/customers/{customer_id}", 303)


async def _twice(desk: Services, write: Any) -> Touched:
    """Somebody who changes the customer between our look at it and our change makes us look again."""
    try:
        return await desk.store.write(write)
    except Meanwhile:
        raise
    except Conflict:
        return await desk.store.write(write)


async def _sent(request: Request, desk: Services) -> tuple[Form, dict[str, str]]:
    """The form, read off the line only now that it is known who sends it, and what is wrong with its picture.

    A picture is kept at once, so that it need not be chosen again when something else is refused.
    """
    async with request.form(max_files=1, max_fields=2000) as sent:
        form = read_form(sent.multi_items())
        picture, errors = sent.get("picture"), dict[str, str]()
        values = dict(form.typed.values)
        crop = values.pop("crop", "")
        if values.pop("no_photo", ""):
            values["photo"] = ""
        try:
            if isinstance(picture, UploadFile) and picture.filename:
                raw = await picture.read(MOST_BYTES + 1)
                args = desk.parts.settings.data_dir, raw, read_crop(crop)
                values["photo"] = await asyncio.to_thread(store_photo, *args)
            elif values.get("photo", "") not in ("", form.was.values.get("photo")):
                photo_path(desk.parts.settings.data_dir, values["photo"])
        except (Refused, NotFound) as exc:
            errors["photo"] = str(exc)
            values["photo"] = form.was.values.get("photo", "")
    return Form(Shown(values, form.typed.lines), form.was, form.version), errors


def one(records: Records, customer_id: int) -> Customer:
    """Raises NotFound."""
    found = customer(records, customer_id)
    if found is None:
        raise NotFound(say("There is no such customer. The card may have been deleted."))
    return found


def _shown(of: Customer, rules: Rules) -> Shown:
    return Shown(as_given(of, rules), lines_of(of) if "numbers" in rules.names else ())


async def _form(
    request: Request,
    desk: Services,
    session: Session,
    found: Customer | None,
    typed: Shown,
    was: Shown,
    version: int,
    status: int = 200,
    errors: Mapping[str, str] | None = None,
    said: str = "",
    meanwhile: Sequence[Overtaken] = (),
) -> Response:
    reader = session.reader
    rules = rules_for(desk, reader, is_new=found is None)
    sheet = await desk.store.read(lambda records: _sheet(records, found))
    labels = _labels(desk)
    shown = {*rules.names, *_own_empty(desk, reader)}
    if "numbers" not in sheet.owned:
        shown |= {f"numbers.{place}" for place in range(len(typed.lines))}
    return await desk.pages.page(
        request,
        session,
        "change_customer.html",
        status,
        customer=found,
        may=rules.names,
        own=desk.layout.kept_changed_by(reader.role),
        labels=labels,
        values={
            **dict.fromkeys((*TEXTS, "debt", "manager_id", "photo"), ""),
            **_own_empty(desk, reader),
            **typed.values,
        },
        lines=(*typed.lines, *_spare(found, typed)),
        was=was.packed(),
        version=version,
        errors=defaultdict(str, errors or {}),
        elsewhere=[
            say("{field}: {what}", field=name, what=said) for name, said in (errors or {}).items() if name not in shown
        ],
        said=said,
        meanwhile=[_told(desk, sheet, labels, each) for each in meanwhile],
        people=sheet.people,
        owned=sheet.owned,
        source=sheet.source,
        countries={line.number: formats.country(line.number) for line in typed.lines},
    )


def _spare(found: Customer | None, typed: Shown) -> tuple[Line, ...]:
    """An empty line, so that a number can be added without a script."""
    is_there = typed.lines[-1].is_empty if typed.lines and found else bool(typed.lines)
    return () if is_there else (Line(""),)


def _own_empty(desk: Services, reader: Reader) -> dict[str, str]:
    return {f"custom.{one.name}": "" for one in desk.layout.kept_changed_by(reader.role)}


def _labels(desk: Services) -> dict[str, str]:
    """What the fields are called: as the company calls them, else in words that a form needs."""
    placed: dict[str, Placed] = {one.name: one for one in desk.layout.fields}
    built_in = {
        name: placed[at].field.label or usual if (at := PLACED.get(name, name)) in placed else usual
        for name, usual in LABELS.items()
    }
    return built_in | {f"custom.{name}": one.label for name, one in placed.items() if one.kept}


def _sheet(records: Records, found: Customer | None) -> Sheet:
    wanted = select(User).where(User.active | (User.id == (found.manager_id if found else None)))
    source = found.source if found else ""
    columns = owned(records, source)
    names = {name for name in (*LABELS, *columns) if OWNED.get(name, name) in columns}
    return Sheet(records.scalars(wanted.order_by(User.name)).all(), frozenset(names), source)


def _told(desk: Services, sheet: Sheet, labels: Mapping[str, str], each: Overtaken) -> dict[str, str]:
    before, now = each.before, each.now
    if each.name == "manager_id":
        names = {str(person.id): person.name for person in sheet.people}
        before, now = names.get(before, before and say("somebody")), names.get(now, now and say("somebody"))
    if each.name == "photo":
        before, now = before and say("a picture"), now and say("another picture")
    return {"name": each.name, "label": labels.get(each.name, each.name), "before": before, "now": now}
