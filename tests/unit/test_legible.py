"""What a request says is refused where it is no text and no number that can be kept."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from starlette.requests import Request

from desk.legible import DEEPEST, legible
from records.errors import Unfit


async def look(query: bytes = b"", body: bytes | None = None, path: str = "/api/v1/tasks", **parts: str) -> None:
    """As FastAPI does: a body that its function takes was read before."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body or b"", "more_body": False}

    scope = {"type": "http", "method": "POST", "path": path, "query_string": query, "headers": []}
    request = Request(scope | {"path_params": parts, "app": None}, receive)
    if body is not None:
        await request.json()
    await legible(request)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"query": b"q=a%00b"}, "q"),
        ({"query": b"a%00b=1"}, "query"),
        ({"number": "+855\x00"}, "number"),
        ({"body": b'{"numbers": [{}, {"label": -1e999}]}'}, "numbers.1.label"),
        ({"body": b'{"debt": NaN}'}, "debt"),
        ({"body": b'{"debt": -Infinity}'}, "debt"),
        ({"body": b'{"debt": 9223372036854775808}'}, "debt"),
        ({"body": b"NaN"}, "body"),
    ],
)
async def test_what_cannot_be_kept_is_refused_by_the_name_of_its_field(said: dict[str, Any], field: str) -> None:
    with pytest.raises(Unfit) as refused:
        await look(**said)
    assert list(refused.value.errors) == [field]


async def test_things_in_things_have_an_end() -> None:
    deep = b'{"fields": ' + b"[" * (DEEPEST + 5) + b"]" * (DEEPEST + 5) + b"}"
    with pytest.raises(Unfit):
        await look(body=deep)


async def test_every_writing_passes() -> None:
    await look(b"q=%E1%9E%9F%E1%9E%BB%E1%9E%81", orjson.dumps({"title": "Сок សុខ \t\n 👍🏽 \x00", "debt": 2**63 - 1}))


async def test_asterisk_is_answered_whatever_a_caller_sends() -> None:
    await look(b"number=%00", path="/dialplan/caller-name")


async def test_a_body_that_nobody_has_read_is_not_read_here() -> None:
    async def receive() -> dict[str, Any]:
        raise AssertionError("who is not known yet could send anything, of any length")

    scope = {"type": "http", "method": "POST", "path": "/import", "query_string": b"", "headers": []}
    await legible(Request(scope | {"path_params": {}}, receive))
