"""The log of calls: one row per conversation, however often and in whatever order its facts arrive.

A conversation that turns out to be a part of another (a consultation that ended in a transfer) keeps its row, marked
with the other's id, and no list shows it: taken away, it could be written again by facts that arrive late.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any, cast
from zoneinfo import ZoneInfo

from sqlalchemy import Select, Table, and_, exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session, selectinload

from records.aliases import merged_into
from records.facts import NOT_ALL_HEARD, CallFacts, LegFacts
from records.pages import Page, at_most, cursor, values_of
from records.tables import CallLeg, CallRow, Change, Customer, Endpoint, User

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def write_call(session: Session, facts: CallFacts) -> bool:
    """One of `write_calls`; False when the same or something newer was written before."""
    return bool(write_calls(session, [facts]))


def write_calls(session: Session, calls: Iterable[CallFacts]) -> frozenset[str]:
    """Writes what is known of these calls, in the order in which it became known; ids of those that it is news of.

    A customer who was found by a newer version, or linked by hand, is not taken away by facts without one. An end that
    was heard is not taken back, neither by facts without an end nor by those of whoever did not hear it.
    """
    news = _of_now(session, _folded(calls))
    if not news:
        return frozenset()
    spoke_to = {facts.customer_id for facts in news if facts.answered_ms and facts.customer_id}
    before = _who_spoke_last(session, spoke_to)
    people = _only_people(session, news)
    connection, dialect = session.connection(), session.get_bind().dialect.name
    rows = [_row(facts, people) for facts in news]
    written = frozenset(connection.execute(_upsert_call(dialect), rows).scalars())
    legs = [_leg(facts.call_id, leg) for facts in news if facts.call_id in written for leg in facts.legs]
    if legs:
        connection.execute(_upsert_leg(dialect), legs)
    after = _who_spoke_last(session, spoke_to)
    changed = [customer_id for customer_id in spoke_to if after.get(customer_id) != before.get(customer_id)]
    session.add_all(Change(customer_id=each) for each in changed)  # the cache forgets these cards, and only these
    return written


def _folded(calls: Iterable[CallFacts]) -> list[CallFacts]:
    """Each call once, as the log would have it after all that is told of it here.

    In the order of their ids: two who write the same calls would else wait for each other for ever.
    """
    folded: dict[str, CallFacts] = {}
    for facts in calls:
        before = folded.get(facts.call_id)
        folded[facts.call_id] = facts if before is None else _newer(before, facts)
    return [folded[call_id] for call_id in sorted(folded)]


def _of_now(session: Session, calls: list[CallFacts]) -> list[CallFacts]:
    """With customers who are there: without those who were deleted while the facts lay in the journal, and with those
    whom they have become who were merged.
    """
    ids = {facts.customer_id for facts in calls if facts.customer_id}
    if not ids:
        return calls
    held = select(Customer.id).where(Customer.id.in_(ids)).order_by(Customer.id)
    there = set(session.scalars(held.with_for_update(read=True, key_share=True)))  # until these calls are theirs
    now = {**{customer_id: customer_id for customer_id in there}, **merged_into(session, ids - there)}
    return [replace(facts, customer_id=now.get(facts.customer_id or 0)) for facts in calls]


def _newer(before: CallFacts, facts: CallFacts) -> CallFacts:
    """The rule of `_upsert_call`, for two that are written together."""
    keeps_an_end = _end_was_heard(before) and not _end_was_heard(facts) and not facts.merged_into
    if before.version >= facts.version or keeps_an_end:
        return before
    legs = {leg.channel_id: leg for leg in (*before.legs, *facts.legs)}
    return replace(facts, customer_id=facts.customer_id or before.customer_id, legs=tuple(legs.values()))


def _end_was_heard(facts: CallFacts) -> bool:
    return bool(facts.ended_ms) and NOT_ALL_HEARD not in facts.reason


def _who_spoke_last(session: Session, customer_ids: Collection[int]) -> dict[int, int | None]:
    """Who is on each customer's card as that; a call that nobody answered changes nothing of it."""
    if not customer_ids:
        return {}
    spoke = CallRow.customer_id == Customer.id, CallRow.answered_by_id.is_not(None)
    last = select(CallRow.answered_by_id).where(*spoke).order_by(CallRow.answered_at.desc()).limit(1)
    found = session.execute(select(Customer.id, last.scalar_subquery()).where(Customer.id.in_(customer_ids)))
    return dict(found.all())


