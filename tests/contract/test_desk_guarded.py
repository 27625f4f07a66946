"""What holds at every address of the desk: who may come, what every answer carries, and where it may lead.

The addresses are taken from the desk's own table of routes, so that a new one is held to the same.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from desk.announce import Audience
from desk.guard import CSP, HEADERS, SAFE, TOLD_BY_PROGRAMS
from records.database import reading, writing
from records.tables import Base, Note, Task
from tests.fixtures.desk import PASSWORD, RunningDesk, Visitor
from tests.hostile import STREAM, fields_of, fill, forms_of, routes

EVIL = (
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "///evil.example",
    "javascript:alert(1)",
    "/\t/evil",
)
KEPT = (
    "/words/",
    "/favicon.ico",
    "/designs/",
    "/company/face.css",
    "/company/logos/",
    "/manifest.webmanifest",
    "/sw.js",
    "/photos/",
)
"""What a browser may keep: nothing in it tells of a customer but pictures, whose names are of their content."""


def everything(desk: RunningDesk, *but: str) -> Mapping[str, list[Any]]:
    """All that is in the database."""
    with reading(desk.database()) as session:
        return {
            table.name: sorted(map(repr, session.execute(select(table))))
            for table in Base.metadata.sorted_tables
            if table.name not in but
        }


ELSEWHERE = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "https://other.desk.test"},
)


async def test_no_change_can_be_asked_for_by_another_site(desk: RunningDesk, stranger: Visitor) -> None:
    """Cross-site request forgery: the browser sends the session along, and the guard looks where it comes from."""
    trap = fill(desk)
    boss = await stranger.has_session(desk, trap.people["administrator"])
    before = everything(desk)
    for method, route in routes():
        for headers in ELSEWHERE if method not in SAFE else ():
            answer = await boss.request(method, trap.address(route.path), headers=headers, content=b"")
            wanted = 401 if route.path.startswith(TOLD_BY_PROGRAMS) else 403
            assert answer.status_code == wanted, f"{method} {route.path} {headers}"
    assert everything(desk) == before
    assert (await boss.get("/api/v1/me")).json()["login"] == "boss"


async def test_what_is_only_read_changes_nothing(desk: RunningDesk, dara: Visitor) -> None:
    """A page that another site has a browser open is asked for with the session, and nothing forbids that."""
    trap = fill(desk)
    before = everything(desk)
    for method, route in routes():
        if method == "GET" and route.path != STREAM:
            await dara.get(trap.address(route.path))
    assert everything(desk) == before


async def test_every_answer_carries_the_policy_and_no_page_is_kept(
    desk: RunningDesk, dara: Visitor, stranger: Visitor
) -> None:
    trap = fill(desk)
    statuses = set()
    for visitor in (dara, stranger):
        for method, route in routes():
            if route.path == STREAM:
                continue
            for asked in (method, "OPTIONS"):
                answer = await visitor.request(asked, trap.address(route.path), content=b"{}")
                statuses.add(answer.status_code)
                where = f"{asked} {route.path} {answer.status_code}"
                assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, where
                if not route.path.startswith(KEPT):
                    assert answer.headers["cache-control"] == "no-store", where
    assert {200, 303, 401, 403, 404, 405} <= statuses
    assert "unsafe" not in CSP


async def test_an_answer_to_what_breaks_carries_the_policy_as_well(
    desk: RunningDesk, dara: Visitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def break_down(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(desk.app.state.services.faces, "refresh", break_down)
    monkeypatch.setattr(Audience, "show_all", break_down)
    for path in ("/", "/api/v1/live"):
        answer = await dara.get(path)
        assert answer.status_code == 500
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, path
        assert "a fault of ours" not in answer.text
    assert "GET /api/v1/live failed" in caplog.text


async def test_no_address_leads_to_another_site(desk: RunningDesk, dara: Visitor, stranger: Visitor) -> None:
    trap = fill(desk)
    tried = 0
    for method, route in routes():
        address = trap.address(route.path)
        asked = {param.alias for param in route.dependant.query_params} & {"next", "back"}
        forms = forms_of(route) & {"next", "back"}
        for name, target in [(name, target) for name in (*asked, *forms) for target in EVIL]:
            tried += 1
            given = {"params": {name: target}} if name in asked else {"data": {**GOOD, name: target}}
            for visitor in (dara, stranger):
                answer = await visitor.request(method, address, **given)  # type: ignore[arg-type]
                where = answer.headers.get("location", "/")
                assert re.match(r"/(?![/\\])", where), f"{method} {address} {target}: {where}"
                assert "evil" not in re.sub(r"next=[^&]*", "", where), where
                assert f'"{target}"' not in answer.text, address
    assert tried >= 30
    for path in ("/customers/", "/calls/", "//evil.example/", "/static", "/api/v1/me/"):
        answer = await dara.get(f"http://desk.test{path}", headers={"Host": "evil.example"})
        assert "evil" not in answer.headers.get("location", ""), path


GOOD = {"login": "dara", "password": PASSWORD, "title": "Odd", "code": "123456"}


async def test_no_name_of_a_file_nor_anything_typed_begins_a_header(desk: RunningDesk, boss: Visitor) -> None:
    name = "a.csv\r\nX-Owned: yes\r\n\r\n<x-owned>"
    sent = await boss.post("/import", files={"file": (name, b"Name,Phone\nA,012345678\n")})
    shown = await boss.get(sent.headers["location"])
    assert "\n" not in re.findall(r"<h1[^>]*>(.*?)</h1>", shown.text, re.DOTALL)[0]
    for method, path, given in (
        ("GET", "/customers/by-number/%0d%0aX-Owned:%20yes", {}),
        ("GET", "/sign-in?next=/%0d%0aX-Owned:%20yes", {}),
        ("POST", "/customers/views", {"data": {"name": "x", "address": "q=\r\nX-Owned: yes"}}),
        ("POST", "/me/do-not-disturb", {"data": {"back": "/\r\nX-Owned: yes"}}),
    ):
        answer = await boss.request(method, path, **given)  # type: ignore[arg-type]
        assert answer.status_code == 303, path
        assert "x-owned" not in answer.headers, path
        assert "\r" not in answer.headers["location"], path


async def test_every_cookie_is_for_this_site_and_for_no_script(desk: RunningDesk, stranger: Visitor) -> None:
    with writing(desk.database()) as session:
        session.execute(Base.metadata.tables["users"].update().values(role="supervisor"))
    object.__setattr__(desk.parts.settings.desk, "second_factor", ("supervisor",))
    half = await stranger.sign_in("mony")
    object.__setattr__(desk.parts.settings.desk, "second_factor", ())
    whole = await stranger.sign_in("dara")
    left = await stranger.post("/sign-out")
    cookies = [cookie for answer in (half, whole, left) for cookie in answer.headers.get_list("set-cookie")]
    assert len(cookies) >= 4
    for cookie in cookies:
        parts = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "samesite=lax", "path=/"} <= parts, cookie
        assert not any(part.startswith("domain") for part in parts), cookie


async def test_nobody_reads_or_changes_what_is_anothers_by_its_id(desk: RunningDesk, dara: Visitor) -> None:
    """Mony asks for Dara's task, note, call, sessions, tokens and lists at every address that takes such an id."""
    trap = fill(desk)
    with writing(desk.database()) as session:
        now = datetime.now(UTC)
        task = Task(title="x-owned task of Dara alone", user_id=desk.people.dara, due_at=now, created_at=now)
        session.add_all([task, Note(text="x-owned note", user_id=desk.people.dara, call_id="trapped", created_at=now)])
        session.flush()
        own = {"task_id": str(task.id), "call_id": "trapped"}
    others = {**trap.ids, **own}
    desk.app.state.services.people.forget()
    asked = 0
    async with Visitor(desk.app) as mony:
        await mony.has_session(desk, desk.people.mony)
        before = everything(desk, "search")
        for method, route in routes():
            names = set(re.findall(r"\{(\w+)", route.path))
            if not names & {"task_id", "call_id", "session_id", "token_id", "view_id", "user_id"}:
                continue
            asked += 1
            address = re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: others[found[1]], route.path)
            fields = {name: BODY[name] for name in fields_of(route) if name in BODY}
            given: dict[str, Any] = {"json": fields} if fields or forms_of(route) == set() else {"data": BODY}
            answer = await mony.request(method, address, headers={"If-Match": '"x"'}, **given)
            assert answer.status_code in (303, 403, 404), f"{method} {address}"
            assert "x-owned" not in answer.text, f"{method} {address}"
        assert everything(desk, "search") == before
    assert asked >= 25
    for path in (f"/tasks/{own['task_id']}", "/calls/trapped"):
        assert "x-owned" in (await dara.get(path)).text, "whose it is sees it"


BODY = {"title": "Mine", "text": "Mine", "until": "1h", "password": "mine now", "mark": "x", "name": "Mine"}


async def test_guessing_an_id_tells_nothing_of_whether_it_is_there(desk: RunningDesk) -> None:
    trap = fill(desk)
    async with Visitor(desk.app) as mony:
        await mony.has_session(desk, desk.people.mony)
        with writing(desk.database()) as session:
            now = datetime.now(UTC)
            task = Task(title="Dara's", user_id=desk.people.dara, created_at=now)
            session.add(task)
            session.flush()
            task_id = task.id
        pairs = [(f"/api/v1/tasks/{task_id}", "/api/v1/tasks/999999"), ("/api/v1/calls/trapped", "/api/v1/calls/none")]
        for there, nowhere in pairs:
            answers = await asyncio.gather(mony.get(there), mony.get(nowhere))
            assert answers[0].status_code == answers[1].status_code == 404
            assert answers[0].json() == answers[1].json()
    assert trap.ids
