"""Who is calling from a number that several customers share, as a person said it once; taken by every call after."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from config.sentences import say
from records.errors import Conflict, Refused
from records.ranges import covering, prefixes_of
from records.rows import row
from records.tables import Customer, NumberChoice, NumberRange, PhoneNumber
from records.touched import Touched


def choose(session: Session, match_key: str, customer_id: int, user_id: int | None) -> Touched:
    """From now on whoever calls from this number is this customer, in the place of one chosen before.

    Raises NotFound, Refused (the number is none of theirs), Conflict (somebody else chose at the same moment).
    """
    customer = row(session, Customer, customer_id)
    if not has(session, customer_id, match_key):
        raise Refused(
            say("{number} is no number of {customer}; add it to them first", number=match_key, customer=customer.name)
        )
    touched = unchoose(session, match_key)
    now = datetime.now(UTC)
    try:
        with session.begin_nested():
            session.add(NumberChoice(match_key=match_key, customer_id=customer_id, chosen_by_id=user_id, chosen_at=now))
    except IntegrityError as exc:
        raise Conflict(say("somebody else chose at this moment; look at the card again")) from exc
    return touched | _touched(match_key, customer_id)


def choice_for(session: Session, match_key: str) -> NumberChoice | None:
    """With `chosen_by`."""
    return session.get(NumberChoice, match_key, options=[selectinload(NumberChoice.chosen_by)])


def unchoose(session: Session, match_key: str) -> Touched:
    """Nobody is chosen any more for this number."""
    choice = session.get(NumberChoice, match_key)
    if choice is None:
        return Touched()
    session.delete(choice)
    session.flush()
    return _touched(match_key, choice.customer_id)


def has(session: Session, customer_id: int, match_key: str) -> bool:
    """Whether this customer is found by the number: by itself, or by a range that holds it."""
    number = select(PhoneNumber.id).where(PhoneNumber.customer_id == customer_id, PhoneNumber.match_key == match_key)
    span = select(NumberRange.id).where(
        NumberRange.customer_id == customer_id, covering(match_key, prefixes_of(match_key))
    )
    return session.execute(number.union_all(span)).first() is not None


def _touched(match_key: str, customer_id: int) -> Touched:
    return Touched(frozenset({match_key}), customer_ids=frozenset({customer_id}))
