"""Lists in pages. A page ends where the next begins by the value of the last row, so rows that come in meanwhile
neither repeat nor hide anything.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Generic, TypeVar

import orjson

from config.sentences import say
from records.errors import Refused

T = TypeVar("T")

LONGEST_PAGE = 500

NO_PAGE = say("this page does not exist; begin at the first one")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    items: tuple[T, ...]
    next: str = ""  # hand it in as `after` for the next page; empty: this was the last


def cursor(*values: str | int) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


def values_of(after: str, *kinds: type) -> tuple[str | int, ...]:
    """What `cursor` was made of. Raises Refused for a text that is not one of ours."""
    try:
        values = orjson.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
    except (ValueError, binascii.Error) as exc:
        raise Refused(NO_PAGE) from exc
    if not isinstance(values, list) or [type(value) for value in values] != list(kinds):
        raise Refused(NO_PAGE)
    return tuple(values)


def at_most(limit: int) -> int:
    return max(1, min(limit, LONGEST_PAGE))
