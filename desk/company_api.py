"""What of the company everybody may know and administrators change: its face, the fields of its card, who works there;
and the lists that a person has saved."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session as Records

from desk import described, shapes
from desk.bounds import Id
from desk.finding import asked, choices
from desk.looks import Administrator, give_face
from desk.services import Desk, Services
from desk.sessions import SignedIn, TheReader
from records.logos import FORMATS, store_logo
from records.preferences import LONGEST_NAME
from records.tables import SavedView
from records.views import LONGEST_ADDRESS, remove_view, save_view, views_of
from records.views import LONGEST_NAME as LONGEST_VIEW

router = APIRouter(prefix="/api/v1")


class GivenFace(BaseModel):
    """What is left out, or null, stays; an empty text takes it away."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: Annotated[str | None, Field(max_length=LONGEST_NAME)] = None
    accent: Annotated[str | None, Field(pattern=r"^(#[0-9a-fA-F]{6})?$", description="like #0b7a5b")] = None
    design: Annotated[str | None, Field(max_length=80, description="of everybody who chose none")] = None


class NewView(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: Annotated[str, Field(max_length=LONGEST_VIEW)]
    address: Annotated[
        str, Field(max_length=LONGEST_ADDRESS, description="parameters of the list, like q=rice&owes=yes")
    ] = ""


@router.get("/company", tags=["company"], response_model=shapes.Company)
async def company(desk: Desk, session: SignedIn) -> dict[str, Any]:
    """The company: its name, face, country, time zone and currency."""
    return await _company(desk)


@router.patch("/company", tags=["company"], response_model=shapes.Company)
async def change_company(desk: Desk, session: Administrator, given: GivenFace) -> dict[str, Any]:
    """Give the desk another name, colour or design."""
    await give_face(desk, given.model_dump(exclude_none=True))
    return await _company(desk)


@router.put("/company/logo", tags=["company"], response_model=shapes.Company, openapi_extra=described.picture(FORMATS))
async def put_logo(request: Request, desk: Desk, session: Administrator) -> dict[str, Any]:
    """Give the desk a logo: the file is the body. It is made anew, never passed on as it came."""
    raw = await request.body()
    await give_face(desk, {"logo": await asyncio.to_thread(store_logo, desk.parts.settings.data_dir, raw)})
    return await _company(desk)


@router.delete("/company/logo", tags=["company"], response_model=shapes.Company)
async def take_logo(desk: Desk, session: Administrator) -> dict[str, Any]:
    """Take the logo away."""
    await give_face(desk, {"logo": ""})
    return await _company(desk)


@router.get("/fields", tags=["company"], response_model=list[shapes.FieldOfCard])
async def fields(desk: Desk, reader: TheReader) -> list[dict[str, Any]]:
    """The fields of a card that you may see, in their order, and which of the company's own you may change."""
    changed = {one.name for one in desk.layout.kept_changed_by(reader.role)}
    return [
        {
            "name": one.name,
            "label": one.label,
            "type": "built-in" if one.built_in else one.field.type,
            "built_in": one.built_in,
            "may_change": one.name in changed,
            "choices": list(one.field.choices),
        }
        for one in desk.layout.seen_by(reader.role)
    ]


@router.get("/colleagues", tags=["people"], response_model=list[shapes.Colleague])
async def colleagues(desk: Desk, session: SignedIn) -> list[dict[str, Any]]:
    """Who works here, by name: for whoever is to do a task, or to manage a customer."""
    names = (await desk.people.directory()).names
    people = sorted(names.items(), key=lambda person: (person[1].casefold(), person[0]))
    return [{"user_id": user_id, "name": name} for user_id, name in people]


@router.get("/filters", tags=["customers"], response_model=list[shapes.Filter])
async def filters(desk: Desk, reader: TheReader) -> list[dict[str, Any]]:
    """By what you may filter the list of customers, with the values of each; an empty value: all."""
    found = choices(desk, reader, await desk.people.directory(), {})
    return [
        {
            "name": one.name,
            "label": one.label,
            "options": [{"value": value, "label": label} for value, label in one.options],
        }
        for one in found
    ]


@router.get("/views", tags=["customers"], response_model=list[shapes.View])
async def views(desk: Desk, reader: TheReader) -> list[dict[str, Any]]:
    """The lists of customers that you have saved, by name."""
    return await desk.store.read(lambda records: [_view(one) for one in views_of(records, reader.user_id)])


@router.post("/views", tags=["customers"], status_code=201, response_model=shapes.View)
async def save(desk: Desk, reader: TheReader, new: NewView) -> dict[str, Any]:
    """Save a list under a name; under one that you have it takes the place of that one."""
    wanted = asked(desk, reader, dict(parse_qsl(new.address)))
    return await desk.store.write(lambda records: _view(save_view(records, reader.user_id, new.name, wanted.address)))


@router.delete("/views/{view_id}", tags=["customers"], status_code=204)
async def remove(desk: Desk, reader: TheReader, view_id: Id) -> Response:
    """Take a saved list away."""

    def write(records: Records) -> None:
        remove_view(records, reader.user_id, view_id)

    await desk.store.write(write)
    return Response(status_code=204)


async def _company(desk: Services) -> dict[str, Any]:
    await desk.faces.refresh()
    look, company = desk.faces.look(), desk.parts.settings.company
    return {
        "name": look.company,
        "accent": look.face.accent,
        "design": desk.faces.usual,
        "logo": look.logo or None,
        "country": company.country,
        "time_zone": company.time_zone,
        "currency": company.currency,
    }


def _view(of: SavedView) -> dict[str, Any]:
    return {"view_id": of.id, "name": of.name, "address": of.address}
