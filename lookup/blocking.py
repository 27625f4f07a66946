"""Callers who are not let in: one number, all that begin alike, or everybody who hides the number.

An emergency service that calls back is never among them, whatever stands in the list: what `why` would block is looked
at once more before it counts, so that a list which another program filled, or a prefix that is too short, does no harm.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import phonenumbers

from config.sentences import say
from lookup import reasons
from lookup.answers import Answer, Number, Withheld

SHORTEST_PREFIX = 3  # digits
_PREFIX = re.compile(r"\+[\d\s().-]*\d[\s().-]*[*xX…]*")


@dataclass(frozen=True, slots=True)
class Blocked:
    """The list. `numbers` by match_key, else E.164; `prefixes` by how the number begins; each with its note."""

    numbers: Mapping[str, str] = field(default_factory=dict)
    prefixes: Mapping[str, str] = field(default_factory=dict)
    withheld: bool = False
    country: str = ""  # the company's: whose emergency numbers these are
    own: frozenset[str] = frozenset()  # match_keys of the company's own lines

    def why(self, answer: Answer) -> str:
        """Why this caller is not let in; empty: they are."""
        if isinstance(answer, Withheld):
            return answer.reason if self.withheld else ""
        number = answer.number
        why = self._listed(number) if self.numbers or self.prefixes else ""
        return "" if why and (number.match_key in self.own or is_emergency(number.raw, self.country)) else why

    def _listed(self, number: Number) -> str:
        for spelling in filter(None, (number.match_key, number.e164)):
            if spelling in self.numbers:
                note = self.numbers[spelling]
                return (reasons.LISTED_NOTED if note else reasons.LISTED).format(number=number.e164, note=note)
            for end in range(len(spelling) if self.prefixes else 0, SHORTEST_PREFIX, -1):
                if spelling[:end] in self.prefixes:
                    note = self.prefixes[spelling[:end]]
                    why = reasons.PREFIX_LISTED_NOTED if note else reasons.PREFIX_LISTED
                    return why.format(prefix=spelling[:end], note=note)
        return ""


def is_emergency(raw: str, country: str) -> bool:
    """Whether this is a number for emergencies, in the company's country or as everywhere (112, 911)."""
    country = country or "US"
    digits = re.sub(r"\D", "", raw)
    national = digits.removeprefix(str(phonenumbers.country_code_for_region(country)))
    return any(each in ("112", "911") or phonenumbers.is_emergency_number(each, country) for each in (digits, national))


def read_prefix(text: str) -> str:
    """How the numbers begin, "+7495" of "+7 495*". Raises ValueError with what to write instead."""
    prefix = "+" + re.sub(r"\D", "", text)
    if not _PREFIX.fullmatch(text.strip()) or len(prefix) <= SHORTEST_PREFIX:
        raise ValueError(
            say(
                "{text!r} says too little; write + and at least {least} digits that the numbers begin with",
                text=text,
                least=SHORTEST_PREFIX,
            )
        )
    return prefix
