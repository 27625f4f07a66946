"""Plays a simulated call: tells each of its states when it is due, until it is over.

Whoever is rung may answer it at the desk, or end it, in another process too: `heard` takes what was told of it there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from uuid import uuid4

from lookup.notices import SIMULATED, LiveCall, Notice, newer
from lookup.simulated import Plan, following, hung_up, notice_of


def new_call_id() -> str:
    return f"{SIMULATED}{uuid4().hex}"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Player:
    """One call, from the state in which it has `begun`."""

    def __init__(self, call: LiveCall, plan: Plan, tell: Callable[[Notice], None]) -> None:
        self.call = call
        self._plan = plan
        self._tell = tell
        self._news = asyncio.Event()

    def heard(self, call: LiveCall) -> None:
        """A state of any call, as somebody told it."""
        if call.call_id == self.call.call_id and newer(self.call, call) is not self.call:
            self.call = call
            self._news.set()

    async def play(self) -> None:
        """Until it is over. Who is cancelled meanwhile hangs up."""
        self._tell(notice_of(None, self.call))
        while coming := following(self.call, self._plan):
            due_ms, state = coming
            if not await self._news_before(due_ms):
                self._say(state)

    def hang_up(self) -> None:
        if not self.call.ended_ms:
            self._say(hung_up(self.call, now_ms()))

    async def _news_before(self, due_ms: int) -> bool:
        self._news.clear()
        try:
            async with asyncio.timeout(max(0, due_ms - now_ms()) / 1000):
                await self._news.wait()
        except TimeoutError:
            pass
        return self._news.is_set()  # it may have come at the very moment

    def _say(self, state: LiveCall) -> None:
        before, self.call = self.call, state
        self._tell(notice_of(before, state))
