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

NOT_ALL_HEARD = "Not all of it was heard."
"""In the reason of a call of which an answer or the end was only found out; what knows more of it takes its place."""


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
class TraceStep:
    """What was seen of a call, or done with it, at one moment. `at_ms`: since the epoch, UTC."""

    at_ms: int
    what: str  # some words, of phones and causes; no customer's name or number


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
    caller_key: str  # match_key of the customer's side: of who called, or of the number that was dialled outside
    caller_name: str
    shown_name: str
    called_number: str  # the company's number; of an outbound call the one that was dialled
    trunk: str
    customer_id: int | None
    tier: str
    reason: str
    answered_endpoint: str  # the company's phone that talked last; of an answered outbound call the one that dialled
    hangup_by: str
    hangup_cause: int
    legs: tuple[LegFacts, ...] = ()
    caller_endpoint: str = ""  # the company's phone that called, of outbound and internal calls
    merged_into: str = ""  # call_id of the conversation that this one became a part of (a consultation, transferred)
    trace: tuple[TraceStep, ...] = ()  # in order of time; of a long story the middle is left out

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
