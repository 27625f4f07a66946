"""Every address of the desk, asked by every role of a company all of whose texts are hostile, and with odd values."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest
import pytest_asyncio
from fastapi.routing import APIRoute
from openpyxl import Workbook
from sqlalchemy import func, select

from config.settings import Settings
from records.database import reading
from records.tables import Base
from tests import hostile
from tests.fixtures.desk import People, RunningDesk, Visitor, alive, moved_to, opened
from tests.hostile import (
    COUNTED,
    FORMULAS,
    STREAM,
    WHO,
    Trap,
    breakouts,
    fields_of,
    forms_of,
    formulas,
    hostile_calls,
    routes,
)


@dataclass
class Trapped:
    """The hostile company's desk at work, and a visitor of each role."""

    desk: RunningDesk
    company: Trap
    visitors: Mapping[str, Visitor]

    @property
    def odd(self) -> Sequence[str]:
        """Values to try: on PostgreSQL those alone that its driver could take in another way than SQLite's."""
        return ODD if self.desk.database().dialect.name == "sqlite" else ODD[:5]


@contextlib.asynccontextmanager
async def at_work(company: tuple[Settings, People], redis_url: str, folder: Path) -> AsyncIterator[Trapped]:
    settings, people = company
    (folder / "erp.db").touch()
    async with contextlib.AsyncExitStack() as stack:
        settings = hostile.hostile(settings, f"sqlite:///{folder / 'erp.db'}")
        running = await stack.enter_async_context(opened(settings, people, redis_url))
        trap = hostile.fill(running)
        await stack.enter_async_context(alive(running))
        visitors = {}
        for role in WHO:
            visitor = await stack.enter_async_context(Visitor(running.app))
            visitors[role] = await visitor.has_session(running, trap.people[role])
        yield Trapped(running, trap, visitors)


@pytest_asyncio.fixture
async def trap(company: tuple[Settings, People], redis_url: str, tmp_path: Path) -> AsyncIterator[Trapped]:
    async with at_work(company, redis_url, tmp_path) as found:
        yield found


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def either(
    request: pytest.FixtureRequest, company: tuple[Settings, People], redis_url: str, tmp_path: Path
) -> AsyncIterator[Trapped]:
    """On each kind of database: what one of them takes, the other may not."""
    settings, people = company
    if request.param == "postgresql":
        settings, people = moved_to(request.getfixturevalue("postgres_url"), settings)
    async with at_work((settings, people), redis_url, tmp_path) as found:
        yield found


async def test_no_text_breaks_out_of_any_answer_to_anybody(trap: Trapped) -> None:
    await trap.desk.publish(*hostile_calls(trap.company))
    asked = [route.path for method, route in routes() if method == "GET" and route.path != STREAM]
    for role, visitor in trap.visitors.items():
        for address in (*map(trap.company.address, asked), *trap.company.more):
            answer = await visitor.get(address)
            where, kind = f"{role} {address} {answer.status_code}", answer.headers.get("content-type", "")
            assert answer.status_code < 500, where
            assert (breakouts(answer.text) if "html" in kind else []) == [], where
            assert COUNTED not in answer.text, where
            assert formulas(kind, answer.content) == [], where
            assert [name for name, value in answer.headers.items() if "<x-owned" in value] == [], where
    files = [(await trap.visitors["administrator"].get(address)).text for address in trap.company.more]
    assert all("x-owned" in page for page in files)
    assert all("What each column is" in page or "The first cards" in page for page in files[:3])


def test_a_text_that_breaks_out_is_seen() -> None:
    for page in ("<p><x-owned></p>", "<a onclick=x>", "<a href=' javascript:x'>", "<script>x</script>", "<p>426763565"):
        assert breakouts(page), page


def test_a_formula_in_a_table_is_seen() -> None:
    """No address gives a table yet that a spreadsheet opens; one that is added is looked at above."""
    for cell in FORMULAS:
        table = io.StringIO()
        csv.writer(table).writerows([["Name", "Owes"], [cell, "-5.00"]])
        assert formulas("text/csv; charset=utf-8", table.getvalue().encode()) == [cell]
        book, sent = Workbook(), io.BytesIO()
        assert book.active is not None
        book.active.append(["Name", "=1+1"])
        book.save(sent)
        assert formulas("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", sent.getvalue())
    assert formulas("text/csv", b"Name,Owes\n'=1+1,-5.00\n") == []


# --- odd values


ODD = (
    "' OR '1'='1'; DROP TABLE customers; --",
    '%_\\"*)(uid=*))',
    "a\x00b",
    "9" * 30,
    "9" * 5000,
    "-1",
    "\u0663",  # a digit of another script
    "0001-01-01",
    "9999-12-31",
    "../../etc/passwd\r\nX-Owned: {{98765*4321}}\u202e",
)
ODD_IDS = ("-1", "9" * 30, "2147483648")
ODD_JSON = (*map(orjson.dumps, (-1, 2**31, 2**63, 1.5)), b'"\\ud800"', b"1e999")
UNSAID = {
    "/customers/new": ("name", "number.0", "ext.0", "label.0", "manager_id", "debt", "photo", "custom.grade", "was"),
    "/customers/{customer_id}/edit": ("name", "number.0", "kept.0", "manager_id", "debt", "photo", "version", "was"),
    "/customers/{customer_id}/fields": ("remark", "limit", "version"),
    "/company": ("name", "accent", "design"),
    "/import/{import_id}/check": ("0", "1"),
}
"""Fields of forms that a route reads by itself."""

