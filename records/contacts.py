"""With whom the company last spoke: the numbers of all customers, in the order in which they may be needed."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Engine, exists, func, select, tuple_
from sqlalchemy.orm import aliased

from records.database import reading
from records.tables import CallRow, PhoneNumber


def count_numbers(database: Engine) -> int:
    """How many numbers can be looked up. Raises DatabaseGone."""
    with reading(database) as session:
        return session.scalar(select(func.count(PhoneNumber.match_key.distinct()))) or 0


def latest_first(database: Engine, at_once: int) -> Iterator[list[str]]:
    """Every match key once: of those who called, the latest first; then of the other customers, the newest first.

    In pieces of at most `at_once`. Raises DatabaseGone.
    """
    yield from _of_callers(database, at_once)
    yield from _of_the_others(database, at_once)


def _of_callers(database: Engine, at_once: int) -> Iterator[list[str]]:
    later = aliased(CallRow)
    at, later_at = tuple_(CallRow.started_at, CallRow.call_id), tuple_(later.started_at, later.call_id)
    page = (
        select(CallRow.started_at, CallRow.call_id, CallRow.caller_key)
        .where(
            exists().where(PhoneNumber.match_key == CallRow.caller_key),
            ~exists().where(later.caller_key == CallRow.caller_key, later_at > at),
        )
        .order_by(CallRow.started_at.desc(), CallRow.call_id.desc())
        .limit(at_once)
    )
    after = None
    while True:
        with reading(database) as session:
            rows = session.execute(page if after is None else page.where(at < after)).all()
        if not rows:
            return
        after = (rows[-1].started_at, rows[-1].call_id)
        yield [row.caller_key for row in rows]


def _of_the_others(database: Engine, at_once: int) -> Iterator[list[str]]:
    newer = aliased(PhoneNumber)
    page = (
        select(PhoneNumber.id, PhoneNumber.match_key)
        .where(
            PhoneNumber.match_key.is_not(None),
            ~exists().where(CallRow.caller_key == PhoneNumber.match_key),
            ~exists().where(newer.match_key == PhoneNumber.match_key, newer.id > PhoneNumber.id),
        )
        .order_by(PhoneNumber.id.desc())
        .limit(at_once)
    )
    after = None
    while True:
        with reading(database) as session:
            rows = session.execute(page if after is None else page.where(PhoneNumber.id < after)).all()
        if not rows:
            return
        after = rows[-1].id
        yield [row.match_key for row in rows]
