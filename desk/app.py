"""The desk as one ASGI application: `create_app` puts rooms together, and says in which order requests pass them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from functools import cache

from fastapi import APIRouter, Depends, FastAPI
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from desk import (
    api,
    arranging_api,
    arranging_pages,
    blocked,
    calls,
    choices,
    company_api,
    customers,
    dialplan,
    entering,
    entering_api,
    events,
    fields,
    finding,
    health,
    history,
    imports,
    imports_api,
    installed,
    looks,
    me,
    me_api,
    merging,
    metrics,
    note_pages,
    phones,
    photo_api,
    problems,
    pushed,
    reminders,
    routing,
    routing_api,
    second_factor,
    seen_pages,
    sign_in,
    simulated_calls,
    sources,
    staff_api,
    staff_pages,
    tabs,
    task_api,
    task_calendar,
    task_pages,
    teams,
    today,
    upcoming_api,
    welcome,
)
from desk.cards import LiveCards
from desk.counted import Counted
from desk.directory import People
from desk.doctor import Doctor
from desk.faces import Faces
from desk.guard import Guard
from desk.layouts import Layouts
from desk.legible import legible
from desk.live import Hub
from desk.pages import STATIC, Pages
from desk.parts import DeskParts
from desk.presence import Presence
from desk.queries import Queries
from desk.seen import Seen
from desk.services import Services
from desk.sessions import Sessions
from desk.simulating import Simulations
from desk.store import Store

__all__ = ["DeskParts", "create_app", "let_browsers_go"]

ROUTERS = (
    today.router,
    sign_in.router,
    second_factor.router,
    me.router,
    staff_pages.router,
    staff_api.router,
    teams.pages,
    teams.api,
    events.router,
    api.router,
    pushed.router,  # before those of customers, whose ids are no paths
    merging.pages,  # and these
    merging.api,
    entering.pages,
    entering_api.router,
    history.pages,
    history.api,
    finding.pages,  # and these
    finding.api,
    customers.pages,
    customers.api,
    fields.pages,
    fields.api,
    choices.router,
    photo_api.router,
    imports_api.router,  # before the one import, whose id is a number
    imports.pages,
    imports.api,
    sources.pages,
    sources.api,
    calls.pages,
    calls.api,
    note_pages.pages,
    note_pages.api,
    task_calendar.pages,
    task_pages.pages,
    upcoming_api.router,  # before the one task, whose id is a number
    task_api.router,
    reminders.pages,
    routing.pages,
    routing_api.router,
    blocked.pages,
    blocked.api,
    simulated_calls.pages,
    simulated_calls.api,
    simulated_calls.doctoring,
    welcome.pages,
    looks.public,
    installed.router,
    looks.pages,
    looks.api,
    tabs.pages,
    arranging_pages.pages,
    arranging_api.api,
    me_api.router,
    company_api.router,
    phones.router,
    dialplan.router,
    health.router,
    metrics.router,
    seen_pages.pages,
    seen_pages.api,
)


@cache
def _rooms() -> list[BaseRoute]:
    """All addresses. No application is in them, and reading what each takes is the longest part of making one."""
    house = APIRouter(dependencies=[Depends(legible)])
    for router in ROUTERS:
        house.include_router(router)
    return house.routes


def create_app(parts: DeskParts) -> FastAPI:
    """The desk, ready to be served. It starts and answers whether or not Redis and the database are there."""
    app = FastAPI(
        title="Ringcard",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=_life,
        redirect_slashes=False,  # it would lead to wherever the request says that it was sent to
        routes=_rooms(),
    )
    app.state.services = _services(parts)
    app.state.door = sign_in.Door()
    app.state.second_factors = second_factor.SecondFactors(parts)
    app.state.simulations = Simulations(app.state.services.hub, parts.tell, parts.clock)
    app.state.doctor = Doctor(parts.examine, parts.clock)
    app.state.addresses = [route for router in ROUTERS for route in router.routes]
    app.mount("/static", KeptFiles(directory=STATIC), name="static")
    problems.install(app)
    app.add_middleware(problems.Broken)
    app.add_middleware(Guard, public_url=parts.settings.public_url)
    app.state.requests = Counter()
    app.add_middleware(Counted, counts=app.state.requests)
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
    sessions = Sessions(parts.settings, parts.secret, people, store)
    layouts = Layouts(store, parts.settings)
    cards = LiveCards(parts, hub, store)
    queries = Queries(parts.settings.queries, cards.tell)
    pages = Pages(parts, layouts)
    presence = Presence(store, parts.settings.routing.presence == "desk")
    faces = Faces(store, parts.settings)
    seen = Seen(store, parts.settings.desk.seen_days, parts.clock)
    rooms = (parts, store, people, hub, layouts, cards, queries, sessions, pages, presence, faces, seen)
    return Services(*rooms, parts.clock())


@contextlib.asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    services.hub.start()
    simulations: Simulations = app.state.simulations
    work = (
        services.cards.mend(),
        services.presence.keep(),
        services.sessions.keep(),
        services.seen.keep(),
        services.layouts.keep(services.cards.tell_all),
        simulations.keep(),
    )
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await simulations.close()
        await app.state.doctor.close()
        await services.queries.close()
        await services.hub.stop()
        await services.seen.write()
        await services.store.close()
        app.state.door.hashing.shutdown(wait=False, cancel_futures=True)
