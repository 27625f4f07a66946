"""lookup/simulated.py and playing.py: a call that nobody makes, told as the call machine tells a real one."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from typing import Any

import pytest

from ari_app.events import Gone, HungUp, RingBegan, RingEnded
from desk.story import simulated_story
from lookup.answers import Caller, Withheld
from lookup.notices import SIMULATED, LiveCall, Notice, call_from_bytes, is_simulated, to_bytes
from lookup.playing import Player, new_call_id, now_ms
from lookup.routing import route
from lookup.simulated import (
    REFUSES_MS,
    Outcome,
    Plan,
    Turn,
    answered,
    begun,
    following,
    hung_up,
    notice_of,
    read_caller,
    turn_to_page,
    turn_to_phones,
    turns_of,
)
from tests.unit import test_call as machine

CALL_ID = f"{SIMULATED}1"
OURS_ALONE = ("call_id", "linkedid", "version", "trunk", "uniqueid", "over_by_ms")
"""What tells a simulated call from a real one; everything else is the same."""


def begin(plan: Plan, at_ms: int = 1000) -> LiveCall:
    caller = Caller("012345678")
    way = route(machine.FOUND, machine.rules().did(""), machine.rules().routing, "pbx")
    return begun(CALL_ID, "pbx", caller, "+85523900001", machine.FOUND, way.reason, at_ms, plan)


def by_the_rules(outcome: Outcome = "answered", answer_after_s: float | None = None, talk_s: float = 60) -> Plan:
    """The customer's manager at 101, then the deputy at 102, for 20 s each."""
    way = route(machine.FOUND, machine.rules().did(""), machine.rules().routing, "pbx")
    return Plan(turns_of(way.steps), outcome, answer_after_s, talk_s)


def played(plan: Plan) -> list[LiveCall]:
    """Every state, when nobody does anything at the desk."""
    states = [begin(plan)]
    while coming := following(states[-1], plan):
        due_ms, state = coming
        assert state.version > states[-1].version
        assert state.version >= due_ms
        states.append(state)
    return states


def seen(call: LiveCall) -> dict[str, Any]:
    """What a desk can see of it."""
    told = {name: value for name, value in asdict(call).items() if name not in OURS_ALONE}
    return told | {"phones": [{**phone, "channel_id": ""} for phone in told["phones"]]}


def test_a_simulated_call_is_told_as_the_call_machine_tells_a_real_one() -> None:
    real = machine.call()
    machines = [
        machine.shown(real.feed(machine.answered())),
        machine.shown(real.feed(RingBegan("c", "p1", "101", 1000))),
        machine.shown(real.feed(RingEnded("c", "p1", "101", "BUSY", 3000), Gone("p1", 17, 3000))),
    ]
    ours = played(by_the_rules("busy"))
    assert [seen(call) for call in ours[:2]] == [seen(call) for call in machines[:2]]
    assert seen(replace(ours[2], phones=ours[2].phones[:1])) == seen(machines[2])  # the next phone rings at once

    real = machine.call()
    real.feed(machine.answered(), RingBegan("c", "p1", "101", 1000))
    talks = machine.shown(real.feed(*machine.talks("p1", "101", 5000)))
    over = machine.shown(real.feed(HungUp("c", 15_000), Gone("p1", 16, 15_000), Gone("c", 16, 15_000)))
    *_, talking, last = played(by_the_rules(answer_after_s=4, talk_s=10))
    assert seen(talking) == seen(talks)
    assert seen(last) == seen(over)


def test_the_notices_are_ringing_answered_and_ended() -> None:
    states = played(by_the_rules(answer_after_s=4, talk_s=10))
    pairs = zip([None, *states], states, strict=False)
    assert [notice_of(before, state).kind for before, state in pairs] == ["ringing", "ringing", "answered", "ended"]


