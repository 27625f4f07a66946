"""Which of several processes has an application that only one can have: the others stand by.

Asterisk gives the events of an application to whoever connected last, and does not see that this one is frozen. So who
has it writes a mark into a global variable of Asterisk, again and again, and who stands by looks whether it changes.
Nothing but Asterisk is needed, and no clock is compared: a mark counts as old when it was read unchanged several times.

Who leaves in order says so there and waits to be replaced, if anybody stands by: no call comes while nobody serves.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import secrets
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from ari_app.ari_requests import (
    GET_APPLICATION,
    GLOBAL_VAR,
    NOT_FOUND,
    SET_GLOBAL_VAR,
    AriError,
    AriRefused,
    Request,
    request,
)

MARK_S = 0.5
LOOK_S = 0.5
OLD_LOOKS = 6
"""A mark that was read unchanged so often belongs to somebody who is frozen."""

LEAVING = "leaving"

OURSELVES = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"

Send = Callable[..., Awaitable[list[Any]]]


class Seat:
    """The place of the one who has the application `app`. `send` carries requests to Asterisk."""

    def __init__(self, app: str) -> None:
        self.app = app
        self.holder = ""  # who has it, as far as was seen
        self._mark = mark_of(app)
        self._next = "RINGCARD_NEXT_" + re.sub(r"\W", "_", app)
        self._leaving = False

    async def wait(self, send: Send) -> None:
        """Until it is free: its holder is gone, frozen or about to leave. Raises AriError."""
        last, same = "", 0
        for count in itertools.count():
            if not await self.is_taken(send):
                return
            mark = await _read(send, self._mark)
            same = same + 1 if mark == last else 0
            last, self.holder = mark, mark.partition(" ")[0]
            if self.holder == LEAVING or (same >= OLD_LOOKS and self.holder not in ("", OURSELVES)):
                return  # a mark of our own says that whoever replaced us makes none
            await send(_set(self._next, f"{OURSELVES} {count}"))
            await asyncio.sleep(LOOK_S)

    async def is_taken(self, send: Send) -> bool:
        """Somebody else is connected as this application. Raises AriError when Asterisk cannot be asked."""
        try:
            await send(request(GET_APPLICATION, applicationName=self.app))
        except AriRefused as exc:
            if exc.status != NOT_FOUND:
                raise
            return False
        return True

    async def is_ours(self, send: Send) -> bool:
        """Nobody but us has been here. Asterisk goes on listing the application of a connection that was lost, for as
        long as a channel is in it. Raises AriError.
        """
        return (await _read(send, self._mark)).partition(" ")[0] == OURSELVES

    async def keep(self, send: Send) -> None:
        """For as long as it is ours, until cancelled."""
        self.holder, self._leaving = OURSELVES, False
        with contextlib.suppress(AriError):
            await send(_set(self._next, ""))
        for count in itertools.count():
            with contextlib.suppress(AriError):
                await send(self._marked(count))
            await asyncio.sleep(MARK_S)

    async def leave(self, send: Send) -> bool:
        """Offer it to who stands by; whether anybody does. Raises AriError."""
        if not await _read(send, self._next):
            return False
        self._leaving = True
        await send(self._marked(0))
        return True

    def _marked(self, count: int) -> Request:
        return _set(self._mark, f"{LEAVING if self._leaving else OURSELVES} {count}")


def mark_of(app: str) -> str:
    """The global variable in which whoever has the application says so."""
    return "RINGCARD_HAS_" + re.sub(r"\W", "_", app)


def _set(variable: str, value: str) -> Request:
    return request(SET_GLOBAL_VAR, variable=variable, value=value)


async def _read(send: Send, variable: str) -> str:
    (answer,) = await send(request(GLOBAL_VAR, variable=variable))
    return str(answer["value"])
