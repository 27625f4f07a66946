"""Rows by their id, with an error that can be shown when there is none."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy.orm import Session

from records.errors import NotFound
from records.tables import Base

T = TypeVar("T", bound=Base)


def row(session: Session, kind: type[T], row_id: int, what: str) -> T:
    """Raises NotFound, naming `what` was looked for."""
    found = session.get(kind, row_id)
    if found is None:
        raise NotFound(f"there is no {what} with the id {row_id}")
    return found
