"""What one person may see of a call and of a customer, as values ready for the screen and for the API.

This is the one place where a role decides: `sight` says what a role sees, and everything that leaves the desk about a
customer or a live call passes through `customer_view` or `call_view`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from desk import formats
from desk.people import Directory, Reader, join
from lookup.card import Card, CardOrder, CardTask, Money
from lookup.notices import LiveCall, RungPhone

State = Literal["ringing", "talking", "elsewhere", "ended"]


@dataclass(frozen=True, slots=True)
class Sight:
    """What a role sees of what it sees at all (whose calls: `Reader.sees`)."""

    amounts: bool  # debts and order totals
    team: bool  # the strip of other people's live calls


def sight(role: str) -> Sight:
    """An unknown role sees the least."""
    return {
        "agent": Sight(amounts=True, team=False),
        "supervisor": Sight(amounts=True, team=True),
        "administrator": Sight(amounts=True, team=True),
    }.get(role, Sight(amounts=False, team=False))


@dataclass(frozen=True, slots=True)
class MoneyView:
    minor: int
    currency: str
    text: str


@dataclass(frozen=True, slots=True)
class NumberView:
    e164: str  # or as received, when it could not be read
    text: str
    country: str  # ISO 3166-1 alpha-2; the browser writes its name
    label: str = ""
    ext: str = ""


@dataclass(frozen=True, slots=True)
class OrderView:
    number: str
    title: str
    state: str
    total: MoneyView | None
    placed_at: str


@dataclass(frozen=True, slots=True)
class TaskView:
    title: str
    state: str
    due_at: str
    responsible: str


@dataclass(frozen=True, slots=True)
class CustomerView:
    """A customer's card. Amounts are None for a role that may not see them."""

    customer_id: int
    version: int
    name: str
    company: str
    email: str
    address: str
    note: str
    photo: str
    initials: str
    hue: int
    numbers: tuple[NumberView, ...]
    debt: MoneyView | None
    orders: tuple[OrderView, ...]
    manager: str
    manager_is_reader: bool
    last_task: TaskView | None


@dataclass(frozen=True, slots=True)
class CallView:
    """A live call for the person whose phone it rings, or rang."""

    call_id: str
    version: int
    state: State
    direction: str
    answer: str  # looking | found | unknown | withheld | unavailable
    started_ms: int
    since_ms: int  # when this state began
    number: NumberView | None  # None: withheld
    received_name: str
    called: NumberView | None
    customers: tuple[CustomerView, ...]  # one; several when they share the number and nothing says which
    expected: int  # customers that belong here; more than there are: their cards could not be read just now
    tier: str
    match_reason: str
    reason: str  # why it came to this person
    with_whom: str  # who talks with the caller, when it is not the reader
    outcome: str

    @property
    def customer(self) -> CustomerView | None:
        return self.customers[0] if len(self.customers) == 1 and self.expected == 1 else None

    @property
    def headline(self) -> str:
        """The name to greet with, or what is known instead."""
        if self.customer:
            return self.customer.name
        if self.answer == "withheld":
            return "Number withheld"
        if self.expected > 1:
            return f"{self.expected} customers share this number"
        return self.number.text if self.number else "No number"


@dataclass(frozen=True, slots=True)
class TeamCallView:
    """One line of "who is talking with whom now", for those who look after others."""

    call_id: str
    version: int
    state: Literal["ringing", "talking", "ended"]
    since_ms: int
    who: str  # whose phones ring, or who talks
    caller: str
    customer_id: int | None
    number: str


def call_view(call: LiveCall, cards: Mapping[int, Card], reader: Reader, directory: Directory) -> CallView | None:
    """The call as `reader` sees it; None when none of their phones has a part in it."""
    mine = [phone for phone in call.phones if reader.user_id in directory.people(call.node, phone.endpoint)]
    if not mine:
        return None
    state = _state(call, mine)
    ids = (call.customer_id,) if call.customer_id else call.customer_ids
    return CallView(
        call_id=call.call_id,
        version=call.version,
        state=state,
        direction=call.direction,
        answer=call.answer,
        started_ms=call.started_ms,
        since_ms=_since(call, mine, state),
        number=number_view(call.caller_number) if call.caller_number and call.answer != "withheld" else None,
        received_name=call.caller_name if call.answer != "withheld" else "",
        called=number_view(call.called_number) if call.called_number else None,
        customers=tuple(customer_view(cards[key], reader) for key in ids if key in cards),
        expected=len(ids),
        tier=call.tier,
        match_reason=call.match_reason,
        reason=next((phone.reason for phone in mine if phone.reason), call.route_reason),
        with_whom=_with_whom(call, directory) if state in ("elsewhere", "ended") else "",
        outcome=call.outcome,
    )


