"""Customers, people, tasks and the log of calls, each test on SQLite and on PostgreSQL."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from lookup.numbers import NORM_VERSION, NumberPlan, read
from records import calls, customers, tasks, users
from records.database import reading, writing
from records.errors import Conflict, NotFound, RecordsError, Refused
from records.facts import NOT_ALL_HEARD, CallFacts, LegFacts, TraceStep
from records.numbers import ReadNumber, renew_numbers
from records.orders import add_order, set_order_state
from records.passwords import hash_password, verify
from records.places import Place
from records.tables import CallRow, Customer, Endpoint, PhoneNumber, User
from records.touched import Touched
from tests.facts import NOW, facts

PLAN = NumberPlan("KH")


def read_number(raw: str) -> ReadNumber:
    return read(raw, PLAN)


def people_at(session: Session, node: str, phone: str) -> list[User]:
    """The active people who sit at a phone."""
    seats = select(User).join(User.endpoints).where(Endpoint.node == node, Endpoint.name == phone, User.active)
    return list(session.scalars(seats.order_by(User.id)))


def add(session: Session, name: str, *numbers: str, **fields: Any) -> Customer:
    return customers.add_customer(session, read_number, name=name, numbers=numbers, **fields)[0]


@pytest.fixture
def people(database: Engine) -> tuple[User, User, User]:
    """Dara at 101, Bopha at 102 and 103, Chan at 103; all in Sales."""
    with writing(database) as session:
        made = [
            users.add_user(session, login, login.title(), "a long password", team="Sales")
            for login in ("dara", "bopha", "chan")
        ]
        for user, phone in ((0, "101"), (1, "102"), (1, "103"), (2, "103")):
            users.seat(session, made[user].id, "pbx", phone)
    return made[0], made[1], made[2]


# --- customers ---


def test_a_customer_is_found_by_any_spelling_of_any_of_the_numbers(database: Engine) -> None:
    with writing(database) as session:
        dara, touched = customers.add_customer(
            session, read_number, name="Sok Dara", numbers=["012 345 678", ("+855 23 900 900 ext. 5", "work")]
        )
    assert touched.keys == {"+85512345678", "+85523900900"}
    assert touched.customer_ids == {dara.id}
    with reading(database) as session:
        for spelling in ("+85512345678", "012345678", "00855 12 345 678", "(012) 345-678"):
            found = customers.customers_with(session, read_number(spelling).match_key)
            assert [customer.name for customer in found] == ["Sok Dara"]
        numbers = customers.customers_with(session, "+85523900900")[0].numbers
        assert [(number.raw, number.label, number.ext) for number in numbers] == [
            ("012 345 678", "", ""),
            ("+855 23 900 900 ext. 5", "work", "5"),
        ]


def test_the_same_number_written_twice_is_kept_once(database: Engine) -> None:
    with writing(database) as session:
        dara = add(session, "Sok Dara", "012345678", "+855 12 345 678")
        assert customers.attach_number(session, read_number, dara.id, "012-345-678") == Touched()
        assert len(dara.numbers) == 1


def test_two_customers_may_share_a_number(database: Engine) -> None:
    with writing(database) as session:
        first, second = add(session, "A", "012345678"), add(session, "B", "+85512345678")
    with reading(database) as session:
        assert [row.id for row in customers.customers_with(session, "+85512345678")] == [first.id, second.id]


def test_a_number_that_cannot_be_read_is_kept_as_typed(database: Engine) -> None:
    with writing(database) as session:
        row = add(session, "Reception", "101").numbers[0]
    assert (row.raw, row.e164, row.match_key, row.nsn_tail) == ("101", None, None, None)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "  "}, "needs a name"),
        ({"name": "A", "numbers": ["call me"]}, "write its digits"),
        ({"name": "A", "shoe_size": 43}, "no shoe_size; known are"),
    ],
)
def test_what_is_no_customer_is_refused(database: Engine, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=message), writing(database) as session:
        customers.add_customer(session, read_number, **fields)
    with reading(database) as session:
        assert session.query(Customer).count() == 0


def test_a_change_counts_the_version_up_and_names_the_keys(database: Engine) -> None:
    with writing(database) as session:
        dara = add(session, "Sok Dara", "012345678", external_id="7")
        before = dara.updated_at
    with writing(database) as session:
        changed, touched = customers.change_customer(session, dara.id, {"debt_minor": 12_50, "name": "Sok D."})
        assert (changed.version, changed.debt_minor, changed.name) == (2, 1250, "Sok D.")
        assert changed.updated_at > before
    assert touched == Touched(frozenset({"+85512345678"}), frozenset({"12345678"}), frozenset({dara.id}))


def test_of_two_people_who_edit_at_once_the_second_is_told(database: Engine) -> None:
    with writing(database) as session:
        dara = add(session, "Sok Dara")
    with writing(database) as session:
        customers.change_customer(session, dara.id, {"note": "first"}, if_version=1)
    with pytest.raises(Conflict, match="changed Sok Dara meanwhile"), writing(database) as session:
        customers.change_customer(session, dara.id, {"note": "second"}, if_version=1)
    with reading(database) as session:
        assert session.query(Customer).one().note == "first"


def test_values_of_the_companys_own_fields_change_one_by_one(database: Engine) -> None:
    limit = {"minor": 500_000, "currency": "USD"}
    with writing(database) as session:
        sok = add(session, "Sok", "012 345 678", custom={"grade": "Gold"})
    with writing(database) as session:
        changed, touched = customers.change_customer(
            session, sok.id, {"custom": {"limit": limit, "vip": True}}, if_version=sok.version
        )
        assert changed.custom == {"grade": "Gold", "limit": limit, "vip": True}
        assert touched.keys == {"+85512345678"}
    with writing(database) as session:
        customers.change_customer(session, sok.id, {"custom": {"grade": None}, "note": "no grade any more"})
        with pytest.raises(Refused, match="by the name of their field"):
            customers.change_customer(session, sok.id, {"custom": ["Gold"]})
    with reading(database) as session:
        page = customers.customer_page(session, sok.id)
        assert page is not None
        assert page.customer.custom == {"limit": limit, "vip": True}


def test_an_external_id_belongs_to_one_customer(database: Engine) -> None:
    with writing(database) as session:
        add(session, "A", external_id="7")
        other = add(session, "B")
        add(session, "C", external_id="")
    with pytest.raises(Conflict, match="7 belongs to A"), writing(database) as session:
        customers.change_customer(session, other.id, {"external_id": "7"})
    with pytest.raises(Conflict, match="7 belongs to A"), writing(database) as session:
        add(session, "D", external_id="7")


def test_a_number_taken_away_is_named_for_the_cache_one_last_time(database: Engine) -> None:
    with writing(database) as session:
        dara = add(session, "Sok Dara", "012345678", "092 222 222")
    with writing(database) as session:
        touched = customers.detach_number(session, dara.id, dara.numbers[0].id)
        assert touched.keys == {"+85512345678", "+85592222222"}
    with reading(database) as session:
        assert customers.customers_with(session, "+85512345678") == []
    with pytest.raises(NotFound), writing(database) as session:
        customers.detach_number(session, dara.id, 999_999)


def test_a_removed_customer_leaves_the_calls(database: Engine) -> None:
    with writing(database) as session:
        dara = add(session, "Sok Dara", "012345678")
        add_order(session, dara.id, "1001")
        tasks.add_task(session, "Call back", customer_id=dara.id)
        calls.write_call(session, facts("c1", customer_id=dara.id))
    with writing(database) as session:
        assert customers.remove_customer(session, dara.id).keys == {"+85512345678"}
    with reading(database) as session:
        assert session.query(PhoneNumber).count() == 0
        row = calls.call(session, "c1")
        assert row is not None
        assert row.customer is None


def test_earlier_calls_of_nobody_become_the_new_customers(database: Engine) -> None:
    with writing(database) as session:
        calls.write_call(session, facts("c1"))
        calls.write_call(session, facts("c2", caller_key="+85599999999"))
        dara = add(session, "Sok Dara", "012345678")
    with writing(database) as session:
        assert [row.call_id for row in calls.calls_of_customer(session, dara.id).items] == ["c1"]
        customers.attach_number(session, read_number, dara.id, "+855 99 999 999")
        assert {row.call_id for row in calls.calls_of_customer(session, dara.id).items} == {"c1", "c2"}


def test_earlier_calls_from_a_shared_number_are_given_to_nobody(database: Engine) -> None:
    with writing(database) as session:
        add(session, "A", "012345678")
        calls.write_call(session, facts("c1"))
        add(session, "B", "012345678")
        row = calls.call(session, "c1")
        assert row is not None
        assert row.customer_id is None


def test_the_page_of_a_customer_has_everything_and_needs_no_session(database: Engine, people: tuple[User, ...]) -> None:
    with writing(database) as session:
        dara = add(session, "Sok Dara", "012345678", manager_id=people[0].id, created_by_id=people[1].id)
        for text, day in (("1", 1), ("2", 2)):
            add_order(session, dara.id, text, placed_at=NOW + timedelta(days=day))
        for title, due in (("later", NOW + timedelta(days=2)), ("soon", NOW), ("some day", None)):
            tasks.add_task(session, title, customer_id=dara.id, user_id=people[0].id, due_at=due)
        for title, done in (("old", NOW - timedelta(days=5)), ("recent", NOW - timedelta(days=1))):
            task, _ = tasks.add_task(session, title, customer_id=dara.id)
            tasks.finish_task(session, task.id, done)
        for number in range(25):
            calls.write_call(session, facts(f"c{number}", customer_id=dara.id, started_ms=number * 1000))
    with reading(database) as session:
        page = customers.customer_page(session, dara.id)
        assert customers.customer_page(session, dara.id + 1) is None
    assert page is not None
    assert page.customer.manager is not None
    assert page.customer.created_by is not None
    assert (page.customer.manager.name, page.customer.created_by.name) == ("Dara", "Bopha")
    assert [phone.name for phone in page.customer.manager.endpoints] == ["101"]
    assert [number.e164 for number in page.customer.numbers] == ["+85512345678"]
    assert [order.number for order in page.orders] == ["2", "1"]
    assert [task.title for task in page.tasks] == ["soon", "later", "some day", "recent", "old"]
    assert page.tasks[0].user is not None
    assert [call.call_id for call in page.calls] == [f"c{number}" for number in range(24, 4, -1)]


def test_numbers_are_read_again_when_the_rules_change(database: Engine) -> None:
    with writing(database) as session:
        dara = add(session, "Sok Dara", "012345678", "999 12345")
        add(session, "Bopha", "092222222")
    assert renew_numbers(database, read_number, NORM_VERSION) == Touched()

    def new_rules(raw: str) -> ReadNumber:
        number = read_number(raw)
        return replace(number, match_key="+85512345678", tail="12345678") if raw.startswith("999") else number  # type: ignore[type-var]

    touched = renew_numbers(database, new_rules, NORM_VERSION + 1, at_once=1)
    assert touched.customer_ids == {dara.id}
    with reading(database) as session:
        rows = session.query(PhoneNumber).order_by(PhoneNumber.id).all()
        assert [row.match_key for row in rows] == ["+85512345678", None, "+85592222222"]
        assert {row.norm_version for row in rows} == {NORM_VERSION + 1}


# --- orders and tasks ---


def test_orders_and_tasks_change_the_card(database: Engine, people: tuple[User, ...]) -> None:
    with writing(database) as session:
        dara = add(session, "Sok Dara", "012345678")
        order, touched = add_order(session, dara.id, "1001", "Rice", total_minor=5000)
        assert touched.keys == {"+85512345678"}
        assert set_order_state(session, order.id, "done").keys == {"+85512345678"}
        task, touched = tasks.add_task(session, "Call back", customer_id=dara.id, user_id=people[0].id, due_at=NOW)
        assert touched.keys == {"+85512345678"}
        assert [row.id for row in tasks.tasks_due(session, NOW + timedelta(seconds=1), user_id=people[0].id)] == [
            task.id
        ]
        assert tasks.tasks_due(session, NOW, user_id=people[0].id) == []
        assert tasks.tasks_due(session, NOW + timedelta(seconds=1), user_id=people[1].id) == []
        assert tasks.finish_task(session, task.id).keys == {"+85512345678"}
        assert tasks.finish_task(session, task.id) == Touched()
        assert tasks.tasks_due(session, NOW + timedelta(days=1)) == []
        session.refresh(dara)
        assert dara.version == 5


def test_orders_and_tasks_of_nobody_are_refused(database: Engine) -> None:
    with writing(database) as session:
        with pytest.raises(NotFound, match="no customer with the id 99"):
            add_order(session, 99, "1001")
        with pytest.raises(NotFound, match="no person with the id 99"):
            tasks.add_task(session, "Call back", user_id=99)
        with pytest.raises(Refused, match="needs a title"):
            tasks.add_task(session, " ")


# --- people ---


def test_only_the_right_password_of_an_active_person_signs_in(database: Engine, people: tuple[User, ...]) -> None:
    assert (user := users.sign_in(database, " Dara ", "a long password")) is not None
    assert user.id == people[0].id
    assert user.team is not None
    assert [phone.name for phone in user.endpoints] == ["101"]
    assert users.sign_in(database, "dara", "a long Password") is None
    assert users.sign_in(database, "nobody", "a long password") is None
    with writing(database) as session:
        users.deactivate(session, people[0].id)
    assert users.sign_in(database, "dara", "a long password") is None
    with reading(database) as session:
        assert [user.login for user in users.list_users(session)] == ["bopha", "chan"]
        assert len(users.list_users(session, inactive_too=True)) == 3
        assert people_at(session, "pbx", "101") == []


def test_an_old_hash_is_made_anew_at_sign_in(database: Engine, people: tuple[User, ...]) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("a long password")
    with writing(database) as session:
        session.get_one(User, people[0].id).password_hash = weak
    assert users.sign_in(database, "dara", "a long password") is not None
    with reading(database) as session:
        stored = session.get_one(User, people[0].id).password_hash
    assert stored != weak
    assert verify(stored, "a long password").right


def test_passwords_have_a_least_length_and_a_salt() -> None:
    with pytest.raises(Refused, match="8 to 1024 characters"):
        hash_password("short")
    assert hash_password("same password") != hash_password("same password")
    assert not verify(None, "nobody has this password").right
    assert not verify("not a hash", "nobody has this password").right


def test_a_login_is_used_once_whatever_its_letters(database: Engine, people: tuple[User, ...]) -> None:
    with pytest.raises(Conflict, match="'dara' is in use"), writing(database) as session:
        users.add_user(session, "DARA", "Other Dara", "a long password")
    for login, role, message in (("", "agent", "login and a name"), ("x", "boss", "no role; write one of agent")):
        with pytest.raises(Refused, match=message), writing(database) as session:
            users.add_user(session, login, "X", "a long password", role=role)


def test_a_phone_may_be_of_nobody_one_or_several(database: Engine, people: tuple[User, ...]) -> None:
    with reading(database) as session:
        assert [user.login for user in people_at(session, "pbx", "103")] == ["bopha", "chan"]
        assert [user.login for user in people_at(session, "pbx", "101")] == ["dara"]
        assert people_at(session, "pbx", "999") == []
        assert people_at(session, "other", "101") == []
        assert users.phones_of(session, people[1].id) == {("pbx", "102"), ("pbx", "103")}
    with writing(database) as session:
        session.get_one(User, people[1].id).active = False
        assert [user.login for user in people_at(session, "pbx", "103")] == ["chan"]


def test_where_a_manager_sits_changes_the_cards_of_their_customers(database: Engine, people: tuple[User, ...]) -> None:
    with writing(database) as session:
        add(session, "Sok Dara", "012345678", manager_id=people[0].id)
        add(session, "Other", "092222222")
        assert users.seat(session, people[0].id, "pbx", "106").keys == {"+85512345678"}
        assert users.seat(session, people[0].id, "pbx", "106") == Touched()
        assert users.unseat(session, people[0].id, "pbx", "106").keys == {"+85512345678"}
        assert users.deactivate(session, people[0].id).keys == {"+85512345678"}


def test_what_is_given_of_a_person_is_changed_and_the_rest_stays(database: Engine, people: tuple[User, ...]) -> None:
    dara, bopha = people[0], people[1]
    with writing(database) as session:
        add(session, "Sok Dara", "012345678", manager_id=dara.id)
        assert users.change_user(session, dara.id, name="Dara Sok", role="supervisor").keys == {"+85512345678"}
        users.change_user(session, dara.id, team="North", deputy=bopha.login)
        changed = session.get_one(User, dara.id)
        assert (changed.name, changed.role, changed.deputy_id) == ("Dara Sok", "supervisor", bopha.id)
        assert changed.team is not None
        assert changed.team.name == "North"
        users.change_user(session, dara.id, team="", deputy="")
        assert (changed.team_id, changed.deputy_id, changed.name) == (None, None, "Dara Sok")
        users.deactivate(session, dara.id)
        users.change_user(session, dara.id, active=True)
        assert changed.active
        for wrong in ({"name": " "}, {"role": "king"}, {"deputy": "nobody"}):
            with pytest.raises(RecordsError):
                users.change_user(session, dara.id, **wrong)  # type: ignore[arg-type]


def test_a_person_can_be_moved_to_other_phones(database: Engine, people: tuple[User, ...]) -> None:
    with writing(database) as session:
        add(session, "Sok Dara", "012345678", manager_id=people[1].id)
        users.seat(session, people[1].id, "branch", "201")
        there = (Place("pbx", "103"), Place("pbx", "+85512000001", inside=False))
        assert users.sit_at(session, people[1].id, there).keys == {"+85512345678"}
        assert users.phones_of(session, people[1].id) == {("pbx", "103"), ("pbx", "+85512000001")}
        users.sit_at(session, people[1].id, ())
        assert users.phones_of(session, people[1].id) == frozenset()


def test_a_role_decides_whose_calls_are_seen(database: Engine, people: tuple[User, ...]) -> None:
    with writing(database) as session:
        chief = users.add_user(session, "chief", "Chief", "a long password", role="administrator")
        lead = users.add_user(session, "lead", "Lead", "a long password", role="supervisor", team="Sales")
        assert users.whose_calls_are_seen_by(session, chief) is None
        assert users.whose_calls_are_seen_by(session, lead) == frozenset({lead.id, *(user.id for user in people)})
        assert users.whose_calls_are_seen_by(session, people[0]) == frozenset({people[0].id})


# --- calls ---


def test_a_call_grows_with_its_facts_and_an_old_version_changes_nothing(
    database: Engine, people: tuple[User, ...]
) -> None:
    start = int(NOW.timestamp() * 1000)
    ringing = facts("c1", version=start + 100, legs=(LegFacts("ch1", "101", start + 100),))
    ended = facts(
        "c1",
        version=start + 64_750,
        outcome="answered",
        answered_ms=start + 4_500,
        ended_ms=start + 64_750,
        answered_endpoint="101",
        hangup_by="caller",
        hangup_cause=16,
        legs=(
            LegFacts("ch1", "101", start + 100, start + 4_500, start + 64_750, "answered"),
            LegFacts("ch2", "102", start + 100, 0, start + 4_600, "cancelled"),
        ),
    )
    with writing(database) as session:
        assert calls.write_call(session, ringing)
        assert calls.write_call(session, ended)
        assert not calls.write_call(session, ended)
        assert not calls.write_call(session, replace(ringing, version=start + 200))
    with reading(database) as session:
        row = calls.call(session, "c1")
    assert row is not None
    assert row.answered_by is not None
    assert (row.version, row.outcome, row.answered_by.login) == (start + 64_750, "answered", "dara")
    assert (row.wait_s, row.talk_s, row.hangup_cause) == (4.5, 60.25, 16)
    assert row.started_at == NOW
    assert [(leg.endpoint, leg.outcome) for leg in row.legs] == [("101", "answered"), ("102", "cancelled")]


def test_who_answered_is_left_open_where_several_sit_at_the_phone(database: Engine, people: tuple[User, ...]) -> None:
    with writing(database) as session:
        calls.write_call(session, facts("c1", answered_endpoint="103"))
        calls.write_call(session, facts("c2", answered_endpoint="104"))
    with reading(database) as session:
        for call_id in ("c1", "c2"):
            row = calls.call(session, call_id)
            assert row is not None
            assert row.answered_by_id is None


def test_a_customer_deleted_meanwhile_costs_the_call_only_its_link(database: Engine) -> None:
    with writing(database) as session:
        assert calls.write_call(session, facts("c1", customer_id=4711))
    with reading(database) as session:
        row = calls.call(session, "c1")
        assert row is not None
        assert row.customer_id is None


def test_later_facts_without_a_customer_take_none_away(database: Engine) -> None:
    with writing(database) as session:
        dara = add(session, "Sok Dara")
        calls.write_call(session, facts("c1", customer_id=dara.id))
        calls.write_call(session, facts("c1", version=2))
        row = calls.call(session, "c1")
        assert row is not None
        assert row.customer_id == dara.id


def test_what_is_written_together_is_as_if_it_was_written_one_by_one(database: Engine) -> None:
    dice = random.Random(4)
    with writing(database) as session:
        customer_id = add(session, "Sok Dara").id
        calls.write_call(session, facts("another"))

    def some(call_id: str) -> CallFacts:
        legs = tuple(
            LegFacts(f"{name}-{call_id}", name, 1000, outcome=dice.choice(("", "answered")))
            for name in ("101", "102")
            if dice.random() < 0.6
        )
        return facts(
            call_id,
            version=dice.randint(1, 4),
            ended_ms=dice.choice((0, 5000)),
            reason=dice.choice(("Rings Lina.", NOT_ALL_HEARD)),
            customer_id=dice.choice((None, customer_id)),
            merged_into=dice.choice(("", "", "", "another")),
            legs=legs,
        )

    def row(session: Session, call_id: str) -> tuple[object, ...]:
        row = calls.call(session, call_id)
        assert row is not None
        legs = sorted((leg.channel_id.partition("-")[0], leg.outcome) for leg in row.legs)
        return row.version, row.ended_at, row.reason, row.customer_id, row.merged_into, legs

    stories = [[some(f"one-{story}") for _ in range(dice.randint(1, 5))] for story in range(60)]
    together = [
        replace(each, call_id=each.call_id.replace("one", "all"), linkedid=f"all {each.linkedid}")
        for story in stories
        for each in story
    ]
    with writing(database) as session:
        for each in [each for story in stories for each in story]:
            calls.write_call(session, each)
        assert calls.write_calls(session, together) == {each.call_id for each in together}
        assert calls.write_calls(session, together) == frozenset()
    with reading(database) as session:
        for story in range(60):
            assert row(session, f"all-{story}") == row(session, f"one-{story}"), stories[story]


def test_a_day_is_the_companys_and_ends_at_its_midnight(database: Engine) -> None:
    moments = {
        "before": "2026-03-09T16:59:59.999+00:00",
        "first": "2026-03-09T17:00:00+00:00",
        "last": "2026-03-10T16:59:59.999+00:00",
        "after": "2026-03-10T17:00:00+00:00",
    }
    with writing(database) as session:
        for call_id, moment in moments.items():
            calls.write_call(session, facts(call_id, started_ms=int(datetime.fromisoformat(moment).timestamp() * 1000)))
    with reading(database) as session:
        page = calls.calls_of_day(session, date(2026, 3, 10), "Asia/Phnom_Penh")
    assert [row.call_id for row in page.items] == ["last", "first"]


def test_the_day_of_a_clock_change_has_its_own_length() -> None:
    begin, end = calls.bounds(date(2026, 3, 29), "Europe/Berlin")
    assert end.astimezone(UTC) - begin.astimezone(UTC) == timedelta(hours=23)


def test_pages_of_calls_neither_repeat_nor_leave_out_while_calls_come_in(database: Engine) -> None:
    start = int(NOW.timestamp() * 1000)
    with writing(database) as session:
        for number in range(7):
            calls.write_call(session, facts(f"c{number}", started_ms=start + number // 3))
    seen, after = [], ""
    with writing(database) as session:
        while True:
            page = calls.calls_of_day(session, NOW.date(), "UTC", after=after, limit=2)
            seen += [row.call_id for row in page.items]
            calls.write_call(session, facts(f"new{len(seen)}", started_ms=start + 1000))
            after = page.next
            if not after:
                break
    assert seen == ["c6", "c5", "c4", "c3", "c2", "c1", "c0"]


def test_people_see_calls_that_rang_at_their_phones_or_of_their_customers(
    database: Engine, people: tuple[User, ...]
) -> None:
    dara, bopha, chan = people
    with writing(database) as session:
        managed = add(session, "Customer of Chan", manager_id=chan.id)
        calls.write_call(session, facts("missed-at-101", legs=(LegFacts("x", "101", 1),)))
        calls.write_call(session, facts("answered-at-102", answered_endpoint="102"))
        calls.write_call(session, facts("at-another-pbx", node="other", legs=(LegFacts("y", "101", 1),)))
        calls.write_call(session, facts("of-chans-customer", customer_id=managed.id))
        calls.write_call(session, facts("called-from-103", direction="outbound", caller_endpoint="103"))
    with reading(database) as session:

        def seen(*ids: int) -> set[str]:
            return {row.call_id for row in calls.calls_of_day(session, NOW.date(), "UTC", people=ids).items}

        assert seen(dara.id) == {"missed-at-101"}
        assert seen(bopha.id) == {"answered-at-102", "called-from-103"}
        assert seen(chan.id) == {"of-chans-customer", "called-from-103"}
        assert seen(dara.id, bopha.id) == {"missed-at-101", "answered-at-102", "called-from-103"}
        assert seen() == set()
        assert len(calls.calls_of_day(session, NOW.date(), "UTC").items) == 5
        assert session.query(CallRow).count() == 5


def test_of_a_conversation_that_became_part_of_another_only_the_other_is_listed(database: Engine) -> None:
    with writing(database) as session:
        dara = add(session, "Sok Dara")
        calls.write_call(session, facts("consultation", version=1))
        calls.write_call(session, facts("whole", customer_id=dara.id))
        calls.write_call(session, facts("consultation", version=3, merged_into="whole", customer_id=dara.id))
        calls.write_call(session, facts("consultation", version=2))
    with reading(database) as session:
        assert [row.call_id for row in calls.calls_of_day(session, NOW.date(), "UTC").items] == ["whole"]
        assert [row.call_id for row in calls.calls_of_customer(session, dara.id).items] == ["whole"]
        part = calls.call(session, "consultation")
        assert part is not None
        assert part.merged_into == "whole"


def test_the_story_of_a_call_is_kept_in_order(database: Engine) -> None:
    steps = (TraceStep(1000, "arrived"), TraceStep(1100, "phone 101 rings \x00"))
    with writing(database) as session:
        calls.write_call(session, facts("c1", trace=steps))
    with reading(database) as session:
        row = calls.call(session, "c1")
        assert row is not None
        assert row.trace == [[1000, "arrived"], [1100, "phone 101 rings "]]
