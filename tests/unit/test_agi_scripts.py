"""What `who_calls` asks and sets, with Asterisk and the engine as plain values."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agi.conversation import Reply, Request, get_variable, set_variable
from agi.scripts import ASKED, Arrival, arrival, scripts, values
from config.settings import Desk, Did, Settings
from lookup.answers import Answer, Caller, Found, Number, Unavailable, Unknown, Withheld
from lookup.card import Card, Person, Phone
from records.facts import call_id_of

NOW = 1_700_000_000.0
SETTINGS = Settings(
    desk=Desk(secret="s3cret", public_url="http://desk.example"),
    dids={"+85523900002": Did("route"), "+85523900001": Did("name"), "+85523900005": Did("leave")},
)
NUMBER = Number("012345678", "+85512345678", "+85512345678", country="KH")
SOK = Card(7, 1, "Sok Dara", photo="ab" * 32, manager=Person(3, "Maly", (Phone("pbx", "101"),)))
FOUND = Found(NUMBER, (SOK,), SOK, "exact", "cache", "the same number")
HEADERS = {
    "agi_request": "agi://127.0.0.1/who_calls",
    "agi_callerid": "012345678",
    "agi_calleridname": "unknown",
    "agi_extension": "s",
    "agi_dnid": "unknown",
    "agi_uniqueid": "1700000000.8",
}
TOLD = dict(zip(ASKED, ["allowed_not_screened", "north", "+85523900002", "1700000000.7", ""], strict=True))
HOSTILE = 'x"\nEXEC System "id"\n'


class Asterisk:
    """The other end of the conversation: replies to what it is asked, and keeps what it was told to set."""

    def __init__(self, variables: dict[str, str], refused: str = "") -> None:
        self.variables = dict(variables)
        self.commands: list[bytes] = []
        self.refused = refused

    async def ask(self, command: bytes) -> Reply:
        self.commands.append(command)
        for name, value in self.variables.items():
            if command == get_variable(name):
                return Reply(200, "1", value) if value else Reply(200, "0")
        return (
            Reply(511, value="dead channel") if self.refused and self.refused.encode() in command else Reply(200, "1")
        )

    @property
    def sets(self) -> list[bytes]:
        return [command for command in self.commands if command.startswith(b"SET VARIABLE")]


class Engine:
    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[tuple[Caller, float]] = []

    async def find(self, caller: Caller, budget_s: float) -> Answer:
        self.asked.append((caller, budget_s))
        return self.answer


def request(**headers: str) -> Request:
    return Request("who_calls", {**HEADERS, **headers})


async def run(answer: Answer, asterisk: Asterisk, asked: Request | None = None) -> Engine:
    engine = Engine(answer)
    await scripts(engine, SETTINGS, lambda: NOW)["who_calls"](asked or request(), asterisk)
    return engine


async def test_a_customer_s_call_gets_the_name_the_card_and_the_route() -> None:
    asterisk = Asterisk(TOLD)
    engine = await run(FOUND, asterisk)
    assert engine.asked == [(Caller("012345678", "", "allowed_not_screened", "north"), 0.15)]
    assert set_variable("CALLERID(name)", "Sok Dara") in asterisk.sets
    assert set_variable("RINGCARD_CUSTOMER_ID", "7") in asterisk.sets
    assert set_variable("RINGCARD_ROUTE_1", "in/101") in asterisk.sets
    assert set_variable("RINGCARD_RING_1", "20") in asterisk.sets
    assert any(b'"__RINGCARD_CARD_URL" "http://desk.example/c/' in command for command in asterisk.sets)


async def test_nothing_is_set_before_all_is_asked() -> None:
    asterisk = Asterisk(TOLD)
    await run(FOUND, asterisk)
    assert asterisk.commands[: len(ASKED)] == [get_variable(name) for name in ASKED]


@pytest.mark.parametrize(
    "answer",
    [Unknown(NUMBER, "nobody"), Withheld("hidden"), Unavailable(NUMBER, "late")],
)
async def test_without_a_customer_the_name_stays_as_it_came_and_there_is_no_route(answer: Answer) -> None:
    asterisk = Asterisk(TOLD)
    await run(answer, asterisk)
    said = b"".join(asterisk.sets)
    assert b"RINGCARD_REASON" in said
    assert b"CALLERID(name)" not in said
    assert b"RINGCARD_ROUTE" not in said


async def test_a_number_to_be_left_alone_is_not_even_looked_up() -> None:
    asterisk = Asterisk({**TOLD, "RINGCARD_DID": "+85523900005"})
    engine = await run(FOUND, asterisk)
    assert engine.asked == []
    assert asterisk.sets == []


async def test_a_number_that_is_only_named_has_no_route() -> None:
    asterisk = Asterisk({**TOLD, "RINGCARD_DID": "+85523900001"})
    await run(FOUND, asterisk)
    said = b"".join(asterisk.sets)
    assert b'"CALLERID(name)" "Sok Dara"' in said
    assert b"RINGCARD_ROUTE" not in said


async def test_a_hostile_customer_name_is_one_value_of_one_command() -> None:
    evil = replace(SOK, name=HOSTILE, company=HOSTILE)
    asterisk = Asterisk(TOLD)
    await run(replace(FOUND, candidates=(evil,), chosen=evil), asterisk)
    for command in asterisk.commands:
        assert command.count(b"\n") == 1
        assert command.startswith((b"GET VARIABLE ", b"SET VARIABLE "))


async def test_what_asterisk_refuses_is_logged_and_the_rest_is_still_set(caplog: pytest.LogCaptureFixture) -> None:
    asterisk = Asterisk(TOLD, refused="CALLERID(name)")
    await run(FOUND, asterisk)
    assert "did not set CALLERID(name): 511 dead channel" in caplog.text
    assert set_variable("RINGCARD_ROUTE_1", "in/101") in asterisk.sets


async def test_alive_answers_without_asking_anything() -> None:
    asterisk = Asterisk({})
    await scripts(Engine(FOUND), SETTINGS)["alive"](Request("alive", {}), asterisk)
    assert asterisk.commands == [b'VERBOSE "Ringcard answers AGI" "3"\n']


@pytest.mark.parametrize(
    ("headers", "told", "expected"),
    [
        ({}, {}, Arrival(Caller("012345678", "", "allowed_not_screened", "north"), "+85523900002", "1700000000.7")),
        (
            {"agi_callerid": "unknown", "agi_calleridname": "Dara", "agi_arg_1": "south"},
            {"CALLERID(num-pres)": "prohib", "RINGCARD_DID": "", "CHANNEL(linkedid)": ""},
            Arrival(Caller("", "Dara", "prohib", "south"), "s", "1700000000.8"),
        ),
        (
            {"agi_dnid": "+85523900003", "agi_arg_1": ""},
            {"RINGCARD_DID": "", "RINGCARD_TRUNK": ""},
            Arrival(Caller("012345678", "", "allowed_not_screened", ""), "+85523900003", "1700000000.7"),
        ),
    ],
)
def test_a_call_is_read_from_the_request_and_what_was_asked(
    headers: dict[str, str], told: dict[str, str], expected: Arrival
) -> None:
    assert arrival(request(**headers), {**TOLD, **told}) == expected


def test_the_call_id_is_the_one_that_the_log_and_the_desk_know() -> None:
    call = arrival(request(), TOLD)
    assert values(call, FOUND, SETTINGS, NOW)["RINGCARD_CALL_ID"] == call_id_of("pbx", "1700000000.7")
