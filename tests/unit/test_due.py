"""When tasks fall due, come up again and repeat: by the clock on the wall, the calendar, and whatever months do."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookup import due
from lookup.hours import Hours, read_holidays, read_week

PHNOM_PENH, BERLIN = ZoneInfo("Asia/Phnom_Penh"), ZoneInfo("Europe/Berlin")
OFFICE = Hours(read_week("Mon-Fri 08:00-12:00, 13:30-17:30; Sat 09:00-12:00"), read_holidays("2026-04-14 12-25"))


def at(text: str, zone: ZoneInfo = PHNOM_PENH) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def shown(moment: datetime | None, zone: ZoneInfo = PHNOM_PENH) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M") if moment else ""


# --- lists


@pytest.mark.parametrize(
    ("when", "group"),
    [
        ("2026-03-10T11:59", "overdue"),
        ("2026-03-10T12:00", "overdue"),
        ("2026-03-10T12:01", "today"),
        ("2026-03-10T23:59", "today"),
        ("2026-03-11T00:00", "later"),
        (None, "undated"),
    ],
)
def test_a_day_ends_at_midnight_of_the_company(when: str | None, group: str) -> None:
    assert due.group(at(when) if when else None, at("2026-03-10T12:00"), PHNOM_PENH) == group


# --- snoozing


def test_minutes_and_hours_are_as_long_as_they_say_when_clocks_change() -> None:
    now = at("2026-03-29T01:55", BERLIN)
    assert due.snoozed("10m", now, BERLIN, OFFICE) - now.astimezone(UTC) == timedelta(minutes=10)
    assert shown(due.snoozed("10m", now, BERLIN, OFFICE), BERLIN) == "2026-03-29 03:05"
    assert shown(due.snoozed("1h", at("2026-10-25T02:30", BERLIN), BERLIN, OFFICE), BERLIN) == "2026-10-25 02:30"


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-03-10T16:00", "2026-03-11 08:00"),  # a Tuesday
        ("2026-03-13T16:00", "2026-03-14 09:00"),  # Saturday begins later
        ("2026-03-14T11:00", "2026-03-16 08:00"),  # nobody works on Sunday
        ("2026-04-13T11:00", "2026-04-15 08:00"),  # a holiday
        ("2026-12-24T11:00", "2026-12-26 09:00"),  # of every year
        ("2026-03-10T00:30", "2026-03-11 08:00"),  # at night, tomorrow is tomorrow
    ],
)
def test_tomorrow_is_the_next_working_days_morning(now: str, then: str) -> None:
    assert shown(due.snoozed("tomorrow", at(now), PHNOM_PENH, OFFICE)) == then


def test_without_a_calendar_tomorrow_is_tomorrow_at_nine() -> None:
    assert shown(due.snoozed("tomorrow", at("2026-03-13T16:00"), PHNOM_PENH, Hours())) == "2026-03-14 09:00"


def test_a_calendar_that_closes_every_day_still_gives_a_tomorrow() -> None:
    closed = Hours((), frozenset(f"{date(2028, 1, 1) + timedelta(days=n):%m-%d}" for n in range(366)))
    assert shown(due.snoozed("tomorrow", at("2026-03-13T16:00"), PHNOM_PENH, closed)) == "2026-03-14 09:00"


@pytest.mark.parametrize(
    ("week", "then"),
    [("daily 22:00-06:00", "2026-03-14 22:00"), ("daily 00:00-24:00", "2026-03-14 09:00")],
)
def test_a_night_shift_begins_in_the_evening_and_a_house_that_never_closes_at_nine(week: str, then: str) -> None:
    hours = Hours(read_week(week))
    assert shown(due.snoozed("tomorrow", at("2026-03-13T16:00"), PHNOM_PENH, hours)) == then


def test_what_is_left_of_friday_night_makes_no_working_saturday() -> None:
    hours = Hours(read_week("Mon-Fri 22:00-06:00"))
    assert shown(due.snoozed("tomorrow", at("2026-03-13T16:00"), PHNOM_PENH, hours)) == "2026-03-16 22:00"


@pytest.mark.parametrize("how", ["", "2h", "yesterday", "10M", "-10m"])
def test_what_is_no_time_to_wait_is_refused_in_words(how: str) -> None:
    with pytest.raises(ValueError, match="write one of 10m, 1h, tomorrow"):
        due.snoozed(how, at("2026-03-13T16:00"), PHNOM_PENH, OFFICE)


# --- repeating


def chain(kind: str, first: str, count: int, zone: ZoneInfo = PHNOM_PENH, hours: Hours = OFFICE) -> list[str]:
    """When each is due, when each is finished at that very moment."""
    moment: datetime | None = at(first, zone)
    text = due.repeat(kind, moment, zone)
    seen = []
    for _ in range(count):
        moment = due.next_due(text, moment, moment or at(first, zone), zone, hours)
        seen.append(shown(moment, zone))
    return seen


def test_every_working_day_leaves_out_sundays_and_holidays() -> None:
    assert chain("workdays", "2026-04-10T16:00", 4) == [
        "2026-04-11 16:00",
        "2026-04-13 16:00",
        "2026-04-15 16:00",
        "2026-04-16 16:00",
    ]


def test_without_a_calendar_working_days_are_monday_to_friday() -> None:
    assert chain("workdays", "2026-04-10T16:00", 2, hours=Hours()) == ["2026-04-13 16:00", "2026-04-14 16:00"]
    closed = Hours(holidays=read_holidays("2026-04-13"))
    assert chain("workdays", "2026-04-10T16:00", 1, hours=closed) == ["2026-04-14 16:00"]


def test_every_week_keeps_its_day_holiday_or_not() -> None:
    assert chain("weekly", "2026-04-07T09:00", 2) == ["2026-04-14 09:00", "2026-04-21 09:00"]


def test_the_31st_is_the_last_day_of_shorter_months_and_comes_back() -> None:
    assert chain("monthly", "2028-01-31T09:00", 4) == [
        "2028-02-29 09:00",
        "2028-03-31 09:00",
        "2028-04-30 09:00",
        "2028-05-31 09:00",
    ]
    assert chain("monthly", "2027-01-30T09:00", 2) == ["2027-02-28 09:00", "2027-03-30 09:00"]
    assert chain("monthly", "2026-12-15T09:00", 1) == ["2027-01-15 09:00"]


def test_the_time_on_the_wall_stays_when_clocks_change() -> None:
    assert chain("workdays", "2026-03-27T09:00", 2, BERLIN, Hours()) == ["2026-03-30 09:00", "2026-03-31 09:00"]
    assert chain("weekly", "2026-10-18T09:00", 2, BERLIN) == ["2026-10-25 09:00", "2026-11-01 09:00"]


def test_a_time_that_the_clocks_skip_comes_later_that_day_and_is_itself_again_after_it() -> None:
    assert chain("weekly", "2026-03-22T02:30", 2, BERLIN) == ["2026-03-29 03:30", "2026-04-05 02:30"]


def test_a_time_that_comes_twice_is_taken_once() -> None:
    assert chain("weekly", "2026-10-18T02:30", 2, BERLIN) == ["2026-10-25 02:30", "2026-11-01 02:30"]


def test_what_was_left_undone_for_weeks_comes_once_and_not_for_every_day() -> None:
    text = due.repeat("workdays", at("2026-03-02T16:00"), PHNOM_PENH)
    late = due.next_due(text, at("2026-03-02T16:00"), at("2026-03-20T10:00"), PHNOM_PENH, OFFICE)
    assert shown(late) == "2026-03-20 16:00"
    later = due.next_due(text, at("2026-03-02T16:00"), at("2026-03-20T16:00"), PHNOM_PENH, OFFICE)
    assert shown(later) == "2026-03-21 16:00"


def test_what_is_done_before_its_time_is_not_due_again_at_that_time() -> None:
    text = due.repeat("weekly", at("2026-03-13T16:00"), PHNOM_PENH)
    following = due.next_due(text, at("2026-03-13T16:00"), at("2026-03-11T10:00"), PHNOM_PENH, OFFICE)
    assert shown(following) == "2026-03-20 16:00"


def test_a_title_may_be_changed_in_february_without_losing_the_31st() -> None:
    text, february = "monthly 31 09:00", at("2026-02-28T09:00")
    assert due.kept_repeat(text, february, "monthly", february, PHNOM_PENH) == text
    assert due.kept_repeat(text, at("2026-02-20T10:00"), "monthly", february, PHNOM_PENH) == "monthly 20 10:00"
    assert due.kept_repeat(text, february, "weekly", february, PHNOM_PENH) == "weekly 5 09:00"
    assert due.kept_repeat(text, february, "", february, PHNOM_PENH) == ""


@pytest.mark.parametrize("text", ["", "yearly 1 09:00", "monthly 32 09:00", "weekly 7 09:00", "weekly 1 24:00", "x"])
def test_what_another_program_wrote_and_nobody_understands_does_not_repeat(text: str) -> None:
    assert due.read_repeat(text) is None
    assert due.next_due(text, at("2026-03-13T16:00"), at("2026-03-13T16:00"), PHNOM_PENH, OFFICE) is None


@pytest.mark.parametrize(("kind", "when"), [("weekly", None), ("yearly", "2026-03-13T16:00")])
def test_what_cannot_repeat_is_refused_in_words(kind: str, when: str | None) -> None:
    with pytest.raises(ValueError, match=r"needs a date|no way to repeat"):
        due.repeat(kind, at(when) if when else None, PHNOM_PENH)


BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
moments = st.integers(0, 8 * 365 * 24 * 60).map(lambda minutes: BEGIN + timedelta(minutes=minutes))


@given(st.sampled_from(["workdays", "weekly", "monthly"]), moments, moments, st.sampled_from([PHNOM_PENH, BERLIN]))
def test_the_next_one_is_always_later_than_this_one_and_than_now(
    kind: str, due_at: datetime, now: datetime, zone: ZoneInfo
) -> None:
    text = due.repeat(kind, due_at, zone)
    rule = due.read_repeat(text)
    assert rule is not None
    assert str(rule) == text
    following = due.next_due(text, due_at, now, zone, Hours())
    assert following is not None
    assert following > max(due_at, now)
    assert following - max(due_at, now) < timedelta(days=33)


@given(moments, st.sampled_from([PHNOM_PENH, BERLIN]))
def test_tomorrow_is_never_today(now: datetime, zone: ZoneInfo) -> None:
    then = due.snoozed("tomorrow", now, zone, OFFICE).astimezone(zone)
    assert then.date() > now.astimezone(zone).date()
    assert then.time() in (time(8), time(9))
