"""Notices in Redis: the live calls as a hash, the notices as a stream, both changed by one script.

Publishing never waits: notices gather here and a task of our own writes them. While Redis is away the latest state of
each call is kept, and when it is back, perhaps empty, every call that is still followed is published again; a state
that is there already is not published twice, because each carries its version.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

from redis.exceptions import RedisError

from lookup import notices
from lookup.breaker import StoreGone
from lookup.notices import LiveCall, Notice
from lookup.redis_client import close_client, open_client

log = logging.getLogger(__name__)

# One hash tag, so that a cluster keeps the three together and the script may touch them all.
LIVE = "rc1:{calls}:live"  # call_id -> LiveCall as JSON
ENDED = "rc1:{calls}:ended"  # call_id by the moment of its end, for forgetting it
STREAM = "rc1:{calls}:notices"  # field n: a Notice as JSON
HEARD = "rc1:{calls}:heard"  # node -> when its Asterisk was last heard of, by Redis's clock

ENDED_KEPT_MS = 60_000  # a browser that reloads still sees that a call has just ended
KEPT_IN_STREAM = 10_000
WAITING = 10_000  # notices kept while Redis is away
GATHER_S = 0.02
"""What comes within this time goes out together: a call that begins is told several times, and while its phone is being
dialled there is better use for the processor."""

ANSWER_S = 1.0
LOOK_EVERY_S = 1.0
AGAIN_S = 0.5
STOP_AGAIN_S = 0.1
BLOCK_MS = 5000
AT_ONCE = 500

_PUBLISH = """
local id, version, ended, call, notice = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
local forget_before, kept = ARGV[6], ARGV[7]
if id ~= '' then
  local held = redis.call('HGET', KEYS[1], id)
  if held then
    held = cjson.decode(held)
    local was_ended, is_ended = held.ended_ms > 0, ended > 0
    if (was_ended and not is_ended) or (was_ended == is_ended and held.version >= version) then return 0 end
  end
  redis.call('HSET', KEYS[1], id, call)
  if ended > 0 then redis.call('ZADD', KEYS[2], ended, id) end
  local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', forget_before, 'LIMIT', 0, 100)
  if #old > 0 then
    redis.call('HDEL', KEYS[1], unpack(old))
    redis.call('ZREM', KEYS[2], unpack(old))
  end
