"""Questions to another database, real ones: slow, gone and hostile. Nobody waits for it, and nothing is written."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from config.card_fields import Query
from desk.queries import AT_ONCE, MOST_WAITING, REST_S, Queries, Subject
from records.elsewhere import Elsewhere, NoAnswer
from tests.fixtures.erp import BY_CODE, WHEN_OPEN, closed, fill_erp
from tests.fixtures.postgres import PostgresServer

SOK = Subject("+85512345678", 7, "A-17", "Sok", "Angkor", "sok@example.com")
LONG_MS = 60_000
HOSTILE = ["A-17' OR '1'='1", "'; DROP TABLE accounts; --", "%", "\\", "%(external_id)s", "?", "១២៣", ""]


# --- the database


def test_the_first_rows_columns_are_the_answer(either_erp_url: str) -> None:
    with contextlib.closing(Elsewhere(either_erp_url, BY_CODE, 30)) as erp:
        found = erp.first_row({"external_id": "A-17"})
        assert (Decimal(str(found["balance"])), found["rating"], str(found["since"])) == (
            Decimal("1250.5"),
            7,
            "2019-03-14",
        )
        assert erp.first_row({"external_id": "nobody"}) == {"balance": None, "rating": None, "since": None}


def test_no_value_is_taken_for_a_piece_of_the_statement(either_erp_url: str) -> None:
    with contextlib.closing(Elsewhere(either_erp_url, BY_CODE, 30)) as erp:
        for hostile in HOSTILE:
            assert erp.first_row({"external_id": hostile})["balance"] is None
        assert erp.first_row({"external_id": "A-17"})["rating"] == 7


@pytest.mark.parametrize("sql", ["DELETE FROM accounts", "UPDATE accounts SET balance = 0", "DROP TABLE accounts"])
def test_the_database_itself_refuses_to_write(either_erp_url: str, sql: str) -> None:
    """Settings refuse these before; here they come past them."""
    with contextlib.closing(Elsewhere(either_erp_url, sql, 30)) as erp:
        assert erp.refuses_writes
        with pytest.raises(NoAnswer, match=r"read-?only"):
            erp.first_row({})
    with contextlib.closing(Elsewhere(either_erp_url, BY_CODE, 30)) as erp:
        assert erp.first_row({"external_id": "A-17"})["rating"] == 7


def test_a_select_that_writes_on_its_way_is_refused(erp_url: str) -> None:
    sql = "WITH gone AS (DELETE FROM accounts RETURNING code) SELECT count(*) AS n FROM gone"
    with contextlib.closing(Elsewhere(erp_url, sql, 30)) as erp, pytest.raises(NoAnswer, match="read-only transaction"):
        erp.first_row({})


def test_the_database_ends_a_statement_that_takes_too_long(either_erp_url: str) -> None:
    sql = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS most FROM n"
    with (
        contextlib.closing(Elsewhere(either_erp_url, sql, 0.1)) as erp,
        pytest.raises(NoAnswer, match=r"timeout|interrupted"),
    ):
        erp.first_row({})


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    nowhere = Elsewhere(f"sqlite:///{tmp_path}/no.db", BY_CODE, 30)
    with contextlib.closing(nowhere) as erp, pytest.raises(NoAnswer, match="unable to open"):
        erp.first_row({"external_id": "A-17"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["sqlite://", "nonsense://host/db", "postgresql+nodriver://host/db"])
def test_a_url_that_cannot_be_used_is_said_to_be_one(url: str) -> None:
    with pytest.raises(NoAnswer, match="its url cannot be used"):
        Elsewhere(url, BY_CODE, 30)


# --- asking without waiting


class Told:
    """Who was told to have changed, and a clock that the test moves."""

    def __init__(self) -> None:
        self.customers: list[int] = []
        self.now = 1000.0
        self._news = asyncio.Event()

    def changed(self, customer_id: int) -> None:
        self.customers.append(customer_id)
        self._news.set()

    def clock(self) -> float:
        return self.now

    async def times(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.customers) < count:
                self._news.clear()
                await self._news.wait()


@contextlib.asynccontextmanager
async def queries(url: str, sql: str = BY_CODE, limit_ms: int = LONG_MS) -> AsyncIterator[tuple[Queries, Told]]:
    told = Told()
    asking = Queries({"erp": Query(url=url, sql=sql, limit_ms=limit_ms)}, told.changed, told.clock)
    try:
        yield asking, told
    finally:
        await asking.close()


async def test_what_is_lacking_comes_later_and_is_told(either_erp_url: str) -> None:
    async with queries(either_erp_url) as (erp, told):
        assert erp.at_hand(SOK, ["erp"]) == {}
        await told.times(1)
        answers = erp.at_hand(SOK, ["erp"])
        assert answers["erp"] is not None
        assert answers["erp"]["rating"] == 7
        assert told.customers == [7]
        assert (await erp.all_of(replace(SOK, external_id="A-18"), ["erp"]))["erp"] is not None
        assert erp.counters["erp"].answered == 2


async def test_all_who_ask_about_the_same_are_one_question(erp_url: str) -> None:
    async with queries(erp_url, WHEN_OPEN) as (erp, told):
        async with closed(erp_url):
            for _ in range(50):
                assert erp.at_hand(SOK, ["erp"]) == {}
            waiting = asyncio.create_task(erp.all_of(SOK, ["erp"]))
            await asyncio.sleep(0)
        assert (await waiting)["erp"] is not None
        assert told.customers == [7]
        counted = erp.counters["erp"]
        assert (counted.asked, counted.joined) == (1, 50)


async def test_only_so_many_are_asked_at_once_and_only_so_many_wait(erp_url: str) -> None:
    async with queries(erp_url, WHEN_OPEN) as (erp, told):
        async with closed(erp_url) as connection:
            for at in range(MOST_WAITING + 5):
                erp.at_hand(replace(SOK, customer_id=at, external_id=f"A-{at}"), ["erp"])
            async with asyncio.timeout(30):
                while erp.counters["erp"].asked < AT_ONCE:
                    await asyncio.sleep(0.005)
            assert erp.counters["erp"].left_alone == 5
            too_many = replace(SOK, customer_id=MOST_WAITING, external_id=f"A-{MOST_WAITING}")
            assert erp.at_hand(too_many, ["erp"]) == {"erp": None}
            active = "application_name = 'ringcard' AND datname = current_database()"
            count = 0
            async with asyncio.timeout(30):
                while count < AT_ONCE:  # one that was asked may not be connected yet
                    counting = await connection.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {active}")
                    row = await counting.fetchone()
                    count = int(f"{row[0]}") if row else 0
            assert count == AT_ONCE
        await told.times(MOST_WAITING)
        assert erp.counters["erp"].answered == MOST_WAITING


async def test_an_answer_is_good_for_its_time(either_erp_url: str) -> None:
    async with queries(either_erp_url) as (erp, told):
        await erp.all_of(SOK, ["erp"])
        told.now += 59
        assert erp.at_hand(SOK, ["erp"])["erp"] is not None
        assert erp.counters["erp"].asked == 1
        told.now += 2
        assert erp.at_hand(SOK, ["erp"]) == {}
        await told.times(2)
        assert erp.counters["erp"].asked == 2


async def test_a_database_that_is_too_slow_gives_nothing_and_is_left_alone(
    erp_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with queries(erp_url, "SELECT 1 AS n FROM pg_sleep(60) WHERE :customer_id > 0", limit_ms=100) as (erp, _):
        assert await erp.all_of(SOK, ["erp"]) == {"erp": None}
        for at in range(5):
            assert await erp.all_of(replace(SOK, customer_id=10 + at), ["erp"]) == {"erp": None}
        counted = erp.counters["erp"]
        assert (counted.asked, counted.late, counted.left_alone) == (1, 1, 5)
        assert erp.outages == {"erp": "no answer within 100 ms"}
        said = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
        assert said == ["query erp gone: no answer within 100 ms; its fields show their defaults"]


async def test_a_database_that_went_is_asked_again_when_it_is_back(
    own_postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    url = fill_erp(own_postgres.new_database())
    async with queries(url) as (erp, told):
        await erp.all_of(SOK, ["erp"])
        own_postgres.kill()
        told.now += 61
        assert await erp.all_of(SOK, ["erp"]) == {"erp": None}
        told.now += REST_S + 1
        assert erp.at_hand(SOK, ["erp"]) == {"erp": None}  # it goes on showing its default while it is asked again
        await told.times(3)
        own_postgres.start()
        told.now += REST_S + 1
        answers = await erp.all_of(SOK, ["erp"])
        assert answers["erp"] is not None
        assert answers["erp"]["since"] == date(2019, 3, 14)
        assert erp.outages == {}
        said = [record.message.split(":")[0].split(" after")[0] for record in caplog.records]
        assert said == ["query erp gone", "query erp is back"]


async def test_a_frozen_database_holds_nobody(own_postgres: PostgresServer) -> None:
    url = fill_erp(own_postgres.new_database())
    async with queries(url, limit_ms=300) as (erp, _):
        own_postgres.freeze()
        try:
            assert erp.at_hand(SOK, ["erp"]) == {}
            assert await erp.all_of(SOK, ["erp"]) == {"erp": None}
            assert erp.counters["erp"].late == 1
        finally:
            own_postgres.resume()


async def test_a_url_without_a_driver_is_an_outage_and_no_more() -> None:
    async with queries("postgresql+nodriver://host/db") as (erp, _):
        assert await erp.all_of(SOK, ["erp"]) == {"erp": None}
        assert "its url cannot be used" in erp.outages["erp"]
