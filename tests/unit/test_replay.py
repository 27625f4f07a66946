"""Real calls, replayed in every order that keeps each channel's own: the same facts must come out.

Asterisk's threads tell of their channels each in its own order, and two connections have no common one. An event that
names several channels stands in the order of each of them; those of a bridge, told under its lock, in the bridge's; and
the two halves of a Local channel, which Asterisk makes as one, have one order.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest

from ari_app.actions import Record, Tell
from ari_app.call import Rules
from ari_app.conversations import Conversations
from ari_app.events import ALL_CALLS, CallEvent, Gone, Ignored, Joined, Lost, Parted, Replaced, RingAnswered, parse
from config.settings import Did, Routing
from records.facts import CallFacts
from tests.unit.test_ari_events import RECORDINGS, recorded

RULES = Rules("pbx", Routing(), lambda did: Did(policy="name"), "http://desk", "secret", 600)
TRUNKS = ("trunk", "provider")
EVERY, SAMPLE = 100, 30
"""Every order is tried where there are at most so many; else a sample of so many, the same in each run."""


@dataclass(frozen=True)
class Expected:
    """What became of the customer's conversation, and the outcomes of the attempts to ring somebody."""

    direction: str
    outcome: str
    answered_by: str
    hangup_by: str
    legs: tuple[tuple[str, str], ...]


CALLS = {
    "answered": Expected("inbound", "answered", "101", "caller", (("101", "answered"),)),
    "answered_callee_hangup": Expected("inbound", "answered", "101", "callee", (("101", "answered"),)),
    "answered_stasis": Expected("inbound", "answered", "101", "caller", (("101", "answered"),)),
    "noanswer": Expected("inbound", "missed", "", "", (("101", "missed"),)),
    "busy": Expected("inbound", "busy", "", "", (("101", "busy"),)),
    "declined": Expected("inbound", "declined", "", "", (("101", "declined"),)),
    "abandoned_by_caller": Expected("inbound", "abandoned", "", "caller", (("101", "cancelled"),)),
    "phone_offline": Expected("inbound", "missed", "", "", (("104", "failed"),)),
    "ring_group": Expected(
        "inbound", "answered", "102", "caller", (("101", "cancelled"), ("102", "answered"), ("103", "busy"))
    ),
    "manager_noanswer_then_group": Expected(
        "inbound", "answered", "102", "caller", (("101", "missed"), ("102", "answered"), ("103", "cancelled"))
    ),
    "queue": Expected("inbound", "answered", "102", "caller", (("101", "cancelled"), ("102", "answered"))),
    "queue_abandon": Expected("inbound", "abandoned", "", "caller", (("101", "cancelled"), ("102", "cancelled"))),
    "blind_transfer": Expected("inbound", "answered", "102", "caller", (("101", "answered"), ("102", "answered"))),
    "attended_transfer": Expected("inbound", "answered", "102", "caller", (("101", "answered"), ("102", "answered"))),
    "click_to_call_dialplan": Expected(
        "outbound", "answered", "101", "caller", (("101", "answered"), ("85512345678", "answered"))
    ),
    "click_to_call_stasis": Expected(
        "outbound", "answered", "101", "caller", (("101", "answered"), ("85512345678", "answered"))
    ),
    "conference": Expected("inbound", "answered", "101", "callee", (("101", "answered"), ("102", "answered"))),
    "parked": Expected("inbound", "answered", "101", "callee", (("101", "answered"), ("102", "answered"))),
    "picked_up": Expected("inbound", "answered", "101", "callee", (("101", "answered"), ("102", "cancelled"))),
    "forwarded": Expected("inbound", "answered", "103", "callee", (("102", "cancelled"), ("103", "answered"))),
    "follow_me": Expected(
        "inbound",
        "answered",
        "099000111",
        "callee",
        (("099000111", "answered"), ("105", "missed"), ("106", "cancelled")),
    ),
    "queue_of_local_members": Expected(
        "inbound", "answered", "104", "callee", (("103", "cancelled"), ("104", "answered"))
    ),
    "blind_by_keys": Expected("inbound", "answered", "103", "callee", (("102", "answered"), ("103", "answered"))),
    "attended_by_keys": Expected("inbound", "answered", "103", "callee", (("102", "answered"), ("103", "answered"))),
    "attended_to_outside": Expected(
        "inbound", "answered", "099000111", "callee", (("099000111", "answered"), ("102", "answered"))
    ),
    "outbound": Expected("outbound", "answered", "101", "callee", (("+85512345678", "answered"),)),
    "internal": Expected("internal", "answered", "102", "callee", (("102", "answered"),)),
    "originated": Expected(
        "outbound", "answered", "101", "caller", (("+85512345678", "answered"), ("101", "answered"))
    ),
    "click_to_call_agent_noanswer": Expected("outbound", "missed", "", "", (("101", "missed"),)),
}

