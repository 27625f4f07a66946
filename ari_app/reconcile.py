"""After a gap: the channels that Asterisk has, the calls that we hold, and the events that must lie between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ari_app.events import Arrived, Gone, Left, arrived

Missed = Arrived | Left | Gone


def missed(
    held: Iterable[str], looking: Iterable[str], channels: Iterable[Mapping[str, Any]], app: str, at_ms: int
) -> list[Missed]:
    """What must have happened meanwhile.

    `held` are the channel ids of our calls and `looking` those of them whose answer is still awaited. A held channel
    that is no more has ended. A channel that sits in our application without anybody looking it up was left there by
    a process that died, and arrives anew, so that it is named, routed and handed back like any other.
    """
    there = {channel["id"]: channel for channel in channels}
    in_our_hands = {channel_id for channel_id, channel in there.items() if _in_application(channel, app)}
    awaited = set(looking)
    ended = [Gone(channel_id, 0, at_ms) for channel_id in held if channel_id not in there]
    taken = [
        Left(channel_id, at_ms) for channel_id in awaited if channel_id in there and channel_id not in in_our_hands
    ]
    stuck = [arrived(there[channel_id], at_ms) for channel_id in sorted(in_our_hands - awaited)]
    return [*ended, *taken, *stuck]


def _in_application(channel: Mapping[str, Any], app: str) -> bool:
    dialplan = channel.get("dialplan") or {}
    return dialplan.get("app_name") == "Stasis" and str(dialplan.get("app_data", "")).split(",")[0] == app
