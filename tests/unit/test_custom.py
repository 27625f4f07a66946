"""Values of the company's own fields: what was typed is kept by its type, or refused in words that help."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, get_args

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.card_fields import Field, FieldType
from records.custom import LONGEST, as_typed, read_value, typed_value, with_values
from records.errors import Refused

CHOICES = ("Gold", "ប្រាក់")


def field(kind: Any) -> Field:
    return Field(type=kind, choices=CHOICES if kind == "choice" else ())


@pytest.mark.parametrize(
    ("kind", "typed", "kept"),
    [
        ("text", "  Street 1\nPhnom Penh\x00 ", "Street 1\nPhnom Penh"),
        ("text", " \n ", None),
        ("number", "1250", 1250),
        ("number", "1 250,5", 1250.5),
        ("number", "1,250.50", 1250.5),
        ("number", "0.125", 0.125),
        ("number", "−3", -3),
        ("money", "1,250.50", {"minor": 125050, "currency": "USD"}),
        ("money", "4000 KHR", {"minor": 400000, "currency": "KHR"}),
        ("money", "jpy 500", {"minor": 500, "currency": "JPY"}),
        ("date", "2026-3-1", "2026-03-01"),
        ("date", "01.03.2026", "2026-03-01"),
        ("date", "2026-03-01 14:30:00", "2026-03-01"),
        ("date", "2026-03-01T00:00:00Z", "2026-03-01"),
        ("yes/no", "Да", True),
        ("yes/no", "no", False),
        ("link", "https://crm.example/c/7?x=1", "https://crm.example/c/7?x=1"),
        ("choice", "gold", "Gold"),
    ],
)
def test_what_was_typed_is_kept_by_its_type_and_comes_back_into_the_form(kind: str, typed: str, kept: Any) -> None:
    assert read_value(field(kind), typed, "USD") == kept
    assert read_value(field(kind), as_typed(kept), "USD") == kept
    assert typed_value(field(kind), kept, "USD") == kept


@pytest.mark.parametrize(
    ("kind", "typed", "said"),
    [
        ("text", "x" * (LONGEST + 1), "longer than the 1000 letters"),
        ("number", "1,250", "may be two numbers; write 1250 or 1.250"),
        ("number", "12 apples", "is no number; write it like 1250 or 12.5"),
        ("number", "1234567890123456", "more than 15 digits; make the field a text"),
        ("number", "1" + "0" * 30, "more than 15 digits; make the field a text"),
        ("money", "much", "is no amount"),
        ("money", "500 dollars and more", "is no amount"),
        ("date", "2026-02-30", "is no date; write it like 2026-03-01"),
        ("date", "03/01/2026", "is no date"),
        ("yes/no", "maybe", "is neither yes nor no"),
        ("link", "javascript:alert(1)", "begins with https:// or http://"),
        ("link", "https://[", "begins with https:// or http://"),
        ("link", "https://a b", "begins with https:// or http://"),
        ("choice", "Silver", "is none of Gold, ប្រាក់"),
    ],
)
def test_what_does_not_fit_the_type_is_refused_with_what_to_write(kind: str, typed: str, said: str) -> None:
    with pytest.raises(Refused, match=said.replace("(", r"\(").replace(".", r"\.")):
        read_value(field(kind), typed, "USD")


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        ("money", Decimal("1250.505"), {"minor": 125050, "currency": "USD"}),
        ("money", 12, {"minor": 1200, "currency": "USD"}),
        ("money", 0.1 + 0.2, {"minor": 30, "currency": "USD"}),
        ("money", "1250.50", {"minor": 125050, "currency": "USD"}),
        ("money", {"minor": "5"}, None),
        ("number", Decimal("1E+2"), 100),
        ("number", "many", "many"),
        ("date", datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02"),
        ("date", date(2026, 1, 2), "2026-01-02"),
        ("yes/no", 1, True),
        ("yes/no", 0, False),
        ("text", Decimal("1.50"), "1.50"),
        ("text", b"\x00\x01", None),
        ("text", ["a"], None),
        ("text", None, None),
        ("link", "javascript:alert(1)", "javascript:alert(1)"),
    ],
)
def test_what_stands_in_a_column_is_a_value_of_the_field_or_its_text(kind: str, raw: Any, value: Any) -> None:
    assert typed_value(field(kind), raw, "USD") == value


foreign = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.decimals() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["minor", "currency"]), inner),
    max_leaves=4,
)


@given(st.sampled_from(get_args(FieldType)), foreign)
def test_whatever_stands_there_never_breaks_a_card(kind: str, raw: Any) -> None:
    value = typed_value(field(kind), raw, "USD")
    assert orjson.loads(orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER)) == value if value else True
    assert isinstance(as_typed(value), str)


def test_values_that_are_named_change_and_the_others_stay() -> None:
    kept = {"grade": "Gold", "vip": True}
    assert with_values(kept, {"vip": None, "limit": 5}) == {"grade": "Gold", "limit": 5}
    assert kept == {"grade": "Gold", "vip": True}
    assert with_values("nonsense", {"vip": False}) == {"vip": False}
    with pytest.raises(Refused, match="by the name of their field"):
        with_values({}, "Gold")
