"""What can wait a moment: the journal into the log of calls, and what an older version left in the database made ready.

While the database is away everything stays where it is, is said once, and goes on when it is back.
"""

from __future__ import annotations

import asyncio
import logging
import time

from sqlalchemy import Engine as Database

from lookup.numbers import NORM_VERSION
from records.errors import RecordsError
from records.journal import Journal
from records.migrate import migrate
from records.numbers import Reader, renew_numbers
from records.ranges import renew_ranges
from records.replay import replay
from records.search_upkeep import renew_all

log = logging.getLogger(__name__)

EVERY_S = 0.2
AGAIN_S = 2.0
STOPPING_S = 5.0


class Worker:
    def __init__(self, journal: Journal, database: Database, read_number: Reader) -> None:
        self._journal = journal
        self._database = database
        self._read_number = read_number
        self._gone = ""
        self._ready = False
        self.migrated = asyncio.Event()
        self.worked_at = time.monotonic()  # the journal, to its end
        self.settled = False  # all that was in the journal is in the log

    @property
    def gone(self) -> str:
        """Why the journal cannot be worked off now."""
        return self._gone

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                if not self._ready:
                    await self._make_ready()
                await self._replay()
            except RecordsError as exc:
                self.settled = False
                self._say_gone(exc)
                await asyncio.sleep(AGAIN_S)
            else:
                self.worked_at = time.monotonic()
                self.settled = True
                self._say_back()
                await asyncio.sleep(EVERY_S)

    async def _replay(self) -> None:
        """Whoever is told to stop waits for the thread: the journal and the database are closed next."""
        replaying = asyncio.ensure_future(asyncio.to_thread(replay, self._journal, self._database))
        try:
            await asyncio.shield(replaying)
        except asyncio.CancelledError:
            await asyncio.wait({replaying}, timeout=STOPPING_S)
            raise

    async def _make_ready(self) -> None:
        """Once in a life: tables, when the database was away at the start, and numbers that older rules read."""
        await asyncio.to_thread(migrate, self._database)
        self.migrated.set()
        touched = await asyncio.to_thread(renew_numbers, self._database, self._read_number, NORM_VERSION)
        touched |= await asyncio.to_thread(renew_ranges, self._database, self._read_number, NORM_VERSION)
        await asyncio.to_thread(renew_all, self._database)
        self._ready = True
        if touched:
            log.info("numbers were read anew", extra={"fields": {"customers": len(touched.customer_ids)}})

    def _say_gone(self, exc: RecordsError) -> None:
        if not self._gone:
            log.warning("calls wait in the journal until the database is back: %s", exc)
        self._gone = str(exc)

    def _say_back(self) -> None:
        if self._gone:
            log.warning("the database is back; the calls that waited are in the log")
        self._gone = ""
