"""How many calls a second are held: a bare Dial(), the way through Ringcard with one worker and with two that share the
calls, in steps that take turns.

A step is held when no message had to be sent twice, every call was answered, and at Ringcard each also rang its
customer's manager with the name, had its card told to the desk and is in the log. The first step that is not held is
the end of that way; the last one that was is its knee. The bare Dial() has a PBX of its own, of which Ringcard hears
nothing. All the time SIPp plays callers and telephones on the same processors, and writes every message down.
"""

from __future__ import annotations

import asyncio
import os
import resource
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lookup.notices import Notice
from lookup.redis_notices import RedisNotices
from ringcard.from_settings import redis_url
from ringcard.lab import Lab
from ringcard.phones import Dialled, Message, Outcome, Phone, load
from tests.bench.distribution import Distribution, distribution
from tests.bench.machine import Busy, cpu_ms, watching
from tests.bench.people import Person, enter_managers, enter_shared_out, strangers
from tests.bench.supervised import processes, supervised
from tests.company import DIRECT, Company, now
from tests.phone_bank import PhoneBank

PLAIN = "plain"
WORKERS = {"1 worker": 1, "2 workers": 2}
"""The ways, by name, and how many workers each has."""

BARE, OWN_WAY = "101", "102"
MANAGERS = tuple(str(1001 + i) for i in range(400))
"""Who talks is not rung, so there are more of them than calls go on at once; the customers are shared out in turns."""

SETTINGS = f'[dids."{DIRECT}"]\npolicy = "route"\n'
TALK_S = 0.2
GIVE_UP_S = 15.0
LOG_S = 30.0
WARM_UP = 20
STEP = 25


@dataclass(frozen=True, slots=True)
class Step:
    way: str
    rate: int
    machine: Busy
    rang_ms: Distribution  # caller's INVITE to telephone's
    again: int  # messages that were sent twice
    lost: int  # calls that were not answered
    unrouted: int  # of Ringcard's: went the company's own way, or without the customer's name
    untold: int  # had no card told
    unlogged: int
    cpu_ms: Mapping[str, float]  # of each process for one call

    @property
    def held(self) -> bool:
        return not (self.again or self.lost or self.unrouted or self.untold or self.unlogged)

    @property
    def faults(self) -> tuple[str, ...]:
        """A slow step is a figure and no fault; a call that is not in the log is one at any pace."""
        if not self.unlogged:
            return ()
        return (f"{self.unlogged} calls of {self.rate} a second are not in the log",)

    def text(self) -> str:
        d = self.rang_ms
        wrong = {"sent twice": self.again, "not answered": self.lost, "own way": self.unrouted}
        wrong |= {"no card": self.untold, "not in the log": self.unlogged}
        said = ", ".join(f"{count} {what}" for what, count in wrong.items() if count) or "clean"
        cpu = " ".join(f"{name} {ms:.1f}" for name, ms in self.cpu_ms.items() if ms >= 0.05)
        return (
            f"  {self.rate:>4}/s {self.way:<11} rang after {d.median:.1f} ms, "
            f"p99 {d.p99:.0f}, max {d.max:.0f}; {said}; {self.machine}\n           ms of processor a call: {cpu}"
        )


@dataclass(frozen=True, slots=True)
class Site:
    """A PBX of its own, with Ringcard or without."""

    lab: Lab
    company: Company | None = None


async def measure(rates: Sequence[int], seconds: float, tell: Callable[[str], None]) -> list[Step]:
    people = [Person(i) for i in range(int(sum(rates) * seconds))]
    steps: list[Step] = []
    with tempfile.TemporaryDirectory(prefix="ringcard-bench-") as folder:
        async with AsyncExitStack() as stack:
            sites = {PLAIN: Site(stack.enter_context(Lab()))}
            for way, workers in WORKERS.items():
                lab = stack.enter_context(Lab(phones=(OWN_WAY, *MANAGERS)))
                ours = supervised(lab, Path(folder) / str(workers), SETTINGS, partial(_enter, people), workers)
                sites[way] = Site(lab, await stack.enter_async_context(ours))
            for site in sites.values():
                await _warm_up(site)
            left = iter(people)
            for rate in rates:
                callers = [next(left) for _ in range(int(rate * seconds))]
                for way, site in tuple(sites.items()):
                    steps.append(await _step(way, site, callers, rate))
                    tell(steps[-1].text())
                    if not steps[-1].held:
                        del sites[way]
    return steps


def _enter(people: Sequence[Person], company: Company) -> None:
    enter_shared_out(company.database, people, enter_managers(company.database, MANAGERS))


async def _warm_up(site: Site) -> None:
    async with Phone(site.lab, OWN_WAY if site.company else BARE):
        calls = [Dialled(each.number, DIRECT) for each in strangers(0, WARM_UP)]
        await load(site.lab, calls, way="trunk" if site.company else "plain")


