"""Sources at work beside calls: whose customer is shown, how soon, and what one that hangs or dies does to others."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import func, make_url, select, text, update

from config.sentences import told
from config.settings import Company, Lookup, Settings, Source, Store
from lookup.answers import Found
from lookup.engine import Engine
from lookup.redis_cards import RedisCards
from lookup.sql_cards import SqlCards
from records import customers
from records.database import open_database, reading, writer, writing
from records.intake.imports import Intake
from records.sources import runs
from records.tables import Customer, SourceRow
from ringcard.check_sources import sources
from ringcard.source_programs import SourcePrograms, work
from tests.contract.test_freshness import LONG_S, PLAN, SOK, House, read
from tests.contract.test_sources import Crm, known, sql_source
from tests.fixtures.postgres import PostgresServer

ORDERS = {"": 0, "crm": 1, "book": 2}


@pytest.fixture
def crm(tmp_path: Path) -> Iterator[Crm]:
    it = Crm(f"sqlite:///{tmp_path / 'crm.db'}")
    yield it
    it.close()


def settings(database: Database, tmp_path: Path, **named: Source) -> Settings:
    url = database.url.render_as_string(hide_password=False)
    return Settings(company=Company(country="KH"), store=Store(str(tmp_path), url), sources=named)


@asynccontextmanager
async def working(settings: Settings, database: Database) -> AsyncIterator[None]:
    running = asyncio.create_task(SourcePrograms(settings, database).run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait({running})


@asynccontextmanager
async def opened(database: Database, redis_url: str) -> AsyncIterator[House]:
    cache = RedisCards(redis_url, 2)
    house = House(database, cache, redis_url)
    house.source = SqlCards(database.url.render_as_string(hide_password=False), LONG_S, ORDERS)
    house.engine = Engine({"": PLAN}, cache, house.source, Lookup())
    async with house.following():
        yield house
    await house.close()
    await cache.close()


async def until(there: Callable[[], bool], within_s: float = 3 * LONG_S) -> None:
    async with asyncio.timeout(within_s):
        while not await asyncio.to_thread(there):
            await asyncio.sleep(0.02)


async def test_the_first_in_order_that_knows_the_number_is_shown_whoever_comes_and_goes(
    database: Database, redis_url: str, crm: Crm, tmp_path: Path
) -> None:
    means = Intake(database, tmp_path, read)

    def run(name: str) -> None:
        runs.run(means, name, sql_source(crm))

    for number in range(6):  # more than a card has room for, and older than all others
        crm.put(number, f"Book {number}", SOK)
    run("book")
    crm.sql("DELETE FROM clients")
    crm.put(1, "Of crm", SOK)
    run("crm")
    with writing(database) as session:
        ours = customers.add_customer(session, read, name="Ours", numbers=[SOK])[0].id
        session.flush()
        session.execute(text("DELETE FROM changes"))  # all that was long ago

    async with opened(database, redis_url) as house:

        async def shown() -> tuple[str, str]:
            await house.followed()
            answer = await house.call(SOK)
            assert isinstance(answer, Found)
            return answer.candidates[0].name, answer.reason

        assert await shown() == ("Ours", f"{SOK} is a number of this customer.")
        await house.remembered(SOK)
        with writing(database) as session:
            customers.remove_customer(session, ours)
        assert await shown() == ("Of crm", f"{SOK} is a number of this customer. Kept in crm.")
        crm.put(1, "Of crm", "012999999")
        await asyncio.to_thread(run, "crm")
        assert await shown() == ("Book 0", f"5 customers share {SOK}. Kept in book.")
        with writing(database) as session:
            customers.add_customer(session, read, name="Ours again", numbers=[SOK])
        assert (await shown())[0] == "Ours again"


async def test_a_row_that_changes_in_the_other_database_is_on_the_next_card(
    sqlite_database: Database, postgres: PostgresServer, redis_url: str, tmp_path: Path
) -> None:
    crm = Crm(postgres.new_database())
    crm.put(1, "Sok Dara", SOK)
    async with opened(sqlite_database, redis_url) as house:

        async def becomes(name: str) -> None:
            async with asyncio.timeout(3 * LONG_S):
                while not (isinstance(answer := await house.call(SOK), Found) and answer.candidates[0].name == name):
                    await asyncio.sleep(0.05)

        async with working(settings(sqlite_database, tmp_path, crm=sql_source(crm, every_s=1)), sqlite_database):
            await becomes("Sok Dara")
            crm.put(1, "Dara Sok", SOK)
            await becomes("Dara Sok")
    crm.close()
    postgres.run_sql(f"DROP DATABASE {make_url(crm.url).database} WITH (FORCE)")


async def test_a_source_that_hangs_or_fails_holds_up_no_other_and_is_ended(
    sqlite_database: Database,
    own_postgres: PostgresServer,
    crm: Crm,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    crm.put(1, "Sok Dara", SOK)
    frozen = sql_source(crm, order=2, limit_s=4, every_s=3600)
    of_all = settings(
        sqlite_database,
        tmp_path,
        frozen=replace(frozen, url=own_postgres.url("postgres")),
        gone=sql_source(crm, order=3, every_s=1, sql="SELECT id, name, phone FROM nowhere"),
        crm=sql_source(crm, every_s=1),
    )

    def row(name: str) -> SourceRow | None:
        with reading(sqlite_database) as session:
            return session.get(SourceRow, name)

    def is_said(name: str, error: str) -> bool:
        found = row(name)
        return found is not None and error in told(found.error)

    own_postgres.freeze()
    try:
        async with working(of_all, sqlite_database):
            await until(lambda: "crm" in known(sqlite_database) or bool(known(sqlite_database)))
            await until(lambda: is_said("gone", "nowhere"))
            first = row("gone")
            crm.put(1, "Dara Sok", SOK)
            await until(lambda: list(known(sqlite_database)) == ["Dara Sok"])
            await until(lambda: is_said("frozen", "it was not done after 4 s, which is its limit_s"))
            await until(lambda: (again := row("gone")) is not None and again.started_at != first.started_at)  # type: ignore[union-attr]
            assert caplog.text.count("the source gone failed") == 1, "said once, not each time"
            crm.sql("CREATE TABLE nowhere (id integer, name text, phone text)")
            await until(lambda: "the source gone works again" in caplog.text)
    finally:
        own_postgres.resume()


def test_a_run_that_is_killed_in_the_middle_is_done_by_the_next_and_nothing_is_doubled(
    postgres_url: str, crm: Crm, tmp_path: Path
) -> None:
    database = open_database(postgres_url)
    crm.sql(
        "WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 1999)"
        " INSERT INTO clients (id, name, phone) SELECT i, 'Client ' || i, '01234' || i FROM n"
    )
    with writer(database).begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS"
                " $$BEGIN IF NEW.external_id = '1900' THEN PERFORM pg_sleep(120); END IF; RETURN NEW; END$$"
            )
        )
        connection.execute(text("CREATE TRIGGER nap BEFORE INSERT ON customers FOR EACH ROW EXECUTE FUNCTION nap()"))

    def count() -> int:
        with reading(database) as session:
            return session.scalar(select(func.count()).select_from(Customer)) or 0

    source = sql_source(crm)
    program = multiprocessing.get_context("spawn").Process(
        target=work, args=(settings(database, tmp_path, crm=source), "crm", os.getpid())
    )
    program.start()
    end = time.monotonic() + LONG_S * 3
    while count() < 800 and time.monotonic() < end:
        time.sleep(0.02)
    program.kill()
    program.join()
    assert count() == 800
    with writer(database).begin() as connection:
        naps = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        connection.execute(naps)
        connection.execute(text("DROP FUNCTION nap() CASCADE"))
    assert not runs.is_at_work(tmp_path, "crm")
    ran = runs.run(Intake(database, tmp_path, read), "crm", source)
    assert (ran.rows, ran.added, ran.changed, ran.removed) == (1000, 200, 0, 0)
    assert count() == 1000
    assert not [*(tmp_path / "imports").glob("source-crm.db*")], "what was staged is gone"
    database.dispose()


# --- doctor


def test_doctor_says_of_each_source_what_is_wrong_and_how_to_mend_it(
    database: Database, crm: Crm, tmp_path: Path
) -> None:
    crm.put(1, "Sok Dara", SOK)
    names = ("well", "late", "broken", "left")
    of_all = {name: sql_source(crm, order=order, every_s=60) for order, name in enumerate(names, 1)}
    for name in names:
        runs.run(Intake(database, tmp_path, read), name, of_all[name])
    runs.note_failure(database, "broken", "the server is away")
    with writing(database) as session:
        long_ago = datetime.now(UTC) - timedelta(hours=5)
        session.execute(update(SourceRow).where(SourceRow.name == "late").values(succeeded_at=long_ago))
    del of_all["left"]
    of_all |= {"new": sql_source(crm, order=8), "shop": Source("push", order=9, token="a token that is long enough")}
    found = {one.name: one for one in sources(settings(database, tmp_path, **of_all))}
    said = {name.removeprefix("source "): (one.state, one.seen, one.mend) for name, one in found.items()}
    assert said["well"][:2] == ("ok", said["well"][1])
    assert said["well"][1].startswith("1 customer, read 20")
    assert said["late"][0] == "warn"
    assert said["late"][1] == "is overdue: the last run that worked was 5 h ago"
    assert said["late"][2] == "Is ringcard run running? Its worker reads it. Now: ringcard source run late"
    assert said["broken"][0] == "warn"
    assert said["broken"][1].startswith("failed: the server is away; the last run that worked was ")
    assert said["broken"][2] == "What was known stays. Mend that, then: ringcard source run broken"
    assert said["left"][1:] == (
        "settings do not name it; it left 1 customer here",
        "Name it again, or let them go: ringcard source forget left",
    )
    assert said["new"][1] == "has never run"
    assert said["shop"][1] == "has told us nothing yet"


# --- the command


@contextmanager
def configured(
    database: Database, crm: Crm, tmp_path: Path
) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    (tmp_path / "ringcard.toml").write_text(
        f"""
