"""The sign-in page and the way out. Guessing is slowed per login and per address, and hashing is done by few at a time,
because one check costs 64 MB and 50 ms on purpose.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from desk.services import Desk
from desk.throttle import Throttle
from records.errors import DatabaseGone
from records.users import sign_in

router = APIRouter(include_in_schema=False)

AT_ONCE = 2
WRONG = "That login and password do not belong together. Check both, and whether Caps Lock is on."


class Door:
    """What the sign-in remembers between requests."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.by_login = Throttle(free=5, longest_s=30)  # short, or anybody could lock a person out by their login
        self.by_address = Throttle(free=20, longest_s=300)
        self.hashing = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="desk-passwords")

    def wait_s(self, login: str, address: str) -> float:
        now = self.clock()
        return max(self.by_login.wait_s(login, now), self.by_address.wait_s(address, now))

    def take(self, login: str, address: str) -> None:
        now = self.clock()
        self.by_login.take(login, now)
        self.by_address.take(address, now)

    def open(self, login: str, address: str) -> None:
        """The right password: the login is free again; others may be guessing from the same address."""
        self.by_login.clear(login)
        self.by_address.give_back(address)


@router.get("/sign-in")
async def show(request: Request, desk: Desk, next: str = "/") -> Response:
    if await desk.sessions.read(request):
        return RedirectResponse(local(next), 303)
    return desk.pages.plain(request, "sign_in.html", next=local(next))


@router.post("/sign-in")
async def enter(
    request: Request,
    desk: Desk,
    login: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=2000)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    door: Door = request.app.state.door
    key, address = login.strip().casefold(), request.client.host if request.client else ""
    wait = math.ceil(door.wait_s(key, address))
    if wait:
        said = f"Too many tries. Wait {wait} second{'s' if wait > 1 else ''}, then try again."
        return _again(request, desk, 429, said, login, next, {"Retry-After": str(wait)})
    door.take(key, address)
    loop = asyncio.get_running_loop()
    user = await loop.run_in_executor(door.hashing, sign_in, desk.parts.database, login, password)
    if user is None:
        return _again(request, desk, 401, WRONG, login, next)
    door.open(key, address)
    desk.people.forget()
    account = await desk.people.account(user.id)
    if account is None:
        raise DatabaseGone("the people cannot be read")
    response = RedirectResponse(local(next), 303)
    desk.sessions.begin(response, account)
    return response


@router.post("/sign-out")
async def leave(request: Request, desk: Desk) -> Response:
    response = RedirectResponse("/sign-in", 303)
    desk.sessions.end(response, await desk.sessions.read(request))
    desk.hub.session_ended()
    return response


def local(target: str) -> str:
    """A path of ours to go on to; anything that could lead elsewhere becomes the first page."""
    plain = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if plain and "\\" not in target else "/"


def _again(
    request: Request,
    desk: Desk,
    status: int,
    said: str,
    login: str,
    next: str,
    headers: dict[str, str] | None = None,
) -> Response:
    return desk.pages.plain(request, "sign_in.html", status, headers, said=said, login=login[:200], next=local(next))
