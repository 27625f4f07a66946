"""What one person may see of a call and of a customer, as values ready for the screen and for the API.

This is the one place where a role decides: `sight` says what a role sees, and everything that leaves the desk about a
customer or a live call passes through `customer_view` or `call_view`. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import groupby
from typing import Any, Literal

from config.card_fields import BUILT_IN
from config.sentences import counted, say
from desk import formats
from desk.layout import Layout, Placed
from desk.people import Directory, Reader, join
from lookup.card import Card, CardOrder, CardTask, Money
from lookup.notices import LiveCall, RungPhone
from records.custom import typed_value

State = Literal["ringing", "talking", "elsewhere", "ended"]
Answers = Mapping[str, Mapping[str, Any] | None]
"""What queries said of one customer: their first row by column, None when they could not be asked; a query that is not
in it has not answered yet.
"""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a role sees of what it sees at all (whose calls: `Reader.sees`)."""

    amounts: bool  # debts and order totals
    team: bool  # the strip of other people's live calls
    imports: bool = False  # may bring customers in, and take that back
    sources: bool = False  # how sources of customers are doing
    blocks: bool = False  # may block callers, and let them in again
    routing: bool = False  # may say who rings
    card: bool = False  # may say which fields a card has, and who sees them
    face: bool = False  # may give the desk the company's name, logo and colour
    people: bool = False  # may enter people, change them and switch them off
    merges: bool = False  # may make one customer of two
    seen: bool = False  # may see who saw which card
    test_calls: bool = False  # may have a call simulated, and ask the doctor


_SIGHTS = {
    "agent": Sight(amounts=True, team=False),
    "supervisor": Sight(amounts=True, team=True, imports=True, blocks=True, merges=True),
    "administrator": Sight(
        amounts=True,
        team=True,
        imports=True,
        sources=True,
        blocks=True,
        routing=True,
        card=True,
        face=True,
        people=True,
        merges=True,
        seen=True,
        test_calls=True,
    ),
}
_LEAST = Sight(amounts=False, team=False)


def sight(role: str) -> Sight:
    """An unknown role sees the least."""
    return _SIGHTS.get(role, _LEAST)


@dataclass(frozen=True, slots=True)
class MoneyView:
    minor: int
    currency: str
    text: str


@dataclass(frozen=True, slots=True)
class NumberView:
    e164: str  # or as received, when it could not be read
    text: str
    country: str  # ISO 3166-1 alpha-2
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
class Sheet:
    """What every card is laid out by, and what the queries said of the customers on it, by their ids."""

    layout: Layout = field(default_factory=Layout)
    answers: Mapping[int, Answers] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FieldView:
    """One field of a card, for a role that may see it. A built-in one's value stands in the card's own attribute."""

    name: str
    label: str
    kind: str  # "built-in", or the type of its value; "text" too for a value that does not fit its type
    state: Literal["ready", "waiting", "failed", "masked"] = "ready"  # of the query that gives it; or not to be seen
    value: Any = None  # as `records.custom` makes it; None: there is none
    text: str = ""  # the value for the screen, else the default; of a masked one what may be seen in its place

    @property
    def block(self) -> str:
        """Facts stand side by side; orders and the note for themselves."""
        return self.name if self.name in ("orders", "note") else "facts"


@dataclass(frozen=True, slots=True)
class CustomerView:
    """A customer's card. What a role may not see is not in it: empty, or None for amounts, manager and task."""

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
    fields: tuple[FieldView, ...] = ()  # all that the reader may see, in the order of the card

    @property
    def subtitle(self) -> str:
        """The company, where it has no label and so stands under the name."""
        return self.company if any(item.name == "company" and not item.label for item in self.fields) else ""

    @property
    def blocks(self) -> list[tuple[str, list[tuple[str, list[FieldView]]]]]:
        """The fields as the screen groups them: blocks, in them labels, under these what there is to show."""
        shown = [item for item in self.fields if self._shows(item)]
        return [
            (block, [(label, list(items)) for label, items in groupby(fields, lambda item: item.label)])
            for block, fields in groupby(shown, lambda item: item.block)
        ]

    def _shows(self, item: FieldView) -> bool:
        """What has nothing to say takes no room; that nothing is owed and nobody cares for them says something."""
        if item.state == "masked":
            return bool(item.text)
        match item.name:
            case "company":
                return bool(item.label and self.company)
            case "manager":
                return True
            case name if name in BUILT_IN:
                return bool(getattr(self, name))
            case _:
                return bool(item.text or item.state != "ready")


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
    shared: int  # customers who share the number, of whom one may be chosen
    tier: str
    match_reason: str
    reason: str  # why it came to this person
    with_whom: str  # who talks with the caller, when it is not the reader
    outcome: str
    simulated: bool = False  # nobody calls: it is for trying, and is not in the log

    @property
    def customer(self) -> CustomerView | None:
        return self.customers[0] if len(self.customers) == 1 and self.expected == 1 else None

    @property
    def headline(self) -> str:
        """The name to greet with, or what is known instead."""
        if self.customer:
            return self.customer.name
        if self.answer == "withheld":
            return say("Number withheld")
        if self.expected > 1:
            return counted("{n} customer shares this number", "{n} customers share this number", self.expected)
        return self.number.text if self.number else say("No number")


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
    simulated: bool = False


