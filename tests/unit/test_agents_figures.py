"""What two browsers took is held against the log: whatever is lost, doubled or another's is found."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from records.tables import CallLeg, CallRow
from tests.bench.agents import draw, held_against

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def row(*talked: str) -> CallRow:
    legs = [CallLeg(endpoint=name, answered_at=NOW if name in talked else None) for name in ("101", "102")]
    return CallRow(call_id="one", caller_number="+855", legs=legs)


def told(*states: str) -> list[dict[str, Any]]:
    return [{"id": "one", "version": at + 1, "state": state} for at, state in enumerate(states)]


def of(taken: list[dict[str, Any]], *talked: str) -> list[str]:
    return [word for words in held_against("Lina", "101", taken, [row(*talked)]).values() for word in words]


def test_what_agrees_is_right() -> None:
    assert of(told("ringing", "talking", "ended"), "101") == []
    assert of(told("ringing", "elsewhere", "ended"), "102") == []
    loaded = {"id": "one", "version": 2, "state": "talking", "anew": True}
    assert of([*told("ringing", "talking"), loaded, {"id": "one", "version": 3, "state": "ended"}], "101") == []


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        ([], "never saw the call"),
        (told("ringing", "talking"), "of its end 0 times"),
        (told("ringing", "talking", "ended", "ended"), "of its end 2 times"),
        (told("ringing", "elsewhere", "ended"), "the card never said so"),
        ([*told("ringing", "talking", "ended"), {"id": "one", "version": 0, "state": "twice"}], "twice at once"),
        (told("talking", "ended")[::-1], "out of order"),
    ],
)
def test_what_is_lost_doubled_or_wrong_is_found(taken: list[dict[str, Any]], said: str) -> None:
    assert any(said in word for word in of(taken, "101"))


def test_calls_of_nobody_and_of_others_are_found() -> None:
    assert of(told("ringing", "talking", "ended"), "102") == ["Lina was said to talk, and did not"]
    elsewhere = CallRow(call_id="one", caller_number="+855", legs=[CallLeg(endpoint="102", answered_at=NOW)])
    assert held_against("Lina", "101", told("ringing"), [elsewhere]) == {
        "+855": ["Lina saw a call that never rang there"]
    }
    assert held_against("Lina", "101", told("ringing"), []) == {"one": ["Lina saw a call that is not in the log"]}


def test_the_same_seed_draws_the_same_calls_and_some_of_each_kind() -> None:
    plans = draw(300, 1)
    assert plans == draw(300, 1)
    kinds = {(plan.trouble, plan.at, plan.transferred) for plan in plans if plan.trouble}
    assert len(kinds) == 2 * 2 + 2 * 3
