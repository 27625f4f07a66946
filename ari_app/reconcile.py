"""After a gap: the channels that Asterisk has, the calls that we hold, and the events that must lie between."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from ari_app.events import Arrived, Left, Lost, Raw, RingAnswered, RingEnded, arrived
from lookup.notices import RungPhone

Missed = Arrived | Left | Lost | RingAnswered | RingEnded


def missed(
    held: Mapping[str, Collection[RungPhone]],
    looking: Iterable[str],
    channels: Iterable[Raw],
    app: str,
    at_ms: int,
) -> list[Missed]:
    """What must have happened meanwhile.

    `held` are the channel ids of our calls, each with the phones that ring or talk for it, and `looking` those of them
    whose answer is still awaited. A held channel that is no more has ended. A channel that sits in our application
    without anybody looking it up was left there by a process that died, and arrives anew, so that it is named, routed
    and handed back like any other.
    """
    there = {channel["id"]: channel for channel in channels}
    in_our_hands = {channel_id for channel_id, channel in there.items() if _in_application(channel, app)}
    awaited = set(looking)
    ended = [Lost(channel_id, at_ms) for channel_id in held if channel_id not in there]
    rung = [
        event
        for channel_id, phones in held.items()
        if channel_id in there
        for event in _of_phones(channel_id, phones, there, at_ms)
    ]
    taken = [
        Left(channel_id, at_ms) for channel_id in awaited if channel_id in there and channel_id not in in_our_hands
    ]
    stuck = [arrived(there[channel_id], at_ms) for channel_id in sorted(in_our_hands - awaited)]
    return [*ended, *rung, *taken, *stuck]


def _of_phones(
    channel_id: str, phones: Collection[RungPhone], there: Mapping[str, Raw], at_ms: int
) -> Iterator[RingAnswered | RingEnded]:
    for phone in phones:
        channel = there.get(phone.channel_id)
        if channel is None:
            yield RingEnded(channel_id, phone.channel_id, phone.endpoint, "CANCEL", at_ms)
        elif phone.state == "ringing" and channel["state"] == "Up":
            yield RingAnswered(channel_id, phone.channel_id, phone.endpoint, at_ms)


def _in_application(channel: Mapping[str, Any], app: str) -> bool:
    dialplan = channel.get("dialplan") or {}
    return dialplan.get("app_name") == "Stasis" and str(dialplan.get("app_data", "")).split(",")[0] == app
