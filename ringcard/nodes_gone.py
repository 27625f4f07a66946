"""Calls of an Asterisk that is gone for good are ended: nobody else will ever tell how they ended.

The ari process of each node says that its Asterisk answers; a node of which nothing was heard for ten minutes is gone.
Should it come back with such a call, what it tells of it counts again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from ari_app.actions import Record, Tell
from ari_app.ari_link import AriLink
from ari_app.ari_requests import PING, AriError, request
from ari_app.call import Rules
from ari_app.conversations import Conversations
from ari_app.events import Lost
from lookup.breaker import StoreGone
from lookup.notices import LiveCall
from lookup.redis_notices import RedisNotices
from records.facts import CallFacts

log = logging.getLogger(__name__)

EVERY_S = 10.0
GONE_S = 600.0


async def keep_telling(notices: RedisNotices, node: str, link: AriLink) -> None:
    """For the ari process: that its Asterisk answers, whenever it does. Until cancelled."""
    while True:
        with contextlib.suppress(AriError, StoreGone):  # both are said where they matter
            await link.send(request(PING))
            await notices.hear(node)
        await asyncio.sleep(EVERY_S)


class NodesGone:
    """`rules`: of the node that it is given."""

    def __init__(
        self,
        notices: RedisNotices,
        record: Callable[[CallFacts], None],
        rules: Callable[[str], Rules],
        gone_s: float = GONE_S,
    ) -> None:
        self._notices = notices
        self._record = record
        self._rules = rules
        self._gone_s = gone_s
        self._since = time.monotonic()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with contextlib.suppress(StoreGone):  # then nobody sees these calls either
                await self.look()
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Ends the calls of each node that is gone, at the moment when it was last heard of. Raises StoreGone.

        What was silent before we came had no chance to tell us: the time begins with us.
        """
        _, calls = await self._notices.snapshot()
        living = [call for call in calls if not call.ended_ms and not call.is_simulated]
        nodes = sorted({call.node for call in living})
        if not nodes or time.monotonic() - self._since < self._gone_s:
            return
        for node, silent_s in (await self._notices.silent_s(nodes)).items():
            if silent_s >= self._gone_s:
                log.warning("nothing was heard of the Asterisk %r for %d s: its calls are ended", node, silent_s)
                for told in living:
                    if told.node == node:
                        self._end(told, round((time.time() - silent_s) * 1000))

    def _end(self, told: LiveCall, heard_ms: int) -> None:
        calls = Conversations(self._rules(told.node))
        calls.take_up(told)
        ends = (Lost(channel_id, max(told.started_ms, heard_ms)) for channel_id in tuple(calls.channels.ids))
        for action in [action for end in ends for _, actions in calls.receive(end) for action in actions]:
            match action:
                case Tell():
                    self._notices.publish(action.notice)
                case Record():
                    self._record(action.facts)
