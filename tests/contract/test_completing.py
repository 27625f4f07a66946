"""The log of calls is completed from what Asterisk wrote of its channels, and nothing that was heard is touched."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import event, select
from sqlalchemy.orm import selectinload

from config.settings import Asterisk, Settings
from lookup.reasons import CUT
from records import completion
from records.calls import write_call
from records.database import reading, writing
from records.facts import NOT_ALL_HEARD, CallFacts, LegFacts, call_id_of
from records.journal import Journal
from records.replay import replay
from records.tables import CallLeg, CallRow, CelPosition
from ringcard import cel_file, completing, compose
from ringcard.completing import Completing
from tests.contract.test_freshness import NOBODY, SOK, House, company, house
from tests.facts import facts as some_facts
from tests.unit.test_cel import line

__all__ = ["house"]

ENDED_S = int(time.time()) - 3600
LONG_S = 20.0


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("EVERY_S", 0.01), ("AGAIN_S", 0.05), ("SAVE_EVERY_S", 0.0), ("LOOK_EVERY_S", 0.0)):
        monkeypatch.setattr(completing, name, seconds)


def channel(number: int) -> str:
    return f"pbx-{ENDED_S}.{number}"


def written(number: int, caller: str = SOK, *, presentation: str = "allowed", until: str = "end") -> bytes:
    """A call that phone 101 answers after a second and the caller ends five seconds later; or what there is of it."""
    root, leg = channel(number), channel(number + 1)
    phone, trunk = f"PJSIP/101-{number:08x}", f"PJSIP/trunk-{number:08x}"

    def one(kind: str, second: float, uniqueid: str = root, name: str = trunk, **more: str) -> bytes:
        return line(kind, ENDED_S + second, root, uniqueid, channame=name, cidnum=caller, **more)

    def hung_up(**extra: object) -> str:
        return orjson.dumps({"hangupcause": 16, "hangupsource": trunk, **extra}).decode()

    bridge = f'{{"bridge_id":"b{number}","bridge_technology":"simple_bridge"}}'
    data = f"ringcard,+85523900002,lab,{presentation},{root}"
    lines = {
        "begin": [
            one("CHAN_START", 0, name=trunk, cidname="sokdara77", exten="+85523900002"),
            one("APP_START", 0, appname="Stasis", appdata=data),
            one("CHAN_START", 0.1, leg, phone, appname="AppDial"),
        ],
        "answer": [
            one("ANSWER", 1, leg, phone, appname="AppDial"),
            one("BRIDGE_ENTER", 1, leg, phone, appname="AppDial", extra=bridge),
            one("BRIDGE_ENTER", 1, extra=bridge),
        ],
        "end": [
            one("HANGUP", 6, leg, phone, appname="AppDial", extra=hung_up()),
            one("HANGUP", 6, extra=hung_up(dialstatus="ANSWER")),
            one("LINKEDID_END", 6),
        ],
    }
    raw = b""
    for part, text in lines.items():
        raw += b"".join(text)
        if part == until:
            break
    return raw


def heard(number: int, **more: Any) -> CallFacts:
    """What Ringcard itself heard of that call."""
    began = ENDED_S * 1000
    base = replace(
        some_facts(""),
        call_id=call_id_of("pbx", channel(number)),
        linkedid=channel(number),
        uniqueid=channel(number),
        version=began + 500,
        started_ms=began + 5,
        caller_number=SOK,
        caller_key=SOK,
        shown_name="Sok",
        called_number="+85523900002",
        trunk="lab",
        customer_id=1,
        tier="exact",
        reason="Rings the assigned manager Bopha.",
        legs=(LegFacts(channel(number + 1), "101", began + 100),),
    )
    return replace(base, **more)


@asynccontextmanager
async def at_work(house: House, path: Path, started_s: float = 0.0, **more: Any) -> AsyncIterator[Completing]:
    async def started_ms() -> int:
        return round(started_s * 1000)

    given: dict[str, Any] = {"settled": lambda: True, "started_ms": started_ms} | more
    rules = compose.call_rules(Settings())
    it = Completing(path, house.database, house.engine, Asterisk(), rules, **given)
    running = asyncio.create_task(it.run())
    try:
        yield it
    finally:
        running.cancel()
        await asyncio.wait({running})


def rows(database: Database) -> dict[str, CallRow]:
    with reading(database) as session:
        found = session.scalars(select(CallRow).options(selectinload(CallRow.legs))).all()
    return {row.linkedid: row for row in found}


def is_read(database: Database, path: Path) -> bool:
    with reading(database) as session:
        kept = session.get(CelPosition, "pbx")
    return kept is not None and kept.offset == path.stat().st_size


async def read_to_the_end(house: House, path: Path) -> None:
    async with asyncio.timeout(LONG_S):
        while not is_read(house.database, path):
            await asyncio.sleep(0.01)


def everything(database: Database) -> list[tuple[object, ...]]:
    with reading(database) as session:
        tables = [session.execute(select(*table.__table__.columns)).all() for table in (CallRow, CallLeg)]
    return sorted((tuple(row) for table in tables for row in table), key=repr)


async def test_a_call_that_nobody_heard_is_written_with_its_customer(house: House, tmp_path: Path) -> None:
    house.put(*company())
    path = tmp_path / "cel.csv"
    path.write_bytes(written(10) + written(20, NOBODY) + written(30, presentation="prohib_passed_screen"))
    async with at_work(house, path):
        await read_to_the_end(house, path)
    found = rows(house.database)
    known, unknown, withheld = found[channel(10)], found[channel(20)], found[channel(30)]
    assert known.call_id == call_id_of("pbx", channel(10))
    assert (known.customer_id, known.tier, known.caller_number, known.caller_key) == (1, "exact", SOK, SOK)
    assert (known.caller_name, known.shown_name, known.reason) == ("sokdara77", "", completion.NOT_HEARD)
    assert (known.called_number, known.trunk, known.direction) == ("+85523900002", "lab", "inbound")
    assert (known.outcome, known.answered_endpoint, known.hangup_by, known.hangup_cause) == (
        "answered",
        "101",
        "caller",
        16,
    )
    assert (known.wait_s, known.talk_s) == (1.0, 5.0)
    assert [(leg.channel_id, leg.endpoint, leg.outcome) for leg in known.legs] == [(channel(11), "101", "answered")]
    assert (unknown.customer_id, unknown.tier, unknown.caller_key) == (None, "", NOBODY)
    assert (withheld.customer_id, withheld.caller_number, withheld.caller_key) == (None, "", None)


@pytest.mark.parametrize(
    "so_far",
    [
        {},
        {"ended_ms": (ENDED_S + 100) * 1000, "outcome": "missed", "version": (ENDED_S + 100) * 1000}
        | {"reason": f"Rings the assigned manager Bopha. {NOT_ALL_HEARD}"},
    ],
    ids=["without its end", "nobody heard how it ended"],
)
async def test_a_call_that_was_heard_in_part_keeps_who_it_was_and_gets_its_end(
    house: House, tmp_path: Path, so_far: dict[str, Any]
) -> None:
    house.put(*company())
    path = tmp_path / "cel.csv"
    path.write_bytes(written(10, "0"))
    with writing(house.database) as session:
        assert write_call(session, heard(10, **so_far))
    async with at_work(house, path):
        await read_to_the_end(house, path)
    row = rows(house.database)[channel(10)]
    assert (row.customer_id, row.tier, row.caller_number, row.shown_name) == (1, "exact", SOK, "Sok")
    assert row.reason == "Rings the assigned manager Bopha."
    assert (row.outcome, row.answered_endpoint, row.talk_s) == ("answered", "101", 5.0)
    assert [(leg.endpoint, leg.outcome) for leg in row.legs] == [("101", "answered")]


async def test_of_a_call_whose_way_through_ringcard_was_not_heard_the_log_gets_the_number_and_the_customer(
    house: House, tmp_path: Path
) -> None:
    """Only its channels were: whether its number may be shown was not known then. A withheld one stays withheld."""
    house.put(*company())
    path = tmp_path / "cel.csv"
    path.write_bytes(written(10) + written(20, presentation="prohib_passed_screen"))
    nobody: dict[str, Any] = {"caller_number": "", "caller_key": "", "customer_id": None, "tier": "", "shown_name": ""}
    with writing(house.database) as session:
        for number in (10, 20):
            ended_ms = (ENDED_S + 100) * 1000
            write_call(session, heard(number, **nobody, ended_ms=ended_ms, outcome="missed", reason=NOT_ALL_HEARD))
    async with at_work(house, path):
        await read_to_the_end(house, path)
    found = rows(house.database)
    known, withheld = found[channel(10)], found[channel(20)]
    assert (known.outcome, known.customer_id, known.tier) == ("answered", 1, "exact")
    assert (known.caller_number, known.caller_key) == (SOK, SOK)
    assert (withheld.outcome, withheld.customer_id, withheld.caller_number) == ("answered", None, "")


async def test_a_call_that_was_heard_to_its_end_is_left_as_it_was(house: House, tmp_path: Path) -> None:
    house.put(*company())
    path = tmp_path / "cel.csv"
    path.write_bytes(written(10))
    with writing(house.database) as session:
        write_call(session, heard(10, version=1, ended_ms=ENDED_S * 1000 + 700, outcome="declined"))
    before = everything(house.database)
    async with at_work(house, path):
        await read_to_the_end(house, path)
    assert everything(house.database) == before


async def test_who_heard_no_end_never_takes_back_one_that_was_read(house: House, tmp_path: Path) -> None:
    """The ari process comes back after the worker, and finds the call gone."""
    house.put(*company())
    path = tmp_path / "cel.csv"
    path.write_bytes(written(10))
    async with at_work(house, path):
        await read_to_the_end(house, path)
    before = everything(house.database)
    late = (ENDED_S + 1000) * 1000
    with writing(house.database) as session:
        assert not write_call(session, heard(10, version=late))
        assert not write_call(session, heard(10, version=late, ended_ms=late, outcome="missed", reason=NOT_ALL_HEARD))
    assert everything(house.database) == before
    with writing(house.database) as session:
        assert write_call(session, heard(10, version=late, ended_ms=ENDED_S * 1000 + 6001, outcome="answered"))


async def test_reading_the_whole_file_again_changes_nothing(house: House, tmp_path: Path) -> None:
    house.put(*company())
    path = tmp_path / "cel.csv"
    path.write_bytes(b"".join(written(number * 10) for number in range(1, 40)))
    with writing(house.database) as session:
        for number in (10, 20):
            write_call(session, heard(number))
    async with at_work(house, path):
        await read_to_the_end(house, path)
    before = everything(house.database)
    assert len(rows(house.database)) == 39
    for _ in range(2):
        with writing(house.database) as session:
            session.delete(session.get_one(CelPosition, "pbx"))
        async with at_work(house, path):
            await read_to_the_end(house, path)
        assert everything(house.database) == before


async def test_a_worker_that_ends_at_any_moment_goes_on_from_there(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file grows while one worker after the other is ended."""
    monkeypatch.setattr(cel_file, "AT_ONCE", 3000)
    monkeypatch.setattr(completing, "AT_ONCE", 3)
    house.put(*company())
    path = tmp_path / "cel.csv"
    raw = b"".join(written(number * 10) for number in range(1, 60))
    path.touch()
    for end in range(0, len(raw), 7001):
        path.write_bytes(raw[:end])
        async with at_work(house, path):
            await asyncio.sleep(0.03)
    path.write_bytes(raw)
    async with at_work(house, path):
        await read_to_the_end(house, path)
    found = rows(house.database)
    assert set(found) == {channel(number * 10) for number in range(1, 60)}
    assert {(row.outcome, row.talk_s, len(row.legs)) for row in found.values()} == {("answered", 5.0, 1)}


