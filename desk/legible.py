"""What a request says must be something that can be kept: looked at once, for every address.

No figures beyond what a database has room for, no NaN, no endless boxes in boxes, and no NUL in an address. What is no
letter in the texts of a body is left out where they are kept, or refused there (`desk/store.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from fastapi import Request

from config.sentences import say
from records.errors import Unfit

MOST = 2**63 - 1
DEEPEST = 40

NO_TEXT: str = say("has a NUL, which no text has")
TOO_LARGE = say("is a number beyond {most}", most=MOST)
NO_NUMBER = say("is no number that can be written down")
TOO_DEEP = say("has too many things in each other")


async def legible(request: Request) -> None:
    """Dependency of every address but those that Asterisk asks: it gets the answer "unknown". Raises Unfit."""
    if request.url.path.startswith("/dialplan/"):
        return
    said: dict[str, Any] = {**request.path_params}
    for name, value in request.query_params.multi_items():
        said[name] = value
        if "\x00" in name:
            raise Unfit({"query": NO_TEXT})
    faults = {name: NO_TEXT for name, value in said.items() if "\x00" in value}
    faults |= dict(
        _faults("", getattr(request, "_json", None))
    )  # what was read; to read here would be to read for anybody
    if faults:
        raise Unfit(faults)


def _faults(name: str, value: Any, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Each fault by the name of its field, as the other errors name it: `numbers.0.label`."""
    fault = ""
    if depth > DEEPEST:
        fault = TOO_DEEP
    elif isinstance(value, float):
        fault = "" if math.isfinite(value) else NO_NUMBER
    elif isinstance(value, int):
        fault = "" if abs(value) <= MOST else TOO_LARGE
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _faults(f"{name}.{key}" if name else key, one, depth + 1)
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from _faults(f"{name}.{place}" if name else str(place), one, depth + 1)
    if fault:
        yield name or "body", fault
