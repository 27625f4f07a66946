"""A change of the records, also one that another program makes in plain SQL, is on the card of the next call."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import func, select, text, update

from config.settings import Lookup, load
from lookup import numbers, redis_cards
from lookup.answers import Answer, Caller, Found, Number, Unknown
from lookup.breaker import StoreGone
from lookup.card import Card, Match
from lookup.engine import CardCache, Engine, card_key
from lookup.memory_cards import MemoryCache
from lookup.notices import Notice
from lookup.numbers import NumberPlan
from lookup.redis_cards import RedisCards
from lookup.redis_node import VOUCHED
from lookup.redis_notices import RedisNotices
from lookup.sql_cards import SqlCards
from records import changes
from records.database import open_database, reading, writer, writing
from records.finding import find_customers
from records.numbers import phone_number
from records.ranges import number_range
from records.tables import (
    Base,
    Change,
    Customer,
    Endpoint,
    EndpointPerson,
    Order,
    PhoneNumber,
    Task,
    Team,
    User,
)
from ringcard import compose, follower
from ringcard.follower import Follower
from ringcard.redis_server import OwnServer
from tests.fixtures.desk import live_call
from tests.fixtures.postgres import TEMPLATE, PostgresServer
from tests.fixtures.redis import command, frozen, kill

PLAN = NumberPlan("KH")
LONG_S = 20.0
"""Far more than anything here takes; no verdict on speed."""

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOK, SOK_TOO, CHAN, NOBODY = "+85512345678", "+85512345679", "+85512777888", "+85512999000"


def read(raw: str) -> Number:
    return numbers.read(raw, PLAN)


class House:
    """A company with a lookup and a database to which other programs have the password."""

    def __init__(self, database: Database, cache: CardCache, redis_url: str) -> None:
        self.database = database
        self.source = SqlCards(database.url.render_as_string(hide_password=False), LONG_S)
        self.engine = Engine({"": PLAN}, cache, self.source, Lookup())
        self.notices = RedisNotices(redis_url)

    def put(self, *rows: Base) -> None:
        """As it was long ago: nothing about it is noted any more."""
        with writing(self.database) as session:
            for row in rows:
                session.add(row)
                session.flush()
            session.execute(text("DELETE FROM changes"))

    def sql(self, *statements: str) -> None:
        """Another program's transaction, which knows nothing of ours."""
        url = self.database.url
        if url.get_backend_name() == "sqlite":
            assert url.database
            with closing(sqlite3.connect(url.database, timeout=LONG_S)) as connection, connection:
                connection.execute("PRAGMA foreign_keys = ON")
                for statement in statements:
                    connection.execute(statement)
        else:
            with psycopg.connect(host=str(url.query["host"]), user=url.username, dbname=url.database) as other:
                for statement in statements:
                    other.execute(statement)

    def waiting(self) -> int:
        with reading(self.database) as session:
            return session.scalar(select(func.count()).select_from(Change).where(Change.done_at.is_(None))) or 0

    async def followed(self) -> None:
        """The follower has nothing left to do: from here on the next call is to be right."""
        async with asyncio.timeout(LONG_S):
            while await asyncio.to_thread(self.waiting):
                await asyncio.sleep(0.01)

    async def call(self, number: str) -> Answer:
        return await self.engine.find(Caller(number), LONG_S)

    async def card(self, number: str) -> Card:
        answer = await self.call(number)
        assert isinstance(answer, Found)
        assert answer.chosen
        return answer.chosen

    async def remembered(self, *callers: str) -> None:
        """These have called before, and the cache knows the answer."""
        async with asyncio.timeout(LONG_S):
            for number in callers:
                while not self._is_remembered(await self.call(number)):
                    await asyncio.sleep(0.005)

    def _is_remembered(self, answer: Answer) -> bool:
        return answer.source == "cache" if isinstance(answer, Found) else self.engine.counters.unknown_remembered > 0

    @asynccontextmanager
    async def following(self) -> AsyncIterator[asyncio.Task[None]]:
        running = asyncio.create_task(Follower(self.database, self.engine, self.notices, read).run())
        try:
            yield running
        finally:
            running.cancel()
            await asyncio.wait({running})

    async def close(self) -> None:
        await self.engine.close()
        await self.source.close()
        await self.notices.close()


