"""The people of the company as administrators enter and change them: what the pages and the API of it share."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends, HTTPException
from sqlalchemy import select
from sqlalchemy.orm import Session as Records

from config.sentences import say
from desk.services import Services
from desk.sessions import Session, SignedIn
from desk.views import sight
from lookup.breaker import StoreGone
from records import places, users
from records.errors import Conflict, NotFound, Refused
from records.places import Place
from records.second_factor import take_off
from records.sessions import end_all
from records.tables import Team, User
from records.touched import Touched

LONGEST_NAME = 200


class Changed(Conflict):
    """Somebody else was quicker; nothing was changed."""


async def may_manage(session: SignedIn) -> Session:
    if not sight(session.reader.role).people:
        raise HTTPException(403, say("People are entered and changed by administrators."))
    return session


Administrator = Annotated[Session, Depends(may_manage)]


@dataclass(frozen=True, slots=True)
class Person:
    """All that can be said of a person here; team by its name, deputy by login, both may be empty."""

    login: str
    name: str
    role: str
    team: str
    deputy: str
    active: bool
    phones: tuple[Place, ...]

    @property
    def mark(self) -> str:
        """Changes with whatever is said here."""
        return hashlib.sha256(orjson.dumps(asdict(self))).hexdigest()[:16]

    def to_json(self, user_id: int) -> dict[str, Any]:
        return {"id": user_id, **asdict(self)}


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a person is to be from now on. None: it stays."""

    login: str | None = None
    name: str | None = None
    role: str | None = None
    team: str | None = None
    deputy: str | None = None
    active: bool | None = None
    phones: tuple[Place, ...] | None = None


def person_of(records: Records, user: User) -> Person:
    deputy = records.get(User, user.deputy_id) if user.deputy_id else None
    return Person(
        user.login,
        user.name,
        user.role,
        user.team.name if user.team else "",
        deputy.login if deputy else "",
        user.active,
        tuple(sorted(Place(phone.node, phone.name, phone.inside) for phone in user.endpoints)),
    )


def one(records: Records, user_id: int) -> tuple[User, Person]:
    """Raises NotFound."""
    user = users.user_by_id(records, user_id)
    if user is None:
        raise NotFound(say("There is no such person."))
    return user, person_of(records, user)


def add(records: Records, wanted: Wanted, password: str) -> tuple[int, Touched]:
    """In a transaction. Raises Refused, NotFound, Conflict."""
    _fit(records, wanted)
    user = users.add_user(records, wanted.login or "", wanted.name or "", password, role=wanted.role or "agent")
    touched = users.change_user(records, user.id, team=wanted.team, deputy=wanted.deputy)
    return user.id, touched | users.sit_at(records, user.id, wanted.phones or ())


def change(records: Records, user_id: int, wanted: Wanted, mark: str) -> Touched:
    """In a transaction; `mark` is of the person as they were read. Raises Refused, NotFound, Conflict, Changed."""
    # With the administrators, all in one order: of two who change each other neither waits for the other for ever.
    concerned = (User.id == user_id) | (User.role == "administrator")
    records.execute(select(User.id).where(concerned).order_by(User.id).with_for_update())
    _, before = one(records, user_id)
    if mark != before.mark:
        raise Changed(say("{name} was changed by somebody else meanwhile; look again", name=before.name))
    _fit(records, wanted)
    touched = users.change_user(
        records,
        user_id,
        login=wanted.login,
        name=wanted.name,
        role=wanted.role,
        team=wanted.team,
        deputy=wanted.deputy,
        active=True if wanted.active else None,
    )
    if wanted.phones is not None:
        touched |= users.sit_at(records, user_id, wanted.phones)
    return touched | users.deactivate(records, user_id) if wanted.active is False else touched


def set_password(records: Records, user_id: int, password: str, by_id: int) -> None:
    """In a transaction. Raises Refused, NotFound."""
    if user_id == by_id:
        raise Refused(say("your own password is changed on your own page, by saying the one you have"))
    users.set_password(records, user_id, password)


def take_second_factor_off(records: Records, user_id: int, by_id: int) -> None:
    """Of who lost the telephone, which may be signed in somewhere. In a transaction. Raises NotFound, Refused."""
    if user_id == by_id:
        raise Refused(say("your own second factor is changed on your own page, by saying your password"))
    one(records, user_id)
    take_off(records, user_id)
    end_all(records, user_id)


def read_phones(desk: Services, text: str) -> tuple[Place, ...]:
    """Phones as one types them: "101, branch/204, +85512345678". Raises Refused."""
    return places.as_typed(re.split(r"[,;\n]", text), tuple(desk.parts.settings.asterisks), desk.parts.read_number)


def place_of(desk: Services, node: str, name: str, inside: bool) -> Place:
    """Raises Refused."""
    return places.place(node, name, inside, tuple(desk.parts.settings.asterisks), desk.parts.read_number)


def written(desk: Services, phones: Sequence[Place]) -> str:
    """The same as a text that `read_phones` reads."""
    return ", ".join(places.written(phones, tuple(desk.parts.settings.asterisks)))


async def tell(desk: Services, touched: Touched | None = None) -> None:
    """Every connection looks whether it still holds; screens and cards follow at once."""
    desk.people.forget()
    desk.hub.session_ended()
    if touched:
        with suppress(StoreGone):
            await desk.parts.finder.forget(touched.keys, touched.tails, touched.ranges)
        desk.cards.changed(touched.customer_ids)


def _fit(records: Records, wanted: Wanted) -> None:
    for text in (wanted.login, wanted.name):
        if text is not None and len(text) > LONGEST_NAME:
            raise Refused(say("a login and a name have at most {most} characters", most=LONGEST_NAME))
    if wanted.team and records.scalar(select(Team.id).where(Team.name == wanted.team)) is None:
        raise Refused(say("there is no team {team}; enter it first", team=wanted.team))
