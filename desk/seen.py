"""Notes who sees a customer's card, beside the requests: nobody waits for it, and a call least of all.

What was seen waits in a short queue that one writer empties. Where it cannot be written it waits, and when the queue is
full it is lost, counted, and told in the log once for each outage. What was written in this hour is not written again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from desk.store import Store
from records import seen
from records.errors import DatabaseGone
from records.seen import Look, Way

log = logging.getLogger(__name__)

EVERY_S = 2.0
"""So often what was seen is written, together."""

AGAIN_S = 10.0
PRUNE_S = 3600.0
MOST_WAITING = 20_000
MOST_KNOWN = 100_000
AT_ONCE = 500


class Seen:
    """One per process. `lost`: how many looks could not be noted."""

    def __init__(self, store: Store, days: int, clock: Callable[[], datetime]) -> None:
        self.lost = 0
        self._store, self._days, self._clock = store, days, clock
        self._waiting: deque[Look] = deque()
        self._known: set[tuple[int, int, Way]] = set()  # of this hour
        self._hour = 0
        self._came = asyncio.Event()
        self._writing = asyncio.Lock()
        self._away = False  # the database, and that was logged

    def note(self, user_id: int, customer_ids: Iterable[int], way: Way) -> None:
        """This person sees the cards of these customers now. Returns at once."""
        at = self._clock()
        for customer_id in customer_ids:
            self._note(Look(user_id, customer_id, way, at))

    async def keep(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        prune_at = loop.time()
        while True:
            if loop.time() >= prune_at:
                await self._prune()
                prune_at = loop.time() + PRUNE_S
            try:
                async with asyncio.timeout(PRUNE_S):
                    await self._came.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(EVERY_S)
            if not await self.write():
                await asyncio.sleep(AGAIN_S)

    async def write(self) -> bool:
        """Writes what waits; False: it could not be, and waits on."""
        async with self._writing:  # whoever stops the desk writes too, and each takes off the queue what it wrote
            return await self._write()

    async def _write(self) -> bool:
        self._came.clear()
        while self._waiting:
            some = [self._waiting[place] for place in range(min(AT_ONCE, len(self._waiting)))]
            try:
                await self._store.write(lambda records, some=some: seen.write(records, some))  # type: ignore[misc]
            except Exception as exc:
                self._came.set()
                self._fail(exc)
                return False
            for _ in some:
                self._waiting.popleft()
        self._away = False
        return True

    def _note(self, look: Look) -> None:
        if look.hour != self._hour or len(self._known) >= MOST_KNOWN:
            self._hour = look.hour
            self._known.clear()
        key = (look.user_id, look.customer_id, look.way)
        if key in self._known:
            return
        if len(self._waiting) >= MOST_WAITING:
            self.lost += 1
            return
        self._known.add(key)
        self._waiting.append(look)
        self._came.set()

    def _fail(self, exc: Exception) -> None:
        if self._away:
            return
        self._away = True
        if isinstance(exc, DatabaseGone):
            log.warning("who sees which card cannot be noted now; up to %d looks wait: %s", MOST_WAITING, exc)
        else:
            log.error("who sees which card cannot be noted", exc_info=exc)

    async def _prune(self) -> None:
        before = self._clock() - timedelta(days=self._days)
        try:
            while await self._store.write(lambda records: seen.prune(records, before)):
                await asyncio.sleep(0.05)  # others write too
        except DatabaseGone as exc:
            log.warning("who saw which card long ago stays for now: %s", exc)
        except Exception:
            log.exception("who saw which card long ago cannot be removed")
