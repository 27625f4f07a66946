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
from lookup.answers import Answer, Found, Unavailable, Unknown, Withheld
from lookup.card import Card, Person, Phone
from lookup.duty import COMPANY, SIGNED_IN, CardRule, Colleague, Situation, placed
from lookup.hours import Hours

NOTHING_KNOWN = Situation()
OWN_WAY = "the company's own way"


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
        return _own_way("calls to this number are left alone")
    if blocked := now.duty.blocked.why(answer):
        said = f"Blocked: {blocked}."
        return Route((), said, blocked=routing.blocked, trail=(said,))
    if did.policy == "name":
        return _own_way("calls to this number are named only")
    return _Pass(answer, routing, node, now).route()


def _own_way(because: str, trail: Iterable[str] = ()) -> Route:
    return Route((), f"The company's own way: {because}.", trail=tuple(trail))


def _managed(answer: Answer) -> tuple[tuple[Card, ...], Person | None] | str:
    """The cards that the caller can be, and the one manager of them all; or why nobody can be chosen."""
    match answer:
        case Withheld():
            return answer.reason
        case Unknown():
            return "no customer is known by this number"
        case Unavailable():
            return "the customer could not be looked up in time"
        case Found(may=may, tier=tier) if may != "route":
            return f'the customer is not certain enough to choose who rings (tiers.{tier} = "{may}")'
        case Found(chosen=None, candidates=candidates) if len({_manager_id(card) for card in candidates}) > 1:
            return "customers of different managers share this number"
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
        self._trail: list[str] = ["Block list: not on it."]
        self._phones: set[Phone] = set()  # that ring in a step
        self._people: set[int] = set()  # and whose they are

    def route(self) -> Route:
        managed = _managed(self._answer)
        cards, manager = ((), None) if isinstance(managed, str) else managed
        hours = self._hours(manager)
        closed = hours.closed(self._now.at) if hours and self._now.at else ""
        self._trail.append(f"Working hours: {closed or 'somebody is at work' if self._now.at else 'not looked at'}.")
        ends_at = self._rules(cards, out_of_hours=bool(closed))
        if closed and not ends_at:
            return self._end(hours.closed_to if hours else "", f"{closed}")
        if isinstance(managed, str):
            return _own_way(managed, [*self._trail, f"{managed[:1].upper()}{managed[1:]}."])
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
                why_not = "holds in working hours only"
            else:
                # of customers who share the number, all
                why_not = next((why for card in cards if (why := rule.why_not(card))), "" if cards else "no customer")
            if why_not:
                self._trail.append(f"Rule {rule.name}: {why_not}.")
            elif not rule.destination:
                self._ring_for(rule)
            elif rule.destination in self._now.duty.destinations:
                self._trail.append(f"Rule {rule.name}: goes to the destination {rule.destination}.")
                return rule.destination
            else:
                self._pass_over(f"the rule {rule.name}", f"the settings have no destination {rule.destination}")
        return ""

    def _ring_for(self, rule: CardRule) -> None:
        duty, because = self._now.duty, f"by the rule {rule.name}"
        if rule.team_id is not None:
            team = duty.teams.get(rule.team_id, "that is gone")
            self._offer_team(duty.team(rule.team_id), team, f"the team {team} {because}")
        elif colleague := duty.people.get(rule.person_id or 0):
            self._offer(colleague.person, f"{colleague.person.name} {because}", self._routing.ring_s)
        else:
            self._pass_over(f"the rule {rule.name}", "whom it names is not here any more")

    def _staff(self, card: Card, manager: Person | None) -> None:
        """The customer's own people, in their order."""
        routing = self._routing
        if manager:
            self._offer(manager, f"the assigned manager {manager.name}", routing.ring_s)
            if card.deputy:
                name = f"{card.deputy.name}, the deputy of {manager.name}"
                self._offer(card.deputy, name, routing.group_ring_s)
        spoke = card.spoke_last
        if spoke and self._lately(spoke.at):
            name = f"{spoke.person.name}, who spoke with this customer last"
            self._offer(spoke.person, name, routing.group_ring_s)
        if manager and card.team:
            self._offer_team(card.team, "team", f"the team of {manager.name}")

    def _lately(self, at: str) -> bool:
        days = self._routing.last_spoke_days
        return days > 0 and self._now.at is not None and datetime.fromisoformat(at) > self._now.at - timedelta(days)

    # --- one offer ---

    def _offer(self, person: Person, words: str, ring_s: int) -> None:
        """Have this person rung, on all of their phones that are here, if they can be."""
        known = self._now.duty.people.get(person.user_id) or Colleague(person)
        if ring_s <= 0:
            self._trail.append(f"{words}: switched off.")
            return
        if why_not := self._away(known, person.phones):
            self._pass_over(words, why_not)
        else:
            self._ring(tuple(filter(self._is_free, self._here(person.phones))), ring_s, person.name, words)
        self._people.add(person.user_id)

    def _offer_team(self, phones: Iterable[Phone], who: str, words: str) -> None:
        """Have those phones rung at which somebody sits who can be; a phone that is nobody's can."""
        if self._routing.group_ring_s <= 0:
            self._trail.append(f"{words}: switched off.")
            return
        free: list[Phone] = []
        away: dict[str, str] = {}
        for phone in self._here(phones):
            people = self._now.duty.at_phone.get(phone, ())
            reasons = {each.person.name: self._away(each, each.person.phones) for each in people}
            away |= {name: why for name, why in reasons.items() if why}
            if self._is_free(phone) and (not people or "" in reasons.values()):
                free.append(phone)
        told = {name: why for name, why in away.items() if why != RUNG}
        self._not_rung += [f"{name}: {why}" for name, why in told.items()]
        self._trail += [f"Of {words}, {name}: {why}." for name, why in away.items()]
        if not free:
            why_not = "nobody else of it can be rung" if told else RUNG if away else self._no_phone(phones)
            self._pass_over(words, why_not)
        else:
            self._ring(tuple(free), self._routing.group_ring_s, who, words)
            self._people |= {each.person.user_id for phone in free for each in self._now.duty.at_phone.get(phone, ())}

    def _ring(self, phones: tuple[Phone, ...], ring_s: int, who: str, words: str) -> None:
        self._phones.update(phones)
        self._steps.append(Step(phones, ring_s, who, words))
        self._trail.append(f"{words}: rings {ring_s} s on {', '.join(phone.name for phone in phones)}.")

    def _pass_over(self, words: str, why: str) -> None:
        self._trail.append(f"{words}: {why}.")
        if why != RUNG:
            self._not_rung.append(f"{words}: {why}")

    # --- presence ---

    def _away(self, who: Colleague, phones: tuple[Phone, ...]) -> str:
        """Why this person is not rung; empty: they are there, as far as anybody knows."""
        if who.person.user_id in self._people:
            return RUNG
        here = self._here(phones)
        names = {phone.name for phone in here}
        if names & self._now.declined:
            return "sent this call away before"
        if who.do_not_disturb:
            return "do not disturb"
        if self._routing.presence == "desk" and not self._signed_in(who):
            return "not signed in at the desk"
        if self._routing.busy == "skip" and names & self._now.busy:
            return "on another call"
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
            return "no phone here"
        return RUNG if any(phone in self._phones for phone in here) else "the phone cannot be reached"

    # --- the end ---

    @property
    def _anybody(self) -> bool:
        """Whether the call was for somebody at all, rung or not."""
        return bool(self._steps or self._not_rung)

    def _end(self, destination: str, closed: str) -> Route:
        after, known = OWN_WAY, self._now.duty.destinations.get(destination, "")
        if known:
            after = f"the destination {destination}"
        elif destination:
            self._trail.append(f"The settings have no destination {destination}.")
        self._trail.append(f"At last: {after}.")
        not_rung = f" Not rung: {'; '.join(self._not_rung)}." if self._not_rung else ""
        if self._steps:
            rings = ", then ".join(step.reason for step in self._steps)
            said = f"Rings {rings}; after that {after}.{not_rung}"
        elif closed:
            said = f"{_capital(after)}: {closed}.{not_rung}"
        elif not_rung:
            said = f"{_capital(after)}: nobody can be rung now.{not_rung}"
        else:
            said = f"{_capital(after)}: {'a rule says so' if known else 'the customer has no manager'}."
        return Route(tuple(self._steps), said, known, trail=tuple(self._trail))


RUNG = "had a turn before in this call"


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
