"""People: who signs in, who sits at which phone, who is in which team, and whose calls each may see.

Functions take an open session of `records.database` and leave the commit to it. Changing who sits where changes the
cards of the customers these people manage, so such functions return what was `Touched`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from sqlalchemy import Engine, delete, false, select
from sqlalchemy.orm import Session, selectinload

from config.sentences import Sentence, say
from records.database import reading, writing
from records.errors import Conflict, NotFound, Refused
from records.passwords import hash_password, verify
from records.places import Place
from records.rows import row
from records.sessions import end_all
from records.tables import Customer, Endpoint, EndpointPerson, Team, User
from records.tokens import end_tokens
from records.touched import Touched, touch

ROLES = ("agent", "supervisor", "administrator")


def add_user(
    session: Session,
    login: str,
    name: str,
    password: str,
    *,
    role: str = "agent",
    team: str = "",
    deputy: User | None = None,
) -> User:
    """A new person. Raises Refused (empty login or name, unknown role, short password) or Conflict (login in use)."""
    if not name.strip():
        raise Refused(say("a person needs a login and a name"))
    if role not in ROLES:
        raise Refused(_no_role(role))
    user = User(
        login=_free_login(session, login),
        name=name.strip(),
        password_hash=hash_password(password),
        role=role,
        team=team_named(session, team) if team else None,
        deputy_id=deputy.id if deputy else None,
        created_at=datetime.now(UTC),
    )
    session.add(user)
    session.flush()
    return user


def user_by_login(session: Session, login: str) -> User | None:
    """Large and small letters are one."""
    return session.scalar(select(User).where(User.login == _login(login)).options(*_WITH_PLACE))


def user_by_id(session: Session, user_id: int) -> User | None:
    return session.get(User, user_id, options=_WITH_PLACE)


def list_users(session: Session, *, inactive_too: bool = False) -> Sequence[User]:
    """By name, with their team and phones."""
    wanted = select(User).order_by(User.name, User.id).options(*_WITH_PLACE)
    return session.scalars(wanted if inactive_too else wanted.where(User.active)).all()


def change_user(
    session: Session,
    user_id: int,
    *,
    login: str | None = None,
    name: str | None = None,
    role: str | None = None,
    team: str | None = None,
    deputy: str | None = None,
    active: bool | None = None,
) -> Touched:
    """What is given holds from now on; an empty team or deputy (a login) takes it away.

    Another role signs the person out everywhere. Raises Refused (also for the last administrator), NotFound, Conflict.
    """
    user = row(session, User, user_id)
    if name is not None and not name.strip():
        raise Refused(say("a person needs a name"))
    if role is not None and role not in ROLES:
        raise Refused(_no_role(role))
    stands_in = user_by_login(session, deputy) if deputy else None
    if deputy and stands_in is None:
        raise NotFound(say("nobody signs in as {login!r}, so they cannot be a deputy", login=deputy))
    if stands_in is user:
        raise Refused(say("{person} cannot stand in for themselves", person=user.name))
    if role not in (None, user.role) or active is False:
        _another_administrator(session, user)
        end_all(session, user_id)
    before = _cards_of(session, user)
    user.login = _free_login(session, login, user_id) if login is not None else user.login
    user.name = name.strip() if name is not None else user.name
    user.role = role if role is not None else user.role
    user.active = active if active is not None else user.active
    if team is not None:
        user.team = team_named(session, team) if team else None
    if deputy is not None:
        user.deputy_id = stands_in.id if stands_in else None
    session.flush()
    return before | _cards_of(session, user)


def set_password(session: Session, user_id: int, password: str, keep: str = "") -> None:
    """It ends every session of the person but the one with the hash `keep`. Raises Refused (too short), NotFound."""
    row(session, User, user_id).password_hash = hash_password(password)
    end_all(session, user_id, keep)


def deactivate(session: Session, user_id: int) -> Touched:
    """The person is signed out, cannot sign in any more and sits nowhere; what they did stays.

    Raises NotFound, Refused (the last administrator).
    """
    user = row(session, User, user_id)
    _another_administrator(session, user)
    user.active = False
    end_all(session, user_id)
    end_tokens(session, user_id)
    session.execute(delete(EndpointPerson).where(EndpointPerson.user_id == user_id))
    session.expire(user, ["endpoints"])
    return _cards_of(session, user)


def sign_in(engine: Engine, login: str, password: str) -> User | None:
    """The person, or None: wrong password, unknown or inactive, without telling which, in the same time.

    Takes some 50 ms of one core, and holds no transaction meanwhile.
    """
    with reading(engine) as session:
        user = user_by_login(session, login)
    verdict = verify(user.password_hash if user else None, password)
    if user is None or not verdict.right or not user.active:
        return None
    if verdict.new_hash:
        with writing(engine) as session:
            row(session, User, user.id).password_hash = verdict.new_hash
    return user


def team_named(session: Session, name: str) -> Team:
    """The team, made when there is none of that name."""
    team = session.scalar(select(Team).where(Team.name == name.strip()))
    if team is None:
        team = Team(name=name.strip())
        session.add(team)
        session.flush()
    return team


def seat(session: Session, user_id: int, node: str, endpoint: str, *, inside: bool = True) -> Touched:
    """The person sits at this phone from now on, beside whoever sits there already. Raises NotFound, Refused."""
    if not endpoint or not node:
        raise Refused(say("a phone needs the name of its PBX and its own, like pbx and 101"))
    user = row(session, User, user_id)
    phone = session.scalar(select(Endpoint).where(Endpoint.node == node, Endpoint.name == endpoint))
    if phone is None:
        phone = Endpoint(node=node, name=endpoint, inside=inside)
        session.add(phone)
    if phone in user.endpoints:
        return Touched()
    user.endpoints.append(phone)
    return _cards_of(session, user)


def unseat(session: Session, user_id: int, node: str, endpoint: str) -> Touched:
    """The person sits there no more. Raises NotFound."""
    user = row(session, User, user_id)
    user.endpoints = [phone for phone in user.endpoints if (phone.node, phone.name) != (node, endpoint)]
    return _cards_of(session, user)


def sit_at(session: Session, user_id: int, places: Collection[Place]) -> Touched:
    """The person sits at these phones and at no others, of any node. Raises NotFound, Refused."""
    wanted = {(place.node, place.name): place.inside for place in places}
    held = phones_of(session, user_id)
    touched = Touched()
    for node, name in sorted(held - set(wanted)):
        touched |= unseat(session, user_id, node, name)
    for node, name in sorted(set(wanted) - held):
        touched |= seat(session, user_id, node, name, inside=wanted[node, name])
    return touched


def phones_of(session: Session, user_id: int) -> frozenset[tuple[str, str]]:
    """(node, endpoint) of every phone at which the person sits."""
    phones = session.execute(select(Endpoint.node, Endpoint.name).join(Endpoint.people).where(User.id == user_id))
    return frozenset((phone.node, phone.name) for phone in phones)


def whose_calls_are_seen_by(session: Session, user: User) -> frozenset[int] | None:
    """Ids of the people whose calls this person may see; None: everybody's.

    Agents see their own, supervisors those of their team, administrators all.
    """
    if user.role == "administrator":
        return None
    if user.role != "supervisor" or user.team_id is None:
        return frozenset({user.id})
    return frozenset(session.scalars(select(User.id).where(User.team_id == user.team_id))) | {user.id}


_WITH_PLACE = (selectinload(User.team), selectinload(User.endpoints))


def _login(text: str) -> str:
    return text.strip().casefold()


def _no_role(role: str) -> Sentence:
    return say("{role!r} is no role; write one of {known}", role=role, known=", ".join(ROLES))


def _free_login(session: Session, login: str, but: int = 0) -> str:
    login = _login(login)
    if not login:
        raise Refused(say("a person needs a login and a name"))
    if session.scalar(select(User.id).where(User.login == login, User.id != but)) is not None:
        raise Conflict(say("the login {login!r} is in use; choose another, or change that person", login=login))
    return login


def _another_administrator(session: Session, user: User) -> None:
    """Raises Refused when this is the last one. The rows are locked: two may not each rely on the other."""
    if user.role != "administrator" or not user.active:
        return
    active = select(User.id).where(User.role == "administrator", User.active).order_by(User.id).with_for_update()
    if set(session.scalars(active)) <= {user.id}:
        raise Refused(say("{person} is the last administrator; make somebody else one first", person=user.name))


def _cards_of(session: Session, user: User) -> Touched:
    """Cards that name the person: of the customers they manage, stand in for, or share a team with the manager of."""
    session.flush()
    managers = select(User.id).where(
        (User.id == user.id)
        | (User.deputy_id == user.id)
        | (User.team_id == user.team_id if user.team_id is not None else false())
    )
    return touch(session, select(Customer.id).where(Customer.manager_id.in_(managers)))
