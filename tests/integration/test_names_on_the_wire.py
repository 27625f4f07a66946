"""The name that a telephone is sent, as it was on the wire, for whatever stands in the customer base.

Rows are put straight into the database, past every check at the entrance: what leaves must be clean whatever is inside.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from lookup.naming import LIMIT
from records.database import writing
from records.tables import Customer, PhoneNumber
from ringcard.phones import Invite, call
from tests.company import DIRECT, GROUP, Company
from tests.fixtures.company import Staff, logged
from tests.fixtures.lab import Phones

AS_IT_IS = {
    "latin": "Sok Dara (VIP) & Co.",
    "khmer": "សុខ ដារ៉ា",
    "cyrillic": "Иванов Пётр",
    "arabic": "محمد علي",
    "quotes": 'Dara "the boss" O\'Neil',
    "backslash": "back\\slash\\",
    "an address": "Dara <sip:evil@example.org>;tag=1",
    "an expression": "$[1+1] ${EXTEN} %s %0A ,a|b",
    "code that runs": '"="a" & "1):System(touch @FILE@',
    "a shell": "${SHELL(touch @FILE@)} `touch @FILE@`",
}
MENDED = {
    "300 characters": ("Sok " * 75, ("Sok " * (LIMIT // 4)).strip()),
    "300 khmer letters": ("ដ" * 300, "ដ" * LIMIT),
    "a header": ("Sok\r\nX-Injected: yes", "Sok X-Injected: yes"),
    "half a line break": ("Sok\nDara\r", "Sok Dara"),
    "the end of the headers": (
        "Sok\r\n\r\nINVITE sip:evil@example.org SIP/2.0",
        "Sok INVITE sip:evil@example.org SIP/2.0",
    ),
    "control characters": ("Sok\x01\x7f\x1b[31m Dara\x85", "Sok[31m Dara"),
    "directions": ("Sok\u202eDara\u2066", "SokDara"),
}
NAMES = {kind: (name, name) for kind, name in AS_IT_IS.items()} | MENDED


def hostile_row(angkor: Company, staff: Staff, **fields: str) -> str:
    """A customer of Lina's whose row holds these texts; the number they call from."""
    number = angkor.customer("to be replaced", staff.lina)
    with writing(angkor.database) as session:
        owner = session.query(PhoneNumber).where(PhoneNumber.match_key == number).one().customer_id
        session.execute(update(Customer).where(Customer.id == owner).values(**fields))
    return number


def assert_clean(invite: Invite) -> None:
    """One From, one identity, no line that is no header, and none that nobody meant to send."""
    head = invite.raw.split(b"\r\n\r\n", 1)[0]
    lines = head.split(b"\r\n")[1:]
    assert all(re.match(rb"[A-Za-z-]+: ?", line) for line in lines), head
    assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", head.replace(b"\r\n", b"")), head
    assert len(invite.headers("From")) == len(invite.headers("P-Asserted-Identity")) == 1
    assert invite.headers("X-Injected") == []
    assert invite.raw.count(b"INVITE sip:") - head.count(b"INVITE sip:evil@example.org") == 1


@pytest.mark.parametrize("kind", NAMES)
async def test_the_right_phone_rings_with_a_clean_name(
    angkor: Company, staff: Staff, phones: Phones, tmp_path: Path, began: datetime, kind: str
) -> None:
    manager, reception = await phones("101"), await phones("102")
    proof = tmp_path / "ran"
    name, shown = (text.replace("@FILE@", str(proof)) for text in NAMES[kind])
    shown = shown if kind not in AS_IT_IS else shown[:LIMIT].rstrip()
    number = hostile_row(angkor, staff, name=name)
    outcome = await call(angkor.lab, number, DIRECT, name="as received")
    assert (outcome.status, len(manager.invites), len(reception.invites)) == (200, 1, 0), manager.complaint
    (invite,) = manager.invites
    assert_clean(invite)
    assert (invite.name, invite.asserted_name) == (shown, shown)
    assert (invite.number, invite.asserted_number) == (number, number)
    (row,) = await logged(angkor, began)
    assert (row.caller_name, row.shown_name, row.outcome) == ("as received", shown, "answered")
    assert not proof.exists()


