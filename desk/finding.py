"""Finding customers, as a page, as one types, and in the API: what is searched, what the list is filtered by, and the
lists that a person has saved.

What a role may not see is neither shown nor searched nor filtered by. The address of a list carries all that makes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session as Records

from config.sentences import say
from desk import formats, shapes
from desk.bounds import After, Id, Limit
from desk.customers import customer_facts
from desk.people import Directory, Reader
from desk.services import Desk, Services
from desk.sessions import SignedIn, TheReader
from desk.views import sight
from records.errors import Refused
from records.finding import EVERYTHING, Filters, FoundCustomers, find_customers
from records.folding import digits
from records.tables import Customer, SavedView
from records.views import remove_view, save_view, views_of

pages = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1/customers", tags=["customers"])

SHOWN = 50
SUGGESTED = 8
LONGEST = 100  # characters of a search
OURS = "-"  # the source of customers who were entered or imported here; no source is called that
OWN = "own."  # before the name of one of the company's own fields

_ALWAYS = frozenset({"names"})


@dataclass(frozen=True, slots=True)
class Choice:
    """One filter as a person chooses it."""

    name: str  # in the address
    label: str
    options: tuple[tuple[str, str], ...]  # value in the address, text; the first one: all
    value: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A list as its address says it."""

    typed: str = ""
    filters: Filters = field(default_factory=Filters)
    values: Mapping[str, str] = field(default_factory=dict)  # of the filters, as in the address

    @property
    def address(self) -> str:
        """What stands behind the question mark."""
        return urlencode({**({"q": self.typed} if self.typed else {}), **self.values})


def searched(desk: Services, reader: Reader) -> tuple[str, ...]:
    """What is searched for this reader."""
    seen = desk.layout.names_seen_by(reader.role) | _ALWAYS
    return tuple(name for name in EVERYTHING if name in seen)


def asked(desk: Services, reader: Reader, parameters: Mapping[str, str]) -> Asked:
    """Raises Refused for a filter that cannot be read, or that this reader may not filter by."""
    known = {one.name for one in choices(desk, reader, Directory(), {})}
    values = {name: value.strip() for name, value in parameters.items() if name in known and value.strip()}
    hidden = [name for name in parameters if name not in known and (name in _EVERY or name.startswith(OWN))]
    if hidden and any(parameters[name].strip() for name in hidden):
        said = say("The list cannot be filtered by {names} in your role.", names=", ".join(hidden))
        raise HTTPException(403, said)
    manager = values.get("manager", "")
    if manager not in ("", "me", "nobody") and not (manager.isdecimal() and len(manager) < 10):
        raise Refused(say("manager={manager} is nobody; write me, nobody, or a person's id", manager=manager))
    source = values.get("source")
    filters = Filters(
        manager_id=reader.user_id if manager == "me" else int(manager) if manager.isdecimal() else None,
        nobodys=manager == "nobody",
        owes="owes" in values,
        open_task="task" in values,
        source="" if source == OURS else source,
        choices={name.removeprefix(OWN): value for name, value in values.items() if name.startswith(OWN)},
    )
    return Asked(parameters.get("q", "").strip()[:LONGEST], filters, values)


_EVERY = ("manager", "owes", "task", "source")


def choices(desk: Services, reader: Reader, directory: Directory, values: Mapping[str, str]) -> tuple[Choice, ...]:
    """The filters that this reader may use."""
    fields = desk.layout.seen_by(reader.role)
    names = {one.name for one in fields}
    found: list[Choice] = []
    if "manager" in names:
        people = sorted(directory.names.items(), key=lambda person: (person[1].casefold(), person[0]))
        others = tuple((str(id), name) for id, name in people if id != reader.user_id)
        first = ("", say("Anybody")), ("me", say("Me")), ("nobody", say("Nobody"))
        found.append(Choice("manager", say("Manager"), (*first, *others)))
    if "debt" in names and sight(reader.role).amounts:
        found.append(Choice("owes", say("Debt"), (("", say("Any")), ("yes", say("Owes money")))))
    if "last_task" in names:
        found.append(Choice("task", say("Tasks"), (("", say("Any")), ("open", say("Has an open task")))))
    if desk.parts.settings.sources:
        kept = tuple((name, name) for name in desk.parts.settings.sources)
        found.append(Choice("source", say("Kept in"), (("", say("Anywhere")), (OURS, say("Ringcard itself")), *kept)))
    found.extend(
        Choice(OWN + one.name, one.label, (("", say("Any")), *((value, value) for value in one.field.choices)))
        for one in fields
        if one.kept and one.field.type == "choice"
    )
    return tuple(Choice(one.name, one.label, one.options, values.get(one.name, "")) for one in found)


