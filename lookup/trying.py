"""What would happen with a call, without a call: the way of the rule in words, for the command and for the desk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from config.sentences import say
from config.settings import Did, Settings
from lookup import reasons
from lookup.answers import Answer, Found
from lookup.duty import Duty, Situation
from lookup.routing import Route, route


@dataclass(frozen=True, slots=True)
class Ring:
    """One step."""

    phones: tuple[str, ...]  # endpoints of this node, or numbers outside
    seconds: int
    reason: str


@dataclass(frozen=True, slots=True)
class Tried:
    """Texts are empty where there is nothing to tell."""

    at: str  # RFC 3339, in the company's time
    did: str  # empty: as if a number was called that is routed
    answer: str  # found | unknown | withheld | unavailable
    answer_reason: str
    customers: tuple[str, ...]
    trail: tuple[str, ...]  # each thing that was looked at, in order, with what came of it
    steps: tuple[Ring, ...]
    blocked: str  # busy | decline
    after: str  # "context,extension" of the company's dialplan; empty: the company's own way
    reason: str
    not_known: tuple[str, ...] = (reasons.NOT_KNOWN,)


def tried(answer: Answer, settings: Settings, duty: Duty, at: datetime, did: str = "") -> Tried:
    """As if this caller called `did` at `at`, an aware time."""
    way = way_of(answer, settings, duty, at, did)
    return Tried(
        at=at.isoformat(timespec="minutes"),
        did=did,
        answer=type(answer).__name__.lower(),
        answer_reason=answer.reason,
        customers=tuple(card.name for card in answer.candidates) if isinstance(answer, Found) else (),
        trail=tuple(f"{line[:1].upper()}{line[1:]}" for line in way.trail),
        steps=tuple(Ring(tuple(phone.name for phone in step.phones), step.ring_s, step.reason) for step in way.steps),
        blocked=way.blocked,
        after=way.after,
        reason=way.reason,
    )


def way_of(answer: Answer, settings: Settings, duty: Duty, at: datetime, did: str = "") -> Route:
    """The route of such a call; without `did` as if a number was called that is routed."""
    policy = settings.did(did) if did else Did(policy="route")
    return route(answer, policy, settings.routing, settings.asterisk.node, Situation(at=at, duty=duty))


def read_moment(text: str, now: datetime) -> datetime:
    """A time as a person types it: 2026-04-14 09:30, or 09:30 of today; empty: `now`, in whose zone it is.

    Raises ValueError with what to write instead.
    """
    text = text.strip().replace("T", " ")
    if not text:
        return now
    try:
        if "-" not in text:
            hour, _, minute = text.partition(":")
            return now.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
        return _in_zone(datetime.fromisoformat(text), now)
    except ValueError:
        raise ValueError(
            say("{text!r} is no time; write it like 2026-04-14 09:30, or 09:30 for today", text=text)
        ) from None


def _in_zone(moment: datetime, now: datetime) -> datetime:
    return moment.astimezone(now.tzinfo) if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)
