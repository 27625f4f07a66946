"""How long after a change is committed the next lookup shows it, with cards kept in the process and without.

Another program renames a customer; the follower notes it; two lookups, one of each kind, ask again and again. Both have
the old card at hand when the change is made.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import uvloop

from config.settings import Lookup, Trunk
from lookup import numbers
from lookup.answers import Caller, Found
from lookup.engine import Engine
from lookup.redis_cards import RedisCards
from lookup.redis_notices import RedisNotices
from lookup.sql_cards import SqlCards
from records.database import open_database
from ringcard.follower import Follower
from ringcard.redis_server import OwnServer
from tests.bench.base import fill_base
from tests.bench.distribution import Distribution, distribution, rows
from tests.bench.machine import Busy, watching
from tests.bench.people import Person

LATE_S = 10.0
ASK_EVERY_S = 0.002
KINDS = {"cards in Redis alone": 0, "cards in the process too": 1000}
CUSTOMERS = 1000


@dataclass(frozen=True, slots=True)
class Fresh:
    """Milliseconds."""

    machine: Busy
    shown: dict[str, Distribution]
    faults: tuple[str, ...] = ()

    def text(self) -> str:
        return "\n".join((f"  a change until a lookup shows it; {self.machine}", *rows(self.shown, "ms", 0)))


async def measure(changes: int) -> Fresh:
    plan = numbers.plan_of(Trunk(), "KH")
    took: dict[str, list[float]] = {name: [] for name in KINDS}
    with tempfile.TemporaryDirectory(prefix="ringcard-bench-") as folder:
        async with AsyncExitStack() as stack:
            redis = stack.enter_context(OwnServer(Path(folder) / "data"))
            file = f"{folder}/ringcard.db"
            database = open_database(f"sqlite:///{file}")
            stack.callback(database.dispose)
            fill_base(database, CUSTOMERS)
            engines = {}
            for name, near in {"the worker's": 0, **KINDS}.items():
                cache, source = RedisCards(redis.url, LATE_S, near), SqlCards(f"sqlite:///{file}", LATE_S)
                engines[name] = Engine({"": plan}, cache, source, Lookup())
                for close in (source.close, cache.close, engines[name].close):
                    stack.push_async_callback(close)
            notices = RedisNotices(redis.url)
            stack.push_async_callback(notices.close)
            follower = Follower(database, engines.pop("the worker's"), notices, lambda raw: numbers.read(raw, plan))
            following = asyncio.create_task(follower.run())
            other = stack.enter_context(closing(sqlite3.connect(file, isolation_level=None, timeout=LATE_S)))
            with watching() as busy:
                for change in range(1, changes + 1):
                    await _change(other, change, engines, took)
            following.cancel()
            await asyncio.wait({following})
    return Fresh(busy, {name: distribution(times) for name, times in took.items()})


async def _change(other: sqlite3.Connection, id: int, engines: dict[str, Engine], took: dict[str, list[float]]) -> None:
    caller, name = Caller(Person(id).number), f"Renamed {id}"
    for engine in engines.values():
        while (await _asked(engine, caller))[1] != "cache":
            await asyncio.sleep(ASK_EVERY_S)
    other.execute("UPDATE customers SET name = ? WHERE id = ?", (name, id))
    began = time.perf_counter()
    waiting = dict(engines)
    while waiting:
        for kind, engine in list(waiting.items()):
            if (await _asked(engine, caller))[0] == name:
                took[kind].append((time.perf_counter() - began) * 1000)
                del waiting[kind]
        await asyncio.sleep(ASK_EVERY_S)


async def _asked(engine: Engine, caller: Caller) -> tuple[str, str]:
    answer = await engine.find(caller, LATE_S)
    if isinstance(answer, Found) and answer.chosen:
        return answer.chosen.name, answer.source
    return "", ""


def run(rounds: int, changes: int, tell: Callable[[str], None]) -> list[Fresh]:
    tell("\nfresh: from a committed change to a lookup that shows it")
    measured = []
    for _ in range(rounds):
        measured.append(uvloop.run(measure(changes)))
        tell(measured[-1].text())
    return measured
