"""Where else customers are kept, and how the last runs went: for administrators, as a page and in the API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import Response

from config.sentences import say
from config.settings import LAST_ORDER, Settings
from desk import shapes
from desk.services import Desk, Services
from desk.sessions import Session, SignedIn
from desk.views import sight
from records.sources import runs
from records.tables import SourceRow

pages = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1", tags=["sources"])


async def may_see(session: SignedIn) -> Session:
    if not sight(session.reader.role).sources:
        raise HTTPException(403, say("Sources are for administrators."))
    return session


Administrator = Annotated[Session, Depends(may_see)]


@pages.get("/sources")
async def page(request: Request, desk: Desk, session: Administrator) -> Response:
    return await desk.pages.page(request, session, "sources.html", sources=await _all(desk))


@api.get("/sources", response_model=list[shapes.Source])
async def listed(desk: Desk, session: Administrator) -> list[dict[str, Any]]:
    """Every source of customers, in its order: how many it has, and its last run."""
    return await _all(desk)


async def _all(desk: Services) -> list[dict[str, Any]]:
    settings, known = desk.parts.settings, await desk.store.read(runs.sources)
    nothing: tuple[SourceRow | None, int] = (None, 0)
    facts = [_facts(settings, name, *known.get(name, nothing)) for name in {*settings.sources, *known}]
    return sorted(facts, key=lambda one: (one["order"] is None, one["order"] or LAST_ORDER, one["name"]))


def _facts(settings: Settings, name: str, row: SourceRow | None, customers: int) -> dict[str, Any]:
    source = settings.sources.get(name)
    trouble = runs.trouble(row, source, datetime.now(UTC)) if source else say("settings do not name it any more")
    return {
        "name": name,
        "kind": source.kind if source else None,
        "order": source.order if source else None,
        "customers": customers,
        "trouble": trouble,
        "errors": runs.errors_of(row) if row else [],
        "last": runs.told(row) if row else None,
    }
