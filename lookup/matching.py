"""Candidates for a number -> an answer that says who it is, how sure that is, and why.

Sources of customers have an order, and only those of the first that knows the number count. Among them nobody is ever
taken just because they came first: customers who share a number stay candidates, all of them, until a person says which
of them it is, and a match by last digits counts only when there is exactly one. `docs/matching.md` tells the tiers and
their order.
"""

from __future__ import annotations

from collections.abc import Sequence

from config.settings import Tiers
from lookup.answers import Found, Number, Source, Tier, Unknown
from lookup.card import Card, Match
from lookup.numbers import folded

AS_SHIPPED = Tiers()


def choose(number: Number, matches: Sequence[Match], source: Source, tiers: Tiers = AS_SHIPPED) -> Found | Unknown:
    """The answer for `matches`, the customers that a store gave for this number.

    Candidates are ordered by customer id, after the one that a person chose: no edit of a name and no call changes that
    order, so that two calls from one number never show two different ones.
    """
    shown = number.e164 or number.raw
    if not matches:
        return Unknown(number, f"No customer has the number {shown}.")
    if len(matches) > 1:
        lowest = min(match.card.order for match in matches)
        matches = [match for match in matches if match.card.order == lowest]
    tier, matches = _tier(number, matches)
    candidates = tuple(matches)
    if len(candidates) > 1:
        candidates = tuple(sorted({match.card.customer_id: match for match in candidates}.values(), key=_place))
    several = len(candidates) > 1
    if tier == "probable" and several:
        digits = _last_digits(number)
        return Unknown(number, f"{len(candidates)} customers have {digits}; that is too little to name one of them.")
    may = getattr(tiers, tier)
    if may == "off":
        return Unknown(number, f'{shown} leads to a customer by {tier} match, which tiers.{tier} = "off" switches off.')
    first = candidates[0]
    is_chosen = not several or first.choice is not None
    return Found(
        number=number,
        candidates=tuple(match.card for match in candidates),
        chosen=first.card if is_chosen else None,
        tier=tier,
        source=source,
        reason=(_of_several(number, tier, candidates) if several else _of_one(number, tier, first))
        + _kept_in(first.card),
        may=may,
    )


def _tier(number: Number, matches: Sequence[Match]) -> tuple[Tier, Sequence[Match]]:
    """The tier, and who is a candidate in it.

    Behind a switchboard an extension is a person: who has the caller's comes before who has none, and they before who
    has another.
    """
    if not number.match_key:
        return "probable", matches
    if matches[0].range:  # nobody has the number itself, else a store gives no ranges
        return "range", matches
    if not number.ext:
        return "exact", matches
    same = [match for match in matches if number.ext in _extensions(number, match.card)]
    if same:
        return "extension", same
    return "exact", [match for match in matches if "" in _extensions(number, match.card)] or matches


def _extensions(number: Number, card: Card) -> set[str]:
    """Those with which this customer has the number."""
    return {each.ext for each in card.numbers if folded(each.e164) == number.match_key}


def _place(match: Match) -> tuple[bool, int]:
    return match.choice is None, match.card.customer_id


def _of_one(number: Number, tier: Tier, one: Match) -> str:
    shown = number.e164 or number.raw
    match tier:
        case "probable":
            return f"A number of this customer has {_last_digits(number)}; not certain."
        case "range":
            return f"{shown} lies in the range {one.range} of this customer."
        case "extension":
            return f"{shown} with the extension {number.ext} is a number of this customer."
        case "exact":
            return f"{shown} is a number of this customer."


def _of_several(number: Number, tier: Tier, candidates: Sequence[Match]) -> str:
    companies = {match.card.company.strip() for match in candidates}
    whose = f" of {companies.pop()}" if len(companies) == 1 and companies != {""} else ""
    shown = number.e164 or number.raw
    what = f"the range {candidates[0].range} of {shown}" if tier == "range" else shown
    extension = f" with the extension {number.ext}" if tier == "extension" else ""
    share = f"{len(candidates)} customers{whose} share {what}{extension}"
    choice = candidates[0].choice
    return f"{share}; {choice.who} chose this one on {choice.at[:10]}." if choice else f"{share}."


def _last_digits(number: Number) -> str:
    return f"the last {len(number.tail)} digits of {number.e164 or number.raw}"


def _kept_in(card: Card) -> str:
    """One order is one source's."""
    return f" Kept in {card.source}." if card.source else ""
