"""GET /health and GET /metrics: for whoever watches the machine. Neither tells anything about a customer or a call."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse
from sqlalchemy import select

from desk.services import Desk, Services
from records.errors import DatabaseGone

router = APIRouter(tags=["watching"])

WITHIN_S = 1.0


@router.get("/health")
async def health(desk: Desk) -> JSONResponse:
    """200 while the desk serves; `status` is "degraded" when one of its parts is away."""
    database = await _database(desk)
    live = "" if desk.hub.up else desk.hub.gone
    parts = {"database": database, "live": live, **{f"lookup {k}": v for k, v in desk.parts.finder.outages.items()}}
    parts |= {f"query {name}": "away" for name in desk.queries.outages}
    status = "degraded" if any(parts.values()) else "ok"
    said = {name: reason or "ok" for name, reason in parts.items()}
    return JSONResponse({"status": status, "since": desk.since.isoformat(), "parts": said})


@router.get("/metrics")
async def metrics(desk: Desk) -> PlainTextResponse:
    """Prometheus text format 0.0.4."""
    counters: Any = desk.parts.finder.counters
    lines = ["# HELP ringcard_lookups_total Lookups and what happened on their way, by kind.\n"]
    lines.append("# TYPE ringcard_lookups_total counter\n")
    lines += [
        f'ringcard_lookups_total{{kind="{field.name}"}} {getattr(counters, field.name)}\n' for field in fields(counters)
    ]
    lines.append("# HELP ringcard_queries_total Questions to other databases and what became of them, by kind.\n")
    lines.append("# TYPE ringcard_queries_total counter\n")
    lines += [
        f'ringcard_queries_total{{query="{name}",kind="{kind.name}"}} {getattr(counted, kind.name)}\n'
        for name, counted in desk.queries.counters.items()
        for kind in fields(counted)
    ]
    lines += gauge("desk_browsers", "Browsers that follow the live calls.", desk.hub.browsers)
    lines += gauge("desk_live_calls", "Calls known as live.", _going_on(desk))
    lines += gauge("desk_live_up", "1 while notices of calls arrive here.", int(desk.hub.up))
    return PlainTextResponse("".join(lines), media_type="text/plain; version=0.0.4; charset=utf-8")


def gauge(name: str, help: str, value: int) -> list[str]:
    full = f"ringcard_{name}"
    return [f"# HELP {full} {help}\n", f"# TYPE {full} gauge\n", f"{full} {value}\n"]


def _going_on(desk: Services) -> int:
    return sum(not call.ended_ms for call in desk.hub.calls()[1])


async def _database(desk: Services) -> str:
    try:
        await desk.store.read(lambda session: session.execute(select(1)), WITHIN_S)
    except DatabaseGone:
        return "away"
    return ""