end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', kept, '*', 'n', notice)
return 1
"""

_SNAPSHOT = "return {redis.call('HVALS', KEYS[1]), redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)}"

_HEARD = "redis.call('HSET', KEYS[1], ARGV[1], redis.call('TIME')[1])"

_SILENT = """
local now, silent = tonumber(redis.call('TIME')[1]), {}
for i = 1, #ARGV do silent[i] = now - tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or 0) end
return silent
"""

_WHO = "return string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')"
"""The server that has the key; in a cluster it is one of several."""


class RedisNotices:
    """Publish, follow and look at the live calls. To be made inside a running event loop; connects when it is used.

    `living`: the last notice of each call that the publisher follows; a Redis that may be empty gets them all.
    """

    def __init__(self, url: str, living: Callable[[], Iterable[Notice]] = tuple) -> None:
        self._redis = open_client(url, connect_s=ANSWER_S, answer_s=ANSWER_S + BLOCK_MS / 1000)
        self._waiting: dict[str, Notice] = {}  # by what it is about, oldest first
        self._living = living
        self._wake = asyncio.Event()
        self._server = b""  # who answered last, and when to look again
        self._look_at = 0.0
        self._writer: asyncio.Task[None] | None = None
        self._gone = ""
        self.given_up = 0  # notices dropped because too many waited

    @property
    def waiting(self) -> int:
        """Notices that are not published yet."""
        return len(self._waiting)

    @property
    def gone(self) -> str:
        """Why nothing can be published now; empty while it can, or while nothing was to be."""
        return self._gone

    # --- publishing

    def publish(self, notice: Notice) -> None:
        """Take the notice and return at once. Of several waiting ones about one call the last is published."""
        about = _about(notice)
        self._waiting.pop(about, None)
        if len(self._waiting) >= WAITING:
            self._waiting.pop(next(iter(self._waiting)))
            self.given_up += 1
        self._waiting[about] = notice
        self._wake.set()
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_on(), name="publish notices")

    async def _write_on(self) -> None:
        while True:
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._wake.wait()
                    await asyncio.sleep(GATHER_S)
                await self._look_who_answers()
                await self._write_waiting()
                self._say_back()
            except (RedisError, OSError, TimeoutError) as exc:
                self._say_gone(exc)
                self._server = b""
                await asyncio.sleep(AGAIN_S)

    async def _look_who_answers(self) -> None:
        """Another server than before, or the same one started anew, may be empty: it gets all calls that still live.

        The connection alone does not tell: a restart between two commands breaks none that was in use. What the server
        still has it does not take twice.
        """
        now = asyncio.get_running_loop().time()
        if self._server and now < self._look_at:
            return
        async with asyncio.timeout(ANSWER_S):
            server = await self._redis.eval(_WHO, 1, STREAM)
        if server != self._server:
            self._waiting = {_about(notice): notice for notice in self._living()} | self._waiting
        self._server, self._look_at = server, now + LOOK_EVERY_S

    async def _write_waiting(self) -> None:
        while self._waiting:
            about, notice = next(iter(self._waiting.items()))
            async with asyncio.timeout(ANSWER_S):
                await self._write(notice)
            if self._waiting.get(about) is notice:  # else a later one came meanwhile
                del self._waiting[about]
        self._wake.clear()

    async def _write(self, notice: Notice) -> None:
        call = notice.call
        head = (call.call_id, call.version, call.ended_ms, notices.to_bytes(call)) if call else ("", 0, 0, "")
        tail = (notices.to_bytes(notice), notice.at_ms - ENDED_KEPT_MS, KEPT_IN_STREAM)
        await self._redis.eval(_PUBLISH, 3, LIVE, ENDED, STREAM, *head, *tail)

    # --- nodes

    async def hear(self, node: str) -> None:
        """The Asterisk of this name answers. Raises StoreGone."""
        await self._asked(_HEARD, node)

    async def silent_s(self, nodes: Sequence[str]) -> dict[str, int]:
        """For how many seconds nothing was heard of each; very many, when never. Raises StoreGone."""
        return dict(zip(nodes, await self._asked(_SILENT, *nodes), strict=True))

    async def _asked(self, script: str, *values: str) -> Any:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._redis.eval(script, 1, HEARD, *values)
        except (RedisError, OSError, TimeoutError) as exc:
            raise StoreGone(_why(exc)) from exc

    # --- following

    async def snapshot(self) -> tuple[str, Sequence[LiveCall]]:
        """All live calls, and those that ended within a minute, with the id of the last notice. Raises StoreGone."""
        try:
            async with asyncio.timeout(ANSWER_S):
                raw_calls, last = await self._redis.eval(_SNAPSHOT, 2, LIVE, STREAM)
        except (RedisError, OSError, TimeoutError) as exc:
            raise StoreGone(_why(exc)) from exc
        calls = [call for call in map(notices.call_from_bytes, raw_calls) if call]
        return (last[0][0].decode() if last else "0-0"), calls

    async def follow(self, after_id: str) -> AsyncIterator[tuple[str, Notice]]:
        """Every notice after `after_id` with its id, for ever. Raises StoreGone: take a snapshot and follow again.

        `after_id` may be older than the stream, which then is read from its beginning.
        """
        last_read = ""
        while True:
            try:
                entries = await self._read(after_id)
                if not entries and await self._lost(after_id):
                    raise StoreGone("redis came back without its notices")
                if len(entries) == AT_ONCE and last_read and await self._trimmed(last_read):
                    raise StoreGone("the stream of notices was faster than we read it")
            except (RedisError, OSError, TimeoutError) as exc:
                raise StoreGone(_why(exc)) from exc
            for raw_id, fields in entries:
                after_id = last_read = raw_id.decode()
                notice = notices.from_bytes(fields.get(b"n", b""))
                if notice is not None:  # of another version of this program
                    yield after_id, notice

    async def _read(self, after_id: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
        answer: Any = await self._redis.xread({STREAM: after_id}, count=AT_ONCE, block=BLOCK_MS)
        return list(answer[0][1]) if answer else []

    async def _lost(self, after_id: str) -> bool:
        """Whether the stream is younger than what was already read from it."""
        newest: Any = await self._redis.xrevrange(STREAM, count=1)
        return (_position(newest[0][0].decode()) if newest else (0, 0)) < _position(after_id)

    async def _trimmed(self, last_read: str) -> bool:
        """Whether the stream begins after what was read last: then there may have been more in between."""
        oldest: Any = await self._redis.xrange(STREAM, count=1)
        return bool(oldest) and _position(oldest[0][0].decode()) > _position(last_read)

    async def close(self) -> None:
        """Publish what waits, for a second at most, and let go of the connections."""
        if self._writer is not None:
            while not self._writer.done():
                # The redis package takes a cancellation that meets its own time-out for the latter: one may be lost.
                self._writer.cancel()
                await asyncio.wait({self._writer}, timeout=STOP_AGAIN_S)
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await self._write_waiting()
        await close_client(self._redis)

    def _say_gone(self, exc: BaseException) -> None:
        if not self._gone:
            log.warning("redis gone: %s; the desk shows no live calls until it is back", _why(exc))
        self._gone = _why(exc)

    def _say_back(self) -> None:
        if self._gone:
            log.warning("redis is back; live calls are published again")
        self._gone = ""


def _about(notice: Notice) -> str:
    return notice.call.call_id if notice.call else f"{notice.kind} {notice.customer_id} {notice.task_id}"


def _why(exc: BaseException) -> str:
    return str(exc) or type(exc).__name__


def _position(id: str) -> tuple[int, int]:
    milliseconds, _, sequence = id.partition("-")
    return int(milliseconds), int(sequence)