async def _step(way: str, site: Site, callers: Sequence[Person], rate: int) -> Step:
    began, names = now(), {person.number: person.name for person in callers}
    lab, company = site.lab, site.company
    pids = processes(company) if company else {"Asterisk": lab.pid}
    async with AsyncExitStack() as stack:
        usual: Phone = PhoneBank(lab, MANAGERS) if company else Phone(lab, BARE)
        phone, other = [await stack.enter_async_context(each) for each in (usual, Phone(lab, OWN_WAY))]
        told = await stack.enter_async_context(_Told(company)) if company else None
        before = {name: cpu_ms(pid) for name, pid in pids.items()} | {"SIPp": _sipp_ms()}
        with watching() as busy:
            calls = [Dialled(person.number, DIRECT) for person in callers]
            outcomes = await load(
                lab, calls, rate=rate, way="trunk" if company else "plain", give_up_s=GIVE_UP_S, talk_s=TALK_S
            )
        after = {name: cpu_ms(pid) for name, pid in pids.items()} | {"SIPp": _sipp_ms()}
        unlogged = await _unlogged(company, began, names) if company else 0
        untold = len(names.keys() - told.numbers) if told else 0
        messages = [*phone.messages, *other.messages]
        routed = {invite.number: invite for invite in phone.invites}
        invites = routed | {invite.number: invite for invite in other.invites}
    return Step(
        way=way,
        rate=rate,
        machine=busy,
        rang_ms=_delays(outcomes, {number: invite.at for number, invite in invites.items()}),
        again=sent_twice([*messages, *(m for outcome in outcomes for m in outcome.messages)]),
        lost=sum(outcome.status != 200 for outcome in outcomes),
        unrouted=sum(n not in routed or i.name != names.get(n) for n, i in invites.items()) if company else 0,
        untold=untold,
        unlogged=unlogged,
        cpu_ms={name: (after[name] - before[name]) / len(calls) for name in after},
    )


def _delays(outcomes: Iterable[Outcome], rang_at: Mapping[str, float]) -> Distribution:
    rung = ((o.invited_at, rang_at.get(o.dialled.number)) for o in outcomes)
    return distribution((at - invited_at) * 1000 for invited_at, at in rung if at)


def sent_twice(messages: Iterable[Message]) -> int:
    """Messages that are there once more than once: somebody thought that the first one was lost."""
    seen = Counter((m.call_id, m.sent, m.first_line, m.header("CSeq")) for m in messages)
    return sum(count - 1 for count in seen.values())


async def _unlogged(company: Company, began: object, names: Mapping[str, str]) -> int:
    """Calls that are not in the log with an end, once it had its time."""
    missing = len(names)
    for _ in range(int(LOG_S)):
        rows = await asyncio.to_thread(company.logged, began)  # type: ignore[arg-type]
        missing = len(names.keys() - {row.caller_number for row in rows if row.outcome == "answered" and row.ended_at})
        if not missing:
            break
        await asyncio.sleep(1)
    return missing


class _Told:
    """Whose cards the desk is told of: callers with a customer whose call rings the telephone, from now on."""

    def __init__(self, company: Company) -> None:
        self.numbers: set[str] = set()
        self._notices = RedisNotices(redis_url(company.settings))

    async def __aenter__(self) -> _Told:
        last, _ = await self._notices.snapshot()
        self._reading = asyncio.create_task(self._read(last))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reading.cancel()
        await asyncio.wait({self._reading})
        await self._notices.close()

    async def _read(self, last: str) -> None:
        async for _, notice in self._notices.follow(last):
            if rings_manager(notice) and notice.call:
                self.numbers.add(notice.call.caller_number)


def rings_manager(notice: Notice) -> bool:
    call = notice.call
    return bool(call and call.customer_id and any(phone.endpoint in MANAGERS for phone in call.phones))


def _sipp_ms() -> float:
    """What SIPp has computed for us: the telephone that runs, and the callers that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    us = os.getpid()
    children = Path(f"/proc/{us}/task/{us}/children").read_text().split()
    running = [int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() == "sipp"]
    return (ended.ru_utime + ended.ru_stime) * 1000 + sum(map(cpu_ms, running))


def knee(steps: Iterable[Step], way: str) -> int:
    """The last rate that was held; 0: none was."""
    return max((step.rate for step in steps if step.way == way and step.held), default=0)


def summary(steps: Sequence[Step]) -> str:
    """Each way's knee, as a share of the bare Dial()'s, and what took the processors there."""
    plain = knee(steps, PLAIN)
    lines = [f"  held: {PLAIN} {plain}/s"]
    for way in WORKERS:
        ours, last = knee(steps, way), [step for step in steps if step.way == way][-1]
        largest = ", ".join(f"{name} {ms:.1f}" for name, ms in sorted(last.cpu_ms.items(), key=lambda of: -of[1])[:4])
        share = f", {100 * ours / plain:.0f} % of it" if plain else ""
        lines.append(f"  held: {way} {ours}/s{share}; at {last.rate}/s the processors went to, ms a call: {largest}")
    return "\n".join(lines)


def run(rates: Sequence[int], seconds: float, tell: Callable[[str], None]) -> list[Step]:
    tell(f"\nload: {seconds:g} s at each rate, a bare Dial() and Ringcard in turns, until none of them is held")
    steps = asyncio.run(measure(rates, seconds, tell))
    tell(summary(steps))
    return steps


def to_rate(most: int) -> list[int]:
    """Even steps up to it."""
    return list(range(STEP, most + 1, STEP))
