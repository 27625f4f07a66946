"""What other databases know of a customer, asked for beside the card and never waited for by it.

A card is shown at once with what is at hand. What is lacking is asked for, once for all who show it, and when the
answer is there they are told that the card changed. A database that fails or is too slow is left alone for some
seconds; its fields show their defaults meanwhile, and the log says so once.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from config.card_fields import Query, parameters
from desk.views import Answers
from lookup.breaker import Breaker, StoreGone
from lookup.card import Card
from records.elsewhere import Elsewhere, NoAnswer
from records.tables import Customer

AT_ONCE = 4
"""Questions of one query that are under way at once; further ones wait for their turn."""

MOST_WAITING = 200
REST_S = 5.0
LEAST_CACHE_S = 5
"""An answer is good for long enough to be shown to all who were told of it."""

MOST_KEPT = 10_000
DATABASE_LATER_S = 0.1
"""The database ends a statement this much after we stopped waiting, so that it is always the same side that does."""

GOODBYE_S = 2.0

Row = Mapping[str, Any]
Key = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a query is asked about: the parameters that it may use."""

    number: str
    customer_id: int
    external_id: str
    name: str
    company: str
    email: str


def subject_of_card(card: Card, number: str) -> Subject:
    """The customer of a card, who calls from `number`."""
    return Subject(number, card.customer_id, card.external_id, card.name, card.company, card.email)


def subject_of(customer: Customer) -> Subject:
    """A customer who is not calling: with their first number."""
    number = next((item.e164 or item.raw for item in customer.numbers), "")
    external_id = customer.external_id or ""
    return Subject(number, customer.id, external_id, customer.name, customer.company, customer.email)


@dataclass(slots=True)
class Counters:
    """What became of the questions of one query."""

    asked: int = 0
    answered: int = 0
    late: int = 0
    failed: int = 0
    left_alone: int = 0  # not asked, because the database was failing or too many waited
    joined: int = 0  # waited for another's question about the same
    remembered: int = 0  # answered from memory


@dataclass(slots=True)
class _Held:
    row: Row | None  # None: there was no answer
    until: float


@dataclass(slots=True)
class _Landing:
    task: asyncio.Task[None]
    customers: set[int] = field(default_factory=set)


class Queries:
    """All queries of the settings, for one process. `changed` is told of a customer about whom an answer came."""

    def __init__(
        self,
        queries: Mapping[str, Query],
        changed: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sources = {name: _Source(name, query, clock) for name, query in queries.items()}
        self._changed = changed
        self._clock = clock
        self._held: OrderedDict[Key, _Held] = OrderedDict()
        self._landing: dict[Key, _Landing] = {}

    def at_hand(self, subject: Subject, names: Iterable[str]) -> Answers:
        """What is known now, at once. What is lacking is asked for; a query that is left out has not answered yet."""
        answers: dict[str, Row | None] = {}
        for name in names:
            key = self._sources[name].key(subject)
            held = self._held.get(key)
            if held and held.until > self._clock():
                self._sources[name].counters.remembered += 1
            else:
                self._ask(key, subject)
            held = self._held.get(key)
            # What failed goes on showing its default while it is asked for again.
            if held and (held.row is None or held.until > self._clock()):
                answers[name] = held.row
        return answers

    async def all_of(self, subject: Subject, names: Collection[str]) -> Answers:
        """The same, when the last of them has answered or failed."""
        answers = self.at_hand(subject, names)
        keys = [self._sources[name].key(subject) for name in names]
        if tasks := [self._landing[key].task for key in keys if key in self._landing]:
            await asyncio.wait(tasks)
            answers = self.at_hand(subject, names)
        return answers

    @property
    def counters(self) -> dict[str, Counters]:
        return {name: source.counters for name, source in self._sources.items()}

    @property
    def outages(self) -> dict[str, str]:
        """Queries whose database is left alone now, with the reason."""
        return {name: source.breaker.gone for name, source in self._sources.items() if source.breaker.gone}

    async def close(self) -> None:
        tasks = [landing.task for landing in self._landing.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(source.close() for source in self._sources.values()))

    def _ask(self, key: Key, subject: Subject) -> None:
        source = self._sources[key[0]]
        landing = self._landing.get(key)
        if landing:
            source.counters.joined += 1
        elif sum(key[0] == other[0] for other in self._landing) >= MOST_WAITING:
            source.counters.left_alone += 1
            self._keep(key, None, REST_S)
            return
        else:
            task = asyncio.create_task(self._land(key, source, source.values(subject)), name=f"query {key[0]}")
            landing = self._landing[key] = _Landing(task)
        landing.customers.add(subject.customer_id)

    async def _land(self, key: Key, source: _Source, values: Row) -> None:
        try:
            try:
                row: Row | None = await source.ask(values)
            except StoreGone:
                row = None
            self._keep(key, row, REST_S if row is None else source.cache_s)
        finally:
            landing = self._landing.pop(key)
        for customer_id in landing.customers:
            self._changed(customer_id)

    def _keep(self, key: Key, row: Row | None, for_s: float) -> None:
        self._held[key] = _Held(row, self._clock() + for_s)
        self._held.move_to_end(key)
        if len(self._held) > MOST_KEPT:
            self._held.popitem(last=False)


class _Source:
    """One query: its database, its threads, and whether it is left alone."""

    def __init__(self, name: str, query: Query, clock: Callable[[], float]) -> None:
        self.counters = Counters()
        self.cache_s = max(query.cache_s, LEAST_CACHE_S)
        self.breaker = Breaker(f"query {name}", "its fields show their defaults", REST_S, clock)
        self._name = name
        self._limit_s = query.limit_ms / 1000
        self._parameters = sorted(parameters(query.sql))
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix=f"query-{name}")
        self._elsewhere: Elsewhere | NoAnswer  # the latter: why there is none
        try:
            self._elsewhere = Elsewhere(query.url, query.sql, self._limit_s + DATABASE_LATER_S)
        except NoAnswer as exc:
            self._elsewhere = exc

    def values(self, subject: Subject) -> dict[str, Any]:
        return {name: getattr(subject, name) for name in self._parameters}

    def key(self, subject: Subject) -> Key:
        return self._name, tuple(self.values(subject).values())

    async def ask(self, values: Row) -> Row:
        """Raises StoreGone."""
        async with self._turns:
            tried = False

            def trying() -> Awaitable[Row]:
                nonlocal tried
                tried = True
                return self._answer(values)

            try:
                return await self.breaker.ask(trying)
            finally:
                self.counters.left_alone += not tried

    async def close(self) -> None:
        """Waits for the statements under way, which the database ends within their time limit."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limit_s + GOODBYE_S):
                await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        if isinstance(self._elsewhere, Elsewhere):
            self._elsewhere.close()

    async def _answer(self, values: Row) -> Row:
        self.counters.asked += 1
        try:
            async with asyncio.timeout(self._limit_s):
                row = await asyncio.get_running_loop().run_in_executor(self._threads, self._first_row, values)
        except TimeoutError:
            self.counters.late += 1
            raise StoreGone(f"no answer within {self._limit_s * 1000:.0f} ms") from None
        except NoAnswer as exc:
            self.counters.failed += 1
            raise StoreGone(str(exc)) from exc
        self.counters.answered += 1
        return row

    def _first_row(self, values: Row) -> Row:
        if isinstance(self._elsewhere, NoAnswer):
            raise self._elsewhere
        return self._elsewhere.first_row(values)
