"""ari_app/events.py over every event that was recorded from real calls."""

import json
from pathlib import Path
from typing import Any

import pytest

from ari_app.events import (
    Arrived,
    Began,
    Gone,
    HungUp,
    Ignored,
    Left,
    Replaced,
    RingAnswered,
    RingBegan,
    RingEnded,
    arguments,
    endpoint_of,
    parse,
)

RECORDINGS = Path(__file__).parent.parent / "recordings" / "ari"


def recorded(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (RECORDINGS / f"{name}.jsonl").read_text().splitlines()]


def heard(name: str) -> list[Any]:
    return [event for event in map(parse, recorded(name)) if not isinstance(event, Ignored)]


def test_an_answered_call_is_told_by_ids() -> None:
    caller, phone = "1795409918.4717", "1795409918.4718"
    story = [(type(event), getattr(event, "peer_id", event.channel_id)) for event in heard("answered")]
    assert story[:3] == [(Began, caller), (Began, phone), (RingBegan, phone)]
    assert story.index((RingAnswered, phone)) < story.index((HungUp, caller))
    assert set(story[-2:]) == {(Gone, caller), (Gone, phone)}


def test_who_hung_up_is_told_apart_from_asterisk_hanging_up() -> None:
    assert [event.channel_id for event in heard("answered_callee_hangup") if isinstance(event, HungUp)] == [
        next(e.peer_id for e in heard("answered_callee_hangup") if isinstance(e, RingBegan))
    ]


@pytest.mark.parametrize(
    ("name", "status"), [("busy", "BUSY"), ("noanswer", "NOANSWER"), ("abandoned_by_caller", "CANCEL")]
)
def test_a_phone_that_stops_ringing_says_why(name: str, status: str) -> None:
    assert {event.status for event in heard(name) if isinstance(event, RingEnded)} == {status}


def test_every_recorded_event_is_read_or_ignored_for_a_named_reason() -> None:
    for path in RECORDINGS.glob("*.jsonl"):
        for raw in recorded(path.stem):
            event = parse(raw)
            assert not isinstance(event, Ignored) or "without what we need" not in event.reason, raw


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"type": "StasisStart"},
        {"type": "Dial", "caller": {}, "peer": {}, "dialstatus": ""},
        {"type": "ChannelDestroyed", "channel": None, "timestamp": "yesterday"},
        {"type": ["Dial"]} | {"type": "Dial", "caller": None, "peer": {"id": 1, "name": 2}, "dialstatus": ""},
    ],
)
def test_foreign_input_is_ignored_and_never_raises(raw: dict[str, Any]) -> None:
    assert isinstance(parse(raw), Ignored)


def test_an_arrival_carries_what_the_dialplan_says() -> None:
    channel: dict[str, Any] = {
        "id": "17.1",
        "name": "PJSIP/trunk-01",
        "caller": {"name": "", "number": "+85512345678"},
        "dialplan": {"context": "c", "exten": "s", "priority": 3, "app_name": "Stasis"},
    }
    channel["dialplan"]["app_data"] = "ringcard,+85523900001,east,prohib,16.9"
    raw = {"type": "StasisStart", "timestamp": "2026-11-23T04:58:38.161+0000", "args": [], "channel": channel}
    assert parse(raw) == Arrived("17.1", 1795409918161, "16.9", "+85512345678", "", "prohib", "+85523900001", "east")


def test_an_arrival_of_which_the_dialplan_says_nothing_is_still_a_call() -> None:
    channel = {"id": "17.1", "caller": {"name": "", "number": "1"}, "dialplan": {"exten": "23900001"}}
    event = parse({"type": "StasisStart", "timestamp": "2026-11-23T04:58:38.161+0000", "channel": channel})
    assert event == Arrived("17.1", 1795409918161, "17.1", "1", "", "", "23900001", "")


@pytest.mark.parametrize(
    ("name", "endpoint"),
    [
        ("PJSIP/101-0000126e", "101"),
        ("PJSIP/front-desk-0000126e", "front-desk"),
        ("Local/+85512345678@outside-00000003;1", "+85512345678"),
    ],
)
def test_a_channel_name_tells_its_phone(name: str, endpoint: str) -> None:
    assert endpoint_of(name) == endpoint


def test_what_the_dialplan_tells_comes_alike_from_a_call_that_was_offered_to_several() -> None:
    alone = {"app_name": "Stasis", "app_data": "ringcard,+855,lab,allowed,linked,Sales: new"}
    shared = {"app_name": "StasisBroadcast", "app_data": "300,^ringcard-,+855:lab:allowed:linked:Sales: new"}
    assert arguments({"dialplan": alone}) == arguments({"dialplan": shared})
    assert arguments({"dialplan": shared}) == ["+855", "lab", "allowed", "linked", "Sales: new"]


def test_being_replaced_is_an_event() -> None:
    assert parse({"type": "ApplicationReplaced", "application": "ringcard"}) == Replaced()


def test_leaving_our_application_is_an_event() -> None:
    raw = {"type": "StasisEnd", "timestamp": "2026-11-23T04:58:38.161+0000", "channel": {"id": "17.1"}}
    assert parse(raw) == Left("17.1", 1795409918161)
