"""ari_app/call.py: the life of one call, played without Asterisk, clock or loop."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.actions import Action, HandBack, LookUp, NameLate, Record, SetChannel, Tell
from ari_app.call import Call, Rules
from ari_app.conversations import Conversations
from ari_app.events import (
    Arrived,
    Began,
    CallEvent,
    Gone,
    HungUp,
    Joined,
    Left,
    Looked,
    Lost,
    Parted,
    RingAnswered,
    RingBegan,
    RingEnded,
    Snapshot,
    Transferred,
)
from ari_app.picture import State
from config.settings import Did, Routing
from lookup.answers import Answer, Found, Number, Unavailable, Unknown, Withheld
from lookup.blocking import Blocked
from lookup.card import Card, Person, Phone
from lookup.duty import Duty, Situation
from lookup.notices import LiveCall
from records.facts import NOT_ALL_HEARD, CallFacts

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
TRUNK = Snapshot("c", "PJSIP/east-01", "Ring", "012345678", "", "ringcard-call", "s", "Stasis", 1000)
ARRIVED = Arrived("c", 1000, "l", "012345678", "", "", "+85523900001", "east", TRUNK)


def rules(policy: str = "route") -> Rules:
    return Rules("pbx", Routing(), lambda did: Did(policy=policy), "http://desk", "secret", 600)  # type: ignore[arg-type]


class Played:
    """One call that has arrived, and what it asked for then."""

    def __init__(self, policy: str = "route") -> None:
        self.book = Conversations(rules(policy))
        self.begun = self.feed(ARRIVED)
        held = self.book.of("c")
        assert held is not None
        self.call: Call = held

    def feed(self, *events: Arrived | CallEvent) -> list[Action]:
        return [action for event in events for _, actions in self.book.receive(event) for action in actions]

    @property
    def live(self) -> LiveCall:
        return self.call.live()

    @property
    def facts(self) -> CallFacts:
        return self.call.facts()


def call(policy: str = "route") -> Played:
    return Played(policy)


def answered(answer: Answer = FOUND, at_ms: int = 1001) -> Looked:
    return Looked("c", answer, at_ms)


def talks(peer_id: str, endpoint: str, at_ms: int) -> tuple[CallEvent, ...]:
    """The phone is answered and bridged with the caller, as Asterisk tells it."""
    return (
        RingAnswered("c", peer_id, endpoint, at_ms),
        Joined(peer_id, f"b-{peer_id}", at_ms),
        Joined("c", f"b-{peer_id}", at_ms),
    )


def kinds(actions: Sequence[Action]) -> list[type]:
    return [type(action) for action in actions]


def only(actions: Sequence[Action], kind: type[T]) -> T:
    (found,) = [action for action in actions if isinstance(action, kind)]
    return found


def told(actions: Sequence[Action]) -> list[str]:
    return [action.notice.kind for action in actions if isinstance(action, Tell)]


def shown(actions: Sequence[Action]) -> LiveCall:
    """The call as these actions tell it to the desk at last."""
    call = [action.notice.call for action in actions if isinstance(action, Tell)][-1]
    assert call is not None
    return call


def test_a_call_that_is_over_is_the_same_when_asked_later() -> None:
    over = call()
    actions = over.feed(answered(), HungUp("c", 1100), Gone("c", 16, 1101))
    assert over.call.told == shown(actions)
    assert over.call.recorded == [action for action in actions if isinstance(action, Record)][-1].facts


def test_an_arrived_call_is_looked_up_and_nothing_is_told_yet() -> None:
    assert call().begun == [LookUp(call().call.caller)]


def test_phones_show_the_companys_template_and_the_log_has_the_name_alone() -> None:
    labelled = replace(
        rules(),
        did=lambda did: Did(policy="route", label="Sales", template="{queue}: {name}"),
        on_screens=lambda name: {"__RINGCARD_SCREENS": name},
    )
    for event, shown_as in (
        (ARRIVED, "Sales: Sok Dara"),
        (replace(ARRIVED, label="Night"), "Night: Sok Dara"),
    ):
        book = Conversations(labelled)
        book.receive(event)
        ((held, actions),) = book.receive(answered())
        values = only(actions, SetChannel).values
        assert (values["CALLERID(name)"], values["__RINGCARD_SCREENS"]) == (shown_as, shown_as)
        assert held.shown_name == "Sok Dara"
    book = Conversations(labelled)
    book.receive(ARRIVED)
    ((_, actions),) = book.receive(answered(Withheld("")))
    assert not {"CALLERID(name)", "__RINGCARD_SCREENS"} & set(only(actions, SetChannel).values)


def test_a_name_that_comes_late_is_set_for_those_who_ring_and_those_who_will() -> None:
    late = call()
    late.feed(answered(Unavailable(NUMBER, "")), RingBegan("c", "p1", "101", 1002))
    late.book.channels.add("p1").name = "PJSIP/101-01"
    ((_, actions),) = late.book.looked(late.call, answered(at_ms=1003))
    assert [action for action in actions if isinstance(action, NameLate)] == [
        NameLate("PJSIP/east-01", "CALLERID(name)", "Sok Dara"),
        NameLate("PJSIP/101-01", "CONNECTEDLINE(name)", "Sok Dara"),
    ]


def test_a_name_that_comes_when_the_call_is_answered_or_left_alone_is_not_set() -> None:
    for late, before in (
        (call(), (answered(Unavailable(NUMBER, "")), RingBegan("c", "p1", "101", 1002), *talks("p1", "101", 1003))),
        (call("leave"), (RingBegan("c", "p1", "101", 1002),)),
    ):
        late.feed(*before)
        ((_, actions),) = late.book.looked(late.call, answered(at_ms=1004))
        assert NameLate not in kinds(actions)
        assert late.live.customer_id == 7


def test_a_phone_that_is_dialled_and_then_rings_is_told_once() -> None:
    ringing = call()
    ringing.feed(answered())
    assert kinds(ringing.feed(RingBegan("c", "p", "101", 1100, rings=False))) == [Tell]
    assert ringing.feed(RingBegan("c", "p", "101", 1150)) == []


def test_a_found_customer_names_routes_and_hands_back_in_that_order() -> None:
    actions = call().feed(answered())
    assert kinds(actions)[:2] == [SetChannel, HandBack]
    values = only(actions, SetChannel).values
    assert values["CALLERID(name)"] == "Sok Dara"
    assert values["RINGCARD_ROUTE_1"] == "in/101"
    assert values["RINGCARD_ROUTE_2"] == "in/102"


@pytest.mark.parametrize("answer", [Unknown(NUMBER, "nobody"), Withheld("hidden"), Unavailable(NUMBER, "late")])
def test_without_a_customer_the_name_and_the_way_stay_as_they_were(answer: Answer) -> None:
    actions = call().feed(answered(answer))
    values = only(actions, SetChannel).values
    assert kinds(actions)[:2] == [SetChannel, HandBack]
    assert "CALLERID(name)" not in values
    assert not any(name.startswith("RINGCARD_ROUTE") for name in values)


def test_a_late_answer_is_asked_for_and_shown_when_it_comes() -> None:
    late = call()
    assert LookUp(late.call.caller, late=True) in late.feed(answered(Unavailable(NUMBER, "late")))
    late.feed(RingBegan("c", "p", "101", 1100))
    actions = late.feed(answered(at_ms=1200))
    assert shown(actions).customer_id == 7
    assert only(actions, Record).facts.customer_id == 7


@pytest.mark.parametrize("first", [None, Unavailable(NUMBER, "late")])
def test_of_a_caller_who_was_gone_before_the_answer_came_the_log_has_the_number_and_the_customer(
    first: Answer | None,
) -> None:
    gone = call()
    gone.feed(*([answered(first)] if first else []), HungUp("c", 1100), Gone("c", 16, 1101))
    before = gone.call.version
    ((_, actions),) = gone.book.looked(gone.call, answered(at_ms=1050))
    facts = only(actions, Record).facts
    assert kinds(actions) == [Record]
    assert (facts.caller_number, facts.customer_id, facts.outcome) == ("+85512345678", 7, "abandoned")
    assert facts.version > before
    assert gone.book.looked(gone.call, answered(at_ms=1060)) == [(gone.call, [])]


def test_a_withheld_number_is_nowhere_told() -> None:
    hidden = call()
    hidden.feed(answered(Withheld("hidden")))
    assert hidden.live.caller_number == "" == hidden.facts.caller_number == hidden.facts.caller_key


def test_a_number_left_alone_is_handed_back_before_anything_is_asked() -> None:
    left_alone = call("leave")
    assert kinds(left_alone.begun)[:2] == [HandBack, LookUp]
    assert only(left_alone.feed(answered(at_ms=1002)), Record).facts.customer_id == 7


def test_when_the_guard_was_faster_nothing_is_set_any_more() -> None:
    late = call()
    late.feed(Left("c", 1500))
    assert SetChannel not in kinds(late.feed(answered(at_ms=1600)))
    late.feed(RingBegan("c", "p", "101", 1700))
    assert late.live.customer_id == 7


def test_a_call_that_comes_through_again_is_looked_up_again_and_handed_back_again() -> None:
    again = call()
    again.feed(answered(), RingBegan("c", "p", "101", 1100), Gone("p", 17, 1200))
    assert again.feed(replace(ARRIVED, at_ms=1300)) == [LookUp(again.call.caller)]
    assert kinds(again.feed(answered(at_ms=1301)))[:2] == [SetChannel, HandBack]
    assert [leg.outcome for leg in again.facts.legs] == ["busy"]


@pytest.mark.parametrize(("cause", "rings_again"), [(17, False), (21, False), (19, True)])
def test_who_sent_a_call_away_is_not_rung_again_when_it_comes_through_once_more(cause: int, rings_again: bool) -> None:
    again = call()
    again.feed(answered(), RingBegan("c", "p", "101", 1100), Gone("p", cause, 1200), replace(ARRIVED, at_ms=1300))
    again.feed(answered(at_ms=1301))
    assert (again.call.route.steps[0].who == "Chan Lina") is rings_again
    assert ("the assigned manager Chan Lina: sent this call away before" in again.facts.reason) is not rings_again


def test_a_blocked_caller_is_refused_rings_nobody_and_is_logged_as_blocked() -> None:
    duty = Duty(blocked=Blocked({NUMBER.match_key: "rude"}))
    blocked = Played()
    blocked.call.rules = replace(rules("name"), situation=lambda at_ms: Situation(duty=duty))
    values = only(blocked.feed(answered()), SetChannel).values
    assert values["RINGCARD_BLOCK"] == "busy"
    assert not any(name.startswith("RINGCARD_ROUTE") for name in values)
    over = shown(blocked.feed(Gone("c", 17, 1100)))
    assert (over.outcome, over.route_reason) == ("blocked", "Blocked: +85512345678 is on the block list (rude).")


def test_what_is_known_of_the_moment_is_asked_for_the_moment_of_the_answer() -> None:
    asked: list[int] = []

    def situation(at_ms: int) -> Situation:
        asked.append(at_ms)
        return Situation(busy=frozenset({"101"}))

    busy = Played()
    busy.call.rules = replace(rules(), situation=situation)
    busy.feed(answered(at_ms=1234))
    assert asked == [1234]
    assert [step.who for step in busy.call.route.steps] == ["Kim Vuthy"]


def test_an_arrival_that_is_told_twice_is_looked_up_once() -> None:
    assert call().feed(ARRIVED) == []


def test_the_phone_that_rings_is_told_with_the_reason_of_its_step() -> None:
    ringing = call()
    ringing.feed(answered())
    actions = ringing.feed(RingBegan("c", "p", "101", 1100))
    (phone,) = shown(actions).phones
    assert only(actions, Tell).notice.kind == "ringing"
    assert (phone.endpoint, phone.state) == ("101", "ringing")
    assert "Chan Lina" in phone.reason


def test_the_other_phones_stop_when_one_answers() -> None:
    group = call()
    group.feed(answered())
    for peer, endpoint in (("p1", "101"), ("p2", "102")):
        group.feed(RingBegan("c", peer, endpoint, 1100))
    group.feed(*talks("p2", "102", 1200), RingEnded("c", "p1", "101", "CANCEL", 1201))
    assert {phone.endpoint: phone.state for phone in group.live.phones} == {"101": "stopped", "102": "talking"}
    assert group.live.answered_endpoint == "102"


def test_of_two_devices_of_one_phone_the_one_that_talks_is_shown() -> None:
    both = call()
    both.feed(answered(), RingBegan("c", "p1", "101", 1100), RingBegan("c", "p2", "101", 1101))
    both.feed(*talks("p1", "101", 1200), RingEnded("c", "p2", "101", "CANCEL", 1201))
    assert [(phone.channel_id, phone.state) for phone in both.live.phones] == [("p1", "talking")]
    assert [leg.outcome for leg in both.facts.legs] == ["answered", "cancelled"]


def test_answered_is_when_a_person_was_bridged_and_not_when_a_queue_or_an_announcement_answered() -> None:
    queue = call()
    queue.feed(answered(), RingBegan("c", "p", "101", 2000), RingAnswered("c", "p", "101", 8000))
    assert queue.facts.answered_ms == 0
    queue.feed(Joined("p", "b", 9010))
    assert queue.facts.answered_ms == 0
    assert told(queue.feed(Joined("c", "b", 9010))) == ["answered"]
    facts = only(queue.feed(HungUp("c", 12000), Gone("p", 16, 12000), Gone("c", 16, 12001)), Record).facts
    assert (facts.outcome, facts.hangup_by, facts.wait_s, facts.talk_s) == ("answered", "caller", 8.01, 2.991)


@pytest.mark.parametrize(
    ("before", "state", "gone_ms", "answered_ms"),
    [
        ("Ring", "Up", 2600, 2000),
        ("Ring", "Ring", 2600, 0),  # hung up before the phone was answered, which crossed it
        ("Up", "Up", 2600, 0),  # a menu had answered before
        ("Ring", "Up", 2100, 0),  # the phone's person would not take it, and voicemail answered
    ],
)
def test_who_was_told_of_the_answer_and_hung_up_before_the_bridge_was_made_was_answered(
    before: str, state: str, gone_ms: int, answered_ms: int
) -> None:
    """As an Asterisk without time does it: a whole second lies between the two."""
    late = call()
    caller = replace(TRUNK, state=before, app="Dial")
    late.feed(answered(), RingBegan("c", "p", "101", 1100), RingAnswered("c", "p", "101", 2000, caller))
    assert late.facts.answered_ms == 0
    hung_up = HungUp("c", 2500 if gone_ms > 2500 else 9000, "Dial", state)
    late.feed(hung_up, Gone("p", 16, gone_ms), Gone("c", 16, 9001))
    facts = late.facts
    assert (facts.outcome, facts.answered_endpoint, facts.answered_ms) == (
        ("answered", "101", answered_ms) if answered_ms else ("abandoned", "", 0)
    )
    assert [leg.answered_ms for leg in facts.legs] == [answered_ms]


def test_a_declined_call_is_told_apart_from_a_missed_one_also_in_the_middle_of_a_route() -> None:
    """Dial says NOANSWER of both; the cause of the phone's end tells."""
    route = call()
    route.feed(answered(), RingBegan("c", "p1", "101", 1100), RingEnded("c", "p1", "101", "NOANSWER", 1300))
    route.feed(Gone("p1", 21, 1300), RingBegan("c", "p2", "102", 1301), *talks("p2", "102", 1400))
    assert [leg.outcome for leg in route.facts.legs] == ["declined", "answered"]


