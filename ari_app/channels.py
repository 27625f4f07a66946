"""What was heard of each channel and each bridge, whichever event came first.

Asterisk tells a call's story in pieces, over two connections and from many threads. So nothing here depends on order:
every fact is kept with Asterisk's own moment, of two that differ the earlier counts, and who talked with whom follows
from when each was in which bridge. The same events, in any order and however often, leave the same facts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from ari_app.events import (
    MACHINES,
    Arrived,
    Began,
    CallEvent,
    Gone,
    HungUp,
    Joined,
    Lost,
    Parted,
    Ring,
    RingAnswered,
    RingBegan,
    RingEnded,
    Snapshot,
    endpoint_of,
)
from lookup.notices import LiveCall, RungPhone

FOREVER = 1 << 62
DIALLED_APPS = frozenset({"AppDial", "AppDial2", "AppQueue"})
"""What Asterisk writes as the application of a channel that it dials itself."""


@dataclass(slots=True)
class Stay:
    """A channel in a bridge. Milliseconds since the epoch."""

    entered_ms: int
    seen_ms: int  # when it was last said to be there
    left_ms: int = 0

    @property
    def over(self) -> bool:
        return self.left_ms >= self.seen_ms


@dataclass(slots=True)
class Bridge:
    id: str
    holds: bool = False
    parked: str = ""
    early: bool = False
    stays: dict[str, Stay] = field(default_factory=dict)  # by channel id


@dataclass(slots=True)
class Channel:
    """One leg. Moments are milliseconds since the epoch; 0: not heard of."""

    id: str
    name: str = ""
    created_ms: int = 0
    begin_heard: bool = False  # else it was there when we came
    # as it began: the earliest that was heard
    number: str = ""
    caller_name: str = ""
    context: str = ""
    exten: str = ""
    connected: str = ""
    linkedid: str = ""
    apps: set[str] = field(default_factory=set)
    is_dialled: bool = False  # it did not come in by itself
    originated: bool = False  # dialled, and not for a caller
    dialled_by: str = ""
    dialled: str = ""  # as the channel driver got it
    dialled_ms: int = 0
    rang_ms: int = 0
    accepted_ms: int = 0
    status: str = ""  # Dial's, when it ended unanswered
    status_ms: int = 0
    calls_ms: int = 0  # when it was last said to call and not to be answered by anything
    hung_up_ms: int = 0
    hung_up_answered: bool = False  # something had answered it before it hung up
    gone_ms: int = 0
    cause: int = 0
    lost: bool = False  # that it is gone was not heard but found out
    bridges: dict[str, Bridge] = field(default_factory=dict)
    noted: tuple[int, bool] = (FOREVER, True)  # when and beside what its beginning was described
    # what its name says
    technology: str = ""
    endpoint: str = ""
    is_local: bool = False  # half of a pair that ties two channels together; nobody sits there
    is_person: bool = False

    def call_it(self, name: str) -> None:
        """PJSIP/101-0000126e; without its technology when another process told of it."""
        self.name = name
        self.technology, self.endpoint = name.partition("/")[0], endpoint_of(name)
        self.is_local = self.technology == "Local"
        self.is_person = not self.is_local and self.technology not in MACHINES

    def begin_as_told(self, told: LiveCall) -> None:
        """The channel that a conversation began with, as another process told it."""
        if told.caller_endpoint:
            self.call_it(f"/{told.caller_endpoint}-")
        self.created_ms, self.noted = told.started_ms, (told.started_ms, False)
        self.number, self.caller_name, self.exten = told.caller_number, told.caller_name, told.called_number

    @property
    def is_settled(self) -> bool:
        """It rang in vain and is gone: nothing that still may come changes that."""
        return bool(self.gone_ms and self.status and not self.bridges)

    @property
    def present(self) -> Iterable[Bridge]:
        """The bridges that it is in now."""
        return (bridge for bridge in self.bridges.values() if not bridge.stays[self.id].over)

    def until_ms(self, bridge: Bridge) -> int:
        stay = bridge.stays[self.id]
        return stay.left_ms if stay.over else self.gone_ms or FOREVER


class Channels:
    """All channels of one Asterisk that were heard of and are not forgotten yet."""

    def __init__(self) -> None:
        self._channels: dict[str, Channel] = {}
        self._bridges: dict[str, Bridge] = {}
        self._halves: dict[str, set[str]] = {}  # ids of a Local pair, by the name without ;1 or ;2

    def get(self, channel_id: str) -> Channel | None:
        return self._channels.get(channel_id)

    def of(self, channel_ids: Collection[str]) -> list[Channel]:
        """In the order in which they came to be."""
        found = (self._channels[each] for each in channel_ids if each in self._channels)
        return sorted(found, key=lambda channel: (channel.created_ms, channel.id))

    @property
    def ids(self) -> Collection[str]:
        return self._channels.keys()

    def in_bridge(self, bridge_id: str) -> Collection[str]:
        """Ids of all channels that were ever in it."""
        bridge = self._bridges.get(bridge_id)
        return bridge.stays.keys() if bridge else ()

    def other_half(self, channel_id: str) -> str:
        """Of a Local channel; empty when there is none, or it was not heard of yet."""
        channel = self._channels.get(channel_id)
        if channel is None or not channel.is_local:
            return ""
        return next((each for each in self._halves.get(_pair(channel.name), ()) if each != channel_id), "")

    def forget(self, channel_ids: Iterable[str]) -> None:
        for channel_id in channel_ids:
            channel = self._channels.pop(channel_id, None)
            if channel is None:
                continue
            for bridge in channel.bridges.values():
                bridge.stays.pop(channel_id, None)
                if not bridge.stays:
                    self._bridges.pop(bridge.id, None)
            if channel.is_local:
                halves = self._halves.get(_pair(channel.name), set())
                halves.discard(channel_id)
                if not halves:
                    self._halves.pop(_pair(channel.name), None)

    # --- who talks with whom

    def meetings(self, channel: Channel, *, silent: bool = False) -> Iterator[tuple[str, int, int]]:
        """With whom it shared a bridge in which people talk: the other's id, from when, until when (or FOREVER).

        With `silent` also from before they could talk, see `Joined.early`.
        """
        for bridge in channel.bridges.values():
            if bridge.holds:
                continue
            mine = bridge.stays[channel.id]
            until = channel.until_ms(bridge)
            for other_id, stay in bridge.stays.items():
                other = self._channels.get(other_id)
                if other is None or other is channel or not other.name or other.technology in MACHINES:
                    continue
                begin = max(mine.entered_ms, stay.entered_ms)
                if not silent:
                    begin = max(begin, _ready_ms(channel, bridge), _ready_ms(other, bridge))
                end = min(until, other.until_ms(bridge))
                # Asterisk tells milliseconds: who hung up at once may have come and gone in the same one.
                if begin < end or (begin == end < FOREVER and (channel.accepted_ms or other.accepted_ms)):
                    yield other_id, begin, end

    # --- events in

    def hear(self, event: Arrived | CallEvent) -> None:
        match event:
            case Arrived():
                self.add(event.channel_id).begin_heard = True  # the dialplan says how
                if event.channel is not None:
                    self._note(event.channel, event.at_ms)
            case Began():
                seen = self._note(event.channel, event.at_ms, began=True)
                seen.begin_heard = seen.begin_heard or not event.unheard
            case RingBegan() | RingAnswered() | RingEnded():
                self._hear_ring(event)
            case Joined():
                self._hear_joined(event)
            case Parted():
                channel = self._channels.get(event.channel_id)
                bridge = self._bridges.get(event.bridge_id)
                if channel is not None and bridge is not None:
                    stay = self._stay(channel, bridge, event.at_ms)
                    stay.left_ms = max(stay.left_ms, event.at_ms)
            case HungUp():
                if channel := self._channels.get(event.channel_id):
                    channel.hung_up_ms = _first(channel.hung_up_ms, event.at_ms)
                    channel.hung_up_answered = channel.hung_up_answered or event.state == "Up"
                    channel.apps.add(event.app)
            case Gone() | Lost():
                if channel := self._channels.get(event.channel_id):
                    if not channel.gone_ms:
                        channel.lost = isinstance(event, Lost)
                        channel.cause = event.cause if isinstance(event, Gone) else 0
                    channel.gone_ms = _first(channel.gone_ms, event.at_ms)
            case _:
                pass

    def add_told(self, phone: RungPhone) -> None:
        """A phone that rings or talks, as another process told it."""
        channel = self.add(phone.channel_id)
        if not channel.name:
            channel.call_it(f"/{phone.endpoint}-")
        channel.is_dialled = True
        channel.dialled_ms = channel.rang_ms = phone.started_ms
        channel.accepted_ms = phone.answered_ms or (phone.since_ms if phone.state == "talking" else 0)

    def add(self, channel_id: str) -> Channel:
        """The channel; a blank one when nothing was heard of it yet."""
        channel = self._channels.get(channel_id)
        if channel is None:
            channel = self._channels[channel_id] = Channel(channel_id)
        return channel

    def _note(self, seen: Snapshot, at_ms: int, *, began: bool = False) -> Channel:
        channel = self.add(seen.id)
        channel.created_ms = channel.created_ms or seen.created_ms
        channel.linkedid = channel.linkedid or seen.linkedid
        channel.apps.add(seen.app)
        channel.is_dialled = channel.is_dialled or seen.app in DIALLED_APPS or (began and seen.state == "Down")
        if not channel.name or channel.name.startswith("/"):  # told by another process, without its technology
            channel.call_it(seen.name)
            if channel.is_local:
                self._halves.setdefault(_pair(seen.name), set()).add(seen.id)
        if (at_ms, not began) < channel.noted:
            channel.noted = (at_ms, not began)
            channel.number, channel.caller_name = seen.number, seen.caller_name
            channel.context, channel.exten = seen.context, seen.exten
        channel.connected = channel.connected or seen.connected
        if seen.state == "Ring":
            channel.calls_ms = max(channel.calls_ms, at_ms)
        return channel

    def _hear_ring(self, event: Ring) -> None:
        for seen in (event.caller, event.peer):
            if seen is not None:
                self._note(seen, event.at_ms)
        if event.channel_id:
            self.add(event.channel_id)
        peer = self.add(event.peer_id)
        if not peer.name:
            peer.call_it(f"/{event.endpoint}-")
        peer.is_dialled = True
        peer.dialled_by = peer.dialled_by or event.channel_id
        peer.originated = not peer.dialled_by
        match event:
            case RingBegan():
                peer.dialled_ms = _first(peer.dialled_ms, event.at_ms)
                peer.dialled = peer.dialled or event.dialled
                if event.rings:
                    peer.rang_ms = _first(peer.rang_ms, event.at_ms)
            case RingAnswered():
                peer.accepted_ms = _first(peer.accepted_ms, event.at_ms)
            case RingEnded():
                first = min(each for each in ((peer.status_ms, peer.status), (event.at_ms, event.status)) if each[0])
                peer.status_ms, peer.status = first

    def _hear_joined(self, event: Joined) -> None:
        if event.channel is not None:
            self._note(event.channel, event.at_ms)
        bridge = self._bridges.setdefault(event.bridge_id, Bridge(event.bridge_id))
        bridge.holds, bridge.parked, bridge.early = event.holds, event.parked, event.early
        for channel_id in (event.channel_id, *event.others):
            self._stay(self.add(channel_id), bridge, event.at_ms)

    def _stay(self, channel: Channel, bridge: Bridge, at_ms: int) -> Stay:
        channel.bridges[bridge.id] = bridge
        stay = bridge.stays.setdefault(channel.id, Stay(at_ms, at_ms))
        stay.entered_ms, stay.seen_ms = min(stay.entered_ms, at_ms), max(stay.seen_ms, at_ms)
        return stay


def _pair(name: str) -> str:
    return name.rpartition(";")[0]


def _first(held_ms: int, at_ms: int) -> int:
    return min(held_ms, at_ms) if held_ms else at_ms


def _ready_ms(channel: Channel, bridge: Bridge) -> int:
    """From when it can talk there."""
    if not bridge.early or not channel.is_dialled:
        return 0
    return channel.accepted_ms or FOREVER
