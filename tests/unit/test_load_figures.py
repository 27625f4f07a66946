"""What long measurements are judged by: messages sent twice, the knee, growth, and random calls that repeat."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ringcard.phones import Way
from tests.bench.distribution import distribution
from tests.bench.load import Step, knee, sent_twice
from tests.bench.machine import Busy
from tests.bench.random_calls import DIDS, TEMPERS, draw
from tests.bench.soak import Held, growth
from tests.unit.test_accounts import BYE, said

HELD = Step("plain", 50, Busy(), distribution([1.0]), again=0, lost=0, unrouted=0, untold=0, unlogged=0, cpu_ms={})


def test_a_message_that_is_there_twice_was_sent_again_and_another_of_the_call_was_not() -> None:
    other = said(7, "BYE sip:x SIP/2.0", sent=True, cseq="2 BYE", call_id="d")
    answer = said(7, "SIP/2.0 200 OK", sent=True, cseq="2 BYE")
    assert sent_twice([BYE, other, answer]) == 0
    assert sent_twice([BYE, other, answer, replace(BYE, at=BYE.at + 0.5), BYE]) == 2


@pytest.mark.parametrize("wrong", ["again", "lost", "unrouted", "untold", "unlogged"])
def test_a_step_in_which_anything_was_lost_or_sent_twice_is_not_held(wrong: str) -> None:
    assert HELD.held
    assert not replace(HELD, **{wrong: 1}).held  # type: ignore[arg-type]


def test_the_knee_is_the_last_step_that_was_held_on_this_way() -> None:
    def step(way: Way, rate: int, again: int = 0) -> Step:
        return replace(HELD, way=way, rate=rate, again=again)

    steps = [step("plain", 50), step("trunk", 50), step("plain", 100), step("trunk", 100, again=1)]
    assert (knee(steps, "plain"), knee(steps, "trunk"), knee([], "plain")) == (100, 50, 0)


def test_growth_leaves_the_beginning_out_and_sees_what_grows_afterwards() -> None:
    def memory(values: list[float]) -> list[Held]:
        return [
            Held(at_s=36.0 * i, memory_mb=value, mapped_mb=1.0, files=10, threads=3) for i, value in enumerate(values)
        ]

    flat = growth(memory([10 + 4 * i for i in range(20)] + [100.0] * 81), lambda one: one.memory_mb)
    assert (flat.first, flat.last, flat.an_hour) == pytest.approx((100, 100, 0), abs=1e-6)
    grows = growth(memory([100 + i / 10 for i in range(101)]), lambda one: one.memory_mb)
    assert grows.an_hour == pytest.approx(10)
    assert grows.last - grows.first == pytest.approx(7.3, abs=0.2)


def test_random_calls_are_the_same_for_a_seed_and_no_two_share_a_caller() -> None:
    calls = draw(2000, 1)
    assert calls == draw(2000, 1) != draw(2000, 2)
    assert len({call.dialled.number for call in calls}) == 2000
    assert {call.dialled.did for call in calls} == set(DIDS)
    assert {call.temper for call in calls} == set(TEMPERS)
    assert all(call.dialled.name for call in calls if call.dialled.withheld)
