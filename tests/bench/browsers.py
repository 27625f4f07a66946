"""Many browsers at one desk process: how soon each is told of a call, and what they cost.

Each browser is its event stream, as the worker that the tabs of a browser share has one: a connection of its own, with
the session of a person of its own, who sits at a phone of their own. Some look after all others and see every call. The
notices are published into Redis as the telephone's side does it, so a time is from there to the bytes at the browser.
The clock is one: all is on one machine, the readers in a process of their own beside the desk's.
"""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from starlette.responses import Response

from desk.directory import People
from desk.sessions import Sessions
from desk.store import Store
from lookup.notices import LiveCall
from lookup.redis_notices import RedisNotices
from records.database import writing
from records.tables import Customer, User
from records.users import add_user, seat
from ringcard.from_settings import redis_url
from ringcard.lab import NODE, Lab
from ringcard.redis_server import OwnServer
from tests.bench.distribution import Distribution, distribution, rows
from tests.bench.machine import Busy, cpu_ms, watching
from tests.bench.pace import beats
from tests.company import Company
from tests.fixtures.desk import PASSWORD, answered, ended, live_call, notice

DESK_PORT = 18640
OVERSEERS = 0.04  # of all, at least one
CUSTOMERS = 200
GROUP = 20  # phones that one call rings
CALM, BUSY = 1.0, 20.0
"""Calls a second. Each is told of three times: it rings, it is answered, it is over."""

PATIENCE_S = 30.0
KINDS = ("ringing", "answered", "ended")


@dataclass
class Reader:
    """One browser's stream. What it was told of calls, with the moment when the last byte of it was there."""

    cookie: str
    got: list[tuple[str, int, float]] = field(default_factory=list)

    async def read(self, address: str, ready: asyncio.Event) -> None:
        """Until the server ends it."""
        url = urlsplit(address)
        source, target = await asyncio.open_connection(url.hostname, url.port)
        asked = f"GET /api/v1/events?pieces=true HTTP/1.1\r\nHost: {url.netloc}\r\nCookie: {self.cookie}\r\n\r\n"
        target.write(asked.encode())
        kind = ""
        try:
            while line := await source.readline():
                if line.startswith(b"event: "):
                    kind = line[7:].strip().decode()
                    if kind in ("snapshot", "heartbeat"):
                        ready.set()
                elif line.startswith(b"data: ") and kind in KINDS:
                    now = time.time()
                    data = orjson.loads(line[6:])
                    self.got.append((data["call_id"], data["version"], now))
        finally:
            target.close()


@dataclass(frozen=True)
class Desk:
    """The process, and who reads at it."""

    company: Company
    notices: RedisNotices
    phones: Sequence[str]  # of the agents
    customers: Sequence[tuple[int, str]]  # id and number
    agents: Sequence[Reader]
    overseers: Sequence[Reader]

    @property
    def pid(self) -> int:
        return self.company.pid("desk")

    @property
    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@dataclass(frozen=True)
class Pace:
    """One rate. Times in milliseconds, from publishing to the bytes at the browser."""

    rate: float
    calls: int
    theirs: Distribution  # at the agents whose phones ring
    group: Distribution | None  # of these, of calls that ring many at once
    overseen: Distribution  # at those who see all
    processor_ms: float  # of the desk, for one call with its three notices
    machine: Busy
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Round:
    count: int
    empty_mb: float
    connected_mb: float
    after_mb: float
    paces: tuple[Pace, ...]

    @property
    def stream_kb(self) -> float:
        return (self.connected_mb - self.empty_mb) * 1024 / self.count

    @property
    def faults(self) -> tuple[str, ...]:
        return tuple(fault for pace in self.paces for fault in pace.faults)

    def text(self) -> str:
        lines = [
            f"  {self.count} browsers; desk {self.empty_mb:.0f} MB without them, {self.connected_mb:.0f} MB with them "
            f"({self.stream_kb:.0f} KB each), {self.after_mb:.0f} MB afterwards"
        ]
        for pace in self.paces:
            named = {"published -> whose phone rings": pace.theirs, "published -> who sees all": pace.overseen}
            named |= {f"  rings {GROUP} phones at once": pace.group} if pace.group else {}
            verdict = f"{len(pace.faults)} FAULTS" if pace.faults else "each was told of each call of theirs once"
            lines.append(
                f"  {pace.rate:g} calls a second, {pace.calls} calls: {verdict}; "
                f"desk computes {pace.processor_ms:.1f} ms a call, "
                f"{pace.processor_ms * pace.rate / 10:.0f} % of a core; {pace.machine}"
            )
            lines += [*rows(named, "ms", 1), *(f"  fault: {fault}" for fault in pace.faults[:20])]
        return "\n".join(lines)


