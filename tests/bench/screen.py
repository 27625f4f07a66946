"""How soon the card is on the screen: from the INVITE at the trunk to the frame that Chromium drew it in.

One customer after another calls the manager, who is signed in and looks at the live desk; the card comes by the whole
chain: Asterisk, the lookup, the stream of notices, the desk, the browser. The phone rings half a second. The times are
SIPp's of the wire and the page's `Date.now()` (whole milliseconds), of one machine and so of one clock. Half of the
callers' cards wait in Redis, the others have to come from the database; each has a photo that the browser never saw.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright

from records.database import writing
from records.photos import SIZES, photo_path, store_photo
from records.portraits import portrait
from records.users import add_user, seat
from ringcard.lab import NODE, Lab
from ringcard.phones import Invite, Outcome, Phone, call
from ringcard.redis_server import OwnServer
from tests.bench.calls import DID, PHONE, remember
from tests.bench.distribution import Distribution, distribution, rows
from tests.bench.machine import Busy, watching
from tests.bench.people import Person, enter
from tests.company import Company
from tests.fixtures import browser as browsers
from tests.fixtures.desk import PASSWORD

DESK_PORT = 18590
RING_S = 0.5
EARLY_MS = 300
"""A card that comes this soon after the phone's INVITE can be read before anybody reaches for the phone."""

AIM_EARLY, AIM_P99_MS = 0.99, 150.0
"""What it should be on a machine that does nothing else: a share of the cards, and the slowest but one in a hundred."""

WARM_UP = 3  # calls before the measured ones
PATIENCE_MS = 10_000

STOPWATCH = """
    window.drawn = new Map();
    document.addEventListener("ringcard:call", ({ detail: { id, state } }) => {
        if (state !== "ringing" || drawn.has(id)) return;
        const card = document.querySelector(`[data-call="${id}"]`);
        const photo = card.querySelector("img.face");
        const times = { name: card.querySelector(".call-name").textContent.trim(), card: 0, photo: photo ? 0 : -1 };
        // The task after the frame: only then is it drawn.
        const note = (what) => requestAnimationFrame(() => setTimeout(() => { times[what] = Date.now(); }));
        drawn.set(id, times);
        note("card");
        photo?.addEventListener("load", () => note("photo"));
    });
"""
DRAWN = "before => { const last = [...drawn.values()].at(-1); return drawn.size > before && last.card && last.photo; }"


