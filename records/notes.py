"""Notes: what somebody wrote during a call, after it, or about a customer. They stay with both; callers commit.

A call's customer may be known later than its note: then the customer has the note by way of the call.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session, selectinload

from config.sentences import say
from records.aliases import id_of_now
from records.errors import Refused
from records.pages import Page, at_most, cursor, values_of
from records.rows import row
from records.tables import CallRow, Customer, Note

LONGEST = 10_000  # letters


def add_note(
    session: Session,
    text: str,
    user_id: int | None,
    *,
    customer_id: int | None = None,
    call_id: str | None = None,
    at: datetime | None = None,
) -> Note:
    """A new note, with `user`. Raises Refused (nothing written, of nothing, too long), NotFound (the customer)."""
    written = text.replace("\r\n", "\n").replace("\x00", "").strip()
    if not written:
        raise Refused(say("the note is empty; write something first"))
    if len(written) > LONGEST:
        raise Refused(say("a note has {most} letters at most; write it in parts", most=format(LONGEST, ",")))
    if customer_id is None and not call_id:
        raise Refused(say("a note belongs to a customer or to a call"))
    if customer_id is not None:
        customer_id = row(session, Customer, id_of_now(session, customer_id)).id
    note = Note(
        customer_id=customer_id, call_id=call_id, user_id=user_id, text=written, created_at=at or datetime.now(UTC)
    )
    session.add(note)
    session.flush()
    session.refresh(note, ["user"])
    return note


def note_by_id(session: Session, note_id: int) -> Note:
    """With who wrote it. Raises NotFound."""
    note = row(session, Note, note_id)
    session.refresh(note, ["user"])
    return note


def notes_of_customer(
    session: Session, customer_id: int, *, of: int | None = None, after: str = "", limit: int = 50
) -> Page[Note]:
    """The newest first; `of`: only what this person wrote. Raises Refused for an `after` not of ours."""
    theirs = select(CallRow.call_id).where(CallRow.customer_id == customer_id)
    wanted = select(Note).where(
        or_(Note.customer_id == customer_id, and_(Note.customer_id.is_(None), Note.call_id.in_(theirs)))
    )
    if of is not None:
        wanted = wanted.where(Note.user_id == of)
    if after:
        (last_id,) = values_of(after, int)
        wanted = wanted.where(Note.id < last_id)
    count = at_most(limit)
    rows = session.scalars(wanted.order_by(Note.id.desc()).limit(count + 1).options(_WHO)).all()
    return Page(tuple(rows[:count]), cursor(rows[count - 1].id) if len(rows) > count else "")


def notes_of_call(session: Session, call_id: str, *, of: int | None = None) -> Sequence[Note]:
    """In the order in which they were written, with those of conversations that became a part of this one."""
    wanted = select(Note).where(_of_call(call_id)).order_by(Note.id).options(_WHO)
    return session.scalars(wanted if of is None else wanted.where(Note.user_id == of)).all()


def _of_call(call_id: str) -> ColumnElement[bool]:
    parts = select(CallRow.call_id).where(CallRow.merged_into == call_id)
    return or_(Note.call_id == call_id, Note.call_id.in_(parts))


_WHO = selectinload(Note.user)
