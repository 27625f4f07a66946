"""Tabs: what the pages that somebody has open are called, as they may see it now, and the way to one of them.

The browser keeps which tabs there are (`static/tabs.js`), and asks here at each page what to write on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session as Records

from config.sentences import listed, say
from desk import formats, tasks
from desk.calls import seen_call
from desk.finding import asked, choices
from desk.people import Directory, Reader
from desk.services import Desk, Services
from desk.sessions import SignedIn
from desk.tab_names import Tab
from records.errors import NotFound, RecordsError, Refused
from records.tables import CallRow, Customer
from records.views import views_of

pages = APIRouter(include_in_schema=False)

MOST = 40
GONE = {
    "customer": say("The customer of a tab was deleted; the tab is closed."),
    "call": say("The call of a tab is no longer yours to see; the tab is closed."),
    "task": say("The task of a tab is no longer there; the tab is closed."),
    "list": "",  # sealed with a secret of before: nothing is known of it
    "new": "",
}
_LISTS_OF_TASKS = {"others": say("Others’ tasks"), "done": say("Tasks that are done")}


class Kept(BaseModel):
    """One tab as the browser keeps it."""

    model_config = ConfigDict(extra="forbid")

    key: Annotated[str, Field(max_length=3000)]
    at: Annotated[str, Field(max_length=20)] = ""


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tabs: Annotated[list[Kept], Field(max_length=MOST)]


@dataclass(frozen=True, slots=True)
class Titles:
    """What is read of the records for some tabs."""

    customers: Mapping[int, str]
    calls: Mapping[str, CallRow]
    tasks: Mapping[int, str]
    views: Mapping[str, str]  # saved lists: name by address


@pages.post("/pieces/tabs")
async def titles(request: Request, desk: Desk, session: SignedIn, wanted: Asked) -> dict[str, Any]:
    """What stands on these tabs, in their order; `gone` with a sentence for one that leads nowhere any more."""
    reader, names = session.reader, desk.pages.tabs
    found: list[tuple[Tab, str]] = []
    for kept in wanted.tabs:
        tab = Tab(kept.key, kept.at)
        try:
            found.append((tab, names.address(reader.user_id, tab)))
        except Refused:
            found.append((tab, ""))
    directory = await desk.people.directory()
    real = [tab for tab, address in found if address]
    known = await desk.store.read(lambda records: _known(records, desk, reader, directory, real))
    put = desk.pages.spoken_to(request, reader).put
    told = (_told(desk, reader, directory, known, tab, address) for tab, address in found)
    return {"tabs": [{name: put(value) for name, value in one.items()} for one in told]}


@pages.get("/tabs/{key}")
async def go(desk: Desk, session: SignedIn, key: str) -> Response:
    """On to the list behind a sealed name; what the browser does before it has heard the address."""
    try:
        return RedirectResponse(desk.pages.tabs.address(session.reader.user_id, Tab(key)), 303)
    except Refused as refused:
        raise NotFound(say("This tab leads nowhere any more; close it.")) from refused


def _known(records: Records, desk: Services, reader: Reader, directory: Directory, tabs: Sequence[Tab]) -> Titles:
    ids = {int(tab.key[1:]) for tab in tabs if tab.kind == "customer"}
    people = records.execute(select(Customer.id, Customer.name).where(Customer.id.in_(ids))) if ids else ()
    customers = {id: name for id, name in people}  # noqa: C416 - a row is no pair to the type checker
    calls, todo = {}, {}
    for tab in tabs:
        try:
            if tab.kind == "call":
                calls[tab.key[1:]] = seen_call(tab.key[1:], reader.sees, directory)(records)
            elif tab.kind == "task":
                todo[int(tab.key[1:])] = tasks.seen(records, desk, reader, int(tab.key[1:])).title
        except NotFound:
            continue
    views = views_of(records, reader.user_id) if any(tab.kind == "list" for tab in tabs) else ()
    return Titles(customers, calls, todo, {view.address: view.name for view in views})


def _told(
    desk: Services, reader: Reader, directory: Directory, known: Titles, tab: Tab, address: str
) -> dict[str, Any]:
    title = _title(desk, reader, directory, known, tab, address) if address else ""
    if not title:
        return {"key": tab.key, "gone": True, "said": GONE.get(tab.kind, "")}
    return {"key": tab.key, "href": address, "title": title}


def _title(desk: Services, reader: Reader, directory: Directory, known: Titles, tab: Tab, address: str) -> str:
    """Empty: there is nothing to call it by, because it is gone."""
    rest = tab.key[1:]
    match tab.kind:
        case "customer":
            return known.customers.get(int(rest), "")
        case "task":
            return known.tasks.get(int(rest), "")
        case "call":
            return _of_call(desk, known.calls[rest]) if rest in known.calls else ""
        case "new":
            return say("New customer")
        case _:
            return _of_list(desk, reader, directory, known, address)


def _of_call(desk: Services, call: CallRow) -> str:
    """Who it was with, and when."""
    number = formats.number(call.caller_number) if call.caller_number else say("Number withheld")
    who = call.customer.name if call.customer else call.shown_name or number
    return say("{who}, {time}", who=who, time=formats.clock(call.started_at, desk.zone))


def _of_list(desk: Services, reader: Reader, directory: Directory, known: Titles, address: str) -> str:
    parts = urlsplit(address)
    said = dict(parse_qsl(parts.query))
    match parts.path:
        case "/calls":
            day = said.get("day", "")
            return say("Calls of {day}", day=day) if day else say("Calls")
        case "/tasks":
            return _LISTS_OF_TASKS.get(said.get("of", ""), say("Tasks"))
        case "/customers":
            return _of_customers(desk, reader, directory, known, said)
        case path:
            last = path.removeprefix("/reports").strip("/").replace("-", " ").replace("/", ", ")
            return say("Report: {name}", name=last) if last else say("Reports")


def _of_customers(desk: Services, reader: Reader, directory: Directory, known: Titles, said: Mapping[str, str]) -> str:
    """The name under which the list was saved, else what makes it."""
    try:
        wanted = asked(desk, reader, said)
    except (HTTPException, RecordsError):
        return say("Customers")  # by something that this reader may not filter by any more
    if name := known.views.get(wanted.address):
        return name
    texts = [
        next((text for value, text in one.options if value == one.value), "")
        for one in choices(desk, reader, directory, wanted.values)
        if one.value
    ]
    parts = [part for part in (wanted.typed, *texts) if part]
    return say("Customers: {what}", what=listed(parts)) if parts else say("Customers")
