"""What people do with a telephone, played on a real PBX: each scenario is one conversation, from its first ring.

Played twice: for tests/recordings, with every event of Asterisk written down, and for tests/integration, where the log
of calls must say what the telephones themselves did. The telephones do as they are told, so nothing here is a race.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from ringcard.lab import Lab
from ringcard.phones import Manner, Outcome, Phone, call, dial
from tests.company import DIRECT

FOLLOW_ME, LOCAL_QUEUE = "+85523900006", "+85523900007"
CUSTOMER, MOBILE = "+85512345678", "099000111"
A_MOMENT_S = 0.3
OVER_S = 30.0


@dataclass
class Stage:
    """The telephones of one scenario, which are taken away when it is over, and what they did."""

    lab: Lab
    number: str = CUSTOMER  # of the customer who calls
    phones: dict[str, Phone] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def phone(self, name: str, manner: Manner = "told", *, ring_s: float = 0.2) -> Phone:
        made = Phone(self.lab, name, manner, ring_s=ring_s, registers=name != "outside")
        self.phones[name] = await self.stack.enter_async_context(made)
        return made

    async def customer(self, did: str = DIRECT, *, give_up_s: float = 20.0) -> asyncio.Task[Outcome]:
        """Calls, and talks until the company hangs up."""
        return self._begin(call(self.lab, self.number, did, give_up_s=give_up_s, talk_s=None))

    def colleague(self, phone: str, number: str, *, talk_s: float | None = None) -> asyncio.Task[Outcome]:
        """Somebody of the company dials."""
        return self._begin(dial(self.lab, phone, number, talk_s=talk_s))

    def _begin(self, calling: Awaitable[Outcome]) -> asyncio.Task[Outcome]:
        async def kept() -> Outcome:
            outcome = await calling
            self.outcomes.append(outcome)
            return outcome

        return asyncio.create_task(kept())

    async def picks_up(self, name: str) -> Phone:
        """The phone rings, and somebody answers."""
        phone = self.phones[name]
        await phone.rang()
        await asyncio.sleep(A_MOMENT_S)
        phone.pick_up()
        await asyncio.sleep(A_MOMENT_S)
        return phone

    def answered(self) -> set[str]:
        """Phones that answered a call, by what they sent."""
        return {
            name
            for name, phone in self.phones.items()
            if any(message.sent and message.status == 200 and message.answers == "INVITE" for message in phone.messages)
        }


async def conference(stage: Stage) -> None:
    """The customer is transferred into the conference room, where a colleague waits."""
    await stage.phone("102")
    customer = await stage.customer()
    phone = await stage.picks_up("102")
    colleague = stage.colleague("101", "800")
    await asyncio.sleep(A_MOMENT_S)
    await transfer(phone, "##", "800")
    await asyncio.sleep(2 + A_MOMENT_S)
    await hang_up(stage, customer, colleague)


async def parked(stage: Stage) -> None:
    """The customer is parked, and a colleague takes the call up."""
    await stage.phone("102")
    customer = await stage.customer()
    phone = await stage.picks_up("102")
    await transfer(phone, "##", "700")
    await asyncio.sleep(1)
    colleague = stage.colleague("101", "701")
    await asyncio.sleep(1)
    await hang_up(stage, customer, colleague)


async def picked_up(stage: Stage) -> None:
    """A colleague takes a call that rings at another phone."""
    await stage.phone("102")
    customer = await stage.customer()
    await stage.phones["102"].rang()
    await asyncio.sleep(A_MOMENT_S)
    colleague = stage.colleague("101", "*8102")
    await asyncio.sleep(1)
    await hang_up(stage, customer, colleague)


async def forwarded(stage: Stage) -> None:
    """The phone forwards its calls to a colleague (302)."""
    await stage.phone("102", "forward")
    await stage.phone("103")
    customer = await stage.customer()
    (await stage.picks_up("103")).hang_up()
    await customer


async def follow_me(stage: Stage) -> None:
    """Nobody is at the desk, so another desk and a mobile ring, and the mobile answers."""
    await stage.phone("105")
    await stage.phone("106")
    await stage.phone("outside")
    customer = await stage.customer(FOLLOW_ME)
    (await stage.picks_up("outside")).hang_up()
    await customer


async def queue_of_local_members(stage: Stage) -> None:
    await stage.phone("103")
    await stage.phone("104")
    customer = await stage.customer(LOCAL_QUEUE)
    await stage.phones["103"].rang()
    (await stage.picks_up("104")).hang_up()
    await customer


async def blind_by_keys(stage: Stage) -> None:
    await stage.phone("102")
    await stage.phone("103")
    customer = await stage.customer()
    await transfer(await stage.picks_up("102"), "##", "103")
    (await stage.picks_up("103")).hang_up()
    await customer


async def attended_by_keys(stage: Stage) -> None:
    await stage.phone("102")
    await stage.phone("103")
    customer = await stage.customer()
    phone = await stage.picks_up("102")
    await transfer(phone, "*2", "103")
    colleague = await stage.picks_up("103")
    phone.hang_up()
    await asyncio.sleep(A_MOMENT_S)
    colleague.hang_up()
    await customer


async def attended_to_outside(stage: Stage) -> None:
    await stage.phone("102")
    await stage.phone("outside")
    customer = await stage.customer()
    phone = await stage.picks_up("102")
    await transfer(phone, "*2", MOBILE)
    outside = await stage.picks_up("outside")
    phone.hang_up()
    await asyncio.sleep(A_MOMENT_S)
    outside.hang_up()
    await customer


async def outbound(stage: Stage) -> None:
    await stage.phone("outside")
    colleague = stage.colleague("101", stage.number)
    (await stage.picks_up("outside")).hang_up()
    await colleague


async def internal(stage: Stage) -> None:
    await stage.phone("102")
    colleague = stage.colleague("101", "102")
    (await stage.picks_up("102")).hang_up()
    await colleague


async def originated(stage: Stage) -> None:
    """Asterisk is told to ring a colleague, and to call the customer then."""
    await stage.phone("101")
    await stage.phone("outside")
    where = f"endpoint=PJSIP/101&context=company-internal&extension={stage.number}&callerId={stage.number}"
    status, _ = await asyncio.to_thread(stage.lab.ari, "POST", f"channels?{where.replace('+', '%2B')}")
    assert status == 200
    phone = await stage.picks_up("101")
    await stage.picks_up("outside")
    phone.hang_up()


async def transfer(phone: Phone, code: str, to: str) -> None:
    """Press the company's code for it, and the number once the PBX listens for it."""
    await phone.press(code)
    await asyncio.sleep(2 * A_MOMENT_S)
    await phone.press(to, pause_s=A_MOMENT_S)


