"""Teams: entered, renamed, and removed when nobody is in them, on the page of people and in the API."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Form, HTTPException, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sqlalchemy.orm import Session as Records

from desk import staff
from desk.services import Desk, Services
from desk.sessions import Session
from desk.staff import Administrator
from desk.staff_api import IfMatch, mark_of
from desk.staff_pages import show_all
from records import teams
from records.errors import Conflict, NotFound, Refused
from records.tables import Team

pages = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1/teams", tags=["people"])

Text = Annotated[str, Form(max_length=2000)]
Name = Annotated[str, Body(embed=True, max_length=teams.LONGEST_NAME)]


@pages.post("/teams")
async def enter(request: Request, desk: Desk, session: Administrator, name: Text = "") -> Response:
    return await _do(request, desk, session, lambda records: teams.add_team(records, name), name)


@pages.post("/teams/{team_id}/rename")
async def rename(request: Request, desk: Desk, session: Administrator, team_id: int, name: Text = "") -> Response:
    return await _do(request, desk, session, lambda records: teams.rename_team(records, team_id, name))


@pages.post("/teams/{team_id}/remove")
async def remove(request: Request, desk: Desk, session: Administrator, team_id: int) -> Response:
    return await _do(request, desk, session, lambda records: teams.remove_team(records, team_id))


@api.get("")
async def listed(desk: Desk, session: Administrator) -> list[dict[str, Any]]:
    """By name, with how many people are in each."""
    found = await desk.store.read(teams.list_teams)
    return [{"id": team.id, "name": team.name, "people": count} for team, count in found]


@api.post("", status_code=201)
async def enter_json(desk: Desk, session: Administrator, name: Name) -> JSONResponse:
    return _told(await desk.store.write(lambda records: teams.add_team(records, name)), 201)


@api.get("/{team_id}")
async def one(desk: Desk, session: Administrator, team_id: int) -> JSONResponse:
    """The `ETag` is to be given with a change."""
    return _told(await desk.store.read(lambda records: _one(records, team_id)))


@api.patch("/{team_id}")
async def rename_json(
    desk: Desk, session: Administrator, team_id: int, name: Name, if_match: IfMatch = ""
) -> JSONResponse:
    mark = mark_of(if_match)

    def write(records: Records) -> Team:
        _expect(records, team_id, mark)
        return teams.rename_team(records, team_id, name)

    return _told(await desk.store.write(write))


@api.delete("/{team_id}", status_code=204)
async def remove_json(desk: Desk, session: Administrator, team_id: int, if_match: IfMatch = "") -> Response:
    """Only one that nobody is in, and that no rule sends calls to."""
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
    return JSONResponse({"id": team.id, "name": team.name}, status, {"ETag": f'"{_mark(team)}"'})


def _one(records: Records, team_id: int) -> Team:
    team = records.get(Team, team_id, with_for_update=True)
    if team is None:
        raise NotFound("There is no such team.")
    return team


def _expect(records: Records, team_id: int, mark: str) -> None:
    team = _one(records, team_id)
    if _mark(team) != mark:
        raise HTTPException(412, f"Somebody else named this team {team.name} meanwhile; look again.")


async def _do(
    request: Request, desk: Services, session: Session, work: Callable[[Records], object], typed: str = ""
) -> Response:
    try:
        await desk.store.write(work)
    except (Refused, Conflict) as refused:
        return await show_all(request, desk, session, 422, str(refused), typed)
    return RedirectResponse("/people#teams", 303)
