"""`ringcard route`: what a call would do at a time, step by step, in words and for a program; no Asterisk is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from config.settings import load
from records import routing
from records.customers import add_customer
from records.database import open_database, writing
from records.migrate import migrate
from records.users import add_user, seat
from ringcard import compose
from ringcard.cli import main

SETTINGS = """
[company]
country = "KH"
time_zone = "Asia/Phnom_Penh"
[dids."+85523900001"]
policy = "route"
[dids."+85523900002"]
policy = "name"
[destinations]
night = "company-voicemail,100"
[store]
data_dir = "data"
redis_url = "unix:///nowhere/redis.sock"
"""
SOK = "+85512345678"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Sok's manager Lina does not want to be disturbed, her deputy Vuthy is there; the company closes at five."""
    file = tmp_path / "ringcard.toml"
    file.write_text(SETTINGS, encoding="utf-8")
    settings = load(file, {})
    database = open_database(settings.database_url)
    migrate(database)
    with writing(database) as session:
        vuthy = add_user(session, "vuthy", "Kim Vuthy", "a long password")
        lina = add_user(session, "lina", "Chan Lina", "a long password", deputy=vuthy)
        seat(session, lina.id, "pbx", "101")
        seat(session, vuthy.id, "pbx", "103")
        add_customer(session, compose.reader(settings), name="Sok Dara", numbers=[SOK], manager_id=lina.id)
        routing.set_do_not_disturb(session, lina.id, True)
        routing.save_calendar(session, None, "Mon-Fri 08:00-17:00", "", "night")
        routing.add_rule(session, "VIP", "vip", "is", "yes", person_id=vuthy.id)
        routing.block(session, "prefix", "+7495", "spam", lina.id)
    database.dispose()
    return file


def asked(house: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["--config", str(house), "route", *arguments]) == 0
    return capsys.readouterr().out


def test_a_call_by_day_is_told_step_by_step_with_everybody_who_is_passed_over(
    house: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = asked(house, capsys, "012 345 678", "--at", "2026-11-26 10:00")
    for words in (
        "Customer   Sok Dara",
        "Block list: not on it.",
        "Working hours: somebody is at work.",
        "Rule VIP: vip is empty.",
        "The assigned manager Chan Lina: do not disturb.",
        "Step 1     103 for 20 s",
        "Ends with  the company's own way",
        "Rings Kim Vuthy, the deputy of Chan Lina; after that the company's own way.",
        "Which phones talk or cannot be reached",
    ):
        assert words in told


def test_a_call_by_night_one_that_is_named_only_and_one_that_is_blocked(
    house: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    night = json.loads(asked(house, capsys, SOK, "--at", "2026-11-26 17:00", "--json"))
    assert (night["after"], night["steps"]) == ("company-voicemail,100", [])
    assert night["at"] == "2026-11-26T17:00+07:00"
    same = json.loads(asked(house, capsys, SOK, "--at", "2026-11-26T10:00Z", "--json"))
    assert same["at"] == "2026-11-26T17:00+07:00"
    named = json.loads(asked(house, capsys, SOK, "--did", "023 900 002", "--at", "2026-11-26 10:00", "--json"))
    assert named["reason"] == "The company's own way: calls to this number are named only."
    blocked = json.loads(asked(house, capsys, "+74951234567", "--json"))
    assert blocked["blocked"] == "busy"
    assert "spam" in blocked["reason"]


def test_a_time_that_cannot_be_read_is_refused(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(house), "route", SOK, "--at", "tomorrow"]) == 1
    assert "is no time; write it like 2026-04-14 09:30" in capsys.readouterr().err