@asynccontextmanager
async def opened(database: Database, redis_url: str, cache: CardCache | None = None) -> AsyncIterator[House]:
    cache = cache or RedisCards(redis_url, 2, near=1000)  # not the time limit of a call: the machine may be busy
    house = House(database, cache, redis_url)
    yield house
    await house.close()
    await cache.close()


@pytest.fixture
async def house(database: Database, redis_url: str) -> AsyncIterator[House]:
    async with opened(database, redis_url) as house:
        yield house


def person(user_id: int, name: str, team_id: int | None = None, deputy_id: int | None = None) -> User:
    return User(
        id=user_id,
        login=name.lower(),
        name=name,
        password_hash="",
        team_id=team_id,
        deputy_id=deputy_id,
        created_at=NOW,
    )


def customer(customer_id: int, name: str, *raws: str, manager_id: int | None = None) -> Customer:
    made = Customer(id=customer_id, name=name, manager_id=manager_id, created_at=NOW, updated_at=NOW)
    made.numbers.extend(phone_number(raw, read) for raw in raws)
    return made


def company() -> Iterable[Base]:
    """Sok's manager is Bopha, whose deputy is Dara and whose team has Vanna; what is to do for Sok is Rith's."""
    yield from (Team(id=1, name="Sales"), Team(id=2, name="Support"))
    yield from (person(2, "Dara"), person(1, "Bopha", 1, 2), person(3, "Vanna", 1), person(4, "Rith"), person(5, "Kim"))
    yield from (Endpoint(id=number, node="pbx", name=f"10{number}") for number in range(1, 7))
    yield from (EndpointPerson(endpoint_id=number, user_id=number) for number in range(1, 6))
    yield from (customer(1, "Sok", SOK, SOK_TOO, manager_id=1), customer(2, "Chan", CHAN))
    yield Order(customer_id=1, number="A-1", placed_at=NOW)
    yield Task(customer_id=1, user_id=4, title="Call back", created_at=NOW)


def phones(of: Iterable[object]) -> list[str]:
    return [phone.name for phone in of]  # type: ignore[attr-defined]


NUMBER = "INSERT INTO phone_numbers (customer_id, raw, e164, match_key, nsn_tail, label, ext, norm_version)"
UNREAD = "INSERT INTO phone_numbers (customer_id, raw, label, ext, norm_version)"
ORDER = "INSERT INTO orders (customer_id, number, title, state, total_minor, currency, placed_at)"
TASK = "INSERT INTO tasks (customer_id, title, state, created_at)"
USER = "INSERT INTO users (id, login, name, password_hash, role, active, team_id, created_at)"

Says = Callable[[Card], object]

