"""Working hours as a person writes them -> whether the company, or one of its teams, is at work at a moment.

    Mon-Fri 08:00-12:00, 13:30-17:30; Sat 09:00-12:00
    daily 22:00-06:00                                    (past midnight)

Holidays are days: 2026-04-14, or 12-25 for every year. Pure: the moment is an argument, in the company's own time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from config.sentences import say
from lookup import reasons

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = 24 * 60

Span = tuple[int, int, int]
"""A day of the week from Monday, 0; from which minute of it; to which minute, not itself."""

LIKE = "Mon-Fri 08:00-12:00, 13:30-17:30; Sat 09:00-12:00"

_PART = re.compile(r"([A-Za-z]+(?:\s*-\s*[A-Za-z]+)?(?:\s*,\s*[A-Za-z]+(?:\s*-\s*[A-Za-z]+)?)*)\s+(.+)", re.DOTALL)
_TIMES = re.compile(r"(\d{1,2})[:.](\d{2})\s*-\s*(\d{1,2})[:.](\d{2})")
_HOLIDAY = re.compile(r"(?:(\d{4})-)?(\d{2})-(\d{2})")
_LEAP_YEAR = 2028  # every day of every year is one of it


@dataclass(frozen=True, slots=True)
class Hours:
    """When somebody is at work. Nothing written: always."""

    week: tuple[Span, ...] = ()
    holidays: frozenset[str] = field(default_factory=frozenset)  # as they are written
    text: str = ""  # the week as it was written
    closed_to: str = ""  # where calls go outside of these hours, a destination's name; empty: the company's own way

    def closed(self, at: datetime) -> str:
        """Why nobody works at this moment; empty: somebody does."""
        for holiday in (at.date().isoformat(), f"{at:%m-%d}"):
            if holiday in self.holidays:
                return reasons.HOLIDAY.format(day=holiday)
        minute = at.hour * 60 + at.minute
        if not self.week or any(day == at.weekday() and begin <= minute < end for day, begin, end in self.week):
            return ""
        return reasons.OUT_OF_HOURS.format(weekday=f"{at:%a}", time=f"{at:%H:%M}", hours=self.text)


def read_week(text: str) -> tuple[Span, ...]:
    """The hours of a week; none for an empty text. Raises ValueError with what to write instead."""
    return tuple(sorted(span for part in re.split(r"[;\n]", text) if part.strip() for span in _part(part.strip())))


def read_holidays(text: str) -> frozenset[str]:
    """Days between blanks, commas or lines. Raises ValueError with what to write instead."""
    return frozenset(_holiday(word) for word in re.split(r"[\s,;]+", text) if word)


def _part(part: str) -> Iterator[Span]:
    written = _PART.fullmatch(part)
    if not written:
        raise ValueError(
            say("{text!r} has no days and times; write days and times like {example}", text=part, example=LIKE)
        )
    days = [day for piece in written[1].split(",") for day in _days(piece)]
    for piece in written[2].split(","):
        times = _TIMES.fullmatch(piece.strip())
        if not times:
            raise ValueError(
                say("{text!r} are no times; write days and times like {example}", text=piece.strip(), example=LIKE)
            )
        begin, end = _minute(times[1], times[2]), _minute(times[3], times[4])
        for day in days:
            if begin < end:
                yield day, begin, end
            else:
                yield day, begin, DAY
                yield (day + 1) % 7, 0, end


def _days(piece: str) -> list[int]:
    if piece.strip().lower() == "daily":
        return [*range(7)]
    first, _, last = (name.strip().lower()[:3] for name in piece.partition("-"))
    for name in filter(None, (first, last)):
        if name not in DAYS:
            raise ValueError(
                say(
                    "{text!r} is no day; write one of {days}, or {daily}",
                    text=piece.strip(),
                    days=", ".join(day.capitalize() for day in DAYS),
                    daily="daily",
                )
            )
    begin, end = DAYS.index(first), DAYS.index(last or first)
    return [(begin + n) % 7 for n in range((end - begin) % 7 + 1)]


def _minute(hours: str, minutes: str) -> int:
    minute = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or minute > DAY:
        raise ValueError(
            say("{hours}:{minutes} is no time; write one from 00:00 to 24:00", hours=hours, minutes=minutes)
        )
    return minute


def _holiday(word: str) -> str:
    written = _HOLIDAY.fullmatch(word)
    if written:
        try:
            date(int(written[1] or _LEAP_YEAR), int(written[2]), int(written[3]))
        except ValueError:
            pass
        else:
            return word
    raise ValueError(say("{text!r} is no day; write it like 2026-04-14, or 12-25 for every year", text=word))
