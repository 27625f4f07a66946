"""Cards of the customers in live calls, from the very lookup that named the call, remembered while they are wanted.

So the screen shows what the phone shows, in a millisecond, and goes on doing so while the database is away. A card that
cannot be read now is asked for again until it can, and then everybody who shows it is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from desk.live import Hub
from desk.parts import DeskParts
from lookup.answers import Caller, Found
from lookup.card import Card
from lookup.notices import LiveCall, Notice

WITHIN_S = 0.5
AGAIN_S = 2.0
MOST_CALLS = 1_000


@dataclass(frozen=True, slots=True)
class _Held:
    """What was read for one call."""

    cards: dict[int, Card]
    chosen: int | None = None  # among several customers, the one whom a person chose
    reason: str = ""  # empty: the customers could not be read


class LiveCards:
    """The cards of each live call, read afresh for each. One per process."""

    def __init__(self, parts: DeskParts, hub: Hub) -> None:
        self._finder = parts.finder
        self._clock = parts.clock
        self._hub = hub
        self._held: dict[str, _Held] = {}  # by call, oldest first
        self._lacking: set[str] = set()  # calls some of whose cards could not be read
        hub.watch(self._note)

    async def of(self, call: LiveCall) -> Mapping[int, Card]:
        """The cards of this call's customers by id; those that cannot be read now are left out."""
        wanted = {*call.customer_ids, *((call.customer_id,) if call.customer_id else ())}
        held = self._held.get(call.call_id, _NOTHING)
        if wanted <= held.cards.keys():
            return held.cards
        held = await self._find(call, wanted)
        self._keep(call.call_id, held)
        (self._lacking.discard if wanted <= held.cards.keys() else self._lacking.add)(call.call_id)
        return held.cards

    def as_chosen(self, call: LiveCall) -> LiveCall:
        """The call with the customer whom a person has chosen by now, of those who share its number; after `of`."""
        held = self._held.get(call.call_id, _NOTHING)
        if len(call.customer_ids) < 2 or not held.reason or held.chosen == call.customer_id:
            return call
        return replace(call, customer_id=held.chosen, match_reason=held.reason)

    def changed(self, customer_ids: Iterable[int]) -> None:
        """Something about these customers is not as it was: read their cards again, and tell the browsers."""
        for customer_id in customer_ids:
            self._forget(customer_id)
            self._hub.tell(Notice("card_changed", _ms(self._clock()), None, customer_id))

    async def mend(self) -> None:
        """For ever: ask again for what is lacking, and tell the browsers when it is there."""
        while True:
            await asyncio.sleep(AGAIN_S)
            for call in [self._hub.call(call_id) for call_id in tuple(self._lacking)]:
                if call and not call.ended_ms:
                    for customer_id in await self.of(call):
                        self.tell(customer_id)

    def tell(self, customer_id: int) -> None:
        """There is more to show of this customer than there was."""
        self._hub.tell(Notice("card_changed", _ms(self._clock()), None, customer_id))

    def _note(self, notice: Notice) -> None:
        if notice.kind == "card_changed" and notice.customer_id:
            self._forget(notice.customer_id)

    def _forget(self, customer_id: int) -> None:
        for held in self._held.values():
            held.cards.pop(customer_id, None)

    async def _find(self, call: LiveCall, wanted: set[int]) -> _Held:
        answer = await self._finder.find(Caller(call.caller_number, trunk=call.trunk), WITHIN_S)
        if not isinstance(answer, Found):
            return _Held({})
        cards = {card.customer_id: card for card in answer.candidates if card.customer_id in wanted}
        return _Held(cards, answer.chosen.customer_id if answer.chosen else None, answer.reason)

    def _keep(self, call_id: str, held: _Held) -> None:
        self._held.pop(call_id, None)
        self._held[call_id] = held
        if len(self._held) > MOST_CALLS:
            oldest = next(iter(self._held))
            del self._held[oldest]
            self._lacking.discard(oldest)


_NOTHING = _Held({})


def _ms(when: datetime) -> int:
    return int(when.timestamp() * 1000)