Told = tuple[CallEvent, tuple[str, ...]]
"""An event, and the channels and bridges in whose order it stands."""


@cache
def story(name: str) -> tuple[Told, ...]:
    """What the tracker would have heard of the recorded call."""
    return tuple(_told(raw) for raw in recorded(name) if raw["type"] in ALL_CALLS and _is_call_event(parse(raw)))


def _is_call_event(event: object) -> bool:
    return not isinstance(event, Ignored | Replaced)


def _told(raw: dict[str, Any]) -> Told:
    event = parse(raw)
    named = [value for value in raw.values() if isinstance(value, dict) and "id" in value]
    orders = {value["id"] for value in named} | {value.get("name", "").rpartition(";")[0] for value in named}
    return event, tuple(orders - {""})  # type: ignore[return-value]


def orders(told: Sequence[Told], seed: str) -> Iterator[list[CallEvent]]:
    every = list(_every_order(told))
    if len(every) <= EVERY:
        yield from every
        return
    chance = random.Random(seed)
    for _ in range(SAMPLE):
        yield list(_some_order(told, chance))


def _every_order(told: Sequence[Told]) -> Iterator[list[CallEvent]]:
    """All of them, or more than EVERY."""
    found = 0
    waiting: deque[tuple[list[CallEvent], tuple[int, ...]]] = deque([([], tuple(range(len(told))))])
    while waiting and found <= EVERY:
        begun, left = waiting.pop()
        if not left:
            found += 1
            yield begun
        for each in _first_of(told, left):
            waiting.append(([*begun, told[each][0]], tuple(other for other in left if other != each)))


def _some_order(told: Sequence[Told], chance: random.Random) -> Iterator[CallEvent]:
    left: tuple[int, ...] = tuple(range(len(told)))
    favourite = chance.random()  # one channel far behind the others, or all in step
    while left:
        first = _first_of(told, left)
        each = first[-1] if chance.random() < favourite else chance.choice(first)
        left = tuple(other for other in left if other != each)
        yield told[each][0]


def _first_of(told: Sequence[Told], left: Sequence[int]) -> list[int]:
    """Those that may come next: nothing that comes before them in a channel's own order is still to come."""
    seen: set[str] = set()
    first = []
    for each in left:
        channels = told[each][1]
        if seen.isdisjoint(channels):
            first.append(each)
        seen.update(channels)
    return first


@dataclass
class Heard:
    """All that the calls told and recorded."""

    ended: list[str]
    versions: dict[str, list[int]]
    rows: dict[str, CallFacts]
    book: Conversations

    @property
    def row(self) -> CallFacts:
        (only,) = [row for row in self.rows.values() if not row.merged_into]
        return only


def play(events: Sequence[CallEvent], book: Conversations | None = None) -> Heard:
    heard = Heard([], {}, {}, Conversations(RULES, TRUNKS) if book is None else book)
    for event in events:
        for call, actions in heard.book.receive(event):
            for action in actions:
                match action:
                    case Tell():
                        told = action.notice.call
                        assert told is not None
                        heard.versions.setdefault(call.call_id, []).append(told.version)
                        heard.ended += [call.call_id] * (action.notice.kind == "ended")
                    case Record():
                        held = heard.rows.get(action.facts.call_id)
                        if held is None or held.version <= action.facts.version:
                            heard.rows[action.facts.call_id] = action.facts
    return heard


def assert_whole(heard: Heard) -> None:
    """Whatever was heard: one row, one end, versions that only grow, and nothing held for ever."""
    assert heard.row.ended_ms
    assert sorted(heard.ended) == sorted(heard.versions), "each call that was told ends once"
    for versions in heard.versions.values():
        assert versions == sorted(set(versions))
    assert not heard.book.channels.ids
    assert list(heard.book) == []


def facts(heard: Heard) -> CallFacts:
    """Without what tells of the order in which we heard it."""
    return replace(heard.row, version=0, trace=())


@pytest.mark.parametrize("name", CALLS)
def test_a_recorded_call_ends_in_the_right_facts(name: str) -> None:
    heard = play([event for event, _ in story(name)])
    assert_whole(heard)
    row = heard.row
    legs = tuple(sorted((leg.endpoint, leg.outcome) for leg in row.legs))
    assert Expected(row.direction, row.outcome, row.answered_endpoint, row.hangup_by, legs) == CALLS[name]
    assert bool(row.answered_ms) == (row.outcome == "answered")
    assert row.started_ms <= (row.answered_ms or row.started_ms) <= row.ended_ms


