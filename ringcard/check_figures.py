"""Doctor's look at what the processes say of themselves since they began; `docs/watching.md` tells the figures."""

from __future__ import annotations

import time
from collections.abc import Sequence

from config.measures import Said
from config.sentences import counted, listed, say
from config.settings import Settings
from ringcard.findings import Finding, ok, warn
from ringcard.saying import heard

NAME = say("processes")
LATE_SHARE = 0.02
LATE_FEW = 5
"""A few budgets are missed when everything starts anew."""


async def figures(settings: Settings) -> list[Finding]:
    return [judged(await heard(settings.data_dir), time.time())]


def judged(said: Sequence[Said], now: float) -> Finding:
    """`said` as `heard` gives it; `now`: seconds since the epoch."""
    there = [each.process for each in said if _sum([each], "ringcard_up")]
    away = [each.process for each in said if each.process not in there]
    if not there:
        mend = say("Start Ringcard (ringcard run), or ask as the user that it runs as.")
        return warn(NAME, say("none of Ringcard's processes answers"), mend)
    calls = [each for each in said if each.process in there and each.process.startswith("ari")]
    seen = counted("{names} answers", "{names} answer", len(there), names=", ".join(there))
    if calls:
        seen = say("{seen}; {told}", seen=seen, told=_told(calls, now))
    if away:
        mend = say("Look at the log of {process}; `ringcard run` starts all four.", process=away[0])
        return warn(NAME, say("{seen}; away or frozen: {names}", seen=seen, names=", ".join(away)), mend)
    if _sum(calls, "ringcard_broken_total"):
        mend = say("Please report the traceback in the log of ari; the call rang as if without us.")
        mistakes = counted("{n} mistake of ours", "{n} mistakes of ours", _sum(calls, "ringcard_broken_total"))
        return warn(NAME, say("{seen}; {mistakes}", seen=seen, mistakes=mistakes), mend)
    late = _sum(calls, "ringcard_budget_missed_total")
    if late > max(LATE_FEW, LATE_SHARE * _sum(calls, "ringcard_lookups_total")):
        mend = say("Redis or the database answers too slowly: see their findings, and lookup.budget_ms.")
        return warn(NAME, seen, mend)
    return ok(NAME, seen)


def _told(calls: Sequence[Said], now: float) -> str:
    """What happened to calls since the first of these processes began."""
    began = min(_sum([each], "process_start_time_seconds") for each in calls)
    parts = [
        counted("{n} lookup", "{n} lookups", _sum(calls, "ringcard_lookups_total")),
        say("{n} found", n=_sum(calls, "ringcard_lookups_total", answer="found")),
        say("{n} over the budget", n=_sum(calls, "ringcard_budget_missed_total")),
        counted("{n} orphan", "{n} orphans", _sum(calls, "ringcard_orphans_total")),
        counted("{n} reconnect", "{n} reconnects", _sum(calls, "ringcard_reconnects_total")),
    ]
    return say("in {time}: {counts}", time=_lasting(now - began), counts=listed(parts))


def _sum(said: Sequence[Said], name: str, **labels: str) -> int:
    """Of one figure over processes and labels; those with these labels."""
    wanted = labels.items()
    return sum(
        int(sample.value)
        for each in said
        for sample in each.samples
        if sample.name == name and wanted <= sample.labels.items() and isinstance(sample.value, int | float)
    )


def _lasting(seconds: float) -> str:
    minutes = max(0, int(seconds)) // 60
    if minutes < 120:
        return counted("{n} minute", "{n} minutes", minutes)
    if minutes < 48 * 60:
        return counted("{n} hour", "{n} hours", minutes // 60)
    return counted("{n} day", "{n} days", minutes // 1440)
