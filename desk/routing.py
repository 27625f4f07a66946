"""Who rings, as the company says it: working hours, rules for some customers, and what a call would do; and a person's
own "do not disturb".

The pages are for administrators. What is typed is read by the same functions that read it for a call, and refused in
their words; what was typed comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session as Records

from config.sentences import say
from desk.layout import Layout
from desk.services import Desk, Services
from desk.sessions import Session, SignedIn
from desk.sign_in import local
from desk.views import sight
from lookup.answers import Caller
from lookup.duty import Duty
from lookup.hours import read_holidays, read_week
from lookup.sql_duty import load, said_by
from lookup.trying import Tried, read_moment, tried
from records import routing
from records.custom import as_typed, read_value
from records.errors import NotFound, Refused
from records.money import to_minor
from records.tables import Calendar, RoutingRule, Team
from records.users import list_users

T = TypeVar("T")

pages = APIRouter(include_in_schema=False)

LOOKUP_S = 3.0
BUILT_IN = {
    "debt": say("Owes more than"),
    "company": say("Company is"),
    "source": say("Kept in (a source's name)"),
}
"""Fields that every card has and a rule can ask for."""


async def may_see(session: SignedIn) -> Session:
    if not sight(session.reader.role).routing:
        raise HTTPException(403, say("The rules of routing are for administrators."))
    return session


Administrator = Annotated[Session, Depends(may_see)]
Text = Annotated[str, Form(max_length=2000)]


@pages.get("/routing")
async def page(
    request: Request, desk: Desk, session: Administrator, number: str = "", at: str = "", did: str = ""
) -> Response:
    """The rules; with a number, also what a call from it would do."""
    if not number.strip():
        return await _page(request, desk, session)
    asked = {"number": number[:100], "at": at[:40], "did": did[:40]}
    try:
        return await _page(request, desk, session, asked=asked, tried=await try_call(desk, **asked))
    except Refused as refused:
        return await _page(request, desk, session, 422, asked=asked, try_said=str(refused))


@pages.post("/routing/hours")
async def save_hours(
    request: Request,
    desk: Desk,
    session: Administrator,
    team: Text = "",
    week: Text = "",
    holidays: Text = "",
    closed_to: Text = "",
) -> Response:
    """The working hours of a team (its id), or of the company, from now on."""

    def save(records: Records) -> None:
        set_hours(desk, records, _id(team, CHOOSE_TEAM) if team else None, week, holidays, closed_to)

    typed = {"team": team, "week": week, "holidays": holidays, "closed_to": closed_to}
    return await _do(request, desk, session, save, hours=typed)


@pages.post("/routing/hours/{calendar_id}/remove")
async def remove_hours(request: Request, desk: Desk, session: Administrator, calendar_id: int) -> Response:
    return await _do(request, desk, session, lambda records: routing.remove_calendar(records, calendar_id))


@pages.post("/routing/rules")
async def add_rule(
    request: Request,
    desk: Desk,
    session: Administrator,
    name: Text = "",
    condition: Text = "",
    value: Text = "",
    target: Text = "",
    always: Text = "",
) -> Response:
    """`condition`: a field, after "over:" or "is:". `target`: "person:7", "team:2" or "destination:night"."""

    def add(records: Records) -> None:
        test, _, field = condition.partition(":")
        kind, _, whom = target.partition(":")
        make_rule(
            desk,
            records,
            name,
            test,
            field,
            value,
            person_id=_id(whom, CHOOSE_PERSON) if kind == "person" else None,
            team_id=_id(whom, CHOOSE_TEAM) if kind == "team" else None,
            destination=whom if kind == "destination" else "",
            always=bool(always),
        )

    typed = {"name": name, "condition": condition, "value": value, "target": target, "always": always}
    return await _do(request, desk, session, add, rule=typed)


def set_hours(
    desk: Services, records: Records, team_id: int | None, week: str, holidays: str, closed_to: str
) -> Calendar:
    """In a transaction. Raises Refused, NotFound."""
    _read(read_week, week)
    _read(read_holidays, holidays)
    _known_destination(desk, closed_to)
    return routing.save_calendar(records, team_id, week, holidays, closed_to)


def make_rule(
    desk: Services,
    records: Records,
    name: str,
    test: str,
    field: str,
    value: str,
    *,
    person_id: int | None,
    team_id: int | None,
    destination: str,
    always: bool,
) -> RoutingRule:
    """In a transaction. Raises Refused, NotFound."""
    kept, currency = _value(desk.layout, test, field, value)
    _known_destination(desk, destination)
    return routing.add_rule(
        records,
        name,
        field,
        test,
        kept,
        currency=currency,
        person_id=person_id,
        team_id=team_id,
        destination=destination,
        always=always,
    )


CHANGES: Mapping[str, Callable[[Records, int], None]] = {
    "on": lambda records, rule_id: routing.switch_rule(records, rule_id, True),
    "off": lambda records, rule_id: routing.switch_rule(records, rule_id, False),
    "up": lambda records, rule_id: routing.move_rule(records, rule_id, True),
    "down": lambda records, rule_id: routing.move_rule(records, rule_id, False),
    "remove": routing.remove_rule,
}


@pages.post("/routing/rules/{rule_id}/{change}")
async def change_rule(request: Request, desk: Desk, session: Administrator, rule_id: int, change: str) -> Response:
    if change not in CHANGES:
        raise NotFound(
            say("a rule can be switched on or off, moved up or down, or removed, but not {change!r}", change=change)
        )
    return await _do(request, desk, session, lambda records: CHANGES[change](records, rule_id))


@pages.post("/me/do-not-disturb")
async def do_not_disturb(desk: Desk, session: SignedIn, on: Text = "", back: Text = "/") -> Response:
    """Whoever wants to be left alone is passed over by calls that Ringcard routes."""
    user_id, wanted = session.reader.user_id, on == "yes"
    await desk.store.write(lambda records: routing.set_do_not_disturb(records, user_id, wanted))
    desk.people.forget()
    return RedirectResponse(local(back), 303)


EMPTY: Mapping[str, Mapping[str, str]] = {
    "asked": {"number": "", "at": "", "did": ""},
    "hours": {"team": "", "week": "", "holidays": "", "closed_to": ""},
    "rule": {"name": "", "condition": "", "value": "", "target": "", "always": ""},
}
"""The three forms of the page, before anything is typed."""


async def _do(
    request: Request, desk: Services, session: Session, work: Callable[[Records], object], **typed: Any
) -> Response:
    try:
        await desk.store.write(work)
    except Refused as refused:
        return await _page(request, desk, session, 422, said=str(refused), **typed)
    return RedirectResponse("/routing", 303)


async def _page(request: Request, desk: Services, session: Session, status: int = 200, **more: Any) -> Response:
    def read(records: Records) -> dict[str, Any]:
        return {
            "calendars": routing.calendars(records),
            "rules": [(rule, condition_of(desk.layout, rule)) for rule in routing.rules(records)],
            "teams": records.scalars(select(Team).order_by(Team.name)).all(),
            "users": list_users(records),
        }

    frame: dict[str, Any] = {"said": "", "try_said": "", "tried": None, **EMPTY}
    values = frame | more | await desk.store.read(read)
    settings = desk.parts.settings
    return await desk.pages.page(
        request,
        session,
        "routing.html",
        status,
        conditions=conditions(desk.layout),
        destinations=sorted(settings.destinations),
        after=settings.routing.after,
        routed=[did for did, rule in settings.dids.items() if rule.policy == "route"],
        **values,
    )


async def try_call(desk: Services, number: str, at: str, did: str) -> Tried:
    """What a call from this number to that one would do. Raises Refused."""
    parts = desk.parts
    moment = _read(lambda text: read_moment(text, local_now(desk)), at)
    duty = await duty_of(desk)
    return tried(await parts.finder.find(Caller(number), LOOKUP_S), parts.settings, duty, moment, did)


async def duty_of(desk: Services) -> Duty:
    """Who is there and the company's rules, as they are now."""
    return await desk.store.read(lambda records: load(records, said_by(desk.parts.settings, _own(desk))))