[company]
country = "KH"
[store]
data_dir = "data"
database_url = "{database.url}"
[sources.crm]
kind = "sql"
url = "{crm.url}"
sql = "SELECT id, name, phone FROM clients"
"""
    )

    def ringcard(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ringcard.cli", "--config", str(tmp_path / "ringcard.toml"), "source", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    yield ringcard


def test_the_command_runs_a_source_lists_it_and_forgets_it(sqlite_database: Database, crm: Crm, tmp_path: Path) -> None:
    crm.put(1, "Sok Dara", SOK)
    crm.put(2, "Chan", "what?")
    with configured(sqlite_database, crm, tmp_path) as ringcard:
        ran = ringcard("run", "crm", "--dry-run")
        assert ran.stdout.startswith("2 rows read: 2 would be added, 0 would be changed, 0 would be removed.\n"), ran
        assert "'what?' cannot be read" in ran.stdout
        assert (ran.returncode, known(sqlite_database)) == (1, {})
        assert ringcard("run", "crm").stdout.startswith("2 rows read: 2 added, 0 changed, 0 removed.\n")
        listed = json.loads(ringcard("list", "--json").stdout)
        assert [(one["name"], one["customers"], one["last"]["added"]) for one in listed] == [("crm", 2, 2)]
        assert ringcard("forget", "crm").stdout == "2 customers of crm removed, and what was known of it.\n"
    assert known(sqlite_database) == {}


async def test_the_worker_of_a_company_runs_its_sources_and_ends_in_order(
    sqlite_database: Database, crm: Crm, tmp_path: Path
) -> None:
    crm.put(1, "Sok Dara", SOK)
    with configured(sqlite_database, crm, tmp_path):
        command = ["-m", "ringcard.cli", "--config", str(tmp_path / "ringcard.toml"), "run", "worker"]
        worker = await asyncio.create_subprocess_exec(sys.executable, *command)
        try:
            await until(lambda: list(known(sqlite_database)) == ["Sok Dara"])
        finally:
            worker.terminate()
            async with asyncio.timeout(3 * LONG_S):
                status = await worker.wait()
    assert status == 0
