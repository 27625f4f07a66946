"""GET /health: for whoever watches the machine. It tells nothing about a customer or a call."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse
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


async def _database(desk: Services) -> str:
    try:
        await desk.store.read(lambda session: session.execute(select(1)), WITHIN_S)
    except DatabaseGone:
        return "away"
    return ""
