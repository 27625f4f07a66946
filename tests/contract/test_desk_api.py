"""What the pages do, done by the API: who rings, imports, pictures, the company's face, one's own account."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from PIL import Image

from records.database import writing
from records.tables import User
from records.tokens import make
from tests.fixtures.desk import ORIGIN, PASSWORD, RITHY, RunningDesk, Visitor

FILE = b"name,phone\nNew Customer,+85517900900\n"


def picture(kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (80, 60), (200, 20, 90)).save(out, kind)
    return out.getvalue()


@pytest.fixture
async def program(desk: RunningDesk, boss: Visitor) -> AsyncIterator[httpx.AsyncClient]:
    """A program with an administrator's token of every scope."""
    with writing(desk.database()) as session:
        boss_id = session.query(User.id).filter_by(login="boss").scalar()
        token = make(session, boss_id, "all", ("read", "write", "calls"), datetime.now(UTC) + timedelta(days=1))
    desk.app.state.services.people.forget()
    transport = httpx.ASGITransport(app=desk.app, client=("192.0.2.9", 40000), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url=f"{ORIGIN}/api/v1", headers=headers) as client:
        yield client


async def test_who_rings_is_said_and_tried(program: httpx.AsyncClient, dara: Visitor, desk: RunningDesk) -> None:
    hours = {"week": "Mon-Fri 08:00-17:00", "holidays": "2026-04-14"}
    saved = (await program.put("/routing/hours", json=hours)).json()
    assert (saved["team"], saved["week"]) == (None, "Mon-Fri 08:00-17:00")
    assert (await program.get("/routing/hours")).json() == [saved]
    wrong = await program.put("/routing/hours", json={"week": "whenever"})
    assert (wrong.status_code, wrong.headers["content-type"]) == (422, "application/problem+json")

    rule = {"field": "debt", "test": "over", "value": "1000"}
    one = await program.post(
        "/routing/rules", json={**rule, "name": "first", "target": {"person_id": desk.people.mony}}
    )
    two = await program.post(
        "/routing/rules", json={**rule, "name": "second", "target": {"person_id": desk.people.dara}}
    )
    assert (one.status_code, one.json()["says"]) == (201, "Owes more than 1000.00 USD")
    second = two.json()["id"]
    await program.patch(f"/routing/rules/{second}", json={"move": "up", "active": False})
    rules = (await program.get("/routing/rules")).json()
    assert [(rule["name"], rule["active"]) for rule in rules] == [("second", False), ("first", True)]
    assert (await program.delete(f"/routing/rules/{second}")).status_code == 204

    at = {"number": RITHY, "at": "2026-11-26 09:00"}
    found = (await program.get("/routing/try", params=at)).json()
    assert (found["answer"], found["customers"]) == ("found", ["Sok Rithy"])
    assert {"field": "debt", "test": "over", "label": "Owes more than"} in (
        await program.get("/routing/conditions")
    ).json()["conditions"]
    assert (await program.delete(f"/routing/hours/{saved['id']}")).status_code == 204
    for method, path in (("GET", "/rules"), ("PUT", "/hours"), ("GET", f"/try?number={RITHY}")):
        refused = await dara.request(method, f"/api/v1/routing{path}", json={} if method == "PUT" else None)
        assert refused.status_code == 403, "the rules are for administrators"


async def test_a_file_is_imported_and_taken_back(program: httpx.AsyncClient, dara: Visitor) -> None:
    sent = await program.post("/imports", files={"file": ("new.csv", FILE, "text/csv")})
    assert (sent.status_code, sent.json()["state"]) == (201, "given")
    path = f"/imports/{sent.json()['import_id']}"
    columns = (await program.get(f"{path}/columns")).json()
    assert [(each["header"], each["taken_for"]) for each in columns["columns"]] == [
        ("name", "name"),
        ("phone", "phone"),
    ]
    assert columns["rows"] == [["New Customer", "+85517900900"]]

    assert (await program.post(f"{path}/check", json={"columns": {"1": "phone"}})).status_code == 202
    assert (await until(program, path, "checked"))["added"] == 1
    assert (await program.post(f"{path}/go-on")).status_code == 202
    await until(program, path, "done")
    assert len((await program.get("/customers", params={"q": "New Customer"})).json()["items"]) == 1
    assert (await program.delete(path)).status_code == 422, "what was taken in is undone, not thrown away"
    assert (await program.post(f"{path}/undo")).status_code == 202
    await until(program, path, "undone")
    assert (await dara.post("/api/v1/imports", files={"file": ("new.csv", FILE)})).status_code == 403
    more = await program.post("/imports", files={"file": ("new.csv", FILE)}, data={"columns": "name"})
    assert more.status_code == 422, "nothing that is sent is passed over"
    empty = await program.post("/imports", json={})
    assert (empty.status_code, empty.json()["detail"]) == (422, "Choose a file first.")