def call_view(
    call: LiveCall, cards: Mapping[int, Card], reader: Reader, directory: Directory, sheet: Sheet | None = None
) -> CallView | None:
    """The call as `reader` sees it; None when none of their phones has a part in it, or it is one among colleagues."""
    mine = phones_of(reader, call, directory)
    if not mine or call.direction == "internal":
        return None
    state = _state(call, mine)
    ids = (call.customer_id,) if call.customer_id else call.customer_ids
    known = [cards[key] for key in ids if key in cards]
    return CallView(
        call_id=call.call_id,
        version=call.version,
        state=state,
        direction=call.direction,
        answer=call.answer,
        started_ms=call.started_ms,
        since_ms=_since(call, mine, state),
        number=number_view(call.customer_number) if call.customer_number and call.answer != "withheld" else None,
        received_name=call.caller_name if call.answer != "withheld" else "",
        called=number_view(call.called_number) if call.called_number else None,
        customers=tuple(customer_view(card, reader, sheet) for card in known),
        expected=len(ids),
        shared=len(call.customer_ids),
        tier=call.tier,
        match_reason=reason_for(reader, call.match_reason, known, sheet),
        reason=reason_for(
            reader, next((phone.reason for phone in mine if phone.reason), call.route_reason), known, sheet
        ),
        with_whom=_with_whom(call, directory) if state in ("elsewhere", "ended") else "",
        outcome=call.outcome,
        simulated=call.is_simulated,
    )


def phones_of(reader: Reader, call: LiveCall, directory: Directory) -> list[RungPhone]:
    """The reader's own phones in this call."""
    return [phone for phone in call.phones if reader.user_id in directory.rung(call, phone)]


def concerns(reader: Reader, call: LiveCall, directory: Directory) -> bool:
    """Whether the call may have anything for this reader: asked first, because most calls have not for most readers."""
    return sight(reader.role).team or bool(phones_of(reader, call, directory))


def team_view(call: LiveCall, cards: Mapping[int, Card], reader: Reader, directory: Directory) -> TeamCallView | None:
    """The call in the strip of other people's calls; None when it is not for this reader, or rings nobody's phone.

    What is simulated on somebody's own pages is theirs alone.
    """
    if (
        all(phone.page_of for phone in call.phones)
        or not sight(reader.role).team
        or not reader.may_see(directory.concerned(call))
    ):
        return None
    talking = [phone for phone in call.phones if phone.state == "talking"]
    shown = talking or [phone for phone in call.phones if phone.state == "ringing"]
    card = cards.get(call.customer_id) if call.customer_id else None
    return TeamCallView(
        call_id=call.call_id,
        version=call.version,
        state="ended" if call.ended_ms else "talking" if talking else "ringing",
        since_ms=min((phone.since_ms for phone in shown), default=call.started_ms),
        who=join(dict.fromkeys(directory.called_in(call, phone) for phone in shown)),
        caller=card.name if card else _unnamed(call),
        customer_id=card.customer_id if card else None,
        number=formats.number(call.customer_number) if card else "",
        simulated=call.is_simulated,
    )


def customer_view(card: Card, reader: Reader, sheet: Sheet | None = None) -> CustomerView:
    sheet = sheet or Sheet()
    seen = sight(reader.role)
    names, masked = sheet.layout.names_seen_by(reader.role), sheet.layout.masked_from(reader.role)
    shows_orders = "orders" in names | masked
    answers = sheet.answers.get(card.customer_id, {})
    shown = field_views(sheet.layout.shown_to(reader.role), card.custom, answers, sheet.layout.currency, masked)
    manager = card.manager if "manager" in names else None
    return CustomerView(
        customer_id=card.customer_id,
        version=card.version,
        name=card.name,
        company=card.company if "company" in names else "",
        email=card.email if "email" in names else "",
        address=card.address if "address" in names else "",
        note=card.note if "note" in names else "",
        photo=card.photo,
        initials=formats.initials(card.name),
        hue=formats.hue(card.customer_id),
        numbers=tuple(number_view(item.e164, item.label, item.ext) for item in card.numbers if "numbers" in names),
        debt=_money(card.debt) if seen.amounts and "debt" in names else None,
        orders=tuple(_order(order, seen.amounts and "orders" in names) for order in card.orders if shows_orders),
        manager=manager.name if manager else "",
        manager_is_reader=bool(manager and manager.user_id == reader.user_id),
        last_task=_task(card.last_task) if card.last_task and "last_task" in names else None,
        fields=tuple(replace(one, text=_masked(card, one.name)) if _is_covered(one) else one for one in shown),
    )