CARDS: dict[str, tuple[Says, object, Sequence[str]]] = {
    "a name": (lambda card: card.name, "Sok D.", ["UPDATE customers SET name = 'Sok D.' WHERE id = 1"]),
    "a debt": (lambda card: card.debt.minor, 125_00, ["UPDATE customers SET debt_minor = 12500 WHERE id = 1"]),
    "a value of the company's own field": (
        lambda card: card.custom,
        {"grade": "Gold"},
        ["""UPDATE customers SET custom = '{"grade": "Gold"}' WHERE id = 1"""],
    ),
    "another manager": (
        lambda card: card.manager and card.manager.name,
        "Kim",
        ["UPDATE customers SET manager_id = 5 WHERE id = 1"],
    ),
    "a number more": (
        lambda card: len(card.numbers),
        3,
        [f"{NUMBER} VALUES (1, '{NOBODY}', '{NOBODY}', '{NOBODY}', '12999000', '', '', 1)"],
    ),
    "the label of a number": (
        lambda card: card.numbers[1].label,
        "home",
        [f"UPDATE phone_numbers SET label = 'home' WHERE match_key = '{SOK_TOO}'"],
    ),
    "a number less": (
        lambda card: len(card.numbers),
        1,
        [f"DELETE FROM phone_numbers WHERE match_key = '{SOK_TOO}'"],
    ),
    "a new order": (
        lambda card: [order.number for order in card.orders],
        ["A-2", "A-1"],
        [f"{ORDER} VALUES (1, 'A-2', '', 'open', 0, 'USD', '2026-03-02 12:00:00')"],
    ),
    "an order that is done": (lambda card: card.orders, (), ["UPDATE orders SET state = 'done' WHERE number = 'A-1'"]),
    "an order that is another's": (lambda card: card.orders, (), ["UPDATE orders SET customer_id = 2"]),
    "an order less": (lambda card: card.orders, (), ["DELETE FROM orders"]),
    "a new task": (
        lambda card: card.last_task and card.last_task.title,
        "Write",
        [f"{TASK} VALUES (1, 'Write', 'open', '2026-03-02 12:00:00')"],
    ),
    "a task that is done": (
        lambda card: card.last_task and card.last_task.state,
        "done",
        ["UPDATE tasks SET state = 'done'"],
    ),
    "a task less": (lambda card: card.last_task, None, ["DELETE FROM tasks"]),
    "who has the task": (
        lambda card: card.last_task and card.last_task.responsible,
        "Rith K.",
        ["UPDATE users SET name = 'Rith K.' WHERE id = 4"],
    ),
    "the manager's name": (
        lambda card: card.manager and card.manager.name,
        "Bopha K.",
        ["UPDATE users SET name = 'Bopha K.' WHERE id = 1"],
    ),
    "a manager who left": (
        lambda card: card.manager and phones(card.manager.phones),
        [],
        ["UPDATE users SET active = false WHERE id = 1"],
    ),
    "another deputy": (
        lambda card: card.deputy and card.deputy.name,
        "Kim",
        ["UPDATE users SET deputy_id = 5 WHERE id = 1"],
    ),
    "the deputy's name": (
        lambda card: card.deputy and card.deputy.name,
        "Dara K.",
        ["UPDATE users SET name = 'Dara K.' WHERE id = 2"],
    ),
    "one who left the team": (
        lambda card: phones(card.team),
        ["101"],
        ["UPDATE users SET team_id = 2 WHERE id = 3"],
    ),
    "one who came into the team": (
        lambda card: phones(card.team),
        ["101", "103", "105"],
        ["UPDATE users SET team_id = 1 WHERE id = 5"],
    ),
    "a new colleague": (
        lambda card: phones(card.team),
        ["101", "103", "106"],
        [
            f"{USER} VALUES (6, 'sam', 'Sam', '', 'agent', true, 1, '2026-03-01 12:00:00')",
            "INSERT INTO endpoint_people (endpoint_id, user_id) VALUES (6, 6)",
        ],
    ),
    "a colleague less": (lambda card: phones(card.team), ["101"], ["DELETE FROM users WHERE id = 3"]),
    "a phone of another name": (
        lambda card: card.manager and phones(card.manager.phones),
        ["201"],
        ["UPDATE endpoints SET name = '201' WHERE id = 1"],
    ),
    "a phone more": (
        lambda card: card.deputy and phones(card.deputy.phones),
        ["102", "207"],
        [
            "INSERT INTO endpoints (id, node, name, inside) VALUES (7, 'pbx', '207', true)",
            "INSERT INTO endpoint_people (endpoint_id, user_id) VALUES (7, 2)",
        ],
    ),
    "a phone less": (lambda card: phones(card.team), ["101"], ["DELETE FROM endpoints WHERE id = 3"]),
    "another seat": (
        lambda card: card.manager and phones(card.manager.phones),
        ["106"],
        ["UPDATE endpoint_people SET endpoint_id = 6 WHERE user_id = 1"],
    ),
    "a seat less": (lambda card: phones(card.team), ["101"], ["DELETE FROM endpoint_people WHERE user_id = 3"]),
}


@pytest.mark.parametrize("what", CARDS)
async def test_what_another_program_changed_is_on_the_next_card(house: House, what: str) -> None:
    says, expected, statements = CARDS[what]
    house.put(*company())
    async with house.following():
        await house.remembered(SOK)
        assert says(await house.card(SOK)) != expected
        house.sql(*statements)
        await house.followed()
        assert says(await house.card(SOK)) == expected