def test_a_phone_that_a_transfer_led_to_says_who_transferred_and_the_call_has_moved() -> None:
    moved = call()
    moved.feed(answered(), RingBegan("c", "p1", "101", 1100), *talks("p1", "101", 1200))
    moved.feed(Transferred("p1", "c", "", 1500, "103", ("p1", "c")), Parted("c", "b-p1", 1500), Gone("p1", 16, 1501))
    ringing = moved.feed(RingBegan("c", "p3", "103", 1502))
    assert shown(ringing).phones[-1].reason == "Transferred by phone 101."
    assert told(moved.feed(*talks("p3", "103", 1600))) == ["answered", "moved"]
    assert (moved.live.answered_endpoint, moved.live.answered_ms) == ("103", 1200)


def test_parked_the_caller_waits_and_whoever_takes_the_call_has_it() -> None:
    parked = call()
    parked.feed(answered(), RingBegan("c", "p1", "101", 1100), *talks("p1", "101", 1200))
    parked.feed(Parted("c", "b-p1", 1300), Gone("p1", 16, 1301), Joined("c", "lot", 1302, holds=True, parked="default"))
    assert (parked.live.parked, parked.call.state) == ("default", State.WAITING)
    parked.feed(Parted("c", "lot", 1400))
    assert not parked.live.parked
    taking = replace(TRUNK, id="q", name="PJSIP/104-03", exten="701", created_ms=1350)
    parked.feed(Began(taking, 1350), Joined("q", "b2", 1400), Joined("c", "b2", 1400, ("q",)))
    assert (parked.live.answered_endpoint, parked.call.state) == ("104", State.TALKING)


