"""`ringcard user ...`: the people who sign in, their roles and their phones."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from config.settings import Settings
from records import places, users
from records.database import open_database, reading, writing
from records.errors import DatabaseOld, NotFound, RecordsError, Refused
from records.migrate import check
from records.passwords import SHORTEST
from records.places import Place
from records.second_factor import take_off
from records.sessions import end_all
from records.tables import User
from ringcard import compose

FIRST = "ringcard user add LOGIN 'NAME' --role administrator"


def without_people(settings: Settings) -> str:
    """What to say where nobody can sign in yet, or no administrator; empty: somebody can, or the database is away."""
    engine = open_database(settings.database_url)
    unmade = f"Nobody can sign in at the desk yet. Make its database, then the first one: ringcard migrate; {FIRST}"
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists():
        return unmade
    try:
        check(engine)
        with reading(engine) as session:
            roles = {user.role for user in users.list_users(session)}
    except DatabaseOld:
        return unmade
    except RecordsError:
        return ""
    finally:
        engine.dispose()
    if not roles:
        return f"Nobody can sign in at the desk yet. Make the first one an administrator: {FIRST}"
    if "administrator" not in roles:
        return "There is no administrator. Make somebody one: ringcard user change LOGIN --role administrator"
    return ""


def _add(settings: Settings, engine: Engine, args: argparse.Namespace) -> None:
    password = _password(args)
    with writing(engine) as session:
        deputy = _person(session, args.deputy) if args.deputy else None
        user = users.add_user(session, args.login, args.name, password, role=args.role, team=args.team, deputy=deputy)
        phones = _places(settings, args.phone)
        touched = users.sit_at(session, user.id, phones)
    compose.forget(settings, touched)
    seat = ", ".join(places.written(phones, tuple(settings.asterisks)))
    print(f"{user.name} can sign in as {user.login!r}" + (f" and sits at {seat}." if seat else "."))


def _list(settings: Settings, engine: Engine, args: argparse.Namespace) -> None:
    with reading(engine) as session:
        everybody = users.list_users(session, inactive_too=True)
    if not everybody:
        print(f"Nobody yet. The first one: {FIRST}")
    for user in everybody:
        held = (Place(phone.node, phone.name, phone.inside) for phone in user.endpoints)
        phones = ", ".join(places.written(held, tuple(settings.asterisks))) or "no phone"
        team = user.team.name if user.team else "no team"
        print(f"{user.login:16} {user.name:24} {user.role if user.active else 'inactive':14} {team:16} {phones}")


def _set_password(settings: Settings, engine: Engine, args: argparse.Namespace) -> None:
    password = _password(args)
    with writing(engine) as session:
        users.set_password(session, _person(session, args.login).id, password)
    print("The new password holds; whoever was signed in with the old one is signed out.")


def _take_second_factor_off(settings: Settings, engine: Engine, args: argparse.Namespace) -> None:
    with writing(engine) as session:
        user = _person(session, args.login)
        take_off(session, user.id)
        end_all(session, user.id)
    print(f"{args.login} signs in with the password alone from now on, and is signed out everywhere.")


def _sign_out(settings: Settings, engine: Engine, args: argparse.Namespace) -> None:
    with writing(engine) as session:
        end_all(session, _person(session, args.login).id)
    print(f"{args.login} is signed out everywhere.")


def _change(settings: Settings, engine: Engine, args: argparse.Namespace) -> None:
    with writing(engine) as session:
        user = _person(session, args.login)
        active = True if args.active else None
        touched = users.change_user(
            session, user.id, name=args.name, role=args.role, team=args.team, deputy=args.deputy, active=active
        )
        if args.phone is not None:
            touched |= users.sit_at(session, user.id, _places(settings, args.phone))
    compose.forget(settings, touched)
    _list(settings, engine, args)


def _deactivate(settings: Settings, engine: Engine, args: argparse.Namespace) -> None:
    with writing(engine) as session:
        touched = users.deactivate(session, _person(session, args.login).id)
    compose.forget(settings, touched)
    print(f"{args.login} cannot sign in any more and is not rung.")


def _places(settings: Settings, phones: Iterable[str]) -> tuple[Place, ...]:
    return places.as_typed(phones, tuple(settings.asterisks), compose.reader(settings))


_ACTIONS = {
    "add": _add,
    "change": _change,
    "list": _list,
    "password": _set_password,
    "sign-out": _sign_out,
    "no-second-factor": _take_second_factor_off,
    "deactivate": _deactivate,
}


def _run(
    action: Callable[[Settings, Engine, argparse.Namespace], None], settings: Settings, args: argparse.Namespace
) -> int:
    engine = open_database(settings.database_url)
    try:
        check(engine)
        action(settings, engine, args)
    finally:
        engine.dispose()
    return 0


def main_user(settings: Settings, args: argparse.Namespace) -> int:
    return _run(_ACTIONS[args.action], settings, args)


def _person(session: Session, login: str) -> User:
    user = users.user_by_login(session, login)
    if user is None:
        raise NotFound(f"nobody signs in as {login!r}; `ringcard user list` shows who does")
    return user


def _password(args: argparse.Namespace) -> str:
    if args.password_file:
        try:
            return str(args.password_file.read_text(encoding="utf-8").splitlines()[0])
        except (OSError, IndexError) as exc:
            raise Refused(f"no password in the first line of {args.password_file}: {exc}") from exc
    if not sys.stdin.isatty():
        raise Refused("no terminal to ask for the password; give it with --password-file")
    first = getpass.getpass(f"Password ({SHORTEST} characters or more): ")
    again = getpass.getpass("Once more: ")
    if first != again:
        raise Refused("the two passwords differ; nothing was changed")
    return first
