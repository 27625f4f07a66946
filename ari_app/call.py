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
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Literal

from ari_app.actions import Action, Follow, HandBack, LookUp, Record, SetChannel, Tell
from ari_app.events import (
    Arrived,
    CallEvent,
    Gone,
    HungUp,
    Left,
    Looked,
    Lost,
    RingAnswered,
    RingBegan,
    RingEnded,
)
from config.settings import Did, Routing
from lookup.answers import Answer, Caller, Found, Unavailable, Unknown, Withheld
from lookup.channel_values import channel_values
from lookup.links import Addresses, addresses
from lookup.naming import clean, phone_name
from lookup.notices import Kind, LiveCall, Notice, RungPhone
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


@dataclass(frozen=True, slots=True)
class Who:
    """What an answer says of the caller, in ids: enough to show the call, to record it and to take it up again."""

    answer: Literal["looking", "found", "unknown", "withheld", "unavailable"] = "looking"
    number: str = ""  # E.164 where it could be read, else as received; empty until known, and when withheld
    key: str = ""  # match_key
    customer_ids: tuple[int, ...] = ()
    customer_id: int | None = None
    tier: str = ""
    reason: str = ""


class Call:
    def __init__(self, arrived: Arrived, rules: Rules) -> None:
        self.arrived = arrived
        self.rules = rules
        self.call_id = call_id_of(rules.node, arrived.linkedid)
        self.did = rules.did(arrived.did)
        self.state = State.LOOKING
        self.who = Who()
        self.route = Route((), "")
        self.shown_name = ""
        self.legs: dict[str, RungPhone] = {}  # attempts to ring a phone, by the phone's channel id
        self.answered_ms = 0
        self.answered_endpoint = ""
        self.ended_ms = 0
        self.outcome = ""
        self.hangup_by = ""
        self.cause = 0
        self.version = 0

    @classmethod
    def restored(cls, told: LiveCall, rules: Rules) -> Call:
        """A call that is under way, as whoever followed it before us last told it.

        The steps of its route were not told, so a phone that rings from now on carries the reason of the whole route.
        """
        arrived = Arrived(
            channel_id=told.uniqueid,
            at_ms=told.started_ms,
            linkedid=told.linkedid,
            number=told.caller_number,
            name=told.caller_name,
            presentation="",
            did=told.called_number,
            trunk=told.trunk,
        )
        call = cls(arrived, rules)
        call.version = told.version
        call.who = Who(
            told.answer,
            told.caller_number,
            told.caller_key,
            told.customer_ids,
            told.customer_id,
            told.tier,
            told.match_reason,
        )
        call.route = Route((), told.route_reason)
        call.shown_name = told.shown_name
        call.legs = {phone.channel_id: phone for phone in told.phones}
        call.answered_endpoint, call.answered_ms = told.answered_endpoint, told.answered_ms
        call.state = call._state_of_legs()
        return call

    @property
    def caller(self) -> Caller:
        a = self.arrived
        return Caller(number=a.number, name=a.name, presentation=a.presentation, trunk=a.trunk)

    # --- the moves ---

    def begin(self) -> list[Action]:
        """What an arrived call wants first: to know who it is, and meanwhile to be followed."""
        if self.did.policy == "leave":
            self.state = State.WAITING
            self.route = Route((), "The company's own way: calls to this number are left alone.")
            channel_id = self.arrived.channel_id
            return [Follow(channel_id), HandBack(channel_id), LookUp(self.caller, late=True)]
        return [LookUp(self.caller), Follow(self.arrived.channel_id)]

    def receive(self, event: CallEvent | Arrived) -> list[Action]:
        move = MOVES[self.state].get(type(event))
        if move is None:
            return []
        self.version = max(self.version + 1, event.at_ms)
        return move(self, event)

    def _hand_back(self, event: Looked) -> list[Action]:
        """The answer came in time: name, route and links go onto the channel, and the channel back to the dialplan."""
        self.who = _who(event.answer, self.arrived.number)
        self.route = route(event.answer, self.did, self.rules.routing, self.rules.node)
        self.shown_name = phone_name(event.answer) if isinstance(event.answer, Found) else ""
        values = channel_values(self.call_id, event.answer, self.route, self.shown_name, self._links(event))
        channel_id = self.arrived.channel_id
        actions: list[Action] = [SetChannel(channel_id, values), HandBack(channel_id)]
        actions += [*self._settle("ringing", event.at_ms), Record(self.facts())]
        if isinstance(event.answer, Unavailable):
            actions.append(LookUp(self.caller, late=True))
        return actions

    def _taken_back(self, event: Left) -> list[Action]:
        self.route = Route((), "The company's own way: the lookup took too long.")
        return self._settle("ringing", event.at_ms)

    def _learn(self, event: Looked) -> list[Action]:
        """The answer came after the call went on: the screen and the log still profit from it."""
        if self.who.answer != "looking" and isinstance(event.answer, Unavailable):
            return []
        self.who = _who(event.answer, self.arrived.number)
        return [*self._settle("ringing", event.at_ms), Record(self.facts())]

    def _look_again(self, event: Arrived) -> list[Action]:
        """The same call came in once more, sent back by a transfer or by the company's dialplan."""
        self.state = State.LOOKING
        return [LookUp(self.caller), Follow(event.channel_id)]

    def _ring(self, event: RingBegan) -> list[Action]:
        if event.peer_id in self.legs:
            return []  # that it is dialled and that it rings is told one by one
        self._leg(event)
        return self._settle("ringing", event.at_ms)

    def _talk(self, event: RingAnswered) -> list[Action]:
        """A person's phone answered. That the channel itself went Up says nothing: queues and menus answer first."""
        leg = self._leg(event)
        moved = bool(self.answered_endpoint)
        for peer_id, other in self.legs.items():
            if peer_id != event.peer_id and other.state == "talking":
                self.legs[peer_id] = _stopped(other, event.at_ms, other.outcome)
        self.legs[event.peer_id] = replace(
            leg, state="talking", since_ms=event.at_ms, answered_ms=event.at_ms, outcome="answered"
        )
        self.answered_endpoint = event.endpoint
        self.answered_ms = self.answered_ms or event.at_ms
        return [*self._settle("moved" if moved else "answered", event.at_ms), Record(self.facts())]

    def _ring_ended(self, event: RingEnded) -> list[Action]:
        leg = self._leg(event)
        if leg.state == "stopped":
            return []
        outcome = leg.outcome or _LEG_OUTCOMES.get(event.status, "failed")
        self.legs[event.peer_id] = _stopped(leg, event.at_ms, outcome)
        return self._settle("ringing", event.at_ms)

    def _hung_up(self, event: HungUp) -> list[Action]:
        self.hangup_by = "caller"
        return []

    def _end(self, event: Gone) -> list[Action]:
        self.ended_ms, self.cause, self.state = event.at_ms, event.cause, State.ENDED
        for peer_id, leg in self.legs.items():
            if leg.state != "stopped":
                self.legs[peer_id] = _stopped(leg, event.at_ms, leg.outcome or "cancelled")
        self.outcome = self._outcome()
        if not self.hangup_by and self.answered_ms:
            self.hangup_by = "callee"
        return [Tell(Notice("ended", event.at_ms, self.live())), Record(self.facts())]

    def _lose(self, event: Lost) -> list[Action]:
        """It counts as missed unless we know better: a call too many in that list is one that somebody looks at."""
        if not self.hangup_by:
            self.route = replace(self.route, reason=f"{self.route.reason} Nobody heard how it ended.".strip())
        return self._end(Gone(event.channel_id, 0, event.at_ms))

    # --- what follows from the legs ---

    def _leg(self, event: RingBegan | RingAnswered | RingEnded) -> RungPhone:
        """The attempt that the event is about; a new one when nothing was heard of it, with the reason of its step."""
        leg = self.legs.get(event.peer_id)
        if leg is None:
            reasons = {phone.name: step.reason for step in self.route.steps for phone in step.phones}
            leg = self.legs[event.peer_id] = RungPhone(
                endpoint=event.endpoint,
                state="ringing",
                since_ms=event.at_ms,
                reason=reasons.get(event.endpoint, self.route.reason),
                channel_id=event.peer_id,
                started_ms=event.at_ms,
            )
        return leg

    def _settle(self, kind: Kind, at_ms: int) -> list[Action]:
        self.state = self._state_of_legs()
        if self.state is State.TALKING and kind == "ringing":
            kind = "answered"
        return [Tell(Notice(kind, at_ms, self.live()))]

    def _state_of_legs(self) -> State:
        states = {leg.state for leg in self.legs.values()}
        return State.TALKING if "talking" in states else State.RINGING if "ringing" in states else State.WAITING

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

    def _links(self, event: Looked) -> Addresses | None:
        if not isinstance(event.answer, Found) or event.answer.chosen is None:
            return None
        expires_at = event.at_ms // 1000 + self.rules.link_s
        return addresses(self.rules.public_url, self.rules.secret, event.answer.chosen, self.call_id, expires_at)

    # --- the call as others see it ---

    def live(self) -> LiveCall:
        return LiveCall(
            call_id=self.call_id,
            node=self.rules.node,
            linkedid=self.arrived.linkedid,
            version=self.version,
            started_ms=self.arrived.at_ms,
            direction="inbound",
            answer=self.who.answer,
            caller_number=self.who.number,
            caller_name=clean(self.arrived.name),
            shown_name=self.shown_name,
            called_number=clean(self.arrived.did),
            trunk=self.arrived.trunk,
            customer_ids=self.who.customer_ids,
            customer_id=self.who.customer_id,
            tier=self.who.tier,
            match_reason=self.who.reason,
            route_reason=self.route.reason,
            phones=self._phones(),
            answered_endpoint=self.answered_endpoint,
            answered_ms=self.answered_ms,
            ended_ms=self.ended_ms,
            outcome=self.outcome,
            uniqueid=self.arrived.channel_id,
            caller_key=self.who.key,
        )

    def facts(self) -> CallFacts:
        live = self.live()
        return CallFacts(
            call_id=live.call_id,
            node=live.node,
            linkedid=live.linkedid,
            uniqueid=live.uniqueid,
            version=live.version,
            direction=live.direction,
            outcome=live.outcome,
            started_ms=live.started_ms,
            answered_ms=live.answered_ms,
            ended_ms=live.ended_ms,
            caller_number=live.caller_number,
            caller_key=live.caller_key,
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
            legs=tuple(map(_facts, self.legs.values())),
        )

    def phones_in_use(self) -> tuple[RungPhone, ...]:
        """Those that ring or talk for this call."""
        return tuple(leg for leg in self.legs.values() if leg.state != "stopped")

    def _phones(self) -> tuple[RungPhone, ...]:
        """The latest attempt for each phone."""
        latest = {leg.endpoint: leg for leg in sorted(self.legs.values(), key=lambda leg: leg.started_ms)}
        return tuple(latest.values())