def test_every_recording_is_replayed() -> None:
    assert {path.stem for path in RECORDINGS.glob("*.jsonl")} == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_the_same_facts_come_out_in_every_order_that_keeps_each_channels_own(name: str) -> None:
    told = story(name)
    expected = facts(play([event for event, _ in told]))
    for order in orders(told, name):
        heard = play(order)
        assert_whole(heard)
        assert facts(heard) == expected


@pytest.mark.parametrize("name", CALLS)
def test_events_that_come_twice_change_nothing(name: str) -> None:
    told = [event for event, _ in story(name)]
    expected = facts(play(told))
    heard = play([event for each in told for event in (each, each)])
    assert_whole(heard)
    assert facts(heard) == expected
    chance = random.Random(name)
    echoes = [
        event
        for position, event in enumerate(told)
        for event in (*chance.sample(told[:position], position // 3), event)
    ]
    again = play(echoes)
    assert_whole(again)
    assert facts(again) == expected


@pytest.mark.parametrize("name", CALLS)
def test_whatever_is_missing_a_call_has_one_row_and_ends_once(name: str) -> None:
    """After any loss, a look at what Asterisk has ends what is no more."""
    told = [event for event, _ in story(name)]
    chance = random.Random(name)
    lost = [{position} for position in range(len(told))]
    lost += [set(chance.sample(range(len(told)), chance.randint(2, len(told) // 2))) for _ in range(15)]
    for missing in lost:
        heard = play([event for position, event in enumerate(told) if position not in missing])
        again = play([Lost(each, 9_999_999_999_999) for each in list(heard.book.channels.ids)], heard.book)
        rows = {**heard.rows, **again.rows}
        whole = [row for row in rows.values() if not row.merged_into]
        assert sum(row.ended_ms > 0 for row in whole) == len(whole)
        ended = heard.ended + again.ended
        assert len(ended) == len(set(ended)) >= len(whole)
        assert not heard.book.channels.ids


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_another_process_takes_up_in_the_middle_has_one_row_and_ends_once(name: str) -> None:
    told = [event for event, _ in story(name)]
    expected = facts(play(told))
    for position in range(1, len(told)):
        first = play(told[:position])
        if not any(call.told for call in first.book):
            continue  # nobody was told of it yet: whoever comes new does not say what it may be
        second = Conversations(RULES, TRUNKS)
        for call in first.book:
            if call.told is not None:
                second.take_up(call.told)
        heard = play([*bridged(first.book), *told[position:]], second)
        left = play([Lost(each, 9_999_999_999_999) for each in list(second.channels.ids)], second)
        rows = {**first.rows, **heard.rows, **left.rows}
        (row,) = [row for row in rows.values() if not row.merged_into]
        ended = first.ended + heard.ended + left.ended
        assert ended.count(row.call_id) == 1, position
        assert (row.call_id, row.direction) == (expected.call_id, expected.direction)
        if not left.ended:
            unheard = (
                {"missed"} if expected.outcome == "abandoned" else set()
            )  # that the caller hung up was a moment ago
            assert row.outcome in {expected.outcome, *unheard}, position
            assert row.answered_ms == expected.answered_ms, position


def bridged(book: Conversations) -> Iterator[CallEvent]:
    """Who is in which bridge, as the list of bridges tells whoever comes new."""
    for channel in book.channels.of(book.channels.ids):
        for bridge in channel.present:
            at_ms = bridge.stays[channel.id].entered_ms
            yield Joined(channel.id, bridge.id, at_ms, holds=bridge.holds, parked=bridge.parked, early=bridge.early)


def test_a_caller_who_hung_up_before_the_bridge_was_made_was_answered_when_the_phone_was() -> None:
    told = [event for event, _ in story("answered") if not isinstance(event, Joined | Parted)]
    heard = play(told)
    assert_whole(heard)
    assert (heard.row.outcome, heard.row.answered_endpoint, heard.row.hangup_by) == ("answered", "101", "caller")
    assert [heard.row.answered_ms] == [event.at_ms for event in told if isinstance(event, RingAnswered)]


def test_an_order_that_is_not_the_channels_own_is_never_played() -> None:
    told = story("busy")
    for order in orders(told, "busy"):
        gone = [event.channel_id for event in order if isinstance(event, Gone)]
        assert len(gone) == 2
        assert order[0] is told[0][0] or order[0] is told[1][0]
