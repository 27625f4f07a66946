"""`ringcard run ari` with a stopwatch: from a call's StasisStart to Asterisk's answer that the call goes on.

`python -m tests.bench.timed_ari SETTINGS TIMES` serves calls until it is told to end, then writes the milliseconds of
each, by the caller's number, to TIMES. It is the same process otherwise: the stopwatch reads the clock twice a call.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import orjson

from ari_app import ari_link
from config import logging as logs
from config.settings import load
from ringcard import compose
from ringcard.keys import with_keys
from ringcard.serving import serve

AriLink = ari_link.AriLink


class TimedLink(AriLink):
    came: dict[str, tuple[str, float]] = {}  # channel -> the caller's number and the moment
    took_ms: dict[str, float] = {}

    async def run(
        self,
        on_event: ari_link.OnEvent,
        on_connected: ari_link.OnConnected,
        on_standing_by: Callable[[], None] | None = None,
    ) -> None:
        def noted(raw: Mapping[str, Any]) -> None:
            if raw["type"] == "StasisStart":
                channel = raw["channel"]
                self.came[channel["id"]] = channel["caller"]["number"], time.perf_counter()
            on_event(raw)

        await super().run(noted, on_connected, on_standing_by)

    async def hand_back(self, channel_id: str, values: Mapping[str, str]) -> None:
        await super().hand_back(channel_id, values)
        number, since = self.came.pop(channel_id)
        self.took_ms[number] = (time.perf_counter() - since) * 1000


def main(settings_file: str, times_file: str) -> None:
    settings = with_keys(load(Path(settings_file)))
    logs.setup(settings.log)
    with patch.object(ari_link, "AriLink", TimedLink):
        serve(lambda stop: compose.run_ari(settings, stop))
    Path(times_file).write_bytes(orjson.dumps(TimedLink.took_ms))


if __name__ == "__main__":
    main(*sys.argv[1:])
