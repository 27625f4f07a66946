"""ari_app/reconcile.py: what was missed while nobody listened."""

from typing import Any

from ari_app.events import Arrived, Left, Lost, RingAnswered, RingEnded
from ari_app.reconcile import missed
from lookup.notices import RungPhone

RINGING = RungPhone("101", "ringing", 1, channel_id="p")
TALKING = RungPhone("101", "talking", 1, channel_id="p")


def channel(channel_id: str, app: str = "Dial", data: str = "PJSIP/101", state: str = "Up") -> dict[str, Any]:
    dialplan = {"context": "c", "exten": "s", "priority": 1, "app_name": app, "app_data": data}
    return {"id": channel_id, "state": state, "caller": {"name": "", "number": "1"}, "dialplan": dialplan}


def test_a_call_whose_channel_is_no_more_has_ended() -> None:
    assert missed({"a": [], "b": []}, [], [channel("b")], "ringcard", 5) == [Lost("a", 5)]


def test_a_channel_left_in_our_application_arrives_anew() -> None:
    (event,) = missed({}, [], [channel("a", "Stasis", "ringcard"), channel("b", "Stasis", "other")], "ringcard", 5)
    assert isinstance(event, Arrived)
    assert event.channel_id == "a"


def test_a_call_that_we_handed_back_into_a_broken_connection_arrives_anew() -> None:
    (event,) = missed({"a": []}, [], [channel("a", "Stasis", "ringcard,x")], "ringcard", 5)
    assert isinstance(event, Arrived)


def test_a_call_that_the_guard_took_meanwhile_has_left() -> None:
    assert missed({"a": []}, ["a"], [channel("a")], "ringcard", 5) == [Left("a", 5)]


def test_a_call_that_is_still_being_looked_up_is_left_in_peace() -> None:
    assert missed({"a": []}, ["a"], [channel("a", "Stasis", "ringcard")], "ringcard", 5) == []


def test_channels_of_others_are_none_of_our_business() -> None:
    assert missed({}, [], [channel("a"), channel("b", "Queue", "sales")], "ringcard", 5) == []


def test_a_phone_that_was_answered_meanwhile_talks() -> None:
    assert missed({"a": [RINGING]}, [], [channel("a"), channel("p")], "x", 5) == [RingAnswered("a", "p", "101", 5)]


def test_a_phone_that_rings_on_is_no_news() -> None:
    assert missed({"a": [RINGING]}, [], [channel("a"), channel("p", state="Ringing")], "x", 5) == []


def test_a_phone_that_talks_on_is_no_news() -> None:
    assert missed({"a": [TALKING]}, [], [channel("a"), channel("p")], "x", 5) == []


def test_a_phone_whose_channel_is_no_more_has_stopped() -> None:
    assert missed({"a": [RINGING]}, [], [channel("a")], "x", 5) == [RingEnded("a", "p", "101", "CANCEL", 5)]


def test_phones_of_a_call_that_ended_need_no_news_of_their_own() -> None:
    assert missed({"a": [RINGING]}, [], [channel("p")], "x", 5) == [Lost("a", 5)]
