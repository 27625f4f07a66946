"""Calls that Asterisk offers to several processes at once: look up first, claim last.

The dialplan's StasisBroadcast() offers a call to every process of ours. Each looks the caller up, and the first that
has an answer claims the call and gets it as if it had come alone; who could not look up waits first whether another
can. So a process that is slow, frozen or dies meanwhile holds nobody up, and between the claim and the giving back lies
nothing but two requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ari_app.ari_requests import CLAIM, AriError, AriRefused, request
from ari_app.events import DIALS, arrived
from ari_app.seat import Send
from lookup.answers import Answer, Caller, Unavailable

CALL_BROADCAST = "CallBroadcast"
AT_ONCE = 500
"""Calls that are looked up at one time; further ones are left to others, or to the company's own way."""

COMES_S = 0.2  # after a claim, until the call is ours


class Finder(Protocol):
    async def find(self, caller: Caller, budget_s: float) -> Answer: ...


@dataclass(slots=True)
class OfferCounters:
    offered: int = 0
    won: int = 0
    lost: int = 0  # another process was faster
    late: int = 0  # the caller was gone, or the dialplan had gone on
    unasked: int = 0  # too many at once


class Offers:
    """`app` is our own application, which a call is claimed for."""

    def __init__(self, send: Send, finder: Finder, app: str, budget_s: float) -> None:
        self.counters = OfferCounters()
        self._send = send
        self._finder = finder
        self._app = app
        self._budget_s = budget_s
        self._answers: OrderedDict[str, tuple[Answer, float]] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def take(self, raw: Mapping[str, Any]) -> bool:
        """A raw event; whether it was an offer."""
        if raw.get("type") != CALL_BROADCAST:
            return False
        self.counters.offered += 1
        if self._closed or len(self._tasks) >= AT_ONCE:
            self.counters.unasked += 1
            return True
        task = asyncio.create_task(self._answer(raw["channel"]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    def answer(self, channel_id: str) -> tuple[Answer, float] | None:
        """What was found for a call that we claimed, and in how many seconds."""
        return self._answers.pop(channel_id, None)

    async def close(self) -> None:
        """Take nothing new. What is being looked up is claimed still, and what is claimed comes to the switchboard."""
        self._closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._budget_s + COMES_S):
                await asyncio.gather(*self._tasks, return_exceptions=True)
                while self._answers:
                    await asyncio.sleep(0.01)

    async def _answer(self, channel: Mapping[str, Any]) -> None:
        call = arrived(channel, 0)
        began = time.perf_counter()
        if call.did != DIALS:  # whom a telephone of ours calls is looked up by whoever gets the question
            caller = Caller(number=call.number, name=call.name, presentation=call.presentation, trunk=call.trunk)
            answer = await self._finder.find(caller, self._budget_s)
            if isinstance(answer, Unavailable):  # who cannot look up is quick; so let the others have it
                await asyncio.sleep(self._budget_s - (time.perf_counter() - began))
            self._keep(call.channel_id, answer, time.perf_counter() - began)
        try:
            await self._send(request(CLAIM, channelId=call.channel_id, application=self._app))
        except AriError as exc:
            self._answers.pop(call.channel_id, None)
            lost = isinstance(exc, AriRefused) and exc.status == 409
            self.counters.lost += lost
            self.counters.late += not lost
        else:
            self.counters.won += 1

    def _keep(self, channel_id: str, answer: Answer, took_s: float) -> None:
        """The call comes before the claim is answered. Of one that never came nothing stays for long."""
        self._answers[channel_id] = answer, took_s
        while len(self._answers) > 2 * AT_ONCE:
            self._answers.popitem(last=False)
