"""Cards in Redis: one key per number, one look per call.

Every key has a TTL, so that a full server evicts cards (`volatile-lfu`) and never the live calls or their notices.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from config.redis_address import read_address
from lookup.breaker import StoreGone
from lookup.redis_link import Refused, Word
from lookup.redis_node import RedisNode
from lookup.redis_sentinel import find_master

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
    """A CardCache in one server, or in the master that sentinels name.

    `answer_s`: what one answer may take; then the connection is dropped and StoreGone raised.
    `near`: keys that are kept in the process as well, 0 for none.
    """

    name = "redis"

    def __init__(self, url: str, answer_s: float = 0.05, near: int = 0) -> None:
        address = read_address(url)
        found = partial(find_master, address, answer_s / 2) if address.kind == "sentinel" else address
        self._node = RedisNode(found, answer_s, near)
        self._found = address.kind == "sentinel"
        self._refusal = ""

    async def get(self, key: str) -> bytes | None:
        return await self._node.get(key) or None

    async def store(self, key: str, raw: bytes, ttl_s: int) -> bool:
        try:
            kept = await self._node.ask("EVAL", STORE, 1, key, raw, ttl_s)
        except Refused as exc:  # full, or a replica: it still answers calls, so it is not gone
            if self._found and exc.reason.startswith("READONLY"):
                self._node.drop("it is no master any more")
            elif exc.reason != self._refusal:
                log.warning("redis keeps no cards: %s; the database is asked for every call", exc.reason)
            self._refusal = exc.reason
            return False
        self._refusal = ""
        self._node.let_go([key])
        return bool(kept)

    async def forget(self, keys: Collection[str]) -> None:
        waiting = list(keys)
        for start in range(0, len(waiting), AT_ONCE):
            now = waiting[start : start + AT_ONCE]
            unless_gone(await self._node.ask_all([forgetting(key) for key in now]))
            self._node.let_go(now)

    async def missing(self, keys: Collection[str]) -> list[str]:
        """Of these keys those under which nothing is, not even that they were forgotten."""
        there = unless_gone(await self._node.ask_all([("EXISTS", key) for key in keys]))
        return [key for key, count in zip(keys, there, strict=True) if not count]

    async def add(self, cards: Mapping[str, bytes], ttl_s: int) -> int:
        """Keep those under whose key nothing is, and say how many these are: what is there may be newer."""
        answers = unless_gone(await self._node.ask_all([adding(key, raw, ttl_s) for key, raw in cards.items()]))
        return len(answers) - answers.count(None)

    async def fullness(self) -> float:
        """The share of its memory that is in use, 0 when it has no limit."""
        return fullness_of(facts_of(await self._node.ask("INFO", "memory")))

    async def vouch(self, server: str) -> None:
        await self._node.vouch(server)

    async def server(self) -> str:
        return facts_of(await self._node.ask("INFO", "server"))["run_id"]

    async def check(self) -> str:
        return in_words(facts_of(await self._node.ask("INFO")))

    async def close(self) -> None:
        await self._node.close()


def forgetting(key: str) -> tuple[Word, ...]:
    return "SET", key, b"", "EX", FORGOTTEN_S


def adding(key: str, raw: bytes, ttl_s: int) -> tuple[Word, ...]:
    return "SET", key, raw, "EX", ttl_s, "NX"


def unless_gone(answers: list[Any]) -> list[Any]:
    """Raises the first StoreGone among them."""
    for answer in answers:
        if isinstance(answer, StoreGone):
            raise answer
    return answers


def facts_of(info: bytes) -> dict[str, str]:
    """INFO's lines as a mapping."""
    return dict(line.split(":", 1) for line in info.decode("utf-8", "replace").splitlines() if ":" in line)


def fullness_of(facts: Mapping[str, str]) -> float:
    most = int(facts.get("maxmemory", 0))
    return int(facts["used_memory"]) / most if most else 0.0


def in_words(facts: Mapping[str, str]) -> str:
    name = "Valkey" if "valkey_version" in facts else "Redis"
    version = facts.get("valkey_version") or facts["redis_version"]
    limit = facts["maxmemory_human"] if facts["maxmemory"] != "0" else "no limit"
    return f"{name} {version}, {facts['used_memory_human']} of {limit}, {facts['maxmemory_policy']}"
