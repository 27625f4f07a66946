"""One call, from its arrival to its end, as a table of moves.

    Arrived --> LOOKING --Looked: name, route, hand back--> WAITING <--> RINGING --> TALKING --> ENDED
                   \\--Left: the dialplan's guard was faster--^

`receive(event)` returns what is to be done and does nothing itself: no I/O, no clock, no logging. A move that is not in
`MOVES` changes nothing, because Asterisk tells a call's story in pieces and in any order: legs are told apart by
channel id and never by which event came first. Everything that rings or talks is the dialplan's, so a call that this
program loses sight of is a line missing on a screen and never a phone that does not ring.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ari_app.actions import Action, Follow, HandBack, LookUp, Record, SetChannel, Tell
from ari_app.events import (
    Arrived,
    CallEvent,
    Gone,
    HungUp,
    Left,
    Looked,
    RingAnswered,
    RingBegan,
    RingEnded,
)
from config.settings import Did, Routing
from lookup.answers import Answer, Caller, Found, Unavailable, Unknown, Withheld
from lookup.channel_values import channel_values
from lookup.links import Addresses, addresses
from lookup.naming import clean, phone_name
from lookup.notices import Kind, LiveCall, Notice, PhoneState, RungPhone
from lookup.routing import Route, route
from records.facts import CallFacts, LegFacts, call_id_of

NOBODY_THERE = {1, 2, 3, 20, 27, 34, 38, 41, 42, 44, 58}
"""Q.850 causes that say the call could not be delivered at all, as against nobody answering."""


class State(Enum):
    LOOKING = "looking"  # in our hands, its answer awaited
    WAITING = "waiting"  # back in the dialplan and no phone rings: an IVR, a queue, between two steps
    RINGING = "ringing"
    TALKING = "talking"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a call is decided by, beside its answer."""

    node: str
    routing: Routing
    did: Callable[[str], Did]
    public_url: str
    secret: str
    link_s: int  # how long a card link given to a phone works


@dataclass(slots=True)
class Leg:
    """One attempt to ring one phone."""

    endpoint: str
    state: PhoneState
    started_ms: int
    since_ms: int
    answered_ms: int = 0
    ended_ms: int = 0
    outcome: str = ""


