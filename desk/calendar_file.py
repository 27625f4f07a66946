"""Tasks as a calendar file (RFC 5545), with the little that every calendar program reads. Pure.

A task is an event at the moment when it is due: programs that subscribe to a calendar leave out its to-dos. Of the
customer it says the name alone, which everybody who signs in may see.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from desk.content_lines import folded, text
from records.tables import Task


def of(tasks: Iterable[Task], name: str, public_url: str, now: datetime) -> str:
    """The file with those of these tasks that have a date. `now`: when it is made."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Ringcard//Tasks//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"X-WR-CALNAME:{text(name)}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        "X-PUBLISHED-TTL:PT1H",
    ]
    for task in tasks:
        lines += _event(task, public_url.rstrip("/"), now)
    return "".join(folded(line) for line in (*lines, "END:VCALENDAR"))


def _event(task: Task, url: str, now: datetime) -> Iterator[str]:
    if task.due_at is None:
        return
    customer = task.customer.name if task.customer else ""
    yield "BEGIN:VEVENT"
    yield f"UID:task-{task.id}@{url.partition('://')[2]}"
    yield f"DTSTAMP:{_moment(now)}"
    yield f"DTSTART:{_moment(task.due_at)}"
    yield "DURATION:PT15M"
    yield "TRANSP:TRANSPARENT"
    yield f"SUMMARY:{text(f'{task.title} ({customer})' if customer else task.title)}"
    yield f"URL:{url}/tasks/{task.id}"
    yield "END:VEVENT"


def _moment(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
