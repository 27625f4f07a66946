"""Two people before two browsers and real calls that are handed on, while a page is loaded again or a line is cut."""

from __future__ import annotations

import pytest

from tests.bench.agents import Plan, measure
from tests.ports import port

PLANS = (
    Plan("+855961900001", 0, True, "reload", "moved", 0, 0.3),  # whoever hands it on loads the page meanwhile
    Plan("+855961900002", 1, True, "cut", "moved", 0, 0.3),  # to whom it comes is away meanwhile
    Plan("+855961900003", 0, False, "cut", "ringing", 1, 0.3),
)


@pytest.mark.timeout(300)
async def test_calls_that_are_handed_on_in_trouble_are_seen_by_each_once() -> None:
    run = await measure(PLANS, port(18664), lambda _: None)
    assert run.wrong == {}
    assert run.made == {"calls": 3, "handed on": 2, "reloads": 1, "cuts": 2}
