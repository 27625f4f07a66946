"""After a gap: what Asterisk has, what we believe, and the events that must lie between."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ari_app.channels import Channels
from ari_app.events import (
    DIALS,
    MACHINES,
    Arrived,
    Began,
    CallEvent,
    Joined,
    Left,
    Lost,
    Parted,
    Raw,
    RingAnswered,
    Snapshot,
    arrived,
    joined,
    snapshot,
)

Missed = Arrived | CallEvent


def missed(
    held: Channels,
    ids: Collection[str],
    looking: Collection[str],
    channels: Iterable[Raw],
    bridges: Iterable[Raw],
    app: str,
    at_ms: int,
) -> list[Missed]:
    """What must have happened meanwhile, from the lists of channels and bridges that Asterisk has.

    `ids` are the channels that were held when the lists were asked for (what came since is newer than they are), and
    `looking` those in our hands whose answer is still awaited. A held channel that is no more has ended. A channel that
    sits in our application without anybody looking it up was left there by a process that died, and arrives anew, so
    that it is named, routed and handed back like any other.
    """
    there = {channel["id"]: channel for channel in channels}
    in_our_hands = {channel_id for channel_id, channel in there.items() if _in_application(channel, app)}
    seen = [snapshot(channel) for channel in there.values() if channel["name"].partition("/")[0] not in MACHINES]
    return [
        *(Began(each, at_ms, unheard=True) for each in seen),
        *_answered(held, seen, at_ms),
        *_bridged(held, there, bridges, at_ms),
        *(Lost(each, at_ms) for each in ids if each not in there),
        *(Left(each, at_ms) for each in looking if each in there and each not in in_our_hands),
        *(arrived(there[each], at_ms) for each in sorted(in_our_hands.difference(looking))),
    ]


def _answered(held: Channels, seen: Iterable[Snapshot], at_ms: int) -> Iterator[RingAnswered]:
    for each in seen:
        channel = held.get(each.id)
        if channel is not None and channel.dialled_ms and not channel.accepted_ms and each.state == "Up":
            yield RingAnswered(channel.dialled_by, each.id, channel.endpoint, at_ms, unheard=True)


def _bridged(held: Channels, there: Mapping[str, Raw], bridges: Iterable[Raw], at_ms: int) -> Iterator[Joined | Parted]:
    inside = {(channel_id, raw["id"]): raw for raw in bridges for channel_id in raw["channels"]}
    for channel_id in there:
        channel = held.get(channel_id)
        for bridge in list(channel.present) if channel else ():
            if (channel_id, bridge.id) not in inside:
                yield Parted(channel_id, bridge.id, at_ms)
    for (channel_id, _), raw in inside.items():
        if channel_id in there:
            yield replace(joined(raw, channel_id, at_ms), unheard=True)


def _in_application(channel: Mapping[str, Any], app: str) -> bool:
    """A telephone of ours whose question nobody answers is let go by the dialplan's guard."""
    dialplan = channel.get("dialplan") or {}
    name, did, *_ = [*str(dialplan.get("app_data", "")).split(","), ""]
    return dialplan.get("app_name") == "Stasis" and name == app and did != DIALS
