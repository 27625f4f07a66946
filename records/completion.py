"""Calls of the log completed from what Asterisk itself wrote down: what was heard live counts more, where it was heard.

A call that is missing is written. One without an end, or whose end nobody heard, keeps who called, what was shown and
why it rang where it rang, and takes times, outcome and legs. Any other is left as it is: the same facts may come again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from records.calls import moment, write_calls
from records.customers import adopt_calls
from records.facts import NOT_ALL_HEARD, CallFacts, TraceStep
from records.tables import CallRow, CelPosition

NOT_HEARD = "Ringcard did not hear this call; it is written from Asterisk's record of its channels."


def lacking(session: Session, call_ids: Collection[str]) -> Mapping[str, bool]:
    """Those of these calls that are to be written or completed, and whether the log has already who called."""
    columns = (CallRow.call_id, CallRow.ended_at, CallRow.reason, CallRow.caller_number)
    there = session.execute(select(*columns).where(CallRow.call_id.in_(call_ids))).all()
    heard = {row.call_id for row in there if row.ended_at and NOT_ALL_HEARD not in row.reason}
    known = {row.call_id for row in there if row.caller_number}
    return {call_id: call_id in known for call_id in call_ids if call_id not in heard}


def complete(session: Session, calls: Sequence[CallFacts]) -> int:
    """Writes what the log lacks of these calls, which have ended, and tells how many it was."""
    wanted = lacking(session, [facts.call_id for facts in calls]) if calls else {}
    if not wanted:
        return 0
    rows = {row.call_id: row for row in session.scalars(select(CallRow).where(CallRow.call_id.in_(wanted)))}
    lacked = [_with_what_was_heard(facts, rows.get(facts.call_id)) for facts in calls if facts.call_id in wanted]
    written = write_calls(session, lacked)
    nobodys = [facts for facts in lacked if facts.call_id in written and not facts.customer_id]
    adopt_calls(session, {facts.caller_key for facts in nobodys if facts.caller_key}, ())
    return len(written)


def _with_what_was_heard(facts: CallFacts, row: CallRow | None) -> CallFacts:
    if row is None:
        return replace(facts, reason=f"{NOT_HEARD} {facts.reason}".strip())
    return replace(
        facts,
        version=max(facts.version, row.version + 1),
        direction=row.direction,
        caller_number=row.caller_number or facts.caller_number,
        caller_key=row.caller_key or facts.caller_key,
        caller_name=row.caller_name,
        shown_name=row.shown_name,
        called_number=row.called_number,
        trunk=row.trunk,
        customer_id=row.customer_id or facts.customer_id,
        tier=row.tier or facts.tier,
        reason=f"{row.reason.replace(NOT_ALL_HEARD, '').strip()} {facts.reason}".strip(),
        caller_endpoint=row.caller_endpoint,
        merged_into=row.merged_into or "",
        trace=tuple(TraceStep(at_ms, what) for at_ms, what in row.trace),
    )


def merge(session: Session, call_ids: Collection[str], into: CallFacts) -> None:
    """These conversations became parts of that one; where somebody heard that, nothing is changed."""
    unheard = or_(CallRow.ended_at.is_(None), CallRow.reason.contains(NOT_ALL_HEARD))
    session.execute(
        update(CallRow)
        .where(CallRow.call_id.in_(call_ids), CallRow.merged_into.is_(None), unheard)
        .values(merged_into=into.call_id, ended_at=moment(into.ended_ms), version=CallRow.version + 1)
    )


def position(session: Session, node: str) -> tuple[str, int]:
    """How far the record of this node was read: the file's mark, empty at the first time, and the bytes."""
    row = session.get(CelPosition, node)
    return (row.mark, row.offset) if row else ("", 0)


def move_to(session: Session, node: str, mark: str, offset: int) -> None:
    """All that stands before is in the log, as soon as this transaction is committed."""
    session.merge(CelPosition(node=node, mark=mark, offset=offset, at=datetime.now(UTC)))
