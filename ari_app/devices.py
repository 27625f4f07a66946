"""Which telephones talk and which cannot be reached, from what Asterisk tells of their device states. Pure.

Of all that ARI offers this costs Asterisk least: three small events for a phone that rings and is answered, one when it
registers or is gone. To subscribe to an endpoint instead brings every event of its channels, a hundred for such a call
(measured). What was not told is not known, and then a phone counts as free and there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEVICE_STATE = "DeviceStateChanged"
PREFIX = "PJSIP/"

BUSY = frozenset({"INUSE", "BUSY", "RINGINUSE", "ONHOLD"})
UNREACHABLE = frozenset({"UNAVAILABLE"})


class Devices:
    """The telephones of one Asterisk. The sets hold names of endpoints, and are made anew when one changes."""

    def __init__(self) -> None:
        self.busy: frozenset[str] = frozenset()
        self.unreachable: frozenset[str] = frozenset()
        self._told: set[str] = set()  # by an event of this connection

    def take(self, raw: Mapping[str, Any]) -> bool:
        """True when the event was about a device: nobody else needs it then."""
        if raw.get("type") != DEVICE_STATE:
            return False
        phone = self._learn(raw.get("device_state"))
        self._told.add(phone)
        return True

    def answered(self, device: Any) -> None:
        """What Asterisk said when it was asked for this device, after we subscribed to it.

        An event may overtake the answer, which then is older: it counts only where no event was told.
        """
        if _phone(device) not in self._told:
            self._learn(device)

    def forget(self) -> None:
        """The connection was lost: what was true before may not be."""
        self.busy = self.unreachable = frozenset()
        self._told.clear()

    def _learn(self, device: Any) -> str:
        if phone := _phone(device):
            self.busy = _with(self.busy, phone, device.get("state") in BUSY)
            self.unreachable = _with(self.unreachable, phone, device.get("state") in UNREACHABLE)
        return phone


def _phone(device: Any) -> str:
    """Of a device as ARI describes it, `{"name": "PJSIP/101", "state": "INUSE"}`; empty for anything else."""
    name = str(device.get("name", "")) if isinstance(device, Mapping) else ""
    return name.removeprefix(PREFIX) if name.startswith(PREFIX) else ""


def _with(phones: frozenset[str], phone: str, is_in: bool) -> frozenset[str]:
    if (phone in phones) is is_in:
        return phones
    return phones | {phone} if is_in else phones - {phone}