def test_who_hung_up_in_the_millisecond_of_the_answer_has_talked() -> None:
    short = call()
    short.feed(answered(), RingBegan("c", "p1", "101", 1100), RingAnswered("c", "p1", "101", 1200))
    short.feed(Joined("c", "b", 1200), Joined("p1", "b", 1200, ("c",)), HungUp("c", 1200))
    short.feed(Parted("c", "b", 1200), Parted("p1", "b", 1200), Gone("p1", 16, 1200), Gone("c", 16, 1201))
    assert (short.live.outcome, short.live.answered_endpoint) == ("answered", "101")


EVENTS: list[CallEvent] = [
    answered(),
    Left("c", 1002),
    RingBegan("c", "p1", "101", 1003),
    RingBegan("c", "p2", "102", 1003),
    RingAnswered("c", "p2", "102", 1004),
    Joined("p2", "b", 1004),
    Joined("c", "b", 1004, others=("p2",)),
    RingEnded("c", "p1", "101", "CANCEL", 1005),
    Gone("p1", 26, 1005),
    HungUp("c", 1007),
    Gone("p2", 16, 1008),
    Gone("c", 16, 1008),
]


@given(st.permutations(EVENTS))
def test_in_any_order_a_call_is_handed_back_once_at_most_and_ends_once(order: list[CallEvent]) -> None:
    played = call()
    actions = played.feed(*order, *(Gone(each, 16, 2000) for each in ("c", "p1", "p2")))
    assert kinds(actions).count(HandBack) <= 1
    assert kinds(actions).count(SetChannel) == kinds(actions).count(HandBack)
    assert told(actions).count("ended") == 1
    assert played.call.state is State.ENDED
    versions = [shown([action]).version for action in actions if isinstance(action, Tell)]
    assert versions == sorted(set(versions))
    assert not played.book.channels.ids, "nothing is held for ever"


