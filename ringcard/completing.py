"""The log of calls completed from what Asterisk itself wrote of its channels: the calls that nobody here followed.

Each conversation of the file whose end was read some seconds ago is looked for in the log. What is missing is written,
its caller looked up now; what has no end gets one. How far the file was read is saved with what was written: after any
end of this process it goes on from there, and what comes twice changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

import aiohttp
from sqlalchemy import Engine as Database
from sqlalchemy.exc import SQLAlchemyError

from ari_app.ari_requests import GET_INFO, AriError, HttpWire, basic, request
from ari_app.call import Rules
from ari_app.cel import STALE_MS, Conversation, Conversations, Position, Told, told_by
from ari_app.trunks import Trunks
from config.settings import Asterisk
from lookup.answers import Answer, Caller, Unavailable
from lookup.who import who_of
from records import completion
from records.database import reading, writing
from records.errors import DatabaseGone, RecordsError
from records.facts import CallFacts, call_id_of
from ringcard.cel_file import CelFile

log = logging.getLogger(__name__)

EVERY_S = 1.0
AGAIN_S = 2.0
GRACE_S = 10.0
"""What was heard live comes first: it is in the log long before."""

SAVE_EVERY_S = 10.0
LOOK_EVERY_S = 10.0
AT_ONCE = 100  # calls per transaction
LATE_S = 5.0


class Finder(Protocol):
    async def find(self, caller: Caller, budget_s: float) -> Answer: ...


class Completing:
    """`settled`: whether all that was heard live is in the log; while it is not, nothing is read.

    `started_ms`: when Asterisk started, 0 when that cannot be asked: what it had not ended before will never end.
    """

    def __init__(
        self,
        file: Path,
        database: Database,
        finder: Finder,
        settings: Asterisk,
        rules: Rules,
        settled: Callable[[], bool],
        started_ms: Callable[[], Awaitable[int]],
        grace_s: float = GRACE_S,
    ) -> None:
        self._path, self._file = file, CelFile(file)
        self._database = database
        self._finder = finder
        self._settings = settings
        self._rules = rules
        self._trunks = Trunks(settings.trunks)
        self._settled = settled
        self._started_ms = started_ms
        self._grace_ms = round(grace_s * 1000)
        self._at: Position | None = None
        self._conversations = Conversations()
        self._saved: Position | None = None
        self._save_at = self._look_at = 0.0
        self._trouble = ""
        self.completed = 0  # calls, since the start

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                more = self._settled() and await self._step()
            except OSError as exc:
                self._say(f"cannot read {self._path}: {exc.strerror or exc}; run: ringcard doctor")
                more = False
            except (RecordsError, SQLAlchemyError) as exc:
                self._at, self._conversations = None, Conversations()  # read again from what was saved
                self._say(str(exc).partition("\n")[0])
                await asyncio.sleep(AGAIN_S)
                more = False
            if not more:
                await asyncio.sleep(EVERY_S)

    async def _step(self) -> bool:
        """Reads one piece and writes what is over; True when there is more to read."""
        if self._at is None:
            self._at = self._saved = await asyncio.to_thread(self._saved_position)
        more = await asyncio.to_thread(self._read, self._at)
        self._say("")
        now_ms = time.time_ns() // 1_000_000
        over = self._conversations.over(now_ms - self._grace_ms)
        if not more and len(self._conversations) and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_EVERY_S
            started_ms = await self._started_ms()
            lost_ms = started_ms if started_ms < now_ms - self._grace_ms else 0
            over += self._conversations.cut_off(max(lost_ms, now_ms - STALE_MS))
        for place in range(0, len(over), AT_ONCE):
            await self._complete(over[place : place + AT_ONCE], is_last=place + AT_ONCE >= len(over))
        if time.monotonic() >= self._save_at and self._here() != self._saved:
            await asyncio.to_thread(self._write, (), self._here())
        return more

    def _here(self) -> Position:
        """From where to read again: the first line of what goes on."""
        return self._conversations.oldest() or self._at or Position()

    def _read(self, at: Position) -> bool:
        piece = self._file.read(at)
        for row, begins in piece.rows:
            self._conversations.hear(row, begins)
        self._at = piece.end
        return piece.more

    async def _complete(self, over: Sequence[Conversation], is_last: bool) -> None:
        """What the log has, whole, costs one question."""
        by_id = {call_id_of(self._rules.node, each.linkedid): each for each in over}
        wanted = await asyncio.to_thread(self._lacking, list(by_id))
        unknown = [each for call_id, each in by_id.items() if call_id in wanted or each.merged]
        read = (told_by(each, self._rules, self._settings.app, self._trunks) for each in unknown)
        calls = [told for told in read if told is not None]
        found = [
            told.facts if wanted[told.facts.call_id] else await self._looked_up(told.facts, told.caller)
            for told in calls
            if told.facts.call_id in wanted
        ]
        merging = [told for told in calls if told.merged]
        if found or merging:
            count = await asyncio.to_thread(self._write, found, self._here() if is_last else None, merging)
            if count:
                self.completed += count
                log.info("calls completed from Asterisk's own record", extra={"fields": {"calls": count}})

    async def _looked_up(self, facts: CallFacts, caller: Caller | None) -> CallFacts:
        """With the customer, as far as that is known now."""
        if caller is None:
            return facts
        answer = await self._finder.find(caller, LATE_S)
        if isinstance(answer, Unavailable):
            raise DatabaseGone(f"the customer of a call cannot be looked up: {answer.reason}")
        who = who_of(answer, caller.number)
        known = replace(facts, caller_key=who.key, customer_id=who.customer_id, tier=who.tier)
        if facts.direction == "outbound":
            return replace(known, called_number=who.number or facts.called_number)
        return replace(known, caller_number=who.number)

    # --- in a thread

    def _saved_position(self) -> Position:
        with reading(self._database) as session:
            return Position(*completion.position(session, self._settings.node))

    def _lacking(self, call_ids: Sequence[str]) -> dict[str, bool]:
        with reading(self._database) as session:
            return dict(completion.lacking(session, call_ids))

    def _write(self, calls: Sequence[CallFacts], position: Position | None, merging: Sequence[Told] = ()) -> int:
        with writing(self._database) as session:
            count = completion.complete(session, calls)
            for told in merging:
                completion.merge(session, told.merged, told.facts)
            if position is not None:
                completion.move_to(session, self._settings.node, position.mark, position.offset)
        if position is not None:
            self._saved, self._save_at = position, time.monotonic() + SAVE_EVERY_S
        return count

    def _say(self, trouble: str) -> None:
        """Once when it begins and once when it is over."""
        if trouble and not self._trouble:
            log.warning("calls are not completed from Asterisk's own record: %s", trouble)
        elif self._trouble and not trouble:
            log.warning("calls are completed from Asterisk's own record again")
        self._trouble = trouble


async def asterisk_started_ms(settings: Asterisk) -> int:
    """By Asterisk's clock; 0 when it does not answer."""
    limit_s = settings.request_ms / 1000
    headers = {"Authorization": basic(settings.username, settings.password)}
    try:
        async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=limit_s)) as session:
            (info,) = await HttpWire(session, settings.ari_url.rstrip("/"), limit_s).send([request(GET_INFO)])
        return round(datetime.fromisoformat(info["status"]["startup_time"]).timestamp() * 1000)
    except (AriError, KeyError, TypeError, ValueError):
        return 0
