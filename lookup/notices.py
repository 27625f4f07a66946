"""What the desk is told about a call, as a value and as bytes.

A notice carries the whole state of one live call, by ids, with a version that grows. So a notice that came twice or
late changes nothing, and a desk that missed some is right again after the next one. What a person may see of it is
decided by the desk, for that person.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import msgspec
import orjson

T = TypeVar("T")
Kind = Literal["ringing", "answered", "moved", "ended", "card_changed", "task_due"]
PhoneState = Literal["ringing", "talking", "stopped"]

SIMULATED = "sim-"
"""Begins the call_id of a call that nobody made, wherever it is kept."""


@dataclass(frozen=True, slots=True)
class RungPhone:
    """One phone of this call, with the state of its latest Dial attempt."""

    endpoint: str
    state: PhoneState
    since_ms: int
    reason: str = ""  # why the call came here
    channel_id: str = ""  # of the phone
    started_ms: int = 0
    answered_ms: int = 0
    outcome: str = ""  # as a leg's in the log; empty while it rings
    outside: bool = False  # beyond a trunk; the endpoint is the number that was dialled
    page_of: int = 0  # of a simulated call: the user on whose pages alone it rings; the endpoint is none


@dataclass(frozen=True, slots=True)
class LiveCall:
    """One conversation as it is now. Times are milliseconds since the epoch, UTC."""

    call_id: str
    node: str
    linkedid: str
    version: int
    started_ms: int
    direction: Literal["inbound", "outbound", "internal"]
    answer: Literal["looking", "found", "unknown", "withheld", "unavailable"]
    caller_number: str  # E.164 or as received; empty when withheld
    caller_name: str  # as received
    shown_name: str  # as resolved; empty: the received one was left
    called_number: str
    trunk: str
    customer_ids: tuple[int, ...] = ()  # candidates, in order
    customer_id: int | None = None  # the chosen one
    tier: str = ""
    match_reason: str = ""
    route_reason: str = ""
    phones: tuple[RungPhone, ...] = ()
    answered_endpoint: str = ""
    answered_ms: int = 0  # 0: not yet
    ended_ms: int = 0
    outcome: str = ""
    uniqueid: str = ""  # the caller's channel
    caller_key: str = ""  # match_key of the customer's side; empty when withheld or not validated
    caller_endpoint: str = ""  # the company's phone that called, of outbound and internal calls
    parked: str = ""  # the parking lot in which the caller waits
    merged_into: str = ""  # call_id of the conversation that this one became a part of
    over_by_ms: int = 0  # of a simulated call: when it is over, if whoever plays it has not said so before

    @property
    def is_simulated(self) -> bool:
        return is_simulated(self.call_id)

    @property
    def customer_number(self) -> str:
        """The number of whoever is outside."""
        return self.called_number if self.direction == "outbound" else self.caller_number

    @property
    def is_nobodys(self) -> bool:
        """Nobody had the number when it was looked up; somebody may have it by now."""
        return self.answer == "unknown" and bool(self.customer_number) and not (self.customer_ids or self.customer_id)


@dataclass(frozen=True, slots=True)
class Notice:
    kind: Kind
    at_ms: int
    call: LiveCall | None  # None only for card_changed (of nobody: who has the number of a live call) and task_due
    customer_id: int | None = None
    task_id: int | None = None
    user_id: int | None = None  # whom it concerns alone: of task_due, the person responsible


def is_simulated(call_id: str) -> bool:
    """Whether this was a call that nobody made: it is shown like any other, and kept nowhere."""
    return call_id.startswith(SIMULATED)


def to_bytes(value: Notice | LiveCall) -> bytes:
    return orjson.dumps(value)


def from_bytes(raw: bytes) -> Notice | None:
    """The notice, or None when the bytes are not one (an older or newer program's)."""
    return _decoded(_NOTICE, raw)


def call_from_bytes(raw: bytes) -> LiveCall | None:
    """The call, or None when the bytes are not one."""
    return _decoded(_CALL, raw)


def _decoded(decoder: msgspec.json.Decoder[T], raw: bytes) -> T | None:
    try:
        return decoder.decode(raw)
    except msgspec.DecodeError:
        return None


_NOTICE = msgspec.json.Decoder(Notice)
_CALL = msgspec.json.Decoder(LiveCall)


def newer(held: LiveCall | None, seen: LiveCall) -> LiveCall:
    """Of two states of one call the one that holds: an end is never taken back, else the higher version.

    This is an order, so states may come twice and in any order and the same one holds in the end.
    """
    return seen if held is None or _rank(seen) > _rank(held) else held


def _rank(call: LiveCall) -> tuple[bool, int]:
    return call.ended_ms > 0, call.version


def stopped(phones: tuple[RungPhone, ...], at_ms: int) -> tuple[RungPhone, ...]:
    return tuple(
        phone if phone.state == "stopped" else replace(phone, state="stopped", since_ms=at_ms) for phone in phones
    )
