"""The desk's way to the records: blocking reads and writes in a few threads of their own, each with a limit.

A frozen database then costs a visitor three seconds and a clear message; notices, the dialplan's questions and the
pages that need no records go on, because they share none of these threads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from config.sentences import say
from records.database import reading, writing
from records.errors import DatabaseGone, Refused

log = logging.getLogger(__name__)

T = TypeVar("T")

Way = Callable[[Engine], AbstractContextManager[Session]]

THREADS = 8
PATIENCE_S = 3.0
NO_DATABASE_HOLDS = say("a number is too large, or a text has signs that cannot be kept; correct it, then try again")


class Store:
    """Reads for pages and notices, and writes. `gone` says why the last one failed; empty after one that worked."""

    def __init__(self, database: Engine) -> None:
        self.gone = ""
        self._database = database
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="desk-records")

    async def read(self, work: Callable[[Session], T], within_s: float = PATIENCE_S) -> T:
        """What `work` gives, run with a session that only reads. Raises DatabaseGone, also when it takes too long, and
        Refused for what a database cannot take.
        """
        return await self._do(reading, work, within_s)

    async def write(self, work: Callable[[Session], T], within_s: float = PATIENCE_S) -> T:
        """The same with a session that commits. What took too long may be done all the same; a version says whether."""
        return await self._do(writing, work, within_s)

    async def write_once(self, work: Callable[[Session], T]) -> T:
        """`write`, done again when something else took the same key at the same moment: then it finds what was made."""
        try:
            return await self.write(work)
        except IntegrityError:
            return await self.write(work)

    def read_now(self, work: Callable[[Session], T]) -> T:
        """For threads that may wait."""
        return self._run(reading, work)

    async def _do(self, way: Way, work: Callable[[Session], T], within_s: float) -> T:
        try:
            async with asyncio.timeout(within_s):
                result = await asyncio.get_running_loop().run_in_executor(self._threads, self._run, way, work)
        except TimeoutError:
            self.gone = f"the database gave no answer within {within_s:g} s"
            raise DatabaseGone(self.gone) from None
        except DatabaseGone as exc:
            self.gone = str(exc)
            raise
        self.gone = ""
        return result

    async def close(self) -> None:
        """Waits for what is under way, which the database ends within its time limit: it holds connections."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    def _run(self, way: Way, work: Callable[[Session], T]) -> T:
        try:
            with way(self._database) as session:
                return work(session)
        except (DataError, OverflowError, UnicodeEncodeError) as exc:  # what a database's driver says of a value
            log.warning("the database cannot take what was given", exc_info=exc)
            raise Refused(NO_DATABASE_HOLDS) from exc
