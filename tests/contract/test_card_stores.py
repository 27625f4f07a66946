"""What every cache and every source of cards promises to the engine, whatever it is made of."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, event, text

from lookup.answers import Number
from lookup.card import Card, CardNumber, CardOrder, CardTask, Choice, Match, Money, Person, Phone, from_bytes, to_bytes
from lookup.engine import MOST_CANDIDATES, CardCache, CardSource
from lookup.memory_cards import MemoryCache, MemorySource
from lookup.redis_cards import RedisCards
from lookup.redis_cluster import ClusterCards
from lookup.sql_cards import SqlCards
from records.database import open_database, writing
from records.tables import (
    Base,
    Customer,
    Endpoint,
    EndpointPerson,
    NumberChoice,
    NumberRange,
    Order,
    PhoneNumber,
    Task,
    Team,
    User,
)
from ringcard.redis_server import OwnServer

# --- caches ---


SERVERS = ("redis", "valkey", "cluster", "sentinel")
CACHES = ["memory", *SERVERS, *(f"{server} and near" for server in SERVERS)]


@pytest.fixture(params=CACHES)
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[CardCache]:
    # Not the time limit of a call: a busy machine must not fail a test of something else.
    server, _, near = request.param.partition(" and ")
    held: CardCache
    if server == "memory":
        held = MemoryCache()
    else:
        kind = ClusterCards if server == "cluster" else RedisCards
        held = kind(request.getfixturevalue(f"{server}_url"), 2, near=500 if near else 0)
    yield held
    await held.close()


async def test_what_was_stored_comes_back_byte_by_byte(cache: CardCache) -> None:
    every_byte = bytes(range(256)) + b"\r\n$-1\r\n"
    assert await cache.get("rc1:card:+1") is None
    assert await cache.store("rc1:card:+1", every_byte, 60)
    assert await cache.get("rc1:card:+1") == every_byte


async def test_a_later_store_replaces_an_earlier_one(cache: CardCache) -> None:
    await cache.store("k", b"old", 60)
    await cache.store("k", b"new", 60)
    assert await cache.get("k") == b"new"


async def test_what_was_stored_is_gone_after_its_time(cache: CardCache) -> None:
    await cache.store("k", b"short", 1)
    await cache.store("other", b"long", 60)
    async with asyncio.timeout(30):
        while await cache.get("k"):
            await asyncio.sleep(0.02)
    assert await cache.get("other") == b"long"


async def test_what_was_forgotten_is_gone_and_the_rest_is_not(cache: CardCache) -> None:
    keys = [f"k{i}" for i in range(1000)]
    await asyncio.gather(*(cache.store(key, b"card", 60) for key in [*keys, "kept"]))
    await cache.forget(keys)
    assert await asyncio.gather(*(cache.get(key) for key in keys)) == [None] * 1000
    assert await cache.get("kept") == b"card"


async def test_a_load_that_began_before_a_change_does_not_bring_the_old_card_back(cache: CardCache) -> None:
    assert await cache.get("k") is None  # a call: the engine begins to read the database
    await cache.forget(["k"])  # the desk: the customer has changed
    assert not await cache.store("k", b"as it was before the change", 3600)
    assert await cache.get("k") is None


async def test_forgetting_nothing_is_nothing(cache: CardCache) -> None:
    await cache.forget([])
    assert await cache.store("k", b"card", 60)


async def test_many_at_once_each_get_their_own(cache: CardCache) -> None:
    await asyncio.gather(*(cache.store(f"k{i}", f"card {i}".encode(), 60) for i in range(300)))
    wanted = [i % 400 for i in range(1200)]
    got = await asyncio.gather(*(cache.get(f"k{i}") for i in wanted))
    assert got == [f"card {i}".encode() if i < 300 else None for i in wanted]


async def test_one_who_hangs_up_takes_nothing_from_the_others(cache: CardCache) -> None:
    await asyncio.gather(*(cache.store(f"k{i}", f"card {i}".encode(), 60) for i in range(9)))
    asking = [asyncio.ensure_future(cache.get(f"k{i}")) for i in range(9)]
    await asyncio.sleep(0)
    for gone in asking[::3]:
        gone.cancel()
    got = await asyncio.gather(*asking, return_exceptions=True)
    staying = [i for i in range(9) if i % 3]
    assert [got[i] for i in staying] == [f"card {i}".encode() for i in staying]
    assert await cache.get("k0") == b"card 0"


async def test_a_cache_says_what_it_is(cache: CardCache) -> None:
    assert await cache.check()
    assert cache.name in ("memory", "redis")


async def test_a_cache_that_answers_on_is_one_server(cache: CardCache) -> None:
    assert await cache.server() == await cache.server() != ""


async def test_a_redis_started_anew_is_another_server(breakable_redis: OwnServer) -> None:
    seen = []
    for _ in range(2):
        cache = RedisCards(breakable_redis.url, 2)
        seen.append(await cache.server())
        await cache.close()
        breakable_redis.stop()
        breakable_redis.start()
    assert seen[0] != seen[1]


async def test_a_full_memory_forgets_what_was_used_least_lately() -> None:
    cache = MemoryCache(most=2)
    for key in ("a", "b"):
        await cache.store(key, b"card", 60)
    await cache.get("a")
    await cache.store("c", b"card", 60)
    assert [await cache.get(key) for key in ("a", "b", "c")] == [b"card", None, b"card"]


# --- sources ---


class Put:
    """Gives a database what belongs to a customer."""

    def __init__(self, database: Engine) -> None:
        self.database = database

    def __call__(self, card: Card, match_key: str, tail: str) -> None:
        """A customer with one number."""
        number = card.numbers[0]
        self._rows(
            Customer(id=card.customer_id, version=card.version, name=card.name, created_at=NOW, updated_at=NOW),
            PhoneNumber(
                customer_id=card.customer_id,
                raw=number.e164,
                e164=number.e164,
                ext=number.ext,
                match_key=match_key or None,
                nsn_tail=tail or None,
            ),
        )

    def range(self, card: Card, prefix: str, open_digits: int, raw: str) -> None:
        """A customer with one range."""
        self._rows(
            Customer(id=card.customer_id, version=card.version, name=card.name, created_at=NOW, updated_at=NOW),
            NumberRange(customer_id=card.customer_id, raw=raw, prefix=prefix, open_digits=open_digits),
        )

    def choose(self, match_key: str, customer_id: int, choice: Choice) -> None:
        self._rows(
            person(50, choice.who),
            NumberChoice(
                match_key=match_key,
                customer_id=customer_id,
                chosen_by_id=50,
                chosen_at=datetime.fromisoformat(choice.at),
            ),
        )

    def own(self, phone: str) -> None:
        """A mobile of one of our people."""
        self._rows(Endpoint(node="pbx", name=phone, inside=False))

    def _rows(self, *rows: Base) -> None:
        write(self.database, *rows)


class PutInMemory(Put):
    def __init__(self, memory: MemorySource) -> None:
        self.memory = memory

    def __call__(self, card: Card, match_key: str, tail: str) -> None:
        self.memory.add(card, match_key, tail)

    def range(self, card: Card, prefix: str, open_digits: int, raw: str) -> None:
        self.memory.add_range(card, prefix, open_digits, raw)

    def choose(self, match_key: str, customer_id: int, choice: Choice) -> None:
        self.memory.choose(match_key, customer_id, choice)

    def own(self, phone: str) -> None:
        self.memory.own.add(phone)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def source(request: pytest.FixtureRequest) -> AsyncIterator[tuple[CardSource, Put]]:
    """A source, and a way to give it customers."""
    if request.param == "memory":
        memory = MemorySource()
        yield memory, PutInMemory(memory)
        return
    url = request.getfixturevalue(f"{request.param}_url")
    engine = open_database(url)
    sql = SqlCards(url, 20)
    yield sql, Put(engine)
    await sql.close()
    engine.dispose()


def customer(customer_id: int) -> Card:
    return Card(customer_id, 3, f"Customer {customer_id}", numbers=(CardNumber("+85512345678"),))


def exact(match_key: str) -> Number:
    return Number(match_key, match_key, match_key, tail=match_key[-9:])


def probable(tail: str) -> Number:
    return Number(tail, "", "", tail=tail)


async def test_a_number_finds_its_customer_by_key(source: tuple[CardSource, Put]) -> None:
    cards, put = source
    put(customer(7), "+85512345678", "12345678")
    put(customer(8), "+85512345679", "12345679")
    assert await cards.fetch(exact("+85512345678")) == (Match(customer(7)),)


async def test_nobody_is_an_answer_too(source: tuple[CardSource, Put]) -> None:
    cards, put = source
    put(customer(7), "+85512345678", "12345678")
    assert await cards.fetch(exact("+85599999999")) == ()
    assert await cards.fetch(probable("99999999")) == ()


async def test_last_digits_find_only_for_a_number_without_a_key(source: tuple[CardSource, Put]) -> None:
    cards, put = source
    put(customer(7), "+85512345678", "12345678")
    put(customer(8), "", "12345678")
    assert await cards.fetch(probable("12345678")) == (Match(customer(7)), Match(customer(8)))
    assert await cards.fetch(Number("+85598765432", "+85598765432", "+85598765432", tail="12345678")) == ()


async def test_a_shared_number_finds_all_by_id_but_not_endlessly_many(source: tuple[CardSource, Put]) -> None:
    cards, put = source
    for customer_id in (9, 3, 12, 5, 7, 20):
        put(customer(customer_id), "+85512345678", "")
    found = await cards.fetch(exact("+85512345678"))
    assert [match.card.customer_id for match in found] == [3, 5, 7, 9, 12]
    assert len(found) == MOST_CANDIDATES


async def test_no_key_is_taken_for_a_piece_of_the_statement(source: tuple[CardSource, Put]) -> None:
    cards, put = source
    put(customer(7), "+85512345678", "12345678")
    for hostile in ("' OR '1'='1", "+85512345678' --", "%", "\\", "+855%(value)s", "?", "១២៣"):
        assert await cards.fetch(exact(hostile)) == ()


def behind(customer_id: int, ext: str, e164: str = "+85512345678") -> Card:
    return Card(customer_id, 3, f"Customer {customer_id}", numbers=(CardNumber(e164, ext=ext),))


async def test_of_many_behind_a_switchboard_who_has_the_extension_comes_first(source: tuple[CardSource, Put]) -> None:
    cards, put = source
    for customer_id in range(1, 9):
        put(behind(customer_id, str(customer_id)), "+85512345678", "12345678")
    found = await cards.fetch(replace(exact("+85512345678"), ext="8"))
    assert [match.card.customer_id for match in found] == [8, 1, 2, 3, 4]
    assert [match.card.customer_id for match in await cards.fetch(exact("+85512345678"))] == [1, 2, 3, 4, 5]


def company(customer_id: int, raw: str) -> Card:
    return Card(customer_id, 3, f"Customer {customer_id}", numbers=(CardNumber(raw),))


async def test_a_number_in_a_range_finds_whose_range_it_is(source: tuple[CardSource, Put]) -> None:
    cards, put = source
    raw = "+7 495 123-45xx"
    put.range(company(7, raw), "+749512345", 2, raw)
    for inside in ("+74951234500", "+74951234567", "+74951234599"):
        assert await cards.fetch(exact(inside)) == (Match(company(7, raw), raw),)
    for outside in ("+74951234600", "+74951234499", "+7495123450", "+749512345670", "+749512345"):
        assert await cards.fetch(exact(outside)) == ()


async def test_of_ranges_the_narrowest_wins_and_those_who_share_it_are_all_found(
    source: tuple[CardSource, Put],
) -> None:
    cards, put = source
    put.range(company(1, "wide"), "+7495123", 4, "wide")
    for customer_id in (3, 2):
        put.range(company(customer_id, "narrow"), "+749512345", 2, "narrow")
    found = await cards.fetch(exact("+74951234567"))
    assert found == (Match(company(2, "narrow"), "narrow"), Match(company(3, "narrow"), "narrow"))
    assert await cards.fetch(exact("+74951230000")) == (Match(company(1, "wide"), "wide"),)


async def test_who_has_the_number_itself_comes_before_whose_range_holds_it(source: tuple[CardSource, Put]) -> None:
    cards, put = source
    put.range(company(1, "+7 495 123-45xx"), "+749512345", 2, "+7 495 123-45xx")
    put(customer(7), "+74951234567", "951234567")
    assert await cards.fetch(exact("+74951234567")) == (Match(customer(7)),)


async def test_a_range_says_nothing_of_a_number_that_is_not_valid(source: tuple[CardSource, Put]) -> None:
    cards, put = source
    put.range(company(1, "+7 495 123-45xx"), "+749512345", 2, "+7 495 123-45xx")
    assert await cards.fetch(probable("951234567")) == ()


CHOICE = Choice("Bopha", "2026-03-01T12:00:00Z")


async def test_whom_a_person_chose_for_a_shared_number_comes_first(source: tuple[CardSource, Put]) -> None:
    cards, put = source
    for customer_id in range(1, 8):
        put(customer(customer_id), "+85512345678", "12345678")
    put.choose("+85512345678", 7, CHOICE)
    found = await cards.fetch(exact("+85512345678"))
    assert found[0] == Match(customer(7), choice=CHOICE)
    assert [match.card.customer_id for match in found] == [7, 1, 2, 3, 4]
    assert not any(match.choice for match in found[1:])


async def test_a_choice_holds_for_its_number_and_in_a_range_too(source: tuple[CardSource, Put]) -> None:
    cards, put = source
    for customer_id in (1, 2):
        put.range(company(customer_id, "narrow"), "+749512345", 2, "narrow")
    put.choose("+74951234567", 2, CHOICE)
    assert [match.choice for match in await cards.fetch(exact("+74951234567"))] == [CHOICE, None]
    assert [match.choice for match in await cards.fetch(exact("+74951234566"))] == [None, None]


@pytest.mark.parametrize(
    ("phone", "key"), [("+85512345678", "+85512345678"), ("+5491123456789", "+541123456789")], ids=["KH", "AR"]
)
async def test_a_phone_of_our_own_people_is_nobodys_number(
    source: tuple[CardSource, Put], phone: str, key: str
) -> None:
    cards, put = source
    put(customer(7), key, key[-8:])
    put.range(company(1, "range"), key[:-2], 2, "range")
    put.own(phone)
    assert await cards.fetch(exact(key)) == ()


async def test_every_answer_of_a_source_is_the_same_after_a_cache(
    source: tuple[CardSource, Put], redis_url: str
) -> None:
    cards, put = source
    for customer_id in (1, 2):
        put.range(company(customer_id, "narrow"), "+749512345", 2, "narrow")
    put.choose("+74951234567", 2, CHOICE)
    cache = RedisCards(redis_url, 2)
    found = await cards.fetch(exact("+74951234567"))
    assert len(found) == 2
    await cache.store("k", to_bytes(found), 60)
    assert from_bytes(await cache.get("k") or b"") == found
    await cache.close()


async def test_a_source_says_what_it_is(source: tuple[CardSource, Put]) -> None:
    cards, _ = source
    assert await cards.check()
    assert cards.name in ("memory", "database")


# --- the card as the database makes it ---

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
NUMBER = exact("+85512345678")


@pytest.fixture
async def cards(database_url: str) -> AsyncIterator[SqlCards]:
    sql = SqlCards(database_url, 20)
    yield sql
    await sql.close()


def write(database: Engine, *rows: Base) -> None:
    with writing(database) as session:
        for row in rows:
            session.add(row)
            session.flush()


def person(
    user_id: int, name: str, *, team_id: int | None = None, deputy_id: int | None = None, active: bool = True
) -> User:
    return User(
        id=user_id,
        login=name,
        name=name,
        password_hash="",
        team_id=team_id,
        deputy_id=deputy_id,
        active=active,
        created_at=NOW,
    )


def known(customer_id: int = 1, **more: object) -> tuple[Customer, PhoneNumber]:
    return (
        Customer(id=customer_id, created_at=NOW, updated_at=NOW, **{"name": "Sok", **more}),
        PhoneNumber(customer_id=customer_id, raw="012 345 678", e164="+85512345678", match_key="+85512345678"),
    )


async def only(cards: SqlCards) -> Card:
    (match,) = await cards.fetch(NUMBER)
    return match.card


async def test_a_customer_with_nothing_has_a_card_with_nothing(database: Engine, cards: SqlCards) -> None:
    write(database, *known())
    assert await only(cards) == Card(1, 1, "Sok", numbers=(CardNumber("+85512345678"),))


async def test_the_whole_card_arrives(database: Engine, cards: SqlCards) -> None:
    write(
        database,
        Team(id=1, name="Sales"),
        person(2, "Dara", team_id=1),
        person(1, "Bopha", team_id=1, deputy_id=2),
        Endpoint(id=1, node="pbx", name="101"),
        Endpoint(id=2, node="", name="+85517111222", inside=False),
        Endpoint(id=3, node="pbx", name="102"),
        EndpointPerson(endpoint_id=1, user_id=1),
        EndpointPerson(endpoint_id=2, user_id=1),
        EndpointPerson(endpoint_id=3, user_id=2),
        *known(
            name='សុខ "Sok" \\ O\'Neil 😀',
            version=4,
            company="Angkor Ltd",
            email="sok@example.com",
            address="Street 1\nPhnom Penh",
            note="100% careful",
            photo="ab" * 32,
            debt_minor=9_007_199_254_740_993,
            currency="KHR",
            manager_id=1,
            external_id="A-17",
            custom={"grade": 'ប្រាក់ "gold"', "limit": {"minor": 5, "currency": "USD"}, "vip": True, "score": 1.5},
        ),
        PhoneNumber(customer_id=1, raw="023 900 000 ext 5", e164="+85523900000", label="work", ext="5"),
        PhoneNumber(customer_id=1, raw="ask for him", label="home"),
        NumberRange(customer_id=1, raw="+855 23 999 9xx", prefix="+855239999", open_digits=2, label="office"),
        Order(customer_id=1, number="A-1", title="Tea", total_minor=1250, currency="USD", placed_at=NOW),
        Task(customer_id=1, user_id=2, title="Call back", created_at=NOW, due_at=NOW + timedelta(days=1)),
    )
    phone_101, mobile, phone_102 = Phone("pbx", "101"), Phone("", "+85517111222", inside=False), Phone("pbx", "102")
    assert await only(cards) == Card(
        customer_id=1,
        version=4,
        name='សុខ "Sok" \\ O\'Neil 😀',
        company="Angkor Ltd",
        email="sok@example.com",
        address="Street 1\nPhnom Penh",
        note="100% careful",
        photo="ab" * 32,
        numbers=(
            CardNumber("+85512345678"),
            CardNumber("+85523900000", "work", "5"),
            CardNumber("ask for him", "home"),
            CardNumber("+855 23 999 9xx", "office"),
        ),
        debt=Money(9_007_199_254_740_993, "KHR"),
        orders=(CardOrder("A-1", "Tea", "open", Money(1250, "USD"), "2026-03-01T12:00:00Z"),),
        manager=Person(1, "Bopha", (phone_101, mobile)),
        deputy=Person(2, "Dara", (phone_102,)),
        team=(phone_101, mobile, phone_102),
        last_task=CardTask("Call back", "open", "2026-03-02T12:00:00Z", "Dara"),
        external_id="A-17",
        custom={"grade": 'ប្រាក់ "gold"', "limit": {"minor": 5, "currency": "USD"}, "vip": True, "score": 1.5},
    )


@pytest.mark.parametrize("kept", ["[1, 2]", '"gold"', "7", "null", "not JSON", ""])
async def test_what_is_no_object_of_values_takes_no_card_away(database: Engine, cards: SqlCards, kept: str) -> None:
    write(database, *known())
    if database.dialect.name == "postgresql" and kept in ("not JSON", ""):
        kept = "[]"  # it takes nothing but JSON
    with writing(database) as session:
        session.execute(
            text(
                "UPDATE customers SET custom = CAST(:kept AS jsonb)"
                if database.dialect.name == "postgresql"
                else "UPDATE customers SET custom = :kept"
            ),
            {"kept": kept},
        )
    assert (await only(cards)).custom == {}


async def test_current_orders_come_newest_first_and_the_old_ones_stay_away(database: Engine, cards: SqlCards) -> None:
    orders = [
        Order(customer_id=1, number=str(day), placed_at=NOW + timedelta(days=day), state="done" if day == 6 else "open")
        for day in (2, 7, 1, 6, 3, 5, 4)
    ]
    write(database, *known(), *orders)
    assert [order.number for order in (await only(cards)).orders] == ["7", "5", "4", "3", "2"]


async def test_a_manager_who_left_is_named_but_does_not_ring(database: Engine, cards: SqlCards) -> None:
    write(
        database,
        Team(id=1, name="Sales"),
        person(1, "Bopha", team_id=1, active=False),
        person(2, "Dara", team_id=1),
        Endpoint(id=1, node="pbx", name="101"),
        Endpoint(id=2, node="pbx", name="102"),
        EndpointPerson(endpoint_id=1, user_id=1),
        EndpointPerson(endpoint_id=2, user_id=2),
        *known(manager_id=1),
    )
    card = await only(cards)
    assert card.manager == Person(1, "Bopha")
    assert card.team == (Phone("pbx", "102"),)


async def test_a_phone_that_two_people_share_is_once_in_the_team(database: Engine, cards: SqlCards) -> None:
    write(
        database,
        Team(id=1, name="Sales"),
        person(1, "Bopha", team_id=1),
        person(2, "Dara", team_id=1),
        person(3, "Vanna"),
        Endpoint(id=1, node="pbx", name="101"),
        Endpoint(id=2, node="pbx", name="103"),
        *(EndpointPerson(endpoint_id=1, user_id=user_id) for user_id in (1, 2)),
        EndpointPerson(endpoint_id=2, user_id=3),
        *known(manager_id=1),
    )
    assert (await only(cards)).team == (Phone("pbx", "101"),)


async def test_the_last_task_is_the_newest_that_is_still_open(database: Engine, cards: SqlCards) -> None:
    def task(title: str, age: int, state: str = "open") -> Task:
        return Task(customer_id=1, title=title, state=state, created_at=NOW - timedelta(days=age))

    write(database, *known(), task("old", 3), task("done", 0, "done"), task("newer", 1), task("older", 2))
    assert (await only(cards)).last_task == CardTask("newer", "open", "", "")


async def test_a_lookup_is_one_statement(database: Engine, cards: SqlCards) -> None:
    write(database, *known())
    await cards.fetch(NUMBER)
    statements = []
    event.listen(cards._engine, "before_cursor_execute", lambda *said: statements.append(said[2]))
    await cards.fetch(NUMBER)
    assert len(statements) == 1


async def test_a_lookup_reads_no_table_from_end_to_end(sqlite_url: str) -> None:
    cards, database = SqlCards(sqlite_url, 20), open_database(sqlite_url)
    with database.connect() as connection:
        for statement in (cards._by_match_key, cards._by_tail):
            how = connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {statement._text}", tuple("x" for _ in statement._order or ())
            )
            plan = [row[3] for row in how]
            assert any("SEARCH phone_numbers USING" in step for step in plan)
            assert any("SEARCH endpoints USING" in step for step in plan)
            assert any("SEARCH number_ranges USING" in step for step in plan)
            assert not {f"SCAN {table}" for table in Base.metadata.tables} & set(plan)
    await cards.close()
    database.dispose()
