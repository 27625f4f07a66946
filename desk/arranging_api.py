"""/api/v1/card-layout: the fields of the card, their order and who sees them, for administrators.

A change gives the whole card and the version that it was made from, by the ETag that was read (RFC 9110): 428 without
it, 412 when somebody has changed the card since.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict
from pydantic import Field as Described

from config.card_fields import BUILT_IN, FieldType, Role
from config.card_said import FieldSaid, Given, Said, given_of, said_by
from config.sentences import say
from desk import arranging, described, shapes
from desk.arranging_pages import NOT_YOURS, arrange
from desk.bounds import IfMatch
from desk.formats import is_version, rfc3339
from desk.people import Reader
from desk.problems import answer
from desk.services import Desk, Services
from desk.sessions import TheReader
from desk.views import sight
from records.card_layouts import layout_history, layout_said
from records.errors import Conflict, Unfit

api = APIRouter(prefix="/api/v1/card-layout", tags=["company"])

MOST_TOLD = 100


class CardField(BaseModel):
    """One field. What is null, or not said, is as the settings have it; `of` and `source` are told and not taken."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Described(pattern="^[a-z][a-z0-9_]*$", max_length=60)]
    label: Annotated[str | None, Described(max_length=200, description="null: none, or made of the name")] = None
    type: Annotated[FieldType | None, Described(description="only of a field that the settings do not have")] = None
    default: Annotated[str | None, Described(max_length=1000, description="shown where there is no value")] = None
    choices: Annotated[list[str] | None, Described(max_length=1000)] = None
    roles: Annotated[list[Role] | None, Described(description="who sees it; nobody: it is on no card")] = None
    masked: Annotated[list[Role] | None, Described(description="who of them sees only that there is something")] = None
    edits: Annotated[list[Role] | None, Described(description="who of the others may change its values")] = None
    of: Annotated[str | None, Described(description="built-in, settings or page: where it comes from")] = None
    source: Annotated[str | None, Described(description="the query that gives it")] = None

    def given(self) -> Given:
        return Given(self.name, msgspec.convert(self.model_dump(include=set(FieldSaid.__slots__)), FieldSaid))


class CardLayout(BaseModel):
    """All fields in their order. A field of the settings that is left out stays as they have it; one that was made
    here is taken away, and its values stay with the customers."""

    model_config = ConfigDict(extra="forbid")

    fields: Annotated[list[CardField], Described(max_length=300)]
    version: int | None = None


async def administrator(reader: TheReader) -> Reader:
    if not sight(reader.role).card:
        raise HTTPException(403, NOT_YOURS)
    return reader


Administrator = Annotated[Reader, Depends(administrator)]


@api.get("", response_model=shapes.CardLayout, responses=described.TAGGED)
async def layout_json(desk: Desk, reader: Administrator) -> JSONResponse:
    """The card as it is now. The `ETag` is the version to give with a change."""
    return await _told(desk)


@api.put("", response_model=shapes.CardLayout, responses=described.TAGGED)
async def put_layout(
    request: Request, desk: Desk, reader: Administrator, layout: CardLayout, if_match: IfMatch = ""
) -> Response:
    """The card is to be so. It holds at once, for every page, event and answer."""
    version = _version(if_match)
    said, errors = said_by(desk.layouts.file, [one.given() for one in layout.fields])
    if errors:
        raise Unfit(errors)
    return await _arrange(request, desk, reader, said, version)


@api.delete("", response_model=shapes.CardLayout, responses=described.TAGGED)
async def back_to_settings(request: Request, desk: Desk, reader: Administrator, if_match: IfMatch = "") -> Response:
    """Back to what the settings say; fields that were made here are taken away, and their values stay."""
    return await _arrange(request, desk, reader, Said(), _version(if_match))


@api.get("/history", response_model=shapes.CardChanges)
async def history(desk: Desk, reader: Administrator) -> dict[str, Any]:
    """Who changed what, the newest first; at most a hundred changes."""
    rows = await desk.store.read(lambda records: layout_history(records, MOST_TOLD))
    items = [
        {"version": row.id, "at": rfc3339(row.at), "by": row.by.name if row.by else None, "said": row.said}
        for row in rows
    ]
    return {"items": items}


async def _arrange(request: Request, desk: Services, reader: Reader, said: Said, version: int) -> Response:
    try:
        await arrange(desk, said, version, reader)
    except Conflict as conflict:
        now, _ = await desk.store.read(layout_said)
        return answer(request, 412, str(conflict), {"ETag": f'"{now}"'}, version=now)
    return await _told(desk)


async def _told(desk: Services) -> JSONResponse:
    version, said = await desk.store.read(layout_said)
    file = desk.layouts.file
    fields = []
    for row in arranging.rows(file, given_of(file, said), {}):
        shown = {key: getattr(row.said, key) for key in FieldSaid.__slots__}
        shown["type"] = None if row.name in BUILT_IN else shown["type"]
        fields.append({"name": row.name, **shown, "of": row.of, "source": row.source or None})
    return JSONResponse({"version": version, "fields": fields}, headers={"ETag": f'"{version}"'})


def _version(if_match: str) -> int:
    version = if_match.strip().removeprefix("W/").strip('"')
    if not is_version(version):
        raise HTTPException(428, say("Give the ETag of the layout as If-Match, so that nobody's change is lost."))
    return int(version)
