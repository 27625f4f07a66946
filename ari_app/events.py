"""Raw ARI JSON in, the few events that we act on out; everything else is `Ignored`.

Nothing deeper in the house touches a dictionary that Asterisk sent. `parse` never raises on foreign input: an event of
a newer Asterisk, or one without a field that we need, is `Ignored` with the reason, and the switchboard counts it.
Shapes are those of Asterisk's own `rest-api/api-docs/events.json`; `tests/recordings/ari` holds those of real calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ari_app import passed
from ari_app.passed import Passed
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
    channel: Snapshot | None = field(default=None, compare=False)
    label: str = ""  # what the call came in for, when the dialplan says it


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A channel as Asterisk describes it beside an event: as it is at that moment, not as it began."""

    id: str
    name: str  # PJSIP/101-0000126e
    state: str  # Down: it is dialled; Ring: it calls; later Ringing, Up
    number: str
    caller_name: str
    context: str
    exten: str
    app: str  # the dialplan application that has it
    created_ms: int
    connected: str = ""  # the number that its phone shows
    linkedid: str = ""  # only where ari.conf says channelvars = CHANNEL(linkedid)


@dataclass(frozen=True, slots=True)
class Began:
    """A channel came to be: somebody calls, or is being dialled."""

    channel: Snapshot
    at_ms: int
    unheard: bool = False  # it was there when we came, and how it began nobody told

    @property
    def channel_id(self) -> str:
        return self.channel.id


@dataclass(frozen=True, slots=True)
class Left:
    """The channel is back in the dialplan: handed back by us, taken by the guard, or hung up."""

    channel_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class RingBegan:
    """A phone is being dialled for the caller, or rings; told once or twice."""

    channel_id: str  # the caller's; empty when nobody calls: Asterisk was told to dial (originate)
    peer_id: str
    endpoint: str
    at_ms: int
    rings: bool = True  # False: it is being dialled, and nothing came back yet
    dialled: str = ""  # what was dialled, as the channel driver got it: 101, +85512345678@provider, trunk/012345678
    caller: Snapshot | None = None
    peer: Snapshot | None = None


@dataclass(frozen=True, slots=True)
class RingAnswered:
    channel_id: str
    peer_id: str
    endpoint: str
    at_ms: int
    caller: Snapshot | None = None
    peer: Snapshot | None = None
    unheard: bool = False  # found out afterwards: it was some time before


@dataclass(frozen=True, slots=True)
class RingEnded:
    """A phone stopped ringing unanswered. `status` is Dial's: NOANSWER, BUSY, CANCEL, CHANUNAVAIL, CONGESTION ..."""

    channel_id: str
    peer_id: str
    endpoint: str
    status: str
    at_ms: int
    caller: Snapshot | None = None
    peer: Snapshot | None = None


@dataclass(frozen=True, slots=True)
class Joined:
    """A channel is in a bridge. Who shares a bridge talks, unless it holds: there everybody waits alone."""

    channel_id: str
    bridge_id: str
    at_ms: int
    others: tuple[str, ...] = ()  # ids of the channels that were in it at that moment
    holds: bool = False
    parked: str = ""  # it is a parking lot, of this name
    early: bool = False  # a bridge of ARI may hold a phone that only rings yet; the dialplan's never does
    channel: Snapshot | None = None
    unheard: bool = False  # found out afterwards: it was some time before


@dataclass(frozen=True, slots=True)
class Parted:
    channel_id: str
    bridge_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Transferred:
    """A phone handed its call on: to an extension (blind), or to whom it had asked before (attended)."""

    channel_id: str  # of the phone that did
    transferee_id: str
    target_id: str  # the other channel that then is in the conversation; empty when blind
    at_ms: int
    to: str = ""  # the extension, when blind
    legs: tuple[str, ...] = ()  # all channels that it ties together


@dataclass(frozen=True, slots=True)
class HungUp:
    """The far end of this channel hung up (not Asterisk, which hangs up softly)."""

    channel_id: str
    at_ms: int
    app: str = ""  # the dialplan application that had it then
    state: str = ""  # the channel's at that moment; Up: whoever calls was told that the call is answered


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