async def measure(count: int, seconds: float, tell: Callable[[str], None]) -> Round:
    _open_files(count)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ringcard-bench-")))
        lab = stack.enter_context(Lab())
        redis = stack.enter_context(OwnServer(folder / "data"))
        company = Company(lab, folder, DESK_PORT, redis_url=redis.url)
        stack.callback(company.close)
        overseers = max(1, int(count * OVERSEERS))
        phones, users, customers = _enter(company, count - overseers, overseers)
        company.start("desk")
        await company.desk_ready()
        readers = [Reader(cookie) for cookie in await _signed_in(company, users)]
        notices = RedisNotices(redis_url(company.settings))
        stack.push_async_callback(notices.close)
        desk = Desk(company, notices, phones, customers, readers[: len(phones)], readers[len(phones) :])
        await _warm(desk)
        empty = desk.memory_mb
        await _connected(stack, company.settings.public_url, readers)
        connected = desk.memory_mb
        tell(f"  {count} browsers are connected")
        paces = [await _at_pace(desk, rate, seconds) for rate in (CALM, BUSY)]
        return Round(count, empty, connected, desk.memory_mb, tuple(paces))


def _enter(company: Company, agents: int, overseers: int) -> tuple[list[str], list[int], list[tuple[int, str]]]:
    phones = [f"9{i:04}" for i in range(agents)]
    with writing(company.database) as session:
        first = add_user(session, "agent0", "Agent 0", PASSWORD)  # one password is hashed, and is everybody's
        some = [(f"agent{i}", f"Agent {i}", "agent") for i in range(1, agents)]
        some += [(f"boss{i}", f"Boss {i}", "administrator") for i in range(overseers)]
        kept = {"password_hash": first.password_hash, "created_at": first.created_at}
        people = [first, *(User(login=login, name=name, role=role, **kept) for login, name, role in some)]
        session.add_all(people)
        session.flush()
        for user, phone in zip(people, phones, strict=False):
            seat(session, user.id, NODE, phone)
        users = [user.id for user in people]
    names = company.customers(CUSTOMERS, users[0])
    with writing(company.database) as session:
        by_name = {customer.name: customer.id for customer in session.query(Customer)}
    return phones, users, [(by_name[name], number) for number, name in names.items()]


async def _signed_in(company: Company, users: Sequence[int]) -> list[str]:
    """A session for each, as the sign-in makes it; hashing so many passwords is not what is measured."""
    store = Store(company.database)
    people = People(store)
    sessions = Sessions(company.settings, company.settings.desk.secret, people, store)
    cookies = []
    accounts = [await people.account(user_id) for user_id in users]  # before the first session has them read anew
    for account in accounts:
        assert account is not None
        response = Response()
        await sessions.begin(response, account)
        cookies.append(response.headers["set-cookie"].partition(";")[0])
    await store.close()
    return cookies


async def _connected(stack: AsyncExitStack, address: str, readers: Sequence[Reader]) -> None:
    """Each has its stream; a few at a time, as people come to work."""
    ready = [asyncio.Event() for _ in readers]
    tasks = []
    for reader, is_ready in zip(readers, ready, strict=True):
        tasks.append(asyncio.create_task(reader.read(address, is_ready)))
        if len(tasks) % 20 == 0:
            await asyncio.wait_for(is_ready.wait(), PATIENCE_S)
    await asyncio.wait_for(asyncio.gather(*(one.wait() for one in ready)), PATIENCE_S)

    async def end() -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    stack.push_async_callback(end)


async def _warm(desk: Desk) -> None:
    """A call that nobody reads, so that what is made once is made."""
    call = live_call(desk.customers[0][1], desk.phones[0], customers=(desk.customers[0][0],), node=NODE)
    for state in (call, ended(call)):
        desk.notices.publish(notice(state))
    await asyncio.sleep(1)


