"""The engine: which of its answers, from where, how soon, and what it remembers."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field, replace

import pytest

from config.settings import Lookup, Tiers
from lookup import card as card_bytes
from lookup.answers import Caller, Found, Number, Unavailable, Unknown, Withheld
from lookup.breaker import StoreGone
from lookup.card import Card, CardNumber, Match
from lookup.engine import ENDS, MOST_CANDIDATES, Counters, Engine, card_key, tail_key
from lookup.memory_cards import MemoryCache, MemorySource
from lookup.numbers import NumberPlan

KEY = "+85512345678"
CALLER = Caller("012345678", trunk="provider")
SOK = Card(7, 1, "Sok")
PLANS = {"": NumberPlan("US"), "provider": NumberPlan("KH")}
BUDGET_S = 5.0


@dataclass
class Cache(MemoryCache):
    """A cache whose every way to fail can be chosen, and that counts what it is asked."""

    gone: str = ""
    asked: list[str] = field(default_factory=list)
    ttls: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    async def get(self, key: str) -> bytes | None:
        self.asked.append(key)
        self._fail()
        return await super().get(key)

    async def store(self, key: str, raw: bytes, ttl_s: int) -> bool:
        self._fail()
        self.ttls[key] = ttl_s
        await asyncio.sleep(0)  # as for a server's answer
        return await super().store(key, raw, ttl_s)

    async def forget(self, keys: Collection[str]) -> None:
        self._fail()
        await super().forget(keys)

    def _fail(self) -> None:
        if self.gone:
            raise StoreGone(self.gone)


class Source(MemorySource):
    """A source that answers when it is let, and counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = ""
        self.asked: list[Number] = []
        self.open = asyncio.Event()
        self.open.set()

    async def fetch(self, number: Number) -> tuple[Match, ...]:
        self.asked.append(number)
        await self.open.wait()
        if self.gone:
            raise StoreGone(self.gone)
        return await super().fetch(number)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def cache() -> Cache:
    return Cache()


@pytest.fixture
def source() -> Source:
    source = Source()
    source.add(SOK, match_key=KEY)
    return source


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def engine(cache: Cache, source: Source, clock: Clock) -> AsyncIterator[Engine]:
    engine = Engine(PLANS, cache, source, Lookup(), own={"+85523900001"}, clock=clock)
    yield engine
    await engine.close()


async def settled(true: Callable[[], bool]) -> None:
    """Let the engine's own tasks run until this is so."""
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0)


def ended(engine: Engine, **expected: int) -> None:
    """These ends were counted, and no others."""
    assert {name: n for name in ENDS if (n := getattr(engine.counters, name))} == expected
    assert engine.counters.lookups == sum(expected.values())


# --- the four answers ---


async def test_a_customer_is_found_in_the_database_and_the_next_time_in_the_cache(
    engine: Engine, source: Source
) -> None:
    first = await engine.find(CALLER, BUDGET_S)
    assert isinstance(first, Found)
    assert (first.chosen, first.source, first.tier, first.number.match_key) == (SOK, "database", "exact", KEY)
    await settled(lambda: engine.counters.stored == 1)
    second = await engine.find(CALLER, BUDGET_S)
    assert second == replace(first, source="cache")
    assert len(source.asked) == 1
    ended(engine, found_in_database=1, found_in_cache=1)


async def test_a_number_that_nobody_has_is_remembered_as_such_for_a_shorter_time(
    engine: Engine, cache: Cache, source: Source
) -> None:
    nobody = replace(CALLER, number="012345679")
    assert isinstance(await engine.find(nobody, BUDGET_S), Unknown)
    await settled(lambda: engine.counters.stored == 1)
    assert isinstance(await engine.find(nobody, BUDGET_S), Unknown)
    await engine.find(CALLER, BUDGET_S)
    await settled(lambda: engine.counters.stored == 2)
    assert len(source.asked) == 2
    assert cache.ttls == {card_key("+85512345679"): Lookup().unknown_ttl_s, card_key(KEY): Lookup().card_ttl_s}
    ended(engine, unknown_in_database=1, unknown_remembered=1, found_in_database=1)


async def test_a_hidden_caller_is_never_looked_up(engine: Engine, cache: Cache, source: Source) -> None:
    answer = await engine.find(replace(CALLER, presentation="prohib"), BUDGET_S)
    assert isinstance(answer, Withheld)
    assert (cache.asked, source.asked) == ([], [])
    ended(engine, withheld=1)


