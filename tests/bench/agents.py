"""Two people before two browsers, real calls, and what may happen in the middle of one: is any card lost or doubled?

Every call rings both telephones. One of the two answers, both browsers must say so, now and then the call is handed on
to the other, and in every third call a page is loaded again or a network is cut for a while. What each browser took of
its calls is kept by its page through all of that. Afterwards the log of calls says which calls each telephone had, and
what became of them there: each browser must have seen exactly these, each once, and come to the same end.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, async_playwright
from playwright.async_api import Error as BrowserError

from records.database import writing
from records.tables import CallRow
from records.users import add_user, seat
from ringcard.lab import NODE, Lab
from ringcard.phones import PhoneError, call
from ringcard.redis_server import OwnServer
from tests.bench.machine import Busy, watching
from tests.company import GROUP, Company, now
from tests.fixtures import browser as browsers
from tests.fixtures.desk import PASSWORD
from tests.transferring_phone import TransferringPhone

DESK_PORT = 18660
PEOPLE = (("lina", "Chan Lina", "101"), ("vuthy", "Keo Vuthy", "102"))
SETTINGS = """
[lookup]
budget_ms = 5000
[routing]
ring_s = 60
group_ring_s = 60
"""
PATIENCE_MS = 30_000
OFFLINE_S = (0.1, 1.5)
TALK_S = 1.0  # Asterisk tells of an answer first and joins the two then, so much later when it has no time
NEW_PHONES_AFTER = 50  # calls: a telephone of the lab reads all that it was ever sent

TRANSFERRED = 0.3  # of all calls
DISTURBED = 1 / 3

Trouble = Literal["", "reload", "cut"]
Stage = Literal["ringing", "talking", "moved"]

KEEPS = """
    window.taken = JSON.parse(sessionStorage.getItem("taken") ?? "[]");
    const keep = (one) => { taken.push(one); sessionStorage.setItem("taken", JSON.stringify(taken)); };
    document.addEventListener("ringcard:call", ({ detail: { id, version, state } }) => keep({ id, version, state }));
    addEventListener("DOMContentLoaded", () => {
        for (const card of document.querySelectorAll("[data-call]"))
            keep({ id: card.dataset.call, version: +card.dataset.version, state: card.dataset.state, anew: true });
        new MutationObserver(() => {
            const ids = [...document.querySelectorAll("[data-call]")].map((card) => card.dataset.call);
            for (const id of new Set(ids))
                if (ids.indexOf(id) !== ids.lastIndexOf(id)) keep({ id, version: 0, state: "twice" });
        }).observe(document.body, { childList: true, subtree: true });
    });
"""
"""What the page took, through loads of it too: calls with version and state, and a card that is there twice."""

HAS = """([id, state]) => taken.some((one) => (!id || one.id === id) && one.state === state)"""
NOW = """([id, state]) => document.querySelector(`[data-call="${id}"]`)?.dataset.state === state"""
NEW = """(known) => taken.findLast((one) => one.state === "ringing" && !known.includes(one.id))?.id"""


@dataclass(frozen=True, slots=True)
class Plan:
    """One call as it is drawn."""

    number: str
    answers: int  # which of the two
    transferred: bool
    trouble: Trouble
    at: Stage
    whose: int
    offline_s: float


def draw(count: int, seed: int) -> list[Plan]:
    dice = random.Random(seed)
    plans = []
    for i in range(count):
        transferred = dice.random() < TRANSFERRED
        trouble: Trouble = dice.choice(("reload", "cut")) if dice.random() < DISTURBED else ""
        at: Stage = dice.choice(("ringing", "talking", "moved") if transferred else ("ringing", "talking"))
        plans.append(
            Plan(
                f"+855961{i:06}",
                dice.randrange(2),
                transferred,
                trouble,
                at,
                dice.randrange(2),
                dice.uniform(*OFFLINE_S),
            )
        )
    return plans


@dataclass
class Agent:
    """One of the two: the browser, the line to the desk, the telephone."""

    name: str
    phone_name: str
    person: browsers.Person
    line: browsers.Line
    phone: TransferringPhone

    async def shows(self, call_id: str, state: str) -> None:
        await self.person.page.wait_for_function(NOW, arg=[call_id, state], timeout=PATIENCE_MS)

    async def took(self, call_id: str, state: str) -> None:
        await self.person.page.wait_for_function(HAS, arg=[call_id, state], timeout=PATIENCE_MS)

    async def disturbed(self, plan: Plan) -> None:
        if plan.trouble == "reload":
            await self.person.page.reload()
            await self.person.is_live()
        elif plan.trouble == "cut":
            self.person.offline = True
            await self.person.context.set_offline(True)
            self.line.cut()  # the browser's own switch lets a shared worker talk on
            await asyncio.sleep(plan.offline_s)
            self.line.mend()
            await self.person.context.set_offline(False)

    async def comes_back(self) -> None:
        await self.person.is_live()
        self.person.offline = False


@dataclass(frozen=True)
class Run:
    machine: Busy
    made: Counter[str]
    wrong: dict[str, list[str]]  # by the caller's number
    faults: tuple[str, ...] = field(default=())

    def text(self) -> str:
        what = ", ".join(f"{count} {name}" for name, count in self.made.items())
        lines = [f"  {what}; {self.machine}", f"  {len(self.wrong)} calls went wrong"]
        return "\n".join([*lines, *(f"  {number}: {'; '.join(words)}" for number, words in self.wrong.items())])


async def measure(plans: Sequence[Plan], port: int, tell: Callable[[str], None]) -> Run:
    """These calls, one after the other, with a PBX, processes and a browser of its own. `port`: of its desk."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ringcard-bench-")))
        lab = stack.enter_context(Lab(ring_s=60))
        redis = stack.enter_context(OwnServer(folder / "data"))
        lab.set_global("RINGCARD_GUARD", "10")  # a card that comes late is still to come
        company = Company(lab, folder, port, redis_url=redis.url, more=SETTINGS)
        stack.callback(company.close)
        with writing(company.database) as session:
            for login, name, phone in PEOPLE:
                seat(session, add_user(session, login, name, PASSWORD).id, NODE, phone)
        company.start("ari", "worker", "desk")
        await company.listening()
        await company.desk_ready()
        playwright = await stack.enter_async_context(async_playwright())
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = await playwright.chromium.launch(
            executable_path=browsers.chromium(), args=[*browsers.ARGUMENTS, *root]
        )
        stack.push_async_callback(browser.close)
        agents = [await _at_desk(stack, browser, company, lab, *who) for who in PEOPLE]
        stack.push_async_callback(lambda: asyncio.gather(*(agent.phone.stop() for agent in agents)))
        with watching() as busy:
            made, wrong = await _all(lab, company, agents, plans, tell)
        return Run(busy, made, wrong, tuple(f"{number}: {'; '.join(words)}" for number, words in wrong.items()))