async def _at_pace(desk: Desk, rate: float, seconds: float) -> Pace:
    """Calls at this pace; every tenth rings many phones."""
    for reader in (*desk.agents, *desk.overseers):
        reader.got.clear()
    published: dict[tuple[str, int], float] = {}
    rung: dict[str, tuple[int, ...]] = {}
    began = cpu_ms(desk.pid)
    count = max(10, int(rate * seconds))
    telling: list[asyncio.Task[None]] = []
    with watching() as busy:
        async for i in beats(rate, count):
            first = i * 7 % len(desk.phones)
            some = GROUP if i % 10 == 9 else 1
            places = tuple((first + n) % len(desk.phones) for n in range(min(some, len(desk.phones))))
            customer_id, number = desk.customers[i % len(desk.customers)]
            call = live_call(number, *(desk.phones[at] for at in places), customers=(customer_id,), node=NODE)
            rung[call.call_id] = places
            telling.append(asyncio.create_task(_one_call(desk, call, published)))
        await asyncio.gather(*telling)
        await _all_told(desk, rung)
    return _evaluate(desk, rate, published, rung, (cpu_ms(desk.pid) - began) / count, busy)


async def _one_call(desk: Desk, call: LiveCall, published: dict[tuple[str, int], float]) -> None:
    taken = answered(call, call.phones[0].endpoint)
    for state, pause_s in ((call, 0.3), (taken, 0.4), (ended(taken), 0.0)):
        published[state.call_id, state.version] = time.time()
        desk.notices.publish(notice(state))
        await asyncio.sleep(pause_s)


async def _all_told(desk: Desk, rung: Mapping[str, tuple[int, ...]]) -> None:
    """Until nothing is lacking any more, or nothing has come for a while."""
    wanted = 3 * (sum(map(len, rung.values())) + len(rung) * len(desk.overseers))
    had, since = -1, time.monotonic()
    while time.monotonic() - since < 3:
        now = sum(len(reader.got) for reader in (*desk.agents, *desk.overseers))
        if now >= wanted:
            return
        if now != had:
            had, since = now, time.monotonic()
        await asyncio.sleep(0.05)


def _evaluate(
    desk: Desk,
    rate: float,
    published: Mapping[tuple[str, int], float],
    rung: Mapping[str, tuple[int, ...]],
    processor_ms: float,
    busy: Busy,
) -> Pace:
    mine: dict[int, list[str]] = defaultdict(list)
    for call_id, places in rung.items():
        for at in places:
            mine[at].append(call_id)
    faults, theirs, group = [], [], []
    for at, reader in enumerate(desk.agents):
        faults += _differs(f"agent {at}", reader, mine[at])
        for call_id, version, when in reader.got:
            late = (when - published[call_id, version]) * 1000
            theirs.append(late)
            if len(rung.get(call_id, ())) > 1:
                group.append(late)
    overseen = []
    for at, reader in enumerate(desk.overseers):
        faults += _differs(f"overseer {at}", reader, [*rung])
        overseen += [(when - published[call_id, version]) * 1000 for call_id, version, when in reader.got]
    many = distribution(group) if group else None
    figures = (distribution(theirs), many, distribution(overseen))
    return Pace(rate, len(rung), *figures, processor_ms, busy, tuple(faults))


def _differs(who: str, reader: Reader, wanted: Sequence[str]) -> list[str]:
    """Each of their calls three times, and no other."""
    got = Counter((call_id, version) for call_id, version, _ in reader.got)
    due = {(call_id, version) for call_id in wanted for version in (1, 2, 3)}
    faults = [f"{who} was not told of {one}" for one in due - got.keys()]
    faults += [f"{who} was told of {one}, which is not theirs" for one in got.keys() - due]
    return faults + [f"{who} was told {times} times of {one}" for one, times in got.items() if times > 1]


def _open_files(count: int) -> None:
    """Every browser is a file here, and another one at the desk, which begins with our limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 500
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def run(count: int, seconds: float, tell: Callable[[str], None]) -> list[Round]:
    tell(f"\nbrowsers: {count} event streams at one desk process, {CALM:g} and {BUSY:g} calls a second")
    measured = [asyncio.run(measure(count, seconds, tell))]
    tell(f"\n{measured[-1].text()}")
    return measured
