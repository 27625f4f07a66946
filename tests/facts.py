"""Calls as facts for tests: one that just came in, and whatever a test changes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from records.facts import CallFacts

NOW = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)

_ARRIVED = CallFacts(
    call_id="",
    node="pbx",
    linkedid="",
    uniqueid="",
    version=1,
    direction="inbound",
    outcome="",
    started_ms=int(NOW.timestamp() * 1000),
    answered_ms=0,
    ended_ms=0,
    caller_number="+85512345678",
    caller_key="+85512345678",
    caller_name="",
    shown_name="",
    called_number="+85523900001",
    trunk="trunk",
    customer_id=None,
    tier="",
    reason="",
    answered_endpoint="",
    hangup_by="",
    hangup_cause=0,
)


def facts(call_id: str, **changes: Any) -> CallFacts:
    """Of a call that came in at NOW."""
    its_own = replace(_ARRIVED, call_id=call_id, linkedid=f"link-{call_id}", uniqueid=f"u-{call_id}")
    return replace(its_own, **changes)
