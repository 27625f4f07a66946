"""The story of one call in short words, for a page that shows it step by step; bounded, whatever it goes through."""

from __future__ import annotations

from collections.abc import Iterable

from lookup import reasons
from lookup.card import Phone
from lookup.routing import Route
from records.facts import TraceStep

FIRST, LAST = 40, 20
"""So many steps of the beginning and of the end are kept; what lies between is counted."""


def in_words(route: Route) -> str:
    """Where a call is sent, without anybody's name: why, is told by the route itself, to whom may read it."""
    if route.blocked:
        return reasons.IS_BLOCKED.format(sound=route.blocked)
    steps = [
        reasons.RINGS_FOR.format(phone=" and ".join(map(_phone, step.phones)), seconds=step.ring_s)
        for step in route.steps
    ]
    after = route.after or reasons.OWN_WAY
    return ", then ".join([*steps, after])


def _phone(phone: Phone) -> str:
    return reasons.PHONE.format(name=phone.name) if phone.inside else reasons.SOMEWHERE_OUTSIDE


class Trace:
    def __init__(self) -> None:
        self._first: list[TraceStep] = []
        self._last: list[TraceStep] = []
        self._left_out = 0

    def add(self, at_ms: int, what: str) -> None:
        self._put(TraceStep(at_ms, what))

    def take(self, other: Trace) -> None:
        """Another call's story becomes a part of this one's."""
        mine, self._first, self._last = (*self._first, *self._last), [], []
        self._left_out += other._left_out
        for step in sorted({*mine, *other._first, *other._last}, key=lambda step: step.at_ms):
            self._put(step)

    def learn(self, steps: Iterable[TraceStep]) -> None:
        """What another process saw of the same call; it may say it twice."""
        known = {*self._first, *self._last}
        for step in steps:
            if step not in known:
                self._put(step)

    def steps(self) -> tuple[TraceStep, ...]:
        """In order of time: two connections tell one call's story, and either may be later."""
        first, last = ([*each] for each in (self._first, self._last))
        if self._left_out:
            first.append(TraceStep(first[-1].at_ms, reasons.LEFT_OUT.format(n=self._left_out)))
        return tuple(sorted([*first, *last], key=lambda step: step.at_ms))

    def _put(self, step: TraceStep) -> None:
        if len(self._first) < FIRST:
            self._first.append(step)
            return
        self._last.append(step)
        if len(self._last) >= LAST:
            self._last.pop(0)
            self._left_out += 1
