"""Which server is the master now: sentinels are asked, all at once, and most of them are believed."""

from __future__ import annotations

import asyncio
from collections import Counter

from config.redis_address import Place, RedisAddress
from lookup.breaker import StoreGone
from lookup.redis_link import open_link


async def find_master(address: RedisAddress, answer_s: float) -> RedisAddress:
    """Raises StoreGone. A sentinel that is cut off still names the old master, so the first answer alone will not do;
    but those that are gone are waited for no longer than `answer_s`, and then whoever answered must do."""
    asking = [asyncio.create_task(_ask(each, address.master, answer_s)) for each in address.sentinels]
    named: Counter[Place] = Counter()
    reasons: list[str] = []
    try:
        for answer in asyncio.as_completed(asking):
            try:
                named[await answer] += 1
            except StoreGone as exc:
                reasons.append(exc.reason)
            if named and named.most_common(1)[0][1] * 2 > len(asking):
                break
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    if not named:
        raise StoreGone(f"no sentinel names a master: {'; '.join(reasons)}")
    return address.at(named.most_common(1)[0][0])


async def _ask(sentinel: RedisAddress, master: str, answer_s: float) -> Place:
    link = await open_link(sentinel, answer_s)
    try:
        named = await link.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", master)
    finally:
        link.drop("asked")
        await asyncio.shield(link.lost)
    if named is None:
        raise StoreGone(f"{sentinel} knows no master called {master}")
    host, port = named
    return host.decode(), int(port)
