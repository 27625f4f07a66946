"""A caller who asked not to be shown is never looked up, in none of the three forms in which this is said."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from ringcard.phones import Withheld, call
from tests.company import DIRECT, GROUP, Company
from tests.fixtures.company import Staff, logged
from tests.fixtures.lab import Phones

FORMS: tuple[Withheld, ...] = ("anonymous", "privacy", "empty")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("did", [DIRECT, GROUP])
async def test_a_withheld_number_shows_no_customer_on_the_wire_on_the_screen_or_in_the_log(
    angkor: Company, staff: Staff, phones: Phones, began: datetime, form: Withheld, did: str
) -> None:
    number = angkor.customer("Sok Dara", staff.lina)
    reception = await phones("102", ring_s=0.5)
    calling = asyncio.create_task(call(angkor.lab, number, did, withheld=form, talk_s=0.2))
    while not (live := await angkor.live()):
        assert not calling.done()
        await asyncio.sleep(0.02)
    assert (await calling).status == 200
    (invite,) = reception.invites
    assert b"Sok Dara" not in invite.raw
    assert invite.call_info == {}
    assert [(one.answer, one.caller_number, one.caller_key, one.customer_ids) for one in live] == [
        ("withheld", "", "", ())
    ]
    assert number not in repr(live)
    (row,) = await logged(angkor, began)
    assert (row.caller_number, row.caller_key, row.shown_name, row.customer_id) == ("", None, "", None)
    assert (row.outcome, row.answered_endpoint) == ("answered", "102")
    assert number.lstrip("+") not in repr([vars(row), *map(vars, row.legs)])
    assert number.lstrip("+") not in angkor.log("ari")


@pytest.mark.parametrize("form", FORMS)
async def test_the_wire_of_a_withheld_call_is_the_one_without_ringcard(
    angkor: Company, staff: Staff, phones: Phones, form: Withheld
) -> None:
    number = angkor.customer("Sok Dara", staff.lina)
    reception = await phones("102")
    for way in ("before", "trunk"):
        assert (await call(angkor.lab, number, DIRECT, withheld=form, way=way)).status == 200
    without, within = reception.invites
    for header in ("From", "P-Asserted-Identity", "Privacy", "Call-Info"):
        assert [value.partition(";tag=")[0] for value in within.headers(header)] == [
            value.partition(";tag=")[0] for value in without.headers(header)
        ]
