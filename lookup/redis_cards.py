"""Cards in Redis: one key per number, one look per call.

Whatever is asked for within one turn of the event loop goes out as one MGET, so that a burst of calls costs few round
trips. Nothing is tried twice: a caller is waiting, and the engine knows what to do without Redis. Every key has a TTL,
so that a full server evicts cards (`volatile-lfu`) and never the live calls or their notices.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Any

from lookup.breaker import StoreGone
from lookup.redis_link import RedisLink, Refused, hand_over, open_link

FORGOTTEN_S = 10
"""How long nothing is stored under a forgotten key; longer than any load of the engine's takes."""

AT_ONCE = 200
"""Keys forgotten in one go, so that those of a whole import stay within the time limit of one answer."""

STORE = """
if redis.call('GET', KEYS[1]) == '' then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""

log = logging.getLogger(__name__)


class RedisCards:
    """A CardCache. `answer_s`: what one answer may take; then the connection is dropped and StoreGone raised."""

    name = "redis"

    def __init__(self, url: str, answer_s: float = 0.05) -> None:
        self._url = url
        self._answer_s = answer_s
        self._link: RedisLink | None = None
        self._opening: asyncio.Task[RedisLink] | None = None
        self._wanted: list[tuple[str, asyncio.Future[bytes | None]]] = []  # in this turn of the loop
        self._refusal = ""

    async def get(self, key: str) -> bytes | None:
        link = self._open_link() or await self._opened()
        loop = asyncio.get_running_loop()
        if not self._wanted:
            loop.call_soon(self._ask_for_wanted, link)
        future: asyncio.Future[bytes | None] = loop.create_future()
        self._wanted.append((key, future))
        return await future or None

    async def store(self, key: str, raw: bytes, ttl_s: int) -> bool:
        try:
            kept = await (await self._opened()).ask("EVAL", STORE, 1, key, raw, ttl_s)
        except Refused as exc:  # full, or a replica: it still answers calls, so it is not gone
            if exc.reason != self._refusal:
                log.warning("redis keeps no cards: %s; the database is asked for every call", exc.reason)
            self._refusal = exc.reason
            return False
        self._refusal = ""
        return bool(kept)

    async def forget(self, keys: Collection[str]) -> None:
        link = await self._opened()
        waiting = list(keys)
        for start in range(0, len(waiting), AT_ONCE):
            now = waiting[start : start + AT_ONCE]
            await asyncio.gather(*(link.ask("SET", key, b"", "EX", FORGOTTEN_S) for key in now))

    async def server(self) -> str:
        return (await self._info("server"))["run_id"]

    async def check(self) -> str:
        facts = await self._info()
        name = "Valkey" if "valkey_version" in facts else "Redis"
        version = facts.get("valkey_version") or facts["redis_version"]
        limit = facts["maxmemory_human"] if facts["maxmemory"] != "0" else "no limit"
        return f"{name} {version}, {facts['used_memory_human']} of {limit}, {facts['maxmemory_policy']}"

    async def close(self) -> None:
        if self._opening:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._link:
            self._link.drop("closed")
            await self._link.lost

    async def _info(self, *sections: str) -> dict[str, str]:
        told = (await (await self._opened()).ask("INFO", *sections)).decode()
        return dict(line.split(":", 1) for line in told.splitlines() if ":" in line)

    def _open_link(self) -> RedisLink | None:
        return self._link if self._link and not self._link.lost.done() else None

    async def _opened(self) -> RedisLink:
        """The connection; opened once for all who ask meanwhile, whoever of them goes away."""
        if link := self._open_link():
            return link
        if self._opening is None:
            self._opening = asyncio.create_task(open_link(self._url, self._answer_s), name="connect to redis")
            self._opening.add_done_callback(self._keep_link)
        return await asyncio.shield(self._opening)

    def _keep_link(self, opening: asyncio.Task[RedisLink]) -> None:
        self._opening = None
        if not opening.cancelled() and not opening.exception():
            self._link = opening.result()

    def _ask_for_wanted(self, link: RedisLink) -> None:
        wanted, self._wanted = self._wanted, []

        def hand_out(answer: Any) -> None:
            gone = isinstance(answer, StoreGone)
            for i, (_, future) in enumerate(wanted):
                hand_over(answer if gone else answer[i], future)

        link.send(("MGET", *(key for key, _ in wanted)), hand_out)
