"""Two customers who are the same become one, as pages and in the API; and who may be the same.

For supervisors and administrators. What a role does not see is not shown to be chosen of, and goes by the rule: what
the one who stays has, else what the other has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from config.sentences import say
from desk import described, shapes
from desk.bounds import After, Id, IfMatch, Limit
from desk.changed import tell
from desk.customers import customer_facts
from desk.entering import one
from desk.entering_api import version_of
from desk.finding import SUGGESTED, searched
from desk.history import fields_seen_by, label_of, text_of
from desk.people import Reader
from desk.problems import answer
from desk.services import Desk, Services
from desk.sessions import Session, SignedIn
from desk.views import sight
from records.aliases import id_of_now
from records.duplicates import By, duplicates
from records.editing import NOT_YOURS
from records.errors import Conflict, NotFound, Refused, Unfit
from records.finding import find_customers
from records.merging import Pair, Side, merge, pair

pages = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1/customers", tags=["customers"])

GROUPS = 20
WITHIN_S = 10.0
"""Where none of a million is like another, all of one index is read: a second or two, for a page that few open. And
somebody may have a hundred thousand calls that go over.
"""

KINDS: Mapping[By, str] = {
    "number": say("The same number"),
    "email": say("The same e-mail"),
    "name": say("The same name and company"),
}
NEEDED: Mapping[By, frozenset[str]] = {
    "number": frozenset({"numbers"}),
    "email": frozenset({"email"}),
    "name": frozenset({"company"}),
}
"""Fields of the card whose likeness is told; a role that may not see them is not told."""

NOT_SHOWN = say("Your role does not see what these customers share.")


async def may_merge(session: SignedIn) -> Session:
    if not sight(session.reader.role).merges:
        raise HTTPException(403, say("Merging customers is for supervisors and administrators."))
    return session


MayMerge = Annotated[Session, Depends(may_merge)]


class Merging(BaseModel):
    model_config = ConfigDict(extra="forbid")

    other_id: Annotated[Id, Field(description="who goes over to this customer, and is gone then")]
    other_version: Annotated[Id | None, Field(description="the version of the other one, as it was read")] = None
    keep: Annotated[
        dict[str, Literal["this", "other"]],
        Field(description="whose value stays, by field as the history names it; else this one's, or the other's"),
    ] = {}


# --- who may be the same


@pages.get("/customers/duplicates")
async def duplicates_page(
    request: Request, desk: Desk, session: MayMerge, by: By = "number", after: str = ""
) -> Response:
    kinds = kinds_seen_by(desk, session.reader)
    if by not in kinds:
        raise HTTPException(403, NOT_SHOWN)
    found = await desk.store.read(lambda records: duplicates(records, by, after=after, limit=GROUPS), WITHIN_S)
    return await desk.pages.page(
        request, session, "duplicates.html", groups=found.items, next=found.next, by=by, kinds=kinds, after=after
    )


@api.get("/duplicates", response_model=shapes.Duplicates)
async def duplicates_json(
    desk: Desk, session: MayMerge, by: By = "number", after: After = "", limit: Limit = GROUPS
) -> dict[str, Any]:
    """Customers who may be the same: who share a number, an address of mail, or name and company but for capital
    letters, accents and spaces. Of one such group the first twenty. For supervisors and administrators."""
    if by not in kinds_seen_by(desk, session.reader):
        raise HTTPException(403, NOT_SHOWN)
    found = await desk.store.read(lambda records: duplicates(records, by, after=after, limit=limit), WITHIN_S)
    sees = desk.layout.names_seen_by(session.reader.role)
    items = [
        {
            "number": group.shared or None,
            "customers": [_in_short(each, sees) for each in group.customers],
            "more": group.more,
        }
        for group in found.items
    ]
    return {"items": items, "next": found.next}


def kinds_seen_by(desk: Services, reader: Reader) -> dict[By, str]:
    sees = desk.layout.names_seen_by(reader.role)
    return {by: text for by, text in KINDS.items() if NEEDED[by] <= sees}


def _in_short(each: Any, sees: frozenset[str]) -> dict[str, Any]:
    return {
        "customer_id": each.id,
        "version": each.version,
        "name": each.name,
        "company": each.company if "company" in sees else "",
        "source": each.source,
    }


# --- making one of two


@pages.get("/customers/merge")
async def chosen_two(
    session: MayMerge, customer: Annotated[list[int] | None, Query(alias="customer", max_length=50)] = None
) -> Response:
    """From the list, where two are ticked."""
    two = list(dict.fromkeys(customer or ()))
    if len(two) != 2:
        raise Refused(say("Tick two customers, and then choose to merge them."))
    return RedirectResponse(f"/customers/{two[0]}/merge?other={two[1]}", 303)


@pages.get("/customers/{customer_id}/merge")
async def merge_page(
    request: Request, desk: Desk, session: MayMerge, customer_id: Id, other: Id | None = None, q: str = ""
) -> Response:
    """With `other` both beside each other; else a search for whom it is."""
    if other is None:
        return await _search(request, desk, session, customer_id, q)
    await desk.store.read(lambda records: one(records, customer_id))  # who was merged already leads on
    try:
        two = await desk.store.read(lambda records: pair(records, customer_id, other))
    except Refused as refused:
        return await _search(request, desk, session, customer_id, q, str(refused))
    return await _side_by_side(request, desk, session, two)


@pages.post("/customers/{customer_id}/merge")
async def merge_now(
    request: Request,
    desk: Desk,
    session: MayMerge,
    customer_id: Id,
    other: Annotated[Id, Form()],
    version: Annotated[Id, Form()],
    other_version: Annotated[Id, Form()],
) -> Response:
    form = await request.form()
    keep: dict[str, Side] = {
        name.removeprefix("keep."): "other" if value == "other" else "this"
        for name, value in form.items()
        if name.startswith("keep.")
    }
    try:
        await _merge(desk, session.reader, customer_id, other, keep, (version, other_version))
    except Conflict:
        two = await desk.store.read(lambda records: pair(records, customer_id, other))
        said = say("Somebody changed one of the two meanwhile. Nothing is merged yet: look at both again.")
        return await _side_by_side(request, desk, session, two, keep, said, 409)
    except NotFound:
        if await desk.store.read(lambda records: id_of_now(records, other)) != customer_id:
            raise  # else it was sent twice
    return RedirectResponse(f"/customers/{customer_id}", 303)


@api.post("/{customer_id}/merge", response_model=shapes.Customer, responses=described.TAGGED)
async def merge_json(
    request: Request, desk: Desk, session: MayMerge, customer_id: Id, merging: Merging, if_match: IfMatch = ""
) -> Response:
    """Another customer goes over to this one: numbers, notes, tasks, orders, calls, history. `If-Match` is the `ETag`
    of this one, `other_version` the version of the other. The other's address leads here then: reading is answered
    308, a change 410. For supervisors and administrators."""
    version = version_of(if_match)
    if merging.other_version is None:
        said = say("Give the version of the other customer as other_version, so that no change is lost.")
        raise HTTPException(428, said)
    reader, other_id, versions = session.reader, merging.other_id, (version, merging.other_version)
    try:
        await _merge(desk, reader, customer_id, other_id, merging.keep, versions)
    except Conflict as conflict:
        return await _overtaken(request, desk, customer_id, other_id, str(conflict))
    found = await desk.store.read(lambda records: one(records, customer_id))
    facts = customer_facts(found, reader, desk.layout.names_seen_by(reader.role))
    return JSONResponse(facts, headers={"ETag": f'"{found.version}"'})


async def _merge(
    desk: Services,
    reader: Reader,
    customer_id: int,
    other_id: int,
    keep: Mapping[str, Side],
    versions: tuple[int, int],
) -> None:
    seen = fields_seen_by(desk, reader.role)
    if hidden := {name: NOT_YOURS for name in keep if name not in seen}:
        raise Unfit(hidden)
    await desk.store.read(lambda records: one(records, customer_id))
    touched = await desk.store.write(
        lambda records: merge(records, customer_id, other_id, keep, versions, reader.user_id), WITHIN_S
    )
    await tell(desk, touched)


async def _overtaken(request: Request, desk: Services, customer_id: int, other_id: int, said: str) -> Response:
    this, other = await desk.store.read(lambda records: (one(records, customer_id), one(records, other_id)))
    versions = {"version": this.version, "other_version": other.version}
    return answer(request, 412, said, {"ETag": f'"{this.version}"'}, **versions)


async def _side_by_side(
    request: Request,
    desk: Services,
    session: Session,
    two: Pair,
    keep: Mapping[str, Side] | None = None,
    said: str = "",
    status: int = 200,
) -> Response:
    seen = fields_seen_by(desk, session.reader.role)
    desk.seen.note(session.reader.user_id, [two.this.id, two.other.id], "page")
    rows = [
        {
            "name": each.name,
            "label": label_of(desk, each.name),
            "this": text_of(desk, each.name, each.this),
            "other": text_of(desk, each.name, each.other),
            "kept": (keep or {}).get(each.name, each.kept),
        }
        for each in two.differing
        if each.name in seen
    ]
    return await desk.pages.page(
        request,
        session,
        "merge.html",
        status,
        this=two.this,
        other=two.other,
        rows=rows,
        goes_over={name: count for name, count in two.goes_over.items() if count},
        said=said,
    )


async def _search(
    request: Request, desk: Services, session: Session, customer_id: int, q: str, said: str = ""
) -> Response:
    this = await desk.store.read(lambda records: one(records, customer_id))
    typed = q.strip()[:100]
    columns, read_number = searched(desk, session.reader), desk.parts.read_number
    found = []
    if typed:
        rows = await desk.store.read(
            lambda records: find_customers(
                records, typed, columns=columns, read_number=read_number, limit=SUGGESTED + 1
            )
        )
        found = [each for each in rows.items if each.id != customer_id][:SUGGESTED]
    status = 422 if said else 200
    values = {"this": this, "found": found, "typed": typed, "said": said}
    return await desk.pages.page(request, session, "merge_search.html", status, **values)
