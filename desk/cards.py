"""Cards of the customers in live calls, from the very lookup that named the call, remembered while they are wanted.

So the screen shows what the phone shows, in a millisecond, and goes on doing so while the database is away. A card that
cannot be read now is asked for again until it can, and then everybody who shows it is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from desk.live import Hub
from desk.parts import DeskParts
from desk.store import Store
from lookup.answers import Caller, Found, Unknown
from lookup.card import Card
from lookup.notices import LiveCall, Notice
from records.aliases import merged_into
from records.errors import DatabaseGone

WITHIN_S = 0.5
AGAIN_S = 2.0
MOST_CALLS = 1_000


@dataclass(frozen=True, slots=True)
class _Held:
    """What was read for one call."""

    cards: dict[int, Card]
    chosen: int | None = None  # among several customers, the one whom a person chose
    reason: str = ""  # empty: the customers could not be read
    tier: str = ""  # "nobody": nobody has the number; empty: that could not be asked
    merged: Mapping[int, int] = field(default_factory=dict)  # customers of the call who are others by now

    def has(self, wanted: Iterable[int]) -> bool:
        """The cards of all these, or of who they are by now."""
        return all(self.merged.get(one, one) in self.cards for one in wanted)

    def of_now(self, call: LiveCall) -> LiveCall:
        """The call with who its customers are by now."""
        if not self.merged:
            return call
        ids = tuple(dict.fromkeys(self.merged.get(one, one) for one in call.customer_ids))
        chosen = self.merged.get(call.customer_id or 0, call.customer_id)
        return replace(call, customer_ids=ids, customer_id=ids[0] if len(ids) == 1 else chosen)


class LiveCards:
    """The cards of each live call, read afresh for each. One per process."""

    def __init__(self, parts: DeskParts, hub: Hub, store: Store) -> None:
        self._finder = parts.finder
        self._store = store
        self._clock = parts.clock
        self._hub = hub
        self._held: dict[str, _Held] = {}  # by call, oldest first
        self._lacking: set[str] = set()  # calls some of whose cards could not be read
        self._asked_anew = 0  # how often somebody may have got the number of a call that is nobody's
        hub.watch(self._note)

    async def of(self, call: LiveCall) -> Mapping[int, Card]:
        """The cards of this call's customers by id; those that cannot be read now are left out."""
        if call.is_nobodys:
            return await self._of_nobodys(call)
        wanted = {*call.customer_ids, *((call.customer_id,) if call.customer_id else ())}
        held = self._held.get(call.call_id, _NOTHING)
        if held.has(wanted):
            return held.cards
        held = await self._find(call, wanted)
        self._keep(call.call_id, held)
        (self._lacking.discard if held.has(wanted) else self._lacking.add)(call.call_id)
        return held.cards

    def as_chosen(self, call: LiveCall) -> LiveCall:
        """The call with the customer whom a person has chosen by now, of those who share its number, or to whom its
        number was given; after `of`."""
        held = self._held.get(call.call_id, _NOTHING)
        if call.is_nobodys and held.cards:
            found = replace(call, answer="found", customer_ids=tuple(held.cards), customer_id=held.chosen)
            return replace(found, tier=held.tier, match_reason=held.reason)
        call = held.of_now(call)
        if len(call.customer_ids) < 2 or not held.reason or held.chosen == call.customer_id:
            return call
        return replace(call, customer_id=held.chosen, match_reason=held.reason)

    def changed(self, customer_ids: Iterable[int]) -> None:
        """Something about these customers is not as it was: read their cards again, and tell the browsers."""
        for customer_id in customer_ids:
            self._forget(customer_id)
            self._hub.tell(Notice("card_changed", _ms(self._clock()), None, customer_id))
        if any(call.is_nobodys and not call.ended_ms for call in self._hub.calls()[1]):
            self._ask_nobodys_anew()
            self._hub.tell(Notice("card_changed", _ms(self._clock()), None))

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

    def tell_all(self) -> None:
        """Cards are laid out in another way."""
        calls = [call for call in self._hub.calls()[1] if not call.ended_ms]
        for customer_id in {id for call in calls for id in (*call.customer_ids, call.customer_id) if id}:
            self.tell(customer_id)

    def _note(self, notice: Notice) -> None:
        if notice.kind != "card_changed" or notice.call:
            return
        if notice.customer_id:
            self._forget(notice.customer_id)
        self._ask_nobodys_anew()

    def _forget(self, customer_id: int) -> None:
        for held in self._held.values():
            held.cards.pop(customer_id, None)

    def _ask_nobodys_anew(self) -> None:
        self._asked_anew += 1
        for call in self._hub.calls()[1]:
            if call.is_nobodys:
                self._held.pop(call.call_id, None)

    async def _of_nobodys(self, call: LiveCall) -> Mapping[int, Card]:
        """Who has the number by now; asked once, and again after each change."""
        held, asked_anew = self._held.get(call.call_id), self._asked_anew
        if held is None:
            held = await self._find(call, None)
            if asked_anew == self._asked_anew and held.tier:
                self._keep(call.call_id, held)
        return held.cards

    async def _find(self, call: LiveCall, wanted: set[int] | None) -> _Held:
        """`wanted` None: whoever has the number."""
        answer = await self._finder.find(Caller(call.customer_number, trunk=call.trunk), WITHIN_S)
        if not isinstance(answer, Found):
            return _Held({}, tier="nobody" if isinstance(answer, Unknown) else "")
        cards = {card.customer_id: card for card in answer.candidates}
        merged = await self._merged((wanted or set()) - cards.keys())
        if wanted is not None:
            wanted = {merged.get(one, one) for one in wanted}
            cards = {id: card for id, card in cards.items() if id in wanted}
        chosen = answer.chosen.customer_id if answer.chosen else None
        return _Held(cards, chosen, answer.reason, answer.tier, merged)

    async def _merged(self, gone: Collection[int]) -> Mapping[int, int]:
        """Who these customers are by now whom a lookup does not find any more, as far as that can be asked."""
        if not gone:
            return {}
        try:
            return await self._store.read(lambda records: merged_into(records, gone), WITHIN_S)
        except DatabaseGone:
            return {}

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
