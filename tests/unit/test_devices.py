"""ari_app/devices.py: who talks and who cannot be reached, by device states as Asterisk 22 tells them."""

from typing import Any

import pytest

from ari_app.devices import Devices


def told(name: str, state: str) -> dict[str, Any]:
    return {"type": "DeviceStateChanged", "application": "ringcard", "device_state": {"name": name, "state": state}}


@pytest.mark.parametrize(
    ("state", "busy", "unreachable"),
    [
        ("NOT_INUSE", False, False),
        ("RINGING", False, False),
        ("INUSE", True, False),
        ("RINGINUSE", True, False),
        ("ONHOLD", True, False),
        ("BUSY", True, False),
        ("UNAVAILABLE", False, True),
        ("UNKNOWN", False, False),
        ("INVALID", False, False),
        ("a state of a later Asterisk", False, False),
    ],
)
def test_each_state_means(state: str, busy: bool, unreachable: bool) -> None:
    devices = Devices()
    for before in ("INUSE", "UNAVAILABLE", "NOT_INUSE"):
        assert devices.take(told("PJSIP/101", before))
        assert devices.take(told("PJSIP/101", state))
        assert (devices.busy == {"101"}, devices.unreachable == {"101"}) == (busy, unreachable)


def test_a_call_from_ringing_to_its_end() -> None:
    devices = Devices()
    seen = []
    for state in ("UNAVAILABLE", "NOT_INUSE", "RINGING", "INUSE", "NOT_INUSE"):
        devices.take(told("PJSIP/101", state))
        seen.append((bool(devices.busy), bool(devices.unreachable)))
    assert seen == [(False, True), (False, False), (False, False), (True, False), (False, False)]


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "DeviceStateChanged"},
        {"type": "DeviceStateChanged", "device_state": None},
        {"type": "DeviceStateChanged", "device_state": {"state": "INUSE"}},
        told("Queue:sales_avail", "INUSE"),
        told("Local/101@phones", "INUSE"),
    ],
)
def test_what_is_no_telephones_state_is_nothing_to_anybody(raw: dict[str, Any]) -> None:
    devices = Devices()
    assert devices.take(raw)
    assert not devices.busy | devices.unreachable


def test_other_events_are_left_to_others_and_a_lost_connection_is_forgotten() -> None:
    devices = Devices()
    assert not devices.take({"type": "Dial"})
    devices.take(told("PJSIP/101", "INUSE"))
    devices.take(told("PJSIP/102", "UNAVAILABLE"))
    devices.forget()
    assert not devices.busy | devices.unreachable


def test_an_answer_that_an_event_has_overtaken_counts_no_more() -> None:
    devices = Devices()
    devices.answered(told("PJSIP/101", "UNAVAILABLE")["device_state"])
    devices.answered(told("PJSIP/102", "UNAVAILABLE")["device_state"])
    assert devices.unreachable == {"101", "102"}
    devices.take(told("PJSIP/101", "NOT_INUSE"))
    devices.answered(told("PJSIP/101", "UNAVAILABLE")["device_state"])
    assert devices.unreachable == {"102"}
    devices.forget()
    devices.answered(told("PJSIP/101", "UNAVAILABLE")["device_state"])
    assert devices.unreachable == {"101"}
