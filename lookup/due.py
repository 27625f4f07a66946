"""When a task falls due, when it comes up again, and when the next one of a repeating task is due.

Pure: the moment, the company's time zone and its working hours are arguments. A time of day stays what it is on the
wall when clocks change; one that the clocks skip that day comes as much later as they skip.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal, get_args

from config.sentences import say
from lookup.hours import DAY, Hours

Group = Literal["overdue", "today", "later", "undated"]
Kind = Literal["workdays", "weekly", "monthly"]

MORNING = time(9)
"""When the day begins where no working hours are written down."""

DELAYS = {"10m": timedelta(minutes=10), "1h": timedelta(hours=1)}
SNOOZES = (*DELAYS, "tomorrow")

LOOKED_AT = 400
"""Days in which a working day, or the day of a repeating task, must come; a calendar may close them all."""

_REPEAT = re.compile(r"(workdays|weekly|monthly) (\d{1,2}) (\d{2}):(\d{2})")


def group(due_at: datetime | None, now: datetime, zone: tzinfo) -> Group:
    """Where a list puts an open task."""
    if due_at is None:
        return "undated"
    if due_at <= now:
        return "overdue"
    return "today" if due_at.astimezone(zone).date() == now.astimezone(zone).date() else "later"


def on_the_clock(day: date, at: time, zone: tzinfo) -> datetime:
    """That time of that day in the zone, as UTC."""
    return datetime.combine(day, at, zone).astimezone(UTC)


def opens(hours: Hours, day: date) -> time:
    """When the morning of that day is; MORNING where nothing says."""
    begin = min((begin for begin in _begins(hours, day) if begin), default=None)
    return MORNING if begin is None else time(*divmod(begin, 60))


def snoozed(how: str, now: datetime, zone: tzinfo, hours: Hours) -> datetime:
    """When a task that is put off comes up again; "tomorrow" is the next working day's morning.

    Raises ValueError with what can be said instead.
    """
    if how in DELAYS:
        return now.astimezone(UTC) + DELAYS[how]  # in a zone with summer time a sum would be one of its clock
    if how != "tomorrow":
        raise ValueError(say("{how!r} is no time to wait; write one of {known}", how=how, known=", ".join(SNOOZES)))
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    day = next((day for day in _days(tomorrow) if _works(hours, day)), tomorrow)
    return on_the_clock(day, opens(hours, day), zone)


# --- repeating


@dataclass(frozen=True, slots=True)
class Repeat:
    """How a task repeats, with all that a moved date of one of them must not change: the day and the time meant."""

    kind: Kind
    day: int  # weekly: of the week, from Monday, 0; monthly: of the month, 31 is its last; workdays: 0
    at: time

    def __str__(self) -> str:
        """As the records keep it."""
        return f"{self.kind} {self.day} {self.at:%H:%M}"


def repeat(kind: str, due_at: datetime | None, zone: tzinfo) -> str:
    """As the records keep it; empty for an empty kind. Raises ValueError with what is missing."""
    if not kind:
        return ""
    if kind not in get_args(Kind):
        known = ", ".join(get_args(Kind))
        raise ValueError(say("{kind!r} is no way to repeat; write one of {known}, or nothing", kind=kind, known=known))
    if due_at is None:
        raise ValueError(say("a task that repeats needs a date: when is the first one due?"))
    local = due_at.astimezone(zone)
    day = {"workdays": 0, "weekly": local.weekday(), "monthly": local.day}[kind]
    return f"{kind} {day} {local:%H:%M}"


def read_repeat(text: str) -> Repeat | None:
    """None: it does not repeat, or another program wrote what nobody understands."""
    written = _REPEAT.fullmatch(text)
    if not written:
        return None
    kind, day, hour, minute = written[1], int(written[2]), int(written[3]), int(written[4])
    least, most = {"workdays": (0, 0), "weekly": (0, 6), "monthly": (1, 31)}[kind]
    if not least <= day <= most or hour > 23 or minute > 59:
        return None
    return Repeat(kind, day, time(hour, minute))  # type: ignore[arg-type]  # the pattern knows the kinds


def kept_repeat(text: str, due_at: datetime | None, kind: str, before: datetime | None, zone: tzinfo) -> str:
    """How a task repeats after somebody changed it: one whose date and kind stay keeps the day and the time meant."""
    known = read_repeat(text)
    if known and kind == known.kind and due_at == before:
        return text
    return repeat(kind, due_at, zone)


def next_due(text: str, due_at: datetime | None, now: datetime, zone: tzinfo, hours: Hours) -> datetime | None:
    """When the task after this one is due: later than this one, and not in the past. None: there is none."""
    rule = read_repeat(text)
    if rule is None or due_at is None:
        return None
    first = max(due_at.astimezone(zone).date() + timedelta(days=1), now.astimezone(zone).date())
    for day in _days(first):
        if _fits(rule, hours, day) and (moment := on_the_clock(day, rule.at, zone)) > now:
            return moment
    return None


def _fits(rule: Repeat, hours: Hours, day: date) -> bool:
    if rule.kind == "weekly":
        return day.weekday() == rule.day
    if rule.kind == "monthly":
        return day.day == min(rule.day, monthrange(day.year, day.month)[1])
    return _works(hours, day) and (bool(hours.week) or day.weekday() < 5)


def _works(hours: Hours, day: date) -> bool:
    """Whether somebody begins to work on that day; with no week written down everybody does."""
    if {day.isoformat(), f"{day:%m-%d}"} & hours.holidays:
        return False
    return not hours.week or bool(_begins(hours, day))


def _begins(hours: Hours, day: date) -> list[int]:
    """Minutes of the day at which work begins; what is left of the night before begins nothing."""
    weekday = day.weekday()
    nights = {(before + 1) % 7 for before, begin, end in hours.week if end == DAY and begin}
    return [begin for of, begin, _ in hours.week if of == weekday and (begin or weekday not in nights)]


def _days(first: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range(LOOKED_AT))
