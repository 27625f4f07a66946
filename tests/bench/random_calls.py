"""Thousands of random calls, and the log held against what callers and telephones say of each of them.

Who calls (a customer of one of four managers, a stranger, somebody who withholds the number), which of the company's
numbers, how patient they are and how long they talk is drawn, and the telephones do what the digits of the caller's
number say. With kills a random part of Ringcard is killed every few seconds. The seed repeats the calls, but not to the
millisecond.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from records.customers import add_customer
from records.database import writing
from ringcard import compose
from ringcard.lab import Lab
from ringcard.phones import Dialled, Outcome, Withheld, load
from tests.accounts import Account, accounts, differences, rings
from tests.bench.machine import Busy, watching
from tests.bench.supervised import supervised
from tests.company import DIRECT, FAX, GROUP, MENU, QUEUE, Company, now
from tests.moody_phone import MoodyPhone

Choice = TypeVar("Choice")
PHONES = ("101", "102", "103", "104", "105", "106")
MANAGERS = ("101", "103", "104", "105")
RING_S = 2
SETTINGS = f"""
[routing]
ring_s = {RING_S}
group_ring_s = {RING_S}
[dids."{DIRECT}"]
policy = "route"
[dids."{GROUP}"]
policy = "name"
[dids."{FAX}"]
policy = "leave"
"""
DIDS = {DIRECT: 40, MENU: 15, GROUP: 25, QUEUE: 15, FAX: 5}
"""The company's numbers, and how many of a hundred calls each."""

WITHHELD: Mapping[Withheld, int] = {"": 90, "anonymous": 4, "privacy": 4, "empty": 2}
KNOWN = 0.7  # of those who show a number

AT_ONCE = 500  # calls, then the telephones' accounts are taken in
LOG_S = 60.0
SHOWN = 20  # differences


@dataclass(frozen=True, slots=True)
class Temper:
    """How a caller is: gives up after so long without an answer, hangs up after having talked so long."""

    give_up_s: float
    talk_s: float


TEMPERS = {
    Temper(30.0, 0.4): 40,
    Temper(30.0, 2.0): 25,
    Temper(30.0, 4.0): 10,
    Temper(1.0, 1.0): 15,  # gives up while it rings
    Temper(0.1, 1.0): 10,  # before it rings, or nearly
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """One call to be made."""

    dialled: Dialled
    temper: Temper
    manager: str  # phone of the customer's manager; empty: not a customer


def draw(count: int, seed: int) -> list[Drawn]:
    """The same calls for the same seed. Every number is one of its own."""
    dice = random.Random(seed)
    numbers = dice.sample(range(10**6), count)
    return [_drawn(dice, i, f"+855962{number:06}") for i, number in enumerate(numbers)]


def _drawn(dice: random.Random, i: int, number: str) -> Drawn:
    withheld = _one_of(dice, WITHHELD)
    manager = dice.choice(MANAGERS) if dice.random() < KNOWN else ""
    name = f"Nobody {i:05}" if withheld else dice.choice(("", "", f"caller {i:05}", 'Sok "Dara", Ltd.'))
    return Drawn(Dialled(number, _one_of(dice, DIDS), name, withheld), _one_of(dice, TEMPERS), manager)


def _one_of(dice: random.Random, weights: Mapping[Choice, int]) -> Choice:
    return dice.choices(list(weights), list(weights.values()))[0]


@dataclass(frozen=True, slots=True)
class Run:
    machine: Busy
    outcomes: Mapping[str, int]  # by the telephones
    kills: Mapping[str, int]
    wrong: Mapping[str, Sequence[str]]
    faults: tuple[str, ...]

    def text(self) -> str:
        calls = sum(self.outcomes.values())
        what = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        kills = ", ".join(f"{part} {count} times" for part, count in sorted(self.kills.items())) or "nothing"
        more = [f"  ... and {len(self.wrong) - SHOWN} more"] if len(self.wrong) > SHOWN else []
        return "\n".join(
            (
                f"  {calls} calls: {what}; killed: {kills}; {self.machine}",
                f"  the log differs in {len(self.wrong)}",
                *(f"  {key}: {'; '.join(words)}" for key, words in list(self.wrong.items())[:SHOWN]),
                *more,
            )
        )


async def measure(count: int, rate: float, seed: int, kills: bool, tell: Callable[[str], None]) -> Run:
    drawn = draw(count, seed)
    told: list[Account] = []
    killed: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="ringcard-bench-") as folder, Lab(ring_s=RING_S) as lab:
        async with supervised(lab, Path(folder), SETTINGS, lambda company: _enter(company, drawn)) as company:
            began = now()
            killing = asyncio.create_task(_kill_on(company, random.Random(seed), killed)) if kills else None
            with watching() as busy:
                for first in range(0, count, AT_ONCE):
                    told += await _some(lab, drawn[first : first + AT_ONCE], rate)
                    tell(f"  {len(told)} calls made")
            if killing:
                killing.cancel()
                await asyncio.wait({killing})
            wrong = await _differences(company, began, told)
            mistakes = company.mistakes()
    outcomes = Counter(" or ".join(sorted(account.outcomes)) for account in told)
    faults = [f"{key}: {'; '.join(words)}" for key, words in wrong.items()] + mistakes
    return Run(busy, outcomes, killed, wrong, tuple(faults))


