"""A telephone of the company calls, and its own screen shows whom: a customer, a colleague, never what a trunk says."""

from __future__ import annotations

from pathlib import Path

import pytest

from lookup.channel_values import CALLED_NAME
from ringcard.lab import Lab
from ringcard.phones import Manner, Phone
from tests.calling_phone import CallingPhone
from tests.company import Company
from tests.fixtures.ari import app, freezes, sets
from tests.fixtures.company import Staff
from tests.fixtures.lab import Phones
from tests.integration.test_names_on_the_wire import hostile_row

TRUNK_SAYS = 'P-Asserted-Identity: "The Provider" <sip:0800100@127.0.0.1>'
HIDES = "P-Preferred-Identity: <sip:101@127.0.0.1>\nPrivacy: id"
GUARD_S = 0.5


class TalkativeTrunk(Phone):
    """The world beyond a provider that says of each number what it thinks."""

    def _manners(self, manner: Manner, ring_s: float, talk_s: float | None) -> str:
        contact = "Contact: <sip:phone@"
        return super()._manners(manner, ring_s, talk_s).replace(contact, f"{TRUNK_SAYS}\n{contact}")


async def test_a_telephone_shows_the_customer_that_it_calls_whatever_the_trunk_says(
    angkor: Company, staff: Staff, lab: Lab
) -> None:
    number = angkor.customer("សុខ ដារ៉ា", staff.lina)
    async with TalkativeTrunk.outside(lab, ring_s=0.3), CallingPhone(lab, "101", number, talk_s=0.5) as phone:
        assert await phone.over() == 200
        assert set(phone.screen) == {("សុខ ដារ៉ា", number)}
        statuses = {m.status for m in phone.messages if m.header("P-Asserted-Identity") and m.answers == "INVITE"}
        assert statuses >= {180, 200}


async def test_a_telephone_shows_the_colleague_that_it_calls(angkor: Company, phones: Phones, lab: Lab) -> None:
    colleague = await phones("103", ring_s=0.3)
    async with CallingPhone(lab, "102", "103") as phone:
        assert await phone.over() == 200
        assert set(phone.screen) == {("Kim Vuthy", "103")}
    assert len(colleague.invites) == 1


async def test_a_number_that_nobody_has_is_shown_as_without_us(angkor: Company, phones: Phones, lab: Lab) -> None:
    await phones("outside", ring_s=0.1)
    async with CallingPhone(lab, "102", angkor.new_number()) as phone:
        assert await phone.over() == 200
        assert {name for name, _ in phone.screen} <= {""}


@pytest.mark.parametrize(
    "name", ["Sok\r\nX-Injected: yes", '"="a" & "1):System(touch @FILE@', "${SHELL(touch @FILE@)}"]
)
async def test_no_name_of_the_called_can_run_or_break_a_header(
    angkor: Company, staff: Staff, lab: Lab, tmp_path: Path, name: str
) -> None:
    proof = tmp_path / "ran"
    number = hostile_row(angkor, staff, name=name.replace("@FILE@", str(proof)))
    async with TalkativeTrunk.outside(lab), CallingPhone(lab, "101", number) as phone:
        assert await phone.over() == 200
        assert {shown for _, shown in phone.screen} == {number}
        assert all(shown.startswith(name[:3]) for shown, _ in phone.screen)
        assert not any(message.headers("X-Injected") for message in phone.messages)
    assert not proof.exists()


# --- the call goes where it would have gone, whatever the application does


@pytest.mark.parametrize("number", ["112", "106"])
async def test_an_emergency_call_is_asked_of_nobody(lab: Lab, phones: Phones, number: str) -> None:
    """And a short number that is a telephone of this PBX is."""
    called = await phones("outside" if number == "112" else number)
    async with app(lab, sets({})) as it, CallingPhone(lab, "101", number) as phone:
        assert await phone.over() == 200
        assert len(it.calls) == (number == "106")
    assert len(called.invites) == 1


async def test_a_frozen_application_costs_the_guard_and_no_more(lab: Lab, phones: Phones) -> None:
    world = await phones("outside")
    async with app(lab, freezes), CallingPhone(lab, "101", "+85512345678", talk_s=GUARD_S * 2) as phone:
        assert await phone.over() == 200
        sent = [message.at for message in phone.messages if message.method == "INVITE"]
        assert GUARD_S <= world.invites[0].at - sent[-1] < GUARD_S + 1
        assert next(m for m in phone.messages if m.method == "BYE").sent, "the guard must not cut a call that talks"


async def test_without_an_application_or_its_module_the_call_goes_out(lab: Lab, phones: Phones) -> None:
    world = await phones("outside")
    async with CallingPhone(lab, "101", "+85512345678") as phone:
        assert await phone.over() == 200
    lab.cli("module unload app_stasis.so")
    try:
        async with CallingPhone(lab, "101", "+85512345678") as phone:
            assert await phone.over() == 200
    finally:
        lab.cli("module load app_stasis.so")
    assert len(world.invites) == 2


async def test_a_withheld_identity_goes_out_as_without_us(lab: Lab, phones: Phones) -> None:
    world = await phones("outside")
    for called in ("+85512345678", "112"):  # one way leads through the application, the other does not
        async with app(lab, sets({CALLED_NAME: "Sok Dara"})), CallingPhone(lab, "101", called, more=HIDES) as phone:
            assert await phone.over() == 200
    asked, unasked = world.invites
    for header in ("From", "P-Asserted-Identity", "Privacy"):
        values = [[each.partition(";tag=")[0] for each in invite.headers(header)] for invite in (asked, unasked)]
        assert values[0] == values[1]
    assert b"Sok Dara" not in asked.raw


async def test_a_number_that_the_company_cannot_dial_is_refused_as_without_us(lab: Lab) -> None:
    lab.set_global("RINGCARD_DIALS", "company-menu")
    try:
        async with app(lab, sets({})), CallingPhone(lab, "101", "+85512345678") as phone:
            assert await phone.over() == 404
    finally:
        lab.set_global("RINGCARD_DIALS", "company-dials")
