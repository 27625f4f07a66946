"""Who should ring, one after the other, and why.

    block list -> working hours -> rules for some customers -> the manager who works with the customer
    -> the manager's deputy -> who spoke with them last -> the manager's team -> what the company says

"What the company says" is no step: it is where the dialplan goes when the steps are over or there are none, a named
destination of the settings or the company's own way. Whatever is not certain (a number that is hidden, unknown, shared,
or matched in a way that settings do not trust so far) goes the company's own way at once. In one pass nobody is rung
twice, neither by phone nor by person. Every step, everybody who is passed over, and the whole say why in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from config.settings import Did, Routing
from lookup import reasons
from lookup.answers import Answer, Found, Unavailable, Unknown, Withheld
from lookup.card import Card, Person, Phone
from lookup.duty import COMPANY, SIGNED_IN, CardRule, Colleague, Situation, placed
from lookup.hours import Hours

NOTHING_KNOWN = Situation()


@dataclass(frozen=True, slots=True)
class Step:
    """Phones that ring together."""

    phones: tuple[Phone, ...]  # never empty
    ring_s: int  # seconds, 1 or more
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class Route:
    steps: tuple[Step, ...]  # empty: straight to what comes after them
    reason: str  # for the log and the card
    after: str = ""  # "context,extension" of the company's dialplan, for when nobody answered; empty: its own way
    blocked: str = ""  # "busy" or "decline": what the caller is told, and nobody rings
    trail: tuple[str, ...] = field(default=(), compare=False)  # each thing that was looked at, with what came of it


def route(answer: Answer, did: Did, routing: Routing, node: str, now: Situation = NOTHING_KNOWN) -> Route:
    """The way of a call that came in on `node`. Phones of other nodes are left out."""
    if did.policy == "leave":
        return _own_way(reasons.LEFT_ALONE)
    if blocked := now.duty.blocked.why(answer):
        said = reasons.BLOCKED.format(why=blocked)
        return Route((), said, blocked=routing.blocked, trail=(said,))
    if did.policy == "name":
        return _own_way(reasons.NAMED_ONLY)
    return _Pass(answer, routing, node, now).route()


def _own_way(because: str, trail: Iterable[str] = ()) -> Route:
    return Route((), reasons.TO_OWN_WAY.format(why=because), trail=tuple(trail))


def _managed(answer: Answer) -> tuple[tuple[Card, ...], Person | None] | str:
    """The cards that the caller can be, and the one manager of them all; or why nobody can be chosen."""
    match answer:
        case Withheld():
            return answer.reason
        case Unknown():
            return reasons.NO_CUSTOMER
        case Unavailable():
            return reasons.NOT_IN_TIME
        case Found(may=may, tier=tier) if may != "route":
            return reasons.NOT_CERTAIN.format(tier=tier, may=may)
        case Found(chosen=None, candidates=candidates) if len({_manager_id(card) for card in candidates}) > 1:
            return reasons.MANAGERS_DIFFER
        case Found():
            cards = (answer.chosen,) if answer.chosen else answer.candidates
            return cards, cards[0].manager


def _manager_id(card: Card) -> int | None:
    return card.manager.user_id if card.manager else None


class _Pass:
    """One call on its way through the rule: who rings so far, who was passed over and why."""

    def __init__(self, answer: Answer, routing: Routing, node: str, now: Situation) -> None:
        self._answer = answer
        self._routing = routing
        self._node = node
        self._now = now
        self._steps: list[Step] = []
        self._not_rung: list[str] = []
        self._trail: list[str] = [reasons.NOT_BLOCKED]
        self._phones: set[Phone] = set()  # that ring in a step
        self._people: set[int] = set()  # and whose they are

    def route(self) -> Route:
        managed = _managed(self._answer)
        cards, manager = ((), None) if isinstance(managed, str) else managed
        hours = self._hours(manager)
        closed = hours.closed(self._now.at) if hours and self._now.at else ""
        if not self._now.at:
            self._trail.append(reasons.HOURS_NOT_LOOKED_AT)
        else:
            self._trail.append(reasons.CLOSED.format(why=closed) if closed else reasons.AT_WORK)
        ends_at = self._rules(cards, out_of_hours=bool(closed))
        if closed and not ends_at:
            return self._end(hours.closed_to if hours else "", closed)
        if isinstance(managed, str):
            return _own_way(managed, [*self._trail, _capital(reasons.IN_WORDS.format(why=managed))])
        if ends_at:
            return self._end(ends_at, "")
        self._staff(cards[0], manager)
        return self._end(self._routing.after if self._anybody else "", "")

    # --- the stages ---

    def _hours(self, manager: Person | None) -> Hours | None:
        """Those of the manager's team, if it has its own, else the company's."""
        calendars = self._now.duty.calendars
        known = self._now.duty.people.get(manager.user_id) if manager else None
        return calendars.get((known.team_id if known else None) or COMPANY) or calendars.get(COMPANY)

    def _rules(self, cards: Sequence[Card], out_of_hours: bool) -> str:
        """Rings whom the rules for this customer name; the destination that one of them sends the call to, if any."""
        for rule in self._now.duty.rules:
            if out_of_hours and not rule.always:
                why_not = reasons.RULE_BY_DAY.format(name=rule.name)
            elif cards:  # of customers who share the number, all
                why_not = next((why for card in cards if (why := rule.why_not(card))), "")
            else:
                why_not = reasons.RULE_NOBODY.format(name=rule.name)
            if why_not:
                self._trail.append(why_not)
            elif not rule.destination:
                self._ring_for(rule)
            elif rule.destination in self._now.duty.destinations:
                self._trail.append(reasons.RULE_GOES.format(name=rule.name, destination=rule.destination))
                return rule.destination
            else:
                why_not = reasons.NO_DESTINATION.format(name=rule.destination)
                self._pass_over(reasons.THE_RULE.format(name=rule.name), why_not)
        return ""

    def _ring_for(self, rule: CardRule) -> None:
        duty = self._now.duty
        if rule.team_id is not None:
            team = duty.teams.get(rule.team_id, "")
            words = reasons.TEAM_BY_RULE if team else reasons.TEAM_GONE_BY_RULE
            self._offer_team(duty.team(rule.team_id), team or GONE, words.format(name=team, rule=rule.name))
        elif colleague := duty.people.get(rule.person_id or 0):
            words = reasons.BY_RULE.format(name=colleague.person.name, rule=rule.name)
            self._offer(colleague.person, words, self._routing.ring_s)
        else:
            self._pass_over(reasons.THE_RULE.format(name=rule.name), reasons.NOT_HERE)

    def _staff(self, card: Card, manager: Person | None) -> None:
        """The customer's own people, in their order."""
        routing = self._routing
        if manager:
            self._offer(manager, reasons.MANAGER.format(name=manager.name), routing.ring_s)
            if card.deputy:
                words = reasons.DEPUTY.format(name=card.deputy.name, manager=manager.name)
                self._offer(card.deputy, words, routing.group_ring_s)
        spoke = card.spoke_last
        if spoke and self._lately(spoke.at):
            words = reasons.SPOKE_LAST.format(name=spoke.person.name)
            self._offer(spoke.person, words, routing.group_ring_s)
        if manager and card.team:
            self._offer_team(card.team, "team", reasons.TEAM_OF.format(name=manager.name))

    def _lately(self, at: str) -> bool:
        days = self._routing.last_spoke_days
        return days > 0 and self._now.at is not None and datetime.fromisoformat(at) > self._now.at - timedelta(days)

    # --- one offer ---

    def _offer(self, person: Person, words: str, ring_s: int) -> None:
        """Have this person rung, on all of their phones that are here, if they can be."""
        known = self._now.duty.people.get(person.user_id) or Colleague(person)
        if ring_s <= 0:
            self._trail.append(reasons.SWITCHED_OFF.format(whom=words))
            return
        if why_not := self._away(known, person.phones):
            self._pass_over(words, why_not)
        else:
            self._ring(tuple(filter(self._is_free, self._here(person.phones))), ring_s, person.name, words)
        self._people.add(person.user_id)

    def _offer_team(self, phones: Iterable[Phone], who: str, words: str) -> None:
        """Have those phones rung at which somebody sits who can be; a phone that is nobody's can."""
        if self._routing.group_ring_s <= 0:
            self._trail.append(reasons.SWITCHED_OFF.format(whom=words))
            return
        free: list[Phone] = []
        away: dict[str, str] = {}
        for phone in self._here(phones):
            people = self._now.duty.at_phone.get(phone, ())
            whys = {each.person.name: self._away(each, each.person.phones) for each in people}
            away |= {name: why for name, why in whys.items() if why}
            if self._is_free(phone) and (not people or "" in whys.values()):
                free.append(phone)
        told = {name: why for name, why in away.items() if why != reasons.RUNG}
        self._not_rung += [reasons.PASSED.format(whom=name, why=why) for name, why in told.items()]
        self._trail += [reasons.OF_TEAM.format(whom=words, name=name, why=why) for name, why in away.items()]
        if not free:
            why_not = reasons.NOBODY_ELSE if told else reasons.RUNG if away else self._no_phone(phones)
            self._pass_over(words, why_not)
        else:
            self._ring(tuple(free), self._routing.group_ring_s, who, words)
            self._people |= {each.person.user_id for phone in free for each in self._now.duty.at_phone.get(phone, ())}

    def _ring(self, phones: tuple[Phone, ...], ring_s: int, who: str, words: str) -> None:
        self._phones.update(phones)
        self._steps.append(Step(phones, ring_s, who, words))
        names = ", ".join(phone.name for phone in phones)
        self._trail.append(reasons.STEP_RINGS.format(whom=words, seconds=ring_s, phones=names))

    def _pass_over(self, words: str, why: str) -> None:
        passed = reasons.PASSED.format(whom=words, why=why)
        self._trail.append(reasons.PASSED_OVER.format(passed=passed))
        if why != reasons.RUNG:
            self._not_rung.append(passed)

    # --- presence ---

    def _away(self, who: Colleague, phones: tuple[Phone, ...]) -> str:
        """Why this person is not rung; empty: they are there, as far as anybody knows."""
        if who.person.user_id in self._people:
            return reasons.RUNG
        here = self._here(phones)
        names = {phone.name for phone in here}
        if names & self._now.declined:
            return reasons.SENT_AWAY
        if who.do_not_disturb:
            return reasons.DO_NOT_DISTURB
        if self._routing.presence == "desk" and not self._signed_in(who):
            return reasons.NOT_SIGNED_IN
        if self._routing.busy == "skip" and names & self._now.busy:
            return reasons.ON_ANOTHER_CALL
        return "" if any(map(self._is_free, here)) else self._no_phone(phones)

    def _signed_in(self, who: Colleague) -> bool:
        """Where the desk has seen nobody at all it is away, or the database was not read yet: then everybody may be."""
        at, last = self._now.at, self._now.duty.last_seen
        if at is None or last is None or last <= at - SIGNED_IN:
            return True
        return who.seen_at is not None and who.seen_at > at - SIGNED_IN

    def _here(self, phones: Iterable[Phone]) -> list[Phone]:
        """Those of this node, or outside, each once."""
        here = (phone for phone in map(placed, phones) if not phone.inside or phone.node == self._node)
        return list(dict.fromkeys(here))

    def _is_free(self, phone: Phone) -> bool:
        """It can be reached, and does not ring in a step before."""
        gone = phone.name in self._now.declined or (phone.inside and phone.name in self._now.unreachable)
        return not gone and phone not in self._phones

    def _no_phone(self, phones: Iterable[Phone]) -> str:
        here = self._here(phones)
        if not here:
            return reasons.NO_PHONE
        return reasons.RUNG if any(phone in self._phones for phone in here) else reasons.NOT_REACHED

    # --- the end ---

    @property
    def _anybody(self) -> bool:
        """Whether the call was for somebody at all, rung or not."""
        return bool(self._steps or self._not_rung)

    def _end(self, destination: str, closed: str) -> Route:
        after, known = reasons.OWN_WAY, self._now.duty.destinations.get(destination, "")
        if known:
            after = reasons.DESTINATION.format(name=destination)
        elif destination:
            self._trail.append(reasons.NO_SUCH_DESTINATION.format(name=destination))
        self._trail.append(reasons.AT_LAST.format(after=after))
        if self._steps:
            said = reasons.RINGS.format(whom=", then ".join(step.reason for step in self._steps), after=after)
        else:
            if closed:
                why = closed
            elif self._not_rung:
                why = reasons.NOBODY_NOW
            else:
                why = reasons.A_RULE if known else reasons.NO_MANAGER
            to = reasons.TO_DESTINATION if known else reasons.TO_OWN_WAY
            said = to.format(name=destination, why=why)
        if self._not_rung:
            said = reasons.ALSO_NOT_RUNG.format(reason=said, passed="; ".join(self._not_rung))
        return Route(tuple(self._steps), said, known, trail=tuple(self._trail))


GONE = "that is gone"
"""For the name of a team."""


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
