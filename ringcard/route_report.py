"""What `ringcard route NUMBER` prints: whom a call would ring, where it would end, and why; no Asterisk is asked."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from config.settings import Settings
from lookup.answers import Answer, Caller
from lookup.duty import Duty
from lookup.trying import Tried, read_moment, tried
from records.errors import Refused

LOOKUP_S = 5.0  # nobody waits on the telephone


class Finder(Protocol):
    """The lookup engine, as far as it is needed here."""

    async def find(self, caller: Caller, budget_s: float) -> Answer: ...


async def explain(
    finder: Finder, settings: Settings, duty: Duty, number: str, at: str = "", did: str = "", trunk: str = ""
) -> Tried:
    """Raises Refused for a time that cannot be read."""
    now = datetime.now(ZoneInfo(settings.company.time_zone))
    try:
        moment = read_moment(at, now)
    except ValueError as exc:
        raise Refused(str(exc)) from None
    return tried(await finder.find(Caller(number, trunk=trunk), LOOKUP_S), settings, duty, moment, did)


def render(report: Tried, as_json: bool = False) -> str:
    """For a person, or as one JSON object with the field names of Tried."""
    if as_json:
        return json.dumps(asdict(report), ensure_ascii=False, indent=2)
    ends = "the caller hears " + report.blocked if report.blocked else report.after or "the company's own way"
    rows = [
        ("At", report.at),
        ("Called", report.did or "any number whose policy is route (name one with --did)"),
        ("Caller", f"{report.answer}: {report.answer_reason}"),
        *(("Customer", name) for name in report.customers),
        *(("Looked at", line) for line in report.trail),
        *((f"Step {n}", f"{', '.join(ring.phones)} for {ring.seconds} s") for n, ring in enumerate(report.steps, 1)),
        ("Ends with", ends),
        ("In words", report.reason),
        *(("Not known", line) for line in report.not_known),
    ]
    return "\n".join(f"{name:10} {text}" for name, text in rows)