async def test_what_goes_on_is_read_again_after_a_new_start(house: House, tmp_path: Path) -> None:
    house.put(*company())
    path = tmp_path / "cel.csv"
    whole = written(10)
    begun = written(10, until="answer")
    path.write_bytes(begun + written(20))
    async with at_work(house, path):
        async with asyncio.timeout(LONG_S):
            while set(rows(house.database)) != {channel(20)}:
                await asyncio.sleep(0.01)
    with path.open("ab") as file:
        file.write(whole[len(begun) :])
    async with at_work(house, path):
        await read_to_the_end(house, path)
    row = rows(house.database)[channel(10)]
    assert (row.wait_s, row.talk_s, row.outcome) == (1.0, 5.0, "answered")


async def test_calls_that_asterisk_took_with_it_end_where_the_last_was_heard(house: House, tmp_path: Path) -> None:
    house.put(*company())
    path = tmp_path / "cel.csv"
    path.write_bytes(written(10, until="answer") + written(20, until="begin") + written(30, until="answer"))
    with writing(house.database) as session:
        write_call(session, heard(30))
    async with at_work(house, path, started_s=ENDED_S + 60):
        await read_to_the_end(house, path)
    found = rows(house.database)
    talked, rang, seen = found[channel(10)], found[channel(20)], found[channel(30)]
    assert talked.reason == f"{completion.NOT_HEARD} {CUT}"
    assert seen.reason == f"Rings the assigned manager Bopha. {CUT}"
    assert (talked.outcome, talked.talk_s) == ("answered", 0.001)
    assert (rang.outcome, rang.wait_s) == ("missed", 0.101)
    before = everything(house.database)
    with writing(house.database) as session:
        session.delete(session.get_one(CelPosition, "pbx"))
    async with at_work(house, path, started_s=ENDED_S + 60):
        await read_to_the_end(house, path)
    assert everything(house.database) == before


