"""The facts of one call, as plain values: what the call machine writes, the journal keeps and the log is made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha1
from typing import Any
from uuid import UUID

import msgspec
import orjson

CALLS = UUID("5c1f0c4e-3a0e-5c6b-9a52-0a1e3c1f7d11")
"""Namespace of call ids. A call's id follows from node and linkedid, so all that see the call agree on it."""

_CALLS = CALLS.bytes


def call_id_of(node: str, linkedid: str) -> str:
    """The UUIDv5 (RFC 9562) of the two, written out here: the standard library's takes twice as long."""
    digest = bytearray(sha1(_CALLS + f"{node}/{linkedid}".encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


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
    """What is no Unicode in a stranger's name (half a surrogate pair) becomes a question mark."""
    try:
        return orjson.dumps(facts)
    except TypeError:
        return orjson.dumps(_unicode_only(asdict(facts)))


def _unicode_only(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unicode_only(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_unicode_only(item) for item in value]
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def from_bytes(raw: bytes) -> CallFacts:
    """Raises ValueError when the bytes are not call facts."""
    try:
        return _FACTS.decode(raw)
    except msgspec.DecodeError as exc:
        raise ValueError(f"not the facts of a call: {exc}") from exc


_FACTS = msgspec.json.Decoder(CallFacts)
