"""The story of one call, step by step: what its facts tell, and of a call that goes on what was told live since then.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from desk import formats
from lookup import reasons
from lookup.notices import LiveCall, RungPhone

_STOPPED = {"answered": "left the call", "": "stopped"}
NEAR_MS = 1000
"""What is told of one moment twice differs less; that a phone does the same again later differs more."""


@dataclass(frozen=True, slots=True)
class Step:
    at: datetime
    after_ms: int  # since the call began
    what: str


def story(started: datetime, trace: Iterable[Sequence[int | str]], live: LiveCall | None = None) -> tuple[Step, ...]:
    """`trace` as `CallRow.trace` keeps it. Facts are written at the turns of a call, so `live` may know more.

    Times come from two clocks, Asterisk's and ours, so that what is later need not have the higher one.
    """
    told = [(int(at_ms), str(what)) for at_ms, what in trace]
    last_ms = max((at_ms for at_ms, _ in told), default=0)
    if live and not live.ended_ms:
        words = {what for _, what in told}
        told += [
            (at_ms, what)
            for at_ms, what in _of_phones(live.phones)
            if at_ms > last_ms + NEAR_MS or (at_ms and what not in words)
        ]
    told.sort(key=lambda step: step[0])
    begun_ms = min([round(started.timestamp() * 1000), *(at_ms for at_ms, _ in told[:1])])
    return tuple(Step(formats.moment(at_ms), at_ms - begun_ms, what) for at_ms, what in told)


def simulated_story(live: LiveCall) -> tuple[Step, ...]:
    """Of a call that nobody made, all there is: what is told of it as live."""
    words = reasons.SIMULATED_WHY if live.match_reason else reasons.SIMULATED
    told = [(live.started_ms, words.format(answer=live.answer, reason=live.match_reason)), *_of_phones(live.phones)]
    if live.ended_ms:
        told.append((live.ended_ms, reasons.ENDED.format(outcome=live.outcome)))
    told.sort(key=lambda step: step[0])
    return tuple(Step(formats.moment(at_ms), at_ms - live.started_ms, what) for at_ms, what in told)


def _of_phones(phones: Iterable[RungPhone]) -> Iterator[tuple[int, str]]:
    for phone in phones:
        name = reasons.OUTSIDE if phone.outside else reasons.PHONE.format(name=phone.endpoint)
        name = reasons.PAGES if phone.page_of else name
        yield phone.started_ms, reasons.PHONE_IS.format(phone=name, state="ringing")
        if phone.answered_ms:
            yield phone.answered_ms, reasons.PHONE_IS.format(phone=name, state="talking")
        if phone.state == "stopped":
            state = _STOPPED.get(phone.outcome, phone.outcome)
            yield phone.since_ms, reasons.PHONE_IS.format(phone=name, state=state)
