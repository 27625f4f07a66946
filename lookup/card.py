"""The card: what one customer looks like to the person whose phone rings, as values and as bytes.

Bytes are what the cache holds: one version byte, then JSON. A byte string of another version is not read but thrown
away, so an upgraded program never trips over what an older one cached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

VERSION = b"2"  # of the byte form; a field that changes meaning changes this


@dataclass(frozen=True, slots=True)
class Phone:
    """A place that can ring: a node's PJSIP endpoint, or outside an E.164 number."""

    node: str
    name: str
    inside: bool = True


@dataclass(frozen=True, slots=True)
class Person:
    user_id: int
    name: str
    phones: tuple[Phone, ...] = ()


@dataclass(frozen=True, slots=True)
class Money:
    minor: int  # whole minor units
    currency: str  # ISO 4217


@dataclass(frozen=True, slots=True)
class CardNumber:
    e164: str
    label: str = ""
    ext: str = ""


@dataclass(frozen=True, slots=True)
class CardOrder:
    number: str
    title: str
    state: str
    total: Money
    placed_at: str  # RFC 3339, UTC


@dataclass(frozen=True, slots=True)
class CardTask:
    title: str
    state: str  # open | done
    due_at: str  # RFC 3339, UTC; empty: none
    responsible: str


@dataclass(frozen=True, slots=True)
class Spoke:
    """Who of our people last spoke with a customer."""

    person: Person
    at: str  # RFC 3339, UTC


@dataclass(frozen=True, slots=True)
class Card:
    customer_id: int
    version: int
    name: str
    company: str = ""
    email: str = ""
    address: str = ""
    note: str = ""
    photo: str = ""  # SHA-256 of the picture; empty: none
    source: str = ""  # whose customer this is, a name of [sources]; empty: entered or imported here
    order: int = 0  # of the source: of all who have a number, those of the lowest count
    numbers: tuple[CardNumber, ...] = ()
    debt: Money = field(default_factory=lambda: Money(0, "USD"))
    orders: tuple[CardOrder, ...] = ()  # current ones, newest first, at most ORDERS_SHOWN
    manager: Person | None = None
    deputy: Person | None = None  # the manager's deputy
    team: tuple[Phone, ...] = ()  # phones of the manager's team
    last_task: CardTask | None = None
    external_id: str = ""  # the company's own; empty: none
    custom: Mapping[str, Any] = field(default_factory=dict, hash=False)  # values of the company's own fields, by name
    spoke_last: Spoke | None = None


ORDERS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Choice:
    """A person said that the caller from a shared number is this customer."""

    who: str
    at: str  # RFC 3339, UTC


@dataclass(frozen=True, slots=True)
class Match:
    """A customer behind a number, and what beside the number itself made them one."""

    card: Card
    range: str = ""  # the range that the number lies in, as typed; empty: the number itself is theirs
    choice: Choice | None = None  # of this customer, for this number


def to_bytes(matches: Sequence[Match]) -> bytes:
    """All candidates for one key, in their order; none means "nobody has this number"."""
    return VERSION + _ENCODER.encode(matches)


def from_bytes(raw: bytes) -> tuple[Match, ...] | None:
    """The candidates, or None when the bytes are another version's or not ours."""
    if raw[:1] != VERSION:
        return None
    try:
        return _MATCHES.decode(memoryview(raw)[1:])
    except msgspec.DecodeError:
        return None


def match_from(raw: str) -> Match:
    """A candidate from its JSON, as the database writes one. Raises msgspec.DecodeError when it is none."""
    return _MATCH.decode(raw)


# Decoded into the values at once: by way of dictionaries it took five times as long (22 us and 4.5 for a card of 1 kB).
_MATCHES = msgspec.json.Decoder(tuple[Match, ...])
_MATCH = msgspec.json.Decoder(Match)
_ENCODER = msgspec.json.Encoder()
