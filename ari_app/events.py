"""Raw ARI JSON in, the few events that we act on out; everything else is `Ignored`.

Nothing deeper in the house touches a dictionary that Asterisk sent. `parse` never raises on foreign input: an event of
a newer Asterisk, or one without a field that we need, is `Ignored` with the reason, and the switchboard counts it.
Shapes are those of Asterisk's own `rest-api/api-docs/events.json`; `tests/recordings/ari` holds those of real calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lookup.answers import Answer

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A call is in our hands, all fields as received. `at_ms`: Asterisk's clock, milliseconds since the epoch, UTC."""

    channel_id: str
    at_ms: int
    linkedid: str
    number: str
    name: str
    presentation: str
    did: str
    trunk: str


@dataclass(frozen=True, slots=True)
class Left:
    """The channel is back in the dialplan: handed back by us, taken by the guard, or hung up."""

    channel_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class RingBegan:
    """A phone is being dialled for the caller, or rings; told once or twice."""

    channel_id: str  # the caller's
    peer_id: str
    endpoint: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class RingAnswered:
    channel_id: str
    peer_id: str
    endpoint: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class RingEnded:
    """A phone stopped ringing unanswered. `status` is Dial's: NOANSWER, BUSY, CANCEL, CHANUNAVAIL, CONGESTION ..."""

    channel_id: str
    peer_id: str
    endpoint: str
    status: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class HungUp:
    """The far end of this channel hung up (not Asterisk, which hangs up softly)."""

    channel_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Gone:
    """The channel is no more. `cause` is Q.850; 0 when not known."""

    channel_id: str
    cause: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The channel is no more, and nobody heard how it ended; ours, not Asterisk's."""

    channel_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Replaced:
    """Another connection took our application name; no more events come to this one."""


@dataclass(frozen=True, slots=True)
class Ignored:
    reason: str


@dataclass(frozen=True, slots=True)
class Looked:
    """The answer to a `LookUp`; ours, not Asterisk's."""

    channel_id: str
    answer: Answer
    at_ms: int


CallEvent = Looked | Left | RingBegan | RingAnswered | RingEnded | HungUp | Gone | Lost
Event = Arrived | CallEvent | Replaced | Ignored


def parse(raw: Raw) -> Event:
    reader = _READERS.get(raw.get("type", ""))
    if reader is None:
        return Ignored("a type that nobody here needs")
    try:
        return reader(raw)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        return Ignored(f"{raw.get('type')} without what we need: {exc!r}")


def endpoint_of(channel_name: str) -> str:
    """The phone of a channel's name: "101" of `PJSIP/101-0000126e`, "+85512" of `Local/+85512@outside-00000003;1`."""
    _technology, _, rest = channel_name.partition("/")
    return rest.partition("@")[0] if "@" in rest else rest.rpartition("-")[0]


def arrived(channel: Raw, at_ms: int) -> Arrived:
    """A call from a channel's JSON: of StasisStart, or of the list of channels after a gap.

    The dialplan says the rest as arguments of Stasis(): the application, then number dialled, trunk, presentation,
    linkedid. Facts that Asterisk adds to every event (channelvars) would cost it time at each step of every call.
    """
    dialplan = channel["dialplan"]
    _app, did, trunk, presentation, linkedid, *_ = [*str(dialplan.get("app_data", "")).split(","), *[""] * 4]
    return Arrived(
        channel_id=channel["id"],
        at_ms=at_ms,
        linkedid=linkedid or channel["id"],
        number=channel["caller"]["number"],
        name=channel["caller"]["name"],
        presentation=presentation,
        did=did or dialplan["exten"],
        trunk=trunk,
    )


def _at_ms(raw: Raw) -> int:
    return round(datetime.fromisoformat(raw["timestamp"]).timestamp() * 1000)


def _stasis_start(raw: Raw) -> Event:
    return arrived(raw["channel"], _at_ms(raw))


def _stasis_end(raw: Raw) -> Event:
    return Left(raw["channel"]["id"], _at_ms(raw))


def _dial(raw: Raw) -> Event:
    if "caller" not in raw:
        return Ignored("Dial without a caller: a call that somebody originates")
    status = raw["dialstatus"]
    where = (raw["caller"]["id"], raw["peer"]["id"], endpoint_of(raw["peer"]["name"]))
    if status in ("", "RINGING"):
        return RingBegan(*where, _at_ms(raw))
    if status == "ANSWER":
        return RingAnswered(*where, _at_ms(raw))
    if status in ("PROGRESS", "PROCEEDING"):
        return Ignored("Dial goes on")
    return RingEnded(*where, status, _at_ms(raw))


def _hangup_request(raw: Raw) -> Event:
    if raw.get("soft"):
        return Ignored("Asterisk itself hangs up")
    return HungUp(raw["channel"]["id"], _at_ms(raw))


def _destroyed(raw: Raw) -> Event:
    return Gone(raw["channel"]["id"], raw["cause"], _at_ms(raw))


def _replaced(raw: Raw) -> Event:
    return Replaced()


_READERS: Mapping[str, Callable[[Raw], Event]] = {
    "StasisStart": _stasis_start,
    "StasisEnd": _stasis_end,
    "Dial": _dial,
    "ChannelHangupRequest": _hangup_request,
    "ChannelDestroyed": _destroyed,
    "ApplicationReplaced": _replaced,
}

NEEDED = frozenset(_READERS)
"""The event types to ask Asterisk for; the rest only costs it time."""
