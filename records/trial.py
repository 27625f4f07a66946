"""Fills a database with the trial's company, so that every screen has something to show from the first minute.

Everything is found again by its login, external id, title or call id, so that filling twice changes nothing; on another
day the calls and the tasks due move to that day. What its people wrote is in one language, which the caller puts it
into.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from config.sentences import counted, say
from records.calls import write_call
from records.customers import add_customer
from records.database import reading, writing
from records.errors import Refused
from records.facts import CallFacts, LegFacts
from records.numbers import Reader
from records.orders import add_order
from records.photos import store_photo
from records.portraits import portrait
from records.tables import Customer, Task, User
from records.tasks import add_task, change_task, finish_task
from records.touched import Touched
from records.trial_company import (
    CALLS,
    CURRENCY,
    CUSTOMERS,
    DIDS,
    GOODS,
    PEOPLE,
    TASKS,
    TIME_ZONE,
    TrialCall,
    TrialCustomer,
    TrialPerson,
)
from records.users import add_user, seat, user_by_login

TRIAL_PASSWORD = "try-ringcard"
"""Of everybody in the trial, where no other is given. Nobody else gets a password that is written down anywhere."""

TRUNK = "trunk"
_MARK = "trial-"  # begins the external ids of the trial's customers

Put = Callable[[str], str]
"""A sentence as the trial's people write it."""


@dataclass(frozen=True, slots=True)
class Trial:
    people: tuple[TrialPerson, ...]
    password: str
    customers_added: int
    touched: Touched


def fill_trial(
    engine: Engine,
    data_dir: Path,
    read_number: Reader,
    *,
    node: str = "pbx",
    currency: str = CURRENCY,
    time_zone: str = TIME_ZONE,
    password: str = TRIAL_PASSWORD,
    now: datetime | None = None,
    put: Put = str,
) -> Trial:
    """Fills, or fills up, a migrated database. Takes some seconds: portraits are drawn and passwords are hashed.

    Raises Refused when the database holds customers of a real company, DatabaseGone.
    """
    known = _known_names(engine)
    now = now or datetime.now(UTC)
    photos = {
        one.name: store_photo(data_dir, portrait(one.name, one.face))
        for one in CUSTOMERS
        if one.face and one.name not in known
    }
    with writing(engine) as session:
        _add_people(session, node, password, put)
        touched = _add_customers(session, read_number, photos, currency, now, put)
        customers = _customers(session)
        touched |= _add_tasks(session, customers, _midnight(now, time_zone), put)
        _add_calls(session, customers, read_number, node, now, time_zone)
    return Trial(PEOPLE, password, len(customers) - len(known), touched)


def _known_names(engine: Engine) -> frozenset[str]:
    """Of the trial's customers, those that are there already. Raises Refused when only others are there."""
    with reading(engine) as session:
        known = frozenset(_customers(session))
        count = session.scalar(select(func.count()).select_from(Customer))
        if count and not known:
            raise Refused(
                counted(
                    "this database holds {n} customer of a real company; give the trial a "
                    "folder of its own ({setting}), so that made-up people stay out of your records",
                    "this database holds {n} customers of a real company; give the trial a "
                    "folder of its own ({setting}), so that made-up people stay out of your records",
                    count,
                    setting="store.data_dir",
                )
            )
    return known


def _add_people(session: Session, node: str, password: str, put: Put) -> None:
    for one in PEOPLE:
        if user_by_login(session, one.login) is None:
            user = add_user(session, one.login, one.name, password, role=one.role, team=put(one.team))
            if one.phone:
                seat(session, user.id, node, one.phone)
    for one in PEOPLE:
        person, deputy = user_by_login(session, one.login), user_by_login(session, one.deputy)
        if person is not None and deputy is not None and person.deputy_id is None:
            person.deputy_id = deputy.id


def _customers(session: Session) -> dict[str, Customer]:
    """The trial's customers by their name in the trial, whatever somebody calls them now."""
    rows = session.scalars(select(Customer).where(Customer.external_id.startswith(_MARK))).all()
    by_id = {row.external_id: row for row in rows}
    return {one.name: by_id[_external_id(n)] for n, one in enumerate(CUSTOMERS) if _external_id(n) in by_id}


def _external_id(number: int) -> str:
    return f"{_MARK}{number + 1:02}"


def _add_customers(
    session: Session, read_number: Reader, photos: Mapping[str, str], currency: str, now: datetime, put: Put
) -> Touched:
    known, touched = _customers(session), Touched()
    people = {user.login: user.id for user in session.scalars(select(User))}
    for number, one in enumerate(CUSTOMERS):
        if one.name in known:
            continue
        customer, new = add_customer(
            session,
            read_number,
            name=one.name,
            numbers=[each if isinstance(each, str) else (each[0], put(each[1])) for each in one.numbers],
            created_by_id=people["vanna"],
            external_id=_external_id(number),
            company=one.company,
            email=one.email,
            address=one.address,
            note=put(one.note),
            photo=photos.get(one.name, ""),
            debt_minor=one.debt_minor,
            currency=currency,
            manager_id=people.get(one.manager),
        )
        touched |= new | _add_orders(session, customer.id, number, one, currency, now, put)
    return touched


