"""/api/v1/people: people, their passwords and sessions, for administrators and their programs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session as Records
from starlette.requests import Request

from config.sentences import say
from desk import described, shapes, staff
from desk.bounds import Id, IfMatch
from desk.browsers import named
from desk.formats import rfc3339
from desk.services import Desk, Services
from desk.sessions import AtTheDesk, Session, at_the_desk
from desk.staff import Administrator, Wanted
from records.places import Place
from records.second_factor import who_has_one
from records.sessions import end_all, end_one, sessions_of
from records.users import list_users

router = APIRouter(prefix="/api/v1/people", tags=["people"])

Text = Annotated[str, Field(max_length=staff.LONGEST_NAME)]
Password = Annotated[str, Field(max_length=2000)]


class Phone(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    node: Annotated[str, Field(description="which PBX; empty: the first")] = ""
    name: Annotated[str, Field(max_length=80, description="in pjsip.conf, or a number outside like +85512345678")]
    inside: Annotated[bool, Field(description="false: a number outside")] = True


class NewPassword(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    password: Password


class NewPerson(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    login: Text
    name: Text
    password: Password
    role: Annotated[str, Field(description="agent, supervisor or administrator")] = "agent"
    team: Annotated[str, Field(description="its name")] = ""
    deputy: Annotated[str, Field(description="the login of who rings when this person does not answer")] = ""
    phones: Annotated[list[Phone], Field(max_length=50)] = []


class ChangedPerson(BaseModel):
    """What is left out stays; an empty team or deputy takes it away."""

    model_config = ConfigDict(extra="forbid", strict=True)
    login: Text | None = None
    name: Text | None = None
    role: str | None = None
    team: str | None = None
    deputy: str | None = None
    active: Annotated[bool | None, Field(description="false: signed out, and sits at no phone")] = None
    phones: Annotated[list[Phone] | None, Field(max_length=50)] = None


@router.get("", response_model=list[shapes.Person])
async def listed(desk: Desk, session: Administrator, inactive: bool = False) -> list[dict[str, Any]]:
    """The people of the company by name; with `inactive` also those who are switched off."""

    def read(records: Records) -> list[dict[str, Any]]:
        with_one = who_has_one(records)
        return [
            {**staff.person_of(records, user).to_json(user.id), "second_factor": user.id in with_one}
            for user in list_users(records, inactive_too=inactive)
        ]

    return await desk.store.read(read)


@router.post(
    "", status_code=201, response_model=shapes.Person, responses={**described.MADE, **described.also(404, 409)}
)
async def enter(request: Request, desk: Desk, session: Administrator, person: NewPerson) -> JSONResponse:
    """A new person, who can sign in from now on. Administrators are entered at the desk, by no token."""
    await _may_give(request, session, person.role)
    phones = _places(desk, person.phones)
    wanted = Wanted(person.login, person.name, person.role, person.team, person.deputy, None, phones)
    user_id, touched = await desk.store.write(lambda records: staff.add(records, wanted, person.password))
    await staff.tell(desk, touched)
    return await _told(desk, user_id, 201)


@router.get("/{user_id}", response_model=shapes.Person, responses=described.TAGGED)
async def one(desk: Desk, session: Administrator, user_id: Id) -> JSONResponse:
    """One person. The `ETag` is to be given with a change."""
    return await _told(desk, user_id)


@router.patch("/{user_id}", response_model=shapes.Person, responses={**described.TAGGED, **described.also(409)})
async def change(
    request: Request, desk: Desk, session: Administrator, user_id: Id, person: ChangedPerson, if_match: IfMatch = ""
) -> JSONResponse:
    """Change what you name of a person. Another role, or `active: false`, signs them out everywhere. The last
    administrator stays one; no token makes another."""
    await _may_give(request, session, person.role)
    mark = mark_of(if_match)
    said = person.model_dump(exclude={"phones"})
    wanted = Wanted(**said, phones=None if person.phones is None else _places(desk, person.phones))
    try:
        touched = await desk.store.write(lambda records: staff.change(records, user_id, wanted, mark))
    except staff.Changed as changed:
        raise HTTPException(412, str(changed)) from None
    await staff.tell(desk, touched)
    return await _told(desk, user_id)


@router.put("/{user_id}/password", status_code=204)
async def set_password(desk: Desk, session: Administrator, here: AtTheDesk, user_id: Id, new: NewPassword) -> Response:
    """A new password for somebody else, set at the desk, by no token. It ends their sessions."""
    by_id = session.reader.user_id
    await desk.store.write(lambda records: staff.set_password(records, user_id, new.password, by_id))
    await staff.tell(desk)
    return Response(status_code=204)


@router.delete("/{user_id}/second-factor", status_code=204)
async def take_off(desk: Desk, session: Administrator, here: AtTheDesk, user_id: Id) -> Response:
    """Take a second factor off at the desk, for somebody who lost the telephone. It ends their sessions."""
    by_id = session.reader.user_id
    await desk.store.write(lambda records: staff.take_second_factor_off(records, user_id, by_id))
    await staff.tell(desk)
    return Response(status_code=204)


@router.get("/{user_id}/sessions", response_model=list[shapes.SignIn])
async def sessions(desk: Desk, session: Administrator, user_id: Id) -> list[dict[str, Any]]:
    """Where the person is signed in, the last seen first."""
    found = await desk.store.read(lambda records: sessions_of(records, user_id, desk.sessions.lasts))
    return [
        {
            "id": one.id,
            "began_at": rfc3339(one.began_at),
            "seen_at": rfc3339(one.seen_at),
            "browser": named(one.browser),
            "address": one.address,
        }
        for one in found
    ]


@router.delete("/{user_id}/sessions", status_code=204)
async def end_sessions(desk: Desk, session: Administrator, user_id: Id) -> Response:
    """Sign the person out everywhere."""
    await desk.store.write(lambda records: end_all(records, user_id))
    await staff.tell(desk)
    return Response(status_code=204)


@router.delete("/{user_id}/sessions/{session_id}", status_code=204)
async def end_session(desk: Desk, session: Administrator, user_id: Id, session_id: Id) -> Response:
    """Sign the person out of one browser."""
    await desk.store.write(lambda records: end_one(records, user_id, session_id))
    await staff.tell(desk)
    return Response(status_code=204)


def mark_of(if_match: str) -> str:
    """What stands in an If-Match. Raises 428 when nothing does."""
    mark = if_match.strip().removeprefix("W/").strip('"')
    if not mark:
        raise HTTPException(428, say("Give the ETag that you read as If-Match, so that nobody's change is lost."))
    return mark


async def _may_give(request: Request, session: Session, role: str | None) -> None:
    """Whoever may do everything is made at the desk alone, by no token."""
    if role == "administrator":
        await at_the_desk(request, session)


def _places(desk: Services, phones: list[Phone]) -> tuple[Place, ...]:
    return tuple(dict.fromkeys(staff.place_of(desk, phone.node, phone.name, phone.inside) for phone in phones))


async def _told(desk: Services, user_id: int, status: int = 200) -> JSONResponse:
    def read(records: Records) -> tuple[dict[str, Any], str]:
        _, person = staff.one(records, user_id)
        has_one = user_id in who_has_one(records)
        return {**person.to_json(user_id), "second_factor": has_one}, person.mark

    body, mark = await desk.store.read(read)
    place = {"Location": f"/api/v1/people/{user_id}"} if status == 201 else {}
    return JSONResponse(body, status, {"ETag": f'"{mark}"', **place})
