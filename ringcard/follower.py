"""A change of the records reaches the next call: what was noted in `changes` is taken out of the cache.

The triggers of `records.marks` note it, whoever made it; here it is looked for many times a second, by one small
statement on both databases: PostgreSQL could wake us (NOTIFY), but that needs a connection of its own to be watched and
mended, and saves only hundredths of a second. First the cache forgets, then the screens are told, then whoever was
changed is made findable as they are now, and only then is a change done: ended between these, all of it is simply done
once more. While Redis or the database is away, changes stay noted.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from sqlalchemy import Engine as Database
from sqlalchemy.exc import SQLAlchemyError

from lookup.breaker import StoreGone
from lookup.engine import Engine
from lookup.notices import Notice
from lookup.redis_notices import RedisNotices
from records import changes, search_upkeep
from records.errors import RecordsError
from records.numbers import Reader, read_again
from records.ranges import read_ranges_again
from records.tables import Change
from records.touched import Touched

log = logging.getLogger(__name__)

EVERY_S = 0.05
AGAIN_S = 0.5
LOOK_EVERY_S = 1.0


class Follower:
    def __init__(self, database: Database, engine: Engine, notices: RedisNotices, read_number: Reader) -> None:
        self._database = database
        self._engine = engine
        self._notices = notices
        self._read_number = read_number
        self._server = ""  # which cache was told what is done, and when to look again
        self._look_at = 0.0
        self._vouched = False  # it was told all that changed before it was this one
        self._gone = ""
        self.cache_gone = False
        self.worked_at = time.monotonic()  # all changes that waited, or as many as go together

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                waiting = await asyncio.to_thread(changes.pending, self._database)
                await self._read_numbers(waiting)
                if await self._is_another_server():  # all that was done is to be done once more
                    waiting = await asyncio.to_thread(changes.pending, self._database)
                    await self._read_numbers(waiting)  # some may have come meanwhile
                if waiting:
                    await self._work_off(waiting)
                if not self._vouched and len(waiting) < changes.AT_ONCE:
                    await self._engine.vouch_for_cache(self._server)
                    self._vouched = True
            except (RecordsError, SQLAlchemyError, StoreGone) as exc:
                # Any trouble of the database's, as a standby that may only be read: the journal goes on beside us.
                self.cache_gone = isinstance(exc, StoreGone)
                self._say_gone(exc)
                await asyncio.sleep(AGAIN_S)
            else:
                self.cache_gone, self.worked_at = False, time.monotonic()
                self._say_back()
                if len(waiting) < changes.AT_ONCE:
                    await asyncio.sleep(EVERY_S)

    async def _is_another_server(self) -> bool:
        """Another one than was told, or that one started anew, may hold cards from before."""
        now = time.monotonic()
        if self._server and now < self._look_at:
            return False
        server = await self._engine.cache_server()
        is_another = server != self._server
        if is_another:
            await asyncio.to_thread(changes.again, self._database)
            self._vouched = False
        await asyncio.to_thread(changes.clear, self._database)
        self._server, self._look_at = server, now + LOOK_EVERY_S
        return is_another

    async def _read_numbers(self, waiting: Sequence[Change]) -> None:
        """Before Redis is asked: the lookup needs them without it too. What is corrected is a change of its own."""
        numbers = {change.number_id for change in waiting if change.number_id is not None}
        if numbers:
            await asyncio.to_thread(read_again, self._database, self._read_number, numbers)
        ranges = {change.range_id for change in waiting if change.range_id is not None}
        if ranges:
            await asyncio.to_thread(read_ranges_again, self._database, self._read_number, ranges)

    async def _work_off(self, waiting: Sequence[Change]) -> None:
        pieces = changes.touched_by(self._database, waiting, self._read_number)
        gone: StoreGone | None = None
        try:
            while (touched := await asyncio.to_thread(next, pieces, None)) is not None:
                await self._engine.forget(touched.keys, touched.tails, touched.ranges)
                await self._tell(touched)
        except StoreGone as exc:
            gone = exc
        await self._make_findable(waiting)  # after the calls, which cannot wait, and also while Redis is away
        if gone is not None:
            raise gone
        await asyncio.to_thread(changes.entered, self._database, waiting)
        await asyncio.to_thread(changes.done, self._database, waiting)

    async def _make_findable(self, waiting: Sequence[Change]) -> None:
        """Whoever is told to stop waits for the thread: the database is closed next."""
        customers = {change.customer_id for change in waiting if change.customer_id is not None}
        renewing = asyncio.ensure_future(asyncio.to_thread(search_upkeep.renew, self._database, customers))
        try:
            await asyncio.shield(renewing)
        except asyncio.CancelledError:
            await asyncio.wait({renewing})
            raise

    async def _tell(self, touched: Touched) -> None:
        """The screens that show one of these customers in a call of now; elsewhere nobody has use for it."""
        if not touched:
            return
        _, calls = await self._notices.snapshot()
        live = [call for call in calls if not call.ended_ms]
        shown = {id for call in live for id in (*call.customer_ids, call.customer_id) if id}
        for customer_id in shown & touched.customer_ids:
            self._notices.publish(Notice("card_changed", int(time.time() * 1000), None, customer_id))
        if any(call.is_nobodys and _touches(touched, call.caller_key) for call in live):
            self._notices.publish(Notice("card_changed", int(time.time() * 1000), None))

    def _say_gone(self, exc: Exception) -> None:
        line = str(exc).partition("\n")[0]
        if not self._gone:
            log.warning("changes wait, and calls may show cards from before, until it is back: %s", line)
        self._gone = line

    def _say_back(self) -> None:
        if self._gone:
            log.warning("changes are followed again; those that waited have reached the cache")
        self._gone = ""


def _touches(touched: Touched, key: str) -> bool:
    """Whether a lookup of this match_key is another one now."""
    return key in touched.keys or any(
        key.startswith(prefix) and len(key) == len(prefix) + digits for prefix, digits in touched.ranges
    )
