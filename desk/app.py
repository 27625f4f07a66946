"""The desk as one ASGI application: `create_app` puts rooms together, and says in which order requests pass them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from desk import (
    api,
    calls,
    choices,
    customers,
    dialplan,
    events,
    fields,
    health,
    imports,
    phones,
    problems,
    pushed,
    sign_in,
    sources,
    today,
)
from desk.cards import LiveCards
from desk.directory import People
from desk.guard import Guard
from desk.layout import Layout, placed
from desk.live import Hub
from desk.pages import STATIC, Pages
from desk.parts import DeskParts
from desk.queries import Queries
from desk.services import Services
from desk.sessions import Sessions
from desk.store import Store

__all__ = ["DeskParts", "create_app", "let_browsers_go"]

ROUTERS = (
    today.router,
    sign_in.router,
    events.router,
    api.router,
    pushed.router,  # before those of customers, whose ids are no paths
    customers.pages,
    customers.api,
    fields.pages,
    fields.api,
    choices.router,
    imports.pages,
    imports.api,
    sources.pages,
    sources.api,
    calls.pages,
    calls.api,
    phones.router,
    dialplan.router,
    health.router,
)


def create_app(parts: DeskParts) -> FastAPI:
    """The desk, ready to be served. It starts and answers whether or not Redis and the database are there."""
    app = FastAPI(title="Ringcard", version="1", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_life)
    app.state.services = _services(parts)
    app.state.door = sign_in.Door()
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", KeptFiles(directory=STATIC), name="static")
    problems.install(app)
    app.add_middleware(Guard, public_url=parts.settings.public_url)
    return app


def let_browsers_go(app: FastAPI) -> None:
    """End the event streams. A server does this when it begins to stop, because it waits for open connections."""
    services: Services = app.state.services
    services.hub.let_go()


class KeptFiles(StaticFiles):
    """Static files; one that is asked for with its content's mark may be kept, any other is checked each time."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        kept = b"v=" in scope["query_string"] and response.status_code == 200
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if kept else "no-cache"
        return response


def _services(parts: DeskParts) -> Services:
    store = Store(parts.database)
    people = People(store)
    hub = Hub(parts.live, parts.notices)
    sessions = Sessions(parts.settings, parts.secret, people)
    layout = Layout(placed(parts.settings.fields), parts.settings.company.currency)
    cards = LiveCards(parts, hub)
    queries = Queries(parts.settings.queries, cards.tell)
    pages = Pages(parts, layout)
    return Services(parts, store, people, hub, layout, cards, queries, sessions, pages, parts.clock())


@contextlib.asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    services.hub.start()
    mending = asyncio.create_task(services.cards.mend(), name="mend cards")
    try:
        yield
    finally:
        mending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await mending
        await services.queries.close()
        await services.hub.stop()
        services.store.close()
        app.state.door.hashing.shutdown(wait=False, cancel_futures=True)