def local_now(desk: Services) -> datetime:
    return desk.parts.clock().astimezone(desk.zone)


def _own(desk: Services) -> list[str]:
    return [key for did in desk.parts.settings.dids if (key := desk.parts.read_number(did).match_key)]


def conditions(layout: Layout) -> dict[str, str]:
    """What a rule can ask, as it is sent, with its words. Fields that a query fills are not there when a call comes."""
    offered: dict[str, str] = {
        f"{'over' if name == 'debt' else 'is'}:{name}": label for name, label in BUILT_IN.items()
    }
    for one in layout.fields:
        if one.kept and not one.built_in:
            offered[f"is:{one.name}"] = say("{field} is", field=one.label)
            if one.field.type in ("number", "money"):
                offered[f"over:{one.name}"] = say("{field} is over", field=one.label)
    return offered


def condition_of(layout: Layout, rule: RoutingRule) -> str:
    """A rule's condition in words."""
    asked = conditions(layout).get(f"{rule.test}:{rule.field}")
    value = as_typed({"minor": int(rule.value), "currency": rule.currency}) if rule.currency else rule.value
    if asked:
        return say("{condition} {value}", condition=asked, value=value)
    return say(
        "{field} {test} {value} (there is no such field any more)", field=rule.field, test=rule.test, value=value
    )


def _value(layout: Layout, test: str, field: str, typed: str) -> tuple[str, str]:
    """What a condition compares with, and the currency of an amount. Raises Refused."""
    if f"{test}:{field}" not in conditions(layout):
        raise Refused(say("choose what the customer's card must say"))
    if field == "debt":
        return str(to_minor(typed, layout.currency)), layout.currency
    if field in BUILT_IN:
        kept: Any = typed.strip()
    else:
        kept = read_value(next(one.field for one in layout.fields if one.name == field), typed, layout.currency)
    if kept is None or kept == "":
        raise Refused(say("say what the card's field must be"))
    if test == "over" and isinstance(kept, Mapping):
        return str(kept["minor"]), str(kept["currency"])
    return as_typed(kept), ""


def _known_destination(desk: Services, name: str) -> None:
    known = desk.parts.settings.destinations
    if name and name not in known:
        raise Refused(say("the settings have no destination {name!r} under [destinations]", name=name))


CHOOSE_PERSON, CHOOSE_TEAM = say("choose a person"), say("choose a team")


def _id(text: str, otherwise: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise Refused(otherwise)
    return int(text)


def _read(read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except ValueError as exc:
        raise Refused(str(exc)) from None
