"""From the journal into the log of calls, in short transactions, losing nothing and doubling nothing.

An entry that was written but not yet forgotten when the power went is written once more, which changes nothing. An
entry that the database will never take is set aside, so that it does not hold up the calls behind it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sqlalchemy import Engine, update
from sqlalchemy.exc import SQLAlchemyError

from records.calls import write_calls
from records.customers import adopt_calls
from records.database import writing
from records.errors import DatabaseGone
from records.facts import from_bytes
from records.journal import Entry, Journal
from records.tables import CallLeg, CallRow

log = logging.getLogger(__name__)

AT_ONCE = 100  # entries per transaction: some tens of milliseconds, so that nobody waits long for SQLite


def replay(journal: Journal, engine: Engine) -> int:
    """Moves what waits at this moment into the log and tells how many entries went.

    Raises DatabaseGone, with the entries left in place: call again later. Raises JournalGone.
    """
    moved, newest = 0, journal.newest()  # a journal that fills as fast as it is read must not hold us for ever
    while (entries := journal.pending(AT_ONCE)) and entries[0].id <= newest:
        if _write(engine, entries):
            moved += len(entries)
        else:
            moved += _one_by_one(journal, engine, entries)
        journal.done(entries[-1].id)
    return moved


def _write(engine: Engine, entries: Sequence[Entry]) -> bool:
    """All or none. False when one of them cannot be written."""
    return _mistake(engine, entries) is None


def _one_by_one(journal: Journal, engine: Engine, entries: Sequence[Entry]) -> int:
    moved = 0
    for entry in entries:
        mistake = _mistake(engine, [entry])
        if mistake is None:
            moved += 1
            continue
        _prove_usable(engine)
        log.error("facts of a call cannot be written and were set aside in the journal as %d: %s", entry.id, mistake)
        journal.reject(entry, str(mistake))
    return moved


def _mistake(engine: Engine, entries: Sequence[Entry]) -> Exception | None:
    """What the entries have wrong with them, None when they are written."""
    try:
        facts = [from_bytes(entry.facts) for entry in entries]
        with writing(engine) as session:
            write_calls(session, facts)
            # Somebody may have entered the customer while the facts lay in the journal.
            adopt_calls(session, {one.caller_key for one in facts if one.ended_ms and not one.customer_id}, ())
    except DatabaseGone:
        raise
    except (SQLAlchemyError, ValueError, TypeError, OverflowError, AttributeError) as exc:
        return exc
    return None


def _prove_usable(engine: Engine) -> None:
    """Raises DatabaseGone when the log itself is what is wrong, so that no entry is blamed for it.

    Not migrated, say, or a standby that may only be read: then every entry would fail.
    """
    try:
        with writing(engine) as session:
            for table in (CallRow, CallLeg):
                session.execute(update(table).where(table.call_id == "").values(outcome=""))
    except SQLAlchemyError as exc:
        raise DatabaseGone(f"the log of calls cannot be written: {exc}; run: ringcard doctor") from exc
