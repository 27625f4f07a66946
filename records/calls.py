"""The log of calls: one row per conversation, however often and in whatever order its facts arrive."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, and_, exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session, selectinload

from records.facts import CallFacts, LegFacts
from records.pages import Page, at_most, cursor, values_of
from records.tables import CallLeg, CallRow, Customer, Endpoint, User
from records.users import people_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def write_call(session: Session, facts: CallFacts) -> bool:
    """Writes what is known of a call; False when the same or something newer was written before.

    A customer who was found by a newer version, or linked by hand, is not taken away by facts without one.
    """
    dialect = session.get_bind().dialect.name
    written = session.execute(_upsert_call(dialect), _row(session, facts)).first() is not None
    if written and facts.legs:
        session.execute(_upsert_leg(dialect), [_leg(facts.call_id, leg) for leg in facts.legs])
    return written


def call(session: Session, call_id: str) -> CallRow | None:
    """One call with its customer, its legs and who answered."""
    return session.get(CallRow, call_id, options=_WHOLE)


def calls_of_day(
    session: Session,
    day: date,
    time_zone: str,
    *,
    people: Collection[int] | None = None,
    after: str = "",
    limit: int = 50,
) -> Page[CallRow]:
    """Calls that began on that day of the company's time zone, newest first.

    `people` leaves only calls that rang one of these users' phones, that one of them answered, or of a customer whom
    one of them manages (see `users.whose_calls_are_seen_by`); None: all. Raises Refused for an `after` not of ours.
    """
    begin, end = bounds(day, time_zone)
    wanted = select(CallRow).where(CallRow.started_at >= begin, CallRow.started_at < end)
    return _page(session, wanted if people is None else wanted.where(_concerns(people)), after, limit)


def calls_of_customer(session: Session, customer_id: int, *, after: str = "", limit: int = 20) -> Page[CallRow]:
    """All calls of one customer, newest first."""
    return _page(session, select(CallRow).where(CallRow.customer_id == customer_id), after, limit)


def bounds(day: date, time_zone: str) -> tuple[datetime, datetime]:
    """When a day begins and when the next one does; the days of a clock change have 23 or 25 hours."""
    zone = ZoneInfo(time_zone)
    return datetime.combine(day, time.min, zone), datetime.combine(day + timedelta(days=1), time.min, zone)


_WHOLE = (selectinload(CallRow.customer), selectinload(CallRow.answered_by), selectinload(CallRow.legs))


@cache
def _upsert_call(dialect: str) -> Any:
    insert = (sqlite_insert if dialect == "sqlite" else postgres_insert)(CallRow)
    news = {
        column.name: insert.excluded[column.name] for column in CallRow.__table__.columns if not column.primary_key
    } | {"customer_id": func.coalesce(insert.excluded.customer_id, CallRow.customer_id)}
    return insert.on_conflict_do_update(
        index_elements=[CallRow.call_id], set_=news, where=CallRow.version < insert.excluded.version
    ).returning(CallRow.call_id)


@cache
def _upsert_leg(dialect: str) -> Any:
    insert = (sqlite_insert if dialect == "sqlite" else postgres_insert)(CallLeg)
    names = ("endpoint", "started_at", "answered_at", "ended_at", "outcome")
    return insert.on_conflict_do_update(
        index_elements=[CallLeg.call_id, CallLeg.channel_id], set_={name: insert.excluded[name] for name in names}
    )


def _row(session: Session, facts: CallFacts) -> dict[str, Any]:
    return {
        "call_id": facts.call_id,
        "node": facts.node,
        "linkedid": facts.linkedid,
        "uniqueid": facts.uniqueid,
        "version": facts.version,
        "direction": facts.direction,
        "outcome": facts.outcome,
        "started_at": _moment(facts.started_ms),
        "answered_at": _moment_or_none(facts.answered_ms),
        "ended_at": _moment_or_none(facts.ended_ms),
        "wait_s": facts.wait_s,
        "talk_s": facts.talk_s,
        "caller_number": _text(facts.caller_number),
        "caller_key": _text(facts.caller_key) or None,
        "caller_name": _text(facts.caller_name),
        "shown_name": _text(facts.shown_name),
        "called_number": _text(facts.called_number),
        "trunk": _text(facts.trunk),
        "customer_id": _known_customer(session, facts.customer_id),
        "tier": facts.tier,
        "reason": _text(facts.reason),
        "answered_by_id": _only_person(session, facts.node, facts.answered_endpoint),
        "answered_endpoint": _text(facts.answered_endpoint),
        "hangup_by": facts.hangup_by,
        "hangup_cause": facts.hangup_cause or None,
    }


def _leg(call_id: str, leg: LegFacts) -> dict[str, Any]:
    return {
        "call_id": call_id,
        "channel_id": leg.channel_id,
        "endpoint": _text(leg.endpoint),
        "started_at": _moment(leg.started_ms),
        "answered_at": _moment_or_none(leg.answered_ms),
        "ended_at": _moment_or_none(leg.ended_ms),
        "outcome": leg.outcome,
    }


def _text(value: str) -> str:
    """What strangers send may hold a NUL, which PostgreSQL refuses in text; the call is worth more than the NUL."""
    return value.replace("\x00", "")


def _moment(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)


def _moment_or_none(ms: int) -> datetime | None:
    return _moment(ms) if ms else None


def _known_customer(session: Session, customer_id: int | None) -> int | None:
    """None as well for a customer who was deleted while the facts lay in the journal."""
    return session.scalar(select(Customer.id).where(Customer.id == customer_id)) if customer_id else None


def _only_person(session: Session, node: str, endpoint: str) -> int | None:
    """Who answered, when only one person sits at that phone: a guess would credit the wrong one."""
    people = people_of(session, node, endpoint) if endpoint else ()
    return people[0].id if len(people) == 1 else None


def _concerns(people: Collection[int]) -> Any:
    rang = exists().where(
        CallLeg.call_id == CallRow.call_id,
        Endpoint.name == CallLeg.endpoint,
        Endpoint.node == CallRow.node,
        Endpoint.people.any(User.id.in_(people)),
    )
    managed = exists().where(Customer.id == CallRow.customer_id, Customer.manager_id.in_(people))
    return or_(CallRow.answered_by_id.in_(people), rang, managed)


def _page(session: Session, wanted: Select[CallRow], after: str, limit: int) -> Page[CallRow]:
    if after:
        ms, call_id = values_of(after, int, str)
        at = _moment(int(ms))
        wanted = wanted.where(
            or_(CallRow.started_at < at, and_(CallRow.started_at == at, CallRow.call_id < str(call_id)))
        )
    count = at_most(limit)
    rows: Sequence[CallRow] = session.scalars(
        wanted.order_by(CallRow.started_at.desc(), CallRow.call_id.desc()).limit(count + 1).options(*_WHOLE)
    ).all()
    last = rows[count - 1] if len(rows) > count else None
    more = cursor(round((last.started_at - _EPOCH) / timedelta(milliseconds=1)), last.call_id) if last else ""
    return Page(tuple(rows[:count]), more)
