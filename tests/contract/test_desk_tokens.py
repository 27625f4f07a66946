"""Tokens: made on one's own page, said by programs, as far as their scopes and their person's role go."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import update

from desk.sessions import scope_of
from records.database import reading, writing
from records.tables import ApiToken
from records.tokens import tokens_of
from records.users import change_user, deactivate
from tests.fixtures.desk import ORIGIN, PASSWORD, RITHY, RunningDesk, Visitor

UNTIL = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()


async def make(visitor: Visitor, *scopes: str, **form: str) -> httpx.Response:
    typed = {"name": "The ERP", "until": UNTIL, "password": PASSWORD, **form}
    return await visitor.post("/me/tokens", data={**typed, "scope": list(scopes)})


def token_in(answer: httpx.Response) -> str:
    made = re.search(r'id="made">([^<]+)<', answer.text)
    assert made, answer.text
    return made[1]


def program(desk: RunningDesk, token: str) -> httpx.AsyncClient:
    """It says its token, and nothing that a browser does."""
    transport = httpx.ASGITransport(app=desk.app, client=("192.0.2.9", 40000), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"Authorization": f"Bearer {token}"})


async def test_a_token_is_shown_once_and_reads_as_its_person(desk: RunningDesk, dara: Visitor) -> None:
    token = token_in(await make(dara, "read"))
    page = (await dara.get("/me")).text
    assert "The ERP" in page
    assert "never used" in page
    assert token not in page
    async with program(desk, token) as erp:
        assert (await erp.get("/api/v1/me")).json()["login"] == "dara"
        assert (await erp.get("/api/v1/customers", params={"q": "rithy"})).status_code == 200
        assert (await erp.get("/api/v1/people")).status_code == 403, "never more than the role"
    await desk.app.state.services.sessions.note()
    assert "last used" in (await dara.get("/me")).text


async def test_scopes_hold(desk: RunningDesk, dara: Visitor) -> None:
    reads, writes, calls = [token_in(await make(dara, scope)) for scope in ("read", "write", "calls")]
    choice = f"/api/v1/numbers/{RITHY}/choice"
    body = {"customer_id": desk.people.rithy}
    async with program(desk, reads) as one, program(desk, writes) as two, program(desk, calls) as three:
        refused = await one.post(choice, json=body)
        assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
        assert "it lacks the scope write" in refused.json()["detail"]
        assert (await two.post(choice, json=body)).status_code == 204
        assert (await two.get(choice)).status_code == 403
        assert (await one.get(choice)).status_code == 200
        for ask in (three.get(choice), three.delete(choice)):
            assert (await ask).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/api/v1/calls", "read"),
        ("HEAD", "/api/v1/customers/1", "read"),
        ("POST", "/api/v1/calls", "calls"),
        ("DELETE", "/api/v1/calls/1", "calls"),
        ("POST", "/api/v1/calls/1/notes", "write"),
        ("POST", "/api/v1/test-calls", "calls"),
        ("POST", "/api/v1/test-calls/1/end", "calls"),
        ("POST", "/api/v1/callsign", "write"),
        ("PATCH", "/api/v1/customers/1/fields", "write"),
    ],
)
def test_what_a_token_must_allow_follows_from_the_request(method: str, path: str, scope: str) -> None:
    assert scope_of(method, path) == scope


async def test_beside_a_token_no_cookie_counts_and_without_one_the_guard_stays(
    desk: RunningDesk, dara: Visitor
) -> None:
    """A foreign page can send the cookie, but no token; so a request with a token must get nothing from the cookie."""
    token = token_in(await make(dara, "write"))
    choice = f"/api/v1/numbers/{RITHY}/choice"
    body = {"customer_id": desk.people.rithy}
    async with program(desk, "rc_guessed") as forger:
        forger.cookies.update(dara.cookies)
        assert (await forger.post(choice, json=body)).status_code == 401
        assert (await forger.get("/api/v1/me")).status_code == 401
        assert (await forger.post("/sign-out")).status_code == 403, "on pages a token counts for nothing"
        forger.headers["Authorization"] = ""
        assert (await forger.post(choice, json=body)).status_code == 403
        forger.headers["Authorization"] = "Basic cmljaDpyaWNo"
        assert (await forger.post(choice, json=body)).status_code == 403
        assert (await forger.get("/api/v1/me")).status_code == 200
    async with program(desk, token) as erp:
        for path in ("/", "/me", "/customers", "/people"):
            assert (await erp.get(path)).headers["location"].startswith("/sign-in")
        assert (await erp.post("/me/tokens", data={"name": "more"})).status_code == 403


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "bearer x y", "Bearer \x7f", "Bearer " + "x" * 5000])
async def test_what_is_no_token_is_nobody(desk: RunningDesk, header: str) -> None:
    async with program(desk, "x") as one:
        one.headers["Authorization"] = header
        assert (await one.get("/api/v1/me")).status_code == 401


async def test_a_token_ends_with_its_day_by_its_person_and_with_them(
    desk: RunningDesk, boss: Visitor, dara: Visitor
) -> None:
    first, second = token_in(await make(dara, "read")), token_in(await make(dara, "read"))
    async with program(desk, first) as one, program(desk, second) as two:
        with reading(desk.database()) as session:
            [_, oldest] = [row.id for row in tokens_of(session, desk.people.dara)]
        assert (await boss.post(f"/me/tokens/{oldest}/end")).status_code == 404
        assert (await dara.post(f"/me/tokens/{oldest}/end")).status_code == 303
        assert (await one.get("/api/v1/me")).status_code == 401
        assert (await two.get("/api/v1/me")).status_code == 200
        with writing(desk.database()) as session:
            session.execute(update(ApiToken).values(ends_at=datetime.now(UTC) - timedelta(seconds=1)))
        desk.app.state.services.people.forget()
        assert (await two.get("/api/v1/me")).status_code == 401
        assert ">over<" in (await dara.get("/me")).text
        with writing(desk.database()) as session:
            session.execute(update(ApiToken).values(ends_at=datetime.now(UTC) + timedelta(days=1)))
        desk.app.state.services.people.forget()
        assert (await two.get("/api/v1/me")).status_code == 200
        with writing(desk.database()) as session:
            deactivate(session, desk.people.dara)
            change_user(session, desk.people.dara, active=True)
        desk.app.state.services.people.forget()
        assert (await two.get("/api/v1/me")).status_code == 401


async def test_a_token_does_what_its_person_may_now(desk: RunningDesk, boss: Visitor, dara: Visitor) -> None:
    token = token_in(await make(boss, "read", "write"))
    async with program(desk, token) as admin:
        assert (await admin.get("/api/v1/people")).status_code == 200
        made = await admin.post("/api/v1/teams", json={"name": "North"})
        assert made.status_code == 201
        with writing(desk.database()) as session:
            change_user(session, desk.people.dara, role="administrator")
            users = {row.user_id for row in tokens_of(session, desk.people.dara)}
            assert users == set()
        me = (await admin.get("/api/v1/me")).json()
        with writing(desk.database()) as session:
            change_user(session, me["user_id"], role="agent")
        desk.app.state.services.people.forget()
        assert (await admin.get("/api/v1/people")).status_code == 403
        assert (await admin.get("/api/v1/me")).json()["role"] == "agent"


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"name": " "}, "a token needs a name"),
        ({"until": "soon"}, "say until which day"),
        ({"until": "2020-01-01"}, "a token ends between tomorrow and two years from now"),
        ({"until": "9999-12-31"}, "say until which day"),
        ({"password": "wrong horse"}, "That is not your password"),
    ],
)
async def test_what_cannot_be_a_token_is_said_and_nothing_typed_is_lost(
    dara: Visitor, form: dict[str, str], said: str
) -> None:
    refused = await make(dara, "read", "calls", **form)
    assert (refused.status_code, said in refused.text) == (422, True)
    assert refused.text.count("checked") == 2
    assert f'value="{form.get("until", UNTIL)}"' in refused.text
    assert 'id="made"' not in refused.text


async def test_events_can_be_followed_with_a_token(desk: RunningDesk, dara: Visitor) -> None:
    token = token_in(await make(dara, "read"))
    async with program(desk, token) as erp:
        assert (await erp.get("/api/v1/live")).json()["live"] is True
