"""Who should ring, one after the other, and why.

The rule of a call to the company: the manager who works with the customer, then that manager's deputy, then the team,
then the company's own way. "The company's own way" is no step: it is what the dialplan does when the steps are over or
there are none. Whatever is not certain (a number that is hidden, unknown, shared, or matched in a way that settings
do not trust so far) goes the company's own way at once. Every step and the whole say their reason in words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from config.settings import Did, Routing
from lookup.answers import Answer, Found, Unavailable, Unknown, Withheld
from lookup.card import Card, Person, Phone


@dataclass(frozen=True, slots=True)
class Step:
    """Phones that ring together."""

    phones: tuple[Phone, ...]  # never empty
    ring_s: int  # seconds, 1 or more
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class Route:
    steps: tuple[Step, ...]  # empty: the company's own way
    reason: str  # one sentence for the log and the card


def route(answer: Answer, did: Did, routing: Routing, node: str) -> Route:
    """The way of a call that came in on `node`. No phone rings twice; phones of other nodes are left out."""
    if did.policy != "route":
        what = "named only" if did.policy == "name" else "left alone"
        return _own_way(f"calls to this number are {what}")
    managed = _managed(answer)
    if isinstance(managed, str):
        return _own_way(managed)
    steps = tuple(_steps(*managed, routing, node))
    if not steps:
        return _own_way("neither the manager nor a deputy nor the team has a phone here")
    return Route(steps, f"Rings {', then '.join(step.reason for step in steps)}; after that the company's own way.")


def _own_way(because: str) -> Route:
    return Route((), f"The company's own way: {because}.")


def _managed(answer: Answer) -> tuple[Card, Person] | str:
    """A card and the manager whom the call is for, or why there is none."""
    match answer:
        case Withheld():
            return answer.reason
        case Unknown():
            return "no customer is known by this number"
        case Unavailable():
            return "the customer could not be looked up in time"
        case Found(may=may, tier=tier) if may != "route":
            return f'the customer is not certain enough to choose who rings (tiers.{tier} = "{may}")'
        case Found(chosen=None, candidates=candidates) if len({_manager_id(card) for card in candidates}) > 1:
            return "customers of different managers share this number"
        case Found():
            card = answer.chosen or answer.candidates[0]
            return (card, card.manager) if card.manager else "the customer has no manager"


def _manager_id(card: Card) -> int | None:
    return card.manager.user_id if card.manager else None


def _steps(card: Card, manager: Person, routing: Routing, node: str) -> Iterator[Step]:
    """The steps that have a phone to ring and a time to ring it; 0 seconds switches a step off."""
    plan = [(manager.phones, routing.ring_s, manager.name, f"the assigned manager {manager.name}")]
    if card.deputy:
        name = card.deputy.name
        plan.append((card.deputy.phones, routing.group_ring_s, name, f"{name}, the deputy of {manager.name}"))
    plan.append((card.team, routing.group_ring_s, "team", f"the team of {manager.name}"))
    rung: set[Phone] = set()
    for phones, ring_s, who, reason in plan:
        here = (phone for phone in map(_place, phones) if not phone.inside or phone.node == node)
        fresh = tuple(phone for phone in dict.fromkeys(here) if phone not in rung)
        if fresh and ring_s > 0:
            rung.update(fresh)
            yield Step(fresh, ring_s, who, reason)


def _place(phone: Phone) -> Phone:
    """An outside phone belongs to no node: its number is the same phone whichever node's record names it."""
    return phone if phone.inside else Phone("", phone.name, inside=False)
