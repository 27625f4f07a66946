"""What can be known of a caller, as values.

Four answers, because "nobody", "hidden" and "could not look" lead to different screens.

`Caller` is what came with the call; `Number` is what `lookup.numbers` read out of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from config.settings import Allowed
from lookup.card import Card

Tier = Literal["exact", "extension", "range", "probable"]
"""How the customer was found: by the same number; by the same number and extension; by a range of numbers that holds
it; by the same last digits of a number that could not be validated. `docs/matching.md` says more."""

Source = Literal["cache", "database", "memory"]


@dataclass(frozen=True, slots=True)
class Caller:
    """What the trunk told us of the caller, untouched."""

    number: str
    name: str = ""
    presentation: str = ""  # Asterisk's CALLERID(num-pres), e.g. "allowed_not_screened", "prohib"; empty: not told
    trunk: str = ""


@dataclass(frozen=True, slots=True)
class Number:
    """A caller's number as read by a trunk's number plan."""

    raw: str
    e164: str  # "+85512345678"; for a number that could not be validated, the best reading, or empty
    match_key: str  # E.164 folded so that every spelling of one phone is one key; empty when not validated
    tail: str = ""  # the last nine (or all eight) national digits: the key of the probable tier, used without match_key
    ext: str = ""
    country: str = ""  # ISO 3166-1 alpha-2
    rules: int = field(default=0, compare=False)  # which version of the rules read it; see lookup.numbers
    own: bool = field(default=False, compare=False)  # one of the company's own lines; told by whoever knows these


@dataclass(frozen=True, slots=True)
class Found:
    number: Number
    candidates: tuple[Card, ...]  # never empty, in a deterministic order
    chosen: Card | None  # None: several customers share the number and nothing says which
    tier: Tier
    source: Source
    reason: str  # one sentence for the card and the log
    may: Allowed = "route"  # what settings allow a match of this tier: only the card, also the name, also the route


@dataclass(frozen=True, slots=True)
class Unknown:
    """Looked, and nobody has it; or it is no number of the outside world (an extension, a service code)."""

    number: Number
    reason: str


@dataclass(frozen=True, slots=True)
class Withheld:
    """The caller asked not to be shown. Never looked up."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Could not look in time. The call goes on as if nobody had asked."""

    number: Number
    reason: str


Answer = Found | Unknown | Withheld | Unavailable
