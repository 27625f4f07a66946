"""Who is on the customer's side of a call, as far as an answer of the lookup says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from lookup import reasons
from lookup.answers import Answer, Found, Unavailable, Unknown, Withheld
from lookup.naming import clean


@dataclass(frozen=True, slots=True)
class Who:
    """What an answer says of the customer's side, in ids: enough to show the call, to record it and to take it up."""

    answer: Literal["looking", "found", "unknown", "withheld", "unavailable"] = "looking"
    number: str = ""  # E.164 where it could be read, else as received; empty until known, and when withheld
    key: str = ""  # match_key
    customer_ids: tuple[int, ...] = ()
    customer_id: int | None = None
    tier: str = ""
    reason: str = ""


OURSELVES = Who("unknown", reason=reasons.OURSELVES)
NOT_OURS = Who("unknown", reason=reasons.NOT_OURS)


def said(who: Who) -> str:
    return f"{who.answer}, {who.tier}" if who.tier else who.answer


def who_of(answer: Answer, received: str) -> Who:
    """Nothing of the number of a caller who asked not to be shown."""
    if isinstance(answer, Withheld):
        return Who("withheld", reason=answer.reason)
    key = answer.number.match_key
    who = Who(_ANSWERS[type(answer)], (key and answer.number.e164) or clean(received), key, reason=answer.reason)
    if not isinstance(answer, Found):
        return who
    return replace(
        who,
        customer_ids=tuple(card.customer_id for card in answer.candidates),
        customer_id=answer.chosen.customer_id if answer.chosen else None,
        tier=answer.tier,
    )


_ANSWERS: Mapping[type, Literal["found", "unknown", "unavailable"]] = {
    Found: "found",
    Unknown: "unknown",
    Unavailable: "unavailable",
}
