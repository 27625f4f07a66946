"""What one person sees of a live call."""

from dataclasses import replace

import pytest

from desk.people import Directory, Reader
from desk.views import call_view, customer_view, team_view
from lookup.card import Card, CardOrder, Money, Person
from lookup.notices import LiveCall, RungPhone

DARA = Reader(1, "dara", "Dara", "agent", frozenset({1}))
MONY = Reader(2, "mony", "Mony", "agent", frozenset({2}))
SOPHEA = Reader(3, "sophea", "Sophea", "supervisor", frozenset({1, 2, 3}))
OTHER_TEAM = Reader(4, "vann", "Vann", "supervisor", frozenset({4}))

PHONES = Directory(
    names={1: "Dara", 2: "Mony", 3: "Sophea", 4: "Vann"},
    at_phone={
        ("pbx", "101"): frozenset({1}),
        ("pbx", "111"): frozenset({1}),
        ("pbx", "102"): frozenset({2}),
        ("pbx", "105"): frozenset({1, 2}),
        ("branch", "101"): frozenset({2}),
    },
    outside={"+85577000111": frozenset({2})},
)
CARD = Card(
    7,
    1,
    "Sok Rithy",
    debt=Money(124550, "USD"),
    orders=(CardOrder("#1", "Belt", "open", Money(900, "USD"), "2026-01-02T00:00:00Z"),),
    manager=Person(1, "Dara"),
)
SHARED = {8: replace(CARD, customer_id=8), 9: replace(CARD, customer_id=9)}


def a_call(*phones: RungPhone, **fields: object) -> LiveCall:
    values: dict[str, object] = {
        "call_id": "c1",
        "node": "pbx",
        "linkedid": "l1",
        "version": 1,
        "started_ms": 1000,
        "direction": "inbound",
        "answer": "found",
        "caller_number": "+85512345678",
        "caller_name": "",
        "shown_name": "Sok Rithy",
        "called_number": "+85523900001",
        "trunk": "trunk",
        "customer_ids": (7,),
        "customer_id": 7,
        "route_reason": "the company's own way",
        "phones": phones,
    }
    return LiveCall(**{**values, **fields})  # type: ignore[arg-type]


def ringing(name: str, since: int = 2000, reason: str = "") -> RungPhone:
    return RungPhone(name, "ringing", since, reason)


def test_only_the_person_whose_phone_rings_sees_the_card() -> None:
    call = a_call(ringing("101"))
    mine = call_view(call, {7: CARD}, DARA, PHONES)
    assert mine
    assert (mine.state, mine.headline, mine.since_ms) == ("ringing", "Sok Rithy", 2000)
    assert call_view(call, {7: CARD}, MONY, PHONES) is None


def test_the_same_phone_name_on_another_pbx_is_another_phone() -> None:
    call = a_call(ringing("101"), node="branch")
    assert call_view(call, {}, DARA, PHONES) is None
    assert call_view(call, {}, MONY, PHONES)


def test_a_mobile_outside_is_a_phone_of_its_person() -> None:
    assert call_view(a_call(ringing("+85577000111")), {}, MONY, PHONES)


def test_a_shared_phone_shows_the_card_to_everybody_who_sits_there() -> None:
    call = a_call(ringing("105"))
    assert call_view(call, {}, DARA, PHONES)
    assert call_view(call, {}, MONY, PHONES)


def test_two_phones_of_one_person_are_one_card() -> None:
    stopped_and_ringing = a_call(RungPhone("101", "stopped", 2500), ringing("111", 2100))
    seen = call_view(stopped_and_ringing, {}, DARA, PHONES)
    assert seen
    assert seen.state == "ringing"
    talking = a_call(RungPhone("101", "talking", 3000), RungPhone("111", "stopped", 3000), answered_endpoint="101")
    seen = call_view(talking, {}, DARA, PHONES)
    assert seen
    assert (seen.state, seen.since_ms, seen.with_whom) == ("talking", 3000, "")


def test_the_others_are_told_who_answered() -> None:
    call = a_call(RungPhone("101", "stopped", 3000), RungPhone("102", "talking", 3000), answered_endpoint="102")
    seen = call_view(call, {}, DARA, PHONES)
    assert seen
    assert (seen.state, seen.with_whom) == ("elsewhere", "Mony")


