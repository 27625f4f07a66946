"""Who saw which customer's card, when and by what: one row for each person, customer and way in an hour."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import CursorResult, Table, delete, literal, select, tuple_
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from records.aliases import merged_into
from records.pages import Page, at_most, cursor, values_of
from records.tables import CardSeen, Customer, CustomerAlias, User

Way = Literal["page", "call", "api", "file"]

A_PHONE = 0
"""The person of a phone that had an address signed for it: nobody knows who looks at it."""

AT_ONCE = 2000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Look:
    """One look, and the first of its hour."""

    user_id: int
    customer_id: int
    way: Way
    at: datetime

    @property
    def hour(self) -> int:
        return (self.at - _EPOCH) // timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SeenRow:
    """One row as it is shown. Names are None of whoever is gone."""

    at: datetime
    way: str
    user_id: int
    user: str | None
    customer_id: int  # as it was then
    customer: str | None  # of one who was merged into another, the other's


def write(session: Session, looks: Iterable[Look]) -> None:
    """What is written already stays as it is."""
    rows = [
        {"user_id": one.user_id, "customer_id": one.customer_id, "way": one.way, "hour": one.hour, "at": one.at}
        for one in looks
    ]
    dialect = session.get_bind().dialect.name
    insert: Any = (sqlite_insert if dialect == "sqlite" else postgres_insert)(cast(Table, CardSeen.__table__))
    if rows:
        session.connection().execute(insert.on_conflict_do_nothing(), rows)


def prune(session: Session, before: datetime) -> bool:
    """Some of what is older goes; whether there may be more."""
    key = (CardSeen.customer_id, CardSeen.hour, CardSeen.user_id, CardSeen.way)
    old = select(*key).where(CardSeen.at < before).order_by(CardSeen.at).limit(AT_ONCE)
    gone = session.execute(delete(CardSeen).where(tuple_(*key).in_(old)).execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", gone).rowcount == AT_ONCE


def looks(
    session: Session,
    *,
    customer_id: int | None = None,
    user_id: int | None = None,
    after: str = "",
    limit: int = 50,
) -> Page[SeenRow]:
    """The newest first; of one customer those of whoever was merged into them too. Raises Refused for an `after` that
    is not ours."""
    order = (CardSeen.at, CardSeen.customer_id, CardSeen.user_id, CardSeen.way)
    wanted = select(CardSeen, User.name).outerjoin(User, User.id == CardSeen.user_id)
    if customer_id is not None:
        earlier = select(CustomerAlias.old_id).where(CustomerAlias.customer_id == customer_id)
        ids = {customer_id, *(id for id in session.scalars(earlier) if id is not None)}
        wanted = wanted.where(CardSeen.customer_id.in_(ids))
    if user_id is not None:
        wanted = wanted.where(CardSeen.user_id == user_id)
    if after:
        us, customer, user, way = values_of(after, int, int, int, str)
        last = (_EPOCH + timedelta(microseconds=int(us)), customer, user, way)
        bound = (literal(value, column.type) for value, column in zip(last, order, strict=True))
        wanted = wanted.where(tuple_(*order) < tuple_(*bound))
    count = at_most(limit)
    rows = session.execute(wanted.order_by(*(each.desc() for each in order)).limit(count + 1)).all()
    names = _names(session, {row.customer_id for row, _ in rows})
    shown = tuple(
        SeenRow(row.at, row.way, row.user_id, name, row.customer_id, names.get(row.customer_id))
        for row, name in rows[:count]
    )
    more = ""
    if len(rows) > count:
        row = rows[count - 1][0]
        more = cursor((row.at - _EPOCH) // timedelta(microseconds=1), row.customer_id, row.user_id, row.way)
    return Page(shown, more)


def _names(session: Session, customer_ids: Collection[int]) -> dict[int, str]:
    now = merged_into(session, customer_ids)
    ids = {*customer_ids, *now.values()}
    found = session.execute(select(Customer.id, Customer.name).where(Customer.id.in_(ids)))
    names: dict[int, str] = dict(found.all())
    return names | {old: names[id] for old, id in now.items() if id in names}
