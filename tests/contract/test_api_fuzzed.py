"""The API beside its own description: schemathesis makes requests of it, good and bad, and looks at the answers.

API_SECONDS=600 looks for that long, and at PostgreSQL as well.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.card_fields import Field
from config.settings import Settings, Source, Store
from records.database import open_database, writing
from records.sessions import hash_of
from records.tables import ApiToken, User
from tests.fixtures.desk import People, RunningDesk, fill, opened, served
from tests.fixtures.postgres import TEMPLATE, PostgresServer

SECONDS = int(os.environ.get("API_SECONDS", "0"))
USUAL_S = 40
CONFIG = Path(__file__).with_name("schemathesis.toml")
TOKEN = "rc_of_an_administrator_who_stays"
SOURCE_TOKEN = "of_a_source"
NOBODY_GUESSES = 1_234_567_891  # an id


def keep(desk: RunningDesk) -> bool:
    """Keeps the administrator whose token it is, whatever was done to people and tokens; True: there was need to."""
    now = datetime.now(UTC)
    with writing(desk.database()) as session:
        user = session.get(User, NOBODY_GUESSES) or User(id=NOBODY_GUESSES, password_hash="", created_at=now)
        token = session.get(ApiToken, NOBODY_GUESSES)
        if token and user.active and user.role == "administrator":
            return False
        user.login, user.name, user.role, user.active = "keeper", "The Keeper", "administrator", True
        session.add(user)
        session.flush()
        session.add(
            token
            or ApiToken(
                id=NOBODY_GUESSES,
                user_id=user.id,
                name="of this test",
                scopes="read write calls",
                token_hash=hash_of(TOKEN),
                made_at=now,
                ends_at=now + timedelta(days=1),
            )
        )
    return True


async def keep_on(desk: RunningDesk) -> None:
    while True:
        if await asyncio.to_thread(keep, desk):
            desk.app.state.services.people.forget()
        await asyncio.sleep(0.5)


@pytest.fixture(params=["sqlite", *(["postgres"] if SECONDS else [])])
async def fuzzed(
    request: pytest.FixtureRequest, company: tuple[Settings, People], redis_url: str
) -> AsyncIterator[RunningDesk]:
    settings, people = company
    settings = replace(
        settings,
        sources={"shop": Source("push", token=SOURCE_TOKEN)},
        destinations={"night": "night,s"},
        fields={
            "grade": Field(type="choice", choices=("Gold", "Silver")),
            "credit_limit": Field("Credit limit", "money"),
            "since": Field(type="date"),
            "vip": Field(type="yes/no"),
            "score": Field(type="number"),
        },
    )
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.new_database(TEMPLATE)
        settings = replace(settings, store=Store(data_dir=settings.store.data_dir, database_url=url))
        database = open_database(url)
        people = fill(database, Path(settings.store.data_dir))
        database.dispose()
    async with opened(settings, people, redis_url) as desk:
        keep(desk)
        yield desk


@pytest.mark.timeout(max(180, SECONDS * 2))
async def test_every_answer_is_as_the_description_says(fuzzed: RunningDesk, tmp_path: Path) -> None:
    async with served(fuzzed) as address:
        keeping = asyncio.create_task(keep_on(fuzzed))
        status, said = await schemathesis(address, tmp_path)
        keeping.cancel()
    assert status == 0, said


async def schemathesis(address: str, tmp_path: Path) -> tuple[int, str]:
    """Its exit status and what it says."""
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("st"),
        f"--config-file={CONFIG}",
        "run",
        f"{address}/api/v1/openapi.json",
        f"--header=Authorization: Bearer {TOKEN}",
        "--no-color",
        "--include-path-regex=^/api/",  # beside it are described those of Asterisk, which has no token
        *([f"--max-time={SECONDS}"] if SECONDS else [f"--max-time={USUAL_S}", "--generation-deterministic"]),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,
        env={**os.environ, "SOURCE_TOKEN": SOURCE_TOKEN},
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, said.decode()
