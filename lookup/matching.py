"""Candidates for a number -> an answer that says who it is, how sure that is, and why.

Sources of customers have an order, and only those of the first that knows the number count. Among them nobody is ever
taken just because they came first: customers who share a number stay candidates, all of them, until a person says which
of them it is, and a match by last digits counts only when there is exactly one. `docs/matching.md` tells the tiers and
their order.
"""

from __future__ import annotations

from collections.abc import Sequence

from config.settings import Tiers
from lookup import reasons
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
        return Unknown(number, reasons.NOBODYS.format(number=shown))
    if len(matches) > 1:
        lowest = min(match.card.order for match in matches)
        matches = [match for match in matches if match.card.order == lowest]
    tier, matches = _tier(number, matches)
    candidates = tuple(matches)
    if len(candidates) > 1:
        candidates = tuple(sorted({match.card.customer_id: match for match in candidates}.values(), key=_place))
    several = len(candidates) > 1
    if tier == "probable" and several:
        return Unknown(number, reasons.TOO_MANY.format(n=len(candidates), digits=len(number.tail), number=shown))
    may = getattr(tiers, tier)
    if may == "off":
        return Unknown(number, reasons.TIER_OFF.format(number=shown, tier=tier, setting=tier))
    first = candidates[0]
    is_chosen = not several or first.choice is not None
    return Found(
        number=number,
        candidates=tuple(match.card for match in candidates),
        chosen=first.card if is_chosen else None,
        tier=tier,
        source=source,
        reason=_kept_in(first.card, _of_several(number, tier, candidates) if several else _of_one(number, tier, first)),
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
            return reasons.PROBABLE.format(digits=len(number.tail), number=shown)
        case "range":
            return reasons.RANGE.format(number=shown, range=one.range)
        case "extension":
            return reasons.EXTENSION.format(number=shown, ext=number.ext)
        case "exact":
            return reasons.EXACT.format(number=shown)


def _of_several(number: Number, tier: Tier, candidates: Sequence[Match]) -> str:
    companies = {match.card.company.strip() for match in candidates}
    company = companies.pop() if len(companies) == 1 else ""
    shared = number.e164 or number.raw
    if tier == "range":
        shared = reasons.SHARED_RANGE.format(range=candidates[0].range, number=shared)
    elif tier == "extension":
        shared = reasons.SHARED_EXTENSION.format(number=shared, ext=number.ext)
    words = reasons.SHARE_OF_COMPANY if company else reasons.SHARE
    share = words.format(n=len(candidates), company=company, shared=shared)
    if choice := candidates[0].choice:
        return reasons.CHOSEN.format(share=share, name=choice.who, day=choice.at[:10])
    return reasons.SEVERAL.format(share=share)


def _kept_in(card: Card, reason: str) -> str:
    """One order is one source's."""
    return reasons.ALSO_KEPT_IN.format(reason=reason, name=card.source) if card.source else reason