async def test_whom_another_program_enters_changes_or_removes_is_searched_as_they_are(house: House) -> None:
    house.put(*company())

    def found(typed: str) -> list[int]:
        with reading(house.database) as session:
            return [one.id for one in find_customers(session, typed).items]

    assert (found("sok"), found("777 888"), found("lina"), found("b-77")) == ([1], [2], [], [])
    async with house.following():
        house.sql(
            "UPDATE customers SET name = 'Lina' WHERE id = 1",
            f"{UNREAD} VALUES (1, '+855 12 111 999', '', '', 0)",
            f"{ORDER} VALUES (1, 'B-77', '', 'open', 0, 'USD', '2026-03-02 12:00:00')",
            "DELETE FROM customers WHERE id = 2",
        )
        await house.followed()
        assert (found("sok"), found("777 888"), found("lina"), found("b-77")) == ([], [], [1], [1])
        assert found("012 111 999") == [1]
        house.sql("UPDATE phone_numbers SET raw = '+855 12 222 999' WHERE raw = '+855 12 111 999'")
        await house.followed()
        assert (found("012 111 999"), found("012 222 999")) == ([], [1])


async def test_a_customer_whom_another_program_removed_is_found_by_no_number(house: House) -> None:
    house.put(*company())
    async with house.following():
        await house.remembered(SOK, SOK_TOO)
        house.sql("DELETE FROM orders", "DELETE FROM tasks", "DELETE FROM customers WHERE id = 1")
        await house.followed()
        for number in (SOK, SOK_TOO):
            assert isinstance(await house.call(number), Unknown)


async def test_a_number_that_moved_is_found_with_its_new_owner(house: House) -> None:
    house.put(*company())
    async with house.following():
        await house.remembered(SOK, CHAN)
        house.sql(f"UPDATE phone_numbers SET customer_id = 2 WHERE match_key = '{SOK}'")
        await house.followed()
        assert (await house.card(SOK)).name == "Chan"
        assert [number.e164 for number in (await house.card(CHAN)).numbers] == [SOK, CHAN]
        assert [number.e164 for number in (await house.card(SOK_TOO)).numbers] == [SOK_TOO]


async def test_a_new_customer_of_another_program_needs_no_more_than_the_number_as_typed(house: House) -> None:
    house.put(*company())
    async with house.following():
        await house.remembered(NOBODY)
        house.sql(
            "INSERT INTO customers (id, name, company, email, address, note, photo, debt_minor, currency, version,"
            " created_at, updated_at) VALUES (9, 'Ly', '', '', '', '', '', 0, 'USD', 1, '2026-03-01', '2026-03-01')",
            f"{UNREAD} VALUES (9, '012 999 000', '', '', 0)",
        )
        await house.followed()
        card = await house.card(NOBODY)
    assert (card.name, card.numbers[0].e164) == ("Ly", NOBODY)


async def test_a_number_whose_text_was_corrected_is_found_as_it_is_now(house: House) -> None:
    house.put(*company())
    async with house.following():
        await house.remembered(CHAN, NOBODY)
        house.sql("UPDATE phone_numbers SET raw = '012 999 000' WHERE customer_id = 2")
        await house.followed()
        assert (await house.card(NOBODY)).name == "Chan"
        assert isinstance(await house.call(CHAN), Unknown)


async def test_a_number_that_cannot_be_validated_is_found_by_its_new_end(house: House) -> None:
    odd = "+99912345678"
    house.put(*company(), customer(3, "Odd", odd))
    async with house.following():
        await house.remembered(odd)
        house.sql("UPDATE customers SET name = 'Odder' WHERE id = 3")
        await house.followed()
        assert (await house.card(odd)).name == "Odder"


async def test_a_number_that_a_customer_gets_twice_harms_nobody(house: House) -> None:
    house.put(*company())
    async with house.following():
        await house.remembered(CHAN)
        house.sql(
            f"{UNREAD} VALUES (2, '012 777 888', '', '', 0)",
            "UPDATE customers SET name = 'Chan L.' WHERE id = 2",
        )
        await house.followed()
        assert (await house.card(CHAN)).name == "Chan L."


# --- ranges

MILL = "+855 23 900 1xx"
INSIDE, LAST, OUTSIDE = "+85523900123", "+85523900199", "+85523900200"


def mill() -> Customer:
    made = customer(3, "Mill", "+85512000003", manager_id=1)
    made.ranges.append(number_range(MILL, read))
    return made


RANGE = "INSERT INTO number_ranges (customer_id, raw, label, norm_version)"