@pytest.mark.parametrize(
    "evil",
    [
        "x>;purpose=icon\r\nX-Injected: yes",
        "../../etc/passwd",
        "http://evil.example/x.jpg",
        '"="a" & "1):System(touch @FILE@',
        "${SHELL(touch @FILE@)}",
        "x" * 2000,
    ],
)
async def test_whatever_stands_where_a_photo_should_the_phone_gets_whole_addresses_of_ours(
    angkor: Company, staff: Staff, phones: Phones, tmp_path: Path, evil: str
) -> None:
    manager = await phones("101")
    proof = tmp_path / "ran"
    evil = evil.replace("@FILE@", str(proof))
    number = hostile_row(angkor, staff, name="Sok Dara", photo=evil, company=evil, email=evil, address=evil, note=evil)
    assert (await call(angkor.lab, number, DIRECT)).status == 200
    (invite,) = manager.invites
    assert_clean(invite)
    assert invite.name == "Sok Dara"
    ours = re.escape(angkor.settings.public_url) + r"/[cpv]/[A-Za-z0-9_.-]+"
    assert {"info", "card"} <= set(invite.call_info)
    assert all(re.fullmatch(ours, address) for address in invite.call_info.values()), invite.call_info
    assert len(invite.call_info) == len(invite.headers("Call-Info"))
    assert not proof.exists()


@pytest.mark.parametrize("name", ["", "sokdara77", "UNKNOWN", 'The "boss"', "Сок", "${SHELL(touch @FILE@)}", "x" * 70])
async def test_the_name_of_an_unknown_caller_stays_as_it_was_received(
    angkor: Company, phones: Phones, tmp_path: Path, began: datetime, name: str
) -> None:
    """As it is without Ringcard: Asterisk itself doubles the backslashes that it receives, and cuts long names."""
    reception = await phones("102")
    proof = tmp_path / "ran"
    name = name.replace("@FILE@", str(proof))
    number = angkor.new_number()
    assert (await call(angkor.lab, number, DIRECT, name=name, way="before")).status == 200
    assert (await call(angkor.lab, number, DIRECT, name=name)).status == 200
    without, within = reception.invites
    assert_clean(within)
    assert (within.name, within.number) == (without.name, number)
    assert without.name == "" or without.name.startswith(name[:4])
    (row,) = [row for row in await logged(angkor, began, 2) if row.direction == "inbound"]
    assert (row.caller_name, row.shown_name) == (within.name[:LIMIT], "")
    assert not proof.exists()


async def test_a_customer_without_a_readable_name_calls_with_the_name_that_was_received(
    angkor: Company, staff: Staff, phones: Phones
) -> None:
    manager = await phones("101")
    number = hostile_row(angkor, staff, name="\r\n\x01\u202e")
    assert (await call(angkor.lab, number, DIRECT, name="as received")).status == 200
    assert manager.invites[0].name == "as received"


async def test_a_name_reaches_every_phone_of_the_companys_own_way_too(
    angkor: Company, staff: Staff, phones: Phones
) -> None:
    group = [await phones(name, ring_s=0.2) for name in ("101", "102", "103")]
    number = angkor.customer("សុខ ដារ៉ា", staff.lina)
    assert (await call(angkor.lab, number, GROUP)).status == 200
    assert [[invite.name for invite in phone.invites] for phone in group] == [["សុខ ដារ៉ា"]] * 3


@pytest.mark.parametrize("label", ["Отдел продаж", 'Sales, "the" ${EXTEN} $[1+1]|\\'])
async def test_what_the_call_came_in_for_stands_before_the_name_whoever_calls(
    angkor: Company, staff: Staff, phones: Phones, began: datetime, label: str
) -> None:
    """A comma would end the argument that it is told in, so it goes."""
    shown = label.replace(",", "")
    phone = await phones("101")
    known, unknown = angkor.customer("Sok Dara", staff.lina), angkor.new_number()
    angkor.lab.set_global("RINGCARD_LABEL", label)
    try:
        for number in (known, unknown):
            assert (await call(angkor.lab, number, GROUP, name="as received")).status == 200
    finally:
        angkor.lab.set_global("RINGCARD_LABEL", "")
    assert [invite.name for invite in phone.invites] == [f"{shown}: Sok Dara", f"{shown}: as received"]
    rows = await logged(angkor, began, 2)
    assert {(row.caller_name, row.shown_name) for row in rows} == {("as received", "Sok Dara"), ("as received", "")}