async def until(program: httpx.AsyncClient, path: str, state: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while (told := (await program.get(path)).json())["state"] != state:
            assert told["state"] != "failed", told
            await asyncio.sleep(0.05)
    return dict(told)


async def test_a_picture_comes_and_goes_with_the_version(program: httpx.AsyncClient, desk: RunningDesk) -> None:
    path = f"/customers/{desk.people.khmer}"
    etag = (await program.get(path)).headers["etag"]
    given = {"If-Match": etag, "Content-Type": "image/png"}
    put = await program.put(f"{path}/photo", content=picture(), headers=given)
    assert put.status_code == 200
    photo = await program.get(str(program.base_url.copy_with(path=put.json()["photo"])))
    assert photo.headers["content-type"] == "image/jpeg", "made anew"
    assert (await program.put(f"{path}/photo", content=picture(), headers=given)).status_code == 412
    assert (await program.put(f"{path}/photo", content=picture())).status_code == 428
    given["If-Match"] = put.headers["etag"]
    assert (await program.put(f"{path}/photo", content=b"<svg/>", headers=given)).status_code == 422
    gone = await program.delete(f"{path}/photo", headers={"If-Match": put.headers["etag"]})
    assert (gone.status_code, gone.json()["photo"]) == (200, None)


async def test_all_calls_of_a_customer(program: httpx.AsyncClient, desk: RunningDesk) -> None:
    calls = (await program.get(f"/customers/{desk.people.rithy}/calls")).json()
    assert [call["call_id"] for call in calls["items"]] == ["answered"]
    assert (await program.get("/customers/999999/calls")).status_code == 404


async def test_the_company_shows_its_face(program: httpx.AsyncClient, dara: Visitor) -> None:
    changed = await program.patch("/company", json={"name": "Angkor & Sons", "accent": "#0B7A5B"})
    assert (changed.status_code, changed.json()["name"], changed.json()["accent"]) == (200, "Angkor & Sons", "#0b7a5b")
    logo = await program.put("/company/logo", content=picture(), headers={"Content-Type": "image/png"})
    assert (await dara.get(logo.json()["logo"])).headers["content-type"] == "image/png"
    assert (await program.delete("/company/logo")).json()["logo"] is None
    assert (await program.patch("/company", json={"design": "none such"})).status_code == 422
    assert (await dara.get("/api/v1/company")).json()["currency"] == "USD"
    assert (await dara.patch("/api/v1/company", json={"name": "Mine"})).status_code == 403
    assert (await dara.put("/api/v1/company/logo", content=picture())).status_code == 403


async def test_lists_are_saved_for_oneself(dara: Visitor, boss: Visitor) -> None:
    made = await dara.post("/api/v1/views", json={"name": "Rice", "address": "q=rice&owes=yes&other=1"})
    assert (made.status_code, made.json()["address"]) == (201, "q=rice&owes=yes")
    assert [view["name"] for view in (await dara.get("/api/v1/views")).json()] == ["Rice"]
    path = f"/api/v1/views/{made.json()['view_id']}"
    assert (await boss.get("/api/v1/views")).json() == []
    assert (await boss.delete(path)).status_code == 404
    assert (await dara.delete(path)).status_code == 204


async def test_everybody_knows_colleagues_fields_and_filters(dara: Visitor) -> None:
    assert "Mony Keo" in [each["name"] for each in (await dara.get("/api/v1/colleagues")).json()]
    fields = {each["name"]: each for each in (await dara.get("/api/v1/fields")).json()}
    assert fields["debt"]["built_in"]
    filters = [each["name"] for each in (await dara.get("/api/v1/filters")).json()]
    assert {"manager", "owes", "task"} <= set(filters)


async def test_ones_own_day_and_being_left_alone(dara: Visitor) -> None:
    assert (await dara.get("/api/v1/me/today")).json()["answered"] == 1
    assert (await dara.get("/api/v1/me/do-not-disturb")).json() == {"do_not_disturb": False}
    assert (await dara.put("/api/v1/me/do-not-disturb", json={"do_not_disturb": True})).status_code == 200
    assert (await dara.get("/api/v1/me/do-not-disturb")).json() == {"do_not_disturb": True}


async def test_ones_calendar_has_an_address_until_it_is_taken_away(dara: Visitor, stranger: Visitor) -> None:
    assert (await dara.get("/api/v1/tasks/calendar")).json() == {"address": None}
    address = (await dara.post("/api/v1/tasks/calendar")).json()["address"]
    assert (await stranger.get(address)).headers["content-type"].startswith("text/calendar")
    assert (await dara.delete("/api/v1/tasks/calendar")).status_code == 204
    assert (await stranger.get(address)).status_code == 404
    assert (await dara.get("/api/v1/tasks/up")).json() == {"items": []}


async def test_a_token_is_made_with_the_password_and_ended(dara: Visitor) -> None:
    until = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    asked = {"name": "ERP", "scopes": ["read"], "until": until, "password": "wrong"}
    assert (await dara.post("/api/v1/me/tokens", json=asked)).status_code == 403
    made = (await dara.post("/api/v1/me/tokens", json={**asked, "password": PASSWORD})).json()
    [held] = (await dara.get("/api/v1/me/tokens")).json()
    assert (held["name"], held["scopes"], "token" in held) == ("ERP", ["read"], False)
    said = {"Authorization": f"Bearer {made['token']}"}
    assert (await dara.get("/api/v1/me", headers=said)).status_code == 200
    assert (await dara.delete(f"/api/v1/me/tokens/{made['token_id']}")).status_code == 204
    assert (await dara.get("/api/v1/me", headers=said)).status_code == 401


async def test_passwords_that_are_guessed_are_slowed(dara: Visitor) -> None:
    proofs = [await dara.post("/api/v1/me/second-factor/offer", json={"password": "no"}) for _ in range(7)]
    assert [each.status_code for each in proofs][-1] == 429
    assert int(proofs[-1].headers["retry-after"]) > 0


async def test_no_token_opens_another_door(program: httpx.AsyncClient) -> None:
    until = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    token = {"name": "x", "scopes": ["write"], "until": until, "password": PASSWORD}
    for method, path, body in (
        ("POST", "/me/tokens", token),
        ("PUT", "/me/password", {"password": PASSWORD, "new": "another one, long enough"}),
        ("POST", "/me/second-factor/offer", {"password": PASSWORD}),
        ("PUT", "/me/second-factor", {"offer": "x", "code": "123456"}),
        ("POST", "/me/second-factor/codes", {"password": PASSWORD}),
        ("POST", "/me/second-factor/remove", {"password": PASSWORD}),
    ):
        assert (await program.request(method, path, json=body)).status_code == 403, path


async def test_a_password_is_changed_and_signs_out_elsewhere(desk: RunningDesk, dara: Visitor) -> None:
    async with Visitor(desk.app) as other:
        await other.has_session(desk, desk.people.dara)
        here, there = (await dara.get("/api/v1/me/sessions")).json(), other
        assert sorted(each["is_this"] for each in here) == [False, True]
        changed = {"password": PASSWORD, "new": "quite another horse"}
        assert (await dara.put("/api/v1/me/password", json=changed)).status_code == 204
        assert (await there.get("/api/v1/me")).status_code == 401
        assert (await dara.get("/api/v1/me")).status_code == 200
        await other.has_session(desk, desk.people.dara)
        [session_id] = [one["id"] for one in (await dara.get("/api/v1/me/sessions")).json() if not one["is_this"]]
        assert (await dara.delete(f"/api/v1/me/sessions/{session_id}")).status_code == 204
        assert (await there.get("/api/v1/me")).status_code == 401


# --- what requests that nobody thought of had found


async def test_an_address_says_every_method_that_it_has(dara: Visitor) -> None:
    refused = await dara.request("PUT", "/api/v1/company")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, PATCH")
    assert refused.headers["content-type"] == "application/problem+json"
    assert (await dara.patch("/api/v1/customers/suggest", json={})).headers["allow"] == "GET"
    assert (await dara.request("TRACE", "/api/v1/tasks")).status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/calls?day=9999-12-31",
        "/api/v1/calls?day=0001-01-01",
        "/api/v1/calls?day=0",
        "/api/v1/calls?limit=0",
        "/api/v1/calls?after=WzkyMjMzNzIwMzY4NTQ3NzU4MDcsIngiXQ",
        "/api/v1/tasks?user_id=99999999999999999999",
        "/api/v1/customers?manager=99999999999999999999",
        "/api/v1/customers?manager=" + "9" * 5000,
        "/api/v1/customers?q=%00",
        "/api/v1/events?after=" + "9" * 5000 + "-0",
        "/calls?day=9999-12-31",
    ],
)
async def test_what_no_database_has_room_for_is_refused(dara: Visitor, path: str) -> None:
    refused = await dara.get(path)
    assert refused.status_code in (404, 422), refused.text


