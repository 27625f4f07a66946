"""One Redis server that holds cards: connected when it is asked, one look per call, nothing tried twice.

Whatever is asked for within one turn of the event loop goes out as one MGET, so that a burst of calls costs few round
trips. What was read lately is answered from near at hand, where the server can say what changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any

from config.redis_address import RedisAddress
from lookup.breaker import StoreGone
from lookup.near_cards import NearCards
from lookup.redis_link import RedisLink, Refused, Word, hand_over, open_link

log = logging.getLogger(__name__)

VOUCHED = "rc1:vouched"
"""The run_id of the server whose cards were last known to be true: see `RedisNode.vouch`."""

Where = Callable[[], Awaitable[RedisAddress]]
"""Which server it is now. Raises StoreGone."""


class RedisNode:
    """`answer_s`: what one answer may take; then the connection is dropped and StoreGone raised. `near`: keys kept in
    the process, 0 for none. Where the address is to be found out first (`where`), it must be a master's. `in_cluster`:
    keys of one moment may be of different slots, and are asked for one by one."""

    def __init__(self, where: RedisAddress | Where, answer_s: float, near: int = 0, in_cluster: bool = False) -> None:
        self._where = where
        self._answer_s = answer_s
        self._in_cluster = in_cluster
        self._most_near = near
        self._near: NearCards | None = None  # of the connection below
        self._doubted = b""  # the run_id of a server whose cards may be from before; empty: they are believed
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

    async def vouch(self, run_id: str) -> None:
        """For whoever has told this server all that changed: its cards are true. Raises StoreGone.

        A server that comes back with an older copy of itself, or a replica that takes over, still has the mark of the
        server from before. Until it has its own, nothing is read from it.
        """
        await self.ask("SET", VOUCHED, run_id)

    def let_go(self, keys: Iterable[str]) -> None:
        """Of what is kept near: for whoever changes it, and need not wait to be told so."""
        if self._near:
            self._near.let_go(keys)

    async def ask(self, *words: Word) -> Any:
        """The answer to one command. Raises StoreGone."""
        return await (await self.link()).ask(*words)

    async def ask_all(self, commands: Sequence[tuple[Word, ...]]) -> list[Any]:
        """As RedisLink.ask_all. Raises StoreGone when there is no connection."""
        return await (await self.link()).ask_all(commands)

    async def link(self) -> RedisLink:
        """The connection; opened once for all who ask meanwhile, whoever of them goes away. Raises StoreGone."""
        if link := self.open_link:
            return link
        if self._opening is None:
            self._opening = asyncio.create_task(self._open(), name="connect to redis")
            self._opening.add_done_callback(self._opened)
        opening = self._opening
        await asyncio.wait({opening})
        if opening.cancelled():
            raise StoreGone("closed")
        return opening.result()

    @property
    def open_link(self) -> RedisLink | None:
        return self._link if self._link and not self._link.lost.done() else None

    @property
    def kept_near(self) -> int:
        """Keys that this process answers by itself."""
        return self._near.count if self._near and self.open_link else 0

    def drop(self, reason: str) -> None:
        """Give the connection up; the next question opens another."""
        if link := self.open_link:
            link.drop(reason)

    async def close(self) -> None:
        self.drop("closed")
        if self._opening:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._link:
            await self._link.lost

    async def _open(self) -> RedisLink:
        if isinstance(self._where, RedisAddress):
            return await open_link(self._where, self._answer_s, self._prepare)
        try:
            async with asyncio.timeout(self._answer_s):
                return await open_link(await self._where(), self._answer_s, self._prepare)
        except TimeoutError as exc:
            raise StoreGone(f"no connection to the master within {self._answer_s * 1000:.0f} ms") from exc

    async def _prepare(self, link: RedisLink) -> None:
        if not isinstance(self._where, RedisAddress) and (await link.ask("ROLE"))[0] != b"master":
            raise StoreGone("the server that the sentinels named is no master yet")
        await self._track(link)
        self._doubted = b"" if self._in_cluster else await self._doubtful(link)

    async def _doubtful(self, link: RedisLink) -> bytes:
        try:
            info, vouched = await asyncio.gather(link.ask("INFO", "server"), link.ask("GET", VOUCHED))
        except Refused:  # a user who may not ask for this
            return b""
        run_id: bytes = info.partition(b"run_id:")[2].partition(b"\r")[0]
        if vouched is None or vouched == run_id:
            return b""
        log.info("this may be an older copy of redis: it is not read until the worker has told it what changed")
        return run_id

    async def _track(self, link: RedisLink) -> None:
        """Not where the server cannot say what changes: an older one, or a user who may not ask for it."""
        self._near = None
        if not self._most_near:
            return
        of_master = self._in_cluster or not isinstance(self._where, RedisAddress)
        near = NearCards(link, self._most_near, of_master)
        try:
            await link.ask("HELLO", 3)  # only then are changes told on this connection, in their place
            await link.ask("CLIENT", "TRACKING", "ON")
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

        def hand_out(key: str, answer: Any, future: asyncio.Future[bytes | None]) -> None:
            if near and isinstance(answer, bytes):
                near.keep(key, answer)
            hand_over(answer, future)

        def hand_out_all(answers: Any) -> None:
            gone = isinstance(answers, StoreGone)
            for i, (key, future) in enumerate(wanted):
                hand_out(key, answers if gone else answers[i], future)

        def hand_out_vouched(answers: Any) -> None:
            if isinstance(answers, StoreGone):
                hand_out_all(answers)
            elif answers.pop() == self._doubted:
                self._doubted = b""
                hand_out_all(answers)
            else:
                for _, future in wanted:
                    hand_over(None, future)

        keys = [key for key, _ in wanted]
        if self._doubted:
            link.send(("MGET", *keys, VOUCHED), hand_out_vouched)
        elif self._in_cluster:
            link.send_all([(("GET", key), partial(hand_out, key, future=future)) for key, future in wanted])
        else:
            link.send(("MGET", *keys), hand_out_all)
