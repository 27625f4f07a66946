"""The engine: who is calling? Cache first, then the company's database, all within the call's budget.

`find` gives one of four answers and never raises. What it cannot learn in time it goes on loading for the next call.
A number that several calls ask for at once is loaded once; the load is the engine's own task, so that a caller who
hangs up does not take the answer away from the others.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Protocol

from config.measures import LOOKUP_BOUNDS, Histogram
from config.settings import Lookup, Tiers
from lookup import card as card_bytes
from lookup import matching, numbers, reasons
from lookup.answers import Answer, Caller, Found, Number, Source, Unavailable, Unknown, Withheld
from lookup.breaker import Breaker, StoreGone
from lookup.card import Match

__all__ = [
    "MOST_CANDIDATES",
    "CardCache",
    "CardSource",
    "Counters",
    "Engine",
    "StoreGone",
    "card_key",
    "key_of",
    "tail_key",
]

MOST_CANDIDATES = 5
"""Customers of one shared number that a source returns; the card of a switchboard number needs no fifty names."""


FORGOTTEN_AT_ONCE = 1000
"""Numbers of a range that one piece has."""


class CardCache(Protocol):
    """What the engine asks of a cache. Every method raises StoreGone for any trouble, and soon."""

    name: str  # for the log

    async def get(self, key: str) -> bytes | None:
        """What was stored, or None."""
        ...

    async def store(self, key: str, raw: bytes, ttl_s: int) -> bool:
        """Keep `raw` for `ttl_s` seconds. False: declined, because the key was forgotten a moment ago or it is full."""
        ...

    async def forget(self, keys: Collection[str]) -> None:
        """Drop these, for whoever changed the records behind them.

        For some seconds nothing is stored under them: a load that read the records before the change, and arrives
        after it, would otherwise bring the old card back for a whole TTL.
        """
        ...

    async def server(self) -> str:
        """Who answers: another text after a start or a fail-over, when what was forgotten may be there again."""
        ...

    async def vouch(self, server: str) -> None:
        """This server, as `server` names it, was told all that changed: what it keeps may be read."""
        ...

    async def check(self) -> str:
        """One line on the store that answers, for doctor and the health page."""
        ...

    async def close(self) -> None: ...


class CardSource(Protocol):
    """What the engine asks of the records. Every method raises StoreGone for any trouble, in a few seconds at most."""

    name: str

    async def fetch(self, number: Number) -> tuple[Match, ...]:
        """The customers with this match_key, else whose narrowest range holds it; for a number without, with this tail.

        At most MOST_CANDIDATES: those of the lowest order first, of these who has it with the same extension, where
        the number has one, then whom a person chose, then by id. Empty: nobody, or the number is a phone of the
        company's own people.
        """
        ...

    async def check(self) -> str: ...

    async def close(self) -> None: ...


def card_key(match_key: str) -> str:
    """Where the cache keeps the customers of a validated number. The prefix changes with the meaning of the keys."""
    return f"rc1:card:{match_key}"


def tail_key(tail: str) -> str:
    """Where the cache keeps the customers whose numbers end like one that could not be validated."""
    return f"rc1:tail:{tail}"


def key_of(number: Number) -> str:
    """The one key of this number; empty: there is nothing to look up."""
    if number.match_key:
        return card_key(number.match_key)
    return tail_key(number.tail) if number.tail else ""


@dataclass(slots=True)
class Counters:
    """Every way a lookup can end (their sum is the number of lookups), then what happened on the way."""

    found_in_cache: int = 0
    unknown_remembered: int = 0  # the cache knew that nobody has this number
    found_in_database: int = 0
    unknown_in_database: int = 0
    withheld: int = 0
    own: int = 0  # one of the company's own lines
    not_a_number: int = 0  # an extension, a service code, nothing readable
    late: int = 0  # the budget ended first
    unavailable: int = 0  # neither store could say

    misses: int = 0  # the cache answered that it has nothing
    other_version: int = 0  # of these: it has something that another version of the program wrote
    cache_gone: int = 0  # the cache failed, or was left alone
    source_gone: int = 0  # the database failed, or was left alone
    joined: int = 0  # waited for another call's load of the same number
    loaded: int = 0  # loads from the database that came back, in time or not
    stored: int = 0  # of these: the cache took them

    answers: dict[tuple[str, str, str], int] = field(default_factory=dict)  # by answer, tier, and who knew it
    took: Histogram = field(default_factory=lambda: Histogram(LOOKUP_BOUNDS))  # seconds

    @property
    def lookups(self) -> int:
        return sum(getattr(self, name) for name in ENDS)


ENDS = tuple(itertools.takewhile(lambda name: name != "misses", (each.name for each in fields(Counters))))


@dataclass(frozen=True, slots=True)
class _Looked:
    """The customers behind a key, and who said so."""

    matches: tuple[Match, ...]
    source: Source


class Engine:
    """One per process.

    `plans`: number plan by trunk, "" for every other trunk; `own`: match keys and tails of our own lines; `tiers`: what
    a match may do.
    """

    def __init__(
        self,
        plans: Mapping[str, numbers.NumberPlan],
        cache: CardCache,
        source: CardSource,
        settings: Lookup,
        own: Collection[str] = frozenset(),
        clock: Callable[[], float] = time.monotonic,
        tiers: Tiers = matching.AS_SHIPPED,
    ) -> None:
        if "" not in plans:
            raise ValueError('plans need the one for trunks that have none of their own, under ""')
        self.counters = Counters()
        self._plans = plans
        self._cache = cache
        self._source = source
        self._settings = settings
        self._own = frozenset(own)
        self._tiers = tiers
        self._clock = clock
        self._ask_cache = Breaker(cache.name, "answering from the database", settings.breaker_s, clock)
        self._ask_source = Breaker(
            source.name, "calls whose number is not cached go on unnamed", settings.breaker_s, clock
        )
        self._landing: dict[str, asyncio.Future[_Looked | StoreGone]] = {}
        self._loads: set[asyncio.Task[None]] = set()

    async def find(self, caller: Caller, budget_s: float) -> Answer:
        """Who this is, within `budget_s` seconds of now. Never raises (cancellation passes through)."""
        began = self._clock()
        answer, source = await self._answer(caller, budget_s)
        self.counters.took.observe(self._clock() - began)
        kind = type(answer).__name__.lower()
        end = (kind, answer.tier if isinstance(answer, Found) else "", source)
        self.counters.answers[end] = self.counters.answers.get(end, 0) + 1
        return answer

    async def _answer(self, caller: Caller, budget_s: float) -> tuple[Answer, str]:
        """The answer, and who knew it: a Source, or empty when nobody was asked or could say."""
        hidden = numbers.withheld(caller)
        if hidden:
            self.counters.withheld += 1
            return Withheld(hidden), ""
        number = numbers.read(caller.number, self._plans.get(caller.trunk) or self._plans[""])
        if (number.match_key or number.tail) in self._own:
            self.counters.own += 1
            return Unknown(number, reasons.OWN_NUMBER), ""
        key = key_of(number)
        if not key:
            self.counters.not_a_number += 1
            return Unknown(number, reasons.NO_OUTSIDE_NUMBER), ""
        return await self._find(key, number, budget_s)

    async def forget(
        self, match_keys: Iterable[str], tails: Iterable[str] = (), ranges: Iterable[tuple[str, int]] = ()
    ) -> None:
        """The records behind these have changed, and the change is committed. Raises StoreGone.

        Of a range (how its match_keys begin, and how many digits follow) every number is forgotten, in pieces: most of
        them may be remembered as nobody's.
        """
        await self._cache.forget({*map(card_key, match_keys), *map(tail_key, tails)})
        for prefix, open_digits in ranges:
            numbers_of = (card_key(f"{prefix}{i:0{open_digits}}") for i in range(10**open_digits))
            while piece := tuple(itertools.islice(numbers_of, FORGOTTEN_AT_ONCE)):
                await self._cache.forget(piece)

    async def cache_server(self) -> str:
        """Which server was told by `forget`: see `CardCache.server`. Raises StoreGone."""
        return await self._cache.server()

    async def vouch_for_cache(self, server: str) -> None:
        """See `CardCache.vouch`. Raises StoreGone."""
        await self._cache.vouch(server)

    async def close(self) -> None:
        """End the loads that are still under way. The stores are closed by whoever opened them."""
        for task in self._loads:
            task.cancel()
        await asyncio.gather(*self._loads, return_exceptions=True)

    @property
    def outages(self) -> dict[str, str]:
        """Stores that are being left alone now, with the reason; for the health page."""
        return {store.name: store.gone for store in (self._ask_cache, self._ask_source) if store.gone}

    @property
    def stores(self) -> tuple[str, str]:
        """The names of the cache and of the source."""
        return self._ask_cache.name, self._ask_source.name

    async def _find(self, key: str, number: Number, budget_s: float) -> tuple[Answer, str]:
        try:
            async with asyncio.timeout(budget_s):
                looked = await self._remembered(key) or await self._loaded(key, number)
                if number.ext and isinstance(looked, _Looked) and len(looked.matches) >= MOST_CANDIDATES:
                    looked = await self._with_extension(number, looked)
        except TimeoutError:
            self.counters.late += 1
            return Unavailable(number, reasons.LATE.format(ms=round(budget_s * 1000))), ""
        if isinstance(looked, StoreGone):
            self.counters.unavailable += 1
            return Unavailable(number, looked.reason), ""
        self._count(looked)
        return matching.choose(number, looked.matches, looked.source, self._tiers), looked.source

    async def _remembered(self, key: str, *, again: bool = False) -> _Looked | None:
        try:
            raw = await self._ask_cache.ask(lambda: self._cache.get(key))
        except StoreGone:
            self.counters.cache_gone += not again
            return None
        matches = card_bytes.from_bytes(raw) if raw else None
        if matches is None:
            self.counters.misses += not again
            self.counters.other_version += bool(raw) and not again
            return None
        return _Looked(matches, "cache")

    async def _loaded(self, key: str, number: Number) -> _Looked | StoreGone:
        landing = self._landing.get(key)
        if landing is None:
            landing = self._landing[key] = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(self._load(key, number, landing), name=f"load {key}")
            self._loads.add(task)
            task.add_done_callback(self._loads.discard)
        else:
            self.counters.joined += 1
        return await asyncio.shield(landing)  # else the first caller to hang up would cancel it for all

    async def _load(self, key: str, number: Number, landing: asyncio.Future[_Looked | StoreGone]) -> None:
        """Land the customers of one key, then keep them. Whoever comes before they are kept still finds the landing."""
        try:
            # Between our caller's miss and now, the load before this one may have stored what we are about to fetch.
            # What is kept is for callers with any extension and with none.
            looked = await self._remembered(key, again=True) or await self._fetched(replace(number, ext=""))
            landing.set_result(looked)
            if looked.source != "cache":
                await self._keep(key, looked.matches)
        except StoreGone as gone:
            landing.set_result(gone)
        finally:
            del self._landing[key]
            if not landing.done():
                landing.set_result(StoreGone("stopping"))

    async def _with_extension(self, number: Number, looked: _Looked) -> _Looked:
        """For a switchboard that more customers share than are kept: whose extension this is may be none of those."""
        try:
            return await self._fetched(number)
        except StoreGone:
            return looked

    async def _fetched(self, number: Number) -> _Looked:
        try:
            matches = await self._ask_source.ask(lambda: self._source.fetch(number))
        except StoreGone:
            self.counters.source_gone += 1
            raise
        self.counters.loaded += 1
        return _Looked(matches, "database")

    async def _keep(self, key: str, matches: tuple[Match, ...]) -> None:
        ttl_s = self._settings.card_ttl_s if matches else self._settings.unknown_ttl_s
        raw = card_bytes.to_bytes(matches)
        try:
            stored = await self._ask_cache.ask(lambda: self._cache.store(key, raw, ttl_s))
        except StoreGone:
            return  # already logged, once for the outage; the next call loads it again
        self.counters.stored += stored

    def _count(self, looked: _Looked) -> None:
        if looked.source == "cache":
            name = "found_in_cache" if looked.matches else "unknown_remembered"
        else:
            name = "found_in_database" if looked.matches else "unknown_in_database"
        setattr(self.counters, name, getattr(self.counters, name) + 1)
