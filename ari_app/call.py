"""One conversation, from its first channel to its last.

Two stories meet here. The first is about the channel that is in our hands, and it is short:

    Arrived --> LOOKING --Looked: name, route, hand back--> out of our hands; it may come again
                   \\--Left: the dialplan's guard was faster--^

The second is about all its channels, which Asterisk rings, bridges and ends by itself: what was heard of them lies in
`Channels`, what follows from it is found by `legs`, and after each event the call tells what is new and nothing else.

`receive(event)` returns what is to be done and does nothing itself: no I/O, no clock, no logging. Everything that rings
or talks is the dialplan's, so a call that this program loses sight of is a line missing on a screen and never a phone
that does not ring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from ari_app.actions import Action, HandBack, LookUp, NameLate, Record, SetChannel, Tell
from ari_app.canonical import Passage
from ari_app.channels import Channels
from ari_app.events import Answered, Arrived, CallEvent, Joined, Left, Looked, Lost, Transferred
from ari_app.legs import Leg, facts_of, legs_of, shown
from ari_app.passed import Passed
from ari_app.picture import Beside, Picture, State, draw
from ari_app.trace import Trace, in_words
from ari_app.trunks import Trunks
from config.settings import Did, Routing
from lookup import reasons
from lookup.answers import Answer, Caller, Found, Unavailable, Withheld
from lookup.channel_values import CALLER_NAME, channel_values
from lookup.display import display_name
from lookup.duty import Situation
from lookup.links import Addresses, addresses
from lookup.naming import clean, phone_name
from lookup.notices import Kind, LiveCall, Notice, RungPhone
from lookup.routing import Route, route
from lookup.who import NOT_OURS, OURSELVES, Who, said, who_of
from records.facts import NOT_ALL_HEARD, CallFacts, call_id_of


@dataclass(frozen=True, slots=True)
class Rules:
    """What a call is decided by, beside its answer."""

    node: str
    routing: Routing
    did: Callable[[str], Did]
    public_url: str
    secret: str
    link_s: int  # how long a card link given to a phone works
    on_screens: Callable[[str], Mapping[str, str]] = lambda name: {}  # the same name for phones that cannot show it
    on_phone: Callable[[str, str], str] = lambda endpoint, name: name
    template: str = "{name}"  # of what phones show, where the DID has none
    situation: Callable[[int], Situation] = lambda at_ms: Situation()  # who is there at this moment, as far as known


class Call:
    """`origin_id` is the channel that the conversation began with; `members` are the ids of all its channels."""

    def __init__(self, origin_id: str, rules: Rules, channels: Channels, trunks: Trunks, linkedid: str = "") -> None:
        self.rules = rules
        self.origin_id = origin_id
        self.linkedid = linkedid or origin_id
        self.call_id = call_id_of(rules.node, self.linkedid)
        self.members = {origin_id}
        self.picture = Picture()
        self.arrived: Arrived | None = None
        self.in_hands = ""  # the channel that waits for our answer
        self.who = Who()
        self.route = Route((), "")
        self.shown_name = ""
        self.passage = Passage()
        self.version = 0
        self.heard_ms = 0  # when something last happened to it
        self.told: LiveCall | None = None  # as the desk last heard of it
        self.interrupted = False  # for a while nobody listened: there may be more to it than was heard
        self.trace = Trace()
        self.merged_into = ""
        self._channels = channels
        self._trunks = trunks
        self._asked = ""  # the number outside that was last looked up
        self._passed = 0  # the version that another process last said of it
        self._transfers: list[Transferred] = []
        self._past: dict[str, RungPhone] = {}  # as another process told them
        self._legs: list[Leg] = []
        self._over: list[Leg] = []  # those that rang in vain; a queue may ring for hours
        self._over_latest: dict[str, RungPhone] = {}  # of these, by phone
        self._over_ms = 0
        self._outside = ""  # the number outside that was dialled first
        self._seen: tuple[object, ...] = ()  # what the desk was told from
        self._recorded: tuple[object, ...] = ()
        self.origin = channels.add(origin_id)  # kept here: the call is asked of it also when all is over
        self.recorded: CallFacts | None = None  # as the log last got it

    @classmethod
    def restored(cls, told: LiveCall, rules: Rules, channels: Channels, trunks: Trunks) -> Call:
        """A call that is under way, as whoever followed it before us last told it.

        The steps of its route were not told, so a phone that rings from now on carries the reason of the whole route.
        """
        call = cls(told.uniqueid, rules, channels, trunks, told.linkedid)
        if told.direction == "inbound":
            call.arrived = _arrived_as_told(told)
        call.version, call.told, call.heard_ms = told.version, told, told.version
        call.interrupted = True
        call.who = _who_as_told(told)
        call.route = Route((), told.route_reason)
        call.shown_name = told.shown_name
        if told.direction == "outbound":
            call._asked = told.called_number
        call.origin.begin_as_told(told)
        for phone in told.phones:
            call._past[phone.channel_id] = phone
            if phone.channel_id == told.uniqueid and phone.state == "talking":
                call.origin.accepted_ms = phone.since_ms
            if phone.state != "stopped":
                call.members.add(phone.channel_id)
                channels.add_told(phone)
            elif phone.channel_id != told.uniqueid:
                call._over.append(Leg(phone, 0, 0))
                call._over_latest[phone.endpoint] = phone
        call._recorded = (call.who, told.answered_endpoint, told.ended_ms)
        call._look()
        if told.answer == "looking" or call.picture.answered_ms != told.answered_ms:
            call._not_all_heard()  # nobody knew who calls, or the channels were seen to talk before this was known
        return call

    @classmethod
    def over(
        cls,
        origin_id: str,
        members: Iterable[str],
        rules: Rules,
        channels: Channels,
        trunks: Trunks,
        arrived: Arrived | None,
    ) -> Call | None:
        """A call that nobody followed, from all that is known of it now that it has ended; None: it is none."""
        call = cls(origin_id, rules, channels, trunks, arrived.linkedid if arrived else "")
        call.arrived, call.members = arrived, {origin_id, *members}
        call._look()
        if call.state is not State.ENDED or not call._is_somebodys:
            return None
        call._note(call.live())
        return call

    @property
    def customers_side(self) -> Caller | None:
        """Who is to be looked up; None of a call between our own phones, and of one that may not be shown."""
        return self.caller if self.arrived or self.picture.direction == "outbound" else None

    # --- the moves

    def receive(self, event: CallEvent | Arrived) -> list[Action]:
        if self.state is State.ENDED:
            return []
        self.heard_ms = max(self.heard_ms, event.at_ms)
        move = MOVES.get(type(event))
        actions = move(self, event) if move else []
        return [*actions, *self.settle(event.at_ms, unheard=getattr(event, "unheard", False))]

    def _arrive(self, event: Arrived) -> list[Action]:
        """The call is in our hands: for the first time, or once more (a transfer, the company's own dialplan)."""
        if event.channel_id == self.in_hands:
            return []
        if self.arrived is not None and self.who.answer != "looking":
            return self._look_again(event)
        self.arrived, self.who = self.arrived or event, Who()
        if self.told is None:
            self.linkedid = event.linkedid
            self.call_id = call_id_of(self.rules.node, event.linkedid)
        self.trace.add(
            event.at_ms,
            (reasons.CAME_IN_ON if event.trunk else reasons.CAME_IN).format(trunk=event.trunk, did=clean(event.did)),
        )
        if self.did.policy == "leave":
            self.route = Route((), reasons.TO_OWN_WAY.format(why=reasons.LEFT_ALONE))
            return [HandBack(event.channel_id), LookUp(self.caller, late=True)]
        self.in_hands = event.channel_id
        return [LookUp(self.caller)]

    def _look_again(self, event: Arrived) -> list[Action]:
        """Who sent it away the first time (`_sent_away`) is not rung again."""
        self.in_hands = event.channel_id
        self.trace.add(event.at_ms, reasons.CAME_AGAIN)
        return [LookUp(self.caller)]

    def _looked(self, event: Looked) -> list[Action]:
        return self._hand_back(event) if self.in_hands else self._learn(event)

    def _hand_back(self, event: Looked) -> list[Action]:
        """The answer came in time: name, route and links go onto the channel, and the channel back to the dialplan."""
        channel_id, self.in_hands = self.in_hands, ""
        self.who = who_of(event.answer, self._number_asked)
        now = replace(self.rules.situation(event.at_ms), declined=self._sent_away())
        self.route = route(event.answer, self.did, self.rules.routing, self.rules.node, now)
        self.shown_name = phone_name(event.answer) if isinstance(event.answer, Found) else ""
        shown = self._shows(event.answer)
        values = channel_values(self.call_id, event.answer, self.route, shown, self._links(event))
        if not isinstance(event.answer, Withheld):
            values |= self.rules.on_screens(shown or self.caller.name)
        self.trace.add(event.at_ms, self.passage.told(said(self.who)))
        self.trace.add(event.at_ms, reasons.HANDED_BACK.format(way=in_words(self.route)))
        actions: list[Action] = [SetChannel(channel_id, values), HandBack(channel_id)]
        if isinstance(event.answer, Unavailable):
            actions.append(LookUp(self.caller, late=True))
        return actions

    def _answered(self, event: Answered) -> list[Action]:
        """Another process had it in its hands; it may say the same twice, and the older thing last."""
        passed, live = event.passed, event.passed.live
        if live.version <= self._passed:
            return []
        self._passed = live.version
        self.arrived = self.arrived or _arrived_as_told(live)
        if self.told is None:
            self.linkedid, self.call_id = live.linkedid, live.call_id
            self.version, self.told = live.version, live
            self._recorded = (_who_as_told(live), live.answered_endpoint, live.ended_ms)
        self.version = max(self.version, live.version)
        self.who, self.route, self.shown_name = _who_as_told(live), passed.route, live.shown_name
        self.passage = passed.passage
        self.trace.learn(passed.steps)
        return []

    def _left(self, event: Left) -> list[Action]:
        if event.channel_id == self.in_hands:
            self.in_hands = ""
            self.route = Route((), reasons.TO_OWN_WAY.format(why=reasons.TOOK_TOO_LONG))
            self.trace.add(event.at_ms, reasons.TOOK_BACK)
        return []

    def _learn(self, event: Looked) -> list[Action]:
        """The answer came after the call went on: the screen and the log still profit from it."""
        if self.who.answer == "looking" or not isinstance(event.answer, Unavailable):
            self.who = who_of(event.answer, self._number_asked)
            self.trace.add(event.at_ms, reasons.LEARNED_LATE.format(looked=self.passage.told(said(self.who))))
            if isinstance(event.answer, Found):
                return list(self._name_late(event.answer))
        return []

    def _name_late(self, answer: Found) -> Iterator[Action]:
        """For phones that ring now, and for those that will: they are told by the caller's own channel."""
        name = self._shows(answer)
        if not name or self.arrived is None or self.picture.answered_ms or self.did.policy == "leave":
            return
        yield NameLate(self.origin.name, CALLER_NAME, name)
        for leg in self._legs:
            channel = self._channels.get(leg.phone.channel_id)
            if channel is not None and leg.phone.state == "ringing" and not leg.phone.outside:
                yield NameLate(channel.name, "CONNECTEDLINE(name)", self.rules.on_phone(leg.phone.endpoint, name))

    def learn_afterwards(self, event: Looked) -> list[Action]:
        """The caller was gone before the answer came: the log still gets the number and the customer."""
        unanswered = self.who.answer == "looking" or not isinstance(event.answer, Unavailable)
        if self.told is None or self.who.answer not in ("looking", "unavailable") or not unanswered:
            return []
        self.who = who_of(event.answer, self._number_asked)
        self.trace.add(event.at_ms, reasons.LEARNED_AFTERWARDS.format(looked=said(self.who)))
        self.version = max(self.version + 1, event.at_ms)
        self.told = replace(self.live(), version=self.version)
        self.recorded = self.facts(self.told)
        return [Record(self.recorded)]

    def _transferred(self, event: Transferred) -> list[Action]:
        if event not in self._transfers:
            self._transfers.append(event)
            words = reasons.TRANSFERS_TO if event.to else reasons.TRANSFERS
            self.trace.add(event.at_ms, words.format(phone=self._name(event.channel_id), number=event.to))
        return []

    def _joined(self, event: Joined) -> list[Action]:
        if event.parked:
            self.trace.add(event.at_ms, reasons.PARKED.format(lot=event.parked))
        return []

    def _lost(self, event: Lost) -> list[Action]:
        """It counts as missed unless we know better: a call too many in that list is one that somebody looks at."""
        if event.channel_id == self.origin_id:
            self._not_all_heard()
        return []

    def _not_all_heard(self) -> None:
        """So that Asterisk's own record counts more than what is told here."""
        if NOT_ALL_HEARD not in self.route.reason:
            self.route = replace(self.route, reason=f"{self.route.reason} {NOT_ALL_HEARD}".strip())

    def settled(self) -> list[str]:
        """Ids of channels that rang in vain: from now on they are only remembered, so that the call stays small."""
        over = [channel for channel in self._channels.of(self.members) if channel.is_settled]
        ids = {channel.id for channel in over} - {self.origin_id}
        if ids:
            self._over_ms = max(self._over_ms, *(channel.gone_ms for channel in over))
            self._over += [leg for leg in self._legs if leg.phone.channel_id in ids]
            for phone in sorted(self._phones(), key=_by_beginning):
                if phone.channel_id in ids:
                    self._over_latest[phone.endpoint] = phone
            self._legs = [leg for leg in self._legs if leg.phone.channel_id not in ids]
            self.members -= ids
        return list(ids)

    def absorb(self, other: Call, at_ms: int) -> list[Action]:
        """The other conversation has become a part of this one: `other` says so, and ends."""
        actions = other._give_in(self, at_ms)
        self.members |= other.members
        self._over += other._over
        self._over_latest = {**other._over_latest, **self._over_latest}
        self._over_ms = max(self._over_ms, other._over_ms)
        self._outside = self._outside or other._outside
        self._past = {**other._past, **self._past}
        self._transfers = sorted({*self._transfers, *other._transfers}, key=lambda each: each.at_ms)
        self.trace.take(other.trace)
        return actions

    def _give_in(self, into: Call, at_ms: int) -> list[Action]:
        self.merged_into = into.call_id
        self.picture = replace(self.picture, state=State.ENDED, ended_ms=at_ms)
        if self.told is None:
            return []
        self.version = max(self.version + 1, at_ms)
        self.told = self.live()
        return [Tell(Notice("ended", at_ms, self.told)), Record(self.facts(self.told))]

    # --- what is new

    def settle(self, at_ms: int, *, unheard: bool = False) -> list[Action]:
        """Look at what is known now, and tell what of it is new. `unheard`: it was found out some time later."""
        before = self.picture
        self._look()
        if unheard and before.answered_ms != self.picture.answered_ms:
            self._not_all_heard()
        if self.interrupted and self.state is State.ENDED and self.picture.outcome not in ("answered", "blocked"):
            self._not_all_heard()  # a phone may have talked meanwhile
        actions = self._ask()
        if self.state is State.LOOKING or not self._is_somebodys:
            return actions
        seen = (self.picture, self.who, self.route, [leg.phone for leg in self._legs])
        if seen == self._seen:
            return actions
        self._seen = seen
        live = self.live()
        if live == self.told:
            return actions
        kind = self._kind(live)
        self._note(live)
        self.version = max(self.version + 1, at_ms)
        self.told = live = replace(live, version=self.version)
        actions.append(Tell(Notice(kind, at_ms, live)))
        mark = (self.who, live.answered_endpoint, live.ended_ms)
        if mark != self._recorded and (self.who.answer != "looking" or live.ended_ms):
            self._recorded, self.recorded = mark, self.facts(live)
            actions.append(Record(self.recorded))
        return actions

    def _look(self) -> None:
        members = self._channels.of(self.members)
        self._legs = legs_of(members, self.origin, self._channels, self._trunks, self._past)
        told = self.told if self._past else None
        beside = Beside(
            arrived=self.arrived is not None,
            in_hands=bool(self.in_hands),
            blocked=bool(self.route.blocked),
            outside=self._outside or self._asked,
            answered_ms=told.answered_ms if told else 0,
            answered_endpoint=told.answered_endpoint if told else "",
            over_ms=self._over_ms,
        )
        self.picture = draw(members, self._legs, self._over, self.origin, self._trunks, beside)
        self._outside = self._outside or next((leg.phone.endpoint for leg in self._legs if leg.phone.outside), "")

    def _ask(self) -> list[Action]:
        """Of a call that never was in our hands, ask late who is on the other side."""
        if self.arrived is not None or self.unheard or self.state is State.ENDED:
            return []
        number, direction = self.picture.outside, self.picture.direction
        if direction == "outbound":
            if number == self._asked:
                return []
            self._asked, self.who = number, Who()
            return [LookUp(Caller(number), late=True)]
        if direction == "internal":
            self.who = OURSELVES
        elif self.who.answer == "looking":
            self.who = NOT_OURS
        return []

    @property
    def unheard(self) -> bool:
        """It was there when we came, and nobody told how it began: what we would say of it may be wrong."""
        return self.arrived is None and self.told is None and not self.origin.begin_heard

    @property
    def _is_somebodys(self) -> bool:
        """A phone that asks the clock or its voicemail has no conversation."""
        if self.told is not None or self.arrived is not None:
            return True
        ended_in_a_menu = self.picture.direction == "inbound" and self.state is State.ENDED
        return not self.unheard and bool(self._legs or self._over or ended_in_a_menu)

    def _kind(self, live: LiveCall) -> Kind:
        if live.ended_ms:
            return "ended"
        before = self.told.answered_endpoint if self.told else ""
        if live.answered_endpoint == before:
            return "ringing" if not live.answered_ms else "answered"
        return "moved" if before else "answered"

    def _note(self, live: LiveCall) -> None:
        """Into the trace what became of each phone since it was last looked at."""
        before = {phone.channel_id: phone for phone in self.told.phones} if self.told else {}
        for phone in live.phones:
            was = before.get(phone.channel_id)
            if was is None or was.state != phone.state:
                state = _STOPPED.get(phone.outcome, phone.outcome) if phone.state == "stopped" else phone.state
                what = reasons.PHONE_IS.format(phone=self._name(phone.channel_id), state=state)
                self.trace.add(phone.since_ms, what)
        if live.ended_ms:
            ended = reasons.ENDED_BY.get(self.picture.hangup_by, reasons.ENDED)
            self.trace.add(live.ended_ms, ended.format(outcome=live.outcome))

    def _name(self, channel_id: str) -> str:
        leg = next((leg for leg in self._legs if leg.phone.channel_id == channel_id), None)
        if leg is not None and leg.phone.outside:
            return reasons.OUTSIDE
        channel = self._channels.get(channel_id)
        return reasons.PHONE.format(name=leg.phone.endpoint if leg else channel.endpoint if channel else "?")

    # --- what is known of it

    @property
    def did(self) -> Did:
        return self.rules.did(self.arrived.did if self.arrived else "")

    @property
    def caller(self) -> Caller:
        if (a := self.arrived) is None:
            return Caller(self._number_asked)
        return Caller(number=a.number, name=a.name, presentation=a.presentation, trunk=a.trunk)

    @property
    def state(self) -> State:
        return self.picture.state

    @property
    def _number_asked(self) -> str:
        return self.arrived.number if self.arrived else self.picture.outside

    def _sent_away(self) -> frozenset[str]:
        """Phones whose person declined; telephones say "busy" too when somebody presses the key for it."""
        legs = (*self._over, *self._legs)
        return frozenset(leg.phone.endpoint for leg in legs if leg.phone.outcome in ("declined", "busy"))

    def talking(self) -> Iterator[str]:
        """Names of the phones on which somebody talks in this call."""
        return (phone.endpoint for phone in self._phones() if phone.state == "talking")

    def _shows(self, answer: Answer) -> str:
        """What phones show for the caller, in the company's template; the log and the screen have the parts."""
        did, label, received = self.did, "", ""
        if self.arrived is not None:
            label, received = self.arrived.label, self.arrived.name
        return display_name(answer, did.template or self.rules.template, label or did.label, received)

    def _links(self, event: Looked) -> Addresses | None:
        if not isinstance(event.answer, Found) or event.answer.chosen is None:
            return None
        expires_at = event.at_ms // 1000 + self.rules.link_s
        return addresses(self.rules.public_url, self.rules.secret, event.answer.chosen, self.call_id, expires_at)

    # --- the call as others see it

    def passed(self) -> Passed | None:
        """For another process that follows it from here on."""
        if self.told is None:
            return None
        return Passed(self.told, replace(self.route, trail=()), self.passage, self.trace.steps())

    def live(self) -> LiveCall:
        origin, who, arrived, picture = self.origin, self.who, self.arrived, self.picture
        inbound = picture.direction == "inbound"
        theirs = who.number or ("" if inbound else clean(self._number_asked))
        name = (arrived.name if arrived else "") if inbound else origin.caller_name
        return LiveCall(
            call_id=self.call_id,
            node=self.rules.node,
            linkedid=self.linkedid,
            version=self.version,
            started_ms=arrived.at_ms if arrived else origin.created_ms,
            direction=picture.direction,
            answer=who.answer,
            caller_number=theirs if inbound else clean(origin.number),
            caller_name=clean(name),
            shown_name=self.shown_name,
            called_number=theirs
            if picture.direction == "outbound"
            else clean(arrived.did if arrived else origin.exten),
            trunk=arrived.trunk if arrived else picture.trunk,
            customer_ids=who.customer_ids,
            customer_id=who.customer_id,
            tier=who.tier,
            match_reason=who.reason,
            route_reason=self.route.reason,
            phones=shown(self._phones()),
            answered_endpoint=picture.answered_endpoint,
            answered_ms=picture.answered_ms,
            ended_ms=picture.ended_ms,
            outcome=picture.outcome,
            uniqueid=self.origin_id,
            caller_key=who.key,
            caller_endpoint=picture.caller_endpoint,
            parked=picture.parked,
            merged_into=self.merged_into,
        )

    def facts(self, live: LiveCall | None = None) -> CallFacts:
        live = live or self.live()
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
            answered_endpoint=live.answered_endpoint,
            hangup_by=self.picture.hangup_by,
            hangup_cause=self.origin.cause,
            legs=tuple(map(facts_of, sorted((leg.phone for leg in (*self._over, *self._legs)), key=_by_beginning))),
            caller_endpoint=live.caller_endpoint,
            merged_into=live.merged_into,
            trace=self.trace.steps(),
        )

    def _phones(self) -> list[RungPhone]:
        """The phones of our people in this call, each with why it came there; and the one that called."""
        reasons = {phone.name: step.reason for step in self.route.steps for phone in step.phones}
        phones = [
            leg.phone
            if leg.phone.reason
            else replace(leg.phone, reason=reasons.get(leg.phone.endpoint, self._why(leg.phone)))
            for leg in self._legs
        ]
        phones += self._over_latest.values()
        known = {self.origin_id, *(phone.channel_id for phone in phones)}
        phones += [phone for phone in self._past.values() if phone.channel_id not in known]
        if self.picture.caller_endpoint and self.origin.is_person and not self.origin.originated:
            phones.append(self._callers_own())
        return sorted(phones, key=_by_beginning)

    def _why(self, phone: RungPhone) -> str:
        before = [
            each for each in self._transfers if each.at_ms <= phone.started_ms or phone.channel_id == each.target_id
        ]
        return reasons.TRANSFERRED.format(phone=self._name(before[-1].channel_id)) if before else self.route.reason

    def _callers_own(self) -> RungPhone:
        origin, answered = self.origin, self.picture.answered_ms
        state: Literal["ringing", "talking", "stopped"] = "talking" if answered else "ringing"
        if origin.gone_ms:
            state = "stopped"
        return RungPhone(
            endpoint=origin.endpoint,
            state=state,
            since_ms=origin.gone_ms or answered or origin.created_ms,
            channel_id=origin.id,
            started_ms=origin.created_ms,
            answered_ms=answered,
            outcome="answered" if answered else "cancelled" if origin.gone_ms else "",
        )


def _arrived_as_told(told: LiveCall) -> Arrived:
    return Arrived(
        channel_id=told.uniqueid,
        at_ms=told.started_ms,
        linkedid=told.linkedid,
        number=told.caller_number,
        name=told.caller_name,
        presentation="",
        did=told.called_number,
        trunk=told.trunk,
    )


def _who_as_told(told: LiveCall) -> Who:
    return Who(
        told.answer,
        told.customer_number,
        told.caller_key,
        told.customer_ids,
        told.customer_id,
        told.tier,
        told.match_reason,
    )


def _by_beginning(phone: RungPhone) -> tuple[int, str]:
    return phone.started_ms, phone.channel_id


_STOPPED = {"answered": "left the call", "": "stopped"}
"""A phone's end in the story, where its outcome does not say it."""

Move = Callable[[Call, Any], list[Action]]

MOVES: Mapping[type, Move] = {
    Arrived: Call._arrive,
    Looked: Call._looked,
    Answered: Call._answered,
    Left: Call._left,
    Transferred: Call._transferred,
    Joined: Call._joined,
    Lost: Call._lost,
}
"""What an event does to the call itself. Of all the others it is enough that `Channels` has heard them."""
