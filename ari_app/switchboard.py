"""All calls of one Asterisk: each raw event goes to its call, and what the call asks for is done.

Events come over two connections: one gets the calls that enter our application, the tracker hears of every channel and
bridge. Neither waits for the other, and without the tracker calls are named and routed all the same.

Telling and recording return at once. Requests to Asterisk and lookups run as tasks with a budget, so that no call
ever waits for another. Whatever fails here, the channel goes back to the dialplan and the phone rings.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ari_app.actions import Action, HandBack, LookUp, NameLate, Record, SetChannel, Tell
from ari_app.call import Call, Rules
from ari_app.canonical import canonical
from ari_app.conversations import Conversations, Wanted
from ari_app.events import Arrived, CallEvent, Ignored, Looked, Lost, Replaced, parse
from ari_app.passed import Passed
from ari_app.picture import State
from ari_app.reconcile import missed
from config.measures import LAG_BOUNDS, Histogram
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

SWEEP_S = 10.0
"""So often the tracker asks for channels of calls that should have ended: an event may be lost on the way."""

SWEPT_AT_ONCE = 50
SILENT_MS = 10_000


class Link(Protocol):
    async def hand_back(self, channel_id: str, values: Mapping[str, str]) -> None: ...

    async def channels(self) -> list[Mapping[str, Any]]: ...

    async def bridges(self) -> list[Mapping[str, Any]]: ...

    async def has_channel(self, channel_id: str) -> bool: ...


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
    swept: int = 0  # the end of these channels was never told
    taken_up: int = 0  # told by whoever followed them before us
    ignored: int = 0
    ended: dict[tuple[str, str], int] = field(default_factory=dict)  # by direction and outcome
    lag: Histogram = field(default_factory=lambda: Histogram(LAG_BOUNDS))  # seconds from Asterisk's time of an event


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
        trunks: Iterable[str] = (),
        name_late: Callable[[NameLate], None] = lambda late: None,
        stands_by: Callable[[], bool] = lambda: False,
        pass_on: Callable[[Passed], None] = lambda passed: None,
        answered: Callable[[str], tuple[Answer, float] | None] = lambda channel_id: None,
    ) -> None:
        self.calls = Conversations(rules, trunks)
        self.counters = Counters()
        self._link = link
        self._finder = finder
        self._tell = tell
        self._recall = recall
        self._recalling = False
        self._record = record
        self._name_late = name_late
        self._rules = rules
        self._app = app
        self._budget_s = budget_s
        self._link_errors = link_errors
        self._stands_by = stands_by
        self._pass_on = pass_on
        self._answered = answered  # what was found already of a call that we claimed
        self._looking = 0
        self._asking: Counter[Call] = Counter()  # lookups under way, by who asked
        self._tasks: set[asyncio.Task[None]] = set()

    def talking(self) -> frozenset[str]:
        """Names of the phones on which somebody talks in a call that we follow."""
        return frozenset(phone for call in self.calls for phone in call.talking())

    def living(self) -> list[Notice]:
        """What was last told of each call that we follow."""
        told = [call.told for call in self.calls if call.told is not None and not call.told.ended_ms]
        return [Notice("answered" if live.answered_ms else "ringing", live.version, live) for live in told]

    # --- events in ---

    def take(self, raw: Mapping[str, Any]) -> None:
        """One raw event from the link."""
        event = parse(raw)
        if isinstance(event, Ignored | Replaced):
            self.counters.ignored += 1
        else:
            self.counters.lag.observe(_lag_ms(event) / 1000)
            self._dispatch(event)

    async def reconcile(self, link: Link | None = None) -> None:
        """After each new connection of `link`, ours or the tracker's: take up the calls of whoever followed them before
        us, and catch up with all.
        """
        if link is not None:  # the tracker's; the other connection tells nothing of phones
            self.calls.interrupt()
        link = link or self._link
        if self._stands_by():
            return  # the calls in progress are another process's, and it looks for those that nobody has
        if not await self._take_up() and not self._recalling:
            self._start(self._take_up_later(link))
        await self._catch_up(link)

    async def sweep(self, tracker: Link, connected: Callable[[], bool]) -> None:
        """For as long as it lives: end what the tracker should have heard to end, and did not; and follow what another
        process told late, when it had been frozen, and follows no more.
        """
        while True:
            await asyncio.sleep(SWEEP_S)
            taken_up = self.counters.taken_up
            if connected() and await self._take_up(_now_ms() - SILENT_MS) and self.counters.taken_up > taken_up:
                await self._catch_up(tracker)
            for channel_id in self.calls.overdue(_now_ms(), SWEPT_AT_ONCE) if connected() else ():
                try:
                    if not await tracker.has_channel(channel_id):
                        self.counters.swept += 1
                        self._dispatch(Lost(channel_id, _now_ms()))
                except self._link_errors as exc:
                    log.debug("cannot ask for the channel %s: %s", channel_id, exc)

    async def _take_up(self, before_ms: int | None = None) -> bool:
        """Of all calls, or of those of which nothing was told since. False: nobody can say now which were told."""
        try:
            told = await self._recall()
        except StoreGone as exc:
            log.log(logging.INFO if before_ms is None else logging.DEBUG, "calls of before are taken up later: %s", exc)
            return False
        ours = (live for live in told if live.node == self._rules.node and not live.ended_ms and not live.is_simulated)
        if before_ms is not None:
            ours = (live for live in ours if live.version < before_ms)
        lost = sum(self.calls.take_up(live) for live in ours)
        if lost:
            self.counters.taken_up += lost
            log.info("calls taken up that somebody else followed before: %d", lost)
        return True

    async def _take_up_later(self, link: Link) -> None:
        self._recalling = True
        try:
            await asyncio.sleep(RECALL_AGAIN_S)
            while not await self._take_up():
                await asyncio.sleep(RECALL_AGAIN_S)
        finally:
            self._recalling = False
        await self._catch_up(link)

    async def _catch_up(self, link: Link) -> None:
        """Learn what happened while we could not hear."""
        asked_ms = _now_ms()
        held, looking = list(self.calls.channels.ids), [call.in_hands for call in self.calls if call.in_hands]
        try:
            channels, bridges = await link.channels(), await link.bridges()
        except self._link_errors as exc:
            log.warning("cannot list Asterisk's channels after a gap: %s", exc)
            return
        came_meanwhile = set(self.calls.channels.ids).difference(
            held
        )  # we heard of these: what the list says of them is older
        channels = [channel for channel in channels if channel["id"] not in came_meanwhile]
        for event in missed(self.calls.channels, held, looking, channels, bridges, self._app, asked_ms):
            if isinstance(event, Arrived) and link is not self._link:
                continue  # the connection that can give it back looks as well
            self.counters.found_after_gap += isinstance(event, Arrived)
            lost = self.calls.of(event.channel_id) if isinstance(event, Lost) else None
            self.counters.ended_in_gap += lost is not None and lost.origin_id == event.channel_id
            self._dispatch(event)

    def stand_by(self) -> None:
        """Another process follows the calls from here on; those in our hands are still ours."""
        for call in list(self.calls):
            self._let_go(call)

    def _let_go(self, call: Call) -> None:
        if not call.in_hands and call not in self._asking:
            self.calls.let_go(call)

    async def close(self) -> None:
        """Let the calls in our hands go, then stop."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSING_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- one call ---

    def _dispatch(self, event: Arrived | CallEvent, asked: Call | None = None) -> None:
        """Give the event to its call. Our own mistakes end here: the call that they hit rings as if without us."""
        wanted: list[Wanted] = []
        try:
            wanted = (
                self.calls.looked(asked, event) if asked and isinstance(event, Looked) else self.calls.receive(event)
            )
            for call, actions in wanted:
                if call.arrived is event and call.passage.lag_ms is None:  # for the first time
                    self.counters.arrived += 1
                    call.passage.lag_ms = _lag_ms(event)
                self._carry_out(call, actions)
        except Exception:
            self.counters.broken += 1
            log.exception("a call broke our rules; letting it ring the company's own way")
            if isinstance(event, Arrived | Looked):
                self._start(self._hand_back(event.channel_id, {}))
        for call in dict.fromkeys(call for call, _ in wanted):
            if self._stands_by():
                self._let_go(call)
            elif isinstance(event, Looked):
                continue  # no call ends by it
            elif call.state is State.ENDED and call.told and call.recorded and not call.merged_into:
                self._over(call, call.told, call.recorded)

    def _over(self, call: Call, told: LiveCall, facts: CallFacts) -> None:
        end = (facts.direction, facts.outcome)
        self.counters.ended[end] = self.counters.ended.get(end, 0) + 1
        log.info("call", extra={"fields": canonical(told, facts, call.passage)})

    # --- actions out ---

    def _carry_out(self, call: Call, actions: list[Action]) -> None:
        """What somebody waits for goes first, in this order; the desk and the log hear of it next."""
        asked = [action for action in actions if isinstance(action, SetChannel | HandBack)]
        for action in actions:
            if isinstance(action, LookUp):
                self._asking[call] += 1
                self._start(self._look_up(call, action))
            elif asked and action is asked[0]:
                self._start(self._ask_asterisk(asked))
        if asked:
            asyncio.get_running_loop().call_soon(self._inform, call, actions)  # after the tasks have begun
        else:
            self._inform(call, actions)

    def _inform(self, call: Call, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Tell():
                    self._tell(action.notice)
                    if self._stands_by() and (passed := call.passed()):
                        self._pass_on(passed)
                case Record():
                    self._record(action.facts)
                case NameLate():
                    self._name_late(action)

    async def _ask_asterisk(self, actions: list[SetChannel | HandBack]) -> None:
        """One after the other."""
        values: Mapping[str, str] = {}
        for action in actions:
            match action:
                case SetChannel():
                    values = packed(action.values)
                case HandBack():
                    await self._hand_back(action.channel_id, values)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look_up(self, call: Call, action: LookUp) -> None:
        channel_id = call.in_hands or call.origin_id
        if not action.late and (claimed := self._answered(channel_id)):
            self._asked(call)
            self._learn(call, channel_id, *claimed)
            return
        if self._looking >= LOOKUPS_AT_ONCE and not action.late:
            self.counters.unasked += 1
            self._asked(call)
            await self._hand_back(channel_id, {})
            return
        self._looking += 1
        began = time.perf_counter()
        try:
            answer = await self._finder.find(action.caller, LATE_S if action.late else self._budget_s)
        finally:
            self._looking -= 1
            self._asked(call)
        self._learn(call, channel_id, answer, None if action.late else time.perf_counter() - began)

    def _asked(self, call: Call) -> None:
        self._asking[call] -= 1
        if not self._asking[call]:
            del self._asking[call]  # else the call would be held for ever

    def _learn(self, call: Call, channel_id: str, answer: Answer, took_s: float | None) -> None:
        call.passage.looked(answer, took_s, self._budget_s)
        self._dispatch(Looked(channel_id, answer, _now_ms()), call)

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


def _lag_ms(event: Arrived | CallEvent) -> int:
    """How old the event is by our clock; 0 where Asterisk's is ahead."""
    return max(0, _now_ms() - event.at_ms)