@given(st.lists(st.sampled_from(EVENTS), max_size=8), st.lists(st.sampled_from(EVENTS), max_size=8))
def test_a_call_taken_up_from_what_was_told_goes_on_as_if_it_had_never_been_lost(
    before: list[CallEvent], after: list[CallEvent]
) -> None:
    """Whatever had happened until then is shown alike, and what happens next has the same phones and the same end."""
    alone = replace(DARA, deputy=None)
    found = replace(FOUND, candidates=(alone,), chosen=alone)
    followed = call()
    followed.feed(answered(found), RingBegan("c", "p1", "101", 1002), *before)
    if followed.call.state is State.ENDED or any(
        event.channel_id == "c" for event in before if isinstance(event, Gone)
    ):
        return  # the next look at what Asterisk has would find that out
    book = Conversations(rules())
    assert book.take_up(followed.live)
    assert not book.take_up(followed.live)
    restored = book.of("c")
    assert restored is not None
    assert restored.live() == followed.live
    gone = {event.channel_id for event in before if isinstance(event, Gone)}
    for event in after:
        if gone & {event.channel_id, getattr(event, "peer_id", "")}:
            continue  # told late of a channel that is no more: the next look finds that out too
        followed.feed(event)
        book.receive(event)
        gone |= {event.channel_id} if isinstance(event, Gone) else set()
    assert {phone.endpoint for phone in restored.live().phones} >= {phone.endpoint for phone in followed.live.phones}
    assert (restored.live().ended_ms > 0) >= (followed.live.ended_ms > 0)
    assert restored.live().answered_ms in (followed.live.answered_ms, 0)


