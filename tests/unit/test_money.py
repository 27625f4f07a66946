"""Amounts as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.errors import Refused
from records.money import minor_digits, to_minor


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("1250", "USD", 125000),
        ("1,250.50", "USD", 125050),
        ("1 250,50", "USD", 125050),
        ("1\u00a0250,5", "RUB", 125050),
        ("1.234.567,89", "EUR", 123456789),
        ("1,234,567", "USD", 123456700),
        ("1.250", "USD", 125000),
        ("1.250", "KWD", 1250),
        ("1500", "JPY", 1500),
        ("$-25", "USD", -2500),
        ("(25.00)", "USD", -2500),
        ("−3", "USD", -300),
        ("25-", "USD", -2500),
        ("USD 1'250.50", "USD", 125050),
        ("100 руб.", "RUB", 10000),
        ("٣٥", "USD", 3500),
        ("0", "USD", 0),
    ],
)
def test_an_amount_is_understood_as_people_write_it(text: str, currency: str, minor: int) -> None:
    assert to_minor(text, currency) == minor


@pytest.mark.parametrize("text", ["", "-", "abc", "1e5", "12.345.67", "1250.505", "1,2,3", "9" * 20, "2024-01-02"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        to_minor(text, "USD")


@given(minor=st.integers(-(10**14), 10**14), currency=st.sampled_from(["USD", "JPY", "KWD"]))
def test_every_amount_comes_back_from_its_plain_writing(minor: int, currency: str) -> None:
    digits = minor_digits(currency)
    whole, rest = divmod(abs(minor), 10**digits)
    text = f"{'-' if minor < 0 else ''}{whole}" + (f".{rest:0{digits}}" if digits else "")
    assert to_minor(text, currency) == minor


@given(st.text())
def test_any_text_is_an_amount_or_refused(text: str) -> None:
    try:
        to_minor(text, "USD")
    except Refused:
        return
