"""Doctor's look at what the company says of who rings: each rule leads to a telephone or to a place that is known."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from config.settings import Settings
from lookup.hours import read_holidays, read_week
from records import routing
from records.tables import EndpointPerson, RoutingRule, Team, User
from ringcard.findings import Finding, counted, fail, ok, warn

ON_THE_DESK = "Correct it on the desk, under Who rings."


def routing_rules(session: Session, settings: Settings) -> list[Finding]:
    """None where nothing was said."""
    rules = [rule for rule in routing.rules(session) if rule.active]
    calendars, blocked = routing.calendars(session), routing.blocked(session)
    faults = [*_rules(session, rules, settings), *_hours(session, settings)]
    if faults or (not rules and not calendars and not blocked):
        return faults
    seen = f"{counted(len(rules), 'rule')}, {counted(len(calendars), 'calendar')}, {len(blocked)} blocked"
    return [ok("who rings", seen)]


def _rules(session: Session, rules: list[RoutingRule], settings: Settings) -> Iterator[Finding]:
    for rule in rules:
        if rule.destination:
            if rule.destination not in settings.destinations:
                yield _unknown(f"the rule {rule.name}", rule.destination)
        elif rule.person is not None and not (rule.person.active and rule.person.endpoints):
            yield warn("who rings", f"the rule {rule.name} names {rule.person.name}, who has no phone", ON_THE_DESK)
        elif rule.team is not None and not _has_phones(session, rule.team):
            yield warn(
                "who rings",
                f"the rule {rule.name} names the team {rule.team.name}, which no phone rings for",
                ON_THE_DESK,
            )


def _hours(session: Session, settings: Settings) -> Iterator[Finding]:
    for calendar in routing.calendars(session):
        whose = f"the working hours of {calendar.team.name if calendar.team else 'the company'}"
        try:
            read_week(calendar.week), read_holidays(calendar.holidays)
        except ValueError as exc:
            yield fail("who rings", f"{whose} cannot be read and count as always: {exc}", ON_THE_DESK)
        if calendar.closed_to and calendar.closed_to not in settings.destinations:
            yield _unknown(whose, calendar.closed_to)


def _unknown(what: str, destination: str) -> Finding:
    mend = f"Write it under [destinations] in ringcard.toml, or take it out of {what} on the desk."
    return fail("who rings", f"{what}: the settings have no destination {destination}", mend)


def _has_phones(session: Session, team: Team) -> bool:
    seated = exists().where(EndpointPerson.user_id == User.id, User.team_id == team.id, User.active)
    return bool(session.scalar(select(seated)))