def _is_covered(one: FieldView) -> bool:
    return one.state == "masked" and one.kind == "built-in"


def _masked(card: Card, name: str) -> str:
    """What a role sees of a built-in field of which it sees only that there is something; empty: there is nothing."""
    if name == "numbers":
        return " · ".join(formats.masked_number(item.e164) for item in card.numbers)
    there = {"debt": card.debt.minor, "email": card.email, "address": card.address}
    return formats.MASK if there.get(name) else ""


def field_views(
    placed: Sequence[Placed],
    custom: Mapping[str, Any],
    answers: Answers,
    currency: str,
    masked: Collection[str] = (),
) -> tuple[FieldView, ...]:
    """These fields, in their order, with the values that the customer keeps and those that queries gave. Of `masked`
    ones only that there is something; of orders what there is of them without the amounts."""
    return tuple(
        _covered(one, custom) if one.name in masked else _field(one, custom, answers, currency) for one in placed
    )


def _covered(one: Placed, custom: Mapping[str, Any]) -> FieldView:
    if one.name == "orders":
        return FieldView(one.name, one.label, "built-in")
    if one.built_in:
        return FieldView(one.name, one.label, "built-in", "masked")
    there = bool(one.field.query) or custom.get(one.name) is not None
    return FieldView(one.name, one.label, one.field.type, "masked", None, formats.MASK if there else "")


def _field(one: Placed, custom: Mapping[str, Any], answers: Answers, currency: str) -> FieldView:
    if one.built_in:
        return FieldView(one.name, one.label, "built-in")
    query, raw = one.field.query, custom.get(one.name)
    if query and query not in answers:
        return FieldView(one.name, one.label, one.field.type, "waiting")
    if query:
        row = answers[query]
        if row is None:
            return FieldView(one.name, one.label, one.field.type, "failed", None, one.field.default)
        raw = row.get(one.field.column)
    value = typed_value(one.field, raw, currency)
    kind, text = _written(one.field.type, value)
    return FieldView(one.name, one.label, kind, "ready", value, text or one.field.default)


def _written(kind: str, value: Any) -> tuple[str, str]:
    """A value for the screen, and how to show it: one that does not fit its type is the text that it is."""
    match kind, value:
        case _, None:
            return kind, ""
        case "money", {"minor": minor, "currency": currency}:
            return kind, formats.amount(minor, currency)
        case "number", int() | float():
            return kind, formats.figure(value)
        case "yes/no", bool():
            return kind, say("Yes") if value else say("No")
        case "date", str() if len(value) == 10:
            try:
                return kind, formats.full_date(date.fromisoformat(value))
            except ValueError:
                return "text", value
        case "link", str() if value.startswith(("https://", "http://")):
            return kind, value.partition("://")[2].rstrip("/")
        case "text" | "choice", str():
            return kind, value
        case _:
            return "text", str(value)


def reason_for(reader: Reader, reason: str, cards: Sequence[Card], sheet: Sheet | None = None) -> str:
    """The reason, unless it names the company or the manager, and this reader may not see who that is."""
    names = (sheet or Sheet()).layout.names_seen_by(reader.role)
    hidden = {card.company for card in cards if "company" not in names}
    hidden |= {one.name for card in cards for one in (card.manager, card.deputy) if one and "manager" not in names}
    return "" if any(text and text in reason for text in hidden) else reason


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
    phones = [phone for phone in call.phones if phone.state == "talking"]
    if not phones and call.is_simulated:  # by somebody with no phone, perhaps
        phones = [phone for phone in call.phones if phone.answered_ms]
    if phones or not call.answered_endpoint:
        return join(dict.fromkeys(directory.called_in(call, phone) for phone in phones))
    return directory.called(call.node, call.answered_endpoint)


def _unnamed(call: LiveCall) -> str:
    if call.answer == "withheld":
        return say("number withheld")
    return formats.number(call.customer_number) or say("no number")


def _money(money: Money) -> MoneyView:
    return MoneyView(money.minor, money.currency, formats.amount(money.minor, money.currency))


def _order(order: CardOrder, amounts: bool) -> OrderView:
    return OrderView(order.number, order.title, order.state, _money(order.total) if amounts else None, order.placed_at)


def _task(task: CardTask) -> TaskView:
    return TaskView(task.title, task.state, task.due_at, task.responsible)
