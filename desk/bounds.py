"""What a request may say, as types of parameters: ids, days, and pages of a list. The API's description tells them."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from fastapi import Header
from pydantic import BeforeValidator, Field
from starlette.convertors import Convertor, register_url_convertor

from config.sentences import say
from records.pages import LONGEST_PAGE

MOST_ID = 2**31 - 1
"""What PostgreSQL keeps in an integer."""

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(9998, 12, 30)
"""Days that have a beginning and an end in every time zone."""

LONGEST_CURSOR = 2000


def _written_out(value: Any) -> Any:
    """Not the seconds since 1970, which pydantic would read as a day."""
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError(say("a day is written like {example}", example="2026-04-14"))
    return value


class WholeNumber(Convertor[str]):
    """`{task_id:id}` in an address: digits, so that /tasks/up beside it is no task."""

    regex = "[0-9]{1,10}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("id", WholeNumber())

Id = Annotated[int, Field(ge=1, le=MOST_ID)]
Limit = Annotated[int, Field(ge=1, le=LONGEST_PAGE, description="how many at most")]
After = Annotated[
    str, Field(max_length=LONGEST_CURSOR, description="`next` of the page before; left out: the first page")
]
Day = Annotated[
    date,
    BeforeValidator(_written_out),
    Field(ge=FIRST_DAY, le=LAST_DAY, description="of the company's time zone, YYYY-MM-DD"),
]
IfMatch = Annotated[str, Header(max_length=200, description="the `ETag` that you read; 428 without one")]
