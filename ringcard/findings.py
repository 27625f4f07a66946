"""What doctor finds: one finding for each link of the chain, and how the list is shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`fail`: a call would not be named, shown or routed as it should. `warn`: it would, but look at this."""

    name: str
    state: State
    seen: str
    mend: str = ""  # one sentence; empty when there is nothing to mend


def several(number: int, what: str) -> str:
    """ "1 number", "2 numbers"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def ok(name: str, seen: str) -> Finding:
    return Finding(name, "ok", seen)


def warn(name: str, seen: str, mend: str) -> Finding:
    return Finding(name, "warn", seen, mend)


def fail(name: str, seen: str, mend: str) -> Finding:
    return Finding(name, "fail", seen, mend)


def failed(name: str, trouble: Exception) -> Finding:
    """A failure from one of our errors, whose text is what is wrong, a semicolon, and what to do."""
    seen, _, mend = str(trouble).partition("; ")
    return fail(name, seen, mend[:1].upper() + mend[1:])


def would_ring(findings: Sequence[Finding]) -> bool:
    """Whether a call would work: nothing failed."""
    return not any(finding.state == "fail" for finding in findings)


def render(findings: Sequence[Finding], as_json: bool = False) -> str:
    """For a person, or as one JSON object: `works`, and `findings` with the field names of Finding."""
    if as_json:
        body = {"works": would_ring(findings), "findings": [asdict(finding) for finding in findings]}
        return json.dumps(body, ensure_ascii=False, indent=2)
    width = max((len(finding.name) for finding in findings), default=0)
    lines = [line for finding in findings for line in _lines(finding, width)]
    return "\n".join([*lines, "", _verdict(findings)])


def _lines(finding: Finding, width: int) -> list[str]:
    mend = [f"{'':6}{'':{width}}  -> {finding.mend}"] if finding.mend else []
    return [f"{finding.state:4}  {finding.name:{width}}  {finding.seen}", *mend]


def _verdict(findings: Sequence[Finding]) -> str:
    failures = sum(finding.state == "fail" for finding in findings)
    warnings = sum(finding.state == "warn" for finding in findings)
    hints = f"; {warnings} to look at" if warnings else ""
    if failures:
        return f"A call would not work as it should: {failures} of {len(findings)} links are broken{hints}."
    return f"A call would work: {len(findings)} links seen, none broken{hints}."
