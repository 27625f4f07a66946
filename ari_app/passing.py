"""The answers of a process that is not the tracker, on their way to the one that is.

They go through Asterisk, as user events of the tracker's application, so they come in order with what Asterisk itself
tells of the call. What the tracker of this moment may have missed (it froze, it died, there was none) the next one is
told again: the last half minute is kept, and sent once more when the holder of the seat is another. What is older it
takes from the live calls.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ari_app.ari_requests import USER_EVENT, AriError, Request, request
from ari_app.passed import EVENT, Passed, to_text
from ari_app.seat import Send

log = logging.getLogger(__name__)

KEPT_S = 30.0
KEPT = 10_000
LOOK_S = 0.5
AT_ONCE = 50


@dataclass(slots=True)
class _Kept:
    at_s: float
    event: Request
    to: str = ""  # the tracker that was told


class Passing:
    """`send` carries requests to Asterisk, `tracker` says who follows the calls now, as far as known."""

    def __init__(self, send: Send, app: str, tracker: Callable[[], str]) -> None:
        self.told_again = 0
        self._send = send
        self._app = app
        self._tracker = tracker
        self._kept: deque[_Kept] = deque(maxlen=KEPT)
        self._tasks: set[asyncio.Task[int]] = set()

    def pass_on(self, passed: Passed) -> None:
        body = {"variables": {"answer": to_text(passed)}}
        kept = _Kept(time.monotonic(), request(USER_EVENT, body, eventName=EVENT, application=self._app))
        self._kept.append(kept)
        task = asyncio.create_task(self._tell([kept]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def run(self) -> None:
        """Tell a new tracker what the one before may not have heard. Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            while self._kept and time.monotonic() - self._kept[0].at_s > KEPT_S:
                self._kept.popleft()
            untold = [kept for kept in self._kept if kept.to != self._tracker()][:AT_ONCE]
            if untold and self._tracker():
                self.told_again += await self._tell(untold)

    async def _tell(self, kept: list[_Kept]) -> int:
        tracker = self._tracker()
        try:
            await self._send(*(each.event for each in kept))
        except AriError as exc:  # nobody follows calls now, or Asterisk is gone
            log.debug("the tracker was not told: %s", exc)
            return 0
        for each in kept:
            each.to = tracker
        return len(kept)
