"""ari_app/reconcile.py: what was missed while nobody listened."""

from collections.abc import Collection
from typing import Any

from ari_app.channels import Channels
from ari_app.events import Arrived, Began, Joined, Left, Lost, Parted, RingAnswered, RingBegan
from ari_app.reconcile import Missed, missed

MOMENT = "2026-01-01T00:00:00.000+0000"


def channel(
    channel_id: str, app: str = "Dial", data: str = "PJSIP/101", state: str = "Up", name: str = ""
) -> dict[str, Any]:
    dialplan = {"context": "c", "exten": "s", "priority": 1, "app_name": app, "app_data": data}
    nobody = {"name": "", "number": "1"}
    return {
        "id": channel_id,
        "name": name or f"PJSIP/trunk-{channel_id}",
        "state": state,
        "caller": nobody,
        "connected": nobody,
        "dialplan": dialplan,
        "creationtime": MOMENT,
    }


def bridge(bridge_id: str, *channels: str) -> dict[str, Any]:
    return {
        "id": bridge_id,
        "bridge_type": "mixing",
        "bridge_class": "basic",
        "creator": "",
        "channels": list(channels),
    }


def news(
    held: Channels,
    *there: dict[str, Any],
    looking: Collection[str] = (),
    bridges: Collection[dict[str, Any]] = (),
) -> list[Missed]:
    """What was missed, without what every channel that is there is told to be."""
    found = missed(held, list(held.ids), looking, there, bridges, "ringcard", 5)
    return [event for event in found if not isinstance(event, Began)]


def holding(*channel_ids: str) -> Channels:
    held = Channels()
    for channel_id in channel_ids:
        held.add(channel_id)
    return held


def ringing() -> Channels:
    held = holding("c")
    held.hear(RingBegan("c", "p", "101", 1))
    return held


def test_a_call_whose_channel_is_no_more_has_ended() -> None:
    assert news(holding("a", "b"), channel("b")) == [Lost("a", 5)]


def test_every_channel_that_is_there_is_heard_of() -> None:
    there = [channel("a"), channel("b", name="CBAnn/conf-1")]
    began = [event.channel_id for event in missed(holding(), [], [], there, [], "x", 5) if isinstance(event, Began)]
    assert began == ["a"], "an announcement is nobody"


def test_a_channel_left_in_our_application_arrives_anew() -> None:
    (event,) = news(holding(), channel("a", "Stasis", "ringcard"), channel("b", "Stasis", "other"))
    assert isinstance(event, Arrived)
    assert event.channel_id == "a"


def test_a_call_that_we_handed_back_into_a_broken_connection_arrives_anew() -> None:
    (event,) = news(holding("a"), channel("a", "Stasis", "ringcard,x"))
    assert isinstance(event, Arrived)


def test_a_call_that_the_guard_took_meanwhile_has_left() -> None:
    assert news(holding("a"), channel("a"), looking=["a"]) == [Left("a", 5)]


def test_a_call_that_is_still_being_looked_up_is_left_in_peace() -> None:
    assert news(holding("a"), channel("a", "Stasis", "ringcard"), looking=["a"]) == []


def test_what_came_while_the_lists_were_under_way_is_not_taken_for_ended() -> None:
    held = holding("old", "new")
    found = missed(held, ["old"], [], [channel("old")], [], "ringcard", 5)
    assert not [event for event in found if isinstance(event, Lost)]


def test_a_phone_that_was_answered_meanwhile_talks_with_whom_it_is_bridged() -> None:
    there = (channel("c"), channel("p", app="AppDial"))
    assert news(ringing(), *there, bridges=[bridge("b", "c", "p")]) == [
        RingAnswered("c", "p", "101", 5, unheard=True),
        Joined("c", "b", 5, ("p",), unheard=True),
        Joined("p", "b", 5, ("c",), unheard=True),
    ]


def test_a_phone_that_rings_on_is_no_news() -> None:
    assert news(ringing(), channel("c"), channel("p", app="AppDial", state="Ringing")) == []


def test_a_phone_whose_channel_is_no_more_has_stopped() -> None:
    assert news(ringing(), channel("c")) == [Lost("p", 5)]


def test_who_left_a_bridge_meanwhile_is_no_longer_in_it() -> None:
    held = holding("c")
    held.hear(Joined("c", "b", 1))
    assert news(held, channel("c")) == [Parted("c", "b", 5)]
