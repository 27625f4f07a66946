"""How long it takes to find out who calls, beside a raw GET of the same Redis.

Everything alternates one by one in one process and one event loop, each begun by a byte from outside: a raw GET, a
lookup, a lookup taken apart into its stages. Every number is looked up once and never again, and what was read of
numbers before is forgotten, so that no cache of ours makes a figure better than that of a first call.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter_ns

import uvloop

from config.settings import Lookup, Trunk
from lookup import card as card_bytes
from lookup import matching, numbers
from lookup.answers import Caller, Found, Unknown
from lookup.engine import Engine, card_key, key_of
from lookup.redis_cards import RedisCards
from lookup.sql_cards import SqlCards
from records.database import open_database
from records.migrate import migrate
from ringcard.redis_server import OwnServer
from tests.bench.distribution import Distribution, distribution, rows
from tests.bench.machine import Busy, watching
from tests.bench.pace import beats
from tests.bench.people import Person, enter, enter_manager, strangers
from tests.bench.raw_get import RawGet, open_raw

PACES = (
    (50, 1),
    (500, 4),
    (2000, 8),
)  # of each kind in a second, and how many times `lookups` of them: the last percent is few
COLD_PACE = 50
LATE_S = 10.0  # here a late answer is a figure, not a failure
STAGES = ("read the number", "ask Redis", "read the card", "choose the answer")
WARM_UP = 50
AT_ONCE = 32
AGAIN = 100
"""Callers who call again and again, so that their cards are near at hand."""

Ask = Callable[[Person], Awaitable[Sequence[float]]]
"""Does one thing and returns how long it took, in microseconds; for each stage when it has stages."""


@dataclass(frozen=True, slots=True)
class Hot:
    """Times in microseconds; Redis has the cards."""

    pace: float
    machine: Busy
    raw_get: Distribution
    find: Distribution
    again: Distribution  # callers of just now, whose cards the process has kept
    ratio_median: float  # find : raw GET
    ratio_p99: float
    stages: dict[str, Distribution]
    faults: tuple[str, ...]

    def text(self) -> str:
        whole = sum(stage.median for stage in self.stages.values())
        named = {f"  {name} ({stage.median / whole:.0%})": stage for name, stage in self.stages.items()}
        whole_ones = {"raw GET": self.raw_get, "lookup": self.find, "lookup of a caller of just now": self.again}
        compared, *apart = rows({**whole_ones, **named}, "us", 0)
        ratio = f"  {'lookup : raw GET':<40}{self.ratio_median:>9.2f}{'':9}{self.ratio_p99:>9.2f}"
        return "\n".join(
            (_head("known callers, cards in Redis", self.pace, self.machine), compared, *apart[:3], ratio, *apart[3:])
        )


@dataclass(frozen=True, slots=True)
class Cold:
    """Times in microseconds; Redis does not have the card, or knows that there is none."""

    pace: float
    machine: Busy
    kinds: dict[str, Distribution]
    faults: tuple[str, ...]

    def text(self) -> str:
        return "\n".join((_head("others", self.pace, self.machine), *rows(self.kinds, "us", 0)))


def _head(what: str, pace: float, machine: Busy) -> str:
    return f"  {what}, {pace:g} of each in a second; {machine}"


class Subject:
    """One engine as every process of Ringcard has it, with a Redis and a database of its own, and people in it."""

    def __init__(self, redis_url: str, database_url: str) -> None:
        self.plan = numbers.plan_of(Trunk(), "KH")
        self.cache = RedisCards(redis_url, LATE_S)
        self.source = SqlCards(database_url, LATE_S)
        self.engine = Engine({"": self.plan}, self.cache, self.source, Lookup())
        self.near = RedisCards(redis_url, LATE_S, near=AGAIN)
        self.near_engine = Engine({"": self.plan}, self.near, self.source, Lookup())
        self.raw: RawGet
        self.faults: list[str] = []
        self._database = open_database(database_url)
        migrate(self._database)
        self._manager = enter_manager(self._database)
        self._used = 0

    async def close(self) -> None:
        self.raw.close()
        for engine, cache in ((self.engine, self.cache), (self.near_engine, self.near)):
            await engine.close()
            await cache.close()
        await self.source.close()
        self._database.dispose()

    # --- people

    def customers(self, count: int) -> list[Person]:
        """New ones, in the database only."""
        people = [Person(i) for i in range(self._used, self._used + count)]
        self._used += count
        enter(self._database, people, self._manager)
        return people

    def nobodies(self, count: int) -> list[Person]:
        self._used += count
        return strangers(self._used - count, count)

    async def remembered(self, people: list[Person]) -> list[Person]:
        """The same people, after Redis has what there is to know of them."""
        for i in range(0, len(people), AT_ONCE):
            await asyncio.gather(*(self._remember(each) for each in people[i : i + AT_ONCE]))
        return people

    async def _remember(self, person: Person) -> None:
        while await self.cache.get(card_key(person.number)) is None:
            await self.engine.find(Caller(person.number), LATE_S)
            await asyncio.sleep(0.002)  # the answer comes before it is kept

    # --- what is measured

    async def find(self, person: Person) -> Sequence[float]:
        return await self._find(self.engine, person)

    async def find_near(self, person: Person) -> Sequence[float]:
        return await self._find(self.near_engine, person)

    async def _find(self, engine: Engine, person: Person) -> Sequence[float]:
        caller = Caller(person.national)
        began = perf_counter_ns()
        answer = await engine.find(caller, LATE_S)
        took = perf_counter_ns() - began
        self._check(person, answer)
        return (took / 1000,)

    async def find_apart(self, person: Person) -> Sequence[float]:
        """What Engine.find does for a card in Redis, by hand and with a clock between."""
        caller = Caller(person.national)
        began = perf_counter_ns()
        hidden = numbers.withheld(caller)
        number = numbers.read(caller.number, self.plan)
        read = perf_counter_ns()
        raw = await self.cache.get(key_of(number))
        asked = perf_counter_ns()
        matches = card_bytes.from_bytes(raw or b"")
        decoded = perf_counter_ns()
        answer = matching.choose(number, matches or (), "cache")
        chosen = perf_counter_ns()
        self._check(person, hidden or answer)
        return tuple(ns / 1000 for ns in (read - began, asked - read, decoded - asked, chosen - decoded))

    async def get_raw(self, person: Person) -> Sequence[float]:
        key = card_key(person.number).encode()
        began = perf_counter_ns()
        raw = await self.raw.get(key)
        took = perf_counter_ns() - began
        if person.name.encode() not in raw:
            self.faults.append(f"Redis does not have the card of {person.name}")
        return (took / 1000,)

    def _check(self, person: Person, answer: object) -> None:
        if person.is_customer:
            right = isinstance(answer, Found) and answer.chosen is not None and answer.chosen.name == person.name
        else:
            right = isinstance(answer, Unknown)
        if not right:
            self.faults.append(f"the answer for {person.number} was {answer}")


@asynccontextmanager
async def subject() -> AsyncIterator[Subject]:
    with tempfile.TemporaryDirectory(prefix="ringcard-bench-") as folder:
        async with AsyncExitStack() as stack:
            redis = stack.enter_context(OwnServer(Path(folder) / "data"))
            measured = Subject(redis.url, f"sqlite:///{folder}/ringcard.db")
            measured.raw = await open_raw(redis.url)
            stack.push_async_callback(measured.close)
            yield measured


async def alternate(kinds: Mapping[str, tuple[Ask, Sequence[Person]]], pace: float) -> dict[str, list[Sequence[float]]]:
    """Each kind in turn, at equal distances, `pace` of each in a second."""
    turns = [
        (name, ask, person)
        for who in zip(*(people for _, people in kinds.values()), strict=True)
        for (name, (ask, _)), person in zip(kinds.items(), who, strict=True)
    ]
    took: dict[str, list[Sequence[float]]] = {name: [] for name in kinds}
    numbers.forget()
    gc.collect()
    gc.freeze()  # a process of Ringcard does not hold the people of a measurement
    async for beat in beats(pace * len(kinds), len(turns)):
        name, ask, person = turns[beat]
        took[name].append(await ask(person))
    gc.unfreeze()
    return took


async def measure_hot(it: Subject, pace: float, count: int) -> Hot:
    people = [await it.remembered(it.customers(WARM_UP + count)) for _ in range(3)]
    few = await it.remembered(it.customers(min(AGAIN, WARM_UP)))
    kinds: dict[str, tuple[Ask, list[Person]]] = {
        "raw GET": (it.get_raw, people[0]),
        "lookup": (it.find, people[1]),
        "apart": (it.find_apart, people[2]),
        "again": (it.find_near, list(islice(cycle(few), WARM_UP + count))),
    }
    with watching() as busy:
        took = await alternate(kinds, pace)
    raw, find = _whole(took["raw GET"]), _whole(took["lookup"])
    stages = zip(STAGES, zip(*took["apart"][WARM_UP:], strict=True), strict=True)
    return Hot(
        pace=pace,
        machine=busy,
        raw_get=raw,
        find=find,
        again=_whole(took["again"]),
        ratio_median=find.median / raw.median,
        ratio_p99=find.p99 / raw.p99,
        stages={name: distribution(times) for name, times in stages},
        faults=tuple(it.faults),
    )


async def measure_cold(it: Subject, count: int) -> Cold:
    count += WARM_UP
    kinds: dict[str, tuple[Ask, list[Person]]] = {
        "raw GET": (it.get_raw, await it.remembered(it.customers(count))),
        "nobody's number, remembered": (it.find, await it.remembered(it.nobodies(count))),
        "customer, card in the database": (it.find, it.customers(count)),
        "nobody's number, never seen": (it.find, it.nobodies(count)),
    }
    with watching() as busy:
        took = await alternate(kinds, COLD_PACE)
    return Cold(COLD_PACE, busy, {name: _whole(times) for name, times in took.items()}, tuple(it.faults))


def _whole(took: Sequence[Sequence[float]]) -> Distribution:
    return distribution(each[0] for each in took[WARM_UP:])


async def measure(lookups: int) -> tuple[Hot | Cold, ...]:
    """One round."""
    numbers.warm()
    async with subject() as it:
        hot = [await measure_hot(it, pace, times * lookups) for pace, times in PACES]
        return (*hot, await measure_cold(it, lookups))


def run(rounds: int, lookups: int, tell: Callable[[str], None]) -> list[tuple[Hot | Cold, ...]]:
    tell("\nlookup: from the caller's digits to the answer, no number twice")
    measured = []
    for number in range(1, rounds + 1):
        measured.append(uvloop.run(measure(lookups)))
        tell("\n".join((f"\nround {number} of {rounds}", *(part.text() for part in measured[-1]))))
    return measured
