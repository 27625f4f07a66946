"""The sign-in page and the way out. Guessing is slowed per login and per address, and hashing is done by few at a time,
because one check costs 64 MB and 50 ms on purpose.

Whoever has a second factor, or must have one, goes on to `desk/second_factor.py` with half a session.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.exc import DataError

from config.sentences import counted, say
from desk.services import Desk, Services
from desk.throttle import Throttle
from records.errors import DatabaseGone
from records.second_factor import state_of
from records.tables import User
from records.users import sign_in

router = APIRouter(include_in_schema=False)

AT_ONCE = 2
WRONG = say("That login and password do not belong together. Check both, and whether Caps Lock is on.")


class TooMany(Exception):
    """Too many tries: the next one is looked at in `wait_s` seconds."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(
            counted(
                "Too many tries. Wait {n} second, then try again.",
                "Too many tries. Wait {n} seconds, then try again.",
                wait_s,
            )
        )
        self.headers = {"Retry-After": str(wait_s)}


class Door:
    """What the sign-in remembers between requests."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.by_login = Throttle(free=5, longest_s=30)  # short, or anybody could lock a person out by their login
        self.by_address = Throttle(free=20, longest_s=300)
        self.by_code = Throttle(free=5, longest_s=300)  # long: who gets to say a code knows the password
        self.hashing = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="desk-passwords")

    def take(self, login: str, address: str) -> None:
        """Count a try. Raises TooMany."""
        now = self.clock()
        self._wait(max(self.by_login.wait_s(login, now), self.by_address.wait_s(address, now)))
        self.by_login.take(login, now)
        self.by_address.take(address, now)

    def open(self, login: str, address: str) -> None:
        """The right password: the login is free again; others may be guessing from the same address."""
        self.by_login.clear(login)
        self.by_address.give_back(address)

    def take_code(self, user_id: int) -> None:
        """Count a try at a person's second factor; `open_code` when it was right. Raises TooMany."""
        now = self.clock()
        self._wait(self.by_code.wait_s(str(user_id), now))
        self.by_code.take(str(user_id), now)

    def open_code(self, user_id: int) -> None:
        self.by_code.clear(str(user_id))

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            raise TooMany(math.ceil(seconds))


@router.get("/sign-in")
async def show(request: Request, desk: Desk, next: str = "/") -> Response:
    if await desk.sessions.read(request):
        return RedirectResponse(local(next), 303)
    await desk.faces.refresh()
    return desk.pages.plain(request, "sign_in.html", next=local(next))


@router.post("/sign-in")
async def enter(
    request: Request,
    desk: Desk,
    login: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=2000)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    try:
        user = await known(request, desk, login, password)
    except TooMany as wait:
        return _again(request, desk, 429, str(wait), login, next, wait.headers)
    if user is None:
        return _again(request, desk, 401, WRONG, login, next)
    desk.people.forget()
    account = await desk.people.account(user.id)
    if account is None:
        raise DatabaseGone("the people cannot be read")
    has_one = await desk.store.read(lambda records: state_of(records, user.id))
    if has_one or user.role in desk.parts.settings.desk.second_factor:
        step = "code" if has_one else "second-factor"
        response = RedirectResponse(f"/sign-in/{step}?{urlencode({'next': local(next)})}", 303)
        desk.sessions.begin_half(response, account)
        return response
    response = RedirectResponse(local(next), 303)
    await desk.sessions.begin(response, account, request)
    return response


@router.post("/sign-out")
async def leave(request: Request, desk: Desk) -> Response:
    response = RedirectResponse("/sign-in", 303)
    session = await desk.sessions.read(request)
    await desk.sessions.end(response, session)
    if session:
        with suppress(DatabaseGone):  # then they are believed to be here for two minutes more
            await desk.presence.left(session.reader.user_id)
    desk.hub.session_ended()
    return response


async def known(request: Request, desk: Services, login: str, password: str) -> User | None:
    """Whose login and password these are, or None. Raises TooMany."""
    door: Door = request.app.state.door
    key, address = login.strip().casefold(), request.client.host if request.client else ""
    door.take(key, address)
    loop = asyncio.get_running_loop()
    try:
        user = await loop.run_in_executor(door.hashing, sign_in, desk.parts.database, login, password)
    except (DataError, UnicodeEncodeError):  # signs that no database holds: nobody is called so
        return None
    if user:
        door.open(key, address)
    return user


def local(target: str) -> str:
    """A path of ours to go on to; anything that could lead elsewhere becomes the first page."""
    plain = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    back_at_the_door = target.startswith("/sign-in")
    return target if plain and "\\" not in target and not back_at_the_door else "/"


def _again(
    request: Request,
    desk: Services,
    status: int,
    said: str,
    login: str,
    next: str,
    headers: dict[str, str] | None = None,
) -> Response:
    return desk.pages.plain(request, "sign_in.html", status, headers, said=said, login=login[:200], next=local(next))
