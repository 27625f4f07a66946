"""What doctor makes of what the processes say."""

from __future__ import annotations

import pytest

from config.measures import Histogram, Said, Sample
from ringcard.check_figures import judged

NOW = 1_000_000.0
UP, DOWN = Sample("ringcard_up", 1), Sample("ringcard_up", 0)


def ari(name: str = "ari", hours: float = 3, **figures: int) -> Said:
    of_lookups = [
        Sample("ringcard_lookups_total", 90, {"answer": "found", "tier": "exact", "source": "cache"}),
        Sample("ringcard_lookups_total", 10, {"answer": "unknown", "tier": "", "source": "cache"}),
        Sample("ringcard_lookup_seconds", Histogram((0.1,))),
    ]
    others = [Sample(f"ringcard_{figure}_total", value) for figure, value in figures.items()]
    return Said(name, (UP, Sample("process_start_time_seconds", NOW - hours * 3600), *of_lookups, *others))


OTHERS = [
    Said(name, (UP, Sample("ringcard_lookups_total", 5, {"answer": "found"}))) for name in ("agi", "desk", "worker")
]


def test_what_happened_since_the_start_is_told_in_one_line() -> None:
    finding = judged([ari(budget_missed=1, orphans=1, reconnects=2), *OTHERS], NOW)
    assert (finding.state, finding.mend) == ("ok", "")
    assert finding.seen == (
        "ari, agi, desk, worker answer; in 3 hours: 100 lookups, 90 found, 1 over the budget, 1 orphan, 2 reconnects"
    )


def test_several_that_serve_calls_are_told_together() -> None:
    finding = judged([ari(hours=0.5), ari("ari-2", hours=72), *OTHERS], NOW)
    assert "in 3 days: 200 lookups, 180 found" in finding.seen


@pytest.mark.parametrize(
    ("said", "seen", "mend"),
    [
        ([Said(name, (DOWN,)) for name in ("agi", "ari", "desk", "worker")], "none of", "ringcard run"),
        ([ari(), *OTHERS[:2], Said("worker", (DOWN,))], "away or frozen: worker", "log of worker"),
        ([ari(budget_missed=6), *OTHERS], "6 over the budget", "lookup.budget_ms"),
        ([ari(broken=1), *OTHERS], "1 mistake of ours", "traceback"),
    ],
)
def test_what_is_to_be_looked_at_says_its_mend(said: list[Said], seen: str, mend: str) -> None:
    finding = judged(said, NOW)
    assert finding.state == "warn"
    assert seen in finding.seen
    assert mend in finding.mend
