"""The database goes away and comes back while lookups flow: known callers are still named, new ones ring unnamed."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path

import pytest

from config.settings import Lookup
from lookup.answers import Caller, Found, Unavailable
from lookup.engine import Engine
from lookup.redis_cards import RedisCards
from lookup.sql_cards import SqlCards
from ringcard.redis_server import OwnServer
from tests.fixtures.postgres import TEMPLATE, PostgresServer
from tests.fixtures.redis import frozen
from tests.situations.lookups_flowing import PLANS, Looked, Lookups, caller, fill, lookups_flow, nothing_left, outages

CUSTOMERS = 2000
KNOWN = range(1, 11)  # looked up once before the trouble begins
ANSWER_S = 2.0


@asynccontextmanager
async def lookups_with_known_callers(redis_url: str, database_url: str) -> AsyncIterator[tuple[Engine, Lookups]]:
    """Every second caller has called before, the others never."""
    with nothing_left():
        cache, source = RedisCards(redis_url, 0.4), SqlCards(database_url, ANSWER_S)
        engine = Engine(PLANS, cache, source, Lookup())
        async with lookups_flow(engine, _known_and_new()) as lookups:
            yield engine, lookups
        await engine.close()
        await source.close()
        await cache.close()


def _known_and_new() -> Iterator[Caller]:
    for number in count():
        yield caller(KNOWN[number // 2 % len(KNOWN)] if number % 2 else KNOWN.stop + number)


def known(lookups: list[Looked]) -> list[Looked]:
    return [looked for looked in lookups if int(looked.caller.number[3:]) in KNOWN]


def new(lookups: list[Looked]) -> list[Looked]:
    return [looked for looked in lookups if int(looked.caller.number[3:]) not in KNOWN]


def named(lookups: list[Looked]) -> bool:
    """Everyone got an answer, and the right one."""
    return bool(lookups) and all(
        isinstance(looked.answer, Found)
        and looked.answer.chosen is not None
        and looked.caller == caller(looked.answer.chosen.customer_id)
        for looked in lookups
    )


def unavailable(lookups: list[Looked]) -> bool:
    return bool(lookups) and all(isinstance(looked.answer, Unavailable) for looked in lookups)


async def remember_known(redis_url: str, database_url: str) -> None:
    cache, source = RedisCards(redis_url, 2), SqlCards(database_url, 20)
    engine = Engine(PLANS, cache, source, Lookup())
    for number in KNOWN:
        await engine.find(caller(number), 20)
    async with asyncio.timeout(30):
        while engine.counters.stored < len(KNOWN):
            await asyncio.sleep(0.01)
    await engine.close()
    await source.close()
    await cache.close()


async def until_new_callers_are_named(lookups: Lookups) -> None:
    async with asyncio.timeout(30):
        while not named(new(await lookups.more(4))):
            continue


# --- SQLite ---


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program has the file for itself."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    other.execute("UPDATE customers SET version = version")
    yield
    other.execute("ROLLBACK")
    other.close()


@contextmanager
def not_a_database(path: Path) -> Iterator[None]:
    """A disk that wrote something else into it."""
    whole = path.with_suffix(".whole")
    shutil.copy(path, whole)
    path.write_bytes(b"\x00\xff not a database " * 1000)
    yield
    whole.replace(path)


@contextmanager
def not_yet_made(path: Path) -> Iterator[None]:
    """A first start: the file is there, the migration comes later."""
    whole = path.with_suffix(".whole")
    path.replace(whole)
    sqlite3.connect(path).close()
    yield
    made, being_made = sqlite3.connect(whole), sqlite3.connect(path)
    made.backup(being_made)
    made.close()
    being_made.close()


@pytest.mark.parametrize("trouble", [locked, not_a_database, not_yet_made])
async def test_an_sqlite_file_that_cannot_be_read_and_then_can(
    redis_url: str,
    sqlite_url: str,
    trouble: Callable[[Path], AbstractContextManager[None]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    fill(sqlite_url, CUSTOMERS)
    await remember_known(redis_url, sqlite_url)
    with ExitStack() as while_it_lasts:
        while_it_lasts.enter_context(trouble(Path(sqlite_url.removeprefix("sqlite:///"))))
        async with lookups_with_known_callers(redis_url, sqlite_url) as (engine, lookups):
            meanwhile = await lookups.more(80)
            while_it_lasts.close()
            await until_new_callers_are_named(lookups)
            afterwards = await lookups.more(20)
            assert engine.outages == {}
    assert named(known(lookups.all))
    assert unavailable(new(meanwhile))
    assert named(afterwards)
    assert outages(caplog, "database") == ["database gone", "database is back"]


# --- PostgreSQL ---


async def test_a_postgresql_that_is_stopped_and_started_again(
    redis_url: str, own_postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    url = own_postgres.new_database(TEMPLATE)
    fill(url, CUSTOMERS)
    await remember_known(redis_url, url)
    async with lookups_with_known_callers(redis_url, url) as (engine, lookups):
        await until_new_callers_are_named(lookups)
        await asyncio.to_thread(own_postgres.stop)
        meanwhile = (await lookups.more(60))[10:]
        await asyncio.to_thread(own_postgres.start)
        await until_new_callers_are_named(lookups)
        afterwards = await lookups.more(20)
        assert engine.outages == {}
    assert named(known(lookups.all))
    assert unavailable(new(meanwhile))
    assert named(afterwards)
    assert outages(caplog, "database") == ["database gone", "database is back"]


async def test_a_postgresql_that_is_frozen_and_let_go_again(
    redis_url: str, own_postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    url = own_postgres.new_database(TEMPLATE)
    fill(url, CUSTOMERS)
    await remember_known(redis_url, url)
    async with lookups_with_known_callers(redis_url, url) as (engine, lookups):
        await until_new_callers_are_named(lookups)
        own_postgres.freeze()
        meanwhile = (await lookups.more(150))[10:]
        own_postgres.resume()
        await until_new_callers_are_named(lookups)
        afterwards = await lookups.more(20)
        assert engine.outages == {}
    assert named(known(lookups.all))
    assert unavailable(new(meanwhile))
    assert named(afterwards)
    assert outages(caplog, "database") == ["database gone", "database is back"]


async def test_redis_and_database_frozen_together(
    breakable_redis: OwnServer, own_postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    url = own_postgres.new_database(TEMPLATE)
    fill(url, CUSTOMERS)
    async with lookups_with_known_callers(breakable_redis.url, url) as (engine, lookups):
        await until_new_callers_are_named(lookups)
        own_postgres.freeze()
        with frozen(breakable_redis.pid):
            meanwhile = (await lookups.more(100))[10:]
        own_postgres.resume()
        await until_new_callers_are_named(lookups)
        await lookups.until(lambda answer: isinstance(answer, Found) and answer.source == "cache")
        assert engine.outages == {}
    assert unavailable(meanwhile)
    assert outages(caplog, "redis") == ["redis gone", "redis is back"]
    assert outages(caplog, "database") == ["database gone", "database is back"]