async def _at_desk(
    stack: AsyncExitStack, browser: Browser, company: Company, lab: Lab, login: str, name: str, phone: str
) -> Agent:
    line = browsers.Line(company.settings.desk.port)
    address = await line.open()
    stack.push_async_callback(line.close)
    context = await browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    await context.add_init_script(KEEPS)
    person = browsers.Person(context, await context.new_page(), address)
    person.watch(person.page)
    await person.sign_in(login)
    telephone = TransferringPhone(lab, phone)
    await telephone.start()
    return Agent(name, phone, person, line, telephone)


async def _all(
    lab: Lab, company: Company, agents: Sequence[Agent], plans: Sequence[Plan], tell: Callable[[str], None]
) -> tuple[Counter[str], dict[str, list[str]]]:
    began, made, wrong = now(), Counter[str](), dict[str, list[str]]()
    for at, plan in enumerate(plans):
        if at and at % NEW_PHONES_AFTER == 0:
            await _new_phones(lab, agents)
            tell(f"  {at} calls, {len(wrong)} of them wrong")
        try:
            await _one(lab, agents, plan)
        except (BrowserError, PhoneError, TimeoutError, AssertionError) as exc:
            wrong[plan.number] = [f"{plan}: {str(exc).splitlines()[0] if str(exc) else type(exc).__name__}"]
            await _start_anew(lab, agents)
        made["calls"] += 1
        made["handed on"] += plan.transferred
        made["reloads"] += plan.trouble == "reload"
        made["cuts"] += plan.trouble == "cut"
    rows = await _log(company, began, len(plans))
    for agent in agents:
        for number, words in held_against(agent.name, agent.phone_name, await _taken(agent), rows).items():
            wrong.setdefault(number, []).extend(words)
        if agent.person.wrong:
            wrong.setdefault(agent.name, []).extend(agent.person.wrong)
    return made, wrong


async def _one(lab: Lab, agents: Sequence[Agent], plan: Plan) -> None:
    """From the ringing to the end; raises when a card does not come, or does not say what it must."""
    first, second = agents[plan.answers], agents[1 - plan.answers]
    rung = [len(agent.phone.invites) for agent in agents]
    known = [{one["id"] for one in await _taken(agent)} for agent in agents]
    calling = asyncio.create_task(call(lab, plan.number, GROUP, give_up_s=120, talk_s=None))
    try:
        await asyncio.gather(*(agent.phone.rang(before + 1) for agent, before in zip(agents, rung, strict=True)))
        ids = [await _new_id(agent, seen) for agent, seen in zip(agents, known, strict=True)]
        assert ids[0] == ids[1], f"the two browsers show different calls: {ids}"
        call_id = ids[0]
        await _trouble(agents, plan, "ringing", lambda: None)
        await asyncio.gather(*(agent.shows(call_id, "ringing") for agent in agents))
        await _trouble(agents, plan, "talking", first.phone.pick_up)
        await asyncio.gather(first.shows(call_id, "talking"), _left(second, call_id, plan, "talking"))
        if plan.transferred:
            before = len(second.phone.invites)
            await _trouble(agents, plan, "moved", lambda: first.phone.transfer(second.phone_name))
            await second.phone.rang(before + 1)
            await second.shows(call_id, "ringing")
            second.phone.pick_up()
            await second.shows(call_id, "talking")
            await _left(first, call_id, plan, "moved")
        await asyncio.sleep(TALK_S)
        (second if plan.transferred else first).phone.hang_up()
        await calling
        await asyncio.gather(*(agent.took(call_id, "ended") for agent in agents))
    finally:
        calling.cancel()
        await asyncio.wait({calling})


