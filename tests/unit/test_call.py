"""ari_app/call.py: the life of one call, played without Asterisk, clock or loop."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.actions import Action, Follow, HandBack, LookUp, Record, SetChannel, Tell
from ari_app.call import MOVES, Call, Rules, State
from ari_app.events import (
    Arrived,
    CallEvent,
    Gone,
    HungUp,
    Ignored,
    Left,
    Looked,
    Lost,
    Replaced,
    RingAnswered,
    RingBegan,
    RingEnded,
    parse,
)
from config.settings import Did, Routing
from lookup.answers import Answer, Found, Number, Unavailable, Unknown, Withheld
from lookup.card import Card, Person, Phone
from lookup.notices import LiveCall
from tests.unit.test_ari_events import recorded

T = TypeVar("T")

NUMBER = Number("012345678", "+85512345678", "+85512345678")
DARA = Card(
    7,
    1,
    "Sok Dara",
    manager=Person(1, "Chan Lina", (Phone("pbx", "101"),)),
    deputy=Person(2, "Kim Vuthy", (Phone("pbx", "102"),)),
)
FOUND = Found(NUMBER, (DARA,), DARA, "exact", "cache", "the same number")
ARRIVED = Arrived("c", 1000, "l", "012345678", "", "", "+85523900001", "east")


def rules(policy: str = "route") -> Rules:
    return Rules("pbx", Routing(), lambda did: Did(policy=policy), "http://desk", "secret", 600)  # type: ignore[arg-type]


def call(policy: str = "route") -> Call:
    return Call(ARRIVED, rules(policy))


def answered(answer: Answer = FOUND, at_ms: int = 1001) -> Looked:
    return Looked("c", answer, at_ms)


def kinds(actions: Sequence[Action]) -> list[type]:
    return [type(action) for action in actions]


def only(actions: Sequence[Action], kind: type[T]) -> T:
    (found,) = [action for action in actions if isinstance(action, kind)]
    return found


def shown(actions: Sequence[Action]) -> LiveCall:
    """The call as these actions tell it to the desk."""
    call = only(actions, Tell).notice.call
    assert call is not None
    return call


def test_an_arrived_call_is_looked_up_and_followed() -> None:
    assert call().begin() == [LookUp(call().caller), Follow("c")]


def test_a_phone_that_is_dialled_and_then_rings_is_told_once() -> None:
    ringing = call()
    ringing.receive(answered())
    assert kinds(ringing.receive(RingBegan("c", "p", "101", 1100))) == [Tell]
    assert ringing.receive(RingBegan("c", "p", "101", 1150)) == []


def test_a_found_customer_names_routes_and_hands_back_in_that_order() -> None:
    actions = call().receive(answered())
    assert kinds(actions)[:2] == [SetChannel, HandBack]
    values = only(actions, SetChannel).values
    assert values["CALLERID(name)"] == "Sok Dara"
    assert values["RINGCARD_ROUTE_1"] == "in/101"
    assert values["RINGCARD_ROUTE_2"] == "in/102"


@pytest.mark.parametrize("answer", [Unknown(NUMBER, "nobody"), Withheld("hidden"), Unavailable(NUMBER, "late")])
def test_without_a_customer_the_name_and_the_way_stay_as_they_were(answer: Answer) -> None:
    actions = call().receive(answered(answer))
    values = only(actions, SetChannel).values
    assert kinds(actions)[:2] == [SetChannel, HandBack]
    assert "CALLERID(name)" not in values
    assert not any(name.startswith("RINGCARD_ROUTE") for name in values)


def test_a_late_answer_is_asked_for_and_shown_when_it_comes() -> None:
    late = call()
    assert LookUp(late.caller, late=True) in late.receive(answered(Unavailable(NUMBER, "late")))
    late.receive(RingBegan("c", "p", "101", 1100))
    actions = late.receive(answered(at_ms=1200))
    assert shown(actions).customer_id == 7
    assert only(actions, Record).facts.customer_id == 7


def test_a_withheld_number_is_nowhere_told() -> None:
    hidden = call()
    hidden.receive(answered(Withheld("hidden")))
    assert hidden.live().caller_number == "" == hidden.facts().caller_number == hidden.facts().caller_key


def test_a_number_left_alone_is_handed_back_before_anything_is_asked() -> None:
    left_alone = call("leave")
    assert kinds(left_alone.begin()) == [Follow, HandBack, LookUp]
    assert only(left_alone.receive(answered(at_ms=1002)), Record).facts.customer_id == 7


def test_when_the_guard_was_faster_nothing_is_set_any_more() -> None:
    late = call()
    late.receive(Left("c", 1500))
    assert SetChannel not in kinds(late.receive(answered(at_ms=1600)))
    late.receive(RingBegan("c", "p", "101", 1700))
    assert late.live().customer_id == 7


def test_the_phone_that_rings_is_told_with_the_reason_of_its_step() -> None:
    ringing = call()
    ringing.receive(answered())
    actions = ringing.receive(RingBegan("c", "p", "101", 1100))
    (phone,) = shown(actions).phones
    assert only(actions, Tell).notice.kind == "ringing"
    assert (phone.endpoint, phone.state) == ("101", "ringing")
    assert "Chan Lina" in phone.reason


def test_the_other_phones_stop_when_one_answers() -> None:
    group = call()
    group.receive(answered())
    for peer, endpoint in (("p1", "101"), ("p2", "102")):
        group.receive(RingBegan("c", peer, endpoint, 1100))
    group.receive(RingAnswered("c", "p2", "102", 1200))
    group.receive(RingEnded("c", "p1", "101", "CANCEL", 1201))
    live = group.live()
    assert {phone.endpoint: phone.state for phone in live.phones} == {"101": "stopped", "102": "talking"}
    assert live.answered_endpoint == "102"


def test_answered_is_when_a_persons_phone_answered_and_not_when_a_queue_did() -> None:
    queue = call()
    queue.receive(answered())
    queue.receive(RingBegan("c", "p", "101", 2000))
    assert queue.facts().answered_ms == 0
    queue.receive(RingAnswered("c", "p", "101", 9010))
    queue.receive(HungUp("c", 12000))
    facts = only(queue.receive(Gone("c", 16, 12001)), Record).facts
    assert (facts.outcome, facts.hangup_by, facts.wait_s, facts.talk_s) == ("answered", "caller", 8.01, 2.991)


def test_an_illegal_move_changes_nothing() -> None:
    events: tuple[CallEvent, ...] = (Left("c", 1), Looked("c", FOUND, 1), RingBegan("c", "p", "1", 1))
    for state, event in itertools.product(State, events):
        if type(event) not in MOVES[state]:
            still = call()
            still.state = state
            before = still.live()
            assert still.receive(event) == []
            assert still.live() == before


EVENTS: list[CallEvent] = [
    answered(),
    Left("c", 1002),
    RingBegan("c", "p1", "101", 1003),
    RingBegan("c", "p2", "102", 1003),
    RingAnswered("c", "p2", "102", 1004),
    RingEnded("c", "p1", "101", "CANCEL", 1005),
    HungUp("c", 1007),
    Gone("c", 16, 1008),
]


@given(st.permutations(EVENTS))
def test_in_any_order_a_call_is_handed_back_once_at_most_and_ends_once(order: list[CallEvent]) -> None:
    played = call()
    actions = [action for event in [*order, Gone("c", 16, 2000)] for action in played.receive(event)]
    assert kinds(actions).count(HandBack) <= 1
    assert kinds(actions).count(SetChannel) == kinds(actions).count(HandBack)
    ends = [action for action in actions if isinstance(action, Tell) and action.notice.kind == "ended"]
    assert len(ends) == 1
    assert played.state is State.ENDED
    versions = [shown([action]).version for action in actions if isinstance(action, Tell)]
    assert versions == sorted(set(versions))


@pytest.mark.parametrize(
    ("name", "outcome", "by"),
    [
        ("answered", "answered", "101"),
        ("answered_callee_hangup", "answered", "101"),
        ("noanswer", "missed", ""),
        ("busy", "busy", ""),
        ("declined", "declined", ""),
        ("abandoned_by_caller", "abandoned", ""),
        ("ring_group", "answered", "102"),
        ("queue", "answered", "102"),
        ("queue_abandon", "abandoned", ""),
        ("manager_noanswer_then_group", "answered", None),
        ("phone_offline", "missed", ""),
    ],
)
def test_recorded_calls_end_in_the_right_facts(name: str, outcome: str, by: str | None) -> None:
    raw = recorded(name)
    channel = raw[0]["channel"]
    played = Call(replace(ARRIVED, channel_id=channel["id"]), rules("name"))
    played.receive(Looked(channel["id"], Unknown(NUMBER, "nobody"), 0))
    facts = None
    for event in map(parse, raw):
        if not isinstance(event, Ignored | Replaced) and event.channel_id == channel["id"]:
            facts = next((a.facts for a in played.receive(event) if isinstance(a, Record)), facts)
    assert facts is not None
    assert facts.outcome == outcome
    if by is not None:
        assert facts.answered_endpoint == by
    assert facts.ended_ms >= facts.answered_ms


@given(st.lists(st.sampled_from(EVENTS), max_size=8), st.lists(st.sampled_from(EVENTS), max_size=8))
def test_a_call_taken_up_from_what_was_told_goes_on_as_if_it_had_never_been_lost(
    before: list[CallEvent], after: list[CallEvent]
) -> None:
    """Whatever had happened until then, and whatever happens next, is shown and recorded alike."""
    alone = replace(DARA, deputy=None)
    found = replace(FOUND, candidates=(alone,), chosen=alone)
    followed = call()
    for event in (answered(found), RingBegan("c", "p1", "101", 1002), *before):
        followed.receive(event)
    if followed.state is State.ENDED:
        return
    restored = Call.restored(followed.live(), followed.rules)
    assert restored.live() == followed.live()
    followed.hangup_by = ""  # the far end hung up a moment ago: only the end itself, right behind, would have told it
    for event in after:
        assert kinds(restored.receive(event)) == kinds(followed.receive(event))
        assert restored.live() == followed.live()
        assert restored.facts() == followed.facts()


def test_the_next_step_of_a_call_taken_up_is_told_with_the_reason_of_the_whole_route() -> None:
    followed = call()
    followed.receive(answered())
    followed.receive(RingBegan("c", "p1", "101", 1002))
    restored = Call.restored(followed.live(), followed.rules)
    restored.receive(RingBegan("c", "p2", "102", 1003))
    assert restored.live().phones[1].reason == followed.route.reason


def test_a_phone_that_talked_was_answered_also_when_its_end_was_missed() -> None:
    lost = call()
    for event in (answered(), RingAnswered("c", "p", "101", 1100), RingEnded("c", "p", "101", "CANCEL", 1900)):
        lost.receive(event)
    (leg,) = lost.facts().legs
    assert (leg.outcome, leg.ended_ms) == ("answered", 1900)


@pytest.mark.parametrize(("event", "outcome"), [(RingBegan, "missed"), (RingAnswered, "answered")])
def test_of_a_call_whose_end_nobody_heard_the_log_says_so(event: type[RingBegan | RingAnswered], outcome: str) -> None:
    lost = call()
    lost.receive(answered())
    lost.receive(event("c", "p", "101", 1100))
    *_, record = lost.receive(Lost("c", 1900))
    assert isinstance(record, Record)
    facts = record.facts
    assert (facts.outcome, facts.ended_ms) == (outcome, 1900)
    assert facts.reason.endswith("company's own way. Nobody heard how it ended.")


def test_a_call_that_rings_no_phone_yet_is_told_as_well_so_that_it_can_be_taken_up() -> None:
    waiting = call("name")
    (told,) = [action for action in waiting.receive(answered()) if isinstance(action, Tell)]
    assert told.notice.call is not None
    assert told.notice.call.phones == ()
    restored = Call.restored(told.notice.call, waiting.rules)
    assert (restored.state, restored.live()) == (State.WAITING, waiting.live())
