"""`ringcard fill`: the cards are there before the calls, and nothing newer is lost for them."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import insert

from config.settings import Settings, Store
from lookup import card as card_bytes
from lookup.answers import Number
from lookup.engine import MOST_CANDIDATES, card_key
from lookup.redis_cards import RedisCards
from lookup.redis_cluster import ClusterCards
from lookup.sql_cards import SqlCards
from records import contacts
from records.database import writing
from records.tables import CallRow, Customer, Endpoint, NumberChoice, PhoneNumber
from ringcard.filling import Filling
from ringcard.from_settings import card_cache
from ringcard.redis_server import OwnServer
from tests.fixtures.redis import command

OURS = "+85517111222"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def number(i: int) -> str:
    return f"+85512{i:06}"


def put(database: Database, *numbers: tuple[int, str], calls: tuple[str, ...] = ()) -> None:
    """Customers' numbers, and calls, the latest first."""
    with writing(database) as session:
        people = sorted({id for id, _ in numbers})
        then = {"created_at": NOW, "updated_at": NOW}
        session.execute(insert(Customer), [{"id": id, "name": f"Customer {id}", **then} for id in people])
        rows = [{"customer_id": id, "raw": key, "e164": key, "match_key": key} for id, key in numbers]
        session.execute(insert(PhoneNumber), [{"id": i, **row} for i, row in enumerate(rows, 1)])
        for i, key in enumerate(calls):
            session.add(call(f"{i}", key, NOW - timedelta(minutes=i // 2)))  # two at a time at the same moment


def call(id: str, key: str, at: datetime) -> CallRow:
    texts = ("outcome", "caller_name", "shown_name", "called_number", "trunk", "tier", "reason", "hangup_by")
    return CallRow(
        **dict.fromkeys(texts, ""),
        call_id=f"{9 - int(id)}",
        node="pbx",
        linkedid=id,
        uniqueid=id,
        direction="inbound",
        started_at=at,
        caller_number=key,
        caller_key=key,
    )


def settings_for(database: Database, redis_url: str) -> Settings:
    url = database.url.render_as_string(hide_password=False)
    return Settings(store=Store(redis_url=redis_url, database_url=url))


async def filled(database: Database, redis_url: str, most: int | None = None, at_once: int = 2) -> Filling:
    count = contacts.count_numbers(database)
    filling = Filling(settings_for(database, redis_url), min(most or count, count))
    assert await filling.run(contacts.latest_first(database, at_once)) == 0
    return filling


async def there(database: Database, redis_url: str, keys: list[str]) -> list[str]:
    """Of these numbers those whose card is in Redis."""
    cache = card_cache(settings_for(database, redis_url), answer_s=5)
    held = [key for key in keys if await cache.get(card_key(key))]
    await cache.close()
    return held


def test_the_latest_callers_come_first_then_the_newest_customers_and_everyone_once(database: Database) -> None:
    numbers = [(1, "+1"), (2, "+2"), (3, "+3"), (4, "+4"), (5, "+5"), (6, "+5"), (7, "+7")]
    put(database, *numbers, calls=("+3", "+nobody", "+1", "+3", "+5", "+1"))
    assert contacts.count_numbers(database) == 6
    for at_once in (1, 2, 100):
        pieces = list(contacts.latest_first(database, at_once))
        assert [key for piece in pieces for key in piece] == ["+3", "+1", "+5", "+7", "+4", "+2"]
        assert max(map(len, pieces)) <= at_once


async def test_many_at_once_are_the_same_cards_as_one_by_one(database: Database) -> None:
    shared = [(id, "+5") for id in range(10, 10 + MOST_CANDIDATES + 2)]
    put(database, (1, "+1"), (1, "+11"), (2, "+2"), (3, OURS), *shared)
    with writing(database) as session:
        session.add(Endpoint(node="pbx", name=OURS, inside=False))
        session.add(NumberChoice(match_key="+5", customer_id=12, chosen_at=NOW))
    source = SqlCards(database.url.render_as_string(hide_password=False), 20)
    many = await source.fetch_many(["+5", "+1", "+nobody", "+2", OURS])
    single = {key: await source.fetch(Number(key, key, key, "")) for key in ("+1", "+2", "+5")}
    await source.close()
    assert many == single
    assert len(many["+5"]) == MOST_CANDIDATES
    assert many["+5"][0].choice


@pytest.mark.parametrize("server", ["redis", "cluster", "sentinel"])
async def test_every_card_is_there_and_an_ended_fill_goes_on(
    request: pytest.FixtureRequest, sqlite_database: Database, server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    redis_url = request.getfixturevalue(f"{server}_url")
    keys = [number(i) for i in range(1, 8)]
    put(sqlite_database, *enumerate(keys, 1), calls=(keys[3], keys[1], keys[3]))
    first = await filled(sqlite_database, redis_url, most=3)
    assert (first.stored, first.there) == (3, 0)
    assert await there(sqlite_database, redis_url, keys) == [keys[1], keys[3], keys[6]]
    rest = await filled(sqlite_database, redis_url)
    assert (rest.stored, rest.there) == (4, 3)
    assert await there(sqlite_database, redis_url, keys) == keys
    assert "4 numbers put in, 3 were there" in capsys.readouterr().out


async def test_the_card_is_what_a_lookup_would_have_kept_and_has_its_time(
    sqlite_database: Database, redis_server: OwnServer, redis_url: str
) -> None:
    put(sqlite_database, (1, number(1)))
    await filled(sqlite_database, redis_url)
    source, cache = SqlCards(sqlite_database.url.render_as_string(), 20), RedisCards(redis_url, 5)
    cards = await source.fetch(Number(number(1), number(1), number(1), ""))
    assert await cache.get(card_key(number(1))) == card_bytes.to_bytes(cards)
    await source.close()
    await cache.close()
    assert 3500 < int(command(redis_server, f"TTL {card_key(number(1))}")[1:]) <= 3600


async def test_nothing_newer_is_overwritten(
    sqlite_database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(sqlite_database, *((i, number(i)) for i in range(1, 5)))
    cache = RedisCards(redis_url, 5)
    await cache.store(card_key(number(1)), b"a lookup's", 60)
    await cache.forget([card_key(number(2))])
    fetch_many = SqlCards.fetch_many

    async def changed_meanwhile(source: SqlCards, keys: list[str]) -> object:
        cards = await fetch_many(source, keys)
        await cache.forget([card_key(number(3))])
        await cache.store(card_key(number(4)), b"a lookup's", 60)
        return cards

    monkeypatch.setattr(SqlCards, "fetch_many", changed_meanwhile)
    filling = await filled(sqlite_database, redis_url, at_once=10)
    assert (filling.stored, filling.there) == (0, 4)
    assert [await cache.get(card_key(number(i))) for i in range(1, 5)] == [b"a lookup's", None, None, b"a lookup's"]
    await cache.close()


@pytest.mark.parametrize("policy", ["volatile-lfu", "noeviction"])
async def test_a_full_redis_is_the_end_and_loses_nothing(
    sqlite_database: Database, breakable_redis: OwnServer, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put(sqlite_database, *((i, number(i)) for i in range(1, 1001)))
    command(breakable_redis, "XADD rc1:{calls}:notices * n notice")
    used = next(line for line in command(breakable_redis, "INFO memory").split(b"\r\n") if line.startswith(b"used_mem"))
    command(breakable_redis, f"CONFIG SET maxmemory-policy {policy}")
    command(breakable_redis, f"CONFIG SET maxmemory {int(used.split(b':')[1]) * 100 // 95 + 300_000}")
    filling = await filled(sqlite_database, breakable_redis.url, at_once=20)
    assert "Redis is full" in capsys.readouterr().out
    assert 20 <= filling.stored < 1000
    keys = [number(i) for i in range(1, 1001)]
    assert len(await there(sqlite_database, breakable_redis.url, keys)) == filling.stored
    assert command(breakable_redis, "XLEN rc1:{calls}:notices") == b":1\r\n"


async def test_what_was_read_too_long_ago_is_not_kept(
    sqlite_database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ringcard.filling.OLDEST_S", 0.0)
    put(sqlite_database, (1, number(1)))
    filling = Filling(settings_for(sqlite_database, redis_url), 1)
    assert await filling.run(contacts.latest_first(sqlite_database, 10)) == 1
    assert "took longer" in capsys.readouterr().err
    assert await there(sqlite_database, redis_url, [number(1)]) == []


async def test_a_redis_that_goes_away_is_said(
    sqlite_database: Database, breakable_redis: OwnServer, capsys: pytest.CaptureFixture[str]
) -> None:
    put(sqlite_database, (1, number(1)))
    breakable_redis.stop()
    filling = Filling(settings_for(sqlite_database, breakable_redis.url), 1)
    assert await filling.run(contacts.latest_first(sqlite_database, 10)) == 1
    assert "No such file" in capsys.readouterr().err


async def test_the_cluster_has_all_there_is_room_for(cluster_url: str) -> None:
    cards = ClusterCards(cluster_url, 5)
    assert await cards.fullness() == 0
    assert await cards.add({f"k{i}": b"card" for i in range(50)}, 60) == 50
    assert await cards.missing([f"k{i}" for i in range(60)]) == [f"k{i}" for i in range(50, 60)]
    await cards.close()


def test_the_command_is_ended_and_begun_again(
    sqlite_database: Database, sqlite_url: str, breakable_redis: OwnServer, tmp_path: Path
) -> None:
    count = 2000
    put(sqlite_database, *((i, number(i)) for i in range(1, count + 1)))
    file = tmp_path / "ringcard.toml"
    file.write_text(f'[store]\ndatabase_url = "{sqlite_url}"\nredis_url = "{breakable_redis.url}"\n')
    words = [sys.executable, "-m", "ringcard.cli", "--config", str(file), "fill"]
    filling = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    until = time.monotonic() + 50
    while command(breakable_redis, "DBSIZE") == b":0\r\n" and time.monotonic() < until:
        time.sleep(0.001)
    filling.send_signal(signal.SIGINT)
    out, said = filling.communicate(timeout=60)
    assert (filling.returncode, "goes on from here" in said) == (130, True), (out, said)
    before = int(command(breakable_redis, "DBSIZE")[1:])
    assert 0 < before < count
    again = asyncio.run(filled(sqlite_database, breakable_redis.url, at_once=250))
    assert (again.stored, again.there) == (count - before, before)