async def test_texts_that_are_none_are_refused_or_left_out(desk: RunningDesk, dara: Visitor, boss: Visitor) -> None:
    json = {"Content-Type": "application/json"}
    half = rb'{"name": "\ud800", "login": "x", "password": "long enough, this one", "team": "\udfff"}'
    refused = await boss.post("/api/v1/people", content=half, headers=json)
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert (await boss.post("/api/v1/teams", content=rb'{"\ud800": 1}', headers=json)).status_code == 422
    assert (await boss.post("/api/v1/teams", content=rb'{"name": "\ud800"}', headers=json)).status_code == 422
    path = f"/api/v1/customers/{desk.people.rithy}/fields"
    for content in (b'{"x": NaN}', b'{"x": 99999999999999999999}', b'{"x": ' + b"[" * 60 + b"]" * 60 + b"}"):
        answer = await dara.patch(path, content=content, headers={**json, "If-Match": '"1"'})
        assert answer.status_code == 422, content
    assert (await dara.post("/api/v1/tasks", content=b"\xff", headers=json)).status_code == 400
    assert (await dara.post("/api/v1/tasks", content=b"[" * 200_000, headers=json)).status_code in (400, 422)


async def test_a_refusal_for_want_of_a_token_says_that_one_helps(stranger: Visitor) -> None:
    assert (await stranger.get("/api/v1/me")).headers["www-authenticate"] == "Bearer"


