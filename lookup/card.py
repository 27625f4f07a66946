"""The card: what one customer looks like to the person whose phone rings, as values and as bytes.

Bytes are what the cache holds: one version byte, then JSON. A byte string of another version is not read but thrown
away, so an upgraded program never trips over what an older one cached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

VERSION = b"1"  # of the byte form; a field that changes meaning changes this


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
class Card:
    customer_id: int
    version: int
    name: str
    company: str = ""
    email: str = ""
    address: str = ""
    note: str = ""
    photo: str = ""  # SHA-256 of the picture; empty: none
    numbers: tuple[CardNumber, ...] = ()
    debt: Money = field(default_factory=lambda: Money(0, "USD"))
    orders: tuple[CardOrder, ...] = ()  # current ones, newest first, at most ORDERS_SHOWN
    manager: Person | None = None
    deputy: Person | None = None  # the manager's deputy
    team: tuple[Phone, ...] = ()  # phones of the manager's team
    last_task: CardTask | None = None


ORDERS_SHOWN = 5


def to_bytes(cards: Sequence[Card]) -> bytes:
    """All candidates for one key, in their order; no cards means "nobody has this number"."""
    return VERSION + orjson.dumps([asdict(card) for card in cards])


def from_bytes(raw: bytes) -> tuple[Card, ...] | None:
    """The candidates, or None when the bytes are another version's or not ours."""
    if raw[:1] != VERSION:
        return None
    try:
        return tuple(card_from(item) for item in orjson.loads(raw[1:]))
    except (ValueError, TypeError, KeyError):
        return None


def card_from(raw: Mapping[str, Any]) -> Card:
    """A card from its JSON mapping (what `to_bytes` wrote, or one row's JSON from the database)."""
    return Card(
        **{
            **raw,
            "numbers": tuple(CardNumber(**item) for item in raw["numbers"]),
            "debt": Money(**raw["debt"]),
            "orders": tuple(CardOrder(**{**item, "total": Money(**item["total"])}) for item in raw["orders"]),
            "manager": _person(raw["manager"]),
            "deputy": _person(raw["deputy"]),
            "team": tuple(Phone(**item) for item in raw["team"]),
            "last_task": CardTask(**raw["last_task"]) if raw["last_task"] else None,
        }
    )


def _person(raw: Mapping[str, Any] | None) -> Person | None:
    if not raw:
        return None
    return Person(raw["user_id"], raw["name"], tuple(Phone(**phone) for phone in raw["phones"]))
