"""What the desk's pages share within one process, put together from the parts, and how a request reaches it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, cast
from zoneinfo import ZoneInfo

from fastapi import Depends
from starlette.requests import HTTPConnection

from desk.cards import LiveCards
from desk.directory import People
from desk.faces import Faces
from desk.layout import Layout
from desk.layouts import Layouts
from desk.live import Hub
from desk.parts import DeskParts
from desk.presence import Presence
from desk.queries import Queries
from desk.seen import Seen
from desk.store import Store

if TYPE_CHECKING:
    from desk.pages import Pages
    from desk.sessions import Sessions


@dataclass(frozen=True)
class Services:
    """One per application, made by `desk.app.create_app`."""

    parts: DeskParts
    store: Store
    people: People
    hub: Hub
    layouts: Layouts
    cards: LiveCards
    queries: Queries
    sessions: Sessions
    pages: Pages
    presence: Presence
    faces: Faces
    seen: Seen
    since: datetime  # when the desk started

    @property
    def layout(self) -> Layout:
        """As it is now; whoever makes a whole answer takes it once."""
        return self.layouts.now

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.parts.settings.company.time_zone)

    def today(self) -> date:
        """The day it is for the company."""
        return self.parts.clock().astimezone(self.zone).date()


def services_of(connection: HTTPConnection) -> Services:
    return cast(Services, connection.app.state.services)


Desk = Annotated[Services, Depends(services_of)]
"""Parameter of an endpoint: the services."""
