"""The worker: what waits for the database is done when it comes, in whatever state it comes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import inspect

from lookup import numbers
from lookup.numbers import NumberPlan
from records.calls import call
from records.database import open_database, reading
from records.journal import Journal
from ringcard import worker
from ringcard.worker import Worker
from tests.contract.test_journal import FACTS
from tests.fixtures.postgres import PostgresServer

PLAN = NumberPlan("KH")


@asynccontextmanager
async def working(journal: Journal, database: Database) -> AsyncIterator[None]:
    running = asyncio.create_task(Worker(journal, database, lambda raw: numbers.read(raw, PLAN)).run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_database_that_was_away_at_the_start_is_made_ready_when_it_comes(
    own_postgres: PostgresServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "AGAIN_S", 0.05)
    database = open_database(own_postgres.new_database(), answer_s=0.2)
    own_postgres.kill()
    journal = Journal(tmp_path / "journal.db")
    journal.append(FACTS)
    with caplog.at_level(logging.WARNING):
        async with asyncio.timeout(30), working(journal, database):
            while "calls wait in the journal" not in caplog.text:
                await asyncio.sleep(0.01)
            own_postgres.start()
            while "the calls that waited are in the log" not in caplog.text:
                await asyncio.sleep(0.01)
    assert inspect(database).has_table("alembic_version")
    with reading(database) as session:
        logged = call(session, FACTS.call_id)
    assert logged is not None
    assert logged.caller_number == FACTS.caller_number
    assert journal.size() == 0
    journal.close()
    database.dispose()