@dataclass(frozen=True, slots=True)
class Answered:
    """Another process had the call in its hands, and says what it answered; ours, carried by Asterisk."""

    channel_id: str
    passed: Passed
    at_ms: int

    @property
    def linkedid(self) -> str:
        return self.passed.live.linkedid


Ring = RingBegan | RingAnswered | RingEnded
CallEvent = Looked | Answered | Left | Began | Ring | Joined | Parted | Transferred | HungUp | Gone | Lost
Event = Arrived | CallEvent | Replaced | Ignored

DIALS = "dials"
"""Instead of the number dialled, first among the arguments of Stasis(): a telephone of ours calls, see `dialling`."""

BROADCAST = "StasisBroadcast"
"""The dialplan application that offers a call to several processes, see `offers`."""

MACHINES = frozenset({"Announcer", "Bridge", "CBAnn", "CBRec", "Message", "Recorder", "Snoop", "Surrogate"})
"""Channel technologies behind which there never is anybody: announcements, recordings."""


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


def arguments(channel: Raw) -> list[str]:
    """What the dialplan told of a call: Stasis(APP,a,b,...), StasisBroadcast(MS,REGEX,a:b:...)."""
    dialplan = channel["dialplan"]
    data = str(dialplan.get("app_data", ""))
    if dialplan.get("app_name") == BROADCAST:
        *_, told = data.split(",", 2)
        return told.split(":", 4)
    return data.split(",")[1:]


def arrived(channel: Raw, at_ms: int) -> Arrived:
    """A call from a channel's JSON: of StasisStart, or of the list of channels after a gap.

    The dialplan says the rest as arguments of Stasis(): the application, then number dialled, trunk, presentation,
    linkedid, label. Facts that Asterisk adds to every event (channelvars) would cost it time at each step of a call.
    """
    dialplan = channel["dialplan"]
    did, trunk, presentation, linkedid, label, *_ = [*arguments(channel), *[""] * 5]
    return Arrived(
        channel_id=channel["id"],
        at_ms=at_ms,
        linkedid=linkedid or channel["id"],
        number=channel["caller"]["number"],
        name=channel["caller"]["name"],
        presentation=presentation,
        did=did or dialplan["exten"],
        trunk=trunk,
        channel=_described(channel),
        label=label,
    )


def _described(channel: Raw) -> Snapshot | None:
    """More than a call needs: it is taken without what is missing here."""
    with suppress(KeyError, TypeError, ValueError):
        return snapshot(channel)
    return None


def snapshot(channel: Raw) -> Snapshot:
    """A channel's JSON, beside an event or from the list of channels."""
    dialplan = channel["dialplan"]
    return Snapshot(
        id=channel["id"],
        name=channel["name"],
        state=channel["state"],
        number=channel["caller"]["number"],
        caller_name=channel["caller"]["name"],
        context=dialplan["context"],
        exten=dialplan["exten"],
        app=dialplan.get("app_name", ""),
        created_ms=_ms(channel["creationtime"]),
        connected=channel["connected"]["number"],
        linkedid=(channel.get("channelvars") or {}).get("CHANNEL(linkedid)", ""),
    )


def joined(bridge: Raw, channel_id: str, at_ms: int, channel: Snapshot | None = None) -> Joined:
    """A channel in a bridge, from the bridge's JSON: beside an event, or from the list of bridges."""
    return Joined(
        channel_id=channel_id,
        bridge_id=bridge["id"],
        at_ms=at_ms,
        others=tuple(each for each in bridge["channels"] if each != channel_id),
        holds=bridge["bridge_type"] == "holding",
        parked=(bridge.get("name") or "parking") if bridge["creator"] == "Parking" else "",
        early=bridge["bridge_class"] == "stasis",
        channel=channel,
    )