# --- the list


@pages.get("/customers")
async def list_page(request: Request, desk: Desk, session: SignedIn, after: str = "") -> Response:
    reader = session.reader
    wanted = asked(desk, reader, request.query_params)
    directory = await desk.people.directory()

    def read(records: Records) -> tuple[FoundCustomers, Sequence[SavedView]]:
        return _find(desk, reader, records, wanted, after, SHOWN), views_of(records, reader.user_id)

    found, views = await desk.store.read(read)
    return await desk.pages.page(
        request,
        session,
        "customers.html",
        q=wanted.typed,
        customers=found.items,
        next=found.next,
        nearly=found.nearly,
        asked=wanted,
        choices=choices(desk, reader, directory, wanted.values),
        views=views,
        pick=sight(reader.role).merges and "pick" in request.query_params,
    )


@pages.post("/customers/views")
async def save(
    desk: Desk,
    session: SignedIn,
    name: Annotated[str, Form(max_length=500)] = "",
    address: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    """Keeps a list under a name. Only what this reader may filter by is kept of its address."""
    wanted = asked(desk, session.reader, dict(parse_qsl(address)))
    await desk.store.write(lambda records: save_view(records, session.reader.user_id, name, wanted.address))
    return RedirectResponse(f"/customers?{wanted.address}", 303)


@pages.post("/customers/views/{view_id}/remove")
async def remove(
    desk: Desk, session: SignedIn, view_id: Id, address: Annotated[str, Form(max_length=4000)] = ""
) -> Response:
    wanted = asked(desk, session.reader, dict(parse_qsl(address)))
    await desk.store.write(lambda records: remove_view(records, session.reader.user_id, view_id))
    return RedirectResponse(f"/customers?{wanted.address}", 303)


@api.get("", response_model=shapes.Customers)
async def list_json(
    request: Request,
    desk: Desk,
    reader: TheReader,
    q: str = "",
    manager: str = "",
    owes: str = "",
    task: str = "",
    source: str = "",
    after: After = "",
    limit: Limit = SHOWN,
) -> dict[str, Any]:
    """Find customers: by how well they match `q`, then by name.

    `q` is any part of a name, company, number, address of mail, order or external id. `manager`: `me`, `nobody` or a
    person's id; `owes=yes`; `task=open`; `source`: a source's name, or `-`; `own.FIELD=VALUE`: one of your own fields.
    `nearly`: nobody matches; these do but for a letter.
    """
    wanted = asked(desk, reader, request.query_params)
    found = await desk.store.read(lambda records: _find(desk, reader, records, wanted, after, limit))
    sees = desk.layout.names_seen_by(reader.role)
    items = [customer_facts(customer, reader, sees) for customer in found.items]
    desk.seen.note(reader.user_id, (customer.id for customer in found.items), "api")
    return {"items": items, "next": found.next, "nearly": found.nearly}


@api.get("/suggest", response_model=shapes.Suggestions)
async def suggest(desk: Desk, reader: TheReader, q: str = "") -> dict[str, Any]:
    """The best eight for what is being typed; of each what it takes to tell them apart."""
    wanted = Asked(q.strip()[:LONGEST])
    if not wanted.typed:
        return {"items": [], "nearly": False}
    found = await desk.store.read(lambda records: _find(desk, reader, records, wanted, "", SUGGESTED))
    sees = desk.layout.names_seen_by(reader.role)
    items = [
        {
            "customer_id": one.id,
            "name": one.name,
            "company": one.company if "company" in sees else "",
            "number": _number_like(one, wanted.typed) if "numbers" in sees else "",
            "photo": f"/photos/{one.photo}" if one.photo else None,
            "initials": formats.initials(one.name),
            "hue": formats.hue(one.id),
        }
        for one in found.items
    ]
    return {"items": items, "nearly": found.nearly}


def _find(desk: Services, reader: Reader, records: Records, wanted: Asked, after: str, limit: int) -> FoundCustomers:
    return find_customers(
        records,
        wanted.typed,
        columns=searched(desk, reader),
        filters=wanted.filters,
        read_number=desk.parts.read_number,
        after=after,
        limit=limit,
    )


def _number_like(customer: Customer, typed: str) -> str:
    """The number that was meant, as it is shown; else the first one."""
    shown = [one.e164 or one.raw for one in customer.numbers]
    wanted = digits(typed).lstrip("0")
    return formats.number(next((one for one in shown if wanted and wanted in digits(one)), shown[0] if shown else ""))
