"""Doctor's look at Redis: does it answer, may we write, and what does it throw away when its memory is full?

Where there are several: which is the master, would another take its place, and has every slot its node?
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from config.redis_address import RedisAddress, read_address
from config.settings import Settings
from lookup.breaker import StoreGone
from lookup.redis_cards import facts_of
from lookup.redis_link import RedisLink, Refused, open_link
from lookup.redis_sentinel import find_master
from ringcard.findings import Finding, fail, ok, warn
from ringcard.from_settings import redis_url

NAME = "redis"
ANSWER_S = 1.0
OLDEST = (5, 0)  # streams, which carry the notices to the desk
PROBE = "rc1:doctor"
FULL = 0.9  # of maxmemory


async def redis(settings: Settings) -> list[Finding]:
    address = read_address(redis_url(settings))
    if address.kind == "cluster":
        return await _cluster(address)
    if address.kind == "sentinel":
        return await _sentinels(address)
    return await _server(address, settings.store.redis_url)


# --- one server


async def _server(address: RedisAddress, named: str, seen: str = "") -> list[Finding]:
    try:
        async with _asking(address) as link:
            told = facts_of(await link.ask("INFO"))
            return [await _writes(link, told, seen), *_memory(told)]
    except StoreGone as exc:
        return [_gone(named, exc)]


def _gone(named: str, exc: StoreGone) -> Finding:
    if named:
        mend = "Start or mend that server, or correct store.redis_url; without it names come from the database alone."
        return fail(NAME, f"the server of store.redis_url: {exc.reason}", mend)
    return fail(NAME, f"our own server: {exc.reason}", "Start Ringcard, which starts it: ringcard run")


async def _writes(link: RedisLink, told: Mapping[str, str], where: str = "") -> Finding:
    seen = _program(told) + where
    if tuple(int(part) for part in told.get("redis_version", "0").split(".")[:2] if part.isdigit()) < OLDEST:
        return fail(NAME, seen, f"Install Redis {OLDEST[0]}.{OLDEST[1]} or newer: older ones have no streams.")
    try:
        await link.ask("SET", PROBE, "1", "EX", 1)
    except StoreGone as exc:
        return fail(
            NAME, f"{seen} refuses to write: {exc.reason}", "Give Ringcard a primary server that it may write to."
        )
    return ok(NAME, seen)


def _program(told: Mapping[str, str]) -> str:
    version = told.get("valkey_version") or told.get("redis_version", "?")
    return f"{'Valkey' if 'valkey_version' in told else 'Redis'} {version}"


def _memory(told: Mapping[str, str], where: str = "") -> list[Finding]:
    name = "redis memory"
    used, most = int(told.get("used_memory", 0)), int(told.get("maxmemory", 0))
    policy = told.get("maxmemory_policy", "unknown")
    limit = f"{most / 2**20:.0f} MB" if most else "no limit"
    seen = f"{where}{used / 2**20:.0f} MB of {limit}, eviction policy {policy}"
    right = "Set maxmemory-policy volatile-lfu (and a maxmemory) in redis.conf"
    if policy.startswith("allkeys"):
        return [warn(name, seen, f"{right}: this one throws live calls away as readily as cards.")]
    if policy == "noeviction" and most and used > FULL * most:
        return [fail(name, seen, f"{right}: this one is full and takes nothing new.")]
    if policy == "noeviction" and most:
        return [warn(name, seen, f"{right}: this one takes nothing new once it is full.")]
    return [ok(name, seen)]


# --- sentinels


async def _sentinels(address: RedisAddress) -> list[Finding]:
    asked = [await _quorum(each, address.master) for each in address.sentinels]
    gone = [finding for finding in asked if finding and finding.state == "warn"]
    wrong = [finding for finding in asked if finding and finding.state == "fail"]
    count = len(asked)
    if len(gone) == count:
        mend = "Start the sentinels, or correct their hosts in store.redis_url."
        return [fail("redis sentinels", f"none of {count} answers: {gone[0].seen}", mend)]
    found = wrong[:1] or gone[:1] or [ok("redis sentinels", f"all {count} answer and could name another master")]
    try:
        master = await find_master(address, ANSWER_S)
    except StoreGone as exc:
        return found if wrong else [fail("redis sentinels", exc.reason, "Correct store.redis_url.")]
    return [*found, *await _server(master, str(address), f", the master at {master}")]


async def _quorum(sentinel: RedisAddress, master: str) -> Finding | None:
    """What is wrong with one sentinel. None: nothing."""
    name = "redis sentinels"
    try:
        async with _asking(sentinel) as link:
            await link.ask("SENTINEL", "CKQUORUM", master)
    except Refused as exc:
        if "No such master" in exc.reason:
            mend = "Write the name that stands in sentinel.conf after `sentinel monitor` at the end of store.redis_url."
            return fail(name, f"{sentinel} knows no master called {master}", mend)
        mend = (
            "Start the missing sentinels, or lower the quorum in sentinel.conf: too few could agree on another master."
        )
        return fail(name, f"{sentinel}: {exc.reason}", mend)
    except StoreGone as exc:
        return warn(name, _at(sentinel, exc), "Start this sentinel, or take it out of store.redis_url.")
    return None


# --- a cluster


async def _cluster(address: RedisAddress) -> list[Finding]:
    name, mend = "redis cluster", "Start its nodes, or correct their hosts in store.redis_url."
    reasons = []
    for place in address.places:
        try:
            async with _asking(address.at(place)) as link:
                told = facts_of(await link.ask("CLUSTER", "INFO"))
                slots = await link.ask("CLUSTER", "SLOTS")
        except Refused as exc:
            return [
                fail(name, f"{place[0]}:{place[1]}: {exc.reason}", "Write redis:// for a server that is no cluster.")
            ]
        except StoreGone as exc:
            reasons.append(exc.reason)
            continue
        masters = {((master[0] or b"").decode() or place[0], master[1]) for _, _, master, *_ in slots}
        nodes = await asyncio.gather(*(_node(address.at(each)) for each in sorted(masters)))
        return [_whole(told, len(masters)), *_worst(nodes)]
    return [fail(name, f"no node of store.redis_url answers: {'; '.join(reasons)}", mend)]


def _whole(told: Mapping[str, str], masters: int) -> Finding:
    missing = 16384 - int(told.get("cluster_slots_ok", 0))
    seen = f"{masters} masters of {told.get('cluster_known_nodes', '?')} nodes"
    if missing:
        mend = (
            "Start the node that had them, or give them to another (redis-cli --cluster fix): calls of their numbers "
        )
        return fail("redis cluster", f"{seen}; {missing} of 16384 slots have no node", f"{mend}ask the database.")
    if told.get("cluster_state") != "ok":
        return fail("redis cluster", f"{seen}; its state is {told.get('cluster_state')}", "See the nodes' own logs.")
    return ok("redis cluster", f"{seen}; every slot has one")


async def _node(address: RedisAddress) -> list[Finding]:
    try:
        async with _asking(address) as link:
            told = facts_of(await link.ask("INFO"))
        return _memory(told, f"{address}: ")
    except StoreGone as exc:
        return [
            fail("redis node", _at(address, exc), "Start or mend this node; calls of its numbers ask the database.")
        ]


def _worst(nodes: Sequence[list[Finding]]) -> list[Finding]:
    """Of several alike one stands for all; what is to be mended is named node by node."""
    findings = [finding for each in nodes for finding in each]
    return [finding for finding in findings if finding.state != "ok"] or findings[:1]


def _at(address: RedisAddress, exc: StoreGone) -> str:
    return f"{address}: {exc.reason.removeprefix(f'{address}: ')}"


@asynccontextmanager
async def _asking(address: RedisAddress) -> AsyncIterator[RedisLink]:
    link = await open_link(address, ANSWER_S)
    try:
        yield link
    finally:
        link.drop("doctor has seen it")
        await link.lost
