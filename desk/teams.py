"""Teams: entered, renamed, and removed when nobody is in them, on the page of people and in the API."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session as Records

from config.sentences import say
from desk import described, shapes, staff
from desk.bounds import Id, IfMatch
from desk.services import Desk, Services
from desk.sessions import Session
from desk.staff import Administrator
from desk.staff_api import mark_of
from desk.staff_pages import show_all
from records import teams
from records.errors import Conflict, NotFound, Refused
from records.tables import Team

pages = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1/teams", tags=["people"])

Text = Annotated[str, Form(max_length=2000)]


class Named(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: Annotated[str, Field(max_length=teams.LONGEST_NAME)]


@pages.post("/teams")
async def enter(request: Request, desk: Desk, session: Administrator, name: Text = "") -> Response:
    return await _do(request, desk, session, lambda records: teams.add_team(records, name), name)


@pages.post("/teams/{team_id}/rename")
async def rename(request: Request, desk: Desk, session: Administrator, team_id: Id, name: Text = "") -> Response:
    return await _do(request, desk, session, lambda records: teams.rename_team(records, team_id, name))


@pages.post("/teams/{team_id}/remove")
async def remove(request: Request, desk: Desk, session: Administrator, team_id: Id) -> Response:
    return await _do(request, desk, session, lambda records: teams.remove_team(records, team_id))


@api.get("", response_model=list[shapes.CountedTeam])
async def listed(desk: Desk, session: Administrator) -> list[dict[str, Any]]:
    """The teams by name, with how many people are in each."""
    found = await desk.store.read(teams.list_teams)
    return [{"id": team.id, "name": team.name, "people": count} for team, count in found]


@api.post("", status_code=201, response_model=shapes.Team, responses={**described.MADE, **described.also(409)})
async def enter_json(desk: Desk, session: Administrator, new: Named) -> JSONResponse:
    """A new team, which nobody is in yet."""
    return _told(await desk.store.write(lambda records: teams.add_team(records, new.name)), 201)


@api.get("/{team_id}", response_model=shapes.Team, responses=described.TAGGED)
async def one(desk: Desk, session: Administrator, team_id: Id) -> JSONResponse:
    """One team. The `ETag` is to be given with a change."""
    return _told(await desk.store.read(lambda records: _one(records, team_id)))


@api.patch("/{team_id}", response_model=shapes.Team, responses={**described.TAGGED, **described.also(409)})
async def rename_json(
    desk: Desk, session: Administrator, team_id: Id, new: Named, if_match: IfMatch = ""
) -> JSONResponse:
    """Another name for a team."""
    mark = mark_of(if_match)

    def write(records: Records) -> Team:
        _expect(records, team_id, mark)
        return teams.rename_team(records, team_id, new.name)

    return _told(await desk.store.write(write))


@api.delete("/{team_id}", status_code=204, responses=described.also(409))
async def remove_json(desk: Desk, session: Administrator, team_id: Id, if_match: IfMatch = "") -> Response:
    """Take a team away that nobody is in, and that no rule sends calls to."""
    mark = mark_of(if_match)

    def write(records: Records) -> None:
        _expect(records, team_id, mark)
        teams.remove_team(records, team_id)

    await desk.store.write(write)
    await staff.tell(desk)
    return Response(status_code=204)


def _mark(team: Team) -> str:
    return hashlib.sha256(f"{team.id} {team.name}".encode()).hexdigest()[:16]


def _told(team: Team, status: int = 200) -> JSONResponse:
    place = {"Location": f"/api/v1/teams/{team.id}"} if status == 201 else {}
    return JSONResponse({"id": team.id, "name": team.name}, status, {"ETag": f'"{_mark(team)}"', **place})


def _one(records: Records, team_id: int) -> Team:
    team = records.get(Team, team_id, with_for_update=True)
    if team is None:
        raise NotFound(say("There is no such team."))
    return team


def _expect(records: Records, team_id: int, mark: str) -> None:
    team = _one(records, team_id)
    if _mark(team) != mark:
        raise HTTPException(412, say("Somebody else named this team {name} meanwhile; look again.", name=team.name))


async def _do(
    request: Request, desk: Services, session: Session, work: Callable[[Records], object], typed: str = ""
) -> Response:
    try:
        await desk.store.write(work)
    except (Refused, Conflict) as refused:
        return await show_all(request, desk, session, 422, str(refused), typed)
    return RedirectResponse("/people#teams", 303)
