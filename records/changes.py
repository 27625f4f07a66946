"""What the triggers of `records.marks` noted, read and worked off by whoever keeps the cache right.

A change stays noted until `done`, and ten minutes longer, so that `again` can bring it back: a cache that fails over
to an older copy of itself has forgotten what it was told. Ids may be committed out of order, so nobody remembers "the
last one": what is not done is still to be done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, CursorResult, Engine, Select, delete, func, select, update
from sqlalchemy.orm import Session

from records.customers import adopt_calls, callers_of_nobody
from records.database import reading, speaking_plainly, writing
from records.numbers import Reader
from records.tables import Change, Customer, EndpointPerson, NumberChoice, NumberRange, PhoneNumber, Task, User
from records.touched import Touched, lookups_of

AT_ONCE = 500
MOST_COUNTED = 100_000
KEPT = timedelta(minutes=10)

T = TypeVar("T")


def pending(engine: Engine) -> Sequence[Change]:
    """The oldest changes that are not done, so many as go well together. Raises DatabaseGone.

    Asked many times a second, so that nearly always nothing waits: finding that out is made cheap.
    """
    peeking = engine.execution_options(isolation_level="AUTOCOMMIT")
    with speaking_plainly(engine), peeking.connect() as connection:
        if connection.exec_driver_sql("SELECT 1 FROM changes WHERE done_at IS NULL LIMIT 1").first() is None:
            return ()
    waiting = select(Change).where(Change.done_at.is_(None)).order_by(Change.id).limit(AT_ONCE)
    with reading(engine) as session:
        return session.scalars(waiting).all()


def waiting(session: Session) -> int:
    """How many changes are not done; of more than MOST_COUNTED so many."""
    some = select(Change.id).where(Change.done_at.is_(None)).limit(MOST_COUNTED).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def touched_by(engine: Engine, changes: Sequence[Change], read_number: Reader) -> Iterator[Touched]:
    """What these changes made wrong, in pieces, because one person can be on the cards of very many customers.

    Keys are those of now. One that a customer had before has its own row among the changes, of this or a later time.
    """
    phones = [read_number(name) for name in _set(change.endpoint for change in changes)]
    yield Touched(
        _set(change.match_key for change in changes) | _set(phone.match_key or None for phone in phones),
        _set(change.nsn_tail for change in changes) | _set(phone.tail or None for phone in phones),
        ranges=frozenset((each.prefix, each.open_digits) for each in changes if each.prefix and each.open_digits),
    )
    ids = sorted(_set(change.customer_id for change in changes))
    with reading(engine) as session:
        touched = lookups_of(session, ids)
        people, teams = _people_and_teams(session, changes)
    yield touched
    last: int | None = 0 if people or teams else None
    while last is not None:
        with reading(engine) as session:
            some = select(Customer.id).where(Customer.id > last, _shows(people, teams)).order_by(Customer.id)
            ids = list(session.scalars(some.limit(AT_ONCE)))
            touched = lookups_of(session, ids)
        yield touched
        last = ids[-1] if len(ids) == AT_ONCE else None


def entered(engine: Engine, changes: Sequence[Change]) -> None:
    """Earlier calls of nobody become the customers' whose numbers were entered or changed, by whatever program."""
    numbers, ranges = _set(change.number_id for change in changes), _set(change.range_id for change in changes)
    if not numbers and not ranges:
        return
    with reading(engine) as session:
        keys = session.scalars(select(PhoneNumber.match_key).where(PhoneNumber.id.in_(numbers)))
        spans = session.execute(
            select(NumberRange.prefix, NumberRange.open_digits).where(NumberRange.id.in_(ranges))
        ).all()
        of_nobody = callers_of_nobody(
            session, [key for key in keys if key], [(prefix, count) for prefix, count in spans if prefix and count]
        )
    for key in of_nobody:
        with writing(engine) as session:  # short, so that nobody waits long
            adopt_calls(session, [key], ())


def done(engine: Engine, changes: Sequence[Change]) -> None:
    """The cache was told of these. Some old ones that are done go for good. Raises DatabaseGone."""
    now = datetime.now(UTC)
    with writing(engine) as session:
        session.execute(update(Change).where(Change.id.in_([change.id for change in changes])).values(done_at=now))
        session.execute(delete(Change).where(Change.id.in_(_old(now, 2 * AT_ONCE))))


def clear(engine: Engine) -> None:
    """Some old ones that are done go for good: those of a large import were never worked off. Raises DatabaseGone."""
    now = datetime.now(UTC)
    with reading(engine) as session:
        if session.scalar(_old(now, 1)) is None:
            return
    with writing(engine) as session:
        session.execute(delete(Change).where(Change.id.in_(_old(now, 10 * AT_ONCE))))


def again(engine: Engine) -> None:
    """All that are still noted are to be done once more. Raises DatabaseGone."""
    some = select(Change.id).where(Change.done_at.is_not(None)).limit(10 * AT_ONCE)
    while True:
        with writing(engine) as session:  # short, so that nobody waits long
            result = session.execute(update(Change).where(Change.id.in_(some)).values(done_at=None))
        if not cast("CursorResult[Any]", result).rowcount:
            return


def _old(now: datetime, most: int) -> Select[int]:
    return select(Change.id).where(Change.done_at < now - KEPT).order_by(Change.done_at).limit(most)


def _people_and_teams(session: Session, changes: Sequence[Change]) -> tuple[frozenset[int], frozenset[int]]:
    """Who changed, or sits at a phone that did; and their teams, those of before and those of now."""
    phones = _set(change.endpoint_id for change in changes)
    seats = select(EndpointPerson.user_id).where(EndpointPerson.endpoint_id.in_(phones))
    people = _set(change.user_id for change in changes) | _set(session.scalars(seats) if phones else ())
    of_now = select(User.team_id).where(User.id.in_(people))
    teams = _set(change.team_id for change in changes) | _set(session.scalars(of_now) if people else ())
    return people, teams


def _shows(people: frozenset[int], teams: frozenset[int]) -> ColumnElement[bool]:
    """Customers on whose card these stand: as the manager, the deputy, with the manager's team, by a task, or as who
    chose them.
    """
    behind = select(User.id).where(User.deputy_id.in_(people) | User.team_id.in_(teams))
    tasks = select(Task.customer_id).where(Task.user_id.in_(people))
    choices = select(NumberChoice.customer_id).where(NumberChoice.chosen_by_id.in_(people))
    by_hand = Customer.id.in_(tasks) | Customer.id.in_(choices)
    return Customer.manager_id.in_(people) | Customer.manager_id.in_(behind) | by_hand


def _set(values: Iterable[T | None]) -> frozenset[T]:
    return frozenset(value for value in values if value is not None)
