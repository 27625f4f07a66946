"""Redis goes away and comes back while lookups flow: the database answers meanwhile, and nobody waits."""

from collections.abc import AsyncIterator
from itertools import count, cycle

import pytest

from config.settings import Lookup
from lookup.answers import Found
from lookup.engine import Engine
from lookup.redis_cards import RedisCards
from lookup.sql_cards import SqlCards
from ringcard.redis_server import OwnServer
from tests.fixtures.redis import command, frozen, kill
from tests.situations.lookups_flowing import PLANS, Looked, caller, fill, lookups_flow, nothing_left, outages

CUSTOMERS = 2000


@pytest.fixture
async def engine(breakable_redis: OwnServer, sqlite_url: str) -> AsyncIterator[Engine]:
    fill(sqlite_url, CUSTOMERS)
    with nothing_left():
        cache, source = RedisCards(breakable_redis.url, 0.2), SqlCards(sqlite_url)
        engine = Engine(PLANS, cache, source, Lookup())
        yield engine
        await engine.close()
        await source.close()
        await cache.close()


def all_named(lookups: list[Looked]) -> bool:
    """Everyone got the right name."""
    names = {(looked.caller.number, getattr(looked.answer, "chosen", None)) for looked in lookups}
    return all(card and f"012{card.customer_id:06}" == number for number, card in names)


async def test_killed_while_calls_come_and_started_again_empty(
    engine: Engine, breakable_redis: OwnServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with lookups_flow(engine, (caller(number) for number in cycle(range(1, 11)))) as lookups:
        await lookups.until(lambda answer: isinstance(answer, Found) and answer.source == "cache")
        kill(breakable_redis.pid)
        meanwhile = await lookups.more(30)
        while breakable_redis.pid:
            await lookups.more(1)
        breakable_redis.start()
        await lookups.until(lambda answer: isinstance(answer, Found) and answer.source == "cache")
    assert all_named(lookups.all)
    assert {looked.answer.source for looked in meanwhile[3:] if isinstance(looked.answer, Found)} == {"database"}
    assert outages(caplog, "redis") == ["redis gone", "redis is back"]
    assert b":0" not in command(breakable_redis, "DBSIZE")


async def test_frozen_while_calls_come_and_let_go_again(
    engine: Engine, breakable_redis: OwnServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with lookups_flow(engine, (caller(number) for number in cycle(range(1, 11)))) as lookups:
        await lookups.until(lambda answer: isinstance(answer, Found) and answer.source == "cache")
        with frozen(breakable_redis.pid):
            await lookups.more(50)
        await lookups.until(lambda answer: isinstance(answer, Found) and answer.source == "cache")
    assert all_named(lookups.all)
    assert outages(caplog, "redis") == ["redis gone", "redis is back"]
    # One question may have been under way when the freeze began; after it, one a second and no more.
    assert engine.counters.cache_gone > 30


async def test_away_from_the_start_with_numbers_never_seen_before(
    breakable_redis: OwnServer, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    fill(sqlite_url, CUSTOMERS)
    breakable_redis.stop()
    with nothing_left():
        cache, source = RedisCards(breakable_redis.url, 0.2), SqlCards(sqlite_url)
        engine = Engine(PLANS, cache, source, Lookup())
        async with lookups_flow(engine, map(caller, count(1))) as lookups:
            await lookups.more(30)
            breakable_redis.start()
            while not engine.counters.stored:
                await lookups.more(1)
        assert all_named(lookups.all)
        await engine.close()
        await source.close()
        await cache.close()
    assert outages(caplog, "redis") == ["redis gone", "redis is back"]
