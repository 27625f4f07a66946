"""Calls that are named by AGI, from a real caller through a real Asterisk to a real telephone's INVITE."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agi.conversation import Request, get_variable
from agi.scripts import scripts
from agi.server import AgiServer, Channel, Script
from config.settings import Agi, Company, Desk, Settings
from lookup.card import Card
from lookup.engine import Engine
from lookup.memory_cards import MemoryCache, MemorySource
from lookup.naming import clean
from records.database import open_database, writing
from records.tables import Customer, PhoneNumber
from ringcard.from_settings import plans
from ringcard.lab import Lab
from ringcard.phones import Dialled, Phone, call, load

CALLER = "+85512345678"
FALLBACK = "+85523900002"  # through Ringcard's dialplan, with no Ringcard there
DIRECT = "+85523900098"  # a company's own extension that asks by AGI
SETTINGS = Settings(
    company=Company(country="KH"),
    agi=Agi(port=0, request_s=1.0),
    desk=Desk(secret="s3cret", public_url="http://desk.example"),
)

NAMES = {
    "latin": "Sok Dara (VIP)",
    "khmer": "សុខ ដារ៉ា",
    "cyrillic": "Иванов Пётр",
    "arabic": "محمد علي",
    "quotes": 'Dara "the boss" O\'Neil',
    "backslash": "back\\slash\\",
    "long": "Sok " * 75,
    "controls": "Sok\x00\x01\x7f Dara\x1b[31m",
    "a header": "Sok\r\nX-Injected: yes",
    "a command": 'x"\nEXEC System "touch @OWNED@"\n"',
    "an escaped command": 'x\\"\r\nEXEC System "touch @OWNED@"\r\nNOOP "',
    "an expression": "${SHELL(touch @OWNED@)}$[1+1]`touch @OWNED@`",
}


@pytest.fixture(autouse=True)
def _as_before(lab: Lab) -> Iterator[None]:
    """The lab is everybody's: its dialplan is put back, and Asterisk had nothing to complain about."""
    before = len(lab.errors())
    yield
    lab.cli('dialplan set global RINGCARD_AGI ""')
    lab.cli(f"dialplan remove extension {DIRECT}@company-inbound")
    assert lab.errors()[before:] == []


def extension(lab: Lab, agi: str) -> None:
    """DIRECT asks by AGI and rings phone 102."""
    steps = (f"AGI({agi})", "Dial(PJSIP/102,5)", "Hangup()")
    for n, step in enumerate(steps, 1):
        lab.cli(f"dialplan add extension {DIRECT},{n},{step} into company-inbound replace")


@asynccontextmanager
async def serving(name: str = "Sok Dara", more: dict[str, Script] | None = None) -> AsyncIterator[AgiServer]:
    source = MemorySource()
    source.add(Card(7, 1, name), match_key=CALLER)
    engine = Engine(plans(SETTINGS), MemoryCache(), source, replace(SETTINGS.lookup, budget_ms=1000))
    server = AgiServer(SETTINGS.agi, {**scripts(engine, SETTINGS), **(more or {})})
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
        await engine.close()


async def test_with_ringcard_gone_the_dialplan_gets_the_name_by_agi(lab: Lab) -> None:
    async with serving() as server, Phone(lab, "102") as phone:
        lab.cli(f"dialplan set global RINGCARD_AGI agi://127.0.0.1:{server.port}/who_calls")
        outcome = await call(lab, CALLER, FALLBACK)
        assert outcome.status == 200
        (invite,) = phone.invites
        assert (invite.name, invite.asserted_name) == ("Sok Dara", "Sok Dara")
        assert (server.counters.knocks, server.counters.done) == (1, 1)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_a_name_of_any_kind_reaches_the_phone_clean_and_runs_nothing(lab: Lab, tmp_path: Path, name: str) -> None:
    owned = tmp_path / "owned"
    name = name.replace("@OWNED@", str(owned))
    async with serving(name) as server, Phone(lab, "102") as phone:
        extension(lab, f"agi://127.0.0.1:{server.port}/who_calls")
        outcome = await call(lab, CALLER, DIRECT, way="before")
        assert outcome.status == 200
        (invite,) = phone.invites
        assert invite.name == clean(name)
        assert invite.headers("X-Injected") == []
        assert server.counters.done == 1
        assert not owned.exists()