GOOD: Mapping[str, Any] = {
    "name": "Odd",
    "title": "Odd",
    "text": "Odd",
    "login": "odd",
    "password": "correct horse",
    "number": "+85517000111",
    "caller": "+85517000111",
    "until": "10m",
    "condition": "is:company",
    "value": "Odd",
    "version": "1",
    "was": '{"values": {}, "lines": []}',
    "number.0": "+85517000111",
}
"""What stands in the other fields, so that an odd one is not refused for them."""


@pytest.mark.timeout(600)  # thousands of requests: on a busy machine more than two minutes
async def test_no_odd_value_in_an_address_breaks_anything_or_finds_anybody(either: Trapped) -> None:
    before, boss, broken = rows(either.desk), either.visitors["administrator"], set()
    for method, route in routes():
        if method != "GET" or route.path == STREAM:
            continue
        asked = {param.alias for param in route.dependant.query_params}
        asked |= {"q", "manager", "own.grade"} if route.path == "/customers" else set()
        for name, value in [(name, value) for name in sorted(asked) for value in either.odd]:
            answer = await boss.get(either.company.address(route.path), params={name: value})
            broken |= {f"{route.path} {name}={value[:40]!r}"} if answer.status_code >= 500 else set()
        for name, value in [
            (param.alias, value) for param in route.dependant.path_params for value in (*ODD_IDS, *ODD)
        ]:
            odd = replace(either.company, ids={**either.company.ids, name: quote(value, safe="")})
            answer = await boss.get(odd.address(route.path))
            broken |= {f"{route.path} for {name} {value[:40]!r}"} if answer.status_code >= 500 else set()
    assert not broken, "\n".join(sorted(broken))
    assert rows(either.desk) == before
    for words in ("' OR '1'='1", "x' OR 1=1 --", '" OR ""="', "%", "_"):
        found = (await boss.get("/api/v1/customers", params={"q": words})).json()
        assert all(words in str(one) for one in found["items"]), words


@pytest.mark.timeout(600)  # thousands of requests: on a busy machine more than two minutes
async def test_no_odd_value_that_is_sent_breaks_anything(either: Trapped) -> None:
    boss, broken = either.visitors["administrator"], set()
    for method, route in routes():
        if method == "GET" or route.path == "/sign-out":
            continue
        for what, sent in _sent(route, either.odd):
            address = either.company.address(route.path)
            headers = {"Idempotency-Key": what[:50].encode("ascii", "replace"), **sent.pop("headers", {})}
            if any(param.alias == "if-match" for param in route.dependant.header_params) and "If-Match" not in headers:
                read = await boss.get(re.sub(r"/(numbers|ranges)(/.*)?$", "", address))
                headers["If-Match"] = read.headers.get("etag", '"1"').encode()
            answer = await boss.request(method, address, headers=headers, **sent)
            broken |= {f"{method} {route.path} {what}"} if answer.status_code >= 500 else set()
            if answer.status_code == 401 or answer.headers.get("location", "").startswith("/sign-in"):
                await boss.has_session(either.desk, either.company.people["administrator"])
    assert not broken, "\n".join(sorted(broken))


def rows(desk: RunningDesk) -> dict[str, int]:
    """How many rows each table has, but for those that anybody's visit changes."""
    tables = [
        table for table in Base.metadata.sorted_tables if table.name not in ("sessions", "presence", "cards_seen")
    ]
    with reading(desk.database()) as session:
        return {table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in tables}


def _sent(route: APIRoute, values: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """One odd value after the other, in each field that a route takes."""
    forms = forms_of(route) | {*UNSAID.get(route.path, ())}
    for name, value in [(name, value) for name in sorted(forms) for value in values]:
        others = {other: GOOD[other] for other in forms if other in GOOD}
        yield f"{name}={value[:40]!r}", {"data": {**others, name: value}}
    fields = {} if forms else fields_of(route)
    needed = {name: GOOD[name] for name, must in fields.items() if must and name in GOOD}
    for name, odd_json in [(name, value) for name in fields for value in (*map(orjson.dumps, values), *ODD_JSON)]:
        others_json = orjson.dumps({other: good for other, good in needed.items() if other != name})[:-1]
        comma = b"," if len(others_json) > 1 else b""
        body = others_json + comma + orjson.dumps(name) + b":" + odd_json + b"}"
        said = f"{name}: {odd_json[:40].decode(errors='replace')}"
        yield said, {"content": body, "headers": {"Content-Type": "application/json"}}
    for odd in values if any(param.alias == "if-match" for param in route.dependant.header_params) else ():
        mark = odd.encode().replace(b"\r\n", b" ").replace(b"\x00", b" ")
        yield f"If-Match {odd[:40]!r}", {"json": {**needed}, "headers": {"If-Match": b'"' + mark + b'"'}}
    if not fields and not forms:
        yield "nothing", {"content": b""}
