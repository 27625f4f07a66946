"""Ranges of numbers and choices among those who share a number, as they are entered and kept; on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from lookup.answers import Number
from lookup.numbers import NORM_VERSION, NumberPlan, read
from records import calls, choices, customers, users
from records.database import reading, writing
from records.errors import NotFound, Refused
from records.ranges import is_range, read_ranges_again, renew_ranges, span_of
from records.tables import CallRow, Customer, NumberChoice, NumberRange
from records.touched import Touched
from tests.fixtures.desk import logged

OWN_LINE = "+85523900001"


def read_number(raw: str) -> Number:
    number = read(raw, NumberPlan("KH"))
    return replace(number, own=number.match_key == OWN_LINE)


def add(session: Session, name: str, *numbers: str) -> Customer:
    return customers.add_customer(session, read_number, name=name, numbers=numbers)[0]


# --- what a range is


@pytest.mark.parametrize(
    ("raw", "country", "span"),
    [
        ("+7 495 123-45xx", "KH", ("+749512345", 2)),
        ("+7 (495) 123-4x-xx", "KH", ("+74951234", 3)),
        ("8 495 123-45-XX", "RU", ("+749512345", 2)),
        ("+7 495 123 4ххх", "KH", ("+74951234", 3)),  # Cyrillic
        ("023 900 1xx", "KH", ("+855239001", 2)),
        ("00855 23 900 xxx", "KH", ("+85523900", 3)),
        ("+855 23 90x xxx", "KH", ("+8552390", 4)),
        ("+1 212 555 123x", "KH", ("+1212555123", 1)),
        ("+54 9 11 2345-67xx", "KH", ("+5411234567", 2)),  # as its numbers are compared, without the 9
        ("+54 11 2345-67xx", "KH", ("+5411234567", 2)),
        ("044 55 1234 56xx", "MX", ("+5255123456", 2)),
        ("+52 1 55 1234 56xx", "KH", ("+5255123456", 2)),
        ("+55 11 8765-43xx", "KH", ("+551198765" + "43", 2)),
        ("+39 6 123456xx", "KH", ("+3906123456", 2)),
        ("٠٢٣ ٩٠٠ ١xx", "KH", ("+855239001", 2)),
    ],
)
def test_a_range_is_compared_as_its_numbers_are(raw: str, country: str, span: tuple[str, int]) -> None:
    def by_plan(text: str) -> Number:
        return read(text, NumberPlan(country))

    assert span_of(raw, by_plan) == span
    prefix, count = span
    for digits in ("0" * count, "5" * count, "9" * count):
        assert by_plan(prefix + digits).match_key == prefix + digits


@pytest.mark.parametrize("raw", ["012345678", "+855 12 345 678 x5", "+1 212 555 1234 ext. 12", "xxxx", "", "Max 12"])
def test_a_number_is_no_range(raw: str) -> None:
    assert not is_range(raw)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("+855 23 9xx xxx", "more than 4 x, so it is more than 10000 numbers"),
        ("+855 12 34xx", "no range of whole phone numbers"),
        ("12x", "no range of whole phone numbers"),
        ("+999 1234 56xx", "no range of whole phone numbers"),
    ],
)
def test_what_is_no_range_of_numbers_is_refused_with_what_to_write(database: Engine, raw: str, said: str) -> None:
    assert is_range(raw)
    with pytest.raises(Refused, match=said), writing(database) as session:
        add(session, "A", raw)


# --- entered and taken away


def test_a_range_is_entered_where_a_number_is(database: Engine) -> None:
    with writing(database) as session:
        mill, touched = customers.add_customer(
            session, read_number, name="Mill", numbers=["012 345 678", ("023 900 1xx", "office")]
        )
    assert touched.ranges == {("+855239001", 2)}
    assert touched.keys == {"+85512345678"}
    with writing(database) as session:
        assert customers.attach_number(session, read_number, mill.id, "+855 23 9001-xx") == Touched()
        more = customers.attach_number(session, read_number, mill.id, "023 900 2xx")
        assert more.ranges == {("+855239001", 2), ("+855239002", 2)}
    with reading(database) as session:
        page = customers.customer_page(session, mill.id)
    assert page is not None
    assert [(row.raw, row.label) for row in page.customer.ranges] == [("023 900 1xx", "office"), ("023 900 2xx", "")]
    assert [row.raw for row in page.customer.numbers] == ["012 345 678"]


def test_every_change_of_a_customer_names_the_ranges_too(database: Engine) -> None:
    with writing(database) as session:
        mill = add(session, "Mill", "023 900 1xx")
    with writing(database) as session:
        touched = customers.change_customer(session, mill.id, {"debt_minor": 5})[1]
        assert touched.ranges == {("+855239001", 2)}
        with pytest.raises(NotFound, match="no range"):
            customers.detach_range(session, mill.id, 999)
        (span,) = session.scalars(select(NumberRange)).all()
        assert customers.detach_range(session, mill.id, span.id).ranges == {("+855239001", 2)}
        assert session.scalars(select(NumberRange)).all() == []


def test_ranges_that_older_rules_read_or_another_program_wrote_are_read_anew(database: Engine) -> None:
    with writing(database) as session:
        mill = add(session, "Mill")
        session.add_all(
            NumberRange(id=n, customer_id=mill.id, raw=raw, prefix=prefix, open_digits=open_digits, norm_version=0)
            for n, raw, prefix, open_digits in (
                (1, "023 900 1xx", None, None),
                (2, "023 900 2xx", "+1", 3),
                (3, "+855 23 900 1xx", None, None),  # the same as the first
                (4, "by and by", None, None),
            )
        )
    touched = renew_ranges(database, read_number, NORM_VERSION)
    assert touched.ranges == {("+855239001", 2), ("+855239002", 2), ("+1", 3)}
    assert touched.customer_ids == {mill.id}
    with reading(database) as session:
        rows = [(row.prefix, row.open_digits) for row in session.scalars(select(NumberRange).order_by(NumberRange.id))]
    assert rows == [("+855239001", 2), ("+855239002", 2), (None, None), (None, None)]
    assert renew_ranges(database, read_number, NORM_VERSION) == Touched()
    read_ranges_again(database, read_number, [1, 2, 3, 4])


def test_earlier_calls_from_a_range_are_its_owners_but_for_a_number_that_is_somebodys_own(database: Engine) -> None:
    inside, beside, others = "+85523900150", "+85523900200", "+85523900151"
    with writing(database) as session:
        other = add(session, "Other", others)
        for call_id, number in (("inside", inside), ("beside", beside), ("others", others)):
            calls.write_call(session, replace(logged(call_id, "101", number, None, "missed"), linkedid=call_id))
        mill = add(session, "Mill", "023 900 1xx")
    with reading(database) as session:
        owners = {row.call_id: row.customer_id for row in session.scalars(select(CallRow))}
    assert owners == {"inside": mill.id, "beside": None, "others": other.id}


# --- our own


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("023 900 001", "a line of your own company"),
        ("101", "a phone of your own people"),
        ("017 111 222", "a phone of your own people"),
        ("+54 11 2345 6789", "a phone of your own people"),
    ],
)
def test_a_phone_of_our_own_is_no_customers(database: Engine, raw: str, said: str) -> None:
    with writing(database) as session:
        dara = users.add_user(session, "dara", "Dara", "a long password")
        users.seat(session, dara.id, "pbx", "101")
        for mobile in ("+85517111222", "+5491123456789"):
            users.seat(session, dara.id, "pbx", mobile, inside=False)
        known = add(session, "A", "012 345 678")
    with pytest.raises(Refused, match=said), writing(database) as session:
        add(session, "B", raw)
    with pytest.raises(Refused, match=said), writing(database) as session:
        customers.attach_number(session, read_number, known.id, raw)
    with writing(database) as session:
        assert add(session, "C", "102").numbers[0].raw == "102"


# --- choices


def test_a_choice_is_kept_replaced_and_taken_back(database: Engine) -> None:
    with writing(database) as session:
        dara = users.add_user(session, "dara", "Dara", "a long password")
        first, second = add(session, "A", "012 345 678"), add(session, "B", "012 345 678")
        touched = choices.choose(session, "+85512345678", first.id, dara.id)
        assert touched == Touched(frozenset({"+85512345678"}), customer_ids=frozenset({first.id}))
        touched = choices.choose(session, "+85512345678", second.id, dara.id)
        assert touched.customer_ids == {first.id, second.id}
    with writing(database) as session:
        kept = session.get_one(NumberChoice, "+85512345678")
        assert (kept.customer_id, kept.chosen_by_id) == (second.id, dara.id)
        assert choices.unchoose(session, "+85512345678").keys == {"+85512345678"}
        assert choices.unchoose(session, "+85512345678") == Touched()


def test_only_who_has_the_number_can_be_chosen(database: Engine) -> None:
    with writing(database) as session:
        mill, other = add(session, "Mill", "023 900 1xx"), add(session, "Other", "012 345 678")
        with pytest.raises(Refused, match="no number of Other"):
            choices.choose(session, "+85523900150", other.id, None)
        choices.choose(session, "+85523900150", mill.id, None)
        with pytest.raises(NotFound, match="no customer"):
            choices.choose(session, "+85523900150", 999, None)


def test_a_choice_ends_with_the_number_and_with_the_customer(database: Engine) -> None:
    with writing(database) as session:
        first, second = add(session, "A", "012 345 678"), add(session, "B", "012 345 678", "012 777 888")
        choices.choose(session, "+85512345678", first.id, None)
        choices.choose(session, "+85512777888", second.id, None)
    with writing(database) as session:
        row = session.get_one(Customer, first.id)
        customers.detach_number(session, first.id, row.numbers[0].id)
        assert session.get(NumberChoice, "+85512345678") is None
        customers.remove_customer(session, second.id)
    with reading(database) as session:
        assert session.scalars(select(NumberChoice)).all() == []
