"""Cards near at hand: what one connection to Redis has read lately, kept in this process.

The server remembers what a connection has read and says on that same connection when it changes or goes (CLIENT
TRACKING). Answers and these notes come in one order, so an older answer never arrives after the note that it is old.
A connection that breaks takes all of it along, and one that has gone silent is not believed: what was kept counts only
while the server has answered something that was asked within `BELIEVED_S`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

from lookup.redis_link import RedisLink

BELIEVED_S = 1.0
"""How old the last proof may be that nothing was missed: as long may a card be old when the network breaks silently."""

BEAT_S = 0.4
"""How often a proof is asked for while there is something to be believed."""

KEPT_S = 60.0
"""How long an answer is kept: by so much may it outlive its TTL in Redis, where what is over is removed in good time,
not at once."""


class NearCards:
    """Of one connection. `most`: keys at most, the least recently used one makes room. `of_master`: the connection is
    given up when its server is one no longer."""

    def __init__(self, link: RedisLink, most: int, of_master: bool = False) -> None:
        self._link = link
        self._most = most
        self._beat = "ROLE" if of_master else "PING"
        self._loop = asyncio.get_running_loop()
        self._held: OrderedDict[str, tuple[bytes, float]] = OrderedDict()  # bytes (empty: forgotten), until when
        self._beating = False
        link.on_push = self._told

    def get(self, key: str) -> bytes | None:
        """What Redis would answer now, or None: ask it."""
        raw, until = self._held.get(key, (None, 0.0))
        now = self._loop.time()
        if raw is None or now > self._link.proved + BELIEVED_S:
            return None
        if until <= now:
            del self._held[key]
            return None
        self._held.move_to_end(key)
        return raw

    def keep(self, key: str, raw: bytes) -> None:
        """What Redis has answered. To be called as the answer comes in, before anything that comes after it."""
        self._held[key] = (raw, self._loop.time() + KEPT_S)
        self._held.move_to_end(key)
        if len(self._held) > self._most:
            self._held.popitem(last=False)
        if not self._beating:
            self._beating = True
            self._loop.call_later(BEAT_S, self._ask_for_proof)

    def let_go(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._held.pop(key, None)

    @property
    def count(self) -> int:
        return len(self._held)

    def _told(self, message: Sequence[Any]) -> None:
        if message[0] != b"invalidate":
            return
        if message[1] is None:  # all of it, by FLUSHALL
            self._held.clear()
            return
        self.let_go(key.decode() for key in message[1])

    def _ask_for_proof(self) -> None:
        """A server that does not answer in time loses the connection, as with any question."""
        if self._held and not self._link.lost.done():
            self._link.send((self._beat,), self._proved)
            self._loop.call_later(BEAT_S, self._ask_for_proof)
        else:
            self._beating = False

    def _proved(self, answer: Any) -> None:
        if self._beat == "ROLE" and isinstance(answer, list) and answer[0] != b"master":
            self._link.drop("it is no master any more")
