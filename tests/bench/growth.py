"""Does a lookup take longer when Redis has a thousand times more? A small base and a large one are asked in turns.

Both have cards of the same size, 355 bytes, each in a Redis of its own, and both are there all the while, so that the
machine's mood is the same for both. One by one: a raw GET of the small base and of the large one, then the whole lookup
in both, from the caller's digits to the answer. Then 64 at once by our connection, and 64 raw GETs in one message: what
Redis itself needs for them. Callers are taken at random.
"""

from __future__ import annotations

import asyncio
import random
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns

import uvloop

from config.settings import Lookup, Trunk
from lookup import numbers
from lookup.answers import Caller, Found
from lookup.card import Card, Match, to_bytes
from lookup.engine import Engine, card_key
from lookup.redis_cards import RedisCards
from lookup.sql_cards import SqlCards
from records.database import open_database
from records.migrate import migrate
from tests.bench.distribution import Distribution, distribution, rows
from tests.bench.machine import Busy, watching
from tests.bench.raw_get import RawGet, open_raw
from tests.bench.scale import AT_ONCE, LATE_S, load_cards, own_redis

MOST = 10_000_000  # numbers of seven digits
ONE_BY_ONE = 10_000
TURNS = 10  # of 64 at once, for each base
ASKED = 200  # by each of the 64 in a turn
WARM_UP = 500


@dataclass(frozen=True, slots=True)
class Growth:
    """Times in microseconds; the ratios are of the larger base to the smaller."""

    numbers: tuple[int, int]
    machine: Busy
    took: dict[str, Distribution]
    ratios: dict[str, tuple[float, float]]  # of the medians, of the p99
    faults: tuple[str, ...]

    def text(self) -> str:
        return "\n".join(
            (
                f"\n{self.numbers[0]:,} and {self.numbers[1]:,} numbers in turns; {self.machine}",
                *rows(self.took, "us", 0),
                *(f"  {f'{name}, large : small':<40}{m:>9.2f}{'':9}{p:>9.2f}" for name, (m, p) in self.ratios.items()),
            )
        )


def _number(i: int) -> str:
    return f"+85596{i:07}"


def _cards(count: int) -> Iterator[tuple[str, bytes]]:
    for i in range(count):
        card = Card(customer_id=1_000_000 + i, version=1, name=f"Sok Dara {i:07}", company="Dara and Sons")
        yield card_key(_number(i)), to_bytes([Match(card)])


class Base:
    """One of the two, with what every process of Ringcard has to ask it."""

    def __init__(self, count: int, redis_url: str, database_url: str, raw: RawGet) -> None:
        self.count = count
        self.raw = raw
        self.plain = socket.socket(socket.AF_UNIX)
        self.plain.connect(redis_url.removeprefix("unix://"))
        self.cache = RedisCards(redis_url, LATE_S)
        self.source = SqlCards(database_url, LATE_S)  # empty: Redis has every card
        self.engine = Engine({"": numbers.plan_of(Trunk(), "KH")}, self.cache, self.source, Lookup())

    async def close(self) -> None:
        self.raw.close()
        self.plain.close()
        await self.engine.close()
        await self.cache.close()
        await self.source.close()


@asynccontextmanager
async def base(folder: Path, count: int) -> AsyncIterator[Base]:
    with own_redis(folder) as redis:
        load_cards(redis, _cards(count))
        url = f"sqlite:///{folder}/ringcard.db"
        database = open_database(url)
        migrate(database)
        database.dispose()
        opened = Base(count, redis.url, url, await open_raw(redis.url))
        try:
            yield opened
        finally:
            await opened.close()


