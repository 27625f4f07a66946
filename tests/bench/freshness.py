"""How long an old answer lives: random changes by another program in plain SQL, lookups meanwhile, kills in between.

What every number's answer should be is known at every moment, because the changes are made one after the other and
written down. Afterwards each lookup is held against that: how long had its answer been untrue when it was asked for?
Redis is killed, comes back empty, comes back with an old copy of itself, is frozen; the worker that follows the changes
is killed and frozen; PostgreSQL is killed. Where sentinels watch, the replica takes over from a master that was killed
or froze, also a replica that was behind. An answer that was never true of that number is a fault at any age.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import uvloop
from sqlalchemy import Engine as Database
from sqlalchemy import make_url

from config.settings import load
from lookup.answers import Answer, Caller, Found, Unavailable
from lookup.engine import Engine
from lookup.numbers import NORM_VERSION
from records.database import open_database, writing
from records.migrate import migrate
from records.tables import Customer, PhoneNumber, User
from ringcard import compose
from ringcard.redis_server import OwnServer
from tests.bench.distribution import Distribution, distribution, rows
from tests.bench.machine import Busy, watching
from tests.fixtures.postgres import TEMPLATE, PostgresServer
from tests.fixtures.redis import command, frozen, kill
from tests.fixtures.redis_many import OneOfMany, Sentinels, until

NUMBERS = 2000
CUSTOMERS = 1600
MANAGERS = 8
WRITES_A_SECOND = 50
"""So few that most numbers are in the cache when they change: what was forgotten is not kept again for ten seconds."""

LOOKERS = 4
LOOK_EVERY_S = 0.01
LATELY = 40
"""Half of the lookups are of a number that one of the last so many changes was about: there old answers are found."""

BOUND_S = 10.0
"""An older answer is a fault, counted from the change or from when what was broken had been started again."""

ANSWER_S = 2.0  # a looked-up answer; not the time limit of a call, the machine is busy here
DAY = datetime(2026, 3, 2, tzinfo=UTC)

Name = tuple[str, str] | None
"""What an answer says: the customer's and the manager's names; None: nobody has the number."""


@dataclass(frozen=True, slots=True)
class Looked:
    number: int
    asked_at: float
    answered_at: float
    said: Name


@dataclass(slots=True)
class Spell:
    """A time in which an answer was true: it may have been from `since` on, and no longer is after `until`."""

    said: Name
    since: float
    until: float = float("inf")


class Truth:
    """Who has which number and is called what, and what was true of every number before."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._version = 0
        self._managers = [f"Manager {i} v0" for i in range(1, MANAGERS + 1)]
        self._customers = [f"Customer {i} v0" for i in range(1, CUSTOMERS + 1)]
        self.owners: list[int | None] = [dice.randrange(CUSTOMERS) for _ in range(NUMBERS)]
        self.lately: list[int] = [0]
        self._spells = [[Spell(self._answer(number), 0.0)] for number in range(NUMBERS)]

    def change(self, write: Callable[[str], None]) -> None:
        """One random change, by one statement."""
        self._version += 1
        number, kind = self._dice.randrange(NUMBERS), self._dice.random()
        owner = self.owners[number]
        if owner is not None and kind < 0.001:
            touched, statement = self._rename_manager(self._dice.randrange(MANAGERS))
        elif owner is not None and kind < 0.6:
            touched, statement = self._rename(owner)
        else:
            new = self._dice.randrange(CUSTOMERS) if owner is None or kind < 0.8 else None
            touched, statement = [number], self._move(number, new)
        began = time.monotonic()
        write(statement)
        done = time.monotonic()
        for each in touched:
            self._spells[each][-1].until = done
            self._spells[each].append(Spell(self._answer(each), began))
        self.lately = [*self.lately, *touched[:3]][-LATELY:]

    def managers(self) -> Iterable[tuple[int, str]]:
        return enumerate(self._managers, 1)

    def customers(self) -> Iterable[tuple[int, str]]:
        return enumerate(self._customers, 1)

    def now(self, number: int) -> Name:
        return self._spells[number][-1].said

    def true_until(self, looked: Looked) -> float | None:
        """Until when what was said was true; None: it never was."""
        spells = self._spells[looked.number]
        return max((s.until for s in spells if s.said == looked.said and s.since <= looked.answered_at), default=None)

    def _answer(self, number: int) -> Name:
        owner = self.owners[number]
        return None if owner is None else (self._customers[owner], self._managers[manager_of(owner)])

    def _rename(self, customer: int) -> tuple[list[int], str]:
        self._customers[customer] = f"Customer {customer + 1} v{self._version}"
        mine = [number for number, owner in enumerate(self.owners) if owner == customer]
        return mine, f"UPDATE customers SET name = '{self._customers[customer]}' WHERE id = {customer + 1}"

    def _rename_manager(self, manager: int) -> tuple[list[int], str]:
        self._managers[manager] = f"Manager {manager + 1} v{self._version}"
        theirs = [i for i, owner in enumerate(self.owners) if owner is not None and manager_of(owner) == manager]
        return theirs, f"UPDATE users SET name = '{self._managers[manager]}' WHERE id = {manager + 1}"

    def _move(self, number: int, owner: int | None) -> str:
        had, self.owners[number] = self.owners[number], owner
        if owner is None:
            return f"DELETE FROM phone_numbers WHERE id = {number + 1}"
        if had is not None:
            return f"UPDATE phone_numbers SET customer_id = {owner + 1} WHERE id = {number + 1}"
        key = e164(number)
        return (
            "INSERT INTO phone_numbers (id, customer_id, raw, e164, match_key, nsn_tail, label, ext, norm_version)"
            f" VALUES ({number + 1}, {owner + 1}, '{key}', '{key}', '{key}', '{key[-9:]}', '', '', {NORM_VERSION})"
        )


