"""Who rings as the day is, on real calls: who talks, who does not want to, what time it is, who is not let in.

The people are those of test_routing_of_calls; the company's destination "night" is the telephone 106.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm import Session

from records import routing
from records.changes import pending
from records.database import writing
from records.tables import CallRow
from ringcard.phones import Manner, Phone, call
from tests.company import DIRECT, GROUP, Company
from tests.fixtures.company import Staff, logged
from tests.fixtures.lab import Phones

THERE = ZoneInfo("Asia/Phnom_Penh")
"""The company's day, on which it has its holidays."""

Undo = Callable[[Session], object]


@asynccontextmanager
async def said(company: Company, *work: Callable[[Session], Undo]) -> AsyncIterator[None]:
    """The company says this of who rings, and takes it back after; both have reached the process that takes calls."""
    undo: list[Undo] = []

    async def do(steps: list[Callable[[Session], object]]) -> None:
        heard = company.log("ari").count("who rings")
        with writing(company.database) as session:
            undo.extend(back for step in steps if callable(back := step(session)))
        await company.said("ari", "who rings", heard + 1)

    await do([*work])
    try:
        yield
    finally:
        steps, undo = [*undo], []
        await do([*steps])


def do_not_disturb(user_id: int) -> Callable[[Session], Undo]:
    def begin(session: Session) -> Undo:
        routing.set_do_not_disturb(session, user_id, True)
        return lambda session: routing.set_do_not_disturb(session, user_id, False)

    return begin


def rule(name: str, **target: object) -> Callable[[Session], Undo]:
    def begin(session: Session) -> Undo:
        made = routing.add_rule(session, name, "vip", "is", "yes", **target)  # type: ignore[arg-type]
        return lambda session: routing.remove_rule(session, made.id)

    return begin


def closed(session: Session) -> Undo:
    """Open for a minute of a day that is never today."""
    calendar = routing.save_calendar(session, None, "", f"{datetime.now(THERE):%m-%d} 12-31 01-01", "night")
    return lambda session: routing.remove_calendar(session, calendar.id)


def blocked(kind: str, value: str) -> Callable[[Session], Undo]:
    def begin(session: Session) -> Undo:
        row = routing.block(session, kind, value, "rude", None)
        return lambda session: routing.unblock(session, row.id) and None

    return begin


def rung(*phones: Phone) -> list[str]:
    return [phone.name for phone in phones for _ in phone.invites]


async def the_call(company: Company, began: datetime, calls: int = 1) -> CallRow:
    """The last of so many."""
    return (await logged(company, began, calls))[-1]


async def test_a_manager_who_talks_is_passed_over_and_the_deputy_rings(
    angkor: Company, staff: Staff, phones: Phones, began: datetime
) -> None:
    manager, deputy = await phones("101"), await phones("103")
    first = asyncio.create_task(call(angkor.lab, angkor.customer("Sok Dara", staff.lina), DIRECT, talk_s=3))
    async with asyncio.timeout(30):
        while not any(phone.state == "talking" for live in await angkor.live() for phone in live.phones):
            await asyncio.sleep(0.02)
    assert (await call(angkor.lab, angkor.customer("Chea Mony", staff.lina), DIRECT)).status == 200
    assert rung(manager, deputy) == ["101", "103"]
    await first
    assert (await the_call(angkor, began, 2)).reason == (
        "Rings Kim Vuthy, the deputy of Chan Lina; after that the company's own way. Not rung: the assigned manager "
        "Chan Lina: on another call; Keo Bopha: the phone cannot be reached; the team of Chan Lina: nobody else of it "
        "can be rung."
    )


async def test_do_not_disturb_is_respected_from_the_next_call_on(
    angkor: Company, staff: Staff, phones: Phones, began: datetime
) -> None:
    manager, deputy = await phones("101"), await phones("103")
    number = angkor.customer("Sok Dara", staff.lina)
    async with said(angkor, do_not_disturb(staff.lina)):
        assert (await call(angkor.lab, number, DIRECT)).status == 200
    assert (await call(angkor.lab, number, DIRECT)).status == 200
    assert rung(manager, deputy) == ["101", "103"]
    assert rung(deputy) == ["103"]
    reasons = [row.reason for row in await logged(angkor, began, 2)]
    assert "the assigned manager Chan Lina: do not disturb" in reasons[0]
    assert "Not rung: the assigned manager" not in reasons[1]