async def test_a_new_range_of_another_program_needs_no_more_than_its_text(house: House) -> None:
    house.put(*company())
    async with house.following():
        for number in (INSIDE, LAST, OUTSIDE):
            await house.remembered(number)
        house.sql(f"{RANGE} VALUES (2, '023 900 1xx', '', 0)")
        await house.followed()
        for number in (INSIDE, LAST):
            assert (await house.card(number)).name == "Chan"
        assert isinstance(await house.call(OUTSIDE), Unknown)
        assert [each.e164 for each in (await house.card(CHAN)).numbers] == [CHAN, "023 900 1xx"]


async def test_a_range_that_changes_in_the_moment_when_a_new_server_is_met_is_read_too(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet, changed = Follower._is_another_server, asyncio.Event()

    async def meet_slowly(follower: Follower) -> bool:
        is_another = await meet(follower)
        if is_another:
            house.sql("UPDATE number_ranges SET raw = '023 900 2xx' WHERE customer_id = 3")
            changed.set()
        return is_another

    monkeypatch.setattr(Follower, "_is_another_server", meet_slowly)
    house.put(*company(), mill())
    async with house.following():
        await changed.wait()
        await house.followed()
        assert isinstance(await house.call(OUTSIDE), Found)
        assert isinstance(await house.call(INSIDE), Unknown)


async def test_a_range_that_changed_lets_go_of_the_old_numbers_and_has_the_new(house: House) -> None:
    house.put(*company(), mill())
    async with house.following():
        await house.remembered(INSIDE, OUTSIDE)
        house.sql("UPDATE number_ranges SET raw = '023 900 2xx' WHERE customer_id = 3")
        await house.followed()
        assert isinstance(await house.call(INSIDE), Unknown)
        assert (await house.card(OUTSIDE)).name == "Mill"


@pytest.mark.parametrize(
    ("says", "expected", "statement"),
    [
        (lambda card: card.debt.minor, 500, "UPDATE customers SET debt_minor = 500 WHERE id = 3"),
        (lambda card: card.manager.name, "Bopha K.", "UPDATE users SET name = 'Bopha K.' WHERE id = 1"),
        (lambda card: card.numbers[-1].label, "office", "UPDATE number_ranges SET label = 'office'"),
    ],
    ids=["a debt", "the manager's name", "the label of a range"],
)
async def test_a_change_of_a_customer_is_on_the_card_of_the_numbers_of_their_range(
    house: House, says: Says, expected: object, statement: str
) -> None:
    house.put(*company(), mill())
    async with house.following():
        await house.remembered(INSIDE)
        assert says(await house.card(INSIDE)) != expected
        house.sql(statement)
        await house.followed()
        assert says(await house.card(INSIDE)) == expected


@pytest.mark.parametrize(
    "statement", ["DELETE FROM number_ranges", "DELETE FROM customers WHERE id = 3"], ids=["range", "customer"]
)
async def test_a_range_that_is_gone_finds_nobody(house: House, statement: str) -> None:
    house.put(*company(), mill())
    async with house.following():
        await house.remembered(INSIDE, LAST)
        house.sql(statement)
        await house.followed()
        for number in (INSIDE, LAST):
            assert isinstance(await house.call(number), Unknown)


async def test_a_number_of_a_range_that_becomes_somebodys_own_is_theirs_and_back_again(house: House) -> None:
    house.put(*company(), mill())
    async with house.following():
        await house.remembered(INSIDE)
        house.sql(f"{UNREAD} VALUES (2, '{INSIDE}', '', '', 0)")
        await house.followed()
        assert (await house.card(INSIDE)).name == "Chan"
        house.sql(f"DELETE FROM phone_numbers WHERE raw = '{INSIDE}'")
        await house.followed()
        assert (await house.card(INSIDE)).name == "Mill"


# --- choices

CHOOSE = "INSERT INTO number_choices (match_key, customer_id, chosen_by_id, chosen_at)"


async def answered(house: House, number: str) -> tuple[str | None, str]:
    answer = await house.call(number)
    assert isinstance(answer, Found)
    return answer.chosen.name if answer.chosen else None, answer.reason


async def test_a_choice_is_taken_by_the_next_call_changed_and_taken_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_cards, "FORGOTTEN_S", 1)
    house.put(*company(), customer(3, "Chan's son", CHAN))
    shared = f"2 customers share {CHAN}"
    async with house.following():
        await house.remembered(CHAN)
        assert await answered(house, CHAN) == (None, f"{shared}.")
        house.sql(f"{CHOOSE} VALUES ('{CHAN}', 3, 4, '2026-03-01 12:00:00')")
        await house.followed()
        await house.remembered(CHAN)
        assert await answered(house, CHAN) == ("Chan's son", f"{shared}; Rith chose this one on 2026-03-01.")
        house.sql("UPDATE users SET name = 'Rith K.' WHERE id = 4")
        await house.followed()
        await house.remembered(CHAN)
        assert await answered(house, CHAN) == ("Chan's son", f"{shared}; Rith K. chose this one on 2026-03-01.")
        house.sql("UPDATE number_choices SET customer_id = 2")
        await house.followed()
        await house.remembered(CHAN)
        assert (await answered(house, CHAN))[0] == "Chan"
        house.sql("DELETE FROM number_choices")
        await house.followed()
        assert await answered(house, CHAN) == (None, f"{shared}.")


