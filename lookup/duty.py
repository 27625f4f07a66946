"""What the choice of who rings is made from, beside the caller's card: people, their hours, rules and devices.

All of it is in memory when a call comes; `lookup/sql_duty.py` keeps it there. Pure values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal

from lookup import reasons
from lookup.blocking import Blocked
from lookup.card import Card, Money, Person, Phone
from lookup.hours import Hours
from records.custom import as_typed

COMPANY = 0
"""Stands for the company itself among the calendars of its teams."""

SIGNED_IN = timedelta(seconds=150)
"""So long after the desk last saw them, somebody counts as signed in; it notes who is there every minute."""


@dataclass(frozen=True, slots=True)
class Colleague:
    person: Person
    team_id: int | None = None
    do_not_disturb: bool = False
    seen_at: datetime | None = None  # signed in at the desk


@dataclass(frozen=True, slots=True)
class CardRule:
    """Customers whose card says this go to a person, a team or a destination first."""

    name: str
    field: str  # "debt", "company", "source", or one of the company's own fields
    test: Literal["is", "over"]
    value: str  # as typed; of an amount: whole minor units
    currency: str = ""  # of an amount
    person_id: int | None = None
    team_id: int | None = None
    destination: str = ""
    always: bool = False  # outside of working hours too

    def why_not(self, card: Card) -> str:
        """That it is not for this customer, and why; empty: it is."""
        if self.field == "debt" and self.test == "over":
            return "" if _more(card.debt, self) else reasons.RULE_OWES_LESS.format(name=self.name)
        raw = getattr(card, self.field) if self.field in ("company", "source") else card.custom.get(self.field)
        if self.test == "over":
            return "" if _more(raw, self) else reasons.RULE_LESS.format(name=self.name, field=self.field)
        shown = as_typed(raw)
        if shown.strip().casefold() == self.value.strip().casefold():
            return ""
        words = reasons.RULE_OTHER if shown else reasons.RULE_EMPTY
        return words.format(name=self.name, field=self.field, value=shown)


def _more(raw: object, rule: CardRule) -> bool:
    """An amount counts in its own currency only: rates change, and nobody told us any."""
    if isinstance(raw, Mapping):
        raw = Money(raw.get("minor", 0), str(raw.get("currency", "")))
    if isinstance(raw, Money):
        return raw.currency == rule.currency and raw.minor > int(rule.value)
    return isinstance(raw, int | float) and raw > float(rule.value)


@dataclass(frozen=True)
class Duty:
    """What the company has said. Nothing said: every person of the card may ring, at any time."""

    people: Mapping[int, Colleague] = field(default_factory=dict)  # by id; those who may sign in
    teams: Mapping[int, str] = field(default_factory=dict)
    calendars: Mapping[int, Hours] = field(default_factory=dict)  # by team; of the company under COMPANY
    rules: tuple[CardRule, ...] = ()  # those that are switched on, in their order
    blocked: Blocked = field(default_factory=Blocked)
    destinations: Mapping[str, str] = field(default_factory=dict)  # by name: "context,extension"

    @cached_property
    def at_phone(self) -> Mapping[Phone, tuple[Colleague, ...]]:
        """Who sits at a phone."""
        sitting: dict[Phone, tuple[Colleague, ...]] = {}
        for colleague in self.people.values():
            for phone in map(placed, colleague.person.phones):
                sitting[phone] = (*sitting.get(phone, ()), colleague)
        return sitting

    @cached_property
    def has_outside(self) -> bool:
        """Whether anybody may be rung on a telephone that is not Asterisk's."""
        return any(not phone.inside for phone in self.at_phone)

    @cached_property
    def last_seen(self) -> datetime | None:
        """When the desk last saw anybody signed in."""
        return max((each.seen_at for each in self.people.values() if each.seen_at), default=None)

    def phones_of(self, node: str) -> frozenset[str]:
        """Names of the endpoints of this node at which somebody sits."""
        return frozenset(phone.name for phone in self.at_phone if phone.inside and phone.node == node)

    def team(self, team_id: int) -> tuple[Phone, ...]:
        """The phones of everyone in it, each once."""
        phones = (phone for each in self.people.values() if each.team_id == team_id for phone in each.person.phones)
        return tuple(dict.fromkeys(map(placed, phones)))


@dataclass(frozen=True, slots=True)
class Situation:
    """What is so at the moment when a call comes in. Nothing known: nobody is passed over on a guess."""

    at: datetime | None = None  # in the company's time; None: hours are not looked at
    duty: Duty = field(default_factory=Duty)
    busy: frozenset[str] = frozenset()  # names of phones on which somebody talks
    unreachable: frozenset[str] = frozenset()  # names of endpoints that no device serves
    declined: frozenset[str] = frozenset()  # names of phones that sent this call away before


def placed(phone: Phone) -> Phone:
    """An outside phone belongs to no node: its number is the same phone whichever node's record names it."""
    return phone if phone.inside else Phone("", phone.name, inside=False)
