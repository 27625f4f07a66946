"""A hub's event as one reader gets it: data for programs and, for our own pages, the finished piece of the page.

Nothing is sent of a call that does not concern the reader. Names of events and of their fields are public
(`docs/` and the OpenAPI page tell them).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from starlette.requests import HTTPConnection

from desk import formats
from desk.languages import Language
from desk.live import Event
from desk.people import Directory, Reader
from desk.queries import subject_of_card
from desk.reminders import reminder
from desk.services import Services
from desk.views import CallView, Sheet, TeamCallView, call_view, concerns, phones_of, team_view
from lookup.card import Card
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
    """One reader. `pieces`: the connection of one of our own pages, which gets the HTML to put in place as well."""

    desk: Services
    reader: Reader
    pieces: HTTPConnection | None = None

    async def show(self, call: LiveCall) -> Shown | None:
        """The call as this reader sees it; None when it is not theirs to see."""
        directory = await self.desk.people.directory()
        if not concerns(self.reader, call, directory):
            return None
        cards = await self.desk.cards.of(call)
        call = self.desk.cards.as_chosen(call)
        card = call_view(call, cards, self.reader, directory, self._sheet(call, cards, directory))
        team = team_view(call, cards, self.reader, directory)
        if card:
            self.desk.seen.note(self.reader.user_id, (one.customer_id for one in card.customers), "call")
        return Shown(call.call_id, call.version, card, team) if card or team else None

    async def show_all(self, calls: Iterable[LiveCall]) -> list[Shown]:
        """Calls that go on, oldest first; those over, and those that others took, are not news to a fresh page."""
        going_on = sorted((call for call in calls if not call.ended_ms), key=lambda call: call.started_ms)
        return [shown for call in going_on if (shown := await self.show(call))]

    def may_want(self, event: Event) -> bool:
        """Whether it may have anything for this reader, said at once; in doubt it may."""
        notice, directory = event.notice, self.desk.people.fresh
        if notice is None or notice.kind == "task_due":
            return notice is None or notice.user_id == self.reader.user_id
        return notice.call is None or directory is None or concerns(self.reader, notice.call, directory)

    async def messages(self, event: Event) -> list[bytes]:
        """Server-sent events for this reader: none when nothing concerns them."""
        if event.kind == "status":
            return [message("status", event.id, {"live": False})]
        if event.kind == "snapshot":
            shown = await self.show_all(event.calls)
            return [message("snapshot", event.id, {"live": True, "calls": [self._data(item) for item in shown]})]
        if event.notice is None:
            return []
        if event.notice.kind == "task_due":
            told = await reminder(self.desk, self.reader, event.notice, self._spoken)
            return [message("task_due", event.id, told)] if told else []
        head = {"kind": event.notice.kind, "at": formats.rfc3339(formats.moment(event.notice.at_ms))}
        shown = [item for call in self._calls_of(event) if (item := await self.show(call))]
        return [message(event.notice.kind, event.id, {**head, **self._data(item)}) for item in shown]

    async def still_lacking(self) -> list[bytes]:
        """For a browser that has just connected: the reader's calls as they are now, when queries fill their cards.

        What was answered between the making of its page and now, it was not told.
        """
        if not self.desk.hub.up or not self.desk.layout.queries_for(self.reader.role):
            return []
        _, calls = self.desk.hub.calls()
        head = {"kind": "card_changed", "at": formats.rfc3339(self.desk.parts.clock())}
        shown = [item for item in await self.show_all(calls) if item.card and item.card.customer]
        return [message("card_changed", "", {**head, **self._data(item)}) for item in shown]

    def _sheet(self, call: LiveCall, cards: Mapping[int, Card], directory: Directory) -> Sheet:
        """With what queries know of the customer, where there is one and the reader is shown the card."""
        names = self.desk.layout.queries_for(self.reader.role)
        ids = (call.customer_id,) if call.customer_id else call.customer_ids
        card = cards.get(ids[0]) if len(ids) == 1 else None
        if not names or not card or call.ended_ms or not phones_of(self.reader, call, directory):
            return Sheet(self.desk.layout)
        answers = self.desk.queries.at_hand(subject_of_card(card, call.caller_number), names)
        return Sheet(self.desk.layout, {card.customer_id: answers})

    def _calls_of(self, event: Event) -> Iterator[LiveCall]:
        notice = event.notice
        if notice and notice.call:
            yield notice.call
        elif notice and notice.kind == "card_changed":
            for call in self.desk.hub.calls()[1]:
                by_now = self.desk.cards.as_chosen(call)
                ids = {*call.customer_ids, call.customer_id, *by_now.customer_ids}
                is_theirs = notice.customer_id in ids if notice.customer_id else False
                if (is_theirs or call.is_nobodys) and not call.ended_ms:
                    yield call

    def _data(self, shown: Shown) -> dict[str, Any]:
        data = {
            "call_id": shown.call_id,
            "version": shown.version,
            "call": asdict(shown.card) if shown.card else None,
            "team": asdict(shown.team) if shown.team else None,
        }
        spoken = self._spoken
        return data | self.desk.pages.pieces(spoken, self.reader, shown.card, shown.team) if spoken else data

    @property
    def _spoken(self) -> Language | None:
        """The language of the pieces, as it is now: somebody may choose another while the connection stands."""
        return self.desk.pages.spoken_to(self.pieces, self.reader) if self.pieces else None


def message(kind: str, id: str, data: Any) -> bytes:
    """One server-sent event; JSON has no line breaks, so one data line holds it."""
    head = f"event: {kind}\n" + (f"id: {id}\n" if id else "")
    return head.encode() + b"data: " + orjson.dumps(data) + b"\n\n"
