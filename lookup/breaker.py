"""Leaving a broken store alone.

After a failure a store is not asked for a short while; then one request tries it, and the others go on without it until
that one has come back. An outage is written to the log twice, at its start and at its end, with what is done meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
log = logging.getLogger(__name__)


class StoreGone(Exception):
    """A store could not be asked, or gave no usable answer; `reason` says which, in words for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Breaker:
    """Guards one store. `rest_s`: how long it is left alone; `meanwhile`: what happens without it, for the log."""

    def __init__(self, name: str, meanwhile: str, rest_s: float, clock: Callable[[], float]) -> None:
        self.name = name
        self.gone = ""  # why the store is left alone; empty while it works
        self.skipped = 0  # requests of the latest outage that were not even tried
        self._meanwhile = meanwhile
        self._rest_s = rest_s
        self._clock = clock
        self._since = 0.0
        self._rest_until = 0.0
        self._trying = False
        self._ended = 0  # outages that are over

    async def ask(self, request: Callable[[], Awaitable[T]]) -> T:
        """The store's answer. Raises StoreGone: at once while it rests, else for any failure of the request."""
        if not self.gone:
            return await self._ask_as_usual(request)
        if self._trying or self._clock() < self._rest_until:
            self.skipped += 1
            raise StoreGone(f"{self.name} is gone: {self.gone}")
        return await self._try(request)

    async def _ask_as_usual(self, request: Callable[[], Awaitable[T]]) -> T:
        ended = self._ended
        try:
            return await self._answer(request)
        except StoreGone as exc:
            # Of all requests that were under way when the store went, the first to fail opens the outage. One that
            # fails only after the store came back tells nothing of now.
            if not self.gone and ended == self._ended:
                self._since = self._clock()
                self.skipped = 0
                self._rest(exc.reason)
                log.warning("%s gone: %s; %s", self.name, exc.reason, self._meanwhile)
            raise

    async def _try(self, request: Callable[[], Awaitable[T]]) -> T:
        self._trying = True
        reason = "no answer in time"  # what a cancelled trial is taken for
        try:
            answer = await self._answer(request)
        except StoreGone as exc:
            reason = exc.reason
            raise
        else:
            reason = ""
            return answer
        finally:
            self._trying = False
            self._rest(reason) if reason else self._end()

    async def _answer(self, request: Callable[[], Awaitable[T]]) -> T:
        try:
            return await request()
        except StoreGone:
            raise
        except Exception as exc:
            # A store that breaks its promise is our bug or a plug-in's. The call must not pay for it, and a load that
            # nobody waits for any more would otherwise fail unseen.
            log.exception("%s broke its promise; taken as gone", self.name)
            raise StoreGone(f"{type(exc).__name__}: {exc}") from exc

    def _rest(self, reason: str) -> None:
        self.gone = reason or "no reason given"
        self._rest_until = self._clock() + self._rest_s

    def _end(self) -> None:
        self.gone = ""
        self._ended += 1
        lasted = self._clock() - self._since
        log.warning("%s is back after %.1f s; %d requests went without it", self.name, lasted, self.skipped)