def test_after_a_transfer_the_card_follows_to_whoever_talks_now() -> None:
    call = a_call(RungPhone("101", "stopped", 9000), RungPhone("102", "talking", 9000), answered_endpoint="101")
    seen = call_view(call, {7: CARD}, MONY, PHONES)
    assert seen
    assert (seen.state, seen.headline) == ("talking", "Sok Rithy")
    before = call_view(call, {7: CARD}, DARA, PHONES)
    assert before
    assert (before.state, before.with_whom) == ("elsewhere", "Mony")


def test_a_phone_that_nobody_has_is_named_by_itself() -> None:
    call = a_call(RungPhone("101", "stopped", 3000), RungPhone("199", "talking", 3000), answered_endpoint="199")
    seen = call_view(call, {}, DARA, PHONES)
    assert seen
    assert seen.with_whom == "phone 199"


def test_an_ended_call_is_over_for_everybody() -> None:
    call = a_call(RungPhone("101", "stopped", 5000), ended_ms=5000, outcome="missed")
    seen = call_view(call, {}, DARA, PHONES)
    assert seen
    assert (seen.state, seen.outcome, seen.since_ms) == ("ended", "missed", 5000)


def test_a_number_of_several_customers_lists_them_all() -> None:
    seen = call_view(a_call(ringing("101"), customer_ids=(8, 9), customer_id=None), SHARED, DARA, PHONES)
    assert seen
    assert (seen.headline, seen.customer) == ("2 customers share this number", None)
    assert [each.customer_id for each in seen.customers] == [8, 9]


def test_a_card_that_cannot_be_read_is_still_expected() -> None:
    seen = call_view(a_call(ringing("101")), {}, DARA, PHONES)
    assert seen
    assert (seen.headline, seen.expected, seen.customers) == ("+855 12 345 678", 1, ())


def test_a_withheld_number_is_never_sent_on() -> None:
    call = a_call(
        ringing("101"), answer="withheld", caller_name="Secret", shown_name="", customer_ids=(), customer_id=None
    )
    seen = call_view(call, {}, DARA, PHONES)
    assert seen
    assert (seen.headline, seen.number, seen.received_name) == ("Number withheld", None, "")


def test_why_the_call_came_is_said_per_phone() -> None:
    call = a_call(ringing("101", reason="you manage this customer"), ringing("102"))
    mine, theirs = call_view(call, {}, DARA, PHONES), call_view(call, {}, MONY, PHONES)
    assert mine
    assert theirs
    assert (mine.reason, theirs.reason) == ("you manage this customer", "the company's own way")


@pytest.mark.parametrize(
    ("role", "sees_amounts"), [("agent", True), ("supervisor", True), ("administrator", True), ("visitor", False)]
)
def test_an_unknown_role_sees_no_amounts(role: str, sees_amounts: bool) -> None:
    seen = customer_view(CARD, replace(DARA, role=role))
    assert (seen.debt is not None) is sees_amounts
    assert (seen.orders[0].total is not None) is sees_amounts


def test_a_supervisor_sees_who_of_the_team_talks_with_whom() -> None:
    call = a_call(RungPhone("101", "stopped", 3000), RungPhone("102", "talking", 3000), answered_endpoint="102")
    line = team_view(call, {7: CARD}, SOPHEA, PHONES)
    assert line
    assert (line.state, line.who, line.caller, line.number) == ("talking", "Mony", "Sok Rithy", "+855 12 345 678")


def test_agents_and_other_teams_supervisors_see_no_strip() -> None:
    call = a_call(ringing("101"))
    assert team_view(call, {}, MONY, PHONES) is None
    assert team_view(call, {}, DARA, PHONES) is None
    assert team_view(call, {}, OTHER_TEAM, PHONES) is None


def test_of_a_call_that_a_colleague_makes_the_customer_is_shown() -> None:
    call = a_call(ringing("101"), direction="outbound", caller_number="101", called_number="+85512345678")
    seen = call_view(call, {}, DARA, PHONES)
    assert seen is not None
    assert seen.number is not None
    assert seen.number.e164 == "+85512345678"


def test_a_call_among_colleagues_has_no_card() -> None:
    assert call_view(a_call(ringing("101"), direction="internal"), {}, DARA, PHONES) is None
