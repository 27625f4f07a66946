"""A hub's event as one reader gets it: data for programs and, for our own pages, the finished piece of the page.

Nothing is sent of a call that does not concern the reader. Names of events and of their fields are public
(`docs/` and the OpenAPI page tell them).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from desk import formats
from desk.live import Event
from desk.people import Reader
from desk.services import Services
from desk.views import CallView, Sheet, TeamCallView, call_view, team_view
from lookup.notices import LiveCall


@dataclass(frozen=True, slots=True)
class Shown:
    """One call for one reader: their own card, their line in the strip, or both."""

    call_id: str
    version: int
    card: CallView | None
    team: TeamCallView | None


@dataclass(frozen=True, slots=True)
class Audience:
    """One reader at one connection. `pieces`: with the HTML that our own pages put in place."""

    desk: Services
    reader: Reader
    pieces: bool = False

    async def show(self, call: LiveCall) -> Shown | None:
        """The call as this reader sees it; None when it is not theirs to see."""
        directory = await self.desk.people.directory()
        cards = await self.desk.cards.of(call)
        call = self.desk.cards.as_chosen(call)
        card = call_view(call, cards, self.reader, directory, Sheet(self.desk.layout))
        team = team_view(call, cards, self.reader, directory)
        return Shown(call.call_id, call.version, card, team) if card or team else None

    async def show_all(self, calls: Iterable[LiveCall]) -> list[Shown]:
        """Calls that go on, oldest first; those over, and those that others took, are not news to a fresh page."""
        going_on = sorted((call for call in calls if not call.ended_ms), key=lambda call: call.started_ms)
        return [shown for call in going_on if (shown := await self.show(call))]

    async def messages(self, event: Event) -> list[bytes]:
        """Server-sent events for this reader: none when nothing concerns them."""
        if event.kind == "status":
            return [message("status", event.id, {"live": False})]
        if event.kind == "snapshot":
            shown = await self.show_all(event.calls)
            return [message("snapshot", event.id, {"live": True, "calls": [self._data(item) for item in shown]})]
        if event.notice is None:
            return []
        head = {"kind": event.notice.kind, "at": formats.rfc3339(formats.moment(event.notice.at_ms))}
        shown = [item for call in self._calls_of(event) if (item := await self.show(call))]
        return [message(event.notice.kind, event.id, {**head, **self._data(item)}) for item in shown]

    def _calls_of(self, event: Event) -> Iterator[LiveCall]:
        notice = event.notice
        if notice and notice.call:
            yield notice.call
        elif notice and notice.kind == "card_changed" and notice.customer_id:
            for call in self.desk.hub.calls()[1]:
                if notice.customer_id in (*call.customer_ids, call.customer_id) and not call.ended_ms:
                    yield call

    def _data(self, shown: Shown) -> dict[str, Any]:
        data = {
            "call_id": shown.call_id,
            "version": shown.version,
            "call": asdict(shown.card) if shown.card else None,
            "team": asdict(shown.team) if shown.team else None,
        }
        return data | self.desk.pages.pieces(self.reader, shown.card, shown.team) if self.pieces else data


def message(kind: str, id: str, data: Any) -> bytes:
    """One server-sent event; JSON has no line breaks, so one data line holds it."""
    head = f"event: {kind}\n" + (f"id: {id}\n" if id else "")
    return head.encode() + b"data: " + orjson.dumps(data) + b"\n\n"