# --- phones of our own people


async def test_a_customer_whose_number_becomes_one_of_our_phones_is_found_no_more_until_it_is_no_more(
    house: House,
) -> None:
    house.put(*company())
    async with house.following():
        await house.remembered(CHAN)
        house.sql(f"INSERT INTO endpoints (id, node, name, inside) VALUES (9, 'pbx', '{CHAN}', false)")
        await house.followed()
        assert isinstance(await house.call(CHAN), Unknown)
        house.sql("DELETE FROM endpoints WHERE id = 9")
        await house.followed()
        assert (await house.card(CHAN)).name == "Chan"


async def test_a_change_of_thousands_at_once_reaches_them_all(house: House) -> None:
    many = range(10, 3010)
    house.put(*company(), *(customer(i, "before", f"+8551200{i:04}") for i in many))
    callers = [f"+8551200{i:04}" for i in many[::60]]
    async with house.following():
        await house.remembered(*callers)
        house.sql("UPDATE customers SET name = 'after' WHERE name = 'before'")
        await house.followed()
        assert {(await house.card(number)).name for number in callers} == {"after"}


async def test_a_manager_of_thousands_is_renamed_on_all_their_cards(house: House) -> None:
    many = range(10, 1510)
    house.put(*company(), *(customer(i, "one of many", f"+8551200{i:04}", manager_id=5) for i in many))
    callers = [f"+8551200{i:04}" for i in many[::30]]
    async with house.following():
        await house.remembered(*callers)
        house.sql("UPDATE users SET name = 'Kim S.' WHERE id = 5")
        await house.followed()
        names = {card.manager.name for card in [await house.card(number) for number in callers] if card.manager}
    assert names == {"Kim S."}


async def test_what_was_rolled_back_is_not_noted(house: House) -> None:
    house.put(*company())
    with writer(house.database).connect() as connection:
        connection.execute(text("UPDATE customers SET name = 'never' WHERE id = 1"))
        assert connection.scalar(text("SELECT count(*) FROM changes"))
        connection.rollback()
    assert house.waiting() == 0


async def test_a_load_that_was_under_way_does_not_bring_the_old_card_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.put(*company())
    fetched, go_on = asyncio.Event(), asyncio.Event()
    fetch = house.source.fetch

    async def slowly(number: Number) -> tuple[Match, ...]:
        cards = await fetch(number)
        fetched.set()
        await go_on.wait()
        return cards

    monkeypatch.setattr(house.source, "fetch", slowly)
    async with house.following():
        calling = asyncio.create_task(house.card(SOK))
        await fetched.wait()
        house.sql("UPDATE customers SET name = 'Sok D.' WHERE id = 1")
        await house.followed()
        go_on.set()
        assert (await calling).name == "Sok", "what was read before the change"
        await asyncio.gather(*house.engine._loads)
        assert house.engine.counters.stored == 0
        assert (await house.card(SOK)).name == "Sok D."


