"""A customer calls, and what is left of it: the live call while it lasts, one row in the log when it is over."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from lookup.notices import LiveCall
from ringcard.phones import Dialled, call, load
from tests.company import DIRECT, FAX, GROUP, QUEUE, Company
from tests.fixtures.company import Staff, logged
from tests.fixtures.lab import Phones

NEAR_S = 0.5
"""What a wait or a talk in the log may differ from what the telephones were told to do."""


async def the_live_call(angkor: Company, *states: str) -> LiveCall:
    """The only live call, once its phones are in these states."""
    async with asyncio.timeout(30):
        while True:
            live = await angkor.live()
            if [phone.state for call in live for phone in call.phones] == list(states):
                (only,) = live
                return only
            await asyncio.sleep(0.02)


async def test_a_customer_calls_the_managers_phone_shows_the_name_and_the_call_is_in_the_log(
    angkor: Company, staff: Staff, phones: Phones, began: datetime
) -> None:
    manager = await phones("101", ring_s=0.3)
    number = angkor.customer("Sok Dara", staff.lina)
    outcome = await call(angkor.lab, number, DIRECT, name="sokdara77", talk_s=0.5)
    assert outcome.status == 200
    (invite,) = manager.invites
    assert (invite.name, invite.asserted_name, invite.number) == ("Sok Dara", "Sok Dara", number)
    (row,) = await logged(angkor, began)
    assert (row.outcome, row.hangup_by, row.hangup_cause) == ("answered", "caller", 16)
    assert (row.caller_number, row.caller_name, row.shown_name) == (number, "sokdara77", "Sok Dara")
    assert (row.called_number, row.trunk, row.direction, row.tier) == (DIRECT, "lab", "inbound", "exact")
    assert row.customer is not None
    assert row.customer.name == "Sok Dara"
    assert (row.answered_by_id, row.answered_endpoint) == (staff.lina, "101")
    assert row.wait_s == pytest.approx(0.3, abs=NEAR_S)
    assert row.talk_s == pytest.approx(0.5, abs=NEAR_S)
    (leg,) = row.legs
    assert (leg.endpoint, leg.outcome) == ("101", "answered")
    assert leg.answered_at == row.answered_at
    assert leg.ended_at is not None


async def test_while_it_lasts_a_call_is_live_with_its_card_its_phone_and_the_reason(
    angkor: Company, staff: Staff, phones: Phones
) -> None:
    await phones("101", ring_s=0.7)
    number = angkor.customer("Sok Dara", staff.lina)
    calling = asyncio.create_task(call(angkor.lab, number, DIRECT, name="sokdara77", talk_s=1.0))
    ringing = await the_live_call(angkor, "ringing")
    assert (ringing.answer, ringing.caller_number, ringing.called_number) == ("found", number, DIRECT)
    assert (ringing.caller_name, ringing.shown_name) == ("sokdara77", "Sok Dara")
    assert ringing.customer_ids == (ringing.customer_id,) != (None,)
    assert ringing.phones[0].endpoint == "101"
    assert "the assigned manager Chan Lina" in ringing.phones[0].reason
    talking = await the_live_call(angkor, "talking")
    assert (talking.call_id, talking.answered_endpoint) == (ringing.call_id, "101")
    assert talking.answered_ms > talking.started_ms
    assert (await calling).status == 200


async def test_nobody_answers_and_the_caller_is_told_so_the_call_was_missed(
    angkor: Company, phones: Phones, began: datetime
) -> None:
    await phones("102", "ignore")
    number = angkor.new_number()
    outcome = await call(angkor.lab, number, DIRECT)
    assert outcome.status >= 400
    (row,) = await logged(angkor, began)
    assert (row.outcome, row.answered_at, row.answered_by_id, row.talk_s) == ("missed", None, None, None)
    assert row.wait_s == pytest.approx(angkor.lab.ring_s, abs=1)
    assert [(leg.endpoint, leg.outcome) for leg in row.legs] == [("102", "missed")]


async def test_the_phone_is_busy(angkor: Company, phones: Phones, began: datetime) -> None:
    await phones("102", "busy")
    await call(angkor.lab, angkor.new_number(), DIRECT)
    (row,) = await logged(angkor, began)
    assert (row.outcome, row.answered_at) == ("busy", None)
    assert [(leg.endpoint, leg.outcome) for leg in row.legs] == [("102", "busy")]


async def test_the_phone_declines(angkor: Company, phones: Phones, began: datetime) -> None:
    await phones("102", "decline")
    await call(angkor.lab, angkor.new_number(), DIRECT)
    (row,) = await logged(angkor, began)
    assert (row.outcome, row.answered_at) == ("declined", None)


async def test_the_caller_gives_up(angkor: Company, phones: Phones, began: datetime) -> None:
    await phones("102", "ignore")
    await call(angkor.lab, angkor.new_number(), DIRECT, give_up_s=0.6)
    (row,) = await logged(angkor, began)
    assert (row.outcome, row.hangup_by, row.answered_at) == ("abandoned", "caller", None)
    assert row.wait_s == pytest.approx(0.6, abs=NEAR_S)
    assert [(leg.endpoint, leg.outcome) for leg in row.legs] == [("102", "cancelled")]


async def test_the_one_who_answered_hangs_up(angkor: Company, phones: Phones, began: datetime) -> None:
    await phones("102", talk_s=0.3)
    await call(angkor.lab, angkor.new_number(), DIRECT, talk_s=None)
    (row,) = await logged(angkor, began)
    assert (row.outcome, row.hangup_by) == ("answered", "callee")


async def test_nobody_is_there_at_all(angkor: Company, began: datetime) -> None:
    await call(angkor.lab, angkor.new_number(), DIRECT)
    (row,) = await logged(angkor, began)
    assert (row.outcome, row.legs) == ("failed", [])


async def test_of_a_group_the_one_who_answers_is_credited_and_the_others_stop(
    angkor: Company, phones: Phones, began: datetime, staff: Staff
) -> None:
    await phones("101", "ignore")
    await phones("102", ring_s=0.4)
    await phones("103", "busy")
    await call(angkor.lab, angkor.new_number(), GROUP, talk_s=0.2)
    (row,) = await logged(angkor, began)
    assert (row.outcome, row.answered_endpoint, row.answered_by_id) == ("answered", "102", staff.sam)
    outcomes = {leg.endpoint: leg.outcome for leg in row.legs}
    assert outcomes == {"101": "cancelled", "102": "answered", "103": "busy"}


async def test_a_queue_that_answers_is_not_a_person_who_answers(
    angkor: Company, phones: Phones, began: datetime, staff: Staff
) -> None:
    await phones("103", ring_s=0.5)
    outcome = await call(angkor.lab, angkor.new_number(), QUEUE, talk_s=2.0)
    assert outcome.answer_s is not None
    (row,) = await logged(angkor, began)
    assert (row.outcome, row.answered_by_id) == ("answered", staff.vuthy)
    assert row.wait_s is not None
    assert row.wait_s > outcome.answer_s + 0.4


async def test_a_number_left_alone_is_logged_with_its_customer_and_nothing_else_is_done(
    angkor: Company, staff: Staff, began: datetime
) -> None:
    number = angkor.customer("Sok Dara", staff.lina)
    assert (await call(angkor.lab, number, FAX, talk_s=0.3)).status == 200
    (row,) = await logged(angkor, began)
    assert (row.called_number, row.shown_name, row.answered_at) == (FAX, "", None)
    assert row.reason == "The company's own way: calls to this number are left alone."
    assert row.customer is not None


async def test_many_calls_at_once_each_have_a_row_a_name_and_a_phone_of_their_own(
    angkor: Company, staff: Staff, phones: Phones, began: datetime
) -> None:
    manager, reception = await phones("101"), await phones("102")
    names = {angkor.customer(f"Customer {n}", staff.lina): f"Customer {n}" for n in range(20)}
    strangers = {angkor.new_number(): "" for _ in range(20)}
    both = [number for pair in zip(names, strangers, strict=True) for number in pair]
    outcomes = await load(angkor.lab, [Dialled(number, DIRECT) for number in both], rate=40, talk_s=0.2)
    assert {outcome.status for outcome in outcomes} == {200}
    rung = [(invite.number, invite.name) for invite in (*manager.invites, *reception.invites)]
    assert sorted(rung) == sorted((names | strangers).items())
    assert manager.invites, "the manager of all these customers talks after the first of them"
    assert not {invite.number for invite in manager.invites} & set(strangers)
    rows = await logged(angkor, began, len(both))
    assert {row.caller_number: row.shown_name for row in rows} == names | strangers
    assert {row.outcome for row in rows} == {"answered"}
