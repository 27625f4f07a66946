"""The one-process AGI, led by pyst2's AGI class, with Asterisk as two streams of text."""

from __future__ import annotations

import io
import signal
from collections.abc import Iterator

import pytest
from asterisk.agi import AGIError

from agi.once import converse, end_after
from config.settings import Did, Settings
from lookup.answers import Answer, Caller, Found, Number
from lookup.card import Card, Person, Phone

SETTINGS = Settings(dids={"+85523900002": Did("route")})
NUMBER = Number("012345678", "+85512345678", "+85512345678")
HEADERS = (
    "agi_request: /usr/local/bin/ringcard-agi\nagi_callerid: 012345678\nagi_calleridname: unknown\n"
    "agi_extension: s\nagi_dnid: unknown\nagi_uniqueid: 1.8\n"
    "agi_arg_1: --config=/etc/ringcard.toml\nagi_arg_2: north\n\n"
)
TOLD = "200 result=1 (allowed_not_screened)\n200 result=0\n200 result=1 (+85523900002)\n200 result=1 (1.7)\n"


class Engine:
    def __init__(self, name: str = "Sok Dara") -> None:
        self.asked: list[Caller] = []
        self.card = Card(7, 1, name, manager=Person(3, "Maly", (Phone("pbx", "101"),)))

    async def find(self, caller: Caller, budget_s: float) -> Answer:
        self.asked.append(caller)
        return Found(NUMBER, (self.card,), self.card, "exact", "database", "the same number")


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """pyst2 takes SIGHUP for the whole process."""
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


async def commands(engine: Engine, asterisk_says: str) -> list[str]:
    said = io.StringIO()
    await converse(engine, SETTINGS, io.StringIO(asterisk_says), said)
    return said.getvalue().splitlines()


async def test_it_sets_what_the_server_sets() -> None:
    engine = Engine()
    said = await commands(engine, HEADERS + TOLD + "200 result=1\n" * 20)
    assert engine.asked == [Caller("012345678", "", "allowed_not_screened", "north")]
    assert 'SET VARIABLE "CALLERID(name)" "Sok Dara"' in said
    assert 'SET VARIABLE "RINGCARD_ROUTE_1" "in/101"' in said
    assert not [line for line in said if "_URL" in line], "addresses cannot be signed without the secret"


async def test_a_hostile_name_adds_no_command_though_pyst2_escapes_nothing() -> None:
    said = await commands(Engine('x"\r\nEXEC System "id"\n\\'), HEADERS + TOLD + "200 result=1\n" * 20)
    assert all(line.startswith(("GET VARIABLE ", "SET VARIABLE ")) for line in said)
    assert 'SET VARIABLE "CALLERID(name)" "x\\" EXEC System \\"id\\" \\\\"' in said


async def test_a_refused_variable_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    said = await commands(Engine(), HEADERS + TOLD + "510 Invalid or unknown command\n" * 20)
    assert 'SET VARIABLE "RINGCARD_ROUTE_1" "in/101"' in said
    assert "Asterisk did not set CALLERID(name)" in caplog.text


@pytest.mark.parametrize("asterisk_says", ["", "\n", HEADERS, HEADERS + "200 result=1 (prohib)\n", HEADERS + "hello\n"])
async def test_when_asterisk_goes_away_it_ends_with_an_error_and_sets_nothing(asterisk_says: str) -> None:
    said = io.StringIO()
    with pytest.raises((AGIError, ValueError, AttributeError)):
        await converse(Engine(), SETTINGS, io.StringIO(asterisk_says), said)
    assert "SET" not in said.getvalue()


async def test_what_was_heard_is_not_copied_to_the_console(capfd: pytest.CaptureFixture[str]) -> None:
    await commands(Engine(), HEADERS + TOLD + "200 result=1\n" * 20)
    assert capfd.readouterr() == ("", "")


def test_the_end_is_set_in_seconds() -> None:
    before = signal.getsignal(signal.SIGALRM)
    try:
        end_after(60)
        assert 59 < signal.getitimer(signal.ITIMER_REAL)[0] <= 60
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
