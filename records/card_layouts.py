"""What administrators said of the card's fields: each time as a whole and as a new row, so that the rows are history.

Functions take an open session of `records.database` and leave the commit to it. The number of a row is the version that
a change is made from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from config.card_fields import Field, kept_fields
from config.card_said import Said, over
from config.sentences import say
from records.errors import Conflict, DatabaseNewer
from records.tables import CardLayout

CHANGED = say("somebody has changed the card's fields meanwhile; look at them as they are now, and then change them")


def newest_layout(session: Session) -> int:
    """The version; 0: nothing was ever said."""
    return session.scalar(select(func.max(CardLayout.id))) or 0


def layout_said(session: Session) -> tuple[int, Said]:
    """The newest, with its version. Raises DatabaseNewer for one that this program does not understand: to take it for
    nothing would show what it hides."""
    row = session.scalar(select(CardLayout).order_by(CardLayout.id.desc()).limit(1))
    if row is None:
        return 0, Said()
    try:
        return row.id, msgspec.convert(row.said, Said)
    except msgspec.ValidationError as exc:
        raise DatabaseNewer("a newer Ringcard wrote which fields a card has; this one does not understand it") from exc


def say_layout(session: Session, said: Said, version: int, by_id: int | None) -> int:
    """This holds from now on; returns its version, the same one when nothing is new. Raises Conflict."""
    now, before = layout_said(session)
    if now != version:
        raise Conflict(CHANGED)
    if said == before:
        return version
    session.add(CardLayout(id=version + 1, at=datetime.now(UTC), by_id=by_id, said=msgspec.to_builtins(said)))
    try:
        session.flush()
    except IntegrityError:  # another was quicker by a moment
        raise Conflict(CHANGED) from None
    return version + 1


def said_at(session: Session, version: int) -> Said:
    """As it was in this version; nothing for one that never was."""
    row = session.get(CardLayout, version)
    return read_said(row.said) if row else Said()


def layout_history(session: Session, most: int) -> Sequence[CardLayout]:
    """The newest first, with who said it."""
    rows = select(CardLayout).options(joinedload(CardLayout.by)).order_by(CardLayout.id.desc()).limit(most)
    return session.scalars(rows).all()


def kept_now(session: Session, file: Mapping[str, Field]) -> dict[str, Field]:
    """The company's own fields whose values are kept with the customer, those of the settings and those said here."""
    return kept_fields(over(file, layout_said(session)[1]))


def read_said(kept: Any) -> Said:
    """What a row of the history holds; nothing where another version wrote it and this one does not understand it."""
    try:
        return msgspec.convert(kept, Said)
    except msgspec.ValidationError:
        return Said()
