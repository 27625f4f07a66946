"""/people: the people of the company and their teams, for administrators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session as Records

from config.sentences import say
from desk import staff
from desk.browsers import named
from desk.services import Desk, Services
from desk.sessions import Session
from desk.staff import Administrator, Wanted
from records.errors import Conflict, NotFound, Refused
from records.second_factor import state_of, who_has_one
from records.sessions import end_all, end_one, sessions_of
from records.teams import list_teams
from records.users import ROLES, list_users

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form(max_length=2000)]

EMPTY = {"login": "", "name": "", "role": "agent", "team": "", "deputy": "", "phones": ""}


@router.get("/people")
async def page(request: Request, desk: Desk, session: Administrator) -> Response:
    return await show_all(request, desk, session)


async def show_all(
    request: Request, desk: Services, session: Session, status: int = 200, said: str = "", team: str = ""
) -> Response:
    """`team`: what was typed as the name of a new one."""

    def read(records: Records) -> dict[str, Any]:
        everybody = list_users(records, inactive_too=True)
        return {
            "active": [user for user in everybody if user.active],
            "inactive": [user for user in everybody if not user.active],
            "teams": list_teams(records),
            "with_factor": who_has_one(records),
        }

    values = await desk.store.read(read)
    return await desk.pages.page(request, session, "people.html", status, said=said, typed_team=team, **values)


@router.get("/people/new")
async def form(request: Request, desk: Desk, session: Administrator) -> Response:
    return await _new(request, desk, session)


@router.post("/people")
async def enter(
    request: Request,
    desk: Desk,
    session: Administrator,
    login: Text = "",
    name: Text = "",
    role: Text = "agent",
    team: Text = "",
    deputy: Text = "",
    phones: Text = "",
    password: Text = "",
) -> Response:
    typed = {"login": login, "name": name, "role": role, "team": team, "deputy": deputy, "phones": phones}
    try:
        wanted = Wanted(login, name, role, team, deputy, None, staff.read_phones(desk, phones))
        user_id, touched = await desk.store.write(lambda records: staff.add(records, wanted, password))
    except (Refused, Conflict, NotFound) as refused:
        return await _new(request, desk, session, 422, said=str(refused), typed=typed)
    await staff.tell(desk, touched)
    return RedirectResponse(f"/people/{user_id}", 303)


@router.get("/people/{user_id}")
async def person(request: Request, desk: Desk, session: Administrator, user_id: int) -> Response:
    return await _person(request, desk, session, user_id)


@router.post("/people/{user_id}")
async def change(
    request: Request,
    desk: Desk,
    session: Administrator,
    user_id: int,
    login: Text = "",
    name: Text = "",
    role: Text = "",
    team: Text = "",
    deputy: Text = "",
    phones: Text = "",
    mark: Text = "",
) -> Response:
    typed = {"login": login, "name": name, "role": role, "team": team, "deputy": deputy, "phones": phones}
    try:
        wanted = Wanted(login, name, role, team, deputy, None, staff.read_phones(desk, phones))
        touched = await desk.store.write(lambda records: staff.change(records, user_id, wanted, mark))
    except staff.Changed as changed:
        return await _person(request, desk, session, user_id, 409, said=str(changed))
    except (Refused, Conflict) as refused:
        return await _person(request, desk, session, user_id, 422, said=str(refused), typed={**typed, "mark": mark})
    await staff.tell(desk, touched)
    return RedirectResponse("/people", 303)


@router.post("/people/{user_id}/{switch}")
async def switch(
    request: Request, desk: Desk, session: Administrator, user_id: int, switch: str, mark: Text = ""
) -> Response:
    """`switch`: "on" or "off"."""
    if switch not in ("on", "off"):
        raise NotFound(say("a person can be switched on or off, but not {switch!r}", switch=switch))
    wanted = Wanted(active=switch == "on")
    try:
        touched = await desk.store.write(lambda records: staff.change(records, user_id, wanted, mark))
    except (Refused, Conflict) as refused:
        return await _person(request, desk, session, user_id, 422, said=str(refused))
    await staff.tell(desk, touched)
    return RedirectResponse(f"/people/{user_id}", 303)


@router.post("/people/{user_id}/password/set")
async def set_password(
    request: Request, desk: Desk, session: Administrator, user_id: int, password: Text = ""
) -> Response:
    by_id = session.reader.user_id
    try:
        await desk.store.write(lambda records: staff.set_password(records, user_id, password, by_id))
    except Refused as refused:
        return await _person(request, desk, session, user_id, 422, said=str(refused))
    await staff.tell(desk)
    done = say("The new password holds. Whoever was signed in with the old one is signed out.")
    return await _person(request, desk, session, user_id, done=done)


@router.post("/people/{user_id}/second-factor/remove")
async def take_off(desk: Desk, session: Administrator, user_id: int) -> Response:
    """For somebody who lost the telephone."""
    by_id = session.reader.user_id
    await desk.store.write(lambda records: staff.take_second_factor_off(records, user_id, by_id))
    await staff.tell(desk)
    return RedirectResponse(f"/people/{user_id}", 303)


@router.post("/people/{user_id}/sessions/end")
async def end_sessions(desk: Desk, session: Administrator, user_id: int) -> Response:
    await desk.store.write(lambda records: end_all(records, user_id))
    await staff.tell(desk)
    return RedirectResponse(f"/people/{user_id}", 303)


@router.post("/people/{user_id}/sessions/{session_id}/end")
async def end_session(desk: Desk, session: Administrator, user_id: int, session_id: int) -> Response:
    await desk.store.write(lambda records: end_one(records, user_id, session_id))
    await staff.tell(desk)
    return RedirectResponse(f"/people/{user_id}", 303)


async def _new(request: Request, desk: Services, session: Session, status: int = 200, **more: Any) -> Response:
    values = await desk.store.read(_choices)
    frame: dict[str, Any] = {"said": "", "typed": EMPTY, "nodes": _nodes(desk), "roles": ROLES}
    return await desk.pages.page(request, session, "person_new.html", status, **values, **(frame | more))


async def _person(
    request: Request, desk: Services, session: Session, user_id: int, status: int = 200, **more: Any
) -> Response:
    def read(records: Records) -> dict[str, Any]:
        user, person = staff.one(records, user_id)
        is_now = {name: getattr(person, name) for name in ("login", "name", "role", "team", "deputy")}
        return {
            "user": user,
            "mark": person.mark,
            "typed": {**is_now, "phones": staff.written(desk, person.phones), "mark": person.mark},
            "factor": state_of(records, user_id),
            "sessions": [
                (one, named(one.browser), one.key_hash == session.key_hash)
                for one in sessions_of(records, user_id, desk.sessions.lasts)
            ],
            **_choices(records),
        }

    values = await desk.store.read(read)
    frame: dict[str, Any] = {"said": "", "done": "", "nodes": _nodes(desk), "roles": ROLES}
    return await desk.pages.page(request, session, "person.html", status, **(frame | values | more))


def _choices(records: Records) -> dict[str, Any]:
    return {"teams": [team.name for team, _ in list_teams(records)], "others": list_users(records)}


def _nodes(desk: Services) -> list[str]:
    return list(desk.parts.settings.asterisks)
