"""Cards of the customers in live calls, from the very lookup that named the call, remembered while they are wanted.

So the screen shows what the phone shows, in a millisecond, and goes on doing so while the database is away. A card that
cannot be read now is asked for again until it can, and then everybody who shows it is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

from desk.live import Hub
from desk.parts import DeskParts
from lookup.answers import Caller, Found
from lookup.card import Card
from lookup.notices import LiveCall, Notice

WITHIN_S = 0.5
AGAIN_S = 2.0
MOST_CALLS = 1_000


class LiveCards:
    """The cards of each live call, read afresh for each. One per process."""

    def __init__(self, parts: DeskParts, hub: Hub) -> None:
        self._finder = parts.finder
        self._clock = parts.clock
        self._hub = hub
        self._held: dict[str, dict[int, Card]] = {}  # by call, oldest first
        self._lacking: set[str] = set()  # calls some of whose cards could not be read
        hub.watch(self._note)

    async def of(self, call: LiveCall) -> Mapping[int, Card]:
        """The cards of this call's customers by id; those that cannot be read now are left out."""
        wanted = {*call.customer_ids, *((call.customer_id,) if call.customer_id else ())}
        held = self._held.get(call.call_id, {})
        if wanted <= held.keys():
            return held
        found = {card.customer_id: card for card in await self._find(call) if card.customer_id in wanted}
        self._keep(call.call_id, found)
        (self._lacking.discard if wanted <= found.keys() else self._lacking.add)(call.call_id)
        return found

    async def mend(self) -> None:
        """For ever: ask again for what is lacking, and tell the browsers when it is there."""
        while True:
            await asyncio.sleep(AGAIN_S)
            for call in [self._hub.call(call_id) for call_id in tuple(self._lacking)]:
                if call and not call.ended_ms:
                    for customer_id in await self.of(call):
                        self._hub.tell(Notice("card_changed", _ms(self._clock()), None, customer_id))

    def _note(self, notice: Notice) -> None:
        if notice.kind == "card_changed" and notice.customer_id:
            for held in self._held.values():
                held.pop(notice.customer_id, None)

    async def _find(self, call: LiveCall) -> tuple[Card, ...]:
        answer = await self._finder.find(Caller(call.caller_number, trunk=call.trunk), WITHIN_S)
        return answer.candidates if isinstance(answer, Found) else ()

    def _keep(self, call_id: str, cards: dict[int, Card]) -> None:
        self._held.pop(call_id, None)
        self._held[call_id] = cards
        if len(self._held) > MOST_CALLS:
            oldest = next(iter(self._held))
            del self._held[oldest]
            self._lacking.discard(oldest)


def _ms(when: datetime) -> int:
    return int(when.timestamp() * 1000)
