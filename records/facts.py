"""The facts of one call, as plain values: what the call machine writes, the journal keeps and the log is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class LegFacts:
    """One attempt to ring one phone. Times are milliseconds since the epoch, UTC; 0 means "not (yet)"."""

    channel_id: str
    endpoint: str
    started_ms: int
    answered_ms: int = 0
    ended_ms: int = 0
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class CallFacts:
    """One conversation; names as in the public contract. A higher version replaces a lower one, never the other way."""

    call_id: str
    node: str
    linkedid: str
    uniqueid: str
    version: int
    direction: str
    outcome: str
    started_ms: int
    answered_ms: int
    ended_ms: int
    caller_number: str
    caller_key: str
    caller_name: str
    shown_name: str
    called_number: str
    trunk: str
    customer_id: int | None
    tier: str
    reason: str
    answered_endpoint: str
    hangup_by: str
    hangup_cause: int
    legs: tuple[LegFacts, ...] = ()

    @property
    def wait_s(self) -> float | None:
        """From the arrival to a person's answer, or to the end when nobody answered."""
        end = self.answered_ms or self.ended_ms
        return (end - self.started_ms) / 1000 if end else None

    @property
    def talk_s(self) -> float | None:
        return (self.ended_ms - self.answered_ms) / 1000 if self.answered_ms and self.ended_ms else None


def to_bytes(facts: CallFacts) -> bytes:
    return orjson.dumps(asdict(facts))


def from_bytes(raw: bytes) -> CallFacts:
    """Raises ValueError when the bytes are not call facts."""
    try:
        body: Mapping[str, Any] = orjson.loads(raw)
        return CallFacts(**{**body, "legs": tuple(LegFacts(**leg) for leg in body["legs"])})
    except (TypeError, KeyError) as exc:
        raise ValueError(f"not the facts of a call: {exc}") from exc
