"""Who is handed a call sees the customer's name, not the colleague's who hands it on."""

from __future__ import annotations

import asyncio

from ringcard.lab import Lab
from ringcard.phones import Phone, call, display_name, user_part
from tests.calling_phone import CallingPhone
from tests.company import DIRECT, Company
from tests.fixtures.company import Staff
from tests.fixtures.lab import Phones
from tests.transferring_phone import TransferringPhone

KHMER = "សុខ ដារ៉ា"


def screen(phone: Phone) -> list[tuple[str, str]]:
    """Name and number on the telephone's screen, each time that they were told."""
    told = (message.header("P-Asserted-Identity") for message in phone.messages if not message.sent and message.method)
    return [(display_name(each), user_part(each)) for each in told if each]


async def shows(phone: Phone, name: str, number: str, within_s: float = 30.0) -> None:
    async with asyncio.timeout(within_s):
        while screen(phone)[-1:] != [(name, number)]:
            await asyncio.sleep(0.02)


async def answered(phone: Phone, within_s: float = 30.0) -> None:
    async with asyncio.timeout(within_s):
        while not any(message.method == "ACK" for message in phone.messages):
            await asyncio.sleep(0.01)


async def test_a_blind_transfer_brings_the_customers_name(
    angkor: Company, staff: Staff, phones: Phones, lab: Lab
) -> None:
    number = angkor.customer(KHMER, staff.lina)
    target = await phones("103", talk_s=0.3)
    async with TransferringPhone(lab, "101") as manager:
        calling = asyncio.create_task(call(lab, number, DIRECT, talk_s=None))
        await manager.rang()
        manager.pick_up()
        await answered(manager)
        manager.transfer("103")
        (invite,) = await target.rang()
        assert (invite.name, invite.asserted_name, invite.number) == (KHMER, KHMER, number)
        assert (await calling).status == 200


async def test_an_attended_transfer_brings_the_customers_name_once_the_customer_is_there(
    angkor: Company, staff: Staff, phones: Phones, lab: Lab
) -> None:
    number = angkor.customer(KHMER, staff.lina)
    target = await phones("103")
    async with TransferringPhone(lab, "101") as manager:
        calling = asyncio.create_task(call(lab, number, DIRECT, talk_s=2.0))
        await manager.rang()
        manager.pick_up()
        await answered(manager)
        async with CallingPhone(lab, "101", "103", talk_s=None) as consulting:
            await answered(target)
            await consulting.heard(200)
            assert KHMER not in [name for name, _ in screen(target)]
            manager.transfer("103", consulting.replaces)
            await shows(target, KHMER, number)
            assert (await calling).status == 200
