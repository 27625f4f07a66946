"""Many measured times as a few figures: median, p90, p99 and the slowest."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Distribution:
    """Of `count` times, in their own unit."""

    count: int
    median: float
    p90: float
    p99: float
    max: float


def distribution(times: Iterable[float]) -> Distribution:
    """Raises ValueError without any time: a figure for nothing would be believed."""
    ordered = sorted(times)
    if not ordered:
        raise ValueError("nothing was measured")
    return Distribution(len(ordered), _rank(ordered, 0.5), _rank(ordered, 0.9), _rank(ordered, 0.99), _rank(ordered, 1))


def _rank(ordered: Sequence[float], share: float) -> float:
    """The smallest measured time that `share` of all do not exceed (nearest rank): no time that never was."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def rows(named: Mapping[str, Distribution], unit: str, decimals: int) -> list[str]:
    """A table, its heading first."""
    lines = [f"  {'':<34}{'n':>6}{'median':>9}{'p90':>9}{'p99':>9}{'max':>9}  {unit}"]
    for name, d in named.items():
        figures = "".join(f"{value:>9.{decimals}f}" for value in (d.median, d.p90, d.p99, d.max))
        lines.append(f"  {name:<34}{d.count:>6}{figures}")
    return lines
