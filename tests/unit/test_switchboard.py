"""ari_app/switchboard.py: what happens between a list of channels being asked for and its coming."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from ari_app import switchboard
from ari_app.call import Rules
from ari_app.switchboard import Switchboard
from config.settings import Did, Routing
from lookup.answers import Answer, Caller, Number, Unknown
from lookup.breaker import StoreGone
from lookup.notices import LiveCall, Notice, RungPhone

RULES = Rules("pbx", Routing(), lambda did: Did(), "http://desk", "secret", 600)
TOLD = LiveCall(
    call_id="2a46a1ee-e6d9-5e43-a0de-7d7f3ed1a4fd",
    node="pbx",
    linkedid="c",
    version=1100,
    started_ms=1000,
    direction="inbound",
    answer="found",
    caller_number="+85512345678",
    caller_name="",
    shown_name="Sok Dara",
    called_number="+85523900001",
    trunk="lab",
    phones=(RungPhone("101", "ringing", 1100, channel_id="p", started_ms=1100),),
    uniqueid="c",
)


class Asterisk:
    """What the switchboard needs of it. `meanwhile` happens while the list is under way."""

    def __init__(self, *there: Mapping[str, Any]) -> None:
        self.there = list(there)
        self.handed_back: list[str] = []
        self.followed: list[str] = []
        self.over: set[str] = set()
        self.meanwhile: Callable[[], None] = lambda: None

    async def follow(self, channel_id: str) -> bool:
        self.followed.append(channel_id)
        return channel_id not in self.over

    async def hand_back(self, channel_id: str, values: Mapping[str, str]) -> None:
        self.handed_back.append(channel_id)

    async def channels(self) -> list[Mapping[str, Any]]:
        listed = list(self.there)
        await asyncio.sleep(0)
        self.meanwhile()
        return listed


class Nobody:
    async def find(self, caller: Caller, budget_s: float) -> Answer:
        return Unknown(Number(caller.number, caller.number, caller.number), "nobody")


class Board:
    """A switchboard with what it told; `told` is what was told before it came, None: nobody can say."""

    def __init__(self, asterisk: Asterisk, *told: LiveCall) -> None:
        self.told: tuple[LiveCall, ...] | None = told
        self.notices: list[Notice] = []
        self.board = Switchboard(
            asterisk,
            Nobody(),
            tell=self.notices.append,
            recall=self.recall,
            record=lambda facts: None,
            rules=RULES,
            app="ringcard",
            budget_s=1,
            link_errors=(ConnectionError,),
        )

    async def recall(self) -> tuple[LiveCall, ...]:
        if self.told is None:
            raise StoreGone("away")
        return self.told


def channel(channel_id: str, app: str = "Dial", state: str = "Up") -> dict[str, Any]:
    dialplan = {"exten": "+85523900001", "app_name": app, "app_data": "ringcard"}
    return {"id": channel_id, "state": state, "caller": {"name": "", "number": "012345678"}, "dialplan": dialplan}


def start(channel_id: str) -> dict[str, Any]:
    return {"type": "StasisStart", "timestamp": "2026-01-01T00:00:00.000+0000", "channel": channel(channel_id)}


async def test_a_call_that_arrives_while_the_channels_are_listed_is_not_taken_for_ended() -> None:
    asterisk = Asterisk()
    board = Board(asterisk).board
    asterisk.meanwhile = lambda: board.take(start("new"))
    await board.reconcile()
    await board.close()
    assert asterisk.handed_back == ["new"]
    assert board.counters.ended_in_gap == 0


async def test_a_call_that_arrived_while_the_list_still_had_it_in_our_hands_is_handed_back_once() -> None:
    asterisk = Asterisk(channel("new", "Stasis"))
    board = Board(asterisk).board
    asterisk.meanwhile = lambda: board.take(start("new"))
    await board.reconcile()
    await board.close()
    assert asterisk.handed_back == ["new"]


async def test_a_call_told_before_we_came_is_followed_on() -> None:
    asterisk = Asterisk(channel("c"), channel("p"))
    held = Board(asterisk, TOLD)
    await held.board.reconcile()
    assert asterisk.followed == ["c"]
    (notice,) = held.notices
    assert notice.call is not None
    assert (notice.kind, notice.call.answered_endpoint, notice.call.shown_name) == ("answered", "101", "Sok Dara")
    assert notice.call.version > TOLD.version


async def test_a_call_told_before_we_came_that_is_over_is_ended() -> None:
    held = Board(Asterisk(), TOLD)
    await held.board.reconcile()
    (notice,) = held.notices
    assert notice.kind == "ended"
    assert held.board.calls == {}


@pytest.mark.parametrize("other", [replace(TOLD, node="branch"), replace(TOLD, ended_ms=1200)])
async def test_calls_of_another_node_and_ended_ones_are_left_alone(other: LiveCall) -> None:
    held = Board(Asterisk(), other)
    await held.board.reconcile()
    assert held.notices == []
    assert held.board.calls == {}


async def test_when_nobody_can_say_what_was_told_it_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switchboard, "RECALL_AGAIN_S", 0.001)
    held = Board(Asterisk(), TOLD)
    held.told = None
    await held.board.reconcile()
    await held.board.reconcile()
    assert held.notices == []
    held.told = (TOLD,)
    async with asyncio.timeout(5):
        while not held.notices:
            await asyncio.sleep(0)
    assert [notice.kind for notice in held.notices] == ["ended"]


async def test_a_call_that_was_over_before_we_could_follow_it_is_not_held_for_ever() -> None:
    asterisk = Asterisk()
    asterisk.over = {"short"}
    board = Board(asterisk).board
    board.take(start("short"))
    await board.close()
    assert board.calls == {}
