"""Who a customer is by now who was merged into another: by the id here that is gone."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from records.tables import Customer, CustomerAlias


def merged_into(session: Session, customer_ids: Collection[int]) -> dict[int, int]:
    """Of these ids those that are gone by a merge: who they are now."""
    if not customer_ids:
        return {}
    found = select(CustomerAlias.old_id, CustomerAlias.customer_id).where(
        CustomerAlias.old_id.in_(customer_ids), ~select(Customer.id).where(Customer.id == CustomerAlias.old_id).exists()
    )
    return {old_id: customer_id for old_id, customer_id in session.execute(found) if old_id is not None}


def id_of_now(session: Session, customer_id: int) -> int:
    """The same, or that of the customer into whom this one was merged."""
    return merged_into(session, [customer_id]).get(customer_id, customer_id)


def aliases_of(session: Session, customer_id: int) -> Sequence[CustomerAlias]:
    """The first one first."""
    return session.scalars(
        select(CustomerAlias)
        .where(CustomerAlias.customer_id == customer_id)
        .order_by(CustomerAlias.id)
        .options(selectinload(CustomerAlias.by))
    ).all()


def fresh_id(session: Session) -> int | None:
    """An id for a new customer where the database would give that of one who was merged; None: it would not.

    SQLite gives the largest id and one more, also when the customer with the largest was merged away; whoever has an
    address of that one must not come to somebody else.
    """
    if session.get_bind().dialect.name != "sqlite":
        return None
    gone = session.scalar(select(func.max(CustomerAlias.old_id))) or 0
    largest = session.scalar(select(func.max(Customer.id))) or 0
    return gone + 1 if gone > largest else None