async def _trouble(agents: Sequence[Agent], plan: Plan, stage: Stage, act: Callable[[], None]) -> None:
    """What happens at this stage, while the trouble of this call comes over one of the two."""
    if not plan.trouble or plan.at != stage:
        act()
        return
    sufferer = agents[plan.whose]
    troubled = asyncio.create_task(sufferer.disturbed(plan))
    await asyncio.sleep(0.02)
    act()
    await troubled
    await sufferer.comes_back()


async def _left(agent: Agent, call_id: str, plan: Plan, stage: Stage) -> None:
    """The card says who has the call now; a page that was made after that has no card of it any more."""
    if plan.trouble and plan.at == stage:
        await agent.person.page.wait_for_function(
            "(id) => !['ringing', 'talking'].includes(document.querySelector(`[data-call=\"${id}\"]`)?.dataset.state)",
            arg=call_id,
            timeout=PATIENCE_MS,
        )
    else:
        await agent.took(call_id, "elsewhere")


async def _new_id(agent: Agent, known: set[str]) -> str:
    handle = await agent.person.page.wait_for_function(NEW, arg=[*known], timeout=PATIENCE_MS)
    return str(await handle.json_value())


async def _taken(agent: Agent) -> list[dict[str, Any]]:
    taken: list[dict[str, Any]] = await agent.person.page.evaluate("taken")
    return taken


async def _new_phones(lab: Lab, agents: Sequence[Agent]) -> None:
    for agent in agents:
        await agent.phone.stop()
        agent.phone = TransferringPhone(lab, agent.phone_name)
        await agent.phone.start()


async def _start_anew(lab: Lab, agents: Sequence[Agent]) -> None:
    """After a call that went wrong: no call goes on, lines are whole."""
    for agent in agents:
        agent.line.mend()
        await agent.person.context.set_offline(False)
    await _new_phones(lab, agents)
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while await asyncio.to_thread(lab.leftovers):
            await asyncio.sleep(0.1)
    for agent in agents:
        await agent.comes_back()


async def _log(company: Company, began: datetime, count: int) -> list[CallRow]:
    await company.until(
        lambda: sum(bool(row.ended_at) for row in company.logged(began)) >= count, "all calls in the log"
    )
    return company.logged(began)


def held_against(
    who: str, phone: str, taken: Sequence[dict[str, Any]], rows: Sequence[CallRow]
) -> dict[str, list[str]]:
    """What a browser took beside what the log says of its telephone; words by the caller's number. Pure."""
    wrong: dict[str, list[str]] = {}
    in_log = {row.call_id: row for row in rows}
    for one in taken:
        if one["id"] not in in_log:
            wrong.setdefault(one["id"], []).append(f"{who} saw a call that is not in the log")
    for row in rows:
        words = _of_call(phone, [one for one in taken if one["id"] == row.call_id], row)
        if words:
            wrong[row.caller_number] = [f"{who} {word}" for word in words]
    return wrong


def _of_call(phone: str, told: Sequence[dict[str, Any]], row: CallRow) -> list[str]:
    legs = [leg for leg in row.legs if leg.endpoint == phone]
    if not legs:
        return ["saw a call that never rang there"] if told else []
    states = [one["state"] for one in told]
    words = [] if told else ["never saw the call"]
    words += ["had its card twice at once"] if "twice" in states else []
    fresh = [(one["version"], one["state"]) for one in told if not one.get("anew")]
    ends = sum(state == "ended" for _, state in fresh)
    words += [f"was told of its end {ends} times"] if told and ends != 1 else []
    versions = [version for version, _ in fresh if version]
    words += [f"was told out of order: {versions}"] if versions != sorted(versions) else []
    talked = any(leg.answered_at for leg in legs)
    words += ["talked, and the card never said so"] if talked and "talking" not in states else []
    words += ["was said to talk, and did not"] if not talked and "talking" in states else []
    return words


def run(count: int, seed: int, tell: Callable[[str], None]) -> list[Run]:
    tell(f"\nagents: {count} calls to two people before two browsers, drawn by {seed}")
    measured = [asyncio.run(measure(draw(count, seed), DESK_PORT, tell))]
    tell(f"\n{measured[-1].text()}")
    return measured
