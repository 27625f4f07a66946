"""Simulated calls of this desk: they ring in browsers and nowhere else, until somebody answers, or nobody does.

Each is played by the process that began it. Answered or ended it may be at any other, because its state is among the
live calls; and what a process left behind that was killed, every desk ends when its time is over.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from config.sentences import say
from desk.live import Hub
from desk.people import Directory, Reader
from desk.sign_in import TooMany
from desk.throttle import Throttle
from desk.views import sight
from lookup import reasons
from lookup.answers import Answer, Caller
from lookup.notices import LiveCall, Notice
from lookup.playing import Player, new_call_id
from lookup.simulated import Plan, Turn, answered, begun, hung_up, notice_of, turn_to_page, turn_to_phones
from records.errors import Conflict, NotFound

log = logging.getLogger(__name__)

RING_S = 60.0
TALK_S = 600.0
AT_ONCE = 20
FREE, LONGEST_PAUSE_S = 10, 30
CLEAR_EVERY_S = 5.0
SHOWN_WITHIN_S = 1.0
LOOK_S = 0.01


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call to be simulated: as it was looked up, and where it rings."""

    caller: Caller
    answer: Answer
    node: str
    reason: str
    turns: tuple[Turn, ...]  # never empty


class Simulations:
    """One per process; `keep` and `close` belong to the application's life."""

    def __init__(self, hub: Hub, tell: Callable[[Notice], None], clock: Callable[[], datetime]) -> None:
        self._hub = hub
        self._tell = tell
        self._clock = clock
        self._playing: dict[str, tuple[Player, asyncio.Task[None]]] = {}
        self._throttle = Throttle(FREE, LONGEST_PAUSE_S)
        hub.watch(self._heard)

    async def begin(self, wanted: Wanted, by: Reader) -> LiveCall:
        """It rings when this returns, unless live calls are away. Raises Conflict, TooMany."""
        if not self._hub.up:
            raise Conflict(say("Live calls cannot be shown just now, so nobody would see it. Try again in a moment."))
        if len(self._playing) >= AT_ONCE:
            raise Conflict(say("{n} simulated calls go on already. End some of them first.", n=AT_ONCE))
        wait_s = self._throttle.wait_s(str(by.user_id), time.monotonic())
        if wait_s > 0:
            raise TooMany(math.ceil(wait_s))
        self._throttle.take(str(by.user_id), time.monotonic())
        plan = Plan(wanted.turns, "answered", None, TALK_S)
        call_id = new_call_id()
        call = begun(call_id, wanted.node, wanted.caller, "", wanted.answer, wanted.reason, self._now_ms(), plan)
        player = Player(call, plan, self._tell)
        task = asyncio.create_task(player.play(), name="simulated call")
        self._playing[call_id] = player, task
        task.add_done_callback(lambda _: self._playing.pop(call_id, None))
        log.info("simulated call", extra={"fields": {"call_id": call_id, "by": by.login}})
        await self._shown(call_id)
        return player.call

    def answer(self, call_id: str, reader: Reader, directory: Directory) -> None:
        """The reader takes the call. Raises NotFound, Conflict (it does not ring there any more)."""
        call = self._of(call_id, reader, directory)
        mine = [
            phone for phone in call.phones if phone.state == "ringing" and reader.user_id in directory.rung(call, phone)
        ]
        if not mine:
            raise Conflict(say("This call does not ring at your place any more."))
        self._say(call, answered(call, mine[0].endpoint, self._now_ms()))

    def hang_up(self, call_id: str, reader: Reader, directory: Directory) -> None:
        """Raises NotFound. To end what is over changes nothing."""
        call = self._of(call_id, reader, directory)
        if not call.ended_ms:
            self._say(call, hung_up(call, self._now_ms()))

    def of_page(self, user_id: int) -> LiveCall | None:
        """The last simulated call that rings, or rang a moment ago, on this person's pages alone."""
        mine = [
            call
            for call in self._hub.calls()[1]
            if call.is_simulated and any(phone.page_of == user_id for phone in call.phones)
        ]
        return max(mine, key=lambda call: call.started_ms, default=None)

    async def keep(self) -> None:
        """Until cancelled: end what nobody plays any more."""
        while True:
            await asyncio.sleep(CLEAR_EVERY_S)
            self.clear()

    def clear(self) -> None:
        for call in self._hub.calls()[1]:
            if call.is_simulated and not call.ended_ms and call.over_by_ms < self._now_ms():
                self._say(call, hung_up(call, self._now_ms()))

    async def close(self) -> None:
        """Hang up all that are played here."""
        playing = list(self._playing.values())
        for player, task in playing:
            player.hang_up()
            task.cancel()
        await asyncio.gather(*(task for _, task in playing), return_exceptions=True)

    def _of(self, call_id: str, reader: Reader, directory: Directory) -> LiveCall:
        """For whom it rings, and for who may begin one."""
        call = self._hub.call(call_id)
        theirs = call and (reader.user_id in directory.concerned(call) or sight(reader.role).test_calls)
        if call is None or not call.is_simulated or not theirs:
            raise NotFound(say("There is no such simulated call now, or it is not yours."))
        return call

    def _say(self, before: LiveCall, state: LiveCall) -> None:
        self._tell(notice_of(before, state))

    def _heard(self, notice: Notice) -> None:
        if notice.call and notice.call.call_id in self._playing:
            self._playing[notice.call.call_id][0].heard(notice.call)

    async def _shown(self, call_id: str) -> None:
        """A page that is made next should have it already."""
        for _ in range(round(SHOWN_WITHIN_S / LOOK_S)):
            call = self._hub.call(call_id)
            if call and call.phones:
                return
            await asyncio.sleep(LOOK_S)

    def _now_ms(self) -> int:
        return int(self._clock().timestamp() * 1000)


def turn_to(directory: Directory, user_id: int, node: str) -> tuple[str, Turn]:
    """A person's phones, with the node they are of, `node` where they have one there; their pages alone where they
    have no phone.
    """
    name = directory.names.get(user_id, "")
    reason = reasons.SIMULATED_FOR.format(name=name) if name else reasons.SIMULATED_FOR_SOMEBODY
    inside = sorted(key for key, people in directory.at_phone.items() if user_id in people)
    outside = sorted(name for name, people in directory.outside.items() if user_id in people)
    at = node if not inside or any(key[0] == node for key in inside) else inside[0][0]
    names = [name for of, name in inside if of == at] + outside
    return at, turn_to_phones(names, RING_S, reason) if names else turn_to_page(user_id, RING_S, reason)
