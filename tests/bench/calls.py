"""What Ringcard adds to a call: from the INVITE at the trunk to the INVITE at the telephone, beside a bare Dial().

Two callers play at once, one through Ringcard and one to a context that is nothing but `Dial(PJSIP/101)`, so that
their calls alternate and whatever else the machine does hits both alike. Every second of the bare Dial()s gives the
telephone the three headers that Ringcard gives it (icon, card, vCard): Asterisk runs a subroutine for them and waits
for it. Each call through Ringcard is the whole of it: looked up, named, routed to the manager's telephone, given its
links, followed, told to the desk and written into the log. Half of the callers' cards wait in Redis, the others have
to come from the database. Times are SIPp's, of the wire.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median

import orjson

from lookup.answers import Caller
from records.changes import pending
from records.database import open_database
from records.migrate import migrate
from ringcard import compose
from ringcard.lab import Lab
from ringcard.phones import Dialled, Invite, Outcome, Phone, load
from ringcard.redis_server import OwnServer
from tests.bench.distribution import Distribution, distribution, rows
from tests.bench.machine import Busy, cpu_ms, watching
from tests.bench.people import Person, enter, enter_manager, strangers
from tests.company import Company

PHONE = "101"
DID = "+85523900003"
"""Routed to the manager at 101; the company's own way, which a call goes that we are late for, rings that phone too."""

WITH_CARD = "*1"
"""What the plain caller dials for a Dial() that gives the telephone a card's headers."""

DESK_PORT = 18580
ROLES = ("worker", "desk", "agi")
WARM_UP = 10  # calls of each kind before the measured ones: Asterisk's and our first calls are slower
READY_S = 20.0


@dataclass(frozen=True, slots=True)
class Round:
    """Times in milliseconds, INVITE at the trunk -> INVITE at the telephone."""

    machine: Busy
    plain: Distribution
    plain_with_card: Distribution
    ringcard: Distribution
    card_in_redis: Distribution  # of these
    card_in_database: Distribution
    added_median: float  # Ringcard's minus plain's
    added_p99: float
    added_to_card_median: float  # the same, beside a plain Dial() that gives the telephone the same headers
    added_to_card_p99: float
    in_app: Distribution  # StasisStart -> Asterisk's answer that the call goes on
    cpu_ms: dict[str, float]  # by process, for one call through Ringcard and the plain one beside it
    apart_ms: float  # of a call through Ringcard from the plain one before it; the median
    unnamed: int  # rang without a name: the lookup took longer than its budget of 150 ms
    faults: tuple[str, ...]  # calls that did not ring once, or showed another's name; empty is right

    def text(self) -> str:
        named = {
            "plain Dial": self.plain,
            "plain Dial with a card's headers": self.plain_with_card,
            "through Ringcard": self.ringcard,
            "  its card in Redis": self.card_in_redis,
            "  its card in the database": self.card_in_database,
            "inside: StasisStart -> continued": self.in_app,
        }
        calls = self.ringcard.count
        verdict = f"{len(self.faults)} FAULTS" if self.faults else f"all {2 * calls} calls rang"
        return "\n".join(
            (
                f"  {verdict}, {calls - self.unnamed} of {calls} with their own name; {self.machine}",
                f"  each call through Ringcard {self.apart_ms:.0f} ms after a plain one",
                *rows(named, "ms", 2),
                f"  {'added by Ringcard':<40}{self.added_median:>9.2f}{'':9}{self.added_p99:>9.2f}",
                f"  {'  to a Dial that has the headers too':<40}{self.added_to_card_median:>9.2f}"
                f"{'':9}{self.added_to_card_p99:>9.2f}",
                "  computing for one call of each: "
                + ", ".join(f"{name} {ms:.1f} ms" for name, ms in self.cpu_ms.items()),
                *(f"  fault: {fault}" for fault in self.faults),
            )
        )


async def measure(calls: int, rate: float) -> Round:
    """One round: `calls` of each kind, `rate` of each in a second, with a PBX and processes of its own."""
    with tempfile.TemporaryDirectory(prefix="ringcard-bench-") as folder, Lab() as lab:
        async with serving(lab, Path(folder), calls) as running, Phone(lab, PHONE) as phone:
            await both(lab, strangers(0, WARM_UP), strangers(WARM_UP, WARM_UP), rate)
            before = {name: cpu_ms(pid) for name, pid in running.pids.items()}
            with watching() as busy:
                named, plain = await both(lab, running.people, strangers(2 * WARM_UP, calls), rate)
            spent = {name: (cpu_ms(pid) - before[name]) / calls for name, pid in running.pids.items()}
            invites = phone.invites
        return evaluate(running, named, plain, invites, busy, spent)


@dataclass(frozen=True, slots=True)
class Running:
    people: list[Person]
    pids: dict[str, int]
    times: Path  # the stopwatch's, written when its process has ended