async def test_our_own_lines_and_extensions_are_never_looked_up(engine: Engine, cache: Cache, source: Source) -> None:
    for number, reason in {"023900001": "the company's own", "101": "outside world", "*97": "outside world"}.items():
        answer = await engine.find(replace(CALLER, number=number), BUDGET_S)
        assert isinstance(answer, Unknown)
        assert reason in answer.reason
    assert (cache.asked, source.asked) == ([], [])
    ended(engine, own=1, not_a_number=2)


async def test_last_digits_are_looked_up_only_when_the_number_cannot_be_validated(cache: Cache, source: Source) -> None:
    source.add(SOK, tail="123456789")
    engine = Engine({"": NumberPlan("KH")}, cache, source, Lookup())
    answer = await engine.find(Caller("99123456789"), BUDGET_S)
    assert isinstance(answer, Found)
    assert answer.tier == "probable"
    assert cache.asked[0] == tail_key("123456789")
    await engine.find(CALLER, BUDGET_S)
    assert cache.asked[-1] == card_key(KEY)
    await engine.close()


async def test_the_trunk_decides_how_digits_are_read(engine: Engine) -> None:
    from_elsewhere = await engine.find(replace(CALLER, trunk="some other"), BUDGET_S)
    assert not isinstance(from_elsewhere, Found)
    assert isinstance(await engine.find(CALLER, BUDGET_S), Found)


def test_an_engine_without_a_plan_for_other_trunks_is_refused(cache: Cache, source: Source) -> None:
    with pytest.raises(ValueError, match="plans need"):
        Engine({"provider": NumberPlan("KH")}, cache, source, Lookup())


# --- the budget ---


async def test_a_slow_database_never_holds_the_call_and_its_answer_serves_the_next_one(
    engine: Engine, source: Source
) -> None:
    source.open.clear()
    answer = await engine.find(CALLER, 0.02)
    assert isinstance(answer, Unavailable)
    assert answer.reason == "no answer within 20 ms"
    assert answer.number.match_key == KEY
    source.open.set()
    await settled(lambda: engine.counters.stored == 1)
    later = await engine.find(CALLER, BUDGET_S)
    assert isinstance(later, Found)
    assert later.source == "cache"
    ended(engine, late=1, found_in_cache=1)


async def test_a_cache_that_never_answers_does_not_hold_the_call_either(source: Source) -> None:
    class Silent(MemoryCache):
        async def get(self, key: str) -> bytes | None:
            await asyncio.Event().wait()
            raise AssertionError("nobody sets the event")

    engine = Engine(PLANS, Silent(), source, Lookup())
    assert isinstance(await engine.find(CALLER, 0.02), Unavailable)
    ended(engine, late=1)


# --- one load for all who ask ---


async def test_callers_of_one_number_share_one_load(engine: Engine, source: Source) -> None:
    source.open.clear()
    calls = [asyncio.create_task(engine.find(CALLER, BUDGET_S)) for _ in range(10)]
    await settled(lambda: engine.counters.joined == 9)
    source.open.set()
    answers = await asyncio.gather(*calls)
    assert all(isinstance(answer, Found) for answer in answers)
    assert len(source.asked) == 1
    ended(engine, found_in_database=10)


async def test_a_first_caller_who_hangs_up_does_not_take_the_answer_from_the_others(
    engine: Engine, source: Source
) -> None:
    source.open.clear()
    first, *others = (asyncio.create_task(engine.find(CALLER, BUDGET_S)) for _ in range(10))
    await settled(lambda: engine.counters.joined == 9)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    source.open.set()
    assert all(isinstance(answer, Found) for answer in await asyncio.gather(*others))
    assert len(source.asked) == 1


async def test_cards_kept_at_the_same_time_are_all_counted(engine: Engine, source: Source) -> None:
    other = replace(CALLER, number="012345679")
    source.open.clear()
    both = [asyncio.create_task(engine.find(caller, BUDGET_S)) for caller in (CALLER, other)]
    await settled(lambda: len(source.asked) == 2)
    source.open.set()
    await asyncio.gather(*both)
    await settled(lambda: engine.counters.stored == 2)


async def test_what_another_load_has_just_stored_is_not_loaded_again(source: Source) -> None:
    """Our caller missed; before its load begins, the load before it stores the card: the second look sees it."""

    class JustStored(Cache):
        async def get(self, key: str) -> bytes | None:
            seen = await super().get(key)
            if len(self.asked) == 1:
                await MemoryCache.store(self, key, card_bytes.to_bytes([Match(SOK)]), 60)
            return seen

    engine = Engine(PLANS, JustStored(), source, Lookup())
    answer = await engine.find(CALLER, BUDGET_S)
    assert isinstance(answer, Found)
    assert answer.source == "cache"
    assert source.asked == []
    await engine.close()


