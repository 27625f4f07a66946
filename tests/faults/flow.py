"""One row: calls at a steady pace, the fault in the middle of them, and what was noticed of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ringcard.phones import Dialled, Outcome, load
from tests.accounts import Account, accounts, differences, rings
from tests.bench.machine import Busy, watching
from tests.bench.people import Person
from tests.company import DIRECT, now
from tests.faults.judging import Figures, figures
from tests.faults.rows import Fault
from tests.faults.site import Site, opened
from tests.fixtures.postgres import PostgresServer

TALKING = 10
"""Conversations that begin before the fault and end after it was mended."""

TALK_S = 0.5  # of the other calls
BROKEN, MENDED = 0.3, 0.6  # of the time that the calls take
GIVE_UP_S = 20.0
SETTLED_S = 0.5  # a card may be as late as that
PROBES, PROBE_S = 60, 0.5
"""After the flow single calls are made until all is as usual, at most so many, so far apart."""

LOG_S = 40.0
"""So long after the last call the log may still become right."""


@dataclass(frozen=True, slots=True)
class Row:
    fault: Fault
    figures: Figures
    machine: Busy
    left: tuple[str, ...]  # in Asterisk, when all was over
    said: tuple[str, ...]  # by our processes, and never to be said

    @property
    def right(self) -> bool:
        """What is promised: every call rang, no conversation ended before its time, and nobody was shown as another."""
        f = self.figures
        kept = self.fault.cuts or not (f.lost or f.cut or self.left)
        return kept and not self.said and not f.misnamed


async def row(fault: Fault, seed: PostgresServer, calls: int, rate: float) -> Row:
    """A company of its own, `calls` calls at `rate` a second, and those that talk through."""
    async with opened(fault.needs, seed, TALKING, calls + PROBES) as site:
        began, people, flow_s = now(), iter(site.people), calls / rate
        talk_s = flow_s + 5
        with watching() as busy:
            talking = asyncio.create_task(_play(site, site.talkers, TALKING, talk_s))
            await asyncio.sleep(2)
            flow = _play(site, [next(people) for _ in range(calls)], rate, TALK_S)
            made, mended_at = await asyncio.gather(flow, _trouble(site, fault, flow_s))
            made += await talking
        through = {person.number for person in site.talkers}

        async def judged() -> Figures:
            shown = [one for watcher in site.watchers for one in watcher.shown]
            rows = await asyncio.to_thread(site.company.logged, began)
            return figures(_told(site, made), through, talk_s, rows, shown, site.customers, mended_at)

        for person in people:
            await asyncio.sleep(SETTLED_S)
            seen = await judged()
            if seen.routed_again_s is not None and seen.carded_again_s is not None:
                break
            made += await _play(site, [person], rate, TALK_S)
        await _logged(site, began, _told(site, made))
        return Row(fault, await judged(), busy, tuple(_left(site)), tuple(site.company.mistakes()))


async def _trouble(site: Site, fault: Fault, flow_s: float) -> float:
    """In the middle of the flow; when it was over, as far as others than Ringcard can end it."""
    await asyncio.sleep(BROKEN * flow_s)
    broken_at = time.time()
    await asyncio.to_thread(fault.break_it, site)
    if fault.mend is None:
        return broken_at
    await asyncio.sleep((MENDED - BROKEN) * flow_s)
    await asyncio.to_thread(fault.mend, site)
    return time.time()


async def _play(site: Site, people: Sequence[Person], rate: float, talk_s: float) -> list[Outcome]:
    calls = [Dialled(person.number, DIRECT) for person in people]
    return await load(site.lab, calls, rate=rate, give_up_s=GIVE_UP_S, talk_s=talk_s)


def _told(site: Site, made: Iterable[Outcome]) -> list[Account]:
    return accounts(made, (rang for phone in site.phones for rang in rings(phone.messages)))


async def _logged(site: Site, began: datetime, told: Sequence[Account]) -> None:
    """Until the log is right, or has had its time."""
    deadline = time.monotonic() + LOG_S
    while differences(told, await asyncio.to_thread(site.company.logged, began)) and time.monotonic() < deadline:
        await asyncio.sleep(0.5)


def _left(site: Site, within_s: float = 10.0) -> list[str]:
    deadline = time.monotonic() + within_s
    while (left := site.lab.leftovers()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left