def manager_of(customer: int) -> int:
    return customer % MANAGERS


def e164(number: int) -> str:
    return f"+8551200{number:04}"


@dataclass(frozen=True, slots=True)
class Freshness:
    """Times in milliseconds."""

    database: str
    machine: Busy
    writes: int
    lookups: int
    from_cache: int
    unavailable: int
    old: int  # answers that had been untrue for longer than no time at all
    shown: Distribution  # from a commit to the first lookup after it that is right, in undisturbed times
    oldest: dict[str, float]  # by what had gone wrong before, counted from when that was mended
    faults: tuple[str, ...]

    def text(self) -> str:
        return "\n".join(
            (
                f"  {self.database}: {self.writes} changes, {self.lookups} lookups ({self.from_cache} by the cache, "
                f"{self.unavailable} without an answer in time); {self.machine}",
                *rows({"commit to the first right answer": self.shown}, "ms", 1),
                f"  {self.old} answers were old; how old at most, from the change, or from when all was started again:",
                *(f"    {what:<50}{oldest:>7.0f}  ms" for what, oldest in self.oldest.items()),
            )
        )


class Place:
    """A company: its records, Redis, worker, and another program with the database's password."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        redis: OwnServer | Sentinels,
        postgres: PostgresServer | None,
        truth: Truth,
    ) -> None:
        self.truth = truth
        self.postgres = postgres
        self._redis = redis
        self._url = database_url
        self._file = folder / "ringcard.toml"
        self._file.write_text(
            f"""
