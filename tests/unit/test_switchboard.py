"""ari_app/switchboard.py: what happens between a list of channels being asked for and its coming."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from ari_app import conversations, switchboard
from ari_app.call import Rules
from ari_app.events import Ignored, parse
from ari_app.passed import EVENT, Passed, to_text
from ari_app.switchboard import Switchboard
from config.settings import Did, Routing
from lookup.answers import Answer, Caller, Number, Unknown
from lookup.breaker import StoreGone
from lookup.notices import SIMULATED, LiveCall, Notice, RungPhone
from records.facts import NOT_ALL_HEARD, CallFacts
from tests.unit.test_reconcile import MOMENT, bridge, channel

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
        self.talking: list[Mapping[str, Any]] = []
        self.meanwhile: Callable[[], None] = lambda: None

    async def hand_back(self, channel_id: str, values: Mapping[str, str]) -> None:
        self.handed_back.append(channel_id)

    async def channels(self) -> list[Mapping[str, Any]]:
        listed = list(self.there)
        await asyncio.sleep(0)
        self.meanwhile()
        return listed

    async def bridges(self) -> list[Mapping[str, Any]]:
        return self.talking

    async def has_channel(self, channel_id: str) -> bool:
        return any(channel["id"] == channel_id for channel in self.there)


class Nobody:
    async def find(self, caller: Caller, budget_s: float) -> Answer:
        return Unknown(Number(caller.number, caller.number, caller.number), "nobody")


class Board:
    """A switchboard with what it told; `told` is what was told before it came, None: nobody can say."""

    def __init__(self, asterisk: Asterisk, *told: LiveCall, stands_by: bool = False) -> None:
        self.stands_by = stands_by
        self.passed: list[Passed] = []
        self.told: tuple[LiveCall, ...] | None = told
        self.notices: list[Notice] = []
        self.rows: list[CallFacts] = []
        self.asterisk = asterisk
        self.board = Switchboard(
            asterisk,
            Nobody(),
            tell=self.notices.append,
            recall=self.recall,
            record=self.rows.append,
            rules=RULES,
            app="ringcard",
            budget_s=1,
            link_errors=(ConnectionError,),
            stands_by=lambda: self.stands_by,
            pass_on=self.passed.append,
        )

    async def recall(self) -> tuple[LiveCall, ...]:
        if self.told is None:
            raise StoreGone("away")
        return self.told

    async def swept(self) -> None:
        """Sweeps until a call is told to have ended."""
        sweeping = asyncio.create_task(self.board.sweep(self.asterisk, lambda: True))
        async with asyncio.timeout(5):
            while not [notice for notice in self.notices if notice.kind == "ended"]:
                await asyncio.sleep(0.001)
        sweeping.cancel()


def start(channel_id: str) -> dict[str, Any]:
    return {"type": "StasisStart", "timestamp": MOMENT, "channel": channel(channel_id)}


async def test_a_call_that_arrives_while_the_channels_are_listed_is_not_taken_for_ended() -> None:
    asterisk = Asterisk()
    board = Board(asterisk).board
    asterisk.meanwhile = lambda: board.take(start("new"))
    await board.reconcile()
    await board.close()
    assert asterisk.handed_back == ["new"]
    assert board.counters.ended_in_gap == 0


async def test_a_call_that_is_over_is_held_by_nobody() -> None:
    held = Board(Asterisk())
    held.board.take(start("c"))
    call = weakref.ref(held.board.calls.of("c") or held)
    while not held.asterisk.handed_back:
        await asyncio.sleep(0)
    held.board.take(gone("c"))
    await held.board.close()
    assert [row.outcome for row in held.rows if row.ended_ms]
    gc.collect()
    assert call() is None


async def test_a_simulated_call_is_not_taken_up_and_so_is_neither_ended_nor_recorded() -> None:
    held = Board(Asterisk(), replace(TOLD, call_id=f"{SIMULATED}1"))
    await held.board.reconcile()
    await held.board.close()
    assert (held.notices, held.rows, held.board.counters.taken_up) == ([], [], 0)


async def test_a_call_that_arrived_while_the_list_still_had_it_in_our_hands_is_handed_back_once() -> None:
    asterisk = Asterisk(channel("new", "Stasis", "ringcard"))
    board = Board(asterisk).board
    asterisk.meanwhile = lambda: board.take(start("new"))
    await board.reconcile()
    await board.close()
    assert asterisk.handed_back == ["new"]


async def test_a_call_that_nobody_gives_back_is_found_by_the_connection_that_can_give_it_back() -> None:
    asterisk = Asterisk(channel("old", "Stasis", "ringcard"))
    board = Board(asterisk).board
    await board.reconcile(Asterisk(*asterisk.there))  # the tracker's
    assert board.counters.found_after_gap == 0
    await board.reconcile()
    await board.close()
    assert (board.counters.found_after_gap, asterisk.handed_back) == (1, ["old"])


@pytest.mark.parametrize("of_the_tracker", [True, False])
async def test_a_call_that_nobody_was_heard_to_answer_is_not_trusted_after_a_gap(of_the_tracker: bool) -> None:
    """Its phone may have been rung, and have left the bridge again, while the tracker had no connection."""
    asterisk = Asterisk(channel("c"))
    held = Board(asterisk)
    held.board.take(start("c"))
    await held.board.reconcile(Asterisk(channel("c")) if of_the_tracker else None)
    for kind in ("ChannelHangupRequest", "ChannelDestroyed"):
        held.board.take({"type": kind, "timestamp": MOMENT, "channel": channel("c"), "cause": 16})
    await held.board.close()
    row = max(held.rows, key=lambda row: row.version)
    assert (row.outcome, row.hangup_by) == ("abandoned", "caller")
    assert (NOT_ALL_HEARD in row.reason) == of_the_tracker, "Asterisk's own record is believed then"


async def test_a_call_told_before_we_came_is_followed_on() -> None:
    asterisk = Asterisk(channel("c"), channel("p", app="AppDial", name="PJSIP/101-p"))
    asterisk.talking = [bridge("b", "c", "p")]
    held = Board(asterisk, TOLD)
    await held.board.reconcile()
    notice = held.notices[-1]
    assert notice.call is not None
    assert (notice.kind, notice.call.answered_endpoint, notice.call.shown_name) == ("answered", "101", "Sok Dara")
    assert notice.call.version > TOLD.version


async def test_a_call_told_before_we_came_that_is_over_is_ended() -> None:
    held = Board(Asterisk(), TOLD)
    await held.board.reconcile()
    assert [notice.kind for notice in held.notices].count("ended") == 1
    assert list(held.board.calls) == []


@pytest.mark.parametrize("other", [replace(TOLD, node="branch"), replace(TOLD, ended_ms=1200)])
async def test_calls_of_another_node_and_ended_ones_are_left_alone(other: LiveCall) -> None:
    held = Board(Asterisk(), other)
    await held.board.reconcile()
    assert held.notices == []
    assert list(held.board.calls) == []


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
    assert [notice.kind for notice in held.notices].count("ended") == 1


async def test_a_channel_whose_end_was_never_told_is_looked_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switchboard, "SWEEP_S", 0.001)
    monkeypatch.setattr(conversations, "OVERDUE_MS", -1)
    asterisk = Asterisk(channel("c"))
    held = Board(asterisk, TOLD)
    held.board.take({"type": "ChannelDestroyed", "timestamp": MOMENT, "cause": 16, "channel": channel("p")})
    await held.board.reconcile()
    asterisk.there.clear()
    await held.swept()
    assert list(held.board.calls) == []
    assert held.board.counters.swept == 1


async def test_a_call_that_comes_into_our_hands_when_its_channel_is_gone_already_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its end was told to the tracker of before, and its beginning, over the other connection, to us."""
    monkeypatch.setattr(switchboard, "SWEEP_S", 0.001)
    monkeypatch.setattr(conversations, "OVERDUE_MS", -1)
    monkeypatch.setattr(conversations, "OVERDUE_ALWAYS_MS", 1 << 60)
    held = Board(Asterisk())
    await held.board.reconcile(held.asterisk)
    held.board.take(start("c"))
    await held.swept()
    assert list(held.board.calls) == []


