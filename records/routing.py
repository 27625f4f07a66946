"""What the company says about who rings: working hours, rules for some customers, blocked callers, and who is there.

Functions take an open session and leave the commit to it. The triggers of `records.marks` tell of every change here, so
that it holds for the next call. How hours and numbers are read is decided above, in `lookup`; what comes here was read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, selectinload

from config.sentences import say
from records.errors import Conflict, Refused
from records.rows import row
from records.tables import BlockedCaller, Calendar, Presence, RoutingRule, Team, User

LONGEST = 200  # letters of a name or a note


# --- presence ---


def do_not_disturb(session: Session, user_id: int) -> bool:
    found = session.get(Presence, user_id)
    return found is not None and found.do_not_disturb


def set_do_not_disturb(session: Session, user_id: int, on: bool) -> None:
    """From now on the person is passed over, or no longer. Raises NotFound."""
    _presence(session, user_id).do_not_disturb = on


def seen(session: Session, user_ids: Collection[int]) -> None:
    """These people are signed in at the desk now."""
    now = datetime.now(UTC)
    known = set(session.scalars(select(Presence.user_id).where(Presence.user_id.in_(user_ids))))
    session.execute(update(Presence).where(Presence.user_id.in_(known)).values(seen_at=now))
    session.add_all(Presence(user_id=user_id, do_not_disturb=False, seen_at=now) for user_id in {*user_ids} - known)


def gone(session: Session, user_id: int) -> None:
    """The person has signed out of the desk."""
    session.execute(update(Presence).where(Presence.user_id == user_id).values(seen_at=None))


def _presence(session: Session, user_id: int) -> Presence:
    found = session.get(Presence, user_id)
    if found is None:
        row(session, User, user_id)
        found = Presence(user_id=user_id)
        session.add(found)
    return found


# --- working hours ---


def calendars(session: Session) -> Sequence[Calendar]:
    """The company's first, then those of teams by name."""
    wanted = select(Calendar).outerjoin(Calendar.team).options(selectinload(Calendar.team))
    return session.scalars(wanted.order_by(Calendar.team_id.is_not(None), Team.name)).all()


def save_calendar(session: Session, team_id: int | None, week: str, holidays: str, closed_to: str) -> Calendar:
    """The hours of a team from now on, None: of the company. Raises NotFound."""
    if team_id is not None:
        row(session, Team, team_id)
    same = Calendar.team_id == team_id if team_id is not None else Calendar.team_id.is_(None)
    found = session.scalar(select(Calendar).where(same))
    if found is None:
        found = Calendar(team_id=team_id)
        session.add(found)
    found.week, found.holidays, found.closed_to = week.strip(), holidays.strip(), closed_to
    session.flush()
    return found


def remove_calendar(session: Session, calendar_id: int) -> None:
    """That team keeps the company's hours from now on; the company works always. Raises NotFound."""
    session.delete(row(session, Calendar, calendar_id))


# --- rules ---


def rules(session: Session) -> Sequence[RoutingRule]:
    """In their order, those that are switched off too."""
    wanted = select(RoutingRule).options(selectinload(RoutingRule.person), selectinload(RoutingRule.team))
    return session.scalars(wanted.order_by(RoutingRule.position, RoutingRule.id)).all()


def add_rule(
    session: Session,
    name: str,
    field: str,
    test: str,
    value: str,
    *,
    currency: str = "",
    person_id: int | None = None,
    team_id: int | None = None,
    destination: str = "",
    always: bool = False,
) -> RoutingRule:
    """A rule at the end of the others. Raises Refused, NotFound (the person or the team)."""
    if not name.strip() or len(name) > LONGEST:
        raise Refused(say("a rule needs a name, of {most} letters at most", most=LONGEST))
    if test not in ("is", "over"):
        raise Refused(say("{test!r} is no test; write {one} or {other}", test=test, one="is", other="over"))
    if [person_id is not None, team_id is not None, bool(destination)].count(True) != 1:
        raise Refused(say("a rule sends a call to one person, one team or one destination"))
    if person_id is not None and not row(session, User, person_id).active:
        raise Refused(say("this person has left; choose another"))
    if team_id is not None:
        row(session, Team, team_id)
    last = session.scalar(select(func.max(RoutingRule.position))) or 0
    rule = RoutingRule(
        position=last + 1,
        name=name.strip(),
        field=field,
        test=test,
        value=value,
        currency=currency,
        person_id=person_id,
        team_id=team_id,
        destination=destination,
        always=always,
    )
    session.add(rule)
    session.flush()
    return rule


def switch_rule(session: Session, rule_id: int, active: bool) -> None:
    """Raises NotFound."""
    row(session, RoutingRule, rule_id).active = active


def move_rule(session: Session, rule_id: int, up: bool) -> None:
    """One place up or down; at the end of the list nothing happens. Raises NotFound."""
    row(session, RoutingRule, rule_id)
    ordered = list(rules(session))
    at = next(n for n, rule in enumerate(ordered) if rule.id == rule_id)
    to = at - 1 if up else at + 1
    if 0 <= to < len(ordered):
        ordered[at], ordered[to] = ordered[to], ordered[at]
        for position, rule in enumerate(ordered, start=1):
            rule.position = position


def remove_rule(session: Session, rule_id: int) -> None:
    """Raises NotFound."""
    session.delete(row(session, RoutingRule, rule_id))


# --- blocked callers ---


def blocked(session: Session) -> Sequence[BlockedCaller]:
    """The newest first, with who blocked them."""
    wanted = select(BlockedCaller).options(selectinload(BlockedCaller.by))
    return session.scalars(wanted.order_by(BlockedCaller.created_at.desc(), BlockedCaller.id.desc())).all()


def block(session: Session, kind: str, value: str, note: str, by_id: int | None) -> BlockedCaller:
    """Whoever this is, is not let in from now on. Raises Refused, Conflict (it is in the list already)."""
    if len(note) > LONGEST:
        raise Refused(say("the note is longer than {most} letters", most=LONGEST))
    there = select(BlockedCaller.id).where(BlockedCaller.kind == kind, BlockedCaller.value == value)
    if session.scalar(there) is not None:
        raise Conflict(
            say("{number}: already on the block list", number=value)
            if value
            else say("callers who hide their number: already on the block list")
        )
    made = BlockedCaller(kind=kind, value=value, note=note.strip(), by_id=by_id, created_at=datetime.now(UTC))
    session.add(made)
    session.flush()
    session.refresh(made, ["by"])
    return made


def unblock(session: Session, blocked_id: int) -> BlockedCaller:
    """Let in again. Raises NotFound."""
    found = row(session, BlockedCaller, blocked_id)
    session.delete(found)
    return found