async def test_close_ends_loads_under_way_and_whoever_waits_for_them(engine: Engine, source: Source) -> None:
    source.open.clear()
    call = asyncio.create_task(engine.find(CALLER, BUDGET_S))
    await settled(lambda: bool(source.asked))
    await engine.close()
    answer = await call
    assert isinstance(answer, Unavailable)
    assert answer.reason == "stopping"
    assert asyncio.all_tasks() == {asyncio.current_task()}


# --- stores that fail ---


async def test_without_the_cache_the_database_answers(
    engine: Engine, cache: Cache, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    cache.gone = "connection refused"
    for _ in range(5):
        answer = await engine.find(CALLER, BUDGET_S)
        assert isinstance(answer, Found)
        assert answer.source == "database"
    assert len(cache.asked) == 1  # and then it was left alone
    assert engine.counters.cache_gone == 5
    assert engine.outages == {"memory": "connection refused"}
    assert [record.message for record in caplog.records] == [
        "memory gone: connection refused; answering from the database"
    ]


async def test_a_cache_that_came_back_is_used_again(
    engine: Engine, cache: Cache, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    cache.gone = "connection refused"
    await engine.find(CALLER, BUDGET_S)
    cache.gone = ""
    clock.now += Lookup().breaker_s
    await engine.find(CALLER, BUDGET_S)
    await settled(lambda: engine.counters.stored == 1)
    answer = await engine.find(CALLER, BUDGET_S)
    assert isinstance(answer, Found)
    assert answer.source == "cache"
    assert engine.outages == {}
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2


async def test_without_the_database_cached_numbers_are_still_found_and_the_others_said_unavailable(
    engine: Engine, source: Source
) -> None:
    await engine.find(CALLER, BUDGET_S)
    await settled(lambda: engine.counters.stored == 1)
    source.gone = "disk full"
    assert isinstance(await engine.find(CALLER, BUDGET_S), Found)
    never_seen = replace(CALLER, number="012345679")
    first = await engine.find(never_seen, BUDGET_S)
    then = await engine.find(never_seen, BUDGET_S)
    assert isinstance(first, Unavailable)
    assert isinstance(then, Unavailable)
    assert (first.reason, then.reason) == ("disk full", "memory is gone: disk full")
    assert engine.counters.source_gone == 2
    ended(engine, found_in_database=1, found_in_cache=1, unavailable=2)


async def test_a_failure_is_never_remembered_as_nobody(engine: Engine, source: Source, clock: Clock) -> None:
    source.gone = "restarting"
    assert isinstance(await engine.find(CALLER, BUDGET_S), Unavailable)
    source.gone = ""
    clock.now += Lookup().breaker_s
    assert isinstance(await engine.find(CALLER, BUDGET_S), Found)


async def test_with_both_gone_every_call_goes_on_at_once(engine: Engine, cache: Cache, source: Source) -> None:
    cache.gone = source.gone = "killed"
    answers = [await engine.find(CALLER, BUDGET_S) for _ in range(3)]
    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert len(source.asked) == 1
    ended(engine, unavailable=3)


async def test_a_store_with_a_bug_is_taken_as_gone(source: Source, cache: Cache, clock: Clock) -> None:
    class Buggy(MemorySource):
        async def fetch(self, number: Number) -> tuple[Match, ...]:
            raise ZeroDivisionError

    engine = Engine(PLANS, cache, Buggy(), Lookup(), clock=clock)
    assert isinstance(await engine.find(CALLER, BUDGET_S), Unavailable)
    await engine.close()


# --- what the cache holds ---


async def test_what_another_version_cached_is_loaded_anew_and_replaced(
    engine: Engine, cache: Cache, source: Source
) -> None:
    await cache.store(card_key(KEY), b"\x00 another version's", 60)
    answer = await engine.find(CALLER, BUDGET_S)
    assert isinstance(answer, Found)
    assert answer.source == "database"
    await settled(lambda: engine.counters.stored == 1)
    assert await cache.get(card_key(KEY)) == card_bytes.to_bytes([Match(SOK)])
    assert (engine.counters.misses, engine.counters.other_version) == (1, 1)


async def test_a_changed_customer_is_loaded_anew(engine: Engine, source: Source) -> None:
    await engine.find(CALLER, BUDGET_S)
    await settled(lambda: engine.counters.stored == 1)
    changed = replace(SOK, name="Sok Dara")
    source.add(changed, match_key=KEY)
    await engine.forget([KEY])
    answer = await engine.find(CALLER, BUDGET_S)
    assert isinstance(answer, Found)
    assert answer.chosen == changed


async def test_whoever_changed_the_records_is_told_when_the_cache_could_not_forget(
    engine: Engine, cache: Cache
) -> None:
    cache.gone = "connection refused"
    with pytest.raises(StoreGone):
        await engine.forget([KEY], ["123456789"])


def test_every_end_is_a_counter() -> None:
    assert ENDS[-1] == "unavailable"
    assert Counters(found_in_cache=2, unavailable=3, misses=9, stored=9).lookups == 5


# --- tiers ---

SWITCHBOARD = "+85523900900"


def behind(customer_id: int) -> Card:
    ext = str(customer_id)
    return Card(customer_id, 1, f"Extension {ext}", numbers=(CardNumber(SWITCHBOARD, ext=ext),))


async def chosen(engine: Engine, raw: str) -> tuple[str, str, str]:
    """Who, by which tier and from where."""
    answer = await engine.find(Caller(raw, trunk="provider"), BUDGET_S)
    assert isinstance(answer, Found)
    return answer.chosen.name if answer.chosen else "", answer.tier, answer.source


async def test_an_extension_is_found_in_what_the_cache_has(engine: Engine, source: Source) -> None:
    for customer_id in (1, 2):
        source.add(behind(customer_id), SWITCHBOARD)
    assert await chosen(engine, SWITCHBOARD) == ("", "exact", "database")
    await settled(lambda: engine.counters.stored == 1)
    assert await chosen(engine, f"{SWITCHBOARD} ext 2") == ("Extension 2", "extension", "cache")
    assert len(source.asked) == 1


async def test_an_extension_that_is_not_among_those_who_are_kept_is_asked_for(
    engine: Engine, cache: Cache, source: Source
) -> None:
    for customer_id in range(1, MOST_CANDIDATES + 5):
        source.add(behind(customer_id), SWITCHBOARD)
    last = MOST_CANDIDATES + 4
    for _ in range(2):
        assert await chosen(engine, f"{SWITCHBOARD} ext {last}") == (f"Extension {last}", "extension", "database")
    await settled(lambda: engine.counters.stored == 1)
    kept = card_bytes.from_bytes(await cache.get(card_key(SWITCHBOARD)) or b"")
    assert [match.card.customer_id for match in kept or ()] == list(range(1, MOST_CANDIDATES + 1))
    assert await chosen(engine, SWITCHBOARD) == ("", "exact", "cache")
    source.gone = "frozen"
    assert (await chosen(engine, f"{SWITCHBOARD} ext {last}"))[1:] == ("exact", "cache")


async def test_every_number_of_a_range_is_forgotten_and_no_other(engine: Engine, cache: Cache) -> None:
    inside = [f"+8552390{i:04}" for i in (0, 999, 1000, 5555, 9999)]
    outside = ["+85523890000", "+85523910000", "+8552390000", "+855239000000"]
    for key in (*inside, *outside):
        await cache.store(card_key(key), b"card", 60)
    await engine.forget((), (), [("+8552390", 4)])
    assert [await cache.get(card_key(key)) for key in inside] == [None] * 5
    assert [await cache.get(card_key(key)) for key in outside] == [b"card"] * 4
    assert not await cache.store(card_key("+85523901234"), b"as it was before", 60)


async def test_our_own_line_is_nobody_also_by_its_last_digits(cache: Cache, source: Source) -> None:
    source.add(SOK, tail="23900001")
    engine = Engine(PLANS, cache, source, Lookup(), own={"+85523900001", "23900001"})
    for raw, trunk in (("+85523900001", ""), ("023 900 001", "provider"), ("023 900 001", "")):
        answer = await engine.find(Caller(raw, trunk=trunk), BUDGET_S)
        assert isinstance(answer, Unknown)
        assert "own" in answer.reason
    assert source.asked == []
    await engine.close()


async def test_a_tier_that_is_off_is_off_for_what_the_cache_has_too(cache: Cache, source: Source) -> None:
    source.add_range(SOK, "+855239001", 2, "023 900 1xx")
    for tiers, kind in ((Tiers(), Found), (Tiers(range="off"), Unknown), (Tiers(), Found)):
        engine = Engine(PLANS, cache, source, Lookup(), tiers=tiers)
        assert isinstance(await engine.find(Caller("+85523900150"), BUDGET_S), kind)
        await settled(lambda engine=engine: engine.counters.stored + engine.counters.found_in_cache)  # type: ignore[misc]
        await engine.close()
    assert len(source.asked) == 1
