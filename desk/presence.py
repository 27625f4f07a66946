"""Who is signed in at the desk now, for the choice of who rings: whoever has a page of it open.

Only where settings ask for it (routing.presence = "desk"). It is noted when somebody comes, then every minute, and
taken back at once by signing out; a page that is closed, or a desk that is killed, is believed for two minutes more.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

from desk.store import Store
from records import routing
from records.errors import RecordsError

log = logging.getLogger(__name__)

EVERY_S = 60.0


class Presence:
    """One per process. `counts`: whether anybody asks for it."""

    def __init__(self, store: Store, counts: bool) -> None:
        self._store = store
        self._counts = counts
        self._here: Counter[int] = Counter()  # open pages by person
        self._came = asyncio.Event()
        self._noted: set[int] = set()

    @contextmanager
    def here(self, user_id: int) -> Iterator[None]:
        """The person has a page open for as long as this lasts."""
        self._here[user_id] += 1
        if user_id not in self._noted:
            self._came.set()
        try:
            yield
        finally:
            self._here[user_id] -= 1
            if not self._here[user_id]:
                del self._here[user_id]

    async def left(self, user_id: int) -> None:
        """The person signed out."""
        self._noted.discard(user_id)
        if self._counts:
            await self._store.write(lambda records: routing.gone(records, user_id))

    async def keep(self) -> None:
        """Until cancelled."""
        while self._counts:
            self._came.clear()
            await self._note({*self._here})
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):  # wait_for of Python 3.11 may swallow a cancellation
                    await self._came.wait()

    async def _note(self, people: Collection[int]) -> None:
        self._noted = {*people}
        if not people:
            return
        try:
            await self._store.write(lambda records: routing.seen(records, people))
        except RecordsError as exc:
            log.warning("who is signed in cannot be noted now: %s", exc)
        except Exception:  # to end here would sign everybody out
            log.exception("who is signed in cannot be noted")
