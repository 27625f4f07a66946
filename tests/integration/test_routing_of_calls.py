"""Who rings, in which order, and why: the manager, the deputy, the team, then the company's own way.

The manager is Lina at phone 101, her deputy Vuthy is at 103, of her team Bopha is at 104. The company's own way of the
number that is called here leads to reception at 102. Each step rings for a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest

from lookup.notices import LiveCall
from records.tables import CallRow
from ringcard.phones import Manner, Outcome, Phone, call
from tests.company import DIRECT, GROUP, Company
from tests.fixtures.company import MOBILE, RING_S, Staff, logged
from tests.fixtures.lab import Phones

ROUTE = (
    "Rings the assigned manager Chan Lina, then Kim Vuthy, the deputy of Chan Lina, then the team of Chan Lina; "
    "after that the company's own way."
)
REASONS = {
    "101": "the assigned manager Chan Lina",
    "103": "Kim Vuthy, the deputy of Chan Lina",
    "104": "the team of Chan Lina",
    "102": ROUTE,
}


async def watched(angkor: Company, calling: asyncio.Task[Outcome]) -> list[LiveCall]:
    """Each state of the live call that was seen while the call lasted."""
    seen: list[LiveCall] = []
    while not calling.done():
        seen += [call for call in await angkor.live() if call not in seen]
        await asyncio.sleep(0.02)
    return seen


def rung(*phones: Phone) -> list[str]:
    """Names of the phones that rang, in the order in which they were invited."""
    invited = sorted((invite.at, phone.name) for phone in phones for invite in phone.invites)
    return [name for _, name in invited]


def legs(row: CallRow) -> list[tuple[str, str]]:
    return [(leg.endpoint, leg.outcome) for leg in row.legs]


@pytest.mark.parametrize(
    ("manners", "expected"),
    [
        (("answer", "answer", "answer", "answer"), ["answered"]),
        (("busy", "answer", "answer", "answer"), ["busy", "answered"]),
        (("decline", "answer", "answer", "answer"), ["declined", "answered"]),
        (("ignore", "answer", "answer", "answer"), ["missed", "answered"]),
        (("ignore", "busy", "answer", "answer"), ["missed", "busy", "answered"]),
        (("busy", "ignore", "decline", "answer"), ["busy", "missed", "declined", "answered"]),
    ],
)
async def test_the_manager_then_the_deputy_then_the_team_then_the_companys_own_way(
    angkor: Company, staff: Staff, phones: Phones, began: datetime, manners: Sequence[Manner], expected: list[str]
) -> None:
    order = ("101", "103", "104", "102")
    there = [await phones(name, manner, ring_s=0.2) for name, manner in zip(order, manners, strict=True)]
    number = angkor.customer("Sok Dara", staff.lina)
    calling = asyncio.create_task(call(angkor.lab, number, DIRECT, talk_s=0.3))
    seen = await watched(angkor, calling)
    outcome = calling.result()
    rang = list(order[: len(expected)])
    assert outcome.status == 200
    assert rung(*there) == rang
    (row,) = await logged(angkor, began)
    assert legs(row) == list(zip(rang, expected, strict=True))
    assert (row.outcome, row.answered_endpoint, row.reason) == ("answered", rang[-1], ROUTE)
    assert [phone.endpoint for phone in seen[-1].phones] == rang
    assert {phone.endpoint: phone.reason for live in seen for phone in live.phones} == {
        name: REASONS[name] for name in rang
    }
    assert {live.route_reason for live in seen} == {ROUTE}
    gave_in = expected.count("missed")
    assert outcome.answer_s is not None
    assert outcome.answer_s < gave_in * (RING_S + 0.5) + 1.5


async def test_when_nobody_of_the_route_is_there_the_company_has_its_way_at_once(
    angkor: Company, staff: Staff, phones: Phones, began: datetime
) -> None:
    reception = await phones("102")
    outcome = await call(angkor.lab, angkor.customer("Sok Dara", staff.lina), DIRECT)
    assert outcome.status == 200
    assert outcome.ring_s is not None
    assert outcome.ring_s < RING_S
    assert reception.invites[0].name == "Sok Dara"
    (row,) = await logged(angkor, began)
    assert legs(row) == [("102", "answered")]


async def test_a_phone_that_is_not_registered_is_skipped_at_once(
    angkor: Company, staff: Staff, phones: Phones, began: datetime
) -> None:
    deputy, reception = await phones("103"), await phones("102")
    outcome = await call(angkor.lab, angkor.customer("Sok Dara", staff.lina), DIRECT)
    assert rung(deputy, reception) == ["103"]
    assert outcome.ring_s is not None
    assert outcome.ring_s < RING_S
    (row,) = await logged(angkor, began)
    assert legs(row) == [("103", "answered")]


async def test_both_devices_of_the_manager_ring_and_one_answers(
    angkor: Company, staff: Staff, phones: Phones, began: datetime
) -> None:
    desk, softphone = await phones("101", "ignore"), await phones("101", ring_s=0.3)
    assert (await call(angkor.lab, angkor.customer("Sok Dara", staff.lina), DIRECT)).status == 200
    assert [[invite.name for invite in phone.invites] for phone in (desk, softphone)] == [["Sok Dara"]] * 2
    (row,) = await logged(angkor, began)
    assert sorted(legs(row)) == [("101", "answered"), ("101", "cancelled")]


async def test_a_managers_mobile_is_dialled_outside_with_the_name_that_was_received_and_no_card(
    angkor: Company, staff: Staff, phones: Phones, began: datetime
) -> None:
    world, reception = await phones("outside", ring_s=0.2), await phones("102")
    number = angkor.customer("Sok Dara", staff.dalin)
    assert (await call(angkor.lab, number, DIRECT, name="sokdara77", talk_s=0.3)).status == 200
    assert rung(world, reception) == ["outside"]
    (invite,) = world.invites
    assert invite.request_uri.startswith(f"sip:{MOBILE}@")
    assert (invite.name, invite.call_info) == ("sokdara77", {})
    (row,) = await logged(angkor, began)
    assert (row.outcome, row.answered_endpoint, row.answered_by_id) == ("answered", MOBILE, staff.dalin)
    assert row.shown_name == "Sok Dara"


async def test_a_customer_without_a_manager_goes_the_companys_own_way_with_a_name(
    angkor: Company, phones: Phones, began: datetime
) -> None:
    manager, reception = await phones("101"), await phones("102")
    assert (await call(angkor.lab, angkor.customer("Sok Dara"), DIRECT)).status == 200
    assert rung(manager, reception) == ["102"]
    assert reception.invites[0].name == "Sok Dara"
    (row,) = await logged(angkor, began)
    assert row.reason == "The company's own way: the customer has no manager."


async def test_an_unknown_caller_goes_the_companys_own_way(angkor: Company, phones: Phones, began: datetime) -> None:
    manager, reception = await phones("101"), await phones("102")
    assert (await call(angkor.lab, angkor.new_number(), DIRECT)).status == 200
    assert rung(manager, reception) == ["102"]
    assert reception.invites[0].call_info == {}
    (row,) = await logged(angkor, began)
    assert row.reason == "The company's own way: no customer is known by this number."


async def test_a_number_that_is_only_named_is_named_and_goes_the_companys_own_way(
    angkor: Company, staff: Staff, phones: Phones, began: datetime
) -> None:
    group = [await phones("101", "ignore"), await phones("102", ring_s=0.3), await phones("103", "ignore")]
    assert (await call(angkor.lab, angkor.customer("Sok Dara", staff.lina), GROUP)).status == 200
    assert [[invite.name for invite in phone.invites] for phone in group] == [["Sok Dara"]] * 3
    (row,) = await logged(angkor, began)
    assert (row.shown_name, row.reason) == ("Sok Dara", "The company's own way: calls to this number are named only.")


async def test_customers_who_share_a_number_are_all_told_and_nobody_is_taken_for_the_other(
    angkor: Company, staff: Staff, phones: Phones, began: datetime
) -> None:
    manager, reception = await phones("101"), await phones("102", ring_s=0.4)
    number = angkor.customer("Sok Dara", staff.lina)
    angkor.customer("Chea Mony", staff.bopha, number=number)
    calling = asyncio.create_task(call(angkor.lab, number, DIRECT))
    seen = await watched(angkor, calling)
    assert rung(manager, reception) == ["102"]
    assert reception.invites[0].name == "Sok Dara / Chea Mony"
    assert reception.invites[0].call_info == {}
    assert {(live.answer, len(live.customer_ids), live.customer_id) for live in seen} == {("found", 2, None)}
    (row,) = await logged(angkor, began)
    assert (row.customer_id, row.shown_name) == (None, "Sok Dara / Chea Mony")
    assert row.reason == "The company's own way: customers of different managers share this number."


async def test_a_caller_who_gives_up_between_two_steps_leaves_the_next_phone_silent(
    angkor: Company, staff: Staff, phones: Phones, began: datetime
) -> None:
    manager, deputy = await phones("101", "ignore"), await phones("103")
    await call(angkor.lab, angkor.customer("Sok Dara", staff.lina), DIRECT, give_up_s=RING_S / 2)
    assert rung(manager, deputy) == ["101"]
    (row,) = await logged(angkor, began)
    assert (row.outcome, legs(row)) == ("abandoned", [("101", "cancelled")])
