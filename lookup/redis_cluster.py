"""Cards in a Redis Cluster: each number lives on one node, and that node alone is asked.

A node that fails is left alone for a while, as `lookup.breaker` does it; its numbers are then answered as if they were
not there, so from the database, and those of the other nodes as ever. Where a number lives is read from the cluster
(CLUSTER SLOTS) at first, when a node says that it has moved, and when a node fails. A question is sent on once and no
more, and all of it stays within the time of one answer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from binascii import crc_hqx
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from config.redis_address import Place, read_address
from lookup.breaker import Breaker, StoreGone
from lookup.redis_cards import AT_ONCE, STORE, adding, facts_of, forgetting, fullness_of, in_words, unless_gone
from lookup.redis_link import Refused, Word
from lookup.redis_node import RedisNode

SLOTS = 16384
VOUCHED = "rc1:{calls}:vouched"
"""The run_ids of the masters whose cards were last known to be true, with blanks between: see `RedisNode.vouch`."""

READ_AGAIN_S = 0.5
"""Where the slots are is read at most so often."""

log = logging.getLogger(__name__)


def slot_of(key: str) -> int:
    """The slot of a key, by the part of it in {braces} when there is one."""
    raw = key.encode()
    _, opened, rest = raw.partition(b"{")
    tag, closed, _ = rest.partition(b"}")
    return crc_hqx(tag if opened and closed and tag else raw, 0) % SLOTS


class ClusterCards:
    """A CardCache. `answer_s`, `near`: as of RedisCards, the keys kept near of each node; `rest_s`: how long a node
    that failed is left alone."""

    name = "redis"

    def __init__(self, url: str, answer_s: float = 0.05, near: int = 0, rest_s: float = 1.0) -> None:
        self._address = read_address(url)
        self._answer_s = answer_s
        self._near = near
        self._rest_s = rest_s
        self._nodes: dict[Place, _Node] = {}  # those that have slots, and those that are being asked where these are
        self._owners: list[_Node | None] = [None] * SLOTS
        self._masters: list[_Node] = []  # of these, each once
        self._reading: asyncio.Task[None] | None = None
        self._read_at = -READ_AGAIN_S
        self._closing: set[asyncio.Task[None]] = set()
        self._refusal = ""

    async def get(self, key: str) -> bytes | None:
        slot = slot_of(key)
        node = self._owners[slot] or await self._owner(slot)

        async def ask() -> bytes | None:
            began = time.monotonic()
            try:
                return await node.redis.get(key) or None
            except Refused as exc:
                left_s = self._answer_s - (time.monotonic() - began)
                return await self._sent_on(exc, slot, ("GET", key), left_s) or None

        try:
            return await node.resting.ask(ask)
        except StoreGone:
            self._unless_all_gone(node)
            return None

    async def store(self, key: str, raw: bytes, ttl_s: int) -> bool:
        slot = slot_of(key)
        node = self._owners[slot] or await self._owner(slot)
        try:
            kept = await node.resting.ask(lambda: self._ask(key, "EVAL", STORE, 1, key, raw, ttl_s))
        except StoreGone:
            self._unless_all_gone(node)
            return False
        if isinstance(kept, _Declined):
            if kept.reason != self._refusal:
                log.warning("redis keeps no cards: %s; the database is asked for every call", kept.reason)
            self._refusal = kept.reason
            return False
        self._refusal = ""
        node.redis.let_go([key])
        return bool(kept)

    async def forget(self, keys: Collection[str]) -> None:
        """Nodes that live are told, whoever is gone; then StoreGone is raised, so that all are told again later."""
        waiting = list(keys)
        gone: list[Any] = []
        for start in range(0, len(waiting), AT_ONCE):
            now = waiting[start : start + AT_ONCE]
            answers = await self._ask_each([(key, forgetting(key)) for key in now])
            gone += [answer for answer in answers if isinstance(answer, StoreGone)]
            for node in self._masters:
                node.redis.let_go(now)
        unless_gone(gone)

    async def missing(self, keys: Collection[str]) -> list[str]:
        """As of RedisCards; those of a node that is gone are not missing, for they could not be kept."""
        there = await self._ask_each([(key, ("EXISTS", key)) for key in keys])
        return [key for key, count in zip(keys, there, strict=True) if count == 0]

    async def add(self, cards: Mapping[str, bytes], ttl_s: int) -> int:
        """As of RedisCards."""
        answers = unless_gone(await self._ask_each([(key, adding(key, raw, ttl_s)) for key, raw in cards.items()]))
        return len(answers) - answers.count(None)

    async def fullness(self) -> float:
        """Of the fullest node."""
        if not self._masters:
            await self._read()
        told = await asyncio.gather(*(node.redis.ask("INFO", "memory") for node in self._masters))
        return max(fullness_of(facts_of(each)) for each in told)

    async def vouch(self, server: str) -> None:
        """A node of which this was not said is not read: it may be a replica that took over, or have come back old."""
        unless_gone(await self._ask_each([(VOUCHED, ("SET", VOUCHED, server))]))

    async def server(self) -> str:
        """Every master that answers; one that is gone stands there as a blank, so its return is a change as well."""
        if not self._masters:
            await self._read()
        answers = await asyncio.gather(
            *(node.redis.ask("INFO", "server") for node in self._masters), return_exceptions=True
        )
        gone = [each for each in answers if isinstance(each, StoreGone)]
        if gone:
            self._read_soon()
        if len(gone) == len(answers):
            raise gone[0]
        return " ".join(sorted(facts_of(each)["run_id"] if isinstance(each, bytes) else "-" for each in answers))

    async def check(self) -> str:
        await self._read()
        masters = self._masters
        answers = await asyncio.gather(*(node.redis.ask("INFO") for node in masters), return_exceptions=True)
        told = [facts_of(each) for each in answers if isinstance(each, bytes)]
        if not told:
            raise StoreGone(str(answers[0]))
        return f"cluster, {len(told)} of {len(masters)} nodes; each {in_words(told[0])}"

    async def close(self) -> None:
        if self._reading:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await asyncio.gather(*self._closing, *(node.redis.close() for node in self._nodes.values()))

    # --- asking

    async def _ask(self, key: str, *words: Word) -> Any:
        """One answer of the key's node. Raises StoreGone; a refusal comes back as _Declined, for the node lives."""
        slot = slot_of(key)
        node = self._owners[slot] or await self._owner(slot)
        try:
            return await node.redis.ask(*words)
        except Refused as exc:
            try:
                return await self._sent_on(exc, slot, words, self._answer_s)
            except Refused as again:
                if again.reason.startswith(("CLUSTERDOWN", "LOADING", "MASTERDOWN")):
                    raise
                return _Declined(again.reason)
        except StoreGone:
            self._read_soon()
            raise

    async def _ask_each(self, commands: Sequence[tuple[str, tuple[Word, ...]]]) -> list[Any]:
        """One answer for each key and its command, in one go for each node; where it failed, its StoreGone stands."""
        answers: list[Any] = [None] * len(commands)

        async def ask(node: _Node, places: list[int]) -> None:
            try:
                told = await node.redis.ask_all([commands[i][1] for i in places])
            except StoreGone as exc:
                told = [exc] * len(places)
            for i, answer in zip(places, told, strict=True):
                answers[i] = await self._ask_again(answer, *commands[i]) if isinstance(answer, Refused) else answer

        by_node: defaultdict[_Node, list[int]] = defaultdict(list)
        for i, (key, _) in enumerate(commands):
            slot = slot_of(key)
            by_node[self._owners[slot] or await self._owner(slot)].append(i)
        await asyncio.gather(*(ask(node, places) for node, places in by_node.items()))
        if any(isinstance(answer, StoreGone) for answer in answers):
            self._read_soon()
        return answers

    async def _ask_again(self, refused: Refused, key: str, words: tuple[Word, ...]) -> Any:
        try:
            return await self._sent_on(refused, slot_of(key), words, self._answer_s)
        except StoreGone as exc:
            return exc

    async def _sent_on(self, refused: Refused, slot: int, words: tuple[Word, ...], left_s: float) -> Any:
        """The answer of the node that a refusal names, or the refusal raised again."""
        kind, _, rest = refused.reason.partition(" ")
        if kind not in ("MOVED", "ASK"):
            raise refused
        host, _, port = rest.rpartition(" ")[2].rpartition(":")
        if not host:
            raise refused
        node = self._node((host, int(port)))
        if kind == "MOVED":
            self._owners[slot] = node
            self._masters = list(dict.fromkeys((*self._masters, node)))
            self._read_soon()
        try:
            async with asyncio.timeout(left_s):
                link = await node.redis.link()
                if kind == "MOVED":
                    return await link.ask(*words)
                return (await asyncio.gather(link.ask("ASKING"), link.ask(*words)))[1]
        except TimeoutError as exc:
            raise StoreGone(f"{host}:{port}: no answer in what was left of the time") from exc

    def _unless_all_gone(self, node: _Node) -> None:
        """Of one node nothing is known now. Raises StoreGone when it is the same with all."""
        self._read_soon()
        if all(each.resting.gone for each in (node, *self._masters)):
            raise StoreGone(f"no node of the cluster answers: {node.resting.gone}")

    # --- where the slots are

    async def _owner(self, slot: int) -> _Node:
        await self._read()
        node = self._owners[slot]
        if node is None:
            raise StoreGone("no node of the cluster has this slot")
        return node

    def _node(self, place: Place) -> _Node:
        if place not in self._nodes:
            redis = RedisNode(self._address.at(place), self._answer_s, self._near, self._vouched)
            name = f"redis {place[0]}:{place[1]}"
            resting = Breaker(name, "its numbers are answered from the database", self._rest_s, time.monotonic)
            self._nodes[place] = _Node(redis, resting)
        return self._nodes[place]

    async def _vouched(self) -> bytes | None:
        answer = await self._ask(VOUCHED, "GET", VOUCHED)
        return None if isinstance(answer, _Declined) else answer

    def _read_soon(self) -> None:
        if self._reading is None and time.monotonic() >= self._read_at + READ_AGAIN_S:
            self._reading = asyncio.create_task(self._read_slots(), name="read where redis keeps what")
            self._reading.add_done_callback(self._have_read)

    async def _read(self) -> None:
        if self._reading is None:
            self._read_at = -READ_AGAIN_S
            self._read_soon()
        if self._reading:
            await asyncio.shield(self._reading)

    def _have_read(self, reading: asyncio.Task[None]) -> None:
        self._reading = None
        self._read_at = time.monotonic()
        if not reading.cancelled() and (exc := reading.exception()):
            log.debug("where redis keeps what is not known: %s", exc)

    async def _read_slots(self) -> None:
        """From whichever node answers first, of those that are known and those that the settings name."""
        places = dict.fromkeys((*self._nodes, *self._address.places))
        asking = [asyncio.create_task(self._slots_of(place)) for place in places]
        reasons: list[str] = []
        try:
            async with asyncio.timeout(self._answer_s):
                for answer in asyncio.as_completed(asking):
                    try:
                        return self._keep_slots(await answer)
                    except StoreGone as exc:
                        reasons.append(exc.reason)
        except TimeoutError:
            reasons.append(f"no answer within {self._answer_s * 1000:.0f} ms")
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        raise StoreGone(f"no node of the cluster answers: {'; '.join(reasons)}")

    async def _slots_of(self, place: Place) -> list[tuple[int, int, Place]]:
        told = await self._node(place).redis.ask("CLUSTER", "SLOTS")
        if not told:
            raise StoreGone(f"{place[0]}:{place[1]} knows of no slots")
        # A node that does not know its own address leaves it out, and means the one by which it was asked.
        return [(first, last, ((master[0] or b"").decode() or place[0], master[1])) for first, last, master, *_ in told]

    def _keep_slots(self, slots: list[tuple[int, int, Place]]) -> None:
        owners: list[_Node | None] = [None] * SLOTS
        for first, last, place in slots:
            owners[first : last + 1] = [self._node(place)] * (last + 1 - first)
        having = dict.fromkeys(place for _, _, place in slots)
        self._owners, self._masters = owners, [self._node(place) for place in having]
        for place in self._nodes.keys() - having.keys():
            closing = asyncio.create_task(self._nodes.pop(place).redis.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


class _Node:
    def __init__(self, redis: RedisNode, resting: Breaker) -> None:
        self.redis = redis
        self.resting = resting


class _Declined:
    """Redis answered, and will not."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
