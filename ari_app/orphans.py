"""Calls that sit in our application and that nobody looks after, because the process died that had them.

Asterisk names them with the application, also when nobody is connected as it any more. A channel that is there at two
looks in a row has waited longer than any lookup may take, so it is taken as if it had just come.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ari_app.ari_requests import GET_CHANNEL, LIST_APPLICATIONS, AriError, request
from ari_app.seat import Send

LOOK_S = 1.0


class Orphans:
    """`take` gets each as the event that Asterisk tells a call's coming with.

    `app` is the application that calls enter, or what the names of those that share them begin with; `but` are others
    that begin so.
    """

    def __init__(
        self, send: Send, take: Callable[[Mapping[str, Any]], None], app: str, but: Collection[str], look_s: float
    ) -> None:
        self._send = send
        self._take = take
        self._app = app
        self._but = but
        self._look_s = max(look_s, LOOK_S)
        self._seen: frozenset[str] = frozenset()

    async def run(self, ours: Callable[[], bool]) -> None:
        """Look for as long as it lives, whenever it is `ours` to do that."""
        while True:
            await asyncio.sleep(self._look_s)
            if ours():
                with contextlib.suppress(AriError):  # said where it matters; or the caller is gone
                    await self.look()

    async def look(self) -> None:
        """Raises AriError."""
        (listed,) = await self._send(request(LIST_APPLICATIONS))
        held = frozenset(each for app in listed if self._is_ours(app["name"]) for each in app["channel_ids"])
        stuck, self._seen = held & self._seen, held
        for channel_id in sorted(stuck):
            (channel,) = await self._send(request(GET_CHANNEL, channelId=channel_id))
            if channel["dialplan"]["app_name"] in ("Stasis", "StasisBroadcast"):
                self._take({"type": "StasisStart", "timestamp": channel["creationtime"], "channel": channel})

    def _is_ours(self, app: str) -> bool:
        return app not in self._but and (app == self._app or app.startswith(f"{self._app}-"))