@pytest.mark.parametrize(("number", "withheld"), [("+85512000000", ""), (CALLER, "privacy"), (CALLER, "anonymous")])
async def test_whoever_is_unknown_or_hidden_keeps_the_name_that_came(lab: Lab, number: str, withheld: str) -> None:
    async with serving() as server, Phone(lab, "102") as phone:
        extension(lab, f"agi://127.0.0.1:{server.port}/who_calls")
        outcome = await call(lab, number, DIRECT, name="as received", way="before", withheld=withheld)  # type: ignore[arg-type]
        assert outcome.status == 200
        (invite,) = phone.invites
        assert "Sok" not in invite.raw.decode()
        assert invite.name == ("Anonymous" if withheld == "privacy" else "as received")


async def test_a_script_that_never_ends_holds_the_call_no_longer_than_the_deadline(lab: Lab) -> None:
    async def asleep(request: Request, channel: Channel) -> None:
        await channel.ask(get_variable("CALLERID(num)"))
        await asyncio.Event().wait()

    async with serving(more={"asleep": asleep}) as server, Phone(lab, "102") as phone:
        extension(lab, f"agi://127.0.0.1:{server.port}/asleep")
        outcome = await call(lab, CALLER, DIRECT, way="before")
        assert outcome.status == 200
        assert len(phone.invites) == 1
        assert server.counters.late == 1


async def test_calls_that_come_close_together_each_get_their_own_name(lab: Lab) -> None:
    async with serving() as server, Phone(lab, "102") as phone:
        extension(lab, f"agi://127.0.0.1:{server.port}/who_calls")
        dialled = [Dialled(number, DIRECT, "as received") for number in (CALLER, "+85512000000")] * 20
        outcomes = await load(lab, dialled, rate=20, way="before")
        assert [outcome.status for outcome in outcomes] == [200] * 40
        assert {(invite.number, invite.name) for invite in phone.invites} == {
            (CALLER, "Sok Dara"),
            ("+85512000000", "as received"),
        }
        assert len(phone.invites) == server.counters.done == 40


# --- the one-process AGI


def program(lab: Lab, folder: Path, database_url: str, redis_url: str) -> str:
    """`ringcard-agi` as a company would install it, for AGI()."""
    (folder / "ringcard.toml").write_text(
        f'company.country = "KH"\nstore.data_dir = "."\n'
        f'store.database_url = "{database_url}"\nstore.redis_url = "{redis_url}"\n'
    )
    path = folder / "ringcard-agi"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -m ringcard.agi_once "$@"\n')
    path.chmod(0o755)
    return f"{path},--config={folder / 'ringcard.toml'},--within=30"


def add_customer(database_url: str, name: str) -> None:
    engine = open_database(database_url)
    now = datetime.now(UTC)
    with writing(engine) as session:
        number = PhoneNumber(raw=CALLER, e164=CALLER, match_key=CALLER, nsn_tail="12345678", norm_version=1)
        session.add(Customer(name=name, created_at=now, updated_at=now, numbers=[number]))
    engine.dispose()


@pytest.mark.parametrize(
    "name", [NAMES["khmer"], NAMES["quotes"], NAMES["a command"]], ids=["khmer", "quotes", "a command"]
)
async def test_one_process_for_one_call_names_it_too(
    lab: Lab, tmp_path: Path, sqlite_url: str, redis_url: str, name: str
) -> None:
    owned = tmp_path / "owned"
    name = name.replace("@OWNED@", str(owned))
    add_customer(sqlite_url, name)
    extension(lab, program(lab, tmp_path, sqlite_url, redis_url))
    async with Phone(lab, "102") as phone:
        for _ in ("from the database", "from Redis"):
            assert (await call(lab, CALLER, DIRECT, way="before")).status == 200
        assert [invite.name for invite in phone.invites] == [clean(name)] * 2
        assert not owned.exists()


async def test_one_process_with_nothing_behind_it_leaves_the_call_as_it_is(lab: Lab, tmp_path: Path) -> None:
    nowhere = f"sqlite:///{tmp_path / 'nothing.db'}"
    extension(lab, program(lab, tmp_path, nowhere, f"unix://{tmp_path / 'nothing.sock'}"))
    async with Phone(lab, "102") as phone:
        assert (await call(lab, CALLER, DIRECT, name="as received", way="before")).status == 200
        assert phone.invites[0].name == "as received"


async def test_one_process_without_settings_leaves_the_call_as_it_is(lab: Lab, tmp_path: Path) -> None:
    agi = program(lab, tmp_path, "", "").partition(",")[0]
    extension(lab, f"{agi},--config={tmp_path / 'nowhere.toml'}")
    async with Phone(lab, "102") as phone:
        assert (await call(lab, CALLER, DIRECT, name="as received", way="before")).status == 200
        assert phone.invites[0].name == "as received"
    assert os.access(tmp_path / "ringcard-agi", os.X_OK)
