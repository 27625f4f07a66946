"""Addresses of calendars that people of the company subscribe to; one each, until they take another."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from records.rows import row
from records.tables import TaskCalendar, User


def calendar_mark(session: Session, user_id: int) -> str:
    """What the address of this person's calendar is made from; empty: there is none."""
    found = session.get(TaskCalendar, user_id)
    return found.mark if found else ""


def renew_calendar(session: Session, user_id: int) -> str:
    """Another mark, so that the address given before leads nowhere. Raises NotFound."""
    row(session, User, user_id)
    found = session.get(TaskCalendar, user_id) or TaskCalendar(user_id=user_id)
    found.mark, found.made_at = secrets.token_urlsafe(12), datetime.now(UTC)
    session.add(found)
    return found.mark


def end_calendar(session: Session, user_id: int) -> None:
    """No address leads to this person's tasks any more."""
    found = session.get(TaskCalendar, user_id)
    if found is not None:
        session.delete(found)