def test_the_next_step_of_a_call_taken_up_is_told_with_the_reason_of_the_whole_route() -> None:
    followed = call()
    followed.feed(answered(), RingBegan("c", "p1", "101", 1002))
    book = Conversations(rules())
    book.take_up(followed.live)
    ((_, actions),) = book.receive(RingBegan("c", "p2", "102", 1003))
    assert shown(actions).phones[1].reason == followed.call.route.reason


@pytest.mark.parametrize("event", [(RingBegan("c", "p", "101", 1100),), talks("p", "101", 1100)])
def test_of_a_call_whose_end_not_all_heard_the_log_says_so(event: tuple[CallEvent, ...]) -> None:
    lost = call()
    lost.feed(answered(), *event)
    facts = only(lost.feed(Lost("p", 1900), Lost("c", 1900)), Record).facts
    assert (facts.outcome, facts.ended_ms) == ("answered" if len(event) > 1 else "missed", 1900)
    assert facts.reason.endswith("company's own way. Not all of it was heard.")


def test_when_a_call_ended_is_asked_of_asterisks_record_where_it_was_found_out_though_the_hangup_was_heard() -> None:
    lost = call()
    lost.feed(answered(), RingBegan("c", "p", "101", 1100), *talks("p", "101", 1200), HungUp("c", 1800))
    facts = only(lost.feed(Lost("p", 2700), Lost("c", 2700)), Record).facts
    assert (facts.outcome, NOT_ALL_HEARD in facts.reason) == ("answered", True)


