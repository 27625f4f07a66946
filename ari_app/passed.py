"""What one process tells the tracker of a call that it answered, as a value and as text."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import orjson

from ari_app.canonical import Passage
from lookup.notices import LiveCall
from lookup.routing import Route
from records.facts import TraceStep

EVENT = "RingcardAnswer"
"""The name of the user event that carries it."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A call as the process told it that had it in its hands, with why each phone rings and what the lookup took."""

    live: LiveCall
    route: Route
    passage: Passage
    steps: tuple[TraceStep, ...] = ()


def to_text(passed: Passed) -> str:
    return orjson.dumps(passed).decode()


def from_text(text: str) -> Passed | None:
    """None when it is none: of another version of this program."""
    try:
        return _PASSED.decode(text)
    except msgspec.DecodeError:
        return None


_PASSED = msgspec.json.Decoder(Passed)
