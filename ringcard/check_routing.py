"""Doctor's look at what the company says of who rings: each rule leads to a telephone or to a place that is known."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from config.sentences import counted, say
from config.settings import Settings
from lookup.hours import read_holidays, read_week
from records import routing
from records.tables import EndpointPerson, RoutingRule, Team, User
from ringcard.findings import Finding, fail, ok, warn

ON_THE_DESK = say("Correct it on the desk, under Who rings.")


def routing_rules(session: Session, settings: Settings) -> list[Finding]:
    """None where nothing was said."""
    rules = [rule for rule in routing.rules(session) if rule.active]
    calendars, blocked = routing.calendars(session), routing.blocked(session)
    faults = [*_rules(session, rules, settings), *_hours(session, settings)]
    if faults or (not rules and not calendars and not blocked):
        return faults
    seen = say(
        "{rules}, {calendars}, {blocked} blocked",
        rules=counted("{n} rule", "{n} rules", len(rules)),
        calendars=counted("{n} calendar", "{n} calendars", len(calendars)),
        blocked=len(blocked),
    )
    return [ok(say("who rings"), seen)]


def _rules(session: Session, rules: list[RoutingRule], settings: Settings) -> Iterator[Finding]:
    for rule in rules:
        if rule.destination:
            if rule.destination not in settings.destinations:
                yield _unknown(say("the rule {rule}", rule=rule.name), rule.destination)
        elif rule.person is not None and not (rule.person.active and rule.person.endpoints):
            yield warn(
                say("who rings"),
                say("the rule {rule} names {person}, who has no phone", rule=rule.name, person=rule.person.name),
                ON_THE_DESK,
            )
        elif rule.team is not None and not _has_phones(session, rule.team):
            yield warn(
                say("who rings"),
                say(
                    "the rule {rule} names the team {team}, which no phone rings for",
                    rule=rule.name,
                    team=rule.team.name,
                ),
                ON_THE_DESK,
            )


def _hours(session: Session, settings: Settings) -> Iterator[Finding]:
    for calendar in routing.calendars(session):
        if calendar.team:
            whose = say("the working hours of {team}", team=calendar.team.name)
        else:
            whose = say("the working hours of the company")
        try:
            read_week(calendar.week), read_holidays(calendar.holidays)
        except ValueError as exc:
            yield fail(
                say("who rings"),
                say("{whose} cannot be read and count as always: {why}", whose=whose, why=str(exc)),
                ON_THE_DESK,
            )
        if calendar.closed_to and calendar.closed_to not in settings.destinations:
            yield _unknown(whose, calendar.closed_to)


def _unknown(what: str, destination: str) -> Finding:
    mend = say("Write it under [destinations] in ringcard.toml, or take it out of {what} on the desk.", what=what)
    return fail(
        say("who rings"),
        say("{what}: the settings have no destination {destination}", what=what, destination=destination),
        mend,
    )


def _has_phones(session: Session, team: Team) -> bool:
    seated = exists().where(EndpointPerson.user_id == User.id, User.team_id == team.id, User.active)
    return bool(session.scalar(select(seated)))
