"""A server of several dies while lookups flow: right answers all the time, and afterwards everything as before."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import func, select, text

from config.settings import Lookup
from lookup import numbers
from lookup.answers import Answer, Found
from lookup.engine import CardCache, Engine
from lookup.redis_cards import RedisCards
from lookup.redis_cluster import ClusterCards, slot_of
from lookup.redis_notices import RedisNotices
from lookup.sql_cards import SqlCards
from records.database import open_database, reading, writing
from records.tables import Change
from ringcard.follower import Follower
from tests.fixtures.redis_many import RedisCluster, Sentinels
from tests.situations.lookups_flowing import PLANS, Looked, Lookups, caller, fill, lookups_flow, outages

CUSTOMERS = 15
NEAR = 100


@asynccontextmanager
async def company(cache: CardCache, redis_url: str, sqlite_url: str) -> AsyncIterator[tuple[Engine, Database]]:
    """The lookup and the worker's follower, as they run beside each other."""
    fill(sqlite_url, CUSTOMERS)
    source, database = SqlCards(sqlite_url), open_database(sqlite_url)
    with writing(database) as session:
        session.execute(text("DELETE FROM changes"))
    engine = Engine(PLANS, cache, source, Lookup())
    notices = RedisNotices(redis_url)
    follower = asyncio.create_task(Follower(database, engine, notices, lambda raw: numbers.read(raw, PLANS[""])).run())
    yield engine, database
    follower.cancel()
    await asyncio.wait({follower})
    await engine.close()
    await source.close()
    await notices.close()
    await cache.close()
    database.dispose()


def rename(database: Database, customer_id: int) -> None:
    """As another program would."""
    with writing(database) as session:
        session.execute(text("UPDATE customers SET name = 'Renamed' WHERE id = :id"), {"id": customer_id})


async def followed(database: Database, lookups: Lookups) -> None:
    """The cache has been told of all that changed."""

    def waiting() -> int:
        with reading(database) as session:
            return session.scalar(select(func.count()).select_from(Change).where(Change.done_at.is_(None))) or 0

    async with asyncio.timeout(60):
        while await asyncio.to_thread(waiting):
            await lookups.more(1)


def names(lookups: list[Looked], customer_id: int) -> set[str]:
    """What this customer was called."""
    cards = [looked.answer.chosen for looked in lookups if isinstance(looked.answer, Found)]
    return {card.name for card in cards if card and card.customer_id == customer_id}


def all_found(lookups: list[Looked]) -> bool:
    return all(
        isinstance(looked.answer, Found)
        and looked.answer.chosen is not None
        and f"012{looked.answer.chosen.customer_id:06}" == looked.caller.number
        for looked in lookups
    )


def from_cache(answer: Answer) -> bool:
    return isinstance(answer, Found) and answer.source == "cache"


async def test_a_master_dies_and_its_replica_takes_over(
    sentinels: Sentinels, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache, changed = RedisCards(sentinels.url, 0.4, NEAR), 3
    async with (
        company(cache, sentinels.url, sqlite_url) as (engine, database),
        lookups_flow(engine, map(caller, cycle(range(1, CUSTOMERS + 1)))) as lookups,
    ):
        await lookups.more(CUSTOMERS)
        await lookups.until(from_cache)
        sentinels.master.kill()
        rename(database, changed)
        await lookups.until(lambda answer: isinstance(answer, Found) and answer.source == "database")
        await lookups.until(from_cache)
        await followed(database, lookups)
        await lookups.more(10)  # those that were under way
        afterwards = await lookups.more(2 * CUSTOMERS)
    assert all_found(lookups.all)
    assert names(afterwards, changed) == {"Renamed"}
    assert sentinels.replica.fact("role") == "master"
    assert outages(caplog, "redis") == ["redis gone", "redis is back"]


async def test_a_node_of_a_cluster_dies_and_its_replica_takes_over(
    replicated_cluster: RedisCluster, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = ClusterCards(replicated_cluster.url, 0.4, NEAR)
    changed = next(number for number in range(1, CUSTOMERS + 1) if node_of(number) == 0)
    dead, replica = replicated_cluster.masters[0], replicated_cluster.replicas[0]
    async with (
        company(cache, replicated_cluster.url, sqlite_url) as (engine, database),
        lookups_flow(engine, map(caller, cycle(range(1, CUSTOMERS + 1)))) as lookups,
    ):
        await lookups.more(CUSTOMERS)
        await lookups.until(from_cache)
        dead.kill()
        rename(database, changed)
        await lookups.until(lambda answer: isinstance(answer, Found) and answer.source == "database")
        await until_from_cache(lookups, 0)
        await followed(database, lookups)
        await lookups.more(10)
        afterwards = await lookups.more(2 * CUSTOMERS)
    assert all_found(lookups.all)
    assert names(afterwards, changed) == {"Renamed"}
    assert replica.fact("role") == "master"
    assert outages(caplog, "redis") == ["redis 127.0.0.1"]  # the node that died


def node_of(customer_id: int) -> int:
    """Which of three has this customer's number."""
    return slot_of(f"rc1:card:+85512{customer_id:06}") * 3 // 16384


def is_on(looked: Looked, node: int) -> bool:
    return node_of(int(looked.caller.number[3:])) == node


async def until_from_cache(lookups: Lookups, node: int) -> None:
    async with asyncio.timeout(60):
        while not any(from_cache(looked.answer) and is_on(looked, node) for looked in await lookups.more(1)):
            pass


async def test_a_node_of_a_cluster_dies_and_comes_back(
    redis_cluster: RedisCluster, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = ClusterCards(redis_cluster.url, 0.4, NEAR)
    changed = next(number for number in range(1, CUSTOMERS + 1) if node_of(number) == 1)
    async with (
        company(cache, redis_cluster.url, sqlite_url) as (engine, database),
        lookups_flow(engine, map(caller, cycle(range(1, CUSTOMERS + 1)))) as lookups,
    ):
        await lookups.more(CUSTOMERS)
        await lookups.until(from_cache)
        redis_cluster.nodes[1].kill()
        rename(database, changed)
        meanwhile = await lookups.more(2 * CUSTOMERS)
        redis_cluster.nodes[1].start()
        await followed(database, lookups)
        await until_from_cache(lookups, 1)
        afterwards = await lookups.more(2 * CUSTOMERS)
    assert all_found(lookups.all)
    # Of the first round one lookup noticed that the node is gone, and it may have joined others.
    sources = {(is_on(looked, 1), getattr(looked.answer, "source", "")) for looked in meanwhile[CUSTOMERS:]}
    assert sources == {(True, "database"), (False, "cache")}
    assert names(afterwards, changed) == {"Renamed"}
    assert outages(caplog, "redis") == ["redis 127.0.0.1", "redis 127.0.0.1"]  # gone, and back
