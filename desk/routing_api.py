"""/api/v1/routing: working hours, rules for some customers, what a call would do; for administrators, as the page."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session as Records

from config.sentences import say
from desk import described, shapes
from desk.bounds import Id
from desk.layout import Layout
from desk.routing import Administrator, condition_of, conditions, make_rule, set_hours, try_call
from desk.services import Desk
from records import routing
from records.errors import NotFound
from records.tables import Calendar, RoutingRule

router = APIRouter(prefix="/api/v1/routing", tags=["routing"])

Text = Annotated[str, Field(max_length=2000)]


class GivenHours(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    team_id: Annotated[Id | None, Field(description="null: the company's")] = None
    week: Annotated[Text, Field(description="like Mon-Fri 08:00-12:00, 13:00-17:00; empty: always")] = ""
    holidays: Annotated[Text, Field(description="days like 2026-04-14, or 12-25 for every year")] = ""
    closed_to: Annotated[str, Field(max_length=200, description="a destination of the settings")] = ""


class GivenTarget(BaseModel):
    """One of the three."""

    model_config = ConfigDict(extra="forbid", strict=True)
    person_id: Id | None = None
    team_id: Id | None = None
    destination: Annotated[str, Field(max_length=200, description="of the settings")] = ""


class NewRule(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: Annotated[str, Field(max_length=routing.LONGEST)]
    field: Annotated[str, Field(max_length=200, description="of the card; GET /routing/conditions lists them")]
    test: Literal["is", "over"]
    value: Annotated[Text, Field(description="as one types it, like 1250.50")]
    target: GivenTarget
    always: Annotated[bool, Field(description="outside of working hours too")] = False


class ChangedRule(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    active: bool | None = None
    move: Annotated[Literal["up", "down"] | None, Field(description="one place, before or after its neighbour")] = None


@router.get("/hours", response_model=list[shapes.Hours])
async def all_hours(desk: Desk, session: Administrator) -> list[dict[str, Any]]:
    """Working hours: the company's first, then those of teams by name."""
    return await desk.store.read(lambda records: [_hours(each) for each in routing.calendars(records)])


@router.put("/hours", response_model=shapes.Hours, responses=described.also(404))
async def put_hours(desk: Desk, session: Administrator, given: GivenHours) -> dict[str, Any]:
    """Set the working hours of a team, or of the company, from now on."""

    def write(records: Records) -> dict[str, Any]:
        saved = set_hours(desk, records, given.team_id, given.week, given.holidays, given.closed_to)
        records.refresh(saved, ["team"])
        return _hours(saved)

    return await desk.store.write_once(write)


@router.delete("/hours/{calendar_id}", status_code=204)
async def remove_hours(desk: Desk, session: Administrator, calendar_id: Id) -> Response:
    """Take hours away: that team keeps the company's; without the company's it is always open."""
    await desk.store.write(lambda records: routing.remove_calendar(records, calendar_id))
    return Response(status_code=204)


@router.get("/conditions", response_model=shapes.Conditions)
async def all_conditions(desk: Desk, session: Administrator) -> dict[str, Any]:
    """What a rule can ask of a card, and the destinations there are."""
    offered = [
        {"field": field, "test": test, "label": label}
        for (test, _, field), label in ((key.partition(":"), label) for key, label in conditions(desk.layout).items())
    ]
    return {"conditions": offered, "destinations": sorted(desk.parts.settings.destinations)}


@router.get("/rules", response_model=list[shapes.Rule])
async def all_rules(desk: Desk, session: Administrator) -> list[dict[str, Any]]:
    """Rules in their order, those that are switched off too."""
    return await desk.store.read(lambda records: [_rule(desk.layout, each) for each in routing.rules(records)])


@router.post("/rules", status_code=201, response_model=shapes.Rule, responses=described.also(404))
async def add_rule(desk: Desk, session: Administrator, new: NewRule) -> dict[str, Any]:
    """A new rule, after all others."""

    def write(records: Records) -> dict[str, Any]:
        to = new.target
        made = make_rule(
            desk,
            records,
            new.name,
            new.test,
            new.field,
            new.value,
            person_id=to.person_id,
            team_id=to.team_id,
            destination=to.destination,
            always=new.always,
        )
        records.refresh(made)
        return _rule(desk.layout, made)

    return await desk.store.write(write)


@router.patch("/rules/{rule_id}", response_model=shapes.Rule)
async def change_rule(desk: Desk, session: Administrator, rule_id: Id, changed: ChangedRule) -> dict[str, Any]:
    """Switch a rule on or off, or move it by one place."""

    def write(records: Records) -> dict[str, Any]:
        if changed.active is not None:
            routing.switch_rule(records, rule_id, changed.active)
        if changed.move:
            routing.move_rule(records, rule_id, changed.move == "up")
        rule = records.get(RoutingRule, rule_id)
        if rule is None:
            raise NotFound(say("There is no such rule."))
        return _rule(desk.layout, rule)

    return await desk.store.write(write)


@router.delete("/rules/{rule_id}", status_code=204)
async def remove_rule(desk: Desk, session: Administrator, rule_id: Id) -> Response:
    """Take a rule away."""
    await desk.store.write(lambda records: routing.remove_rule(records, rule_id))
    return Response(status_code=204)


@router.get("/try", response_model=shapes.Tried)
async def try_one(
    desk: Desk,
    session: Administrator,
    number: Annotated[str, Query(max_length=100)],
    at: Annotated[str, Query(max_length=40, description="like 2026-04-14 09:30, or 09:30 of today; else now")] = "",
    did: Annotated[str, Query(max_length=40, description="the number that is called; else one that is routed")] = "",
) -> dict[str, Any]:
    """What a call from this number would do at that moment, and why. Nothing rings."""
    return asdict(await try_call(desk, number, at, did))


def _hours(of: Calendar) -> dict[str, Any]:
    return {
        "id": of.id,
        "team_id": of.team_id,
        "team": of.team.name if of.team else None,
        "week": of.week,
        "holidays": of.holidays,
        "closed_to": of.closed_to,
    }


def _rule(layout: Layout, rule: RoutingRule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "active": rule.active,
        "field": rule.field,
        "test": rule.test,
        "value": rule.value,
        "says": condition_of(layout, rule),
        "target": {"person_id": rule.person_id, "team_id": rule.team_id, "destination": rule.destination},
        "always": rule.always,
    }
