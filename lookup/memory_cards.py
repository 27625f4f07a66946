"""Cards in a dict: the same promises as Redis and the database keep, within one process.

For installs without Redis, and for tests. Nothing here outlives the process or is seen by another one.
"""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection
from dataclasses import replace

from lookup.answers import Number
from lookup.card import Card, Choice, Match
from lookup.engine import MOST_CANDIDATES, card_key, key_of, tail_key
from lookup.numbers import folded, unfolded
from records.ranges import MOST_OPEN

FORGOTTEN_S = 10.0
"""How long nothing is stored under a forgotten key; longer than any load of the engine's takes."""


class MemoryCache:
    """A CardCache of at most `most` keys; the least recently used one makes room."""

    name = "memory"

    def __init__(self, most: int = 50_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._held: OrderedDict[str, tuple[bytes, float]] = OrderedDict()  # bytes (empty: forgotten), until when

    async def get(self, key: str) -> bytes | None:
        return self._live(key) or None

    async def store(self, key: str, raw: bytes, ttl_s: int) -> bool:
        if self._live(key) == b"":
            return False
        self._put(key, raw, ttl_s)
        return True

    async def forget(self, keys: Collection[str]) -> None:
        for key in keys:
            self._put(key, b"", FORGOTTEN_S)

    async def vouch(self, server: str) -> None:
        """It forgets nothing that it was told."""

    async def server(self) -> str:
        return "memory"

    async def check(self) -> str:
        return f"in memory, {len(self._held)} keys of at most {self._most}"

    async def close(self) -> None:
        self._held.clear()

    def _live(self, key: str) -> bytes | None:
        raw, until = self._held.get(key, (None, 0.0))
        if raw is None:
            return None
        if until <= self._clock():
            del self._held[key]
            return None
        self._held.move_to_end(key)
        return raw

    def _put(self, key: str, raw: bytes, ttl_s: float) -> None:
        self._held[key] = (raw, self._clock() + ttl_s)
        self._held.move_to_end(key)
        if len(self._held) > self._most:
            self._held.popitem(last=False)


class MemorySource:
    """A CardSource that holds what it was given. `own`: numbers of the company's people, who are never customers."""

    name = "memory"

    def __init__(self) -> None:
        self.own: set[str] = set()
        self._cards: defaultdict[str, dict[int, Card]] = defaultdict(dict)
        self._ranges: defaultdict[str, dict[int, Match]] = defaultdict(dict)  # by how its keys begin, and dots
        self._choices: dict[str, tuple[int, Choice]] = {}

    def add(self, card: Card, match_key: str = "", tail: str = "") -> None:
        """This customer has a number with this key, and these last digits."""
        if match_key:
            self._cards[card_key(match_key)][card.customer_id] = card
        if tail:
            self._cards[tail_key(tail)][card.customer_id] = card

    def add_range(self, card: Card, prefix: str, open_digits: int, raw: str) -> None:
        """This customer has all numbers whose keys begin so and go on with so many digits."""
        self._ranges[prefix + "." * open_digits][card.customer_id] = Match(card, raw)

    def choose(self, match_key: str, customer_id: int, choice: Choice) -> None:
        self._choices[match_key] = customer_id, choice

    async def fetch(self, number: Number) -> tuple[Match, ...]:
        if not self.own.isdisjoint(unfolded(number.match_key)):
            return ()
        found = [Match(card) for card in self._cards.get(key_of(number), {}).values()] or self._in_range(number)
        chosen, choice = self._choices.get(number.match_key, (None, None))
        found = [replace(match, choice=choice if match.card.customer_id == chosen else None) for match in found]

        def place(match: Match) -> tuple[int, bool, bool, int]:
            exts = {each.ext for each in match.card.numbers if folded(each.e164) == number.match_key}
            is_other = not number.ext or number.ext not in exts
            return match.card.order, is_other, match.choice is None, match.card.customer_id

        return tuple(sorted(found, key=place)[:MOST_CANDIDATES])

    async def check(self) -> str:
        return f"in memory, {len(self._cards) + len(self._ranges)} keys"

    async def close(self) -> None:
        self._cards.clear()
        self._ranges.clear()
        self._choices.clear()

    def _in_range(self, number: Number) -> list[Match]:
        key = number.match_key
        patterns = (key[: len(key) - n] + "." * n for n in range(1, MOST_OPEN + 1))
        return next(([*self._ranges[pattern].values()] for pattern in patterns if pattern in self._ranges), [])
