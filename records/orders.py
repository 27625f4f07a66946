"""Orders, as the card shows them. Each write returns what was `Touched`; callers commit."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from config.sentences import say
from records.errors import Refused
from records.rows import row
from records.tables import Customer, Order
from records.touched import Touched, touch

STATES = ("open", "done", "cancelled")


def add_order(
    session: Session,
    customer_id: int,
    number: str,
    title: str = "",
    *,
    total_minor: int = 0,
    currency: str = "USD",
    state: str = "open",
    placed_at: datetime | None = None,
) -> tuple[Order, Touched]:
    """A new order; `total_minor` in the currency's minor unit. Raises NotFound, Refused (unknown state)."""
    order = Order(
        customer_id=row(session, Customer, customer_id).id,
        number=number,
        title=title,
        total_minor=total_minor,
        currency=currency,
        state=_known(state),
        placed_at=placed_at or datetime.now(UTC),
    )
    session.add(order)
    return order, touch(session, [customer_id])


def set_order_state(session: Session, order_id: int, state: str) -> Touched:
    """Raises NotFound, Refused."""
    order = row(session, Order, order_id)
    order.state = _known(state)
    return touch(session, [order.customer_id])


def _known(state: str) -> str:
    if state not in STATES:
        raise Refused(
            say("{state!r} is no state of an order; write one of {known}", state=state, known=", ".join(STATES))
        )
    return state
