"""Candidates for a number -> an answer that says who it is, how sure that is, and why.

Nobody is ever taken just because they came first: customers who share a number stay candidates, all of them, and a
match by last digits counts only when there is exactly one.
"""

from __future__ import annotations

from collections.abc import Sequence

from lookup.answers import Found, Number, Source, Tier, Unknown
from lookup.card import Card


def choose(number: Number, cards: Sequence[Card], tier: Tier, source: Source) -> Found | Unknown:
    """The answer for `cards`, the customers that were found under the number's key of this tier.

    Candidates are ordered by customer id: the only order that no edit of a name and no call changes, so that two calls
    from one number never show two different orders.
    """
    candidates = tuple(sorted({card.customer_id: card for card in cards}.values(), key=lambda card: card.customer_id))
    shown = number.e164 or number.raw
    if not candidates:
        return Unknown(number, f"No customer has the number {shown}.")
    if tier == "probable":
        return _probable(number, candidates, source)
    if len(candidates) == 1:
        reason = f"{shown} is a number of this customer."
        return Found(number, candidates, candidates[0], tier, source, reason)
    companies = {card.company.strip() for card in candidates}
    whose = f" of {companies.pop()}" if len(companies) == 1 and companies != {""} else ""
    return Found(number, candidates, None, tier, source, f"{len(candidates)} customers{whose} share {shown}.")


def _probable(number: Number, candidates: tuple[Card, ...], source: Source) -> Found | Unknown:
    digits = f"the last {len(number.tail)} digits of {number.e164 or number.raw}"
    if len(candidates) > 1:
        return Unknown(number, f"{len(candidates)} customers have {digits}; that is too little to name one of them.")
    return Found(
        number, candidates, candidates[0], "probable", source, f"A number of this customer has {digits}; not certain."
    )