async def test_a_phone_that_is_gone_is_said_to_be_out_of_reach(
    angkor: Company, staff: Staff, phones: Phones, began: datetime
) -> None:
    await phones("103")
    assert (await call(angkor.lab, angkor.customer("Sok Dara", staff.lina), DIRECT)).status == 200
    reason = (await the_call(angkor, began)).reason
    assert reason.startswith("Rings Kim Vuthy, the deputy of Chan Lina; after that")
    assert "the assigned manager Chan Lina: the phone cannot be reached" in reason


async def test_outside_of_working_hours_a_call_goes_to_the_companys_destination(
    angkor: Company, staff: Staff, phones: Phones, began: datetime
) -> None:
    manager, night = await phones("101"), await phones("106")
    async with said(angkor, closed):
        assert (await call(angkor.lab, angkor.customer("Sok Dara", staff.lina), DIRECT)).status == 200
        assert (await call(angkor.lab, angkor.new_number(), DIRECT)).status == 200
    assert rung(manager, night) == ["106", "106"]
    assert night.invites[0].name == "Sok Dara"
    row = await the_call(angkor, began, 2)
    assert row.reason.startswith("The destination night: ")
    assert row.reason.endswith(" is a holiday.")


async def test_a_rule_for_some_customers_rings_somebody_else_first_or_ends_at_a_destination(
    angkor: Company, staff: Staff, phones: Phones, began: datetime
) -> None:
    manager, sam, night = await phones("101"), await phones("102", "busy"), await phones("106")
    vip = angkor.customer("Sok Dara", staff.lina, custom={"vip": True})
    async with said(angkor, rule("VIP", person_id=staff.sam), rule("VIP too", destination="night")):
        assert (await call(angkor.lab, vip, DIRECT)).status == 200
        assert (await call(angkor.lab, angkor.customer("Chea Mony", staff.lina), DIRECT)).status == 200
    assert rung(sam, night, manager) == ["102", "106", "101"]
    first = (await logged(angkor, began, 2))[0]
    assert first.reason == "Rings Sam Reception by the rule VIP; after that the destination night."


@pytest.mark.parametrize("manner", ["busy", "decline"])
async def test_who_sent_the_call_away_is_not_rung_again_when_it_comes_through_once_more(
    angkor: Company, staff: Staff, phones: Phones, began: datetime, manner: Manner
) -> None:
    there = [await phones(name, manner) for name in ("101", "103", "104")]
    reception = await phones("102")
    angkor.lab.set_global("RINGCARD_BEFORE", "company-again")
    try:
        assert (await call(angkor.lab, angkor.customer("Sok Dara", staff.lina), DIRECT)).status == 200
    finally:
        angkor.lab.set_global("RINGCARD_BEFORE", "company-inbound")
    assert rung(*there, reception) == ["101", "103", "104", "102"]
    row = await the_call(angkor, began)
    assert "the assigned manager Chan Lina: sent this call away before" in row.reason


@pytest.mark.parametrize("did", [DIRECT, GROUP])
async def test_a_blocked_caller_hears_busy_rings_nobody_and_stands_in_the_log(
    angkor: Company, staff: Staff, phones: Phones, began: datetime, did: str
) -> None:
    there = [await phones(name) for name in ("101", "102", "103")]
    number = angkor.customer("Sok Dara", staff.lina)
    async with said(angkor, blocked("number", number)):
        assert (await call(angkor.lab, number, did)).status == 486
    row = await the_call(angkor, began)
    assert (row.outcome, row.reason) == ("blocked", f"Blocked: {number} is on the block list (rude).")
    assert (await call(angkor.lab, number, did)).status == 200
    assert rung(*there) != []
    assert [row.outcome for row in await logged(angkor, began, 2)] == ["blocked", "answered"]


async def test_who_spoke_last_rings_when_the_customer_has_no_manager(
    angkor: Company, staff: Staff, phones: Phones, began: datetime
) -> None:
    reception, deputy = await phones("102"), await phones("103")
    number = angkor.customer("Sok Dara")
    assert (await call(angkor.lab, number, DIRECT)).status == 200
    await logged(angkor, began)
    await angkor.until(lambda: not pending(angkor.database), "the change of the card")
    assert (await call(angkor.lab, number, DIRECT)).status == 200
    assert rung(reception, deputy) == ["102", "102"]
    assert (await the_call(angkor, began, 2)).reason == (
        "Rings Sam Reception, who spoke with this customer last; after that the company's own way."
    )
