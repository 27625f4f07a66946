"""The rule and the day as it is: who is there, what time it is, what the company says; each with its reason."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Did, Routing
from lookup.answers import Answer, Found, Number, Unavailable, Unknown, Withheld
from lookup.blocking import Blocked
from lookup.card import Card, Money, Person, Phone, Spoke
from lookup.duty import COMPANY, CardRule, Colleague, Duty, Situation
from lookup.hours import Hours, read_week
from lookup.routing import Route, route

NODE = "pbx"
NUMBER = Number("+85512345678", "+85512345678", "+85512345678", "12345678")
RING = Routing(ring_s=15, group_ring_s=25)
THURSDAY = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
NIGHT = THURSDAY.replace(hour=22)

SALES, SUPPORT = 1, 2


def phone(name: str) -> Phone:
    return Phone(NODE, name)


LINA = Person(1, "Chan Lina", (phone("101"),))
VUTHY = Person(2, "Kim Vuthy", (phone("103"),))
BOPHA = Person(3, "Keo Bopha", (phone("104"),))
SAM = Person(4, "Sam Rath", (phone("105"), Phone("", "+85577111222", inside=False)))
CARD = Card(
    7,
    1,
    "Rosa Lim",
    manager=LINA,
    deputy=VUTHY,
    team=(phone("101"), phone("104")),
    custom={"vip": True, "grade": "Gold"},
)
STAFF = {
    1: Colleague(LINA, SALES),
    2: Colleague(VUTHY, SUPPORT),
    3: Colleague(BOPHA, SALES),
    4: Colleague(SAM, SUPPORT),
}
DUTY = Duty(
    people=STAFF,
    teams={SALES: "sales", SUPPORT: "support"},
    destinations={"night": "company-voicemail,100", "queue": "company-queue,s"},
)
NOW = Situation(at=THURSDAY, duty=DUTY)
OFFICE = Hours(read_week("Mon-Fri 08:00-17:00"), text="Mon-Fri 08:00-17:00", closed_to="night")


def found(*cards: Card, chosen: Card | None = None, **more: Any) -> Found:
    return Found(NUMBER, cards, chosen or (cards[0] if len(cards) == 1 else None), "exact", "cache", "", **more)


def way(now: Situation = NOW, card: Card = CARD, routing: Routing = RING) -> Route:
    return route(found(card), Did("route"), routing, NODE, now)


def changed(user_id: int, **fields: Any) -> Situation:
    """Today, with something else known of one person."""
    return replace(NOW, duty=replace(DUTY, people={**STAFF, user_id: replace(STAFF[user_id], **fields)}))


def rung(made: Route) -> list[list[str]]:
    return [[each.name for each in step.phones] for step in made.steps]


# --- presence ---


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (replace(NOW, busy=frozenset({"101"})), "on another call"),
        (replace(NOW, unreachable=frozenset({"101"})), "the phone cannot be reached"),
        (replace(NOW, declined=frozenset({"101"})), "sent this call away before"),
        (changed(1, do_not_disturb=True), "do not disturb"),
    ],
)
def test_a_manager_who_is_not_there_is_passed_over_with_the_reason(now: Situation, why: str) -> None:
    made = way(now)
    assert rung(made) == [["103"], ["104"]]
    assert made.reason == (
        "Rings Kim Vuthy, the deputy of Chan Lina, then the team of Chan Lina; after that the company's own way. "
        f"Not rung: the assigned manager Chan Lina: {why}."
    )
    assert f"the assigned manager Chan Lina: {why}." in made.trail


def test_who_is_not_rung_as_the_manager_may_be_as_one_of_the_team() -> None:
    made = way(routing=replace(RING, ring_s=0))
    assert rung(made) == [["103"], ["101", "104"]]
    assert rung(way(routing=replace(RING, group_ring_s=0))) == [["101"]]


def test_one_of_two_phones_out_of_reach_leaves_the_other() -> None:
    lina = replace(LINA, phones=(phone("101"), phone("111")))
    made = way(replace(NOW, unreachable=frozenset({"101"})), replace(CARD, manager=lina))
    assert rung(made)[0] == ["111"]


def test_who_talks_is_rung_where_the_company_says_so() -> None:
    made = way(replace(NOW, busy=frozenset({"101"})), routing=replace(RING, busy="ring"))
    assert made.steps[0].who == "Chan Lina"


def test_who_talks_on_one_phone_is_not_rung_on_another() -> None:
    lina = replace(LINA, phones=(phone("101"), phone("111")))
    made = way(replace(NOW, busy=frozenset({"111"})), replace(CARD, manager=lina))
    assert made.steps[0].who == "Kim Vuthy"


def test_whoever_is_not_signed_in_is_passed_over_only_where_the_company_says_so() -> None:
    seen = changed(2, seen_at=THURSDAY - timedelta(minutes=1))
    assert [step.who for step in way(seen).steps] == ["Chan Lina", "Kim Vuthy", "team"]
    made = way(seen, routing=replace(RING, presence="desk"))
    assert [step.who for step in made.steps] == ["Kim Vuthy"]
    assert "the assigned manager Chan Lina: not signed in at the desk" in made.reason
    left = changed(2, seen_at=THURSDAY - timedelta(minutes=5))
    at_work = replace(left.duty, people={**left.duty.people, 4: Colleague(SAM, SUPPORT, seen_at=THURSDAY)})
    assert way(replace(left, duty=at_work), routing=replace(RING, presence="desk")).steps == ()
    assert way(left, routing=replace(RING, presence="desk")).steps[0].who == "Chan Lina", "the desk itself is away"
    nothing_read = Situation(at=THURSDAY)
    assert way(nothing_read, routing=replace(RING, presence="desk")).steps[0].who == "Chan Lina"


def test_of_a_team_only_those_who_are_there_are_rung_and_the_others_are_named() -> None:
    team = (phone("101"), phone("104"), phone("103"), phone("199"))
    made = way(replace(NOW, busy=frozenset({"104"})), replace(CARD, team=team))
    assert rung(made) == [["101"], ["103"], ["199"]]
    assert "Keo Bopha: on another call" in made.reason


def test_nobody_rings_twice_under_another_name() -> None:
    both = (phone("101"), phone("111"))
    people = {**STAFF, 1: Colleague(replace(LINA, phones=both), SALES)}
    card = replace(CARD, deputy=LINA, team=(phone("111"), phone("101")), spoke_last=Spoke(LINA, "2026-11-25T10:00:00Z"))
    made = way(replace(NOW, duty=replace(DUTY, people=people)), card)
    assert rung(made) == [["101"]]
    assert "Not rung" not in made.reason


def test_nobody_there_is_said_of_everybody_and_the_company_has_its_way() -> None:
    made = way(replace(NOW, busy=frozenset({"101", "103", "104"})))
    assert made.steps == ()
    assert made.reason == (
        "The company's own way: nobody can be rung now. Not rung: the assigned manager Chan Lina: on another call; "
        "Kim Vuthy, the deputy of Chan Lina: on another call; Keo Bopha: on another call; "
        "the team of Chan Lina: nobody else of it can be rung."
    )


def test_with_nothing_known_everybody_of_the_card_rings() -> None:
    assert rung(route(found(CARD), Did("route"), RING, NODE)) == [["101"], ["103"], ["104"]]


# --- who spoke last ---


def test_who_spoke_last_rings_between_the_deputy_and_the_team_and_without_a_manager_alone() -> None:
    spoke = replace(CARD, spoke_last=Spoke(SAM, "2026-11-20T10:00:00Z"))
    assert [step.who for step in way(card=spoke).steps] == ["Chan Lina", "Kim Vuthy", "Sam Rath", "team"]
    alone = way(card=replace(spoke, manager=None, deputy=None, team=()))
    assert rung(alone) == [["105", "+85577111222"]]
    assert alone.reason == "Rings Sam Rath, who spoke with this customer last; after that the company's own way."


@pytest.mark.parametrize(("at", "days"), [("2026-10-20T10:00:00Z", 30), ("2026-11-25T10:00:00Z", 0)])
def test_who_spoke_too_long_ago_is_not_rung(at: str, days: int) -> None:
    card = replace(CARD, manager=None, deputy=None, team=(), spoke_last=Spoke(SAM, at))
    made = way(card=card, routing=replace(RING, last_spoke_days=days))
    assert made.reason == "The company's own way: the customer has no manager."


# --- hours ---


@pytest.mark.parametrize(
    "answer", [found(CARD), Unknown(NUMBER, "nobody"), Withheld("hidden"), Unavailable(NUMBER, "late")]
)
def test_outside_of_working_hours_every_call_goes_where_the_company_says(answer: Answer) -> None:
    now = Situation(NIGHT, replace(DUTY, calendars={COMPANY: OFFICE}))
    made = route(answer, Did("route"), RING, NODE, now)
    assert (made.steps, made.after) == ((), "company-voicemail,100")
    assert made.reason == "The destination night: Thu 22:00 is outside of Mon-Fri 08:00-17:00."
    assert route(answer, Did("name"), RING, NODE, now).after == ""
    by_day = route(answer, Did("route"), RING, NODE, replace(now, at=THURSDAY))
    assert by_day.after == ""
    assert bool(by_day.steps) is isinstance(answer, Found)


def test_a_team_has_hours_of_its_own() -> None:
    late = Hours(read_week("daily 08:00-23:00"), text="daily 08:00-23:00")
    duty = replace(DUTY, calendars={COMPANY: OFFICE, SALES: late})
    assert way(Situation(NIGHT, duty)).steps
    other = route(found(replace(CARD, manager=VUTHY)), Did("route"), RING, NODE, Situation(NIGHT, duty))
    assert other.after == "company-voicemail,100"


# --- rules ---

VIP = CardRule("VIP", "vip", "is", "yes", person_id=4)


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        (VIP, True),
        (replace(VIP, value="no"), False),
        (replace(VIP, field="grade", value="gold"), True),
        (replace(VIP, field="grade", value="silver"), False),
        (replace(VIP, field="nothing", value="x"), False),
        (replace(VIP, field="company", value="Angkor Rice"), True),
        (replace(VIP, field="debt", test="over", value="9999", currency="USD"), True),
        (replace(VIP, field="debt", test="over", value="10000", currency="USD"), False),
        (replace(VIP, field="debt", test="over", value="1", currency="KHR"), False),
        (replace(VIP, field="score", test="over", value="4.5"), True),
        (replace(VIP, field="score", test="over", value="5"), False),
        (replace(VIP, field="limit", test="over", value="99", currency="USD"), True),
        (replace(VIP, field="limit", test="over", value="99", currency="EUR"), False),
        (replace(VIP, field="grade", test="over", value="1"), False),
    ],
)
def test_a_rule_holds_when_the_card_says_so(rule: CardRule, holds: bool) -> None:
    custom = {"vip": True, "grade": "Gold", "score": 5, "limit": {"minor": 100, "currency": "USD"}}
    card = replace(CARD, company="Angkor Rice", debt=Money(10_000, "USD"), custom=custom)
    made = way(replace(NOW, duty=replace(DUTY, rules=(rule,))), card)
    assert (made.steps[0].who == "Sam Rath") is holds
    assert (made.steps[0].reason == "Sam Rath by the rule VIP") is holds


def test_after_whom_a_rule_names_the_customers_own_people_ring() -> None:
    made = way(replace(NOW, duty=replace(DUTY, rules=(VIP, replace(VIP, person_id=None, team_id=SUPPORT)))))
    assert rung(made) == [["105", "+85577111222"], ["103"], ["101"], ["104"]]


def test_a_destination_ends_the_way() -> None:
    to_queue = replace(VIP, person_id=None, destination="queue")
    made = way(replace(NOW, duty=replace(DUTY, rules=(to_queue, VIP))))
    assert (made.steps, made.after) == ((), "company-queue,s")
    assert made.reason == "The destination queue: a rule says so."
    made = way(replace(NOW, duty=replace(DUTY, rules=(VIP, to_queue))))
    assert (rung(made), made.after) == ([["105", "+85577111222"]], "company-queue,s")


def test_a_destination_that_the_settings_do_not_have_stops_nobody() -> None:
    made = way(replace(NOW, duty=replace(DUTY, rules=(replace(VIP, person_id=None, destination="gone"),))))
    assert made.steps[0].who == "Chan Lina"
    assert "the rule VIP: the settings have no destination gone" in made.reason


def test_a_rule_for_any_time_holds_at_night_and_others_do_not() -> None:
    night = Situation(NIGHT, replace(DUTY, calendars={COMPANY: OFFICE}, rules=(VIP,)))
    assert way(night).steps == ()
    made = way(replace(night, duty=replace(night.duty, rules=(replace(VIP, always=True),))))
    assert (rung(made), made.after) == ([["105", "+85577111222"]], "company-voicemail,100")


def test_a_rule_holds_for_customers_who_share_a_number_when_it_holds_for_each() -> None:
    duty = replace(DUTY, rules=(VIP,))
    other = replace(CARD, customer_id=8)
    both = route(found(CARD, other), Did("route"), RING, NODE, replace(NOW, duty=duty))
    assert both.steps[0].who == "Sam Rath"
    one = route(found(CARD, replace(other, custom={})), Did("route"), RING, NODE, replace(NOW, duty=duty))
    assert one.steps[0].who == "Chan Lina"


def test_who_is_not_certain_enough_gets_no_rule() -> None:
    made = route(found(CARD, may="name"), Did("route"), RING, NODE, replace(NOW, duty=replace(DUTY, rules=(VIP,))))
    assert made.steps == ()


# --- what the company says at last ---


def test_when_nobody_answered_the_call_goes_to_the_destination_of_the_settings() -> None:
    routing = replace(RING, after="queue")
    made = way(routing=routing)
    assert made.after == "company-queue,s"
    assert made.reason.endswith("; after that the destination queue.")
    busy = way(replace(NOW, busy=frozenset({"101", "103", "104"})), routing=routing)
    assert busy.after == "company-queue,s"
    unknown = route(Unknown(NUMBER, ""), Did("route"), routing, NODE, NOW)
    assert unknown.after == "", "who is for nobody goes the company's own way"


# --- blocked ---


@pytest.mark.parametrize("policy", ["route", "name"])
def test_a_blocked_caller_rings_nobody(policy: Any) -> None:
    blocked = Blocked({"+85512345678": "rude"})
    night = Situation(
        NIGHT, replace(DUTY, blocked=blocked, calendars={COMPANY: OFFICE}, rules=(replace(VIP, always=True),))
    )
    made = route(found(CARD), Did(policy), replace(RING, blocked="decline"), NODE, night)
    assert made == Route((), "Blocked: +85512345678 is on the block list (rude).", blocked="decline")


def test_a_number_that_is_left_alone_blocks_nobody() -> None:
    duty = replace(DUTY, blocked=Blocked({"+85512345678": ""}))
    assert route(found(CARD), Did("leave"), RING, NODE, replace(NOW, duty=duty)).blocked == ""


# --- for every company ---

names = st.sampled_from(["101", "103", "104", "105"])
some = st.frozensets(names)
people = st.sampled_from([LINA, VUTHY, BOPHA, SAM])
situations = st.builds(
    Situation,
    st.sampled_from([THURSDAY, NIGHT]),
    st.builds(
        Duty,
        st.fixed_dictionaries(
            {
                person.user_id: st.builds(
                    Colleague, st.just(person), st.sampled_from([SALES, SUPPORT, None]), st.booleans()
                )
                for person in (LINA, VUTHY, BOPHA, SAM)
            }
        ),
        st.just(DUTY.teams),
        st.sampled_from([{}, {COMPANY: OFFICE}]),
        st.lists(st.sampled_from([VIP, replace(VIP, person_id=None, team_id=SALES), replace(VIP, always=True)])).map(
            tuple
        ),
    ),
    some,
    some,
    some,
)
cards = st.builds(
    Card,
    st.just(7),
    st.just(1),
    st.just("Rosa Lim"),
    manager=people | st.none(),
    deputy=people | st.none(),
    team=st.lists(names.map(phone), max_size=4).map(tuple),
    custom=st.sampled_from([{}, {"vip": True}]),
    spoke_last=st.builds(Spoke, people, st.just("2026-11-25T10:00:00Z")) | st.none(),
)


@given(cards, situations)
def test_nobody_rings_twice_and_nobody_who_is_away(card: Card, now: Situation) -> None:
    made = way(now, card)
    phones = [each for step in made.steps for each in step.phones]
    assert len(phones) == len(set(phones))
    assert not {each.name for each in phones} & (now.busy | now.unreachable | now.declined)
    in_steps = [
        {who.person.user_id for each in step.phones for who in now.duty.at_phone.get(each, ())} for step in made.steps
    ]
    assert sum(map(len, in_steps)) == len(set().union(*in_steps))
    assert not any(now.duty.people[user_id].do_not_disturb for user_id in set().union(*in_steps))
    assert made.reason.endswith(".")
    assert made.trail