async def test_nothing_is_read_while_the_journal_waits_for_the_database(house: House, tmp_path: Path) -> None:
    house.put(*company())
    path = tmp_path / "cel.csv"
    path.write_bytes(written(10))
    settled: list[bool] = []
    async with at_work(house, path, settled=lambda: bool(settled)):
        await asyncio.sleep(0.1)
        assert rows(house.database) == {}
        settled.append(True)
        await read_to_the_end(house, path)
    assert set(rows(house.database)) == {channel(10)}


async def test_the_live_story_has_its_time(house: House, tmp_path: Path) -> None:
    house.put(*company())
    path = tmp_path / "cel.csv"
    path.write_bytes(written(10))
    async with at_work(house, path, grace_s=7200.0) as it:
        async with asyncio.timeout(LONG_S):
            while not len(it._conversations):
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
    assert rows(house.database) == {}


async def test_a_file_that_is_not_there_is_said_once(
    house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house.put(*company())
    path = tmp_path / "cel.csv"
    async with at_work(house, path):
        async with asyncio.timeout(LONG_S):
            while "cannot read" not in caplog.text:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        path.write_bytes(written(10))
        await read_to_the_end(house, path)
    said = [record.message for record in caplog.records if "own record" in record.message]
    assert len([each for each in said if "cannot read" in each]) == 1
    assert "calls are completed from Asterisk's own record again" in said


async def test_calls_that_the_log_has_cost_it_one_question_for_a_hundred(house: House, tmp_path: Path) -> None:
    house.put(*company())
    path = tmp_path / "cel.csv"
    path.write_bytes(b"".join(written(number * 10) for number in range(1, 201)))
    async with at_work(house, path):
        await read_to_the_end(house, path)
    statements: list[str] = []
    event.listen(house.database, "before_cursor_execute", lambda *given: statements.append(given[2]))
    with writing(house.database) as session:
        session.delete(session.get_one(CelPosition, "pbx"))
    async with at_work(house, path):
        await read_to_the_end(house, path)
    asked: Sequence[str] = [each for each in statements if "FROM calls" in each]
    assert len(asked) <= 4


@pytest.mark.parametrize("turn", range(3))
async def test_two_who_saw_the_same_calls_write_each_once(house: House, tmp_path: Path, turn: int) -> None:
    """Two ari processes with a journal each, and the worker of Asterisk's own record, all at the same moment."""
    house.put(*company())
    path = tmp_path / "cel.csv"
    numbers = [number * 10 for number in range(1, 30)]
    path.write_bytes(b"".join(map(written, numbers)))
    journals = [Journal(tmp_path / name) for name in ("one.db", "two.db")]
    chance = random.Random(turn)
    for journal in journals:
        for number in chance.sample(numbers, len(numbers)):
            journal.append(heard(number, version=ENDED_S * 1000 + chance.randrange(5000)))
            journal.append(
                heard(number, version=ENDED_S * 1000 + 6000, ended_ms=ENDED_S * 1000 + 6000, outcome="answered")
            )
        assert journal.flush()
    async with at_work(house, path):
        await asyncio.gather(*(asyncio.to_thread(replay, journal, house.database) for journal in journals))
        await read_to_the_end(house, path)
    found = rows(house.database)
    assert set(found) == set(map(channel, numbers))
    assert {(row.outcome, row.shown_name, row.reason, len(row.legs)) for row in found.values()} == {
        ("answered", "Sok", "Rings the assigned manager Bopha.", 1)
    }
    for journal in journals:
        journal.close()
