"""The hub: one follower of the notices per process, any number of browsers behind it.

It holds the calls of now and the notices of the last minutes with their ids. A browser that was away says which id it
saw last and gets exactly what came after; when that is no longer known it gets a snapshot. Who may see what is decided
later, for each reader, in `desk/views.py`: the hub itself shows nothing to anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from desk.parts import LiveCalls, Notices
from lookup.breaker import StoreGone
from lookup.notices import LiveCall, Notice, newer

log = logging.getLogger(__name__)

REMEMBERED_S = 600
"""Notices of the last ten minutes are read when the desk starts, so that its restart loses nothing for a browser."""

REMEMBERED = 10_000
ENDED_KEPT_S = 60
QUEUE = 2_000
"""Notices that may wait for one slow browser; then it is let go, and catches up when it comes back."""

PAST_S = 1.0
"""The notices of the past are read within this time; a desk that starts goes live without the rest."""

RETRY_S = (0.2, 0.5, 1.0, 2.0)
STOP_AGAIN_S = 0.1

EventKind = Literal["notice", "snapshot", "status", "sessions"]


@dataclass(frozen=True, slots=True)
class Event:
    """What a subscriber gets. `snapshot`: forget what you hold, `calls` is all. `status`: live calls are away.
    `sessions`: one was ended; look whether it is yours.
    """

    kind: EventKind
    id: str
    notice: Notice | None = None
    calls: tuple[LiveCall, ...] = ()


class Subscription:
    """One browser's place in the hub: its events, until the hub stops or it falls too far behind."""

    def __init__(self, first: list[Event], wants: Callable[[Event], bool]) -> None:
        self.ended = False
        self._wants = wants
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        for event in first:
            self._events.put_nowait(event)

    def put(self, event: Event) -> None:
        if self._events.qsize() >= QUEUE:
            self.end()
        elif not self.ended and self._wants(event):
            self._events.put_nowait(event)

    def end(self) -> None:
        """What waits is still delivered, so that nothing is missing before the id that the browser comes back with."""
        if not self.ended:
            self.ended = True
            self._events.put_nowait(None)

    async def next(self, within_s: float) -> Event | None:
        """The next event; None when there is none within `within_s` seconds, or after the last (see `ended`)."""
        if not self._events.empty():
            return self._events.get_nowait()
        try:
            async with asyncio.timeout(within_s):
                return await self._events.get()
        except TimeoutError:
            return None