class Call:
    def __init__(self, arrived: Arrived, rules: Rules) -> None:
        self.arrived = arrived
        self.rules = rules
        self.call_id = call_id_of(rules.node, arrived.linkedid)
        self.did = rules.did(arrived.did)
        self.state = State.LOOKING
        self.answer: Answer | None = None
        self.route = Route((), "")
        self.shown_name = ""
        self.legs: dict[str, Leg] = {}  # by the phone's channel id
        self.answered_ms = 0
        self.answered_endpoint = ""
        self.ended_ms = 0
        self.outcome = ""
        self.hangup_by = ""
        self.cause = 0
        self.version = 0

    @property
    def caller(self) -> Caller:
        a = self.arrived
        return Caller(number=a.number, name=a.name, presentation=a.presentation, trunk=a.trunk)

    # --- the moves ---

    def begin(self) -> list[Action]:
        """What an arrived call wants first: to be followed, and to know who it is."""
        follow = Follow(self.arrived.channel_id)
        if self.did.policy == "leave":
            self.state = State.WAITING
            self.route = Route((), "this number is left alone")
            return [HandBack(self.arrived.channel_id), follow, LookUp(self.caller, late=True)]
        return [follow, LookUp(self.caller)]

    def receive(self, event: CallEvent | Arrived) -> list[Action]:
        move = MOVES[self.state].get(type(event))
        if move is None:
            return []
        self.version = max(self.version + 1, event.at_ms)
        return move(self, event)

    def _hand_back(self, event: Looked) -> list[Action]:
        """The answer came in time: name, route and links go onto the channel, and the channel back to the dialplan."""
        self.answer = event.answer
        self.state = State.WAITING
        self.route = route(event.answer, self.did, self.rules.routing, self.rules.node)
        self.shown_name = phone_name(event.answer) if isinstance(event.answer, Found) else ""
        values = channel_values(self.call_id, event.answer, self.route, self.shown_name, self._links(event.at_ms))
        channel_id = self.arrived.channel_id
        actions: list[Action] = [SetChannel(channel_id, values), HandBack(channel_id), Record(self.facts())]
        if isinstance(event.answer, Unavailable):
            actions.append(LookUp(self.caller, late=True))
        return actions

    def _taken_back(self, event: Left) -> list[Action]:
        self.route = Route((), "the lookup took too long; the call went the company's own way")
        return self._settle("ringing", event.at_ms)

    def _learn(self, event: Looked) -> list[Action]:
        """The answer came after the call went on: the screen and the log still profit from it."""
        if self.answer is not None and isinstance(event.answer, Unavailable):
            return []
        self.answer = event.answer
        return [*self._tell_if_seen("ringing", event.at_ms), Record(self.facts())]

    def _look_again(self, event: Arrived) -> list[Action]:
        """The same call came in once more, sent back by a transfer or by the company's dialplan."""
        self.state = State.LOOKING
        return [Follow(event.channel_id), LookUp(self.caller)]

    def _ring(self, event: RingBegan) -> list[Action]:
        leg = self.legs.get(event.peer_id)
        if leg is None:
            self.legs[event.peer_id] = Leg(event.endpoint, "ringing", event.at_ms, event.at_ms)
        return self._settle("ringing", event.at_ms)

    def _talk(self, event: RingAnswered) -> list[Action]:
        """A person's phone answered. That the channel itself went Up says nothing: queues and menus answer first."""
        leg = self.legs.setdefault(event.peer_id, Leg(event.endpoint, "ringing", event.at_ms, event.at_ms))
        moved = bool(self.answered_endpoint)
        for other in self.legs.values():
            if other is not leg and other.state == "talking":
                _stop(other, event.at_ms, other.outcome)
        leg.state, leg.since_ms, leg.answered_ms, leg.outcome = "talking", event.at_ms, event.at_ms, "answered"
        self.answered_endpoint = event.endpoint
        self.answered_ms = self.answered_ms or event.at_ms
        return [*self._settle("moved" if moved else "answered", event.at_ms), Record(self.facts())]

    def _ring_ended(self, event: RingEnded) -> list[Action]:
        leg = self.legs.setdefault(event.peer_id, Leg(event.endpoint, "ringing", event.at_ms, event.at_ms))
        if leg.state == "stopped":
            return []
        _stop(leg, event.at_ms, _LEG_OUTCOMES.get(event.status, "failed"))
        return self._settle("ringing", event.at_ms)

    def _hung_up(self, event: HungUp) -> list[Action]:
        self.hangup_by = "caller"
        return []

    def _end(self, event: Gone) -> list[Action]:
        self.ended_ms, self.cause, self.state = event.at_ms, event.cause, State.ENDED
        for leg in self.legs.values():
            if leg.state != "stopped":
                _stop(leg, event.at_ms, leg.outcome or "cancelled")
        self.outcome = self._outcome()
        if not self.hangup_by and self.answered_ms:
            self.hangup_by = "callee"
        return [Tell(Notice("ended", event.at_ms, self.live())), Record(self.facts())]

    # --- what follows from the legs ---

    def _settle(self, kind: Kind, at_ms: int) -> list[Action]:
        states = {leg.state for leg in self.legs.values()}
        self.state = State.TALKING if "talking" in states else State.RINGING if "ringing" in states else State.WAITING
        if self.state is State.TALKING and kind == "ringing":
            kind = "answered"
        return self._tell_if_seen(kind, at_ms)

    def _tell_if_seen(self, kind: Kind, at_ms: int) -> list[Action]:
        """Nothing is told of a call that no phone has rung for."""
        return [Tell(Notice(kind, at_ms, self.live()))] if self.legs else []

    def _outcome(self) -> str:
        if self.answered_ms:
            return "answered"
        if self.hangup_by == "caller":
            return "abandoned"
        last = max(self.legs.values(), key=lambda leg: leg.started_ms, default=None)
        if last is not None and last.outcome == "busy":
            return "busy"
        if last is not None and self.cause == 21:
            return "declined"
        return "failed" if last is None and self.cause in NOBODY_THERE else "missed"

    def _links(self, at_ms: int) -> Addresses | None:
        chosen = self.answer.chosen if isinstance(self.answer, Found) else None
        if chosen is None:
            return None
        expires_at = at_ms // 1000 + self.rules.link_s
        return addresses(self.rules.public_url, self.rules.secret, chosen, self.call_id, expires_at)

    # --- the call as others see it ---

    def live(self) -> LiveCall:
        found = self.answer if isinstance(self.answer, Found) else None
        return LiveCall(
            call_id=self.call_id,
            node=self.rules.node,
            linkedid=self.arrived.linkedid,
            version=self.version,
            started_ms=self.arrived.at_ms,
            direction="inbound",
            answer=_ANSWERS[type(self.answer)],
            caller_number=self._caller_number(),
            caller_name=clean(self.arrived.name),
            shown_name=self.shown_name,
            called_number=clean(self.arrived.did),
            trunk=self.arrived.trunk,
            customer_ids=tuple(card.customer_id for card in found.candidates) if found else (),
            customer_id=found.chosen.customer_id if found and found.chosen else None,
            tier=found.tier if found else "",
            match_reason=self.answer.reason if self.answer else "",
            route_reason=self.route.reason,
            phones=self._phones(),
            answered_endpoint=self.answered_endpoint,
            answered_ms=self.answered_ms,
            ended_ms=self.ended_ms,
            outcome=self.outcome,
        )

    def facts(self) -> CallFacts:
        live = self.live()
        return CallFacts(
            call_id=live.call_id,
            node=live.node,
            linkedid=live.linkedid,
            uniqueid=self.arrived.channel_id,
            version=live.version,
            direction=live.direction,
            outcome=live.outcome,
            started_ms=live.started_ms,
            answered_ms=live.answered_ms,
            ended_ms=live.ended_ms,
            caller_number=live.caller_number,
            caller_key="" if self.answer is None or isinstance(self.answer, Withheld) else self.answer.number.match_key,
            caller_name=live.caller_name,
            shown_name=live.shown_name,
            called_number=live.called_number,
            trunk=live.trunk,
            customer_id=live.customer_id,
            tier=live.tier,
            reason=live.route_reason,
            answered_endpoint=live.answered_endpoint if live.answered_ms else "",
            hangup_by=self.hangup_by,
            hangup_cause=self.cause,
            legs=tuple(
                LegFacts(channel_id, leg.endpoint, leg.started_ms, leg.answered_ms, leg.ended_ms, leg.outcome)
                for channel_id, leg in self.legs.items()
            ),
        )

    def _caller_number(self) -> str:
        """E.164 where the number could be read, else as received; nothing of a caller who asked not to be shown."""
        if self.answer is None or isinstance(self.answer, Withheld):
            return ""
        return (self.answer.number.match_key and self.answer.number.e164) or clean(self.arrived.number)

    def _phones(self) -> tuple[RungPhone, ...]:
        """The latest attempt for each phone, with the reason of the step that rang it."""
        reasons = {phone.name: step.reason for step in self.route.steps for phone in step.phones}
        latest = {leg.endpoint: leg for leg in sorted(self.legs.values(), key=lambda leg: leg.started_ms)}
        return tuple(
            RungPhone(endpoint, leg.state, leg.since_ms, reasons.get(endpoint, self.route.reason))
            for endpoint, leg in latest.items()
        )


def _stop(leg: Leg, at_ms: int, outcome: str) -> None:
    leg.state, leg.since_ms, leg.ended_ms, leg.outcome = "stopped", at_ms, at_ms, outcome


_LEG_OUTCOMES = {"NOANSWER": "missed", "BUSY": "busy", "CANCEL": "cancelled"}

_ANSWERS: Mapping[type, Any] = {
    type(None): "looking",
    Found: "found",
    Unknown: "unknown",
    Withheld: "withheld",
    Unavailable: "unavailable",
}

Move = Callable[[Call, Any], list[Action]]

_OUTSIDE: Mapping[type, Move] = {
    Arrived: Call._look_again,
    Looked: Call._learn,
    RingBegan: Call._ring,
    RingAnswered: Call._talk,
    RingEnded: Call._ring_ended,
    HungUp: Call._hung_up,
    Gone: Call._end,
}

MOVES: Mapping[State, Mapping[type, Move]] = {
    State.LOOKING: {Looked: Call._hand_back, Left: Call._taken_back, HungUp: Call._hung_up, Gone: Call._end},
    State.WAITING: _OUTSIDE,
    State.RINGING: _OUTSIDE,
    State.TALKING: _OUTSIDE,
    State.ENDED: {},
}
