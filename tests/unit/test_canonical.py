"""The one line of the log that tells a whole call."""

from __future__ import annotations

import io
import json
import logging
from dataclasses import replace
from typing import Literal

import pytest

from ari_app.canonical import Passage, canonical, shortened
from ari_app.trace import in_words
from config import logging as logs
from config.settings import Log
from lookup.card import Phone
from lookup.notices import LiveCall
from lookup.routing import Route, Step
from records.facts import LegFacts
from tests.facts import facts

LIVE = LiveCall("c1", "pbx", "1.1", 7, 1000, "inbound", "found", "+85512345678", "sok", "Sok Dara", "+85523900001", "t")
FACTS = facts(
    "c1",
    linkedid="1.1",
    version=7,
    outcome="answered",
    started_ms=1000,
    answered_ms=3500,
    ended_ms=9500,
    caller_name="Sok's own secret",
    shown_name="Sok Dara",
    trunk="provider",
    customer_id=42,
    tier="exact",
    reason="the assigned manager Chan Lina",
    answered_endpoint="101",
    hangup_by="caller",
    hangup_cause=16,
    legs=(LegFacts("1.2", "101", 1100), LegFacts("1.3", "102", 1100)),
)
PASSAGE = Passage(lag_ms=1, lookup_ms=0.8, left_ms=149.2, source="cache")


def test_the_line_tells_a_call_from_its_arrival_to_its_end() -> None:
    assert canonical(LIVE, FACTS, PASSAGE) == {
        "call_id": "c1",
        "node": "pbx",
        "direction": "inbound",
        "caller": "+8551234xxxx",
        "called": "+85523900001",
        "trunk": "provider",
        "answer": "found",
        "tier": "exact",
        "source": "cache",
        "customer": 42,
        "lag_ms": 1,
        "lookup_ms": 0.8,
        "left_ms": 149.2,
        "route": "the assigned manager Chan Lina",
        "outcome": "answered",
        "by": "101",
        "wait_s": 2.5,
        "talk_s": 6.0,
        "legs": 2,
        "hangup_by": "caller",
        "cause": 16,
    }


@pytest.mark.parametrize("form", ["text", "json"])
def test_in_both_forms_it_is_one_line_without_a_customers_name_or_whole_number(form: Literal["text", "json"]) -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        logs.setup(Log(format=form), stream)
        reason = "Line\nbreak to +85512345678 and 012 345 678"
        fields = canonical(LIVE, replace(FACTS, reason=reason), PASSAGE)
        logging.getLogger("calls").info("call", extra={"fields": fields})
    finally:
        root.handlers[:], root.level = before
    (line,) = stream.getvalue().splitlines()
    assert "678" not in line
    assert "Sok" not in line
    if form == "json":
        assert json.loads(line)["lookup_ms"] == 0.8
    else:
        assert " outcome=answered by=101 wait_s=2.5 " in line


def test_of_an_outbound_call_it_is_the_dialled_number_that_is_shortened() -> None:
    ours = replace(FACTS, direction="outbound", caller_number="101", called_number="+85512345678")
    line = canonical(LIVE, ours, Passage())
    assert (line["caller"], line["called"], line["lookup_ms"]) == ("101", "+8551234xxxx", None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("101", "101"), ("123456", "123456"), ("1234567", "123xxxx"), ("reception-desk", "reception-desk"), ("", "")],
)
def test_inside_numbers_and_names_stay_whole(text: str, shown: str) -> None:
    assert shortened(text) == shown


@pytest.mark.parametrize(
    ("passage", "words"),
    [
        (PASSAGE, "found, exact (cache, 0.8 ms)"),
        (Passage(lookup_ms=150.0), "found, exact (150 ms)"),
        (Passage(source="database"), "found, exact (database)"),
    ],
)
def test_of_a_lookup_the_story_says_who_knew_and_how_long_it_took(passage: Passage, words: str) -> None:
    assert passage.told("found, exact") == words


def test_of_a_call_that_was_not_looked_up_it_says_nothing_more() -> None:
    assert Passage().told("unknown") == "unknown"


def test_a_route_is_told_without_anybodys_name_or_number() -> None:
    steps = (
        Step((Phone("pbx", "101"), Phone("pbx", "103")), 20, "Chan Lina", "the manager"),
        Step((Phone("", "+85599000111", inside=False),), 15, "Sok Dalin", "the deputy"),
    )
    assert in_words(Route(steps, "")) == (
        "phone 101 and phone 103 for 20 s, then a number outside for 15 s, then the company's own way"
    )
    assert in_words(Route((), "", after="queues,600")) == "queues,600"
    assert in_words(Route((), "", blocked="busy")) == "blocked, the caller hears busy"