def call(session: Session, call_id: str) -> CallRow | None:
    """One call with its customer, its legs and who answered; also one that was merged into another."""
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
    insert = (sqlite_insert if dialect == "sqlite" else postgres_insert)(cast(Table, CallRow.__table__))
    news = {
        column.name: insert.excluded[column.name] for column in CallRow.__table__.columns if not column.primary_key
    } | {"customer_id": func.coalesce(insert.excluded.customer_id, CallRow.customer_id)}
    heard = and_(CallRow.ended_at.is_not(None), ~CallRow.reason.contains(NOT_ALL_HEARD))
    hears = and_(insert.excluded.ended_at.is_not(None), ~insert.excluded.reason.contains(NOT_ALL_HEARD))
    merges = insert.excluded.merged_into.is_not(None)
    newer = and_(CallRow.version < insert.excluded.version, or_(~heard, hears, merges))
    return insert.on_conflict_do_update(index_elements=[CallRow.call_id], set_=news, where=newer).returning(
        CallRow.call_id
    )


@cache
def _upsert_leg(dialect: str) -> Any:
    insert = (sqlite_insert if dialect == "sqlite" else postgres_insert)(cast(Table, CallLeg.__table__))
    names = ("endpoint", "started_at", "answered_at", "ended_at", "outcome")
    return insert.on_conflict_do_update(
        index_elements=[CallLeg.call_id, CallLeg.channel_id], set_={name: insert.excluded[name] for name in names}
    )


def _row(facts: CallFacts, people: Mapping[tuple[str, str], int]) -> dict[str, Any]:
    return {
        "call_id": facts.call_id,
        "node": facts.node,
        "linkedid": facts.linkedid,
        "uniqueid": facts.uniqueid,
        "version": facts.version,
        "direction": facts.direction,
        "outcome": facts.outcome,
        "started_at": moment(facts.started_ms),
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
        "customer_id": facts.customer_id,
        "tier": facts.tier,
        "reason": _text(facts.reason),
        "answered_by_id": people.get((facts.node, facts.answered_endpoint)),
        "answered_endpoint": _text(facts.answered_endpoint),
        "caller_endpoint": _text(facts.caller_endpoint),
        "merged_into": facts.merged_into or None,
        "trace": [[step.at_ms, _text(step.what)] for step in facts.trace],
        "hangup_by": facts.hangup_by,
        "hangup_cause": facts.hangup_cause or None,
    }


def _leg(call_id: str, leg: LegFacts) -> dict[str, Any]:
    return {
        "call_id": call_id,
        "channel_id": leg.channel_id,
        "endpoint": _text(leg.endpoint),
        "started_at": moment(leg.started_ms),
        "answered_at": _moment_or_none(leg.answered_ms),
        "ended_at": _moment_or_none(leg.ended_ms),
        "outcome": leg.outcome,
    }


def _text(value: str) -> str:
    """What strangers send may hold a NUL, which PostgreSQL refuses in text; the call is worth more than the NUL."""
    return value.replace("\x00", "")


def moment(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)


def _moment_or_none(ms: int) -> datetime | None:
    return moment(ms) if ms else None


def _only_people(session: Session, calls: Iterable[CallFacts]) -> dict[tuple[str, str], int]:
    """Who answered, by node and phone, where only one person sits at it: a guess would credit the wrong one."""
    phones = {facts.answered_endpoint for facts in calls if facts.answered_endpoint}
    if not phones:
        return {}
    sitting: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    seats = select(Endpoint.node, Endpoint.name, User.id).join(Endpoint.people)
    for node, name, user_id in session.execute(seats.where(Endpoint.name.in_(phones), User.active)):
        sitting[node, name].append(user_id)
    return {phone: users[0] for phone, users in sitting.items() if len(users) == 1}


def _concerns(people: Collection[int]) -> Any:
    theirs = and_(Endpoint.node == CallRow.node, Endpoint.people.any(User.id.in_(people)))
    rang = exists().where(CallLeg.call_id == CallRow.call_id, Endpoint.name == CallLeg.endpoint, theirs)
    called = exists().where(Endpoint.name == CallRow.caller_endpoint, theirs)
    managed = exists().where(Customer.id == CallRow.customer_id, Customer.manager_id.in_(people))
    return or_(CallRow.answered_by_id.in_(people), rang, called, managed)


def _page(session: Session, wanted: Select[CallRow], after: str, limit: int) -> Page[CallRow]:
    if after:
        ms, call_id = values_of(after, int, str)
        at = moment(int(ms))
        wanted = wanted.where(
            or_(CallRow.started_at < at, and_(CallRow.started_at == at, CallRow.call_id < str(call_id)))
        )
    wanted = wanted.where(CallRow.merged_into.is_(None))
    count = at_most(limit)
    rows: Sequence[CallRow] = session.scalars(
        wanted.order_by(CallRow.started_at.desc(), CallRow.call_id.desc()).limit(count + 1).options(*_WHOLE)
    ).all()
    last = rows[count - 1] if len(rows) > count else None
    more = cursor(round((last.started_at - _EPOCH) / timedelta(milliseconds=1)), last.call_id) if last else ""
    return Page(tuple(rows[:count]), more)