async def test_a_follower_that_ends_between_forgetting_and_noting_it_does_no_harm(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.put(*company())
    reached, end = threading.Event(), threading.Event()

    def ends(*_: object) -> None:
        reached.set()
        end.wait(LONG_S)

    with monkeypatch.context() as patched:
        patched.setattr(changes, "done", ends)
        async with house.following() as running:
            await house.remembered(SOK)
            house.sql("UPDATE customers SET name = 'Sok D.' WHERE id = 1")
            assert await asyncio.to_thread(reached.wait, LONG_S)
            running.cancel()
            end.set()
    assert (await house.card(SOK)).name == "Sok D."
    assert house.waiting()
    async with house.following():
        await house.followed()
        assert (await house.card(SOK)).name == "Sok D."


async def until(holds: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(LONG_S):
        while not await holds():
            await asyncio.sleep(0.01)


async def said(log: pytest.LogCaptureFixture, words: str) -> None:
    async def is_said() -> bool:
        return words in log.text

    await until(is_said)


async def test_changes_made_while_redis_is_silent_reach_it_when_it_speaks_again(
    database: Database, breakable_redis: OwnServer, caplog: pytest.LogCaptureFixture
) -> None:
    cache = RedisCards(breakable_redis.url, 0.5, near=1000)
    async with opened(database, breakable_redis.url, cache) as house:
        house.put(*company())
        async with house.following():
            await house.remembered(SOK)
            with frozen(breakable_redis.pid):
                house.sql("UPDATE customers SET name = 'Sok D.' WHERE id = 1")
                await said(caplog, "changes wait")
                assert house.waiting()
            await house.followed()
            assert (await house.card(SOK)).name == "Sok D."


async def test_changes_made_while_redis_is_dead_are_not_lost(
    database: Database, breakable_redis: OwnServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "LOOK_EVERY_S", 0.0)
    async with opened(database, breakable_redis.url) as house:
        house.put(*company())
        async with house.following():
            await house.remembered(SOK)
            kill(breakable_redis.pid)
            await until(lambda: asyncio.sleep(0, breakable_redis.pid is None))
            house.sql(
                "UPDATE customers SET name = 'Sok D.' WHERE id = 1",
                f"{UNREAD} VALUES (2, '012 999 000', '', '', 0)",
            )
            await said(caplog, "changes wait")
            assert house.waiting()
            await until(lambda: asyncio.to_thread(_is_read, house.database))
            assert (await house.card(NOBODY)).name == "Chan", "the database names a caller without Redis"
            with caplog.at_level(logging.WARNING):
                breakable_redis.start()
                await house.followed()
            assert (await house.card(SOK)).name == "Sok D."


async def test_a_database_that_was_away_is_followed_again(
    own_postgres: PostgresServer, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = open_database(own_postgres.new_database(TEMPLATE), answer_s=1)
    async with opened(database, redis_url) as house:
        house.put(*company())
        async with house.following():
            await house.remembered(SOK)
            own_postgres.kill()
            await said(caplog, "changes wait")
            own_postgres.start()
            house.sql("UPDATE customers SET name = 'Sok D.' WHERE id = 1")
            await said(caplog, "changes are followed again")
            await house.followed()
            assert (await house.card(SOK)).name == "Sok D."
    database.dispose()


def _is_read(database: Database) -> bool:
    with reading(database) as session:
        return session.scalar(select(PhoneNumber.id).where(PhoneNumber.match_key == NOBODY)) is not None


class FailsOver(MemoryCache):
    """A server with a copy of an earlier moment, which takes its place."""

    def __init__(self) -> None:
        super().__init__()
        self._name = "first"

    async def server(self) -> str:
        return self._name

    def copy(self) -> None:
        self._copy = self._held.copy()

    def fail_over(self) -> None:
        self._held, self._name = self._copy, "second"


async def test_a_server_that_takes_over_with_an_older_copy_is_told_what_changed(
    database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "LOOK_EVERY_S", 0.0)
    cache = FailsOver()
    async with opened(database, redis_url, cache) as house:
        house.put(*company())
        async with house.following():
            await house.remembered(SOK)
            cache.copy()
            house.sql("UPDATE customers SET name = 'Sok D.' WHERE id = 1")
            await house.followed()
            cache.fail_over()

            async def is_new() -> bool:
                return (await house.card(SOK)).name == "Sok D."

            await until(is_new)


async def test_an_older_copy_of_redis_is_not_read_until_it_was_told_what_changed(
    database: Database, breakable_redis: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "LOOK_EVERY_S", 0.0)
    cache, key = RedisCards(breakable_redis.url, 2), card_key(SOK)
    async with opened(database, breakable_redis.url, cache) as house:
        house.put(*company())
        async with house.following():
            await house.remembered(SOK)
            await until(lambda: asyncio.sleep(0, command(breakable_redis, f"GET {VOUCHED}") != b"$-1\r\n"))
            command(breakable_redis, "SAVE")
            house.sql("UPDATE customers SET name = 'Sok D.' WHERE id = 1")
            await house.followed()
        kill(breakable_redis.pid)
        breakable_redis.start()
        assert b"Sok" in command(breakable_redis, f"GET {key}"), "it came back with the card from before"

        async def answered() -> bool:
            with suppress(StoreGone):
                assert await cache.get(key) is None
                return True
            return False

        await until(answered)
        assert (await house.card(SOK)).name == "Sok D."
        async with house.following():
            await house.remembered(CHAN)
            assert (await house.card(SOK)).name == "Sok D."


async def test_what_is_done_is_kept_for_ten_minutes_and_then_goes(house: House) -> None:
    house.put(*company())
    old = datetime.now(UTC) - changes.KEPT
    house.sql("UPDATE customers SET name = 'a' WHERE id = 1")
    house.sql("UPDATE customers SET name = 'b' WHERE id = 1")
    first, second = changes.pending(house.database)
    with writing(house.database) as session:
        session.execute(update(Change).where(Change.id == first.id).values(done_at=old - timedelta(seconds=1)))
        session.execute(update(Change).where(Change.id == second.id).values(done_at=old + timedelta(seconds=60)))
    changes.done(house.database, [])
    changes.again(house.database)
    assert [change.id for change in changes.pending(house.database)] == [second.id]


async def test_the_screens_of_a_call_are_told_and_nobody_else_is(house: House) -> None:
    house.put(*company())
    call = live_call(SOK, "101", customers=(1,))
    house.notices.publish(Notice("ringing", call.started_ms, call))
    await until(lambda: calls_of(house))
    async with house.following():
        house.sql("UPDATE customers SET name = 'Chan L.' WHERE id = 2")
        await house.followed()
        house.sql("UPDATE customers SET name = 'Sok D.' WHERE id = 1")
        async with asyncio.timeout(LONG_S):
            async for _, notice in house.notices.follow("0-0"):
                if notice.kind == "card_changed":
                    break
    assert notice.customer_id == 1


@pytest.mark.parametrize("raw", ["+85523880123", "+855 23 880 1xx"])
async def test_the_screen_of_a_call_of_nobody_is_told_when_somebody_gets_the_number(house: House, raw: str) -> None:
    house.put(*company())
    number = "+85523880123"
    call = live_call(number, "101", caller_key=read(number).match_key)
    house.notices.publish(Notice("ringing", call.started_ms, call))
    await until(lambda: calls_of(house))
    async with house.following():
        with writing(house.database) as session:
            session.add(customer(9, "Another", "+85523880777"))
        await house.followed()
        made = Customer(id=10, name="Theirs", created_at=NOW, updated_at=NOW)
        if "x" in raw:
            made.ranges.append(number_range(raw, read))
        else:
            made.numbers.append(phone_number(raw, read))
        with writing(house.database) as session:
            session.add(made)
        heard = []
        async with asyncio.timeout(LONG_S):
            async for _, notice in house.notices.follow("0-0"):
                heard.append((notice.kind, notice.customer_id))
                if notice.kind == "card_changed":
                    break
    assert heard == [("ringing", None), ("card_changed", None)]


async def calls_of(house: House) -> object:
    return (await house.notices.snapshot())[1]


async def test_the_worker_follows(database: Database, redis_url: str, tmp_path: Path) -> None:
    file = tmp_path / "ringcard.toml"
    url = database.url.render_as_string(hide_password=False)
    stores = f'data_dir = "{tmp_path}"\nredis_url = "{redis_url}"\ndatabase_url = "{url}"'
    file.write_text(f'[company]\ncountry = "KH"\n[store]\n{stores}')
    stop = asyncio.Event()
    async with opened(database, redis_url) as house:
        house.put(*company())
        working = asyncio.create_task(compose.run_worker(load(file, {}), stop))
        await house.remembered(SOK)
        house.sql("UPDATE customers SET name = 'Sok D.' WHERE id = 1")
        await house.followed()
        assert (await house.card(SOK)).name == "Sok D."
        stop.set()
        async with asyncio.timeout(LONG_S):
            await working