def _ms(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


def _at_ms(raw: Raw) -> int:
    return _ms(raw["timestamp"])


def _stasis_start(raw: Raw) -> Event:
    return arrived(raw["channel"], _at_ms(raw))


def _stasis_end(raw: Raw) -> Event:
    return Left(raw["channel"]["id"], _at_ms(raw))


def _created(raw: Raw) -> Event:
    if _is_machine(raw["channel"]):
        return Ignored("a channel without anybody behind it")
    return Began(snapshot(raw["channel"]), _at_ms(raw))


def _dial(raw: Raw) -> Event:
    status = raw["dialstatus"]
    if status in ("PROCEEDING", "PROGRESS_MEDIA"):
        return Ignored("Dial goes on")
    caller = snapshot(raw["caller"]) if "caller" in raw else None
    peer = snapshot(raw["peer"])
    where = (caller.id if caller else "", peer.id, endpoint_of(peer.name))
    at_ms = _at_ms(raw)
    if status in ("", "RINGING", "PROGRESS"):
        return RingBegan(*where, at_ms, bool(status), raw.get("dialstring", ""), caller, peer)
    if status == "ANSWER":
        return RingAnswered(*where, at_ms, caller, peer)
    return RingEnded(*where, status, at_ms, caller, peer)


def _entered(raw: Raw) -> Event:
    if _is_machine(raw["channel"]):
        return Ignored("a channel without anybody behind it")
    channel = snapshot(raw["channel"])
    return joined(raw["bridge"], channel.id, _at_ms(raw), channel)


def _left_bridge(raw: Raw) -> Event:
    return Parted(raw["channel"]["id"], raw["bridge"]["id"], _at_ms(raw))


def _blind_transfer(raw: Raw) -> Event:
    if raw["result"] != "Success":
        return Ignored("a transfer that did not happen")
    transferer, transferee = raw["channel"]["id"], (raw.get("transferee") or {}).get("id", "")
    legs = tuple(filter(None, (transferer, transferee)))
    return Transferred(transferer, transferee, "", _at_ms(raw), raw["exten"], legs)


def _attended_transfer(raw: Raw) -> Event:
    if raw["result"] != "Success":
        return Ignored("a transfer that did not happen")
    names = ("transferer_first_leg", "transferer_second_leg", "transferee", "transfer_target", "replace_channel")
    first, second, transferee, target, replaced = ((raw.get(name) or {}).get("id", "") for name in names)
    legs = tuple(filter(None, (first, second, transferee, target, replaced)))
    return Transferred(first, transferee, target, _at_ms(raw), legs=legs)


def _hangup_request(raw: Raw) -> Event:
    if raw.get("soft"):
        return Ignored("Asterisk itself hangs up")
    channel = raw["channel"]
    return HungUp(channel["id"], _at_ms(raw), channel["dialplan"].get("app_name", ""), channel.get("state", ""))


def _destroyed(raw: Raw) -> Event:
    return Gone(raw["channel"]["id"], raw["cause"], _at_ms(raw))


def _user_event(raw: Raw) -> Event:
    told = passed.from_text(raw["userevent"]["answer"]) if raw["eventname"] == passed.EVENT else None
    if told is None:
        return Ignored("a user event that is not ours")
    return Answered(told.live.uniqueid, told, _at_ms(raw))


def _is_machine(channel: Raw) -> bool:
    return channel["name"].partition("/")[0] in MACHINES


def _replaced(raw: Raw) -> Event:
    return Replaced()


_READERS: Mapping[str, Callable[[Raw], Event]] = {
    "StasisStart": _stasis_start,
    "StasisEnd": _stasis_end,
    "ChannelCreated": _created,
    "Dial": _dial,
    "ChannelEnteredBridge": _entered,
    "ChannelLeftBridge": _left_bridge,
    "BridgeBlindTransfer": _blind_transfer,
    "BridgeAttendedTransfer": _attended_transfer,
    "ChannelHangupRequest": _hangup_request,
    "ChannelDestroyed": _destroyed,
    "ChannelUserevent": _user_event,
    "ApplicationReplaced": _replaced,
}

IN_OUR_HANDS = frozenset({"StasisStart", "StasisEnd", "ChannelDestroyed", "ApplicationReplaced"})
"""The event types that the application which calls enter needs; the rest only costs Asterisk time."""

ALL_CALLS = frozenset(_READERS) - {"StasisStart", "StasisEnd"}
"""Those that the tracker needs, of every channel and bridge: some thirteen for a simple call."""

SOURCES = ("channel:", "bridge:")
"""What the tracker subscribes to, as event sources of ARI without an id: all of the kind."""