def undescribed(value: Any, schema: dict[str, Any], schemas: dict[str, Any], at: str) -> list[str]:
    """Where an answer tells something that its description does not name."""
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if isinstance(value, list):
        return [one for each in value for one in undescribed(each, schema.get("items", {}), schemas, f"{at}[]")]
    if not isinstance(value, dict):
        return []
    for kind in schema.get("anyOf", []):  # this, or null
        if "$ref" in kind:
            return undescribed(value, kind, schemas, at)
    named = schema.get("properties", {})
    if not named:
        return []
    inside = [undescribed(each, named[name], schemas, f"{at}.{name}") for name, each in value.items() if name in named]
    return [f"{at}.{name}" for name in value if name not in named] + [one for some in inside for one in some]


async def test_answers_tell_nothing_that_is_not_described(program: httpx.AsyncClient, desk: RunningDesk) -> None:
    rithy = f"/customers/{desk.people.rithy}"
    await program.post(f"{rithy}/notes", json={"text": "Pays on Friday."})
    await program.post("/blocked", json={"caller": "+7495*"})
    whole = (await program.get("/openapi.json")).json()
    lists = ("customers?q=rithy", "people", "teams", "calls", "tasks", "blocked", "fields", "filters", "colleagues")
    told = ("me", "live", "company", "me/preferences", "me/tokens", "me/today", f"lookup?number=%2B{RITHY[1:]}")
    seen = []
    for path in (
        *(f"/{each}" for each in (*lists, *told)),
        rithy,
        f"{rithy}/notes",
        f"{rithy}/history",
        "/calls/answered",
    ):
        answer = await program.get(path)
        plain = path.partition("?")[0].replace(rithy, "/customers/{customer_id}").replace("answered", "{call_id}")
        described = whole["paths"][f"/api/v1{plain}"]["get"]["responses"]["200"]
        schema = described["content"]["application/json"]["schema"]
        seen.append(answer.status_code)
        assert undescribed(answer.json(), schema, whole["components"]["schemas"], path) == []
    assert set(seen) == {200}
