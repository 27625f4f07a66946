"""What `ringcard lookup NUMBER` prints: what a call from this number would show, whom it would ring, and why.

It goes the way of a call, stage by stage, with the same parts, and keeps what each said and how long it took.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import Protocol

from config.settings import Did, Settings
from lookup import numbers
from lookup.answers import Answer, Caller, Found, Number
from lookup.card import Card
from lookup.display import display_name
from lookup.duty import Situation
from lookup.routing import NOTHING_KNOWN, Step, route
from ringcard.from_settings import plans


class Finder(Protocol):
    """The lookup engine, as far as it is needed here."""

    async def find(self, caller: Caller, budget_s: float) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Ring:
    """One step of the route."""

    phones: tuple[str, ...]  # endpoints of this node, or numbers outside
    seconds: int
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """Times are milliseconds. Texts are empty where there is nothing to tell."""

    typed: str
    trunk: str
    did: str
    e164: str
    country: str
    key: str  # what the cache and the database are asked for
    answer: str  # found | unknown | withheld | unavailable
    tier: str
    may: str  # what settings allow a match of this tier: card | name | route
    source: str
    reason: str
    customers: tuple[str, ...]
    shown: str  # what the phone shows; empty: the name that came with the call
    steps: tuple[Ring, ...]
    route_reason: str
    read_ms: float
    find_ms: float
    route_ms: float


MAY = {
    "card": "be shown as a card",
    "name": "be shown as a card and name the phone",
    "route": "be shown as a card, name the phone and ring the manager",
}


async def explain(
    finder: Finder, settings: Settings, number: str, trunk: str = "", did: str = "", now: Situation = NOTHING_KNOWN
) -> Report:
    """Look `number` up as if it called `did` over `trunk`. Never raises: what is wrong stands in the report."""
    by_trunk = plans(settings)
    plan = by_trunk.get(trunk) or by_trunk[""]
    began = time.perf_counter()
    read = numbers.read(number, plan)
    read_at = time.perf_counter()
    answer = await finder.find(Caller(number, trunk=trunk), settings.lookup.budget_ms / 1000)
    found_at = time.perf_counter()
    called = settings.did(did)
    way = route(answer, called, settings.routing, settings.asterisk.node, now)
    routed_at = time.perf_counter()
    return Report(
        typed=number,
        trunk=trunk,
        did=did,
        e164=read.e164,
        country=read.country,
        key=_key(read),
        answer=type(answer).__name__.lower(),
        tier=answer.tier if isinstance(answer, Found) else "",
        may=answer.may if isinstance(answer, Found) else "",
        source=answer.source if isinstance(answer, Found) else "",
        reason=answer.reason,
        customers=tuple(map(_customer, answer.candidates)) if isinstance(answer, Found) else (),
        shown=_shown(answer, settings, called),
        steps=tuple(map(_ring, way.steps)),
        route_reason=way.reason,
        read_ms=(read_at - began) * 1000,
        find_ms=(found_at - read_at) * 1000,
        route_ms=(routed_at - found_at) * 1000,
    )


def _shown(answer: Answer, settings: Settings, called: Did) -> str:
    if called.policy == "leave":
        return ""
    return display_name(answer, called.template or settings.display.template, called.label)


def render(report: Report, as_json: bool = False) -> str:
    """For a person, or as one JSON object with the field names of Report."""
    if as_json:
        return json.dumps(asdict(report), ensure_ascii=False, indent=2)
    rows = [
        ("Number", report.typed + (f" on trunk {report.trunk}" if report.trunk else "")),
        ("Read as", " ".join(filter(None, (report.e164, report.country))) or "no number of the outside world"),
        ("Looked up", report.key or "nothing"),
        ("Answer", _answered(report)),
        *((("May", f'{MAY[report.may]} (tiers.{report.tier} = "{report.may}")'),) if report.may else ()),
        *(("Customer", customer) for customer in report.customers),
        ("Phone shows", report.shown or "the name that comes with the call"),
        *(("Rings", f"{', '.join(ring.phones)} for {ring.seconds} s: {ring.reason}") for ring in report.steps),
        ("Route", report.route_reason),
        ("Time", f"read {report.read_ms:.2f} ms, find {report.find_ms:.2f} ms, route {report.route_ms:.2f} ms"),
    ]
    return "\n".join(f"{name:12} {text}" for name, text in rows)


def _answered(report: Report) -> str:
    source = f" ({report.tier}, from the {report.source})" if report.source else ""
    return f"{report.answer}{source}: {report.reason}"


def _key(number: Number) -> str:
    if number.match_key:
        return number.match_key
    return f"numbers that end in {number.tail}" if number.tail else ""


def _customer(card: Card) -> str:
    company = f", {card.company}" if card.company else ""
    manager = f"; manager {card.manager.name}" if card.manager else "; no manager"
    return f"{card.customer_id}: {card.name}{company}{manager}"


def _ring(step: Step) -> Ring:
    return Ring(tuple(phone.name for phone in step.phones), step.ring_s, step.reason)
