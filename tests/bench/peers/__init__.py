"""Ringcard beside the other ways to name a caller: same customers, same telephone, same run.

Calls to all ways alternate, in an order that is drawn anew for each turn, and none begins while another goes on, so
that a way which keeps the processors busy takes nothing from the next. Each caller is another customer and each name
is read from the INVITE that the telephone got. Then each way is called alone for a while: what all processes compute
for a call, beyond what they do without one. At last a few callers whose numbers are not written as they stand in the
base.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ringcard import compose
from ringcard.lab import Lab
from ringcard.phones import Dialled, Invite, Outcome, Phone, PhoneError, load
from ringcard.redis_server import OwnServer
from tests.bench.calls import PHONE, enter_company, remember
from tests.bench.distribution import Distribution, distribution
from tests.bench.machine import Busy, cpu_ms, watching
from tests.bench.peers.base import CASES, Verdict, enter_special, make_crm, verdict
from tests.bench.peers.odbc import OdbcLab, find_driver
from tests.bench.peers.ways import PLAIN, ROUTED, Way, dialplan, extension, ways
from tests.bench.people import Person
from tests.company import Company

DESK_PORT = 18600
ROLES = ("ari", "worker", "desk", "agi")
PACE = 10  # calls in a second, of all ways together
WARM_UP = 3  # calls to each way before the measured ones
ALONE = 4  # of so many measured calls one more is made to the way alone
SIGNS: dict[Verdict, str] = {"right": "+", "wrong": "X", "none": "."}


@dataclass(frozen=True, slots=True)
class Row:
    """One way; times in milliseconds, INVITE at the trunk -> INVITE at the telephone."""

    delay: Distribution
    added_median: float  # to plain Dial() in the same run
    added_p90: float
    added_p99: float
    cpu_ms: float  # of one call, all processes together
    names: dict[Verdict, int]  # of the measured calls
    cases: dict[str, Verdict]  # without those that did not ring


@dataclass(frozen=True, slots=True)
class Round:
    machine: Busy
    customers: int
    ways: dict[str, Row]
    faults: tuple[str, ...]  # a call that did not ring, a wrong name by Ringcard; empty is right

    def text(self) -> str:
        calls = next(iter(self.ways.values())).delay.count
        heads = ("median", "p90", "p99", "CPU ms", *SIGNS)
        lines = [
            f"  {self.customers} customers, {calls} calls to each way; {self.machine}",
            f"  {'':<40}{''.join(f'{head:>8}' for head in heads)}  cases",
        ]
        for name, row in self.ways.items():
            if name == PLAIN:
                times = (f"{time:.1f}" for time in (row.delay.median, row.delay.p90, row.delay.p99))
                named = ""
            else:
                times = (f"{time:+.1f}" for time in (row.added_median, row.added_p90, row.added_p99))
                named = f"{''.join(f'{row.names[kind]:>8}' for kind in SIGNS)}  {signs(row)}"
            figures = "".join(f"{figure:>8}" for figure in (*times, f"{row.cpu_ms:.1f}"))
            lines.append(f"  {name:<40}{figures}{named}")
        lines += [f"  cases: {', '.join(f'{kind} {sign}' for kind, sign in SIGNS.items())}"]
        lines += [f"    {number:>2}  {case.what}" for number, case in enumerate(CASES, 1)]
        return "\n".join((*lines, *(f"  fault: {fault}" for fault in self.faults)))


def signs(row: Row) -> str:
    """How CASES ended, a sign for each."""
    return "".join(SIGNS[row.cases[case.what]] if case.what in row.cases else "?" for case in CASES)


@dataclass(frozen=True, slots=True)
class Call:
    way: int  # its place in the list
    dialled: Dialled
    right: str  # the name that may be shown; empty: none

    @classmethod
    def of(cls, way: int, person: Person) -> Call:
        return cls(way, Dialled(person.number, extension(way)), person.name)


@dataclass(frozen=True, slots=True)
class Rang:
    call: Call
    delay_ms: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Running:
    customers: int
    lab: Lab
    phone: Phone
    ways: list[Way]
    callers: list[list[Person]]  # for each way, nobody twice
    pids: tuple[int, ...]  # of all processes that take part in a call, without SIPp

    async def ring(self, calls: Sequence[Call], rate: float, faults: list[str]) -> list[Rang]:
        """One after the other; those that rang. What did not, or had a wrong name by Ringcard, is a fault."""
        before = len(self.phone.invites)
        made = await load(self.lab, [call.dialled for call in calls], rate=rate, way="plain", one_by_one=True)
        invites = self.phone.invites[before:]
        both = list(zip(calls, made, strict=True))
        faults += [f"{self.text(call)} ended with {o.status or 'nothing'}" for call, o in both if o.status != 200]
        answered = [(call, outcome) for call, outcome in both if outcome.status == 200]
        if len(invites) != len(answered):
            raise PhoneError(f"{len(answered)} answered calls rang {len(invites)} times; {'; '.join(faults)}")
        rang = [_rang(call, outcome, invite) for (call, outcome), invite in zip(answered, invites, strict=True)]
        wrong = (each.call for each in rang if each.verdict == "wrong" and self.ways[each.call.way].ours)
        faults += [f"{self.text(call)} showed a wrong name" for call in wrong]
        return rang

    def text(self, call: Call) -> str:
        return f"the call from {call.dialled.number} by {self.ways[call.way].name!r}"

    def cpu_ms(self) -> float:
        return sum(map(cpu_ms, self.pids))


def _rang(call: Call, outcome: Outcome, invite: Invite) -> Rang:
    return Rang(call, (invite.at - outcome.invited_at) * 1000, verdict(invite, call.right))


async def measure(
    customers: int, calls: int, rate: float, tell: Callable[[str], None], *, fetch: bool = True, ours: bool = True
) -> Round:
    """One round: `calls` to each way, `rate` a second in all, with a PBX and processes of its own.

    fetch: from Debian's archive what func_odbc needs, when it is not there. Without `ours` no process of Ringcard is
    started, which takes the longest, and only the other ways are measured.
    """
    alone = max(1, calls // ALONE)
    with tempfile.TemporaryDirectory(prefix="ringcard-bench-") as folder:
        driver = find_driver(tell, fetch=fetch)
        async with serving(Path(folder), customers, WARM_UP + calls + alone, driver, ours=ours) as it:
            faults: list[str] = []
            await it.ring(_alternating(it.callers, 0, WARM_UP), rate, faults)
            with watching() as busy:
                rang = await it.ring(_alternating(it.callers, WARM_UP, calls), rate, faults)
            idle = await _idle(it, alone / rate)
            spent = [await _alone(it, way, alone, rate, faults, idle) for way in range(len(it.ways))]
            cases = [await _cases(it, way, rate, faults) for way in range(len(it.ways))]
    delays = [distribution(each.delay_ms for each in rang if each.call.way == way) for way in range(len(it.ways))]
    plain = delays[0]
    rows = {
        way.name: Row(
            delay=delays[i],
            added_median=delays[i].median - plain.median,
            added_p90=delays[i].p90 - plain.p90,
            added_p99=delays[i].p99 - plain.p99,
            cpu_ms=spent[i],
            names=_counted(each.verdict for each in rang if each.call.way == i),
            cases=cases[i],
        )
        for i, way in enumerate(it.ways)
    }
    return Round(busy, it.customers, rows, tuple(faults))


def _alternating(callers: Sequence[Sequence[Person]], first: int, turns: int) -> list[Call]:
    drawn = random.Random(first)
    places = range(len(callers))
    return [
        Call.of(way, callers[way][turn])
        for turn in range(first, first + turns)
        for way in drawn.sample(places, len(places))
    ]


async def _idle(it: Running, seconds: float) -> float:
    """What all processes compute without a call: milliseconds in a second."""
    before = it.cpu_ms()
    await asyncio.sleep(seconds)
    return (it.cpu_ms() - before) / seconds


async def _alone(it: Running, way: int, calls: int, rate: float, faults: list[str], idle: float) -> float:
    """The last of its callers call this way alone; milliseconds of processor time for a call."""
    before, began = it.cpu_ms(), time.monotonic()
    await it.ring([Call.of(way, person) for person in it.callers[way][-calls:]], rate, faults)
    return (it.cpu_ms() - before - idle * (time.monotonic() - began)) / calls


async def _cases(it: Running, way: int, rate: float, faults: list[str]) -> dict[str, Verdict]:
    if not it.ways[way].names:
        return {}
    asked = {Call(way, replace(case.call, did=extension(way)), case.right): case.what for case in CASES}
    return {asked[each.call]: each.verdict for each in await it.ring(list(asked), rate, faults)}


def _counted(verdicts: Iterable[Verdict]) -> dict[Verdict, int]:
    counts = Counter(verdicts)
    return {kind: counts[kind] for kind in SIGNS}


@asynccontextmanager
async def serving(
    folder: Path, customers: int, callers_each: int, driver: Path | None, *, ours: bool
) -> AsyncIterator[Running]:
    """A PBX with every way, a CRM, and Ringcard as a company runs it: all with the same customers."""
    crm, plan = folder / "crm.db", folder / "peers.conf"
    lab = OdbcLab(crm, driver, dialplan=plan) if driver else Lab(dialplan=plan)
    async with AsyncExitStack() as stack:
        stack.callback(lab.stop)
        redis = stack.enter_context(OwnServer(folder / "data"))
        routed = f'[dids."{ROUTED}"]\npolicy = "route"'
        company = Company(lab, folder, DESK_PORT, redis_url=redis.url, more=routed)
        stack.callback(company.close)
        endpoint = await stack.enter_async_context(_endpoint(crm))
        assert endpoint.stdout is not None
        every = ways(company, crm, int(await endpoint.stdout.readline()), odbc=driver is not None)
        compared = [way for way in every if ours or not way.ours]
        people = [Person(i) for i in range(max(customers, len(compared) * callers_each))]
        callers = [people[i * callers_each : (i + 1) * callers_each] for i in range(len(compared))]
        make_crm(crm, people, compose.reader(company.settings))
        plan.write_text(dialplan(compared))
        lab.start()
        if ours:
            in_redis = [who for way, who in zip(compared, callers, strict=True) if way.in_redis]
            await _start(company, people, [person for who in in_redis for person in who])
        phone = await stack.enter_async_context(Phone(lab, PHONE))
        pids = (lab.pid, endpoint.pid, redis.pid or 0, *(company.pid(role) for role in ROLES if ours))
        yield Running(len(people), lab, phone, compared, callers, pids)


async def _start(company: Company, people: Sequence[Person], in_redis: Sequence[Person]) -> None:
    enter_company(company, people)
    enter_special(company)
    company.lab.set_global("RINGCARD_BEFORE", "plain")
    company.start(*ROLES)
    await company.listening()
    await company.desk_ready()
    await remember(company, in_redis)


@asynccontextmanager
async def _endpoint(crm: Path) -> AsyncIterator[Process]:
    command = (sys.executable, "-m", "tests.bench.peers.endpoint", crm)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


def run(rounds: int, customers: int, calls: int, tell: Callable[[str], None]) -> list[Round]:
    tell(
        f"\npeers: {calls} calls to each way, {PACE} a second in all, one after the other\n"
        "INVITE at the trunk -> INVITE at the telephone, and what the others add to plain Dial(); ms"
    )
    measured = []
    for number in range(1, rounds + 1):
        measured.append(asyncio.run(measure(customers, calls, PACE, tell)))
        tell(f"\nround {number} of {rounds}\n{measured[-1].text()}")
    return measured
