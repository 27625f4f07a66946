"""A name that comes while phones ring already is shown all the same, where AMI is given; without it nothing changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from ari_app import events
from ari_app.ami import AmiLink
from ari_app.ari_link import AriLink
from ari_app.ari_requests import AriError
from ari_app.call import Rules
from ari_app.switchboard import Switchboard
from config.settings import Ami, Asterisk, Did, Routing
from lookup.answers import Answer, Caller, Found, Number, Unavailable
from lookup.card import Card
from ringcard.check_ami import ami as doctors_look
from ringcard.lab import Lab
from ringcard.phones import Manner, Phone, call, display_name
from ringcard.serving import ended

GROUP = "+85523900003"
KHMER = "សុខ ដារ៉ា"
NUMBER = Number("+85512345678", "+85512345678", "+85512345678")
DARA = Card(7, 1, f"{KHMER}\r\nAction: Originate")
FOUND = Found(NUMBER, (DARA,), DARA, "exact", "database", "the same number")


class UpdatedPhone(Phone):
    """A telephone that takes news of a call while it rings: it says so in its 180."""

    def _manners(self, manner: Manner, ring_s: float, talk_s: float | None) -> str:
        contact = "Contact: <sip:phone@"
        allow = "Allow: INVITE, ACK, CANCEL, BYE, UPDATE"
        return super()._manners(manner, ring_s, talk_s).replace(contact, f"{allow}\n{contact}")


class SlowCustomers:
    """A source that answers when it is let, long after the call went on."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.asked = asyncio.Event()

    async def find(self, caller: Caller, budget_s: float) -> Answer:
        if budget_s < 1:
            return Unavailable(NUMBER, "no answer in time")
        self.asked.set()
        await self.may.wait()
        return FOUND


@pytest.fixture(scope="module")
def managed_lab() -> Iterator[Lab]:
    with Lab(ring_s=10, ami=True) as lab:
        yield lab


@asynccontextmanager
async def at_work(lab: Lab, ami: AmiLink, customers: SlowCustomers) -> AsyncIterator[Switchboard]:
    settings = Asterisk(ari_url=lab.ari_url, username=lab.ari_user, password=lab.password)
    link = AriLink(settings, events.IN_OUR_HANDS)
    tracker = AriLink(settings, events.ALL_CALLS, app=settings.tracker_app, sources=events.SOURCES)

    async def nothing() -> list[object]:
        return []

    board = Switchboard(
        link,
        customers,
        tell=lambda notice: None,
        recall=nothing,  # type: ignore[arg-type]
        record=lambda facts: None,
        rules=Rules("pbx", Routing(), lambda did: Did(), "http://desk", "secret", 600),
        app=settings.app,
        budget_s=0.15,
        link_errors=(AriError,),
        name_late=ami.put,
    )
    ready = asyncio.Event(), asyncio.Event()

    async def up(which: asyncio.Event) -> None:
        which.set()

    tasks = [
        asyncio.create_task(link.run(board.take, lambda: up(ready[0]))),
        asyncio.create_task(tracker.run(board.take, lambda: up(ready[1]))),
        asyncio.create_task(ami.run()),
    ]
    try:
        async with asyncio.timeout(30):
            await asyncio.gather(*(each.wait() for each in ready))
        yield board
    finally:
        await board.close()
        for task in tasks:
            await ended(task)


def screen(phone: Phone) -> list[str]:
    told = (message.header("P-Asserted-Identity") for message in phone.messages if not message.sent and message.method)
    return [display_name(each) for each in told if each]


async def test_a_late_name_is_shown_on_every_phone_that_rings(managed_lab: Lab) -> None:
    lab = managed_lab
    ami, customers = AmiLink(manager(lab)), SlowCustomers()
    one, other = UpdatedPhone(lab, "101", "told"), UpdatedPhone(lab, "102", "told")
    async with at_work(lab, ami, customers) as board, one, other:
        calling = asyncio.create_task(call(lab, did=GROUP, name="as received", talk_s=0.2))
        for phone in (one, other):
            (invite,) = await phone.rang()
            assert invite.name == "as received"
        await customers.asked.wait()
        async with asyncio.timeout(30):
            while [len(held.live().phones) for held in board.calls] != [2]:  # the tracker has heard of both
                await asyncio.sleep(0.02)
            customers.may.set()
            while not all(screen(phone)[-1] == f"{KHMER} Action: Originate" for phone in (one, other)):
                await asyncio.sleep(0.02)
        one.pick_up()
        assert (await calling).status == 200
    assert (ami.counters.refused, ami.counters.dropped, ami.gone) == (0, 0, "")
    assert ami.counters.set == 3, "the caller's channel and two phones"


async def test_without_ami_the_phones_ring_on_with_the_name_as_received(
    managed_lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    lab = managed_lab
    gone = AmiLink(replace(manager(lab), port=5039))
    customers = SlowCustomers()
    async with at_work(lab, gone, customers), Phone(lab, "101", "told") as phone:
        for _ in range(2):
            customers.may.clear()
            customers.asked.clear()
            rung = len(phone.invites)
            calling = asyncio.create_task(call(lab, did=GROUP, name="as received"))
            await phone.rang(rung + 1)
            await customers.asked.wait()
            customers.may.set()
            async with asyncio.timeout(30):
                while gone.counters.dropped < rung + 1:
                    await asyncio.sleep(0.02)
            phone.pick_up()
            assert (await calling).status == 200
        assert set(screen(phone)) == {"as received"}
    said = [record for record in caplog.records if record.levelno >= logging.WARNING and "AMI" in record.message]
    assert len(said) == 1


async def test_doctor_sees_whether_ami_takes_our_user(managed_lab: Lab) -> None:
    settings = manager(managed_lab)
    assert [finding.state for finding in await doctors_look(settings)] == ["ok"]
    assert [finding.state for finding in await doctors_look(replace(settings, password="wrong"))] == ["warn"]
    assert await doctors_look(Ami()) == []


def manager(lab: Lab) -> Ami:
    return Ami(host=lab.address, username="ringcard", password=lab.password)
