"""All calls of one Asterisk: each raw event goes to its call, and what the call asks for is done.

Telling and recording return at once. Requests to Asterisk and lookups run as tasks with a budget, so that no call
ever waits for another. Whatever fails here, the channel goes back to the dialplan and the phone rings.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ari_app.actions import Action, Follow, HandBack, LookUp, Record, SetChannel, Tell
from ari_app.call import Call, Rules, State
from ari_app.events import Arrived, CallEvent, Ignored, Looked, Lost, Replaced, parse
from ari_app.reconcile import missed
from lookup.answers import Answer, Caller
from lookup.breaker import StoreGone
from lookup.channel_values import packed
from lookup.notices import LiveCall, Notice
from records.facts import CallFacts

log = logging.getLogger(__name__)

LOOKUPS_AT_ONCE = 500
"""More calls than this waiting for their answer at one time are handed back unasked; normally it is one or two."""

LATE_S = 5.0
"""How long an answer that the call did not wait for may still take; it is for the screen and the log."""

RECALL_AGAIN_S = 2.0

CLOSING_S = 1.0


class Link(Protocol):
    async def follow(self, channel_id: str) -> bool: ...

    async def hand_back(self, channel_id: str, values: Mapping[str, str]) -> None: ...

    async def channels(self) -> list[Mapping[str, Any]]: ...


class Finder(Protocol):
    async def find(self, caller: Caller, budget_s: float) -> Answer: ...


@dataclass(slots=True)
class Counters:
    arrived: int = 0
    handed_back: int = 0
    not_handed_back: int = 0  # the channel was gone, taken by the guard, or Asterisk out of reach
    unasked: int = 0  # handed back without a lookup: too many at once
    broken: int = 0  # our own mistake; see the traceback in the log
    found_after_gap: int = 0  # sat in our application with nobody to hand them back
    ended_in_gap: int = 0
    taken_up: int = 0  # told by whoever followed them before us
    ignored: int = 0


class Switchboard:
    def __init__(
        self,
        link: Link,
        finder: Finder,
        tell: Callable[[Notice], None],
        recall: Callable[[], Awaitable[Iterable[LiveCall]]],
        record: Callable[[CallFacts], None],
        rules: Rules,
        app: str,
        budget_s: float,
        link_errors: tuple[type[Exception], ...],
    ) -> None:
        self.calls: dict[str, Call] = {}  # by the caller's channel id
        self.counters = Counters()
        self._link = link
        self._finder = finder
        self._tell = tell
        self._recall = recall
        self._recalling = False
        self._record = record
        self._rules = rules
        self._app = app
        self._budget_s = budget_s
        self._link_errors = link_errors
        self._looking = 0
        self._tasks: set[asyncio.Task[None]] = set()

    # --- events in ---

    def take(self, raw: Mapping[str, Any]) -> None:
        """One raw event from the link."""
        event = parse(raw)
        if isinstance(event, Ignored | Replaced):
            self.counters.ignored += 1
        else:
            self._dispatch(event)

    async def reconcile(self) -> None:
        """After each new connection: take up the calls of whoever followed them before us, and catch up with all."""
        if not await self._take_up() and not self._recalling:
            self._start(self._take_up_later())
        await self._catch_up()

    async def _take_up(self) -> bool:
        """False: nobody can say now which calls were told."""
        try:
            told = await self._recall()
        except StoreGone as exc:
            log.info("calls that began before this start are taken up later: %s", exc)
            return False
        ours = (live for live in told if live.node == self._rules.node and not live.ended_ms)
        lost = [live for live in ours if live.uniqueid not in self.calls]
        for live in lost:
            self.calls[live.uniqueid] = Call.restored(live, self._rules)
        if lost:
            self.counters.taken_up += len(lost)
            log.info("calls taken up that somebody else followed before: %d", len(lost))
        return True

    async def _take_up_later(self) -> None:
        self._recalling = True
        try:
            await asyncio.sleep(RECALL_AGAIN_S)
            while not await self._take_up():
                await asyncio.sleep(RECALL_AGAIN_S)
        finally:
            self._recalling = False
        await self._catch_up()

    async def _catch_up(self) -> None:
        """Hear the rest of each call, and learn what happened while we could not hear."""
        held = {channel_id: call.phones_in_use() for channel_id, call in self.calls.items()}
        looking = [channel_id for channel_id, call in self.calls.items() if call.state is State.LOOKING]
        await asyncio.gather(*(self._follow(Follow(channel_id)) for channel_id in held))
        try:
            channels = await self._link.channels()
        except self._link_errors as exc:
            log.warning("cannot list Asterisk's channels after a gap: %s", exc)
            return
        came_meanwhile = self.calls.keys() - held.keys()  # we heard these arrive: what the list says of them is older
        channels = [channel for channel in channels if channel["id"] not in came_meanwhile]
        for event in missed(held, looking, channels, self._app, _now_ms()):
            self.counters.found_after_gap += isinstance(event, Arrived)
            self.counters.ended_in_gap += isinstance(event, Lost)
            self._dispatch(event)

    async def close(self) -> None:
        """Let the calls in our hands go, then stop."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSING_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- one call ---

    def _dispatch(self, event: Arrived | CallEvent) -> None:
        """Give the event to its call. Our own mistakes end here: the call that they hit rings as if without us."""
        call = self.calls.get(event.channel_id)
        try:
            if call is not None:
                self._carry_out(call, self._move(call, event))
            elif isinstance(event, Arrived):
                self._welcome(event)
        except Exception:
            self.counters.broken += 1
            log.exception("a call broke our rules; letting it ring the company's own way")
            if isinstance(event, Arrived | Looked):
                self._start(self._hand_back(event.channel_id, {}))
        if call is not None and call.state is State.ENDED:
            del self.calls[event.channel_id]
            log.info("call", extra={"fields": _canonical(call)})

    def _welcome(self, event: Arrived) -> None:
        self.counters.arrived += 1
        call = self.calls[event.channel_id] = Call(event, self._rules)
        self._carry_out(call, call.begin())

    def _move(self, call: Call, event: Arrived | CallEvent) -> list[Action]:
        before = call.state
        actions = call.receive(event)
        if call.state is not before:
            log.debug("%s: %s -> %s (%s)", call.call_id, before.value, call.state.value, type(event).__name__)
        return actions

    # --- actions out ---

    def _carry_out(self, call: Call, actions: list[Action]) -> None:
        """What somebody waits for goes first, in this order; the desk and the log hear of it next."""
        asked = [action for action in actions if isinstance(action, SetChannel | HandBack | Follow)]
        for action in actions:
            if isinstance(action, LookUp):
                self._start(self._look_up(call, action))
            elif asked and action is asked[0]:
                self._start(self._ask_asterisk(asked))
        if asked:
            asyncio.get_running_loop().call_soon(self._inform, actions)  # after the tasks have begun
        else:
            self._inform(actions)

    def _inform(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Tell():
                    self._tell(action.notice)
                case Record():
                    self._record(action.facts)

    async def _ask_asterisk(self, actions: list[SetChannel | HandBack | Follow]) -> None:
        """One after the other."""
        values: Mapping[str, str] = {}
        for action in actions:
            match action:
                case SetChannel():
                    values = packed(action.values)
                case HandBack():
                    await self._hand_back(action.channel_id, values)
                case Follow():
                    await self._follow(action)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look_up(self, call: Call, action: LookUp) -> None:
        if self._looking >= LOOKUPS_AT_ONCE and not action.late:
            self.counters.unasked += 1
            await self._hand_back(call.arrived.channel_id, {})
            return
        self._looking += 1
        try:
            answer = await self._finder.find(action.caller, LATE_S if action.late else self._budget_s)
        finally:
            self._looking -= 1
        if self.calls.get(call.arrived.channel_id) is call:
            self._dispatch(Looked(call.arrived.channel_id, answer, _now_ms()))

    async def _follow(self, action: Follow) -> None:
        try:
            there = await self._link.follow(action.channel_id)
        except self._link_errors as exc:
            log.debug("cannot follow %s: %s", action.channel_id, exc)
            return
        if not there:  # it was over before we could ask: nobody will tell us any more
            self._dispatch(Lost(action.channel_id, _now_ms()))

    async def _hand_back(self, channel_id: str, values: Mapping[str, str]) -> None:
        try:
            await self._link.hand_back(channel_id, values)
        except self._link_errors as exc:
            self.counters.not_handed_back += 1
            log.info("not handed back, the dialplan's guard lets it ring: %s", exc)
        else:
            self.counters.handed_back += 1


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _canonical(call: Call) -> dict[str, Any]:
    """The one line that tells a whole call. The number is shortened: a log is read by more people than a card."""
    facts = call.facts()
    return {
        "call_id": facts.call_id,
        "caller": facts.caller_number[:-4] + "xxxx" if len(facts.caller_number) > 6 else facts.caller_number,
        "did": facts.called_number,
        "trunk": facts.trunk,
        "answer": call.live().answer,
        "tier": facts.tier,
        "customer": facts.customer_id,
        "route": facts.reason,
        "outcome": facts.outcome,
        "by": facts.answered_endpoint,
        "wait_s": facts.wait_s,
        "talk_s": facts.talk_s,
        "legs": len(facts.legs),
        "cause": facts.hangup_cause,
    }
