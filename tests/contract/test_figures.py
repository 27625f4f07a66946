"""What the processes of one machine say of themselves, and what is known of one that says nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine

from config.measures import Histogram, Said, Sample
from desk.counted import Counted
from lookup.numbers import NumberPlan, read
from records import changes
from records.changes import waiting as changes_waiting
from records.customers import add_customer
from records.database import reading, writing
from records.journal import Journal, JournalGone, waiting
from ringcard.saying import FOLDER, ROLES, Saying, heard
from tests.contract.test_journal import FACTS

PLAN = NumberPlan(country="KH", area_code="", dial_prefixes=(), double_zero=True)

SAMPLES = (
    Sample("ringcard_calls_total", 7, {"direction": "inbound", "outcome": "answered"}),
    Sample("ringcard_lookup_seconds", Histogram((0.1,), [5, 1], 0.25)),
)


@asynccontextmanager
async def saying(folder: Path, role: str) -> AsyncIterator[Saying]:
    said = Saying(folder, role, lambda: SAMPLES)
    await said.start()
    try:
        yield said
    finally:
        await said.stop()


@contextmanager
def another_process(folder: Path, role: str) -> Iterator[subprocess.Popen[bytes]]:
    program = f"""
import asyncio
from pathlib import Path
from ringcard.saying import Saying
async def main():
    await Saying(Path({str(folder)!r}), {role!r}, lambda: ()).start()
    print("ready", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


async def up(folder: Path) -> dict[str, float | Histogram]:
    return {said.process: said.samples[0].value for said in await heard(folder)}


DOWN = dict.fromkeys(ROLES, 0)


async def test_what_is_said_is_heard_as_it_was_said(tmp_path: Path) -> None:
    async with saying(tmp_path, "ari"):
        said = {each.process: each for each in await heard(tmp_path)}
    assert said["ari"] == Said("ari", (Sample("ringcard_up", 1), *SAMPLES))
    assert said["worker"] == Said("worker", (Sample("ringcard_up", 0),))


async def test_where_nothing_ever_ran_every_process_is_away(tmp_path: Path) -> None:
    assert await up(tmp_path) == DOWN


async def test_whoever_asks_needs_not_ask_itself(tmp_path: Path) -> None:
    async with saying(tmp_path, "desk") as desk:
        said = await heard(tmp_path, desk)
    assert [each.process for each in said].count("desk") == 1
    assert said[0] == Said("desk", (Sample("ringcard_up", 1), *SAMPLES))


async def test_several_of_a_kind_have_names_of_their_own_and_a_free_one_is_taken_again(tmp_path: Path) -> None:
    async with saying(tmp_path, "ari") as first:
        async with saying(tmp_path, "ari") as second:
            assert (first.process, second.process) == ("ari", "ari-2")
            assert await up(tmp_path) == {**DOWN, "ari": 1, "ari-2": 1}
            await first.stop()
            async with saying(tmp_path, "ari") as third:
                assert third.process == "ari"
        assert await up(tmp_path) == DOWN


async def test_a_killed_process_is_away_at_once_and_leaves_no_ghost(tmp_path: Path) -> None:
    with another_process(tmp_path, "ari"), another_process(tmp_path, "ari") as second:
        assert await up(tmp_path) == {**DOWN, "ari": 1, "ari-2": 1}
        second.kill()
        second.wait()
        assert await up(tmp_path) == {**DOWN, "ari": 1}
    assert await up(tmp_path) == DOWN
    async with saying(tmp_path, "ari") as again:
        assert again.process == "ari", "its place is free, though it did not end in order"
        assert await up(tmp_path) == {**DOWN, "ari": 1}


async def test_a_frozen_process_is_down_and_holds_nobody_up(tmp_path: Path) -> None:
    with another_process(tmp_path, "worker") as worker:
        os.kill(worker.pid, signal.SIGSTOP)
        async with saying(tmp_path, "ari"), asyncio.timeout(30):
            assert await up(tmp_path) == {**DOWN, "ari": 1}
        os.kill(worker.pid, signal.SIGCONT)
        assert await up(tmp_path) == {**DOWN, "worker": 1}


async def test_a_data_dir_with_a_long_name_is_no_trouble(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30) / ("longer" * 20)
    async with saying(folder, "agi"):
        assert await up(folder) == {**DOWN, "agi": 1}


async def test_other_users_of_the_machine_cannot_ask(tmp_path: Path) -> None:
    async with saying(tmp_path, "agi"):
        assert (tmp_path / FOLDER).stat().st_mode & 0o077 == 0


async def test_where_nothing_can_be_written_a_process_starts_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    async with saying(tmp_path / "file", "ari"):
        pass
    assert "nobody can ask for the figures of this process" in caplog.text


async def test_who_speaks_otherwise_is_taken_as_away(tmp_path: Path) -> None:
    async with saying(tmp_path, "ari") as ari:
        ari.said = lambda: Said("ari", ("what",))  # type: ignore[method-assign, arg-type]
        assert await up(tmp_path) == DOWN


# --- what is asked of the machine


def test_the_journal_says_how_much_waits_and_was_set_aside_and_is_not_made_for_that(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    assert waiting(path) == (0, 0)
    assert not path.exists()
    journal = Journal(path)
    for number in range(5):
        journal.append(replace(FACTS, call_id=f"c{number}"))
    assert journal.flush()
    assert (waiting(path), journal.unwritten, journal.given_up) == ((5, 0), 0, 0)
    first, second, *_ = journal.pending()
    journal.reject(first, "the database refuses it")
    journal.done(second.id)
    assert waiting(path) == (3, 1)
    journal.close()


def test_a_journal_that_is_none_is_not_guessed_about(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_text("this is a letter" * 100)
    with pytest.raises(JournalGone):
        waiting(path)


def test_changes_that_no_cache_was_told_of_are_counted(database: Engine) -> None:
    def count() -> int:
        with reading(database) as session:
            return changes_waiting(session)

    before = count()
    with writing(database) as session:
        add_customer(session, lambda raw: read(raw, PLAN), name="Sok Dara", numbers=["+85512345678"])
    assert count() > before
    changes.done(database, changes.pending(database))
    assert count() == 0


async def test_a_request_that_breaks_our_code_is_counted_as_one() -> None:
    counts: Counter[str] = Counter()
    app = FastAPI()

    @app.get("/well")
    async def well() -> str:
        return "well"

    @app.get("/broken")
    async def broken() -> str:
        raise RuntimeError("a mistake")

    app.add_middleware(Counted, counts=counts)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as client:
        for path in ("/well", "/well", "/nowhere", "/broken"):
            await client.get(path)
    assert counts == {"2xx": 2, "4xx": 1, "5xx": 1}