async def hang_up(stage: Stage, *calls: asyncio.Task[Outcome]) -> None:
    """The customer's line is cut first, from Asterisk's side; then whoever is left."""
    for channel in await asyncio.to_thread(lambda: stage.lab.ari("GET", "channels")[1]):
        if channel["caller"]["number"] == stage.number and channel["name"].startswith("PJSIP/trunk"):
            await asyncio.to_thread(stage.lab.ari, "DELETE", f"channels/{channel['id']}")
    await asyncio.sleep(A_MOMENT_S)
    for channel in await asyncio.to_thread(lambda: stage.lab.ari("GET", "channels")[1]):
        await asyncio.to_thread(stage.lab.ari, "DELETE", f"channels/{channel['id']}")
    await asyncio.gather(*calls)


Scenario = Callable[[Stage], Awaitable[None]]

SCENARIOS: dict[str, Scenario] = {
    each.__name__: each
    for each in (
        conference,
        parked,
        picked_up,
        forwarded,
        follow_me,
        queue_of_local_members,
        blind_by_keys,
        attended_by_keys,
        attended_to_outside,
        outbound,
        internal,
        originated,
    )
}


async def play(name: str, stage: Stage) -> None:
    """A telephone that is taken away before the PBX knows that it hung up would talk for ever."""
    async with stage.stack:
        await SCENARIOS[name](stage)
        async with asyncio.timeout(OVER_S):
            while await asyncio.to_thread(lambda: stage.lab.ari("GET", "channels")[1]):
                await asyncio.sleep(0.02)