def _enter(company: Company, drawn: Sequence[Drawn]) -> None:
    company.hire("vuthy", "Kim Vuthy", "103")
    ids = dict.fromkeys(MANAGERS, 0)
    ids["101"] = company.hire("lina", "Chan Lina", "101", team="sales", deputy="vuthy")
    ids["104"] = company.hire("bopha", "Keo Bopha", "104", team="sales")
    ids["105"] = company.hire("dalin", "Sok Dalin", "105", deputy="lina")
    ids["103"] = company.hire("mony", "Keo Mony", "103")
    company.hire("sam", "Sam Reception", "102")
    reader = compose.reader(company.settings)
    with writing(company.database) as session:
        for one in drawn:
            if one.manager:
                number = one.dialled.number
                name, manager = f"Customer {number[-6:]}", ids[one.manager]
                add_customer(session, reader, name=name, numbers=[number], manager_id=manager)


async def _some(lab: Lab, drawn: Sequence[Drawn], rate: float) -> list[Account]:
    """These calls, at that rate in all, with telephones of their own."""
    async with AsyncExitStack() as stack:
        phones = [await stack.enter_async_context(MoodyPhone(lab, name, i)) for i, name in enumerate(PHONES, 1)]
        by_temper = {temper: [one for one in drawn if one.temper == temper] for temper in TEMPERS}
        made = await asyncio.gather(
            *(_play(lab, temper, calls, rate * len(calls) / len(drawn)) for temper, calls in by_temper.items() if calls)
        )
        await asyncio.sleep(0.5)  # the last BYE is taken
        return accounts(
            [outcome for outcomes in made for outcome in outcomes],
            [rang for phone in phones for rang in rings(phone.messages)],
        )


async def _play(lab: Lab, temper: Temper, calls: Sequence[Drawn], rate: float) -> list[Outcome]:
    dialled = [one.dialled for one in calls]
    return await load(lab, dialled, rate=rate, give_up_s=temper.give_up_s, talk_s=temper.talk_s)


async def _kill_on(company: Company, dice: random.Random, killed: Counter[str]) -> None:
    """Every few seconds some part of Ringcard dies; all of it now and then, and is started again at once."""
    while True:
        await asyncio.sleep(dice.uniform(4, 12))
        part = dice.choices(("ari", "worker", "desk", "redis", "all"), (4, 2, 1, 2, 1))[0]
        try:
            if part == "all":
                company.kill("")
                company.start("")
            else:
                os.kill(company.child(part), signal.SIGKILL)
        except (AssertionError, OSError, ValueError):
            continue  # it is just being started again
        killed[part] += 1


async def _differences(company: Company, began: datetime, told: Sequence[Account]) -> dict[str, list[str]]:
    """Once the log had the time to become right."""
    last = time.monotonic() + LOG_S
    while True:
        wrong = differences(told, await asyncio.to_thread(company.logged, began))
        if not wrong or time.monotonic() > last:
            return wrong
        await asyncio.sleep(1)


def run(count: int, rate: float, seed: int, kills: bool, tell: Callable[[str], None]) -> list[Run]:
    killed = ", and some part of Ringcard is killed every few seconds" if kills else ""
    tell(f"\nrandom: {count} random calls, {rate:g} a second, seed {seed}{killed}")
    measured = asyncio.run(measure(count, rate, seed, kills, tell))
    tell(measured.text())
    return [measured]
