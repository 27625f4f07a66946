"""One Redis server that holds cards: connected when it is asked, one look per call, nothing tried twice.

Whatever is asked for within one turn of the event loop goes out as one MGET, so that a burst of calls costs few round
trips. What was read lately is answered from near at hand, where the server can say what changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from lookup.breaker import StoreGone
from lookup.near_cards import NearCards
from lookup.redis_link import RedisLink, Refused, Word, hand_over, open_link

log = logging.getLogger(__name__)


class RedisNode:
    """`answer_s`: what one answer may take; then the connection is dropped and StoreGone raised. `near`: keys kept in
    the process, 0 for none."""

    def __init__(self, url: str, answer_s: float, near: int = 0) -> None:
        self._url = url
        self._answer_s = answer_s
        self._most_near = near
        self._near: NearCards | None = None  # of the connection below
        self._link: RedisLink | None = None
        self._opening: asyncio.Task[RedisLink] | None = None
        self._wanted: list[tuple[str, asyncio.Future[bytes | None]]] = []  # in this turn of the loop

    async def get(self, key: str) -> bytes | None:
        """The value, which is empty when the key was forgotten; None when there is none. Raises StoreGone."""
        link = self.open_link or await self.link()
        if self._near and (raw := self._near.get(key)) is not None:
            return raw
        loop = asyncio.get_running_loop()
        if not self._wanted:
            loop.call_soon(self._ask_for_wanted, link, self._near)
        future: asyncio.Future[bytes | None] = loop.create_future()
        self._wanted.append((key, future))
        return await future

    def let_go(self, keys: Iterable[str]) -> None:
        """Of what is kept near: for whoever changes it, and need not wait to be told so."""
        if self._near:
            self._near.let_go(keys)

    async def ask(self, *words: Word) -> Any:
        """The answer to one command. Raises StoreGone."""
        return await (await self.link()).ask(*words)

    async def link(self) -> RedisLink:
        """The connection; opened once for all who ask meanwhile, whoever of them goes away. Raises StoreGone."""
        if link := self.open_link:
            return link
        if self._opening is None:
            self._opening = asyncio.create_task(self._open(), name="connect to redis")
            self._opening.add_done_callback(self._opened)
        return await asyncio.shield(self._opening)

    @property
    def open_link(self) -> RedisLink | None:
        return self._link if self._link and not self._link.lost.done() else None

    @property
    def kept_near(self) -> int:
        """Keys that this process answers by itself."""
        return self._near.count if self._near and self.open_link else 0

    async def close(self) -> None:
        if self._opening:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._link:
            self._link.drop("closed")
            await self._link.lost

    async def _open(self) -> RedisLink:
        return await open_link(self._url, self._answer_s, self._track)

    async def _track(self, link: RedisLink) -> None:
        """Not where the server cannot say what changes: an older one, or a user who may not ask for it."""
        self._near = None
        if not self._most_near:
            return
        near = NearCards(link, self._most_near)
        try:
            await asyncio.gather(link.ask("HELLO", 3), link.ask("CLIENT", "TRACKING", "ON"))
        except Refused as exc:
            log.info("redis does not say what changes (%s), so every lookup asks it", exc.reason)
        else:
            self._near = near

    def _opened(self, opening: asyncio.Task[RedisLink]) -> None:
        self._opening = None
        if not opening.cancelled() and not opening.exception():
            self._link = opening.result()

    def _ask_for_wanted(self, link: RedisLink, near: NearCards | None) -> None:
        wanted, self._wanted = self._wanted, []

        def hand_out(answer: Any) -> None:
            gone = isinstance(answer, StoreGone)
            for i, (key, future) in enumerate(wanted):
                if near and not gone and answer[i] is not None:
                    near.keep(key, answer[i])
                hand_over(answer if gone else answer[i], future)

        link.send(("MGET", *(key for key, _ in wanted)), hand_out)
