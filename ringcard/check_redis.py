"""Doctor's look at Redis: does it answer, may we write, and what does it throw away when its memory is full?

Where there are several: which is the master, would another take its place, and has every slot its node?
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from config.redis_address import RedisAddress, read_address
from config.sentences import say
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


async def _server(address: RedisAddress, named: str, master: str = "") -> list[Finding]:
    try:
        async with _asking(address) as link:
            told = facts_of(await link.ask("INFO"))
            return [await _writes(link, told, master), *_memory(told)]
    except StoreGone as exc:
        return [_gone(named, exc)]


def _gone(named: str, exc: StoreGone) -> Finding:
    if named:
        mend = say(
            "Start or mend that server, or correct store.redis_url; without it names come from the database alone."
        )
        return fail(NAME, say("the server of store.redis_url: {why}", why=exc.reason), mend)
    return fail(
        NAME, say("our own server: {why}", why=exc.reason), say("Start Ringcard, which starts it: ringcard run")
    )


async def _writes(link: RedisLink, told: Mapping[str, str], master: str = "") -> Finding:
    seen = _program(told)
    seen = say("{program}, the master at {place}", program=seen, place=master) if master else seen
    if tuple(int(part) for part in told.get("redis_version", "0").split(".")[:2] if part.isdigit()) < OLDEST:
        return fail(
            NAME,
            seen,
            say(
                "Install Redis {major}.{minor} or newer: older ones have no streams.", major=OLDEST[0], minor=OLDEST[1]
            ),
        )
    try:
        await link.ask("SET", PROBE, "1", "EX", 1)
    except StoreGone as exc:
        return fail(
            NAME,
            say("{seen} refuses to write: {why}", seen=seen, why=exc.reason),
            say("Give Ringcard a primary server that it may write to."),
        )
    return ok(NAME, seen)


def _program(told: Mapping[str, str]) -> str:
    version = told.get("valkey_version") or told.get("redis_version", "?")
    return f"{'Valkey' if 'valkey_version' in told else 'Redis'} {version}"


def _memory(told: Mapping[str, str], where: str = "") -> list[Finding]:
    name = say("redis memory")
    used, most = int(told.get("used_memory", 0)), int(told.get("maxmemory", 0))
    policy = told.get("maxmemory_policy", "unknown")
    values = {"used": round(used / 2**20), "limit": round(most / 2**20), "policy": policy}
    if most:
        seen = say("{used} MB of {limit} MB, eviction policy {policy}", **values)
    else:
        seen = say("{used} MB of no limit, eviction policy {policy}", **values)
    seen = say("{where}: {what}", where=where, what=seen) if where else seen
    right = say("Set maxmemory-policy volatile-lfu (and a maxmemory) in redis.conf")
    if policy.startswith("allkeys"):
        return [warn(name, seen, say("{right}: this one throws live calls away as readily as cards.", right=right))]
    if policy == "noeviction" and most and used > FULL * most:
        return [fail(name, seen, say("{right}: this one is full and takes nothing new.", right=right))]
    if policy == "noeviction" and most:
        return [warn(name, seen, say("{right}: this one takes nothing new once it is full.", right=right))]
    return [ok(name, seen)]


# --- sentinels


async def _sentinels(address: RedisAddress) -> list[Finding]:
    asked = [await _quorum(each, address.master) for each in address.sentinels]
    gone = [finding for finding in asked if finding and finding.state == "warn"]
    wrong = [finding for finding in asked if finding and finding.state == "fail"]
    count = len(asked)
    if len(gone) == count:
        mend = say("Start the sentinels, or correct their hosts in store.redis_url.")
        return [
            fail(say("redis sentinels"), say("none of {count} answers: {seen}", count=count, seen=gone[0].seen), mend)
        ]
    found = (
        wrong[:1]
        or gone[:1]
        or [ok(say("redis sentinels"), say("all {count} answer and could name another master", count=count))]
    )
    try:
        master = await find_master(address, ANSWER_S)
    except StoreGone as exc:
        return found if wrong else [fail(say("redis sentinels"), exc.reason, say("Correct store.redis_url."))]
    return [*found, *await _server(master, str(address), str(master))]


async def _quorum(sentinel: RedisAddress, master: str) -> Finding | None:
    """What is wrong with one sentinel. None: nothing."""
    name = say("redis sentinels")
    try:
        async with _asking(sentinel) as link:
            await link.ask("SENTINEL", "CKQUORUM", master)
    except Refused as exc:
        if "No such master" in exc.reason:
            mend = say(
                "Write the name that stands in sentinel.conf after `sentinel monitor` at the end of store.redis_url."
            )
            return fail(
                name, say("{sentinel} knows no master called {master}", sentinel=str(sentinel), master=master), mend
            )
        mend = say(
            "Start the missing sentinels, or lower the quorum in sentinel.conf: too few could agree on another master."
        )
        return fail(name, f"{sentinel}: {exc.reason}", mend)
    except StoreGone as exc:
        return warn(name, _at(sentinel, exc), say("Start this sentinel, or take it out of store.redis_url."))
    return None


# --- a cluster


async def _cluster(address: RedisAddress) -> list[Finding]:
    name, mend = say("redis cluster"), say("Start its nodes, or correct their hosts in store.redis_url.")
    reasons = []
    for place in address.places:
        try:
            async with _asking(address.at(place)) as link:
                told = facts_of(await link.ask("CLUSTER", "INFO"))
                slots = await link.ask("CLUSTER", "SLOTS")
        except Refused as exc:
            return [
                fail(
                    name,
                    f"{place[0]}:{place[1]}: {exc.reason}",
                    say("Write redis:// for a server that is no cluster."),
                )
            ]
        except StoreGone as exc:
            reasons.append(exc.reason)
            continue
        masters = {((master[0] or b"").decode() or place[0], master[1]) for _, _, master, *_ in slots}
        nodes = await asyncio.gather(*(_node(address.at(each)) for each in sorted(masters)))
        return [_whole(told, len(masters)), *_worst(nodes)]
    return [fail(name, say("no node of store.redis_url answers: {reasons}", reasons="; ".join(reasons)), mend)]


def _whole(told: Mapping[str, str], masters: int) -> Finding:
    missing = 16384 - int(told.get("cluster_slots_ok", 0))
    seen = say("{masters} masters of {nodes} nodes", masters=masters, nodes=told.get("cluster_known_nodes", "?"))
    if missing:
        mend = say(
            "Start the node that had them, or give them to another (redis-cli --cluster fix): calls of their numbers "
            "ask the database."
        )
        return fail(
            say("redis cluster"),
            say("{seen}; {missing} of 16384 slots have no node", seen=seen, missing=missing),
            mend,
        )
    if told.get("cluster_state") != "ok":
        return fail(
            say("redis cluster"),
            say("{seen}; its state is {state}", seen=seen, state=told.get("cluster_state")),
            say("See the nodes' own logs."),
        )
    return ok(say("redis cluster"), say("{seen}; every slot has one", seen=seen))


async def _node(address: RedisAddress) -> list[Finding]:
    try:
        async with _asking(address) as link:
            told = facts_of(await link.ask("INFO"))
        return _memory(told, str(address))
    except StoreGone as exc:
        return [
            fail(
                say("redis node"),
                _at(address, exc),
                say("Start or mend this node; calls of its numbers ask the database."),
            )
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