def test_of_many_calls_that_fell_silent_each_has_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "OVERDUE_MS", 10)
    board = Board(Asterisk()).board
    for number in range(5):
        board.calls.take_up(replace(TOLD, call_id=f"{number}", uniqueid=f"{number}", phones=()))
    turns = [board.calls.overdue(now_ms, 2) for now_ms in range(2000, 2003)]
    assert sorted(each for turn in turns for each in turn) == ["0", "1", "2", "3", "4"]
    assert board.calls.overdue(2011, 2) == turns[0], "and then again"


async def test_what_a_process_that_was_frozen_told_late_is_followed_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switchboard, "SWEEP_S", 0.001)
    held = Board(Asterisk())
    await held.board.reconcile()
    held.told = (TOLD, replace(TOLD, call_id="new", uniqueid="new", linkedid="new", version=1 << 60))
    await held.swept()
    assert {notice.call and notice.call.uniqueid for notice in held.notices} == {TOLD.uniqueid}, "the new one is heard"


# --- several processes share the calls of one Asterisk, and one of them follows them


def carried(passed: Passed) -> dict[str, Any]:
    """As Asterisk brings it to the tracker."""
    answer = {"eventname": EVENT, "answer": to_text(passed)}
    return {"type": "ChannelUserevent", "timestamp": MOMENT, "eventname": EVENT, "userevent": answer}


