"""`ringcard simulate`: a call without a telephone, told to every desk through Redis; no Asterisk is there."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select

from config.settings import load
from lookup.notices import LiveCall, Notice
from lookup.playing import now_ms
from lookup.redis_notices import RedisNotices
from lookup.simulated import answered, notice_of
from records import routing
from records.customers import add_customer
from records.database import open_database, reading, writing
from records.migrate import migrate
from records.tables import CallRow
from records.users import add_user, seat
from ringcard import compose
from ringcard.cli import main

SETTINGS = """
[company]
country = "KH"
[dids."+85523900001"]
policy = "route"
[routing]
ring_s = 1
group_ring_s = 1
[store]
data_dir = "data"
redis_url = "{redis_url}"
"""
SOK = "+85512345678"
LONG_S = 20.0


@pytest.fixture(scope="module")
def standing_house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sok's manager Lina sits at 101, her deputy Vuthy at 103."""
    file = tmp_path_factory.mktemp("house") / "ringcard.toml"
    file.write_text(SETTINGS.format(redis_url=""), encoding="utf-8")
    settings = load(file, {})
    database = open_database(settings.database_url)
    migrate(database)
    with writing(database) as session:
        vuthy = add_user(session, "vuthy", "Kim Vuthy", "a long password")
        lina = add_user(session, "lina", "Chan Lina", "a long password", deputy=vuthy)
        seat(session, lina.id, "pbx", "101")
        seat(session, vuthy.id, "pbx", "103")
        add_customer(session, compose.reader(settings), name="Sok Dara", numbers=[SOK], manager_id=lina.id)
        routing.block(session, "prefix", "+7495", "spam", lina.id)
    database.dispose()
    return file


@pytest.fixture
def house(standing_house: Path, redis_url: str) -> Path:
    """Its settings, with an empty Redis: a simulated call changes nothing else."""
    standing_house.write_text(SETTINGS.format(redis_url=redis_url), encoding="utf-8")
    return standing_house


@pytest.fixture
def patient(house: Path) -> Path:
    """The same, where phones ring for a long time."""
    house.write_text(house.read_text(encoding="utf-8").replace("ring_s = 1\n", "ring_s = 600\n"), encoding="utf-8")
    return house


def told(redis_url: str) -> list[tuple[str, LiveCall]]:
    """All notices there are, with the state of the call."""

    async def read() -> list[tuple[str, LiveCall]]:
        notices = RedisNotices(redis_url)
        found: list[tuple[str, LiveCall]] = []
        last, _ = await notices.snapshot()
        if last != "0-0":
            async for id, notice in notices.follow("0"):
                assert notice.call is not None
                found.append((notice.kind, notice.call))
                if id == last:
                    break
        await notices.close()
        return found

    return asyncio.run(read())


def test_a_call_rings_the_phones_of_the_rules_is_answered_and_ends_and_is_in_no_log(
    house: Path, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--config", str(house), "simulate", "012 345 678", "--answer-after", "1.2", "--talk", "0.1"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    for words in (
        "no telephone rings, and it is not in the log",
        "Chan Lina (phone 101), for 1 s: the assigned manager Chan Lina",
        "0.0 s  simulated call: found, ",
        "0.0 s  phone 101: ringing",
        "1.0 s  phone 101: missed",
        "1.0 s  phone 103: ringing",
        "1.2 s  phone 103: talking",
        "1.3 s  phone 103: left the call",
        "1.3 s  ended: answered",
    ):
        assert words in said
    notices = told(redis_url)
    assert [kind for kind, _ in notices] == ["ringing", "ringing", "answered", "ended"]
    assert {call.is_simulated for _, call in notices} == {True}
    assert {call.shown_name for _, call in notices} == {"Sok Dara"}
    database = open_database(load(house, {}).database_url)
    with reading(database) as session:
        assert session.scalar(select(func.count()).select_from(CallRow)) == 0
    database.dispose()


@pytest.mark.parametrize("outcome", ["missed", "busy", "declined"])
def test_the_outcome_is_as_it_was_asked_for(
    house: Path, redis_url: str, capsys: pytest.CaptureFixture[str], outcome: str
) -> None:
    assert main(["--config", str(house), "simulate", SOK, "--to", "103", "--outcome", outcome]) == 0
    assert f"ended: {outcome}" in capsys.readouterr().out
    assert told(redis_url)[-1][1].outcome == outcome


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody"], "'nobody' cannot call; write a number like +85512345678, or the word withheld"),
        (
            [SOK, "--to", "199"],
            "nobody sits at phone '199' here, so no screen would show it; somebody sits at 101, 103",
        ),
        ([SOK, "--did", "023900009"], "calls to this number are named only. Name one with --to PHONE"),
        (["+33142685300"], "no phone would ring. The company's own way: no customer is known by this number."),
        (["+74951234567"], "no phone would ring. Blocked: "),
        (["withheld"], "no phone would ring. The company's own way: the caller withheld the number."),
        ([SOK, "--answer-after", "90"], "it would ring for 2 s in all; say an --answer-after below that"),
        ([SOK, "--talk", "-1"], "--talk is a number of seconds from 0 to 3600"),
    ],
)
def test_what_would_ring_nobody_is_refused_with_what_to_do(
    house: Path, redis_url: str, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["--config", str(house), "simulate", *arguments]) == 1
    assert said in capsys.readouterr().err
    assert told(redis_url) == []


def test_a_phone_and_a_number_of_ours_are_not_asked_for_together(
    house: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--config", str(house), "simulate", SOK, "--to", "101", "--did", "023900001"])
    assert stopped.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def test_without_redis_no_screen_can_be_told_and_it_says_so(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    house.write_text(SETTINGS.format(redis_url="unix:///nowhere/redis.sock"), encoding="utf-8")
    assert main(["--config", str(house), "simulate", SOK]) == 1
    assert "start Ringcard with `ringcard run`, then try again" in capsys.readouterr().err


@asynccontextmanager
async def ringing(patient: Path, redis_url: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, RedisNotices]]:
    """The command at work in a process of its own, and its call rings 101 for a long time."""
    command = ["-m", "ringcard.cli", "--config", str(patient), "simulate", SOK, "--to", "101"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, "--outcome", "missed", "--talk", "0", stdout=asyncio.subprocess.PIPE
    )
    notices = RedisNotices(redis_url)
    try:
        yield process, notices
    finally:
        await notices.close()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def live(notices: RedisNotices) -> LiveCall:
    """The one call, once it rings."""
    async with asyncio.timeout(LONG_S):
        while True:
            _, calls = await notices.snapshot()
            if calls and calls[0].phones:
                return calls[0]
            await asyncio.sleep(0.01)


async def test_ctrl_c_ends_the_call_on_every_screen(patient: Path, redis_url: str) -> None:
    async with ringing(patient, redis_url) as (process, notices):
        call = await live(notices)
        process.send_signal(signal.SIGINT)
        out, _ = await process.communicate()
        assert process.returncode == 130
        assert b"ended: abandoned" in out
        assert b"Hung up." in out
        _, [over] = await notices.snapshot()
        assert (over.call_id, over.outcome, bool(over.ended_ms)) == (call.call_id, "abandoned", True)


async def test_somebody_may_answer_it_at_the_desk(patient: Path, redis_url: str) -> None:
    async with ringing(patient, redis_url) as (process, notices):
        call = await live(notices)
        taken: Notice = notice_of(call, answered(call, "101", now_ms()))
        notices.publish(taken)
        out, _ = await process.communicate()
        assert process.returncode == 0
        assert b"phone 101: talking" in out
        assert b"ended: answered" in out
