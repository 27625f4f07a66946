"""A company at work that can be broken: its PBX, its records, all of Ringcard, telephones, people at the desk.

A manager who talks is not rung, so there are as many, with a telephone each, as calls go on at once; the customers are
shared out among them in turns. The desk of somebody who has all of their telephones too shows all of their cards. The
company's own way leads to reception at 102.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

from ringcard.lab import Lab
from ringcard.phones import Dialled, Phone, load
from ringcard.redis_server import OwnServer
from tests.bench.people import Person, enter_managers, enter_shared_out, strangers
from tests.company import DIRECT, Company
from tests.faults.judging import RECEPTION, Customer
from tests.faults.places import Clock, Disk, Network, OpenLab, disk, network, silent_peer
from tests.fixtures.postgres import TEMPLATE, PostgresServer, running
from tests.phone_bank import PhoneBank
from tests.watching_desk import Watcher, watching_desk

PORT = 18760
MANAGERS = tuple(str(301 + i) for i in range(80))
PASSWORD = "a long password"  # of everybody whom a `Company` hires
RING_S = 0.5  # then the phone is answered
SETTINGS = f"""
[routing]
ring_s = 10
group_ring_s = 10
[dids."{DIRECT}"]
policy = "route"
"""
TWO = "two workers"
WARM_UP = 10
START_S = 60.0  # on a machine that much else keeps busy


class Site:
    """Only what the fault at hand needs is there."""

    def __init__(
        self,
        company: Company,
        talkers: Sequence[Person],
        people: Sequence[Person],
        postgres: PostgresServer | None,
        disk: Disk | None,
        network: Network | None,
        clock: Clock | None,
        silent_agi: str,
    ) -> None:
        self.company = company
        self.lab: Lab = company.lab
        self.talkers = talkers
        self.people = people
        self.names = {person.number: person.name for person in (*talkers, *people)}
        self.customers: dict[str, Customer] = {}  # by number
        self.phones: list[Phone] = []
        self.watchers: list[Watcher] = []
        self.silent_agi = silent_agi
        self._postgres, self._disk, self._network, self._clock = postgres, disk, network, clock

    @property
    def postgres(self) -> PostgresServer:
        return _there(self._postgres)

    @property
    def disk(self) -> Disk:
        return _there(self._disk)

    @property
    def network(self) -> Network:
        return _there(self._network)

    @property
    def clock(self) -> Clock:
        return _there(self._clock)

    def signal(self, role: str, number: signal.Signals) -> None:
        os.kill(self.company.child(role), number)


Place = TypeVar("Place")


def _there(place: Place | None) -> Place:
    assert place is not None, "the fault does not say that it needs this place"
    return place


@asynccontextmanager
async def opened(needs: frozenset[str], seed: PostgresServer, talkers: int, callers: int) -> AsyncIterator[Site]:
    """`needs`: any of postgresql (else it is SQLite), database disk, data disk, network, clock, silent agi, TWO."""
    async with AsyncExitStack() as stack:
        site = _built(needs, seed, talkers, callers, stack)
        if TWO in needs:
            site.lab.set_global("RINGCARD_SHARED", "yes")
        await _work(site, stack)
        yield site


def _built(needs: frozenset[str], seed: PostgresServer, talkers: int, callers: int, stack: AsyncExitStack) -> Site:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ringcard-faults-")))
    folder.chmod(0o755)  # PostgreSQL has a user of its own
    kind = OpenLab if "network" in needs else Lab
    lab = stack.enter_context(kind(ring_s=10, phones=(RECEPTION, *MANAGERS)))
    room = line = clock = postgres = None
    if "data disk" in needs:
        room = stack.enter_context(disk(folder / "data", 64))
    if "database disk" in needs:
        room = stack.enter_context(disk(folder / "database", 256))
    if "network" in needs:
        line = stack.enter_context(network())
    if "clock" in needs:
        clock = Clock(folder)
    if "postgresql" in needs:
        home = Path(tempfile.mkdtemp(dir=room.place)) if room else None
        postgres = stack.enter_context(running(seed, home))
    # With a clock of its own Redis does not even start: it and libfaketime wait for each other.
    redis = stack.enter_context(OwnServer(folder / "redis")) if clock else None
    company = Company(
        lab,
        folder,
        PORT,
        redis_url=redis.url if redis else "",
        cel=True,
        database_url=postgres.new_database(TEMPLATE) if postgres else "",
        more=SETTINGS,
        before=(*(line.before if line else ()), *(clock.before if clock else ())),
        ari_url=f"http://{line.pbx}:8088/ari" if line else "",
        desk_host=line.us_to_people if line else "127.0.0.1",
        workers=2 if TWO in needs else 1,
    )
    stack.callback(company.close)
    silent = stack.enter_context(silent_peer()) if "silent agi" in needs else ""
    people = [Person(i) for i in range(talkers + callers)]
    return Site(company, people[:talkers], people[talkers:], postgres, room, line, clock, silent)


async def _work(site: Site, stack: AsyncExitStack) -> None:
    """The company's people and customers are known, Ringcard and the telephones run, and it has had its first calls."""
    company = site.company
    _enter(site)
    company.start("")
    await company.listening(START_S)
    await company.desk_ready(START_S)
    for phone in (PhoneBank(site.lab, MANAGERS, ring_s=RING_S), Phone(site.lab, RECEPTION, ring_s=RING_S)):
        site.phones.append(await stack.enter_async_context(phone))
    seats = {"lina": MANAGERS, "sam": (RECEPTION,)}
    site.watchers += await stack.enter_async_context(watching_desk(company.settings.public_url, seats, PASSWORD))
    first = strangers(0, WARM_UP)
    await load(site.lab, [Dialled(each.number, DIRECT) for each in first])
    await asyncio.sleep(0.5)


def _enter(site: Site) -> None:
    """Managers and their customers; those who talk through have managers of their own. And who looks at all calls."""
    company = site.company
    ids = enter_managers(company.database, MANAGERS)
    company.hire("lina", "Chan Lina", *MANAGERS)
    company.hire("sam", "Sam Reception", RECEPTION)
    talking = {phone: ids[phone] for phone in MANAGERS[: len(site.talkers)]}
    others = {phone: ids[phone] for phone in MANAGERS[len(site.talkers) :]}
    for people, managers in ((site.talkers, talking), (site.people, others)):
        for number, phone in enter_shared_out(company.database, people, managers).items():
            site.customers[number] = Customer(site.names[number], phone)
