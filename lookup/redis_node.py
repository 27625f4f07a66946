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

OLDER = "this may be an older copy of redis: it is not read until the worker has told it what changed"

Where = Callable[[], Awaitable[RedisAddress]]
"""Which server it is now. Raises StoreGone."""

Vouched = Callable[[], Awaitable[bytes | None]]
"""The run_ids of the servers whose cards are known to be true; None when nobody has said so yet. Raises StoreGone."""


class RedisNode:
    """`answer_s`: what one answer may take; then the connection is dropped and StoreGone raised. `near`: keys kept in
    the process, 0 for none. Where the address is to be found out first (`where`), it must be a master's. `vouched`: of
    a node of a cluster, which cannot say it by itself; keys of one moment may then be of different slots, and are asked
    for one by one."""

    def __init__(
        self, where: RedisAddress | Where, answer_s: float, near: int = 0, vouched: Vouched | None = None
    ) -> None:
        self._where = where
        self._answer_s = answer_s
        self._vouched = vouched
        self._most_near = near
        self._near: NearCards | None = None  # of the connection below
        self._doubted = b""  # the run_id of a server whose cards may be from before; empty: they are believed
        self._said_to_be_older = b""
        self._link: RedisLink | None = None
        self._opening: asyncio.Task[RedisLink] | None = None
        self._wanted: _Wanted = []  # in this turn of the loop
        self._finding_out: set[asyncio.Task[None]] = set()

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
        waiting = [*self._finding_out, *([self._opening] if self._opening else ())]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
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
        self._doubted = await self._doubtful(link)

    async def _doubtful(self, link: RedisLink) -> bytes:
        """The server's run_id when its cards may be from before. Of a node of a cluster that is found out when it is
        asked for a card, for another node is to be asked then."""
        try:
            info = await link.ask("INFO", "server")
            run_id: bytes = info.partition(b"run_id:")[2].partition(b"\r")[0]
            if self._vouched:
                return run_id
            vouched = await link.ask("GET", VOUCHED)
        except Refused:  # a user who may not ask for this
            return b""
        if vouched is None or vouched == run_id:
            return b""
        log.info(OLDER)
        return run_id

    async def _track(self, link: RedisLink) -> None:
        """Not where the server cannot say what changes: an older one, or a user who may not ask for it."""
        self._near = None
        if not self._most_near:
            return
        of_master = self._vouched is not None or not isinstance(self._where, RedisAddress)
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
        if self._doubted and self._vouched:
            task = asyncio.create_task(self._ask_when_vouched(self._vouched, link, near, wanted))
            self._finding_out.add(task)
            task.add_done_callback(self._finding_out.discard)
        elif self._doubted:
            self._ask_if_vouched(link, near, wanted)
        elif self._vouched:
            link.send_all([(("GET", key), partial(_hand_out, near, key, future)) for key, future in wanted])
        else:
            link.send(("MGET", *(key for key, _ in wanted)), partial(_hand_out_all, near, wanted))

    def _ask_if_vouched(self, link: RedisLink, near: NearCards | None, wanted: _Wanted) -> None:
        def hand_out(answers: Any) -> None:
            if isinstance(answers, StoreGone):
                _hand_out_all(near, wanted, answers)
            elif answers.pop() == self._doubted:
                self._doubted = b""
                _hand_out_all(near, wanted, answers)
            else:
                _hand_out_nothing(wanted)

        link.send(("MGET", *(key for key, _ in wanted), VOUCHED), hand_out)

    async def _ask_when_vouched(
        self, vouched: Vouched, link: RedisLink, near: NearCards | None, wanted: _Wanted
    ) -> None:
        doubted = self._doubted
        try:
            async with asyncio.timeout(self._answer_s / 2):
                told = await vouched()
        except (StoreGone, TimeoutError):
            told = b""
        except asyncio.CancelledError:
            _hand_out_all(near, wanted, StoreGone("closed"))
            raise
        if told is not None and doubted not in told.split():
            if doubted != self._said_to_be_older:
                log.info(OLDER)
            self._said_to_be_older = doubted
            # It is asked all the same, for it may refuse: a node that does is not back.
            link.send_all([(("EXISTS", key), partial(_hand_out_refusal, future)) for key, future in wanted])
            return
        if doubted == self._doubted:
            self._doubted = b""
        link.send_all([(("GET", key), partial(_hand_out, near, key, future)) for key, future in wanted])


_Wanted = list[tuple[str, asyncio.Future[bytes | None]]]


def _hand_out(near: NearCards | None, key: str, future: asyncio.Future[bytes | None], answer: Any) -> None:
    if near and isinstance(answer, bytes):
        near.keep(key, answer)
    hand_over(answer, future)


def _hand_out_all(near: NearCards | None, wanted: _Wanted, answers: Any) -> None:
    gone = isinstance(answers, StoreGone)
    for i, (key, future) in enumerate(wanted):
        _hand_out(near, key, future, answers if gone else answers[i])


def _hand_out_nothing(wanted: _Wanted) -> None:
    """As if no card was there."""
    for _, future in wanted:
        hand_over(None, future)


def _hand_out_refusal(future: asyncio.Future[bytes | None], answer: Any) -> None:
    hand_over(answer if isinstance(answer, StoreGone) else None, future)
