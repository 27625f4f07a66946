"""A call that nobody makes: its states as the desk is told them, of the same answer and the same way as a real one's.

No Asterisk has a part in it. Each function takes a state and gives the next one; `following` says which comes by itself
and when, so that whoever plays the call keeps nothing beside its last state, and a person may answer meanwhile. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from config.sentences import say
from lookup.answers import Answer, Caller, Found
from lookup.naming import clean, phone_name
from lookup.notices import Kind, LiveCall, Notice, RungPhone
from lookup.routing import Step
from lookup.who import who_of

Outcome = Literal["answered", "missed", "busy", "declined"]

REFUSES_MS = 2000  # so soon a phone says that it is busy, or somebody presses the key that declines
GRACE_MS = 30_000  # so long after its last moment nobody plays it any more
PAGE = "a page"
"""The endpoint of somebody who is rung on their pages alone; no endpoint of Asterisk has a blank in its name."""


def read_caller(text: str, trunk: str = "") -> Caller:
    """Who calls, as a person types it: a number, or the word withheld. Raises ValueError with what to write instead."""
    typed = text.strip()
    if typed.casefold() == "withheld":
        return Caller("", presentation="prohib", trunk=trunk)
    if not re.fullmatch(r"\+?[\d ()./-]{2,40}", typed) or sum(map(str.isdecimal, typed)) < 2:
        raise ValueError(
            say(
                "{text!r} cannot call; write a number like {example}, or the word {word}",
                text=text,
                example="+85512345678",
                word="withheld",
            )
        )
    return Caller(typed, trunk=trunk)


@dataclass(frozen=True, slots=True)
class Turn:
    """Phones that ring together."""

    phones: tuple[RungPhone, ...]
    ring_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens if nobody at the desk does anything. `answer_after_s`: of an answered call, from its beginning;
    None: it rings until somebody answers at the desk.
    """

    turns: tuple[Turn, ...]
    outcome: Outcome = "answered"
    answer_after_s: float | None = None
    talk_s: float = 0

    @property
    def ring_s(self) -> float:
        """How long it rings at most."""
        return sum(turn.ring_s for turn in self.turns)

    @property
    def lasts_ms(self) -> int:
        return round((self.ring_s + self.talk_s) * 1000)


def turns_of(steps: Sequence[Step]) -> tuple[Turn, ...]:
    """As the rule of who rings has it."""
    return tuple(
        Turn(tuple(_phone(phone.name, step.reason, outside=not phone.inside) for phone in step.phones), step.ring_s)
        for step in steps
    )


def turn_to_phones(names: Sequence[str], ring_s: float, reason: str) -> Turn:
    return Turn(tuple(_phone(name, reason, outside=name.startswith("+")) for name in names), ring_s)


def turn_to_page(user_id: int, ring_s: float, reason: str) -> Turn:
    """For somebody alone, whether they have a phone or not."""
    return Turn((replace(_phone(PAGE, reason, outside=False), page_of=user_id),), ring_s)


def _phone(endpoint: str, reason: str, *, outside: bool) -> RungPhone:
    return RungPhone(endpoint, "ringing", 0, reason, outside=outside)


# --- one state after the other


def begun(
    call_id: str, node: str, caller: Caller, did: str, answer: Answer, reason: str, at_ms: int, plan: Plan
) -> LiveCall:
    """It has come in and was looked up; no phone rings yet. `call_id` begins with SIMULATED, `did` may be empty."""
    who = who_of(answer, caller.number)
    return LiveCall(
        call_id=call_id,
        node=node,
        linkedid=call_id,
        version=at_ms,
        started_ms=at_ms,
        direction="inbound",
        answer=who.answer,
        caller_number=who.number,
        caller_name="",
        shown_name=phone_name(answer) if isinstance(answer, Found) else "",
        called_number=clean(did),
        trunk=caller.trunk,
        customer_ids=who.customer_ids,
        customer_id=who.customer_id,
        tier=who.tier,
        match_reason=who.reason,
        route_reason=reason,
        uniqueid=call_id,
        caller_key=who.key,
        over_by_ms=at_ms + plan.lasts_ms + GRACE_MS,
    )