class Hub:
    """Live calls for the browsers of this process. `start` and `stop` belong to the application's life."""

    def __init__(self, live: LiveCalls, notices: Notices) -> None:
        self.up = False
        self.gone = "not started"  # why there are no live calls; empty while there are
        self.last_id = ""
        self.taken = 0  # notices, since the start
        self.sent = 0  # events given to browsers, since the start
        self._live = live
        self._notices = notices
        self._calls: dict[str, LiveCall] = {}
        self._recent: deque[tuple[str, Notice]] = deque(maxlen=REMEMBERED)
        self._floor = ""  # notices after this id are all in `_recent`
        self._subscriptions: set[Subscription] = set()
        self._watchers: list[Callable[[Notice], None]] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="follow notices")

    async def stop(self) -> None:
        """Let every browser go (they come back by themselves, to whoever is there) and end the follower."""
        self.let_go()
        while self._task and not self._task.done():
            # The redis package takes a cancellation that meets its own time-out for the latter, so one may be lost.
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=STOP_AGAIN_S)
        self._task = None

    def let_go(self) -> None:
        """End all subscriptions now: a server that waits for open connections before it stops would wait for ever."""
        for subscription in tuple(self._subscriptions):
            subscription.end()

    def watch(self, watcher: Callable[[Notice], None]) -> None:
        """Call `watcher` once for every new notice, before any browser gets it."""
        self._watchers.append(watcher)

    @property
    def browsers(self) -> int:
        return len(self._subscriptions)

    def calls(self) -> tuple[str, tuple[LiveCall, ...]]:
        """The id of the last notice, and the calls as they are after it; ended ones for a minute."""
        return self.last_id, tuple(self._calls.values())

    def call(self, call_id: str) -> LiveCall | None:
        return self._calls.get(call_id)

    def tell(self, notice: Notice) -> None:
        """Something that this process alone knows (a card that could be read at last): under the last id."""
        for subscription in tuple(self._subscriptions):
            subscription.put(Event("notice", self.last_id, notice))

    def session_ended(self) -> None:
        """Have every connection look at once whether its session still holds."""
        for subscription in tuple(self._subscriptions):
            subscription.put(Event("sessions", ""))

    @contextlib.contextmanager
    def subscribe(self, after: str, wants: Callable[[Event], bool] = lambda _: True) -> Iterator[Subscription]:
        """All events after `after`, an id that this or another desk gave; anything else leads to a snapshot.

        Of those to come, only what it `wants`: hundreds of readers need not wake up for each call of one of them.
        """
        subscription = Subscription(self._first(after), wants)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def _first(self, after: str) -> list[Event]:
        if not self.up:
            return [Event("status", "")]
        seen, floor, last = position(after), position(self._floor) or (0, 0), position(self.last_id) or (0, 0)
        if seen is None or not floor <= seen <= last:
            return [self._snapshot()]
        return [Event("notice", id, notice) for id, notice in self._recent if (position(id) or seen) > seen]

    def _snapshot(self) -> Event:
        last_id, calls = self.calls()
        return Event("snapshot", last_id, calls=calls)

    async def _run(self) -> None:
        failures = 0
        while True:
            reason = "the stream of notices ended"
            try:
                await self._follow()
            except StoreGone as gone:
                reason = gone.reason
            failures = 0 if self.up else failures + 1
            self._down(reason)
            await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])

    async def _follow(self) -> None:
        """Snapshot first, then the notices of the last minutes (for browsers that come back), then those to come."""
        last_id, calls = await self._live.snapshot()
        included = position(last_id) or (0, 0)
        self._recent.clear()
        self._floor = ""
        self._calls = {call.call_id: call for call in calls}
        # The old notices say when they end by reaching the snapshot's id, unless somebody trimmed the stream.
        rise = asyncio.get_running_loop().call_later(PAST_S if included > (0, 0) else 0, self._rise, last_id)
        try:
            async for id, notice in self._notices.follow(_some_time_before(included)):
                seen = position(id) or (0, 0)
                if seen > included:
                    self._rise(last_id)
                    self._take(id, notice)
                else:
                    self._remember(id, notice)
                    if seen == included:
                        self._rise(last_id)
        finally:
            rise.cancel()

    def _take(self, id: str, notice: Notice) -> None:
        self._remember(id, notice)
        self.taken += 1
        self.last_id = id
        if notice.call:
            self._calls[notice.call.call_id] = newer(self._calls.get(notice.call.call_id), notice.call)
            self._drop_ended(notice.at_ms)
        for watcher in self._watchers:
            watcher(notice)
        for subscription in tuple(self._subscriptions):
            subscription.put(Event("notice", id, notice))

    def _remember(self, id: str, notice: Notice) -> None:
        self._recent.append((id, notice))
        self._floor = self._recent[0][0] if len(self._recent) == REMEMBERED else self._floor or id

    def _drop_ended(self, now_ms: int) -> None:
        old = [
            key for key, call in self._calls.items() if call.ended_ms and now_ms - call.ended_ms > ENDED_KEPT_S * 1000
        ]
        for key in old:
            del self._calls[key]

    def _rise(self, last_id: str) -> None:
        if self.up:
            return
        self.up, self.gone, self.last_id = True, "", last_id
        self._floor = self._floor or last_id
        for subscription in tuple(self._subscriptions):
            subscription.put(self._snapshot())

    def _down(self, reason: str) -> None:
        was_up, said = self.up, self.gone != "not started"
        self.up, self.gone = False, reason
        if was_up or not said:
            log.warning("no live calls: %s; trying again", reason)
        if was_up:  # who subscribes meanwhile is told then
            for subscription in tuple(self._subscriptions):
                subscription.put(Event("status", ""))


def position(id: str) -> tuple[int, int] | None:
    """A stream id ("1700000000000-0") as something to compare; None when it is none."""
    milliseconds, _, sequence = id.partition("-")
    is_one = milliseconds.isdecimal() and sequence.isdecimal() and len(id) < 42  # two numbers of 64 bits
    return (int(milliseconds), int(sequence)) if is_one else None


def _some_time_before(seen: tuple[int, int]) -> str:
    return f"{max(0, seen[0] - REMEMBERED_S * 1000)}-0"
