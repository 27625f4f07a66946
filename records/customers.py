"""Customers: entering, changing, finding them, and everything that their page shows.

Functions take an open session of `records.database` and leave the commit to it. Each write returns what was `Touched`;
after the commit, and not before, hand it to the cache. Where numbers are given, ranges of numbers may be.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session, selectinload

from config.sentences import say
from records.aliases import fresh_id
from records.calls import calls_of_customer
from records.custom import OWN, with_values
from records.errors import Conflict, NotFound, Refused
from records.history import kept_of, note, note_number
from records.numbers import Reader, phone_number
from records.ranges import Span, covering, is_range, number_range, prefixes_of
from records.rows import row
from records.sources.owned import refuse_of_a_source
from records.tables import (
    CallRow,
    Customer,
    Endpoint,
    NumberChoice,
    NumberRange,
    Order,
    PhoneNumber,
    Task,
    User,
)
from records.touched import Touched, lookups_of, touch

CHANGEABLE = frozenset(
    {
        "external_id",
        "name",
        "company",
        "email",
        "address",
        "note",
        "photo",
        "debt_minor",
        "currency",
        "manager_id",
        "custom",
    }
)
"""What `change_customer` takes. `custom` are values by field, as `records.custom` reads them: those that are named
change, None takes one away, and the others stay.
"""


@dataclass(frozen=True, slots=True)
class CustomerPage:
    """Everything of one customer; all parts are loaded, so it can be used after the session is closed."""

    customer: Customer  # with numbers, manager and created_by
    orders: tuple[Order, ...]  # newest first
    tasks: tuple[Task, ...]  # open ones first, by what is due soonest, then done ones, newest first; with `user`
    calls: tuple[CallRow, ...]  # newest first
    choices: tuple[NumberChoice, ...]  # shared numbers for which this customer was chosen, with `chosen_by`


def add_customer(
    session: Session,
    read_number: Reader,
    *,
    name: str,
    numbers: Iterable[str | tuple[str, str]] = (),
    created_by_id: int | None = None,
    **fields: Any,
) -> tuple[Customer, Touched]:
    """A new customer. `numbers` are texts, or (text, label); `fields` are those of CHANGEABLE.

    Calls that came from these numbers before are theirs now. Raises Refused (no name, a number without digits or of
    our own, a range that is none), NotFound (manager_id) or Conflict (the external_id is in use).
    """
    customer = new_customer(session, read_number, name=name, numbers=numbers, created_by_id=created_by_id, **fields)
    return customer, settle(session, [customer])


def new_customer(
    session: Session,
    read_number: Reader,
    *,
    name: str,
    numbers: Iterable[str | tuple[str, str]] = (),
    created_by_id: int | None = None,
    **fields: Any,
) -> Customer:
    """`add_customer` without its second half: for many at once, which `settle` then writes together."""
    now = datetime.now(UTC)
    customer = Customer(name="", source="", created_by_id=created_by_id, created_at=now, updated_at=now)
    customer.id = fresh_id(session) or customer.id
    _apply(session, customer, {"name": name, **fields})
    for item in numbers:
        raw, label = (item, "") if isinstance(item, str) else item
        give_number(session, customer, read_number, raw, label)
    session.add(customer)
    return customer


def settle(session: Session, new: Sequence[Customer]) -> Touched:
    """Writes what `new_customer` made, and gives these customers the earlier calls from their numbers."""
    session.flush()
    touched = lookups_of(session, [customer.id for customer in new])
    adopt_calls(session, touched.keys, touched.ranges)
    return touched


def attach_number(
    session: Session, read_number: Reader, customer_id: int, raw: str, label: str = "", by_id: int | None = None
) -> Touched:
    """One more number, or range; nothing changes when the customer has it. Raises NotFound, Refused (a source's
    customer)."""
    customer = row(session, Customer, customer_id)
    refuse_of_a_source(session, customer, {"numbers"})
    given = give_number(session, customer, read_number, raw, label)
    if given is None:
        return Touched()
    session.flush()
    note_number(session, customer_id, None, given, by_id)
    if isinstance(given, NumberRange):
        adopt_calls(session, (), [(given.prefix or "", given.open_digits or 0)])
    elif given.match_key:
        adopt_calls(session, [given.match_key], ())
    return touch(session, [customer_id])


def detach_number(session: Session, customer_id: int, number_id: int, by_id: int | None = None) -> Touched:
    """One number less. Raises NotFound, Refused (a source's customer)."""
    number = session.get(PhoneNumber, number_id)
    if number is None or number.customer_id != customer_id:
        raise NotFound(
            say("the customer {customer} has no number with the id {id}", customer=customer_id, id=number_id)
        )
    refuse_of_a_source(session, number.customer, {"numbers"})
    before = touch(session, [customer_id])
    note_number(session, customer_id, number, None, by_id)
    number.customer.numbers.remove(number)
    session.execute(
        delete(NumberChoice).where(NumberChoice.match_key == number.match_key, NumberChoice.customer_id == customer_id)
    )
    session.flush()
    return before


def detach_range(session: Session, customer_id: int, range_id: int, by_id: int | None = None) -> Touched:
    """One range less. Raises NotFound, Refused (a source's customer)."""
    span = session.get(NumberRange, range_id)
    if span is None or span.customer_id != customer_id:
        raise NotFound(
            say("the customer {customer} has no range of numbers with the id {id}", customer=customer_id, id=range_id)
        )
    refuse_of_a_source(session, span.customer, {"numbers"})
    before = touch(session, [customer_id])
    note_number(session, customer_id, span, None, by_id)
    span.customer.ranges.remove(span)
    session.flush()
    return before


def label_number(session: Session, number: PhoneNumber | NumberRange, label: str, by_id: int | None = None) -> Touched:
    """What kind of number, or range, it is: work, mobile, home. Raises Refused (a source's customer)."""
    if number.label == label.strip():
        return Touched()
    refuse_of_a_source(session, number.customer, {"numbers"})
    before, number.label = number.label, label.strip()
    note_number(session, number.customer_id, number, number, by_id, label_before=before)
    return touch(session, [number.customer_id])


def hold(session: Session, customer: Customer, version: int) -> None:
    """Until the transaction ends nobody else changes the customer. Raises Conflict: somebody has since `version`."""
    same = update(Customer).where(Customer.id == customer.id, Customer.version == version)
    if session.execute(same.values(version=Customer.version).returning(Customer.id)).first() is None:
        raise Conflict(
            say(
                "somebody changed {customer} meanwhile; look at it again, then make your change", customer=customer.name
            )
        )


def change_customer(
    session: Session,
    customer_id: int,
    changes: Mapping[str, Any],
    if_version: int | None = None,
    by_id: int | None = None,
) -> tuple[Customer, Touched]:
    """Changes fields of CHANGEABLE. With `if_version` only when nobody changed the customer since that version.

    Raises NotFound, Refused (an unknown field, an empty name, what a source gives), Conflict (changed meanwhile,
    external_id in use).
    """
    customer = row(session, Customer, customer_id)
    refuse_of_a_source(session, customer, _changed(customer, changes))
    if if_version is not None:
        hold(session, customer, if_version)
    before = kept_of(session, customer)
    _apply(session, customer, changes)
    note(session, customer_id, before, kept_of(session, customer), by_id)
    touched = touch(session, [customer_id])
    session.refresh(customer)
    return customer, touched


def remove_customer(session: Session, customer_id: int) -> Touched:
    """The customer with numbers, orders and tasks; the calls stay in the log. Raises NotFound."""
    customer = row(session, Customer, customer_id)
    refuse_of_a_source(session, customer, {"name"})
    touched = touch(session, [customer_id])
    session.delete(customer)
    session.flush()
    return touched


def customer(session: Session, customer_id: int) -> Customer | None:
    """With numbers and manager."""
    return session.get(Customer, customer_id, options=_WITH_NUMBERS)


def customer_page(session: Session, customer_id: int, calls: int = 20) -> CustomerPage | None:
    """Everything that the customer's page shows; None when there is no such customer."""
    found = session.get(Customer, customer_id, options=(*_WITH_NUMBERS, selectinload(Customer.created_by)))
    if found is None:
        return None
    orders = select(Order).where(Order.customer_id == customer_id).order_by(Order.placed_at.desc(), Order.id.desc())
    tasks = select(Task).where(Task.customer_id == customer_id).options(selectinload(Task.user))
    choices = select(NumberChoice).where(NumberChoice.customer_id == customer_id).order_by(NumberChoice.match_key)
    by_need = (Task.state != "open", Task.done_at.desc(), Task.due_at.is_(None), Task.due_at, Task.id)
    return CustomerPage(
        found,
        tuple(session.scalars(orders)),
        tuple(session.scalars(tasks.order_by(*by_need))),
        calls_of_customer(session, customer_id, limit=calls).items,
        tuple(session.scalars(choices.options(selectinload(NumberChoice.chosen_by)))),
    )


def customers_with(session: Session, match_key: str) -> Sequence[Customer]:
    """Everybody who has this number, by id."""
    return session.scalars(
        select(Customer)
        .where(Customer.numbers.any(PhoneNumber.match_key == match_key))
        .order_by(Customer.id)
        .options(*_WITH_NUMBERS)
    ).all()


_WITH_NUMBERS = (
    selectinload(Customer.numbers),
    selectinload(Customer.ranges),
    selectinload(Customer.manager).selectinload(User.endpoints),
)


def _changed(customer: Customer, changes: Mapping[str, Any]) -> set[str]:
    """Which fields become other than they are; of the company's own, each for itself."""
    own, kept = changes.get("custom"), customer.custom
    names = {name for name, value in changes.items() if name != "custom" and _differs(customer, name, value)}
    if isinstance(own, Mapping):
        names |= {OWN + name for name, value in own.items() if not isinstance(kept, dict) or kept.get(name) != value}
    return names


def _differs(customer: Customer, name: str, value: Any) -> bool:
    return name not in CHANGEABLE or getattr(customer, name) != (value.strip() if isinstance(value, str) else value)


def _apply(session: Session, customer: Customer, changes: Mapping[str, Any]) -> None:
    if unknown := sorted(set(changes) - CHANGEABLE):
        raise Refused(
            say(
                "a customer has no {unknown}; known are {known}",
                unknown=", ".join(unknown),
                known=", ".join(sorted(CHANGEABLE)),
            )
        )
    for field, value in changes.items():
        if field == "custom":
            customer.custom = with_values(customer.custom, value)
        else:
            setattr(customer, field, value.strip() if isinstance(value, str) else value)
    customer.external_id = customer.external_id or None
    if not customer.name:
        raise Refused(say("a customer needs a name; for a company without a person write the company's"))
    with session.no_autoflush:
        if customer.manager_id is not None:
            row(session, User, customer.manager_id)
        taken = select(Customer).where(
            Customer.source == customer.source, Customer.external_id == customer.external_id, Customer.id != customer.id
        )
        if customer.external_id and (other := session.scalar(taken)) is not None and other is not customer:
            raise Conflict(
                say("the external id {id} belongs to {customer}", id=customer.external_id, customer=other.name)
            )


def give_number(
    session: Session, customer: Customer, read_number: Reader, raw: str, label: str
) -> PhoneNumber | NumberRange | None:
    """A number or a range to a customer; None: they have it already. Leaves the rest to the caller. Raises Refused."""
    if is_range(raw):
        span = number_range(raw, read_number, label)
        if any((known.prefix, known.open_digits) == (span.prefix, span.open_digits) for known in customer.ranges):
            return None
        customer.ranges.append(span)
        return span
    number = phone_number(raw, read_number, label)
    if {number.raw, number.match_key} & own_phones(session, read_number):
        raise Refused(
            say("{number!r} is a phone of your own people; a customer needs one of their own", number=number.raw)
        )
    if _same(customer.numbers, number) is not None:
        return None
    customer.numbers.append(number)
    return number


def own_phones(session: Session, read_number: Reader) -> Set[str]:
    """Names of our phones, and how those are compared that lie outside; read once in a session."""
    known: Set[str] | None = session.info.get("own phones")
    if known is None:
        with session.no_autoflush:
            names = session.scalars(select(Endpoint.name)).all()
        known = session.info["own phones"] = {*names, *(read_number(name).match_key for name in names)} - {""}
    return known


def _same(numbers: Iterable[PhoneNumber], number: PhoneNumber) -> PhoneNumber | None:
    """The customer's own row for the same phone; numbers that could not be read are the same when typed alike."""
    for known in numbers:
        if (known.match_key or known.raw, known.ext) == (number.match_key or number.raw, number.ext):
            return known
    return None


def adopt_calls(session: Session, keys: Collection[str], spans: Collection[Span]) -> None:
    """Earlier calls of nobody, from these match_keys and ranges, become the customer's who has the number, where nobody
    else has it."""
    for key in callers_of_nobody(session, keys, spans):
        owners = _owners(session, key)
        if len(owners) == 1:
            mine = update(CallRow).where(CallRow.caller_key == key, CallRow.customer_id.is_(None))
            session.execute(mine.values(customer_id=owners[0]))


def callers_of_nobody(session: Session, keys: Collection[str], spans: Collection[Span]) -> Sequence[str]:
    """Of these match_keys and ranges those from which calls came that are no customer's."""
    if not keys and not spans:
        return ()
    callers = [CallRow.caller_key.in_(keys), *map(_calls_in, spans)]
    of_nobody = select(CallRow.caller_key).where(or_(*callers), CallRow.customer_id.is_(None)).distinct()
    return [key for key in session.scalars(of_nobody) if key]


def _calls_in(span: Span) -> ColumnElement[bool]:
    """By the index on the caller, and then exactly, whatever order the database's language gives to signs."""
    prefix, open_digits = span
    first, last = (prefix + digit * open_digits for digit in "09")
    key = CallRow.caller_key
    return and_(key.between(first, last), key.startswith(prefix, autoescape=True), func.length(key) == len(last))


def _owners(session: Session, match_key: str) -> Sequence[int]:
    """As a call finds them: who has the number, else whose narrowest range holds it."""
    exact = select(PhoneNumber.customer_id).where(PhoneNumber.match_key == match_key).distinct()
    if owners := session.scalars(exact).all():
        return owners
    holding = covering(match_key, prefixes_of(match_key))
    narrowest = select(func.min(NumberRange.open_digits)).where(holding).scalar_subquery()
    ranges = select(NumberRange.customer_id).where(holding, NumberRange.open_digits == narrowest)
    return session.scalars(ranges.distinct()).all()