@dataclass(frozen=True, slots=True)
class Round:
    """Times in milliseconds."""

    machine: Busy
    browser: str
    card: Distribution  # INVITE at the trunk -> card drawn
    card_in_redis: Distribution  # of these
    card_in_database: Distribution
    photo: Distribution  # INVITE at the trunk -> photo drawn
    ringing: Distribution  # INVITE at the manager's telephone -> card drawn
    early: float  # share of cards drawn within EARLY_MS of ringing
    unnamed: int  # came without a name: the lookup took longer than its budget of 150 ms
    faults: tuple[str, ...]

    def text(self) -> str:
        verdict = f"{len(self.faults)} FAULTS" if self.faults else f"all {self.card.count} cards came"
        named = {
            "INVITE -> card drawn": self.card,
            "  its card in Redis": self.card_in_redis,
            "  its card in the database": self.card_in_database,
            "INVITE -> photo drawn": self.photo,
            "phone's INVITE -> card drawn": self.ringing,
        }
        return "\n".join(
            (
                f"  {verdict}, {self.card.count - self.unnamed} with their name; {self.browser}; {self.machine}",
                *rows(named, "ms", 0),
                f"  drawn within {EARLY_MS} ms of ringing: {100 * self.early:.1f} % (aim: {100 * AIM_EARLY:.0f} %); "
                f"from the INVITE at the trunk, p99: {self.card.p99:.0f} ms (aim: {AIM_P99_MS:.0f} ms)",
                *(f"  fault: {fault}" for fault in self.faults),
            )
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """One call: the caller's own view of it, the telephone's, and what the page drew."""

    person: Person
    outcome: Outcome
    invite: Invite
    drawn: dict[str, Any]

    @property
    def card_ms(self) -> float:
        return float(self.drawn["card"]) - self.outcome.invited_at * 1000

    @property
    def ringing_ms(self) -> float:
        return float(self.drawn["card"]) - self.invite.at * 1000

    @property
    def photo_ms(self) -> float:
        return float(self.drawn["photo"]) - self.outcome.invited_at * 1000


async def measure(calls: int) -> Round:
    """One round, with a PBX, processes and a browser of its own."""
    with tempfile.TemporaryDirectory(prefix="ringcard-bench-") as folder, Lab() as lab:
        people = [Person(i) for i in range(WARM_UP + calls)]
        async with (
            serving(lab, Path(folder), people) as company,
            Phone(lab, PHONE, ring_s=RING_S) as phone,
            looking(company) as agent,
        ):
            await one_after_another(lab, people[:WARM_UP], phone, agent)
            with watching() as busy:
                seen = await one_after_another(lab, people[WARM_UP:], phone, agent)
            browser = agent.context.browser
            return evaluate(seen, busy, browser.version if browser else "", agent.wrong)


@asynccontextmanager
async def serving(lab: Lab, folder: Path, people: Sequence[Person]) -> AsyncIterator[Company]:
    """Ringcard as a company runs it, with these customers and their photos."""
    with OwnServer(folder / "data") as redis:
        company = Company(
            lab, folder, DESK_PORT, redis_url=redis.url, more=f'[dids."{DID}"]\npolicy = "route"\n[routing]\nring_s = 5'
        )
        try:
            enter_company(company, people)
            await remember(company, people[::2])
            company.start("ari", "worker", "desk")
            await company.listening()
            await company.desk_ready()
            yield company
        finally:
            company.close()


def enter_company(company: Company, people: Sequence[Person]) -> None:
    with writing(company.database) as session:
        manager = add_user(session, "lina", "Chan Lina", PASSWORD, team="sales")
        seat(session, manager.id, NODE, PHONE)
        manager_id = manager.id
    enter(company.database, people, manager_id)
    data_dir = company.settings.data_dir
    drawn = store_photo(data_dir, portrait("Sok Dara", "man"))
    for person in people:
        name = hashlib.sha256(person.name.encode()).hexdigest()  # as they are entered
        for side in SIZES:
            source = photo_path(data_dir, drawn, side)
            shutil.copy(source, source.with_name(source.name.replace(drawn, name)))


@asynccontextmanager
async def looking(company: Company) -> AsyncIterator[browsers.Person]:
    """The manager, before a browser, signed in."""
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=browsers.chromium(), args=[*browsers.ARGUMENTS, *root]
        )
        context = await browser.new_context()
        await context.add_init_script(STOPWATCH)
        agent = browsers.Person(context, await context.new_page(), company.settings.public_url)
        agent.watch(agent.page)
        await agent.sign_in("lina")
        yield agent
        await browser.close()


async def one_after_another(lab: Lab, people: Sequence[Person], phone: Phone, agent: browsers.Person) -> list[Seen]:
    """Each of them calls, and the next when that call is over and its card was drawn."""
    seen = []
    for person in people:
        before = await agent.page.evaluate("drawn.size")
        outcome = await call(lab, person.number, DID)
        await agent.page.wait_for_function(DRAWN, arg=before, timeout=PATIENCE_MS)
        drawn = await agent.page.evaluate("[...drawn.values()].at(-1)")
        seen.append(Seen(person, outcome, phone.invites[-1], drawn))
    return seen


def evaluate(seen: Sequence[Seen], busy: Busy, browser: str, wrong: Sequence[str]) -> Round:
    named = [one for one in seen if one.drawn["name"] == one.person.name]
    return Round(
        machine=busy,
        browser=f"Chromium {browser}",
        card=distribution(one.card_ms for one in seen),
        card_in_redis=distribution(one.card_ms for one in seen if one.person.index % 2 == 0),
        card_in_database=distribution(one.card_ms for one in seen if one.person.index % 2),
        photo=distribution(one.photo_ms for one in named),
        ringing=distribution(one.ringing_ms for one in seen),
        early=sum(one.ringing_ms < EARLY_MS for one in seen) / len(seen),
        unnamed=len(seen) - len(named),
        faults=(*wrong, *(fault for one in seen for fault in _faults(one))),
    )


def _faults(one: Seen) -> list[str]:
    caller = f"the call from {one.person.number}"
    faults = []
    if one.outcome.status != 200:
        faults.append(f"{caller} ended with {one.outcome.status or 'nothing'}")
    if one.invite.number != one.person.number:
        faults.append(f"{caller} rang as {one.invite.number}")
    if one.drawn["name"].startswith("Sok Dara") and one.drawn["name"] != one.person.name:
        faults.append(f"{caller} showed {one.drawn['name']!r}, not {one.person.name!r}")
    return faults


def run(rounds: int, calls: int, tell: Callable[[str], None]) -> list[Round]:
    tell(f"\nscreen: {calls} calls one after another, each to the manager who looks at the live desk in Chromium")
    measured = []
    for number in range(1, rounds + 1):
        measured.append(asyncio.run(measure(calls)))
        tell(f"\nround {number} of {rounds}\n{measured[-1].text()}")
    return measured
