"""The redis package's own client for what no caller waits for, whichever kind of address it is."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff

from config.redis_address import NO, RedisAddress, read_address

Client = Any
"""A Redis or a RedisCluster: they have no common type, but the commands are the same."""


def open_client(url: str, connect_s: float, answer_s: float) -> Client:
    """It connects when it is used and tries nothing twice. Of the time limits each holds for one step."""
    limits: dict[str, Any] = {"socket_timeout": answer_s, "socket_connect_timeout": connect_s, "protocol": 2}
    address = read_address(url)
    once = Retry(NoBackoff(), 0)
    if address.kind == "server":
        return Redis.from_url(url, **limits, retry=once)
    own = limits | _signing_in(address)
    if address.kind == "cluster":
        nodes = [ClusterNode(host, port) for host, port in address.places]
        return RedisCluster(startup_nodes=nodes, **own, retry=once)
    asking = limits | _signing_in(address.sentinels[0]) | {"socket_timeout": connect_s, "retry": once}
    sentinel = Sentinel(address.places, sentinel_kwargs=asking, **own, retry=once)  # type: ignore[no-untyped-call]
    return sentinel.master_for(address.master, db=int(address.db or 0))


async def close_client(client: Client) -> None:
    await client.aclose()
    pool = getattr(client, "connection_pool", None)
    if isinstance(pool, SentinelConnectionPool):
        await pool.disconnect()
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()


def _signing_in(address: RedisAddress) -> dict[str, Any]:
    options: dict[str, Any] = {"username": address.username or None, "password": address.password or None}
    if not address.tls:
        return options
    told = {name: value for name, value in address.options.items() if name.startswith("ssl_")}
    checked = address.options.get("ssl_check_hostname", "true").lower() not in NO
    return options | told | {"ssl": True, "ssl_check_hostname": checked and told.get("ssl_cert_reqs") != "none"}
