"""Does it stay as quick when the base grows, and how does it compare with the plain way?

For each size: a base of so many customers, one number each, filled into Redis as `ringcard fill` does it. Then 64 ask
Redis for cards of customers taken at random, each as soon as it has its answer, by our connection and by the redis
package's pool in turns; and one after the other asks the database for customers whom Redis does not have, by our lookup
and by the database's driver alone in turns. The largest sizes may leave the database out (`in_database`), and above
`MOST_OF_A_KILOBYTE` the cards are small.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import socket
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import psycopg
import uvloop
from redis.asyncio import Redis
from sqlalchemy import make_url

from config.settings import Settings, Store
from lookup.answers import Number
from lookup.engine import card_key
from lookup.redis_cards import RedisCards, facts_of
from lookup.sql_cards import SqlCards, asking_for
from records import contacts
from records.database import open_database
from ringcard import filling
from ringcard.redis_server import OwnServer
from tests.bench.base import fill_base
from tests.bench.distribution import Distribution, distribution, rows
from tests.bench.machine import Busy, watching
from tests.bench.people import Person
from tests.fixtures.postgres import PostgresServer

MOST_OF_A_KILOBYTE = 1_000_000
SMALL, USUAL = b"1" + b"x" * 99, b"1" + b"x" * 969
AT_ONCE = 64
TURNS = 5  # of each way, in turns
ASKED = 200  # by each of the 64 in a turn
COLD = 300
RAW = 100_000  # cards of the raw loader's
LATE_S = 30.0


@dataclass(slots=True)
class Scale:
    numbers: int
    machine: Busy = field(default_factory=Busy)
    bytes_each: float = 0.0  # of Redis' memory, for one number
    card_bytes: int = 0
    filled_per_s: float = 0.0
    raw_per_s: float = 0.0  # a pipelined loader that has the cards ready
    at_once: dict[str, Distribution] = field(default_factory=dict)  # microseconds
    per_s: dict[str, float] = field(default_factory=dict)
    cold: dict[str, Distribution] = field(default_factory=dict)  # microseconds
    faults: tuple[str, ...] = ()

    def text(self) -> str:
        fill = f"; filled {self.filled_per_s:,.0f} in a second, {self.filled_per_s / self.raw_per_s:.0%} of"
        ours, theirs = self.per_s.values()
        lines = [
            f"\n{self.numbers:,} numbers; {self.machine}",
            f"  {self.bytes_each:.0f} bytes of Redis each, the card {self.card_bytes}"
            f"{fill if self.filled_per_s else ';'} a raw loader's {self.raw_per_s:,.0f}",
            *rows(self.at_once, f"us, {AT_ONCE} at once", 0),
            *(f"  {name:<40}{per_s:>10,.0f} in a second" for name, per_s in self.per_s.items()),
            f"  {'ours : theirs':<40}{ours / theirs:>10.1f}",
            *(rows(self.cold, "us, not in Redis", 0) if self.cold else ()),
        ]
        return "\n".join(lines)


def measure(count: int, in_database: int) -> Scale:
    found = Scale(count)
    with tempfile.TemporaryDirectory(prefix="ringcard-bench-") as folder, own_redis(Path(folder)) as redis:
        empty = _used(redis)
        with watching() as found.machine:
            if count <= in_database:
                _with_databases(found, Path(folder), redis, empty)
            else:
                card = USUAL if count <= MOST_OF_A_KILOBYTE else SMALL
                found.card_bytes = len(card)
                found.raw_per_s = load_cards(redis, ((card_key(f"+{i}"), card) for i in range(1, count + 1)))
                found.bytes_each = (_used(redis) - empty) / count
                uvloop.run(_ask_at_once(found, redis.url, lambda i: card_key(f"+{i}")))
    return found


def _with_databases(found: Scale, folder: Path, redis: OwnServer, empty: int) -> None:
    url = f"sqlite:///{folder}/ringcard.db"
    database = open_database(url)
    fill_base(database, found.numbers)
    began = time.perf_counter()
    with redirect_stdout(StringIO()) as said, redirect_stderr(StringIO()):
        settings = Settings(store=Store(redis_url=redis.url, database_url=url))
        uvloop.run(filling.Filling(settings, found.numbers).run(contacts.latest_first(database, filling.AT_ONCE)))
    found.filled_per_s = found.numbers / (time.perf_counter() - began)
    if f"{found.numbers} numbers put in" not in said.getvalue():
        found.faults += (said.getvalue(),)
    found.bytes_each = (_used(redis) - empty) / found.numbers
    database.dispose()
    uvloop.run(_ask_at_once(found, redis.url, lambda i: card_key(Person(i).number)))
    card = _one_card(redis, card_key(Person(1).number))
    found.card_bytes = len(card)
    with own_redis(folder / "raw") as raw:
        found.raw_per_s = load_cards(raw, ((card_key(f"+{i}"), card) for i in range(min(found.numbers, RAW))))
    uvloop.run(_ask_database(found, "SQLite", url, lambda sql, given: _sqlite_alone(url, sql, given)))
    with own_postgres() as server:
        url = server.new_database()
        database = open_database(url)
        fill_base(database, found.numbers)
        database.dispose()
        uvloop.run(_ask_database(found, "PostgreSQL", url, lambda sql, given: _postgres_alone(url, sql, given)))


# --- Redis


def own_redis(folder: Path) -> OwnServer:
    folder.mkdir(exist_ok=True)
    return OwnServer(folder / "data", memory="7gb")


def _used(redis: OwnServer) -> int:
    return int(facts_of(_say(redis, b"INFO memory\r\n"))["used_memory"])


def _one_card(redis: OwnServer, key: str) -> bytes:
    return _say(redis, f"GET {key}\r\n".encode()).partition(b"\r\n")[2].removesuffix(b"\r\n")


def _say(redis: OwnServer, line: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as asker:
        asker.connect(redis.url.removeprefix("unix://"))
        asker.sendall(line)
        return asker.recv(1 << 20)


def load_cards(redis: OwnServer, cards: Iterable[tuple[str, bytes]]) -> float:
    """As quickly as it goes: bytes made by hand, a thousand commands at once, answers thrown away. Cards per second."""
    count, commands = 0, []
    began = time.perf_counter()
    with socket.socket(socket.AF_UNIX) as asker:
        asker.connect(redis.url.removeprefix("unix://"))
        asker.sendall(b"CLIENT REPLY OFF\r\n")
        for key, card in cards:
            raw = key.encode()
            commands.append(
                b"*5\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n$2\r\nEX\r\n$4\r\n3600\r\n"
                % (len(raw), raw, len(card), card)
            )
            count += 1
            if len(commands) == 1000:
                asker.sendall(b"".join(commands))
                commands.clear()
        asker.sendall(b"".join(commands) + b"CLIENT REPLY ON\r\n")
        asker.recv(64)  # after the last of them
    return count / (time.perf_counter() - began)


async def _ask_at_once(found: Scale, redis_url: str, key_of: Callable[[int], str]) -> None:
    ours, theirs = RedisCards(redis_url, LATE_S), Redis.from_url(redis_url)
    ways: dict[str, Callable[[str], Awaitable[Any]]] = {"ours": ours.get, "the redis package's pool": theirs.get}
    took: dict[str, list[float]] = {name: [] for name in ways}
    spent = dict.fromkeys(ways, 0.0)
    chance = random.Random(1)

    async def one(name: str, keys: Sequence[str]) -> None:
        get, times = ways[name], took[name]
        for key in keys:
            began = perf_counter_ns()
            card = await get(key)
            times.append((perf_counter_ns() - began) / 1000)
            if not card:
                found.faults += (f"{name}: nothing for {key}",)

    for turn in range(-1, TURNS):
        for name in ways:
            asked = [[key_of(chance.randint(1, found.numbers)) for _ in range(ASKED)] for _ in range(AT_ONCE)]
            began = time.perf_counter()
            await asyncio.gather(*(one(name, keys) for keys in asked))
            if turn < 0:  # to warm up
                took[name].clear()
            else:
                spent[name] += time.perf_counter() - began
    found.at_once = {name: distribution(times) for name, times in took.items()}
    found.per_s = {name: len(took[name]) / spent[name] for name in ways}
    await ours.close()
    await theirs.aclose()


# --- databases


@contextmanager
def own_postgres() -> Iterator[PostgresServer]:
    server = PostgresServer(Path(tempfile.mkdtemp(prefix="ringcard-pg-")))
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.home)


Alone = Callable[[str, Callable[[Number], Any]], Callable[[Number], Any]]
"""From a statement and what makes its parameters to a function that asks for one number."""


def _sqlite_alone(url: str, statement: str, parameters: Callable[[Number], Any]) -> Callable[[Number], Any]:
    connection = sqlite3.connect(make_url(url).database or "", check_same_thread=False)
    return lambda number: connection.execute(statement, parameters(number)).fetchall()


def _postgres_alone(url: str, statement: str, parameters: Callable[[Number], Any]) -> Callable[[Number], Any]:
    parts = make_url(url)
    place = {"host": str(parts.query["host"]), "user": parts.username, "dbname": parts.database}
    connection = psycopg.connect(**place, autocommit=True)  # type: ignore[arg-type]
    return lambda number: connection.execute(statement, parameters(number)).fetchall()


async def _ask_database(found: Scale, name: str, url: str, alone: Alone) -> None:
    source = SqlCards(url, LATE_S)
    statement = source._by_match_key

    def parameters(number: Number) -> Any:
        named = {**statement._fixed, **asking_for(number)}
        return tuple(named[name] for name in statement._order) if statement._order else named

    ask = alone(statement._text, parameters)
    took: dict[str, list[float]] = {"ours": [], "alone": []}
    chance = random.Random(2)
    for turn in range(2 * COLD):
        person = Person(chance.randint(1, found.numbers))
        number = Number(person.number, person.number, person.number, person.number[-9:])
        began = perf_counter_ns()
        answer = await source.fetch(number) if turn % 2 else ask(number)
        if turn >= COLD // 5:
            took["ours" if turn % 2 else "alone"].append((perf_counter_ns() - began) / 1000)
        if len(answer) != 1:
            found.faults += (f"{name}: {len(answer)} customers have {person.number}",)
    found.cold[f"{name}, our lookup"] = distribution(took["ours"])
    found.cold[f"{name}, its driver alone"] = distribution(took["alone"])
    await source.close()


def run(sizes: Sequence[int], in_database: int, tell: Callable[[str], None]) -> list[Scale]:
    tell("\nscale: the same questions to bases of several sizes")
    measured = []
    for count in sizes:
        measured.append(measure(count, in_database))
        tell(measured[-1].text())
    return measured
