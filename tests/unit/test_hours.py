"""Working hours as people write them, and what counts as outside of them."""

from contextlib import suppress
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookup.hours import DAY, Hours, read_holidays, read_week

OFFICE = "Mon-Fri 08:00-12:00, 13:30-17:30; Sat 09:00-12:00"


def hours(week: str, holidays: str = "") -> Hours:
    return Hours(read_week(week), read_holidays(holidays), week)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Phnom_Penh"))


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-26 07:59", False),  # a Thursday
        ("2026-11-26 08:00", True),
        ("2026-11-26 11:59", True),
        ("2026-11-26 12:00", False),
        ("2026-11-26 13:30", True),
        ("2026-11-26 17:30", False),
        ("2026-11-28 10:00", True),
        ("2026-11-28 13:30", False),
        ("2026-11-29 10:00", False),
    ],
)
def test_the_office_is_open_when_it_says(moment: str, is_open: bool) -> None:
    assert (hours(OFFICE).closed(at(moment)) == "") is is_open


@pytest.mark.parametrize(
    ("week", "open_at", "closed_at"),
    [
        ("daily 22:00-06:00", ["2026-11-29 23:00", "2026-11-30 05:59"], ["2026-11-30 06:00", "2026-11-30 21:59"]),
        ("Sun 22:00-06:00", ["2026-11-30 03:00"], ["2026-11-29 03:00"]),
        ("Sat-Mon 10:00-11:00", ["2026-11-29 10:30", "2026-11-30 10:30"], ["2026-12-01 10:30"]),
        ("mon, wed 8.00 - 24:00", ["2026-12-02 23:59"], ["2026-12-01 09:00"]),
        ("Monday-Friday 00:00-24:00", ["2026-11-27 00:00"], ["2026-11-28 00:00"]),
        ("", ["2026-11-29 03:00"], []),
    ],
)
def test_hours_past_midnight_over_the_weekend_and_always(week: str, open_at: list[str], closed_at: list[str]) -> None:
    assert [moment for moment in open_at if hours(week).closed(at(moment))] == []
    assert [moment for moment in closed_at if not hours(week).closed(at(moment))] == []


def test_a_holiday_is_closed_and_says_so() -> None:
    always = hours("", "2026-04-14, 12-25")
    assert always.closed(at("2026-04-14 10:00")) == "2026-04-14 is a holiday"
    assert always.closed(at("2027-12-25 10:00")) == "12-25 is a holiday"
    assert always.closed(at("2027-04-14 10:00")) == ""
    assert hours(OFFICE).closed(at("2026-11-29 10:00")) == f"Sun 10:00 is outside of {OFFICE}"


@pytest.mark.parametrize(
    ("week", "said"),
    [
        ("08:00-17:00", "no days"),
        ("Mon-Fri", "no days and times"),
        ("Mon-Fri 8-17", "no times"),
        ("Mon-Xyz 08:00-17:00", "no day"),
        ("Mon 08:00-25:00", "no time"),
        ("Mon 08:61-09:00", "no time"),
        ("Mon 08:00-17:00 Tue 08:00-17:00", "no times"),
    ],
)
def test_what_is_no_week_is_refused_in_words(week: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_week(week)


@pytest.mark.parametrize("holidays", ["14.04.2026", "2026-02-30", "13-01", "Christmas"])
def test_what_is_no_day_is_refused_in_words(holidays: str) -> None:
    with pytest.raises(ValueError, match="no day; write it like"):
        read_holidays(holidays)


@given(st.text(alphabet="MonTueWdhrFiSaly 0123456789:-,;.\n", max_size=40))
def test_whatever_is_typed_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        week = read_week(text)
        assert all(0 <= day <= 6 and 0 <= begin <= end <= DAY for day, begin, end in week)
