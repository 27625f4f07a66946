"""What a request says is refused where it is no text and no number that can be kept."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from starlette.requests import Request

from desk.legible import DEEPEST, legible
from records.errors import Unfit


def asked(query: bytes = b"", body: bytes | None = None, path: str = "/api/v1/tasks", **parts: str) -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body or b"", "more_body": False}

    headers = [(b"content-type", b"application/json; charset=utf-8")] if body is not None else []
    scope = {"type": "http", "method": "POST", "path": path, "query_string": query, "headers": headers}
    return Request(scope | {"path_params": parts, "app": None}, receive)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (asked(b"q=a%00b"), "q"),
        (asked(b"a%00b=1"), "query"),
        (asked(number="+855\x00"), "number"),
        (asked(body=b'{"numbers": [{}, {"label": -1e999}]}'), "numbers.1.label"),
        (asked(body=b'{"debt": NaN}'), "debt"),
        (asked(body=b'{"debt": -Infinity}'), "debt"),
        (asked(body=b'{"debt": 9223372036854775808}'), "debt"),
        (asked(body=b"NaN"), "body"),
    ],
)
async def test_what_cannot_be_kept_is_refused_by_the_name_of_its_field(request_: Request, field: str) -> None:
    with pytest.raises(Unfit) as refused:
        await legible(request_)
    assert list(refused.value.errors) == [field]


async def test_things_in_things_have_an_end() -> None:
    deep = b'{"fields": ' + b"[" * (DEEPEST + 5) + b"]" * (DEEPEST + 5) + b"}"
    with pytest.raises(Unfit):
        await legible(asked(body=deep))


async def test_every_writing_and_what_is_no_json_passes() -> None:
    await legible(
        asked(b"q=%E1%9E%9F%E1%9E%BB%E1%9E%81", orjson.dumps({"title": "Сок សុខ \t\n 👍🏽 \x00", "debt": 2**63 - 1}))
    )
    await legible(asked(body=b"{"))
    await legible(asked(body=b"[" * 100_000))


async def test_asterisk_is_answered_whatever_a_caller_sends() -> None:
    await legible(asked(b"number=%00", path="/dialplan/caller-name"))