class Asking:
    def __init__(self, small: Base, large: Base) -> None:
        self.bases = {"small": small, "large": large}
        self.took: dict[str, list[float]] = {}
        self.faults: list[str] = []
        self._chance = random.Random(1)

    async def one_by_one(self, count: int) -> None:
        for _ in range(count):
            for name, base in self.bases.items():
                await self._get_raw(name, base, self._chance.randrange(base.count))
            for name, base in self.bases.items():
                await self._find(name, base, self._chance.randrange(base.count))

    async def at_once(self, turns: int) -> None:
        for _ in range(turns):
            for name, base in self.bases.items():
                asked = [[self._chance.randrange(base.count) for _ in range(ASKED)] for _ in range(AT_ONCE)]
                await asyncio.gather(*(self._get_ours(name, base, each) for each in asked))

    def in_one_message(self, turns: int) -> None:
        for _ in range(turns * ASKED):
            for name, base in self.bases.items():
                keys = [card_key(_number(self._chance.randrange(base.count))).encode() for _ in range(AT_ONCE)]
                asked = b"".join(b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key) for key in keys)
                began = perf_counter_ns()
                base.plain.sendall(asked)
                answers = b""
                while answers.count(b"Dara and Sons") < AT_ONCE or not answers.endswith(b"\r\n"):
                    answers += base.plain.recv(1 << 17)
                self._note(f"{AT_ONCE} raw GETs in one message", name, began)

    async def _get_raw(self, name: str, base: Base, i: int) -> None:
        key = card_key(_number(i)).encode()
        began = perf_counter_ns()
        raw = await base.raw.get(key)
        self._note("raw GET", name, began)
        if f"{i:07}".encode() not in raw:
            self.faults.append(f"{name}: Redis does not have {_number(i)}")

    async def _find(self, name: str, base: Base, i: int) -> None:
        caller = Caller(_number(i).replace("+855", "0"))
        began = perf_counter_ns()
        answer = await base.engine.find(caller, LATE_S)
        self._note("lookup", name, began)
        if not isinstance(answer, Found) or answer.chosen is None or answer.chosen.customer_id != 1_000_000 + i:
            self.faults.append(f"{name}: the answer for {_number(i)} was {answer}")

    async def _get_ours(self, name: str, base: Base, asked: list[int]) -> None:
        for i in asked:
            key = card_key(_number(i))
            began = perf_counter_ns()
            card = await base.cache.get(key)
            self._note(f"{AT_ONCE} at once", name, began)
            if not card:
                self.faults.append(f"{name}: nothing for {key}")

    def _note(self, what: str, base: str, began_ns: int) -> None:
        self.took.setdefault(f"{what}, {base}", []).append((perf_counter_ns() - began_ns) / 1000)


async def measure(sizes: tuple[int, int]) -> Growth:
    numbers.warm()
    with tempfile.TemporaryDirectory(prefix="ringcard-bench-") as folder:
        async with AsyncExitStack() as stack:
            small, large = [await stack.enter_async_context(base(Path(folder) / f"{count}", count)) for count in sizes]
            asking = Asking(small, large)
            await asking.one_by_one(WARM_UP)
            await asking.at_once(1)
            asking.in_one_message(1)
            asking.took.clear()
            numbers.forget()
            with watching() as busy:
                await asking.one_by_one(ONE_BY_ONE)
                await asking.at_once(TURNS)
                asking.in_one_message(TURNS)
    took = {name: distribution(times) for name, times in asking.took.items()}
    kinds = dict.fromkeys(name.rpartition(", ")[0] for name in took)
    ratios = {kind: _ratio(took[f"{kind}, large"], took[f"{kind}, small"]) for kind in kinds}
    return Growth(sizes, busy, took, ratios, tuple(asking.faults))


def _ratio(large: Distribution, small: Distribution) -> tuple[float, float]:
    return large.median / small.median, large.p99 / small.p99


def run(sizes: Sequence[int], tell: Callable[[str], None]) -> list[Growth]:
    small, large = min(sizes), min(max(sizes), MOST)
    tell(f"\ngrowth: bases of {small:,} and {large:,} numbers side by side; filling them")
    measured = uvloop.run(measure((small, large)))
    tell(measured.text())
    return [measured]
