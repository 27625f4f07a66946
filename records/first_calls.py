"""The walk to one's first call: how far somebody is, and which customer is to call them.

Functions take an open session of `records.database` and leave the commit to it.
"""

from __future__ import annotations

from typing import Literal, cast

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from records.rows import row
from records.tables import Customer, FirstCall, PhoneNumber, User

Step = Literal["", "rung", "over"]

LOOKED_AT = 50


def step_of(session: Session, user_id: int) -> Step:
    """Empty: nobody has rung them yet. Over: the walk is done, or they do not want it."""
    held = session.get(FirstCall, user_id)
    return cast(Step, held.step) if held else ""


def go_to(session: Session, user_id: int, step: Literal["rung", "over"]) -> None:
    """Nobody goes back: what is over stays over. Raises NotFound."""
    row(session, User, user_id)
    held = session.get(FirstCall, user_id)
    if held is None:
        session.add(FirstCall(user_id=user_id, step=step))
    elif held.step != "over":
        held.step = step
    session.flush()


def number_to_show(session: Session) -> str:
    """The number of a customer whose card has much on it, of the first in the records; empty: there is none."""
    wanted = (
        select(Customer)
        .where(Customer.numbers.any(PhoneNumber.match_key.is_not(None)))
        .order_by(Customer.id)
        .limit(LOOKED_AT)
        .options(selectinload(Customer.numbers))
    )
    best = max(session.scalars(wanted), key=_shows, default=None)
    return next((number.e164 or "" for number in best.numbers if number.match_key), "") if best else ""


def _shows(customer: Customer) -> int:
    return sum(map(bool, (customer.photo, customer.debt_minor, customer.company, customer.manager_id, customer.note)))
