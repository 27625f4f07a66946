"""Who rings, in which order, and why; and nobody rings on a guess."""

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Did, Policy, Routing
from lookup.answers import Answer, Found, Number, Tier, Unavailable, Unknown, Withheld
from lookup.card import Card, Person, Phone
from lookup.routing import Route, Step, route

NODE = "pbx"
NUMBER = Number("+85512345678", "+85512345678", "+85512345678", "12345678")
ROUTE = Did(policy="route")
RING = Routing(ring_s=15, group_ring_s=25)

P101, P102, P103 = Phone(NODE, "101"), Phone(NODE, "102"), Phone(NODE, "103")
MOBILE = Phone("elsewhere", "+85577111222", inside=False)
DARA = Person(1, "Sok Dara", (P101,))
CHAN = Person(2, "Chan Vibol", (P102,))
CARD = Card(7, 1, "Rosa Lim", manager=DARA, deputy=CHAN, team=(P101, P102, P103))


def found(*cards: Card, tier: Tier = "exact", chosen: Card | None = None) -> Found:
    return Found(NUMBER, cards, chosen or (cards[0] if len(cards) == 1 else None), tier, "cache", "")


def way(answer: Answer, did: Did = ROUTE) -> Route:
    return route(answer, did, RING, NODE)


def test_the_manager_rings_then_the_deputy_then_the_rest_of_the_team() -> None:
    assert way(found(CARD)) == Route(
        (
            Step((P101,), 15, "Sok Dara", "the assigned manager Sok Dara"),
            Step((P102,), 25, "Chan Vibol", "Chan Vibol, the deputy of Sok Dara"),
            Step((P103,), 25, "team", "the team of Sok Dara"),
        ),
        "Rings the assigned manager Sok Dara, then Chan Vibol, the deputy of Sok Dara, then the team of Sok Dara; "
        "after that the company's own way.",
    )


@pytest.mark.parametrize("policy", ["name", "leave"])
def test_a_number_that_is_not_routed_goes_its_own_way(policy: Policy) -> None:
    made = way(found(CARD), Did(policy=policy))
    assert made.steps == ()
    assert "calls to this number are" in made.reason


@pytest.mark.parametrize(
    ("answer", "because"),
    [
        (Withheld("the caller withheld the number"), "withheld"),
        (Unknown(NUMBER, "nobody"), "no customer"),
        (Unavailable(NUMBER, "late"), "in time"),
        *(
            (
                replace(found(CARD, tier=tier), may=may),
                f'not certain enough to choose who rings (tiers.{tier} = "{may}")',
            )
            for tier in get_args(Tier)
            for may in ("card", "name")
        ),
        (found(replace(CARD, manager=None)), "no manager"),
        (found(CARD, replace(CARD, customer_id=8, manager=CHAN)), "different managers"),
        (found(CARD, replace(CARD, customer_id=8, manager=None)), "different managers"),
        (found(replace(CARD, manager=None), replace(CARD, customer_id=8, manager=None)), "no manager"),
        (found(replace(CARD, manager=replace(DARA, phones=()), deputy=None, team=())), "no phone here"),
    ],
)
def test_what_is_not_certain_goes_the_companys_own_way_and_says_why(answer: Answer, because: str) -> None:
    made = way(answer)
    assert made.steps == ()
    assert made.reason.startswith("The company's own way: ")
    assert because in made.reason


def test_customers_who_share_a_number_and_a_manager_reach_that_manager() -> None:
    made = way(found(CARD, replace(CARD, customer_id=8)))
    assert made.steps[0].phones == (P101,)


def test_a_customer_who_was_chosen_among_several_reaches_the_own_manager() -> None:
    other = replace(CARD, customer_id=8, manager=CHAN)
    assert way(found(CARD, other, chosen=other)).steps[0].who == "Chan Vibol"


def test_phones_of_other_nodes_do_not_ring_and_outside_phones_do() -> None:
    manager = replace(DARA, phones=(Phone("pbx2", "101"), MOBILE))
    made = way(found(replace(CARD, manager=manager, deputy=None, team=())))
    assert [step.phones for step in made.steps] == [(Phone("", "+85577111222", inside=False),)]


def test_an_outside_phone_that_two_nodes_know_rings_once() -> None:
    manager = replace(DARA, phones=(MOBILE, replace(MOBILE, node=NODE)))
    made = way(found(replace(CARD, manager=manager, deputy=None, team=(replace(MOBILE, node="third"),))))
    assert [step.phones for step in made.steps] == [(Phone("", "+85577111222", inside=False),)]


def test_a_manager_without_a_phone_is_passed_over() -> None:
    made = way(found(replace(CARD, manager=replace(DARA, phones=()))))
    assert [step.who for step in made.steps] == ["Chan Vibol", "team"]


def test_a_step_of_no_seconds_is_switched_off() -> None:
    made = route(found(CARD), ROUTE, Routing(ring_s=0, group_ring_s=9), NODE)
    assert [step.who for step in made.steps] == ["Chan Vibol", "team"]


phones = st.builds(
    Phone, st.sampled_from([NODE, "pbx2", ""]), st.sampled_from(["101", "102", "103", "+85577111222"]), st.booleans()
)
some_phones = st.lists(phones, max_size=6).map(tuple)
people = st.none() | st.builds(Person, st.integers(1, 3), st.just("Somebody"), some_phones)
cards = st.builds(
    Card, st.integers(1, 3), st.just(1), st.just("Rosa Lim"), manager=people, deputy=people, team=some_phones
)
answers = st.builds(found, cards, tier=st.sampled_from(get_args(Tier))) | st.builds(found, cards, cards)


@given(
    answers, st.builds(Did, st.sampled_from(get_args(Policy))), st.builds(Routing, st.just("name"), st.integers(0, 9))
)
def test_no_phone_rings_twice_and_every_step_can_ring(answer: Found, did: Did, routing: Routing) -> None:
    made = route(answer, did, routing, NODE)
    rung = [phone for step in made.steps for phone in step.phones]
    assert len(rung) == len(set(rung))
    assert all(step.phones and step.ring_s > 0 and step.who and step.reason for step in made.steps)
    assert all(phone.node == NODE for phone in rung if phone.inside)
    assert made.reason