@pytest.mark.parametrize(
    ("plan", "story"),
    [
        (
            by_the_rules(answer_after_s=4, talk_s=10),
            [(0, "phone 101: ringing"), (4000, "phone 101: talking"), (14_000, "phone 101: left the call")],
        ),
        (
            by_the_rules(answer_after_s=25, talk_s=1),
            [
                (0, "phone 101: ringing"),
                (20_000, "phone 101: missed"),
                (20_000, "phone 102: ringing"),
                (25_000, "phone 102: talking"),
                (26_000, "phone 102: left the call"),
            ],
        ),
        (
            by_the_rules("declined"),
            [
                (0, "phone 101: ringing"),
                (REFUSES_MS, "phone 101: declined"),
                (REFUSES_MS, "phone 102: ringing"),
                (2 * REFUSES_MS, "phone 102: declined"),
            ],
        ),
        (
            Plan((turn_to_phones(("101", "102"), 20, "Simulated."),), "answered", 0, 5),
            [
                (0, "phone 101: ringing"),
                (0, "phone 101: talking"),
                (0, "phone 102: ringing"),
                (0, "phone 102: cancelled"),
                (5000, "phone 101: left the call"),
            ],
        ),
        (Plan((turn_to_page(7, 60, "For you."),)), [(0, "their pages: ringing"), (60_000, "their pages: missed")]),
    ],
)
def test_phones_ring_one_turn_after_the_other_and_end_as_was_said(plan: Plan, story: list[tuple[int, str]]) -> None:
    states = played(plan)
    first, *middle, last = [(step.after_ms, step.what) for step in simulated_story(states[-1])]
    assert first == (0, "simulated call: found, the same number")
    assert middle == story
    outcome = "missed" if plan.answer_after_s is None and plan.outcome == "answered" else plan.outcome
    assert last == (story[-1][0], f"ended: {outcome}")
    assert states[-1].over_by_ms > states[-1].ended_ms


def test_whoever_is_rung_may_answer_at_any_moment_and_the_caller_may_hang_up() -> None:
    plan = by_the_rules("missed", talk_s=60)
    ringing = played(plan)[1]
    talking = answered(ringing, "101", 9000)
    coming = following(talking, plan)
    assert coming is not None
    assert (coming[0], coming[1].outcome) == (69_000, "answered")
    assert (hung_up(talking, 10_000).outcome, hung_up(ringing, 10_000).outcome) == ("answered", "abandoned")
    assert following(hung_up(ringing, 10_000), plan) is None


def test_a_call_without_anybody_to_ring_is_over_at_once() -> None:
    assert [state.outcome for state in played(Plan(()))] == ["", "missed"]


def test_a_call_of_before_is_read_as_one_that_is_not_simulated() -> None:
    told = to_bytes(machine.shown(machine.call().feed(machine.answered())))
    assert b'"over_by_ms":0' in told
    old = call_from_bytes(told.replace(b',"over_by_ms":0', b""))
    assert old is not None
    assert not old.is_simulated
    assert is_simulated(new_call_id())


@pytest.mark.parametrize("text", ["+855 12-345.678", "012345678", "(023) 987/654", "101", "១២៣៤៥៦៧"])
def test_numbers_may_be_written_as_people_write_them(text: str) -> None:
    assert read_caller(f" {text} ", "east") == Caller(text, trunk="east")


@pytest.mark.parametrize("text", ["", "1", "Sok Dara", "<script>", "+855 12; DROP", "12\n34", "9" * 60, "+-()"])
def test_what_is_no_number_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=r"cannot call; write a number like \+85512345678, or the word withheld"):
        read_caller(text)


def test_the_word_withheld_is_a_caller_who_hides() -> None:
    hides = read_caller("Withheld")
    assert (hides.number, hides.presentation) == ("", "prohib")
    call = begun(CALL_ID, "pbx", hides, "", Withheld("hidden"), "", 1000, Plan(()))
    assert (call.answer, call.caller_number, call.caller_key) == ("withheld", "", "")


# --- played


def playing(plan: Plan) -> tuple[Player, list[Notice]]:
    told: list[Notice] = []
    return Player(begin(plan, now_ms()), plan, told.append), told


async def test_a_call_is_played_to_its_end() -> None:
    player, told = playing(Plan((Turn(turn_to_phones(("101",), 1, "").phones, 0.02),), talk_s=0))
    async with asyncio.timeout(10):
        await player.play()
    assert [notice.kind for notice in told] == ["ringing", "ringing", "ended"]
    assert player.call.outcome == "missed"


async def test_what_somebody_does_at_another_desk_takes_the_place_of_what_was_planned() -> None:
    player, told = playing(Plan((turn_to_phones(("101",), 600, ""),), talk_s=0))
    task = asyncio.create_task(player.play())
    async with asyncio.timeout(10):
        while not player.call.phones:
            await asyncio.sleep(0)
        player.heard(replace(player.call, call_id="another", version=player.call.version + 5))
        player.heard(player.call)
        assert len(told) == 2
        player.heard(answered(player.call, "101", now_ms()))
        await task
    assert [notice.kind for notice in told] == ["ringing", "ringing", "ended"]
    assert player.call.outcome == "answered"
    player.hang_up()
    assert len(told) == 3, "what is over is not ended again"