[company]
country = "KH"
[lookup]
redis_ms = {ANSWER_S * 400:.0f}
budget_ms = {ANSWER_S * 1000:.0f}
[store]
data_dir = "{folder / "data"}"
redis_url = "{redis.url}"
database_url = "{database_url}"
"""
        )
        self.settings = load(self._file, {})
        self._log = folder / "worker.log"
        self.worker: subprocess.Popen[bytes]
        self._connection: Any = None
        self.writing = threading.Lock()  # held while the database is away: whether a change happened must be known
        database = open_database(database_url)
        migrate(database)
        _enter(database, truth)
        database.dispose()

    @property
    def redis(self) -> OwnServer:
        assert isinstance(self._redis, OwnServer)
        return self._redis

    def master_and_replica(self) -> tuple[OneOfMany, OneOfMany]:
        """As they are now."""
        assert isinstance(self._redis, Sentinels)
        two = (self._redis.master, self._redis.replica)
        return two if two[0].fact("role") == "master" else two[::-1]

    def start_worker(self) -> None:
        command = [sys.executable, "-m", "ringcard.cli", "--config", str(self._file), "run", "worker"]
        with self._log.open("ab") as log:
            self.worker = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def kill_worker(self) -> None:
        self.worker.kill()
        self.worker.wait()

    def write(self, statement: str) -> None:
        """One transaction of another program."""
        self._connected().execute(statement)

    def _connected(self) -> Any:
        if self._connection is None:
            url = make_url(self._url)
            if self.postgres:
                host, user = str(url.query["host"]), url.username
                self._connection = psycopg.connect(host=host, user=user, dbname=url.database, autocommit=True)
            else:
                self._connection = sqlite3.connect(
                    url.database or "", timeout=60, isolation_level=None, check_same_thread=False
                )
                self._connection.execute("PRAGMA foreign_keys = ON")
        return self._connection

    def followed(self) -> bool:
        """The worker has worked off all that was changed until now."""
        [(waiting,)] = self._connected().execute("SELECT count(*) FROM changes WHERE done_at IS NULL").fetchall()
        return not waiting

    def disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        self.kill_worker()
        self.disconnect()


def _enter(database: Database, truth: Truth) -> None:
    with writing(database) as session:
        session.add_all(
            User(id=i, login=f"m{i}", name=name, password_hash="", created_at=DAY) for i, name in truth.managers()
        )
        session.flush()
        session.add_all(
            Customer(id=i, name=name, manager_id=manager_of(i - 1) + 1, created_at=DAY, updated_at=DAY)
            for i, name in truth.customers()
        )
        session.flush()
        for i, owner in enumerate(truth.owners):
            key = e164(i)
            row = PhoneNumber(id=i + 1, raw=key, e164=key, match_key=key, nsn_tail=key[-9:], norm_version=NORM_VERSION)
            row.customer_id = (owner or 0) + 1
            session.add(row)


# --- what goes wrong meanwhile


async def redis_comes_back(place: Place) -> None:
    """Empty, or with the copy that it kept."""
    kill(place.redis.pid)
    place.redis.start()
    (place.redis.folder / "dump.rdb").unlink(missing_ok=True)


async def redis_keeps_a_copy(place: Place) -> None:
    command(place.redis, "SAVE")


async def redis_is_frozen(place: Place) -> None:
    with frozen(place.redis.pid):
        await asyncio.sleep(2)


async def worker_is_killed(place: Place) -> None:
    place.kill_worker()
    await asyncio.sleep(1)
    place.start_worker()


async def worker_is_frozen(place: Place) -> None:
    with frozen(place.worker.pid):
        await asyncio.sleep(2)


async def both_are_killed(place: Place) -> None:
    place.kill_worker()
    await redis_comes_back(place)
    place.start_worker()


async def postgres_is_killed(place: Place) -> None:
    if place.postgres:
        with place.writing:
            place.disconnect()
            place.postgres.kill()
            await asyncio.sleep(1)
            place.postgres.start()


async def master_is_killed(place: Place) -> None:
    master, replica = place.master_and_replica()
    master.kill()
    await takes_over(replica)
    await asyncio.to_thread(master.start)
    await follows(master)


async def master_is_frozen(place: Place) -> None:
    """It wakes up as the master that it was, until it is told."""
    master, replica = place.master_and_replica()
    with frozen(master.pid):
        await takes_over(replica)
    await follows(master)


async def replica_was_behind(place: Place) -> None:
    """Three seconds of changes never came to it."""
    master, replica = place.master_and_replica()
    with frozen(replica.pid):
        await asyncio.sleep(3)
        master.kill()
    await takes_over(replica)
    await asyncio.to_thread(master.start)
    await follows(master)


async def takes_over(server: OneOfMany) -> None:
    await asyncio.to_thread(until, lambda: server.fact("role") == "master", "the replica takes over")


async def follows(server: OneOfMany) -> None:
    await asyncio.to_thread(until, lambda: server.fact("master_link_status") == "up", "the old master follows")


Troubles = tuple[tuple[float, str, Callable[[Place], Awaitable[None]]], ...]
"""After which share of the changes each happens."""

TROUBLES: Troubles = (
    (0.25, "Redis killed, back empty", redis_comes_back),
    (0.35, "worker killed", worker_is_killed),
    (0.45, "Redis frozen", redis_is_frozen),
    (0.50, "", redis_keeps_a_copy),
    (0.55, "Redis killed, back with an older copy of itself", redis_comes_back),
    (0.65, "worker frozen", worker_is_frozen),
    (0.75, "Redis and worker killed", both_are_killed),
    (0.85, "PostgreSQL killed", postgres_is_killed),
)
FAIL_OVERS: Troubles = (
    (0.15, "master killed, the replica takes over", master_is_killed),
    (0.35, "master frozen, the replica takes over", master_is_frozen),
    (0.55, "master killed, a replica that was behind takes over", replica_was_behind),
    (0.75, "worker killed", worker_is_killed),
)


# --- one run


@dataclass(frozen=True, slots=True)
class Trouble:
    what: str
    began: float
    over: float  # all was started again, though it may not have been ready yet


QUIET = "nothing was wrong"
NO_TROUBLE = Trouble(QUIET, 0.0, 0.0)


class Run:
    def __init__(self, place: Place, engine: Engine, writes: int, troubles: Troubles) -> None:
        self._place = place
        self._ahead = troubles
        self._engine = engine
        self._writes = writes
        self._looked: list[Looked] = []
        self._shown: list[tuple[float, float]] = []  # when a change was committed, and how long until it was seen
        self._written = 0
        self._troubles: list[Trouble] = []
        self._probes: asyncio.Queue[tuple[int, float]] = asyncio.Queue()
        self._dice = random.Random(2)
        self.unavailable = 0

    async def run(self) -> None:
        writing = asyncio.create_task(asyncio.to_thread(self._write, asyncio.get_running_loop()))
        lookers = [asyncio.create_task(self._look(writing)) for _ in range(LOOKERS)]
        others = [asyncio.create_task(self._worry()), asyncio.create_task(self._probe())]
        await asyncio.gather(writing, *lookers)
        for other in others:
            other.cancel()
        for ended in await asyncio.gather(*others, return_exceptions=True):
            if not isinstance(ended, asyncio.CancelledError | None):
                raise ended

    def _write(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread: another program would not share our event loop."""
        truth = self._place.truth
        began = time.monotonic()
        while self._written < self._writes:
            time.sleep(max(0.0, began + self._written / WRITES_A_SECOND - time.monotonic()))
            with self._place.writing:
                truth.change(self._place.write)
            self._written += 1
            if self._written % 10 == 0:
                loop.call_soon_threadsafe(self._probes.put_nowait, (truth.lately[-1], time.monotonic()))
        time.sleep(BOUND_S)  # the last ones too

    async def _worry(self) -> None:
        for share, what, happens in self._ahead:
            while self._written < share * self._writes:
                await asyncio.sleep(0.01)
            began = time.monotonic()
            await happens(self._place)
            if what and (self._place.postgres or happens is not postgres_is_killed):
                self._troubles.append(Trouble(what, began, time.monotonic()))

    async def _look(self, writing: asyncio.Future[None]) -> None:
        while not writing.done():
            lately = self._dice.random() < 0.5
            await self._ask(self._dice.choice(self._place.truth.lately) if lately else self._dice.randrange(NUMBERS))
            await asyncio.sleep(LOOK_EVERY_S)

    async def _probe(self) -> None:
        """How soon is one change of ten seen? Asked again and again until it is."""
        while True:
            number, since = await self._probes.get()
            while True:
                looked = await self._ask(number)
                if looked and looked.said == self._place.truth.now(number):
                    break
                await asyncio.sleep(0.001)
            self._shown.append((since, max(0.0, looked.asked_at - since)))
            while not self._probes.empty():  # those that waited for this one are late for that reason alone
                self._probes.get_nowait()

    async def _ask(self, number: int) -> Looked | None:
        asked = time.monotonic()
        answer = await self._engine.find(Caller(e164(number)), ANSWER_S)
        if isinstance(answer, Unavailable):
            self.unavailable += 1
            return None
        looked = Looked(number, asked, time.monotonic(), _said(answer))
        self._looked.append(looked)
        return looked

    def freshness(self, database: str, machine: Busy) -> Freshness:
        faults: list[str] = []
        oldest = dict.fromkeys([QUIET, *(trouble.what for trouble in self._troubles)], 0.0)
        old = 0
        for looked in self._looked:
            until = self._place.truth.true_until(looked)
            if until is None:
                faults.append(f"{e164(looked.number)} was never {looked.said}")
            elif until < looked.asked_at:
                old += 1
                trouble = self._trouble(until, looked.asked_at)
                age = max(0.0, looked.asked_at - max(until, trouble.over))
                oldest[trouble.what] = max(oldest[trouble.what], age * 1000)
                if age > BOUND_S:
                    faults.append(f"{looked.said} was {age:.1f} s old for {e164(looked.number)}")
        if not any(looked.said for looked in self._looked):
            faults.append("nobody was ever found")
        return Freshness(
            database=database,
            machine=machine,
            writes=self._written,
            lookups=len(self._looked),
            from_cache=self._engine.counters.found_in_cache + self._engine.counters.unknown_remembered,
            unavailable=self.unavailable,
            old=old,
            shown=distribution(
                shown * 1000 for since, shown in self._shown if self._trouble(since, since + shown) is NO_TROUBLE
            ),
            oldest=oldest,
            faults=tuple(faults),
        )

    def _trouble(self, since: float, until: float) -> Trouble:
        """The last one that began before `until` and was not yet long over at `since`."""
        touching = (each for each in self._troubles if each.began < until and since < each.over + BOUND_S)
        return max(touching, key=lambda each: each.over, default=NO_TROUBLE)