def _stopped(leg: RungPhone, at_ms: int, outcome: str) -> RungPhone:
    return replace(leg, state="stopped", since_ms=at_ms, outcome=outcome)


def _facts(leg: RungPhone) -> LegFacts:
    ended_ms = leg.since_ms if leg.state == "stopped" else 0
    return LegFacts(leg.channel_id, leg.endpoint, leg.started_ms, leg.answered_ms, ended_ms, leg.outcome)


_LEG_OUTCOMES = {"NOANSWER": "missed", "BUSY": "busy", "CANCEL": "cancelled"}


def _who(answer: Answer, received: str) -> Who:
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

Move = Callable[[Call, Any], list[Action]]

_OUTSIDE: Mapping[type, Move] = {
    Arrived: Call._look_again,
    Looked: Call._learn,
    RingBegan: Call._ring,
    RingAnswered: Call._talk,
    RingEnded: Call._ring_ended,
    HungUp: Call._hung_up,
    Gone: Call._end,
    Lost: Call._lose,
}

MOVES: Mapping[State, Mapping[type, Move]] = {
    State.LOOKING: {
        Looked: Call._hand_back,
        Left: Call._taken_back,
        HungUp: Call._hung_up,
        Gone: Call._end,
        Lost: Call._lose,
    },
    State.WAITING: _OUTSIDE,
    State.RINGING: _OUTSIDE,
    State.TALKING: _OUTSIDE,
    State.ENDED: {},
}
