"""The one line of the log that tells a whole call: for `grep`, and for whoever reads logs with a program.

A log is read by more people than a card, so no number of an outside person stands in it whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from lookup import reasons
from lookup.answers import Answer, Found
from lookup.notices import LiveCall
from records.facts import CallFacts

LONGEST_INSIDE = 6
"""Digits; a longer number may be a customer's."""

_NUMBER = re.compile(rf"\d(?: ?\d){{{LONGEST_INSIDE},}}")  # which may be written in groups


@dataclass(slots=True)
class Passage:
    """What a call's way through our hands took. None: it did not come to that."""

    lag_ms: int | None = None  # from Asterisk's time of the arrival to when it was taken
    lookup_ms: float | None = None
    left_ms: float | None = None  # of the budget, when the answer came
    source: str = ""  # who knew the customer

    def told(self, answer: str) -> str:
        """The lookup, for the call's story: with who knew the customer, and how long that took."""
        if self.lookup_ms is None:
            return reasons.LOOKED_IN.format(said=answer, source=self.source) if self.source else answer
        words = reasons.LOOKED_IN_TIME if self.source else reasons.LOOKED_TIME
        return words.format(said=answer, source=self.source, ms=f"{self.lookup_ms:g}")

    def looked(self, answer: Answer, took_s: float | None, budget_s: float) -> None:
        """An answer came; None: nobody waited for it."""
        self.source = answer.source if isinstance(answer, Found) else ""
        if took_s is not None:
            self.lookup_ms = round(took_s * 1000, 1)
            self.left_ms = round(max(0.0, budget_s - took_s) * 1000, 1)


def canonical(live: LiveCall, facts: CallFacts, passage: Passage) -> dict[str, Any]:
    """The line's fields, in order. Lengths end in their unit; what did not happen is None or empty."""
    return {
        "call_id": facts.call_id,
        "node": facts.node,
        "direction": facts.direction,
        "caller": _covered(facts.caller_number),
        "called": facts.called_number if facts.direction == "inbound" else _covered(facts.called_number),
        "trunk": facts.trunk,
        "answer": live.answer,
        "tier": facts.tier,
        "source": passage.source,
        "customer": facts.customer_id,
        "lag_ms": passage.lag_ms,
        "lookup_ms": passage.lookup_ms,
        "left_ms": passage.left_ms,
        "route": shortened(facts.reason),
        "outcome": facts.outcome,
        "by": shortened(facts.answered_endpoint),
        "wait_s": facts.wait_s,
        "talk_s": facts.talk_s,
        "legs": len(facts.legs),
        "hangup_by": facts.hangup_by,
        "cause": facts.hangup_cause,
    }


def shortened(text: str) -> str:
    """`text` with the last four digits of each number that may be a customer's covered: +8551234xxxx."""
    return _NUMBER.sub(lambda found: _covered(found[0]), text)


def _covered(number: str) -> str:
    return number[:-4] + "xxxx" if len(number) > LONGEST_INSIDE else number