@asynccontextmanager
async def serving(lab: Lab, folder: Path, calls: int) -> AsyncIterator[Running]:
    """Ringcard as a company runs it, with `calls` customers."""
    times = folder / "times"
    with OwnServer(folder / "data") as redis:
        company = Company(lab, folder, DESK_PORT, redis_url=redis.url)
        with company.file.open("a") as settings:
            settings.write(f'[dids."{DID}"]\npolicy = "route"\n')
        people = [Person(i) for i in range(calls)]
        enter_company(company, people)
        with (folder / "ari.log").open("wb") as log:
            timed = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.bench.timed_ari", company.file, times),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            company.start(*ROLES)
            await company.listening()
            await company.desk_ready()
            await remember(company, people[::2])
            processes = {role: company.pid(role) for role in ROLES}
            servers = {"Redis": redis.pid or 0, "Asterisk": lab.pid}
            yield Running(people, {"ari": timed.pid, **processes, **servers}, times)
        finally:
            timed.terminate()
            await timed.wait()
            company.stop()


def enter_company(company: Company, people: Sequence[Person]) -> None:
    database = open_database(company.settings.database_url)
    try:
        migrate(database)
        enter(database, people, enter_manager(database, PHONE))
    finally:
        database.dispose()


async def remember(company: Company, people: Iterable[Person]) -> None:
    """Let Redis have the cards of these, as if they had called before.

    For some seconds after they were entered it takes none: the worker has told it that they are new.
    """
    await company.until(lambda: not pending(company.database), "no change that Redis was not told of")
    async with AsyncExitStack() as stack:
        engine = await compose.open_engine(stack, company.settings)
        for person in people:
            while getattr(await engine.find(Caller(person.number), READY_S), "source", "") != "cache":
                await asyncio.sleep(0.01)


async def both(
    lab: Lab, named: Sequence[Person], plain: Sequence[Person], rate: float
) -> tuple[list[Outcome], list[Outcome]]:
    """Calls of these through Ringcard, and of those without it, half a beat apart."""

    async def later() -> list[Outcome]:
        await asyncio.sleep(0.5 / rate)
        return await load(lab, [Dialled(each.number, DID) for each in named], rate=rate, way="trunk")

    bare = [Dialled(each.number, did) for each, did in zip(plain, cycle((DID, WITH_CARD)), strict=False)]
    first = asyncio.create_task(load(lab, bare, rate=rate, way="plain"))
    return await later(), await first


def evaluate(
    running: Running,
    named: Sequence[Outcome],
    plain: Sequence[Outcome],
    invites: Sequence[Invite],
    busy: Busy,
    spent: dict[str, float],
) -> Round:
    people = running.people
    in_app: dict[str, float] = orjson.loads(running.times.read_bytes())
    rang = {invite.number: invite for invite in invites}

    def delays(outcomes: Iterable[Outcome]) -> Distribution:
        rung = ((o, rang.get(o.dialled.number)) for o in outcomes)
        return distribution((invite.at - o.invited_at) * 1000 for o, invite in rung if invite)

    without, with_card, through = delays(plain[::2]), delays(plain[1::2]), delays(named)
    return Round(
        machine=busy,
        plain=without,
        plain_with_card=with_card,
        ringcard=through,
        card_in_redis=delays(named[::2]),
        card_in_database=delays(named[1::2]),
        added_median=through.median - without.median,
        added_p99=through.p99 - without.p99,
        added_to_card_median=through.median - with_card.median,
        added_to_card_p99=through.p99 - with_card.p99,
        in_app=distribution(in_app[person.number] for person in people if person.number in in_app),
        cpu_ms=spent,
        apart_ms=_apart(named, plain),
        unnamed=sum(not rang[person.number].name for person in people if person.number in rang),
        faults=(*_not_rung_once([*named, *plain], invites), *_wrong_names(people, rang)),
    )


def _apart(named: Sequence[Outcome], plain: Sequence[Outcome]) -> float:
    gaps = []
    for outcome in named:
        before = [p.invited_at for p in plain if p.invited_at <= outcome.invited_at]
        gaps += [outcome.invited_at - before[-1]] if before else []
    return median(gaps) * 1000 if gaps else 0.0


def _not_rung_once(outcomes: Iterable[Outcome], invites: Iterable[Invite]) -> list[str]:
    times = Counter(invite.number for invite in invites)
    return [
        f"the call from {o.dialled.number} rang {times[o.dialled.number]} times and ended with {o.status or 'nothing'}"
        for o in outcomes
        if times[o.dialled.number] != 1 or o.status != 200
    ]


def _wrong_names(people: Iterable[Person], rang: dict[str, Invite]) -> list[str]:
    shown = [(person, rang[person.number]) for person in people if person.number in rang]
    if not any(invite.name for _, invite in shown):
        return ["no call had a name"]
    return [
        f"the call from {person.number} showed {invite.name!r} and {invite.asserted_name!r}, not {person.name!r}"
        for person, invite in shown
        if {invite.name, invite.asserted_name} not in ({person.name}, {""})
    ]


def run(rounds: int, calls: int, rate: float, tell: Callable[[str], None]) -> list[Round]:
    tell(
        f"\ncalls: {calls} through Ringcard, {rate:g} a second, alternating with as many bare Dial()\n"
        "INVITE at the trunk -> INVITE at the telephone"
    )
    measured = []
    for number in range(1, rounds + 1):
        measured.append(asyncio.run(measure(calls, rate)))
        tell(f"\nround {number} of {rounds}\n{measured[-1].text()}")
    return measured
