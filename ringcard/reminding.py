"""Tasks that fall due: the desk is told of each, once, by whichever worker sees it first.

What comes up is in the records, so nothing is lost while no worker runs or Redis is away: it is told when both are
back. First the screens are told, and only then is it noted: ended between the two, it is told once more, and a desk
that is told twice shows one reminder, because it shows what the records say.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Engine as Database
from sqlalchemy.exc import SQLAlchemyError

from lookup.notices import Notice
from lookup.redis_notices import RedisNotices
from records.database import reading, writing
from records.errors import RecordsError
from records.tasks import to_tell, told

log = logging.getLogger(__name__)

EVERY_S = 1.0
AGAIN_S = 2.0
SENT_S = 5.0  # so long it is waited that Redis has taken what was told
LOOK_S = 0.02


class Reminding:
    def __init__(
        self, database: Database, notices: RedisNotices, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._notices = notices
        self._clock = clock
        self._gone = ""
        self.told = 0  # reminders, since the start

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                found = await self.look()
            except (RecordsError, SQLAlchemyError) as exc:
                self._say_gone(str(exc).partition("\n")[0])
                await asyncio.sleep(AGAIN_S)
            else:
                self._say_back()
                await asyncio.sleep(0 if found else EVERY_S)

    async def look(self) -> bool:
        """Tell of what comes up by now; whether there was something, and the screens have it. Raises RecordsError."""
        now = self._clock()
        waiting = await asyncio.to_thread(self._waiting, now)
        for notice in waiting:
            self._notices.publish(notice)
        if not waiting or not await self._sent():
            return False
        ids = [notice.task_id for notice in waiting if notice.task_id is not None]
        await asyncio.to_thread(self._note, ids, now)
        self.told += len(ids)
        return True

    def _waiting(self, now: datetime) -> list[Notice]:
        at_ms = int(now.timestamp() * 1000)
        with reading(self._database) as session:
            found = to_tell(session, now)
            return [Notice("task_due", at_ms, None, task.customer_id, task.id, task.user_id) for task in found]

    def _note(self, ids: list[int], now: datetime) -> None:
        with writing(self._database) as session:
            told(session, ids, now)

    async def _sent(self) -> bool:
        until = time.monotonic() + SENT_S
        while self._notices.waiting and time.monotonic() < until:
            await asyncio.sleep(LOOK_S)
        return not self._notices.waiting

    def _say_gone(self, line: str) -> None:
        if not self._gone:
            log.warning("reminders wait until the database is back: %s", line)
        self._gone = line

    def _say_back(self) -> None:
        if self._gone:
            log.warning("the database is back; reminders that waited come up")
        self._gone = ""
