"""Doctor's look at Redis: does it answer, may we write, and what does it throw away when its memory is full?"""

from __future__ import annotations

from collections.abc import Mapping

from config.settings import Settings
from lookup.breaker import StoreGone
from lookup.redis_link import RedisLink, open_link
from ringcard.findings import Finding, fail, ok, warn
from ringcard.from_settings import redis_url

NAME = "redis"
ANSWER_S = 1.0
OLDEST = (5, 0)  # streams, which carry the notices to the desk
PROBE = "rc1:doctor"
FULL = 0.9  # of maxmemory


async def redis(settings: Settings) -> list[Finding]:
    try:
        link = await open_link(redis_url(settings), ANSWER_S)
    except StoreGone as exc:
        return [_gone(settings, exc)]
    try:
        told = _told(await link.ask("INFO"))
        return [await _writes(link, told), *_memory(told)]
    except StoreGone as exc:
        return [_gone(settings, exc)]
    finally:
        link.drop("doctor has seen it")
        await link.lost


def _gone(settings: Settings, exc: StoreGone) -> Finding:
    if settings.store.redis_url:
        mend = "Start or mend that server, or correct store.redis_url; without it names come from the database alone."
        return fail(NAME, f"the server of store.redis_url: {exc.reason}", mend)
    return fail(NAME, f"our own server: {exc.reason}", "Start Ringcard, which starts it: ringcard run")


def _told(info: bytes) -> dict[str, str]:
    """INFO's lines as a mapping."""
    pairs = (line.partition(":") for line in info.decode("utf-8", "replace").splitlines() if ":" in line)
    return {name: value for name, _, value in pairs}


async def _writes(link: RedisLink, told: Mapping[str, str]) -> Finding:
    version = told.get("valkey_version") or told.get("redis_version", "?")
    seen = f"{'Valkey' if 'valkey_version' in told else 'Redis'} {version}"
    if tuple(int(part) for part in told.get("redis_version", "0").split(".")[:2] if part.isdigit()) < OLDEST:
        return fail(NAME, seen, f"Install Redis {OLDEST[0]}.{OLDEST[1]} or newer: older ones have no streams.")
    try:
        await link.ask("SET", PROBE, "1", "EX", 1)
    except StoreGone as exc:
        return fail(
            NAME, f"{seen} refuses to write: {exc.reason}", "Give Ringcard a primary server that it may write to."
        )
    return ok(NAME, seen)


def _memory(told: Mapping[str, str]) -> list[Finding]:
    name = "redis memory"
    used, most = int(told.get("used_memory", 0)), int(told.get("maxmemory", 0))
    policy = told.get("maxmemory_policy", "unknown")
    seen = f"{used / 2**20:.0f} MB of {f'{most / 2**20:.0f} MB' if most else 'no limit'}, eviction policy {policy}"
    right = "Set maxmemory-policy volatile-lfu (and a maxmemory) in redis.conf"
    if policy.startswith("allkeys"):
        return [warn(name, seen, f"{right}: this one throws live calls away as readily as cards.")]
    if policy == "noeviction" and most and used > FULL * most:
        return [fail(name, seen, f"{right}: this one is full and takes nothing new.")]
    if policy == "noeviction" and most:
        return [warn(name, seen, f"{right}: this one takes nothing new once it is full.")]
    return [ok(name, seen)]