@pytest.mark.parametrize("unheard", [True, False])
def test_when_a_call_was_answered_is_asked_of_asterisks_record_where_it_was_found_out(unheard: bool) -> None:
    ends = (HungUp("c", 3000), Gone("p", 16, 3001), Gone("c", 16, 3001))
    found_out = call()
    found_out.feed(answered(), RingBegan("c", "p", "101", 1100))
    found_out.feed(
        RingAnswered("c", "p", "101", 2000, unheard=unheard), Joined("c", "b", 2000, ("p",), unheard=unheard)
    )
    facts = only(found_out.feed(*ends), Record).facts
    assert (facts.outcome, facts.answered_ms, NOT_ALL_HEARD in facts.reason) == ("answered", 2000, unheard)


@pytest.mark.parametrize(("talked", "asks"), [(False, True), (True, False)])
def test_a_call_taken_up_that_nobody_was_heard_to_answer_is_not_trusted(talked: bool, asks: bool) -> None:
    followed = call()
    followed.feed(answered(), RingBegan("c", "p", "101", 1002))
    book = Conversations(rules())
    book.take_up(followed.live)
    taken = book.of("c")
    assert taken is not None
    talk = (*talks("p", "101", 1100), Joined("c", "b-p", 1100, channel=TRUNK))
    for event in (*(talk if talked else ()), HungUp("c", 1200), Gone("p", 16, 1201)):
        book.receive(event)
    book.receive(Gone("c", 16, 1201))
    assert (NOT_ALL_HEARD in taken.facts().reason) == asks


def test_a_call_taken_up_when_its_phone_was_seen_to_talk_already_was_answered_some_time_before() -> None:
    """Asterisk's list came first, because Redis, which knows what was told, was away as well."""
    followed = call()
    followed.feed(answered(), RingBegan("c", "p", "101", 1002))
    book = Conversations(rules())
    phone = replace(TRUNK, id="p", name="PJSIP/101-02", app="AppDial", state="Up")
    for event in (Began(TRUNK, 3000, unheard=True), Began(phone, 3000, unheard=True)):
        book.receive(event)
    book.receive(Joined("c", "b", 3000, ("p",), unheard=True))
    book.take_up(followed.live)
    taken = book.of("c")
    assert taken is not None
    for end in (HungUp("c", 4000), Gone("p", 16, 4001), Gone("c", 16, 4001)):
        book.receive(end)
    facts = taken.facts()
    assert (facts.outcome, facts.answered_ms, NOT_ALL_HEARD in facts.reason) == ("answered", 3000, True)


def test_who_called_is_asked_of_asterisks_record_when_nobody_knew_before_the_call_was_taken_up() -> None:
    followed = call()
    followed.feed(Left("c", 1500), RingBegan("c", "p", "102", 1600))
    assert (followed.live.answer, followed.live.caller_number) == ("looking", "")
    book = Conversations(rules())
    book.take_up(followed.live)
    taken = book.of("c")
    assert taken is not None
    talk = (*talks("p", "102", 1700), Joined("c", "b-p", 1700, channel=TRUNK))
    for event in (*talk, HungUp("c", 2000), Gone("p", 16, 2001), Gone("c", 16, 2001)):
        book.receive(event)
    assert (taken.facts().outcome, NOT_ALL_HEARD in taken.facts().reason) == ("answered", True)