def answered(call: LiveCall, endpoint: str, at_ms: int) -> LiveCall:
    """Whoever is at this phone of the call talks; the others stop."""
    phones = tuple(
        replace(phone, state="talking", since_ms=at_ms, answered_ms=at_ms, outcome="answered")
        if phone.endpoint == endpoint and phone.state == "ringing"
        else _stopped(phone, at_ms, "cancelled")
        for phone in call.phones
    )
    return _next(replace(call, phones=phones, answered_endpoint=endpoint, answered_ms=at_ms), at_ms)


def hung_up(call: LiveCall, at_ms: int) -> LiveCall:
    """The caller has hung up."""
    return _over(call, at_ms, "answered" if call.answered_ms else "abandoned", "cancelled")


def following(call: LiveCall, plan: Plan) -> tuple[int, LiveCall] | None:
    """What comes by itself, and when, in milliseconds since the epoch; None: the call is over."""
    if call.ended_ms:
        return None
    if call.answered_ms:
        due_ms = call.answered_ms + round(plan.talk_s * 1000)
        return due_ms, _over(call, due_ms, "answered", "cancelled")
    begun_turns = len({phone.started_ms for phone in call.phones})
    if not begun_turns:
        return call.started_ms, _rung(call, plan, 0, call.started_ms, "missed")
    since_ms = max(phone.started_ms for phone in call.phones)
    ring_ms = round(plan.turns[begun_turns - 1].ring_s * 1000)
    if plan.outcome in ("busy", "declined"):
        due_ms = since_ms + min(REFUSES_MS, ring_ms)
        return due_ms, _rung(call, plan, begun_turns, due_ms, plan.outcome)
    due_ms = since_ms + ring_ms
    if plan.outcome == "answered" and plan.answer_after_s is not None:
        answer_ms = max(since_ms, call.started_ms + round(plan.answer_after_s * 1000))
        if answer_ms < due_ms:
            first = next(phone for phone in call.phones if phone.state == "ringing")
            return answer_ms, answered(call, first.endpoint, answer_ms)
    return due_ms, _rung(call, plan, begun_turns, due_ms, "missed")


def notice_of(before: LiveCall | None, call: LiveCall) -> Notice:
    """`before`: as it was told last."""
    was_answered = bool(before and before.answered_ms)
    kind: Kind = "ended" if call.ended_ms else "answered" if call.answered_ms and not was_answered else "ringing"
    return Notice(kind, call.version, call)


def _rung(call: LiveCall, plan: Plan, turn: int, at_ms: int, outcome: Outcome) -> LiveCall:
    """The phones that rang stop with this outcome, and those of the turn begin; behind the last one it is over."""
    if turn >= len(plan.turns):
        return _over(call, at_ms, outcome, outcome)
    new = tuple(
        replace(phone, since_ms=at_ms, started_ms=at_ms, channel_id=f"{call.call_id}/{phone.endpoint}")
        for phone in plan.turns[turn].phones
    )
    before = tuple(_stopped(phone, at_ms, outcome) for phone in call.phones)
    return _next(replace(call, phones=before + new), at_ms)


def _over(call: LiveCall, at_ms: int, outcome: str, rang: str) -> LiveCall:
    phones = tuple(_stopped(phone, at_ms, rang) for phone in call.phones)
    return _next(replace(call, phones=phones, ended_ms=at_ms, outcome=outcome), at_ms)


def _stopped(phone: RungPhone, at_ms: int, outcome: str) -> RungPhone:
    """`outcome`: of a phone that rang until now."""
    if phone.state == "stopped":
        return phone
    return replace(phone, state="stopped", since_ms=at_ms, outcome=phone.outcome or outcome)


def _next(call: LiveCall, at_ms: int) -> LiveCall:
    return replace(call, version=max(call.version + 1, at_ms))