def _add_orders(
    session: Session, customer_id: int, number: int, one: TrialCustomer, currency: str, now: datetime, put: Put
) -> Touched:
    """The open ones, and one that was done before them."""
    touched = Touched()
    for turn in range(one.orders + 1 if one.orders else 0):
        goods, price = GOODS[(number + turn * 3) % len(GOODS)]
        pieces = 4 + (number * 7 + turn * 5) % 17
        _, new = add_order(
            session,
            customer_id,
            f"A-{2400 + number * 4 + turn}",
            put(say("{pieces} × {goods}", pieces=pieces, goods=goods)),
            total_minor=pieces * price,
            currency=currency,
            state="open" if turn < one.orders else "done",
            placed_at=now - timedelta(days=2 + turn * 9, hours=number % 8),
        )
        touched |= new
    return touched


def _add_tasks(session: Session, customers: Mapping[str, Customer], midnight: datetime, put: Put) -> Touched:
    touched = Touched()
    people = {user.login: user.id for user in session.scalars(select(User))}
    for one in TASKS:
        customer_id, title = customers[one.customer].id, put(one.title)
        due = None if one.due_in_days is None else midnight + timedelta(days=one.due_in_days, hours=16)
        known = session.scalar(select(Task).where(Task.customer_id == customer_id, Task.title == title))
        if known is None:
            task, new = add_task(
                session,
                title,
                customer_id=customer_id,
                user_id=people[one.user],
                due_at=due,
                created_at=midnight - timedelta(days=8),
            )
            touched |= new | (finish_task(session, task.id, due) if one.done else Touched())
        elif known.state == "open" and known.due_at != due:
            touched |= change_task(session, known.id, {"due_at": due})[1]
    return touched


def _midnight(now: datetime, time_zone: str) -> datetime:
    return datetime.combine(now.astimezone(ZoneInfo(time_zone)).date(), time.min, ZoneInfo(time_zone))


def _add_calls(
    session: Session,
    customers: Mapping[str, Customer],
    read_number: Reader,
    node: str,
    now: datetime,
    time_zone: str,
) -> None:
    midnight = _midnight(now, time_zone)
    names = {user.id: user.name for user in session.scalars(select(User))}
    for number, one in enumerate(CALLS):
        if one.day == "yesterday":
            day, start = midnight.date() - timedelta(days=1), midnight + timedelta(hours=-16 + 9 * one.at)
        else:
            day, start = midnight.date(), midnight + (now - midnight) * one.at
        write_call(session, _facts(one, _call_id(day, number), customers, names, read_number, node, start, now))


def _call_id(day: date, number: int) -> str:
    """The same for the same call of the same day, so that filling twice doubles none."""
    return str(uuid5(NAMESPACE_URL, f"trial call {number} of {day.isoformat()}"))


def _facts(
    one: TrialCall,
    call_id: str,
    customers: Mapping[str, Customer],
    names: Mapping[int, str],
    read_number: Reader,
    node: str,
    start: datetime,
    now: datetime,
) -> CallFacts:
    customer = customers.get(one.who)
    number = read_number(customer.numbers[0].raw if customer else one.who)
    began = round(start.timestamp() * 1000)
    latest = round(now.timestamp() * 1000)  # just after midnight today's calls are short, and none is of the future
    answered = min(latest, began + one.wait_s * 1000) if one.outcome == "answered" else 0
    ended = min(latest, began + (one.wait_s + one.talk_s) * 1000)
    ours = DIDS[1] if one.outbound else DIDS[2]
    theirs = number.e164 or one.who
    return CallFacts(
        call_id=call_id,
        node=node,
        linkedid=f"trial-{call_id}",
        uniqueid=f"trial-{call_id}",
        version=1,
        direction="outbound" if one.outbound else "inbound",
        outcome=one.outcome,
        started_ms=began,
        answered_ms=answered,
        ended_ms=ended,
        caller_number=ours if one.outbound else theirs,
        caller_key=number.match_key,
        caller_name="",
        shown_name=customer.name if customer and not one.outbound else "",
        called_number=theirs if one.outbound else ours,
        trunk=TRUNK,
        customer_id=customer.id if customer else None,
        tier="exact" if customer else "",
        reason="" if one.outbound else _reason(one, customer, names),
        answered_endpoint=one.phone if answered else "",
        hangup_by="caller" if one.outcome in ("abandoned", "answered") else "callee",
        hangup_cause=17 if one.outcome == "busy" else 16,
        legs=_legs(one, call_id, began, answered, ended),
        caller_endpoint=one.phone if one.outbound else "",
    )


def _reason(one: TrialCall, customer: Customer | None, names: Mapping[int, str]) -> str:
    """As the rules of a call write it: in English, which the desk says in its reader's language."""
    if customer is None:
        why = "no customer is known by this number" if one.who else "the caller withheld the number"
        return f"The company's own way: {why}."
    if customer.manager is None:
        return "The company's own way: the customer has no manager."
    manager, deputy = customer.manager.name, names.get(customer.manager.deputy_id or 0)
    then = f", then {deputy}, the deputy of {manager}" if one.rang and deputy else ""
    return f"Rings the assigned manager {manager}{then}; after that the company's own way."


def _legs(one: TrialCall, call_id: str, began: int, answered: int, ended: int) -> tuple[LegFacts, ...]:
    each = ((answered or ended) - began) // (len(one.rang) + 1)
    before = tuple(
        LegFacts(f"{call_id}/{phone}", phone, began + n * each, 0, began + (n + 1) * each, "missed")
        for n, phone in enumerate(one.rang)
    )
    outcome = "cancelled" if one.outcome == "abandoned" else one.outcome
    last = LegFacts(f"{call_id}/{one.phone}", one.phone, began + len(one.rang) * each, answered, ended, outcome)
    return (*before, last)
