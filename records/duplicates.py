"""Customers who may be the same one: they share a number, an address of mail, or name and company as they are compared.

Each question runs along one index, in its order, until a page is full; so a million customers are no more to hold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from records.pages import Page, at_most, cursor, values_of
from records.tables import Customer, CustomerSearch, PhoneNumber

By = Literal["number", "email", "name"]

MOST_OF_ONE = 20
"""Customers who are shown of those that are alike; a switchboard's number may be that of hundreds."""


@dataclass(frozen=True, slots=True)
class Alike:
    """Customers who may be the same, by id, with numbers and manager."""

    shared: str  # the number as it is compared; empty: what they share stands in each of them
    customers: tuple[Customer, ...]
    more: bool  # there are others


_WHERE: dict[By, tuple[Any, Any, type]] = {
    "number": (PhoneNumber.match_key, PhoneNumber.customer_id, str),
    "email": (CustomerSearch.email_mark, CustomerSearch.customer_id, int),
    "name": (CustomerSearch.name_mark, CustomerSearch.customer_id, int),
}


def duplicates(session: Session, by: By, *, after: str = "", limit: int = 20) -> Page[Alike]:
    """Raises Refused for an `after` that is not ours."""
    shared, customer_id, kind = _WHERE[by]
    wanted = select(shared).where(shared.is_not(None)).group_by(shared)
    wanted = wanted.having(func.min(customer_id) < func.max(customer_id))
    if after:
        wanted = wanted.where(shared > values_of(after, kind)[0])
    count = at_most(limit)
    found = session.scalars(wanted.order_by(shared).limit(count + 1)).all()
    marks = found[:count]
    groups = _customers(session, by, marks)
    alike = tuple(
        Alike(mark if by == "number" else "", tuple(groups[mark][:MOST_OF_ONE]), len(groups[mark]) > MOST_OF_ONE)
        for mark in marks
    )
    return Page(alike, cursor(marks[-1]) if len(found) > count else "")


def _customers(session: Session, by: By, marks: Sequence[Any]) -> dict[Any, list[Customer]]:
    """By mark, each once; one more than is shown, where there are more."""
    shared, customer_id, _ = _WHERE[by]
    members = {
        mark: session.scalars(
            select(customer_id).where(shared == mark).distinct().order_by(customer_id).limit(MOST_OF_ONE + 1)
        ).all()
        for mark in marks
    }
    ids = {id for some in members.values() for id in some}
    loaded = (selectinload(Customer.numbers), selectinload(Customer.manager))
    people = {one.id: one for one in session.scalars(select(Customer).where(Customer.id.in_(ids)).options(*loaded))}
    groups: defaultdict[Any, list[Customer]] = defaultdict(list)
    for mark, some in members.items():
        groups[mark] = [people[id] for id in some if id in people]
    return groups
