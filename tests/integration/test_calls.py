"""A customer calls, and what is left of it: the live call while it lasts, one row in the log when it is over."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from ringcard.phones import call
from tests.company import DIRECT, FAX, GROUP, Company
from tests.fixtures.company import Staff, logged
from tests.fixtures.lab import Phones


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
    assert row.wait_s == pytest.approx(0.3, abs=0.5)
    assert row.talk_s == pytest.approx(0.5, abs=0.5)
    (leg,) = row.legs
    assert (leg.endpoint, leg.outcome) == ("101", "answered")
    assert leg.answered_at == row.answered_at
    assert leg.ended_at is not None
