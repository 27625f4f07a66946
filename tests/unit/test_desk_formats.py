"""How values look on the screen."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from desk import formats
from desk.languages import language

PHNOM_PENH = ZoneInfo("Asia/Phnom_Penh")


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (123450, "USD", "1,234.50"),
        (5, "USD", "0.05"),
        (0, "USD", "0.00"),
        (-5000, "USD", "−50.00"),
        (41000000, "KHR", "410,000.00"),
        (1500, "JPY", "1,500"),
        (1234567, "KWD", "1,234.567"),
    ],
)
def test_an_amount_has_the_digits_of_its_currency(minor: int, currency: str, text: str) -> None:
    assert formats.amount(minor, currency) == text


@pytest.mark.parametrize(
    ("number", "text", "country"),
    [
        ("+85512345678", "+855 12 345 678", "KH"),
        ("+33142685300", "+33 1 42 68 53 00", "FR"),
        ("101", "101", ""),
        ("+1", "+1", ""),
        ("+80012345678", "+800 1234 5678", ""),  # international freephone: of no country
        ("<script>", "<script>", ""),
        ("", "", ""),
    ],
)
def test_a_number_is_grouped_as_in_its_country_and_anything_else_stays(number: str, text: str, country: str) -> None:
    assert formats.number(number) == text
    assert formats.country(number) == country


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0, "0 s"), (59.4, "59 s"), (59.6, "1:00 min"), (205, "3:25 min"), (3840, "1:04 h")],
)
def test_a_length_reads_as_one_would_say_it(seconds: float | None, text: str) -> None:
    assert formats.lasting(seconds) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "+0 ms"),
        (999, "+999 ms"),
        (4100, "+4.1 s"),
        (59_940, "+59.9 s"),
        (59_960, "+1:00 min"),
        (205_000, "+3:25 min"),
    ],
)
def test_a_distance_from_the_beginning_is_as_exact_as_it_is_short(ms: int, text: str) -> None:
    assert formats.after(ms) == text


def test_an_exact_time_is_of_the_companys_clock() -> None:
    assert formats.exactly(datetime(2026, 3, 14, 18, 30, 1, 502_999, tzinfo=UTC), PHNOM_PENH) == "01:30:01.502"


def test_clock_and_day_are_those_of_the_company() -> None:
    late = datetime(2026, 3, 14, 18, 30, tzinfo=UTC)
    assert formats.clock(late, PHNOM_PENH) == "01:30"
    assert formats.day(late, PHNOM_PENH, date(2026, 3, 15)) == "today"
    assert formats.day(late, PHNOM_PENH, date(2026, 3, 16)) == "yesterday"
    assert formats.day(late, PHNOM_PENH, date(2026, 3, 14)) == "tomorrow"
    assert formats.day(late, PHNOM_PENH, date(2026, 9, 1)) == "15 Mar"
    assert formats.day(late, PHNOM_PENH, date(2027, 9, 1)) == "15 Mar 2026"


def test_a_whole_day_has_its_weekday_and_is_written_as_the_language_does() -> None:
    day = formats.whole_day(date(2026, 3, 14))
    assert day == "Saturday, 14 March 2026"
    assert language("de").put(day) == "Samstag, 14. März 2026"


def test_api_times_are_utc_with_z() -> None:
    assert formats.rfc3339(datetime(2026, 3, 14, 8, 30, tzinfo=PHNOM_PENH)) == "2026-03-14T01:30:00.000Z"
    assert formats.rfc3339(None) is None


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Sok Rithy", "SR"),
        ("Madonna", "M"),
        ("Анна Сергеевна Полякова", "АП"),
        ("សុខ ចាន់ដារា", "សុចា"),  # vowel signs stay with their consonant
        ("  ", "?"),
        ("(work) Dara", "D"),
        ("👻", "?"),
    ],
)
def test_initials_are_whole_letters_of_every_script(name: str, letters: str) -> None:
    assert formats.initials(name) == letters