def _said(answer: Answer) -> Name:
    if not isinstance(answer, Found) or answer.chosen is None:
        return None
    manager = answer.chosen.manager
    return answer.chosen.name, manager.name if manager else ""


async def measure(place: Place, writes: int, troubles: Troubles, database: str) -> Freshness:
    async with contextlib.AsyncExitStack() as stack:
        engine = await compose.open_engine(stack, place.settings)
        while not place.followed():
            await asyncio.sleep(0.1)
        it = Run(place, engine, writes, troubles)
        with watching() as busy:
            await it.run()
        return it.freshness(database, busy)


def run(writes: int, tell: Callable[[str], None]) -> list[Freshness]:
    tell(f"\nfreshness: {writes} changes in plain SQL in each of three, about {writes / WRITES_A_SECOND:.0f} s each")
    measured = []
    for database, sentinels in (("SQLite", False), ("PostgreSQL", False), ("SQLite, Redis with sentinels", True)):
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ringcard-bench-")))
            postgres = _postgres(stack) if database == "PostgreSQL" else None
            url = postgres.new_database(TEMPLATE) if postgres else f"sqlite:///{folder}/ringcard.db"
            redis = _redis(stack, folder, sentinels)
            place = Place(folder, url, redis, postgres, Truth(random.Random(1)))
            stack.callback(place.close)
            place.start_worker()
            troubles = FAIL_OVERS if sentinels else TROUBLES
            measured.append(uvloop.run(measure(place, writes, troubles, database)))
        tell(measured[-1].text())
    return measured


def _redis(stack: contextlib.ExitStack, folder: Path, sentinels: bool) -> OwnServer | Sentinels:
    if sentinels:
        watched = Sentinels(folder / "redis")
        stack.callback(watched.end)
        watched.start()
        return watched
    alone = OwnServer(folder / "data")
    stack.callback(alone.stop)
    alone.start()
    return alone


def _postgres(stack: contextlib.ExitStack) -> PostgresServer:
    server = PostgresServer(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ringcard-pg-"))))
    stack.callback(server.stop)
    server.start()
    server.make_template()
    return server