def created(channel_id: str) -> dict[str, Any]:
    return {"type": "ChannelCreated", "timestamp": MOMENT, "channel": channel(channel_id, state="Ring")}


def gone(channel_id: str) -> dict[str, Any]:
    return {"type": "ChannelDestroyed", "timestamp": MOMENT, "channel": channel(channel_id), "cause": 16}


async def answering() -> Board:
    """One that is not the tracker, and has answered a call."""
    board = Board(Asterisk(), stands_by=True)
    board.board.take(start("c"))
    async with asyncio.timeout(1):
        while not board.passed:
            await asyncio.sleep(0)
    return board


async def test_who_is_not_the_tracker_answers_says_so_and_holds_nothing() -> None:
    board = await answering()
    (passed,) = board.passed
    assert (passed.live.uniqueid, passed.live.answer, passed.live.match_reason) == ("c", "unknown", "nobody")
    assert [notice.call for notice in board.notices] == [passed.live], "the desk knows, whatever becomes of the tracker"
    assert list(board.board.calls) == []
    await board.board.close()


@pytest.mark.parametrize("first", ["created", "answered"])
async def test_the_tracker_has_the_answer_in_its_call_whichever_it_hears_first(first: str) -> None:
    (passed,) = (await answering()).passed
    tracker = Board(Asterisk())
    heard = [created("c"), carried(passed)]
    for raw in heard if first == "created" else reversed(heard):
        tracker.board.take(raw)
    tracker.board.take(carried(passed))  # once more, as after a change of the tracker
    tracker.board.take(gone("c"))
    ended = tracker.notices[-1].call
    assert ended is not None
    assert (ended.call_id, ended.answer, ended.match_reason) == (passed.live.call_id, "unknown", "nobody")
    assert [notice.kind for notice in tracker.notices] == ["ended"]
    assert ended.version > passed.live.version


async def test_an_answer_that_comes_after_the_end_is_of_no_use_any_more() -> None:
    (passed,) = (await answering()).passed
    tracker = Board(Asterisk())
    tracker.board.take(created("c"))
    tracker.board.take(gone("c"))
    before = list(tracker.notices)
    tracker.board.take(carried(passed))
    assert tracker.notices == before
    assert list(tracker.board.calls) == []


async def test_a_new_tracker_that_hears_of_an_answer_alone_finds_out_that_the_call_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Told while nobody had the place, and the channel was gone before its end could be heard."""
    (passed,) = (await answering()).passed
    monkeypatch.setattr(switchboard, "SWEEP_S", 0.001)
    monkeypatch.setattr(conversations, "OVERDUE_MS", -1)
    monkeypatch.setattr(conversations, "OVERDUE_ALWAYS_MS", 1 << 60)
    tracker = Board(Asterisk())
    tracker.board.take(carried(passed))
    await tracker.swept()
    assert [notice.kind for notice in tracker.notices] == ["ended"]
    assert list(tracker.board.calls) == []


async def test_a_tracker_whose_place_is_taken_lets_go_of_all_calls_but_those_in_its_hands() -> None:
    tracker = Board(Asterisk())
    tracker.board.take(created("old"))
    tracker.board.take(start("new"))
    tracker.stands_by = True
    tracker.board.stand_by()
    assert [call.origin_id for call in tracker.board.calls] == ["new"]
    await tracker.board.close()
    assert list(tracker.board.calls) == []


def test_a_user_event_of_somebody_else_is_not_ours() -> None:
    event = {"type": "ChannelUserevent", "timestamp": MOMENT, "userevent": {"answer": "{}"}}
    assert isinstance(parse({**event, "eventname": EVENT}), Ignored)
    assert isinstance(parse({**event, "eventname": "Alarm"}), Ignored)
