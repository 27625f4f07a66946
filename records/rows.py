"""Rows by their id, with an error that can be shown when there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from sqlalchemy.orm import Session

from config.sentences import Sentence, say
from records.errors import NotFound
from records.tables import (
    Base,
    BlockedCaller,
    Calendar,
    Customer,
    Note,
    NumberRange,
    Order,
    PhoneNumber,
    RoutingRule,
    Task,
    Team,
    User,
)

T = TypeVar("T", bound=Base)


def row(session: Session, kind: type[T], row_id: int) -> T:
    """Raises NotFound."""
    found = session.get(kind, row_id)
    if found is None:
        raise no_row(kind, row_id)
    return found


def no_row(kind: type[Base], row_id: int) -> NotFound:
    return NotFound(_THERE_IS_NO[kind](row_id))


_THERE_IS_NO: Mapping[type[Base], Callable[[int], Sentence]] = {
    BlockedCaller: lambda row_id: say("there is no blocked caller with the id {id}", id=row_id),
    Calendar: lambda row_id: say("there is no calendar with the id {id}", id=row_id),
    Customer: lambda row_id: say("there is no customer with the id {id}", id=row_id),
    Note: lambda row_id: say("there is no note with the id {id}", id=row_id),
    NumberRange: lambda row_id: say("there is no number with the id {id}", id=row_id),
    Order: lambda row_id: say("there is no order with the id {id}", id=row_id),
    PhoneNumber: lambda row_id: say("there is no number with the id {id}", id=row_id),
    RoutingRule: lambda row_id: say("there is no rule with the id {id}", id=row_id),
    Task: lambda row_id: say("there is no task with the id {id}", id=row_id),
    Team: lambda row_id: say("there is no team with the id {id}", id=row_id),
    User: lambda row_id: say("there is no person with the id {id}", id=row_id),
}
