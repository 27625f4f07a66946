"""Lookups at a steady pace, as calls come in, while something breaks: each in its own task, each timed."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lookup.answers import Answer, Caller
from lookup.engine import Engine
from lookup.numbers import NumberPlan
from records.database import open_database, writing
from records.tables import Customer, PhoneNumber

PLANS = {"": NumberPlan("KH")}
PER_S = 20
BUDGET_S = 0.5  # more than the default, because the test's own work (starting a server again) is in the same loop
MARGIN_S = 1.0


@dataclass(frozen=True)
class Looked:
    caller: Caller
    answer: Answer
    took_s: float


class Lookups:
    """What came of them, in the order of their ends."""

    def __init__(self) -> None:
        self.all: list[Looked] = []

    async def more(self, count: int) -> list[Looked]:
        """The next ones, when they have ended."""
        start = len(self.all)
        async with asyncio.timeout(60):
            while len(self.all) < start + count:
                await asyncio.sleep(0.01)
        return self.all[start:]

    async def until(self, wanted: Callable[[Answer], bool]) -> None:
        """Until one has this answer."""
        start = len(self.all)
        async with asyncio.timeout(30):
            while not any(wanted(looked.answer) for looked in self.all[start:]):
                await asyncio.sleep(0.01)

    @property
    def slowest_s(self) -> float:
        return max(looked.took_s for looked in self.all)


@asynccontextmanager
async def lookups_flow(engine: Engine, callers: Iterator[Caller]) -> AsyncIterator[Lookups]:
    lookups = Lookups()
    loop = asyncio.get_running_loop()

    async def look(caller: Caller) -> None:
        began = loop.time()
        answer = await engine.find(caller, BUDGET_S)
        lookups.all.append(Looked(caller, answer, loop.time() - began))

    async def come() -> None:
        async with asyncio.TaskGroup() as calls:
            while not over.is_set():
                calls.create_task(look(next(callers)))
                await asyncio.sleep(1 / PER_S)

    over = asyncio.Event()
    coming = asyncio.create_task(come())
    try:
        yield lookups
    finally:
        over.set()
        await coming
    assert lookups.slowest_s < BUDGET_S + MARGIN_S


def caller(number: int) -> Caller:
    """Customer `number`'s telephone."""
    return Caller(f"012{number:06}")


def fill(database_url: str, count: int) -> None:
    """Customers 1, 2, 3 ... with one number each."""
    database = open_database(database_url)
    now = datetime.now(UTC)
    with writing(database) as session:
        for number in range(1, count + 1):
            session.add(Customer(id=number, name=f"Customer {number}", created_at=now, updated_at=now))
        session.flush()
        for number in range(1, count + 1):
            key = f"+85512{number:06}"
            session.add(PhoneNumber(customer_id=number, raw=key, e164=key, match_key=key, nsn_tail=key[4:]))
    database.dispose()


def outages(caplog: pytest.LogCaptureFixture, name: str) -> list[str]:
    """What the log says of this store, without its numbers."""
    said = [record.message for record in caplog.records if record.message.startswith(f"{name} ")]
    return [line.split(":")[0].split(" after")[0] for line in said]


@contextmanager
def nothing_left() -> Iterator[None]:
    """At the end there are no more tasks, sockets and threads than there were."""
    before = _left()
    yield
    after = _left()
    assert after == before, f"{after} instead of {before}"


def _left() -> tuple[int, int, set[str]]:
    sockets = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            sockets += os.readlink(link).startswith("socket:")
        except FileNotFoundError:  # the folder's own
            continue
    return (
        len(asyncio.all_tasks()),
        sockets,
        {thread.name for thread in threading.enumerate() if "lookup" in thread.name},
    )
