"""Doctor's look at what the processes say of themselves since they began; `docs/watching.md` tells the figures."""

from __future__ import annotations

import time
from collections.abc import Sequence

from config.measures import Said
from config.settings import Settings
from ringcard.findings import Finding, counted, ok, warn
from ringcard.saying import heard

NAME = "processes"
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
        mend = "Start Ringcard (ringcard run), or ask as the user that it runs as."
        return warn(NAME, "none of Ringcard's processes answers", mend)
    calls = [each for each in said if each.process in there and each.process.startswith("ari")]
    seen = f"{', '.join(there)} answer" if len(there) > 1 else f"{there[0]} answers"
    if calls:
        seen += f"; {_told(calls, now)}"
    if away:
        mend = f"Look at the log of {away[0]}; `ringcard run` starts all four."
        return warn(NAME, f"{seen}; away or frozen: {', '.join(away)}", mend)
    if _sum(calls, "ringcard_broken_total"):
        mend = "Please report the traceback in the log of ari; the call rang as if without us."
        return warn(NAME, f"{seen}; {counted(_sum(calls, 'ringcard_broken_total'), 'mistake')} of ours", mend)
    late = _sum(calls, "ringcard_budget_missed_total")
    if late > max(LATE_FEW, LATE_SHARE * _sum(calls, "ringcard_lookups_total")):
        mend = "Redis or the database answers too slowly: see their findings, and lookup.budget_ms."
        return warn(NAME, seen, mend)
    return ok(NAME, seen)


def _told(calls: Sequence[Said], now: float) -> str:
    """What happened to calls since the first of these processes began."""
    began = min(_sum([each], "process_start_time_seconds") for each in calls)
    parts = [
        counted(_sum(calls, "ringcard_lookups_total"), "lookup"),
        f"{_sum(calls, 'ringcard_lookups_total', answer='found')} found",
        f"{_sum(calls, 'ringcard_budget_missed_total')} over the budget",
        counted(_sum(calls, "ringcard_orphans_total"), "orphan"),
        counted(_sum(calls, "ringcard_reconnects_total"), "reconnect"),
    ]
    return f"in {_lasting(now - began)}: {', '.join(parts)}"


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
        return counted(minutes, "minute")
    return counted(minutes // 60, "hour") if minutes < 48 * 60 else counted(minutes // 1440, "day")