def test_a_call_that_rings_no_phone_yet_is_told_as_well_so_that_it_can_be_taken_up() -> None:
    waiting = call("name")
    live = shown(waiting.feed(answered()))
    assert live.phones == ()
    book = Conversations(rules("name"))
    book.take_up(live)
    restored = book.of("c")
    assert restored is not None
    assert (restored.state, restored.live()) == (State.WAITING, live)


def test_the_story_of_a_call_is_in_order_and_names_no_customer() -> None:
    told_whole = call()
    told_whole.feed(answered(), RingBegan("c", "p", "101", 1100), *talks("p", "101", 1200))
    told_whole.feed(HungUp("c", 1300), Gone("p", 16, 1301), Gone("c", 16, 1301))
    steps = told_whole.facts.trace
    assert [step.at_ms for step in steps] == sorted(step.at_ms for step in steps)
    assert [step.what for step in steps] == [
        "came in on east for +85523900001",
        "found, exact",
        "handed back: phone 101 for 20 s, then phone 102 for 20 s, then the company's own way",
        "phone 101: ringing",
        "phone 101: talking",
        "phone 101: left the call",
        "ended: answered, hung up by the caller",
    ]


def test_the_story_of_a_call_that_rings_for_hours_is_bounded() -> None:
    endless = call()
    endless.feed(answered())
    for turn in range(500):
        peer, at_ms = f"p{turn}", 2000 + turn
        endless.feed(
            RingBegan("c", peer, "101", at_ms), RingEnded("c", peer, "101", "BUSY", at_ms), Gone(peer, 17, at_ms)
        )
    steps = endless.facts.trace
    assert len(steps) <= 60
    assert "left out" in " ".join(step.what for step in steps)


def test_a_call_that_was_there_when_we_came_is_told_only_when_somebody_says_what_it_is() -> None:
    """Asterisk's list of channels does not tell how it began: what we would say might be wrong, and stay in the log."""
    followed = call()
    followed.feed(answered(), RingBegan("c", "p", "101", 1100), *talks("p", "101", 1200))
    book = Conversations(rules())
    phone = replace(TRUNK, id="p", name="PJSIP/101-02", app="AppDial")
    listed = (Began(TRUNK, 2000, unheard=True), Began(phone, 2000, unheard=True), Joined("p", "b", 2000, ("c",)))
    assert [action for event in listed for _, actions in book.receive(event) for action in actions] == []
    assert book.take_up(followed.live)
    ((_, actions),) = [*book.receive(HungUp("c", 3000)), *book.receive(Gone("p", 16, 3000))][-1:]
    ((_, actions),) = book.receive(Gone("c", 16, 3001))
    assert only(actions, Record).facts.answered_ms == 1200


@pytest.mark.parametrize("heard", [True, False])
def test_the_number_called_is_the_one_dialled_or_nothing_is_told(heard: bool) -> None:
    """The company's own dialplan goes on under other extensions: who comes in the middle of it sees only those."""
    rings = replace(TRUNK, context="company", exten="85523900002", app="Dial")
    events: tuple[CallEvent, ...] = (
        *([Began(replace(TRUNK, context="from-trunk", exten="+85523900002", app=""), 1000)] if heard else []),
        RingBegan("c", "p", "102", 1100, caller=rings),
        *talks("p", "102", 1200),
        *(HungUp("c", 1300), Gone("p", 16, 1301), Gone("c", 16, 1301)),
    )
    book = Conversations(rules(), ("east",))
    actions = [action for event in events for _, actions in book.receive(event) for action in actions]
    called = {action.facts.called_number for action in actions if isinstance(action, Record)}
    assert called == ({"+85523900002"} if heard else set())


def test_a_call_that_ended_before_we_knew_whose_it_was_is_ended_when_we_do_and_one_that_we_ended_is_not_again() -> None:
    followed = call()
    followed.feed(answered(), RingBegan("c", "p", "101", 1100))
    live = followed.live
    late = Conversations(rules())
    late.receive(Gone("c", 16, 2000))
    assert late.take_up(live), "the next look at what Asterisk has then ends it"
    followed.feed(Gone("p", 16, 2000), Gone("c", 16, 2000))
    assert not followed.book.take_up(live)