def team_view(call: LiveCall, cards: Mapping[int, Card], reader: Reader, directory: Directory) -> TeamCallView | None:
    """The call in the strip of other people's calls; None when it is not for this reader, or rings nobody's phone."""
    people = frozenset[int]().union(*(directory.people(call.node, phone.endpoint) for phone in call.phones))
    if not call.phones or not sight(reader.role).team or not reader.may_see(people):
        return None
    talking = [phone for phone in call.phones if phone.state == "talking"]
    shown = talking or [phone for phone in call.phones if phone.state == "ringing"]
    card = cards.get(call.customer_id) if call.customer_id else None
    return TeamCallView(
        call_id=call.call_id,
        version=call.version,
        state="ended" if call.ended_ms else "talking" if talking else "ringing",
        since_ms=min((phone.since_ms for phone in shown), default=call.started_ms),
        who=join(dict.fromkeys(directory.called(call.node, phone.endpoint) for phone in shown)),
        caller=card.name if card else _unnamed(call),
        customer_id=card.customer_id if card else None,
        number=formats.number(call.caller_number) if card else "",
    )


def customer_view(card: Card, reader: Reader) -> CustomerView:
    seen = sight(reader.role)
    return CustomerView(
        customer_id=card.customer_id,
        version=card.version,
        name=card.name,
        company=card.company,
        email=card.email,
        address=card.address,
        note=card.note,
        photo=card.photo,
        initials=formats.initials(card.name),
        hue=formats.hue(card.customer_id),
        numbers=tuple(number_view(item.e164, item.label, item.ext) for item in card.numbers),
        debt=_money(card.debt) if seen.amounts else None,
        orders=tuple(_order(order, seen) for order in card.orders),
        manager=card.manager.name if card.manager else "",
        manager_is_reader=bool(card.manager and card.manager.user_id == reader.user_id),
        last_task=_task(card.last_task) if card.last_task else None,
    )


def number_view(number: str, label: str = "", ext: str = "") -> NumberView:
    return NumberView(number, formats.number(number), formats.country(number), label, ext)


def _state(call: LiveCall, mine: Sequence[RungPhone]) -> State:
    """State per person, not per phone: two phones of one agent are one card."""
    if call.ended_ms:
        return "ended"
    states = {phone.state for phone in mine}
    if "talking" in states:
        return "talking"
    return "ringing" if "ringing" in states else "elsewhere"


def _since(call: LiveCall, mine: Sequence[RungPhone], state: State) -> int:
    if state == "ended":
        return call.ended_ms
    alike = [phone.since_ms for phone in mine if phone.state == ("stopped" if state == "elsewhere" else state)]
    return min(alike, default=call.started_ms)


def _with_whom(call: LiveCall, directory: Directory) -> str:
    talking = [phone.endpoint for phone in call.phones if phone.state == "talking"]
    endpoints = talking or ([call.answered_endpoint] if call.answered_endpoint else [])
    return join(dict.fromkeys(directory.called(call.node, endpoint) for endpoint in endpoints))


def _unnamed(call: LiveCall) -> str:
    if call.answer == "withheld":
        return "number withheld"
    return formats.number(call.caller_number) or "no number"


def _money(money: Money) -> MoneyView:
    return MoneyView(money.minor, money.currency, formats.amount(money.minor, money.currency))


def _order(order: CardOrder, seen: Sight) -> OrderView:
    return OrderView(
        order.number, order.title, order.state, _money(order.total) if seen.amounts else None, order.placed_at
    )


def _task(task: CardTask) -> TaskView:
    return TaskView(task.title, task.state, task.due_at, task.responsible)
