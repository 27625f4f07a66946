"""Who gets in, who does not, and when a session ends."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import httpx
import pytest
from fastapi.routing import APIRoute
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from config.settings import Settings
from desk.app import ROUTERS
from desk.sign_in import local
from records.database import writing
from records.users import deactivate, set_password
from tests.fixtures.desk import PASSWORD, SECRET, People, RunningDesk, Visitor, opened

LOOKS = {  # the sign-in page has them as well, and they tell of nobody
    "/designs/previews.css",
    "/designs/{name}.css",
    "/company/face.css",
    "/company/logos/{name}.png",
    "/language",
    "/words/{code}.js",
    "/manifest.webmanifest",
    "/sw.js",
    "/offline",
}
OPEN = {"/favicon.ico", "/sign-in", "/sign-out", "/health", "/metrics", *LOOKS}
BY_TOKEN = ("/dialplan/", "/c/", "/p/", "/v/", "/tasks/calendar/1.ics")


def cookie(response: httpx.Response) -> str:
    return str(response.headers.get("set-cookie", ""))


async def test_the_right_password_opens_the_desk(stranger: Visitor) -> None:
    entered = await stranger.sign_in("Dara ")
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    assert re.search(r"HttpOnly; Max-Age=43200; Path=/; SameSite=lax", cookie(entered))
    page = await stranger.get("/")
    assert page.status_code == 200
    assert "Dara Chan" in page.text


@pytest.mark.parametrize(
    ("login", "password"), [("dara", "wrong horse"), ("nobody", PASSWORD), ("", ""), ("dara", "x" * 2000)]
)
async def test_anything_else_does_not_and_all_failures_look_alike(stranger: Visitor, login: str, password: str) -> None:
    refused = await stranger.sign_in(login, password)
    assert refused.status_code == 401
    assert "That login and password do not belong together." in refused.text
    assert not cookie(refused)
    assert (await stranger.get("/")).headers["location"] == "/sign-in"


async def test_guessing_is_slowed_and_the_right_password_has_to_wait_too(stranger: Visitor, desk: RunningDesk) -> None:
    desk.app.state.door.clock = lambda: 1000.0  # checking a password takes longer than the first wait
    statuses = [(await stranger.sign_in("mony", f"guess {number}")).status_code for number in range(6)]
    assert statuses == [401] * 5 + [429]
    late = await stranger.sign_in("mony")
    assert late.status_code == 429
    assert late.headers["retry-after"] == "1"
    assert "Wait 1 second, then try again." in late.text
    async with Visitor(desk.app) as other:
        assert (await other.sign_in("dara")).status_code == 303  # others are not held up by it
    desk.app.state.door.clock = lambda: 1001.5
    assert (await stranger.sign_in("mony")).status_code == 303


async def test_many_logins_from_one_address_are_slowed_as_well(desk: RunningDesk) -> None:
    desk.app.state.door.clock = lambda: 1000.0
    async with Visitor(desk.app, "127.0.9.9") as guesser:
        statuses = [(await guesser.sign_in(f"login {number}", "12345678")).status_code for number in range(21)]
        assert statuses == [401] * 20 + [429]


async def test_every_sign_in_makes_a_session_of_its_own(stranger: Visitor, desk: RunningDesk) -> None:
    """A cookie that somebody planted before is neither kept nor honoured."""
    stranger.cookies.set("ringcard", "planted")
    first = cookie(await stranger.sign_in("dara"))
    second = cookie(await stranger.sign_in("dara"))
    assert first != second
    assert "planted" not in first


async def test_every_page_refuses_a_stranger(stranger: Visitor) -> None:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    guarded = [
        (method, re.sub(r"\{.*?\}", "1", route.path))
        for route in routes
        if route.path not in OPEN
        for method in route.methods or ()
    ]
    assert len(guarded) >= 40
    for method, path in guarded:
        response = await stranger.request(method, path, content=b"" if method == "GET" else b"{}")
        if path.startswith(BY_TOKEN):
            assert response.status_code in (403, 404), path
        elif path.startswith(("/api/", "/photos/")):
            assert response.status_code == 401, path
            assert response.headers["content-type"] == "application/problem+json"
        else:
            assert response.status_code == 303, path
            assert response.headers["location"].startswith("/sign-in"), path
        assert "Rithy" not in response.text


async def test_after_signing_in_one_is_where_one_wanted_to_be(stranger: Visitor) -> None:
    sent = await stranger.get("/customers?q=sok")
    assert sent.headers["location"] == "/sign-in?next=%2Fcustomers%3Fq%3Dsok"
    assert "/customers?q=sok" in (await stranger.get(sent.headers["location"])).text
    assert (await stranger.sign_in("dara", next="/customers?q=sok")).headers["location"] == "/customers?q=sok"


async def test_after_signing_in_one_is_at_no_form_that_was_sent(stranger: Visitor) -> None:
    sent = await stranger.post("/me/do-not-disturb", data={"on": "yes"})
    assert sent.headers["location"] == "/sign-in"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "",
        "/a\r\nb",
        "/sign-in/code",
    ],
)
def test_signing_in_never_leads_to_another_site_nor_back_to_the_door(target: str) -> None:
    assert local(target) == "/"


async def test_signing_out_ends_the_session_even_for_who_kept_the_cookie(dara: Visitor) -> None:
    kept = dict(dara.cookies)
    assert (await dara.post("/sign-out")).headers["location"] == "/sign-in"
    assert "ringcard" not in dara.cookies
    dara.cookies.update(kept)
    assert (await dara.get("/api/v1/me")).status_code == 401


async def test_a_new_password_ends_the_sessions_made_with_the_old_one(dara: Visitor, desk: RunningDesk) -> None:
    with writing(desk.database()) as session:
        set_password(session, desk.people.dara, "battery staple")
    desk.app.state.services.people.forget()
    assert (await dara.get("/api/v1/me")).status_code == 401


async def test_who_is_no_longer_active_is_out_at_once(dara: Visitor, desk: RunningDesk) -> None:
    with writing(desk.database()) as session:
        deactivate(session, desk.people.dara)
    desk.app.state.services.people.forget()
    assert (await dara.get("/api/v1/me")).status_code == 401
    assert (await dara.sign_in("dara")).status_code == 401


@pytest.mark.parametrize(("hours", "status"), [(-1, 200), (-11, 200), (-13, 401), (1, 200)])
async def test_a_session_lasts_twelve_hours_and_a_clock_that_is_set_back_ends_none(
    stranger: Visitor, desk: RunningDesk, monkeypatch: pytest.MonkeyPatch, hours: int, status: int
) -> None:
    """`hours` from now is when it began, by the clock of then."""
    began = int(time.time()) + hours * 3600
    with monkeypatch.context() as then:
        then.setattr(TimestampSigner, "get_timestamp", lambda signer: began)
        await stranger.has_session(desk, desk.people.dara)
    assert (await stranger.get("/api/v1/me")).status_code == status


async def test_a_cookie_that_we_did_not_sign_is_no_session(stranger: Visitor, desk: RunningDesk) -> None:
    forged = URLSafeTimedSerializer("another secret", salt="ringcard session 1").dumps([desk.people.dara, "x", "y"])
    for value in (forged, "", "a.b.c", "null"):
        stranger.cookies.set("ringcard", value)
        assert (await stranger.get("/api/v1/me")).status_code == 401


@pytest.mark.parametrize("body", [[1], {"user": 1}, 7, None, ["x", "y", "z"]])
async def test_a_cookie_of_another_shape_is_no_session(stranger: Visitor, body: object) -> None:
    stranger.cookies.set("ringcard", str(URLSafeTimedSerializer(SECRET, salt="ringcard session 1").dumps(body)))
    assert (await stranger.get("/api/v1/me")).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_change_asked_for_by_another_site_is_refused(dara: Visitor, headers: dict[str, str]) -> None:
    refused = await dara.post("/sign-out", headers=headers)
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"
    assert (await dara.get("/api/v1/me")).status_code == 200


async def test_a_body_must_say_its_length_and_be_small(stranger: Visitor) -> None:
    async def endless() -> object:
        yield b"login=dara"

    assert (await stranger.post("/sign-in", content=endless())).status_code == 411  # type: ignore[arg-type]
    assert (await stranger.post("/sign-in", content=b"x" * 1_000_001)).status_code == 413


async def test_over_https_the_cookie_stays_on_https(company: tuple[Settings, People], redis_url: str) -> None:
    settings, people = company
    safe = replace(settings, desk=replace(settings.desk, public_url="https://desk.test"))
    async with opened(safe, people, redis_url) as running, Visitor(running.app) as visitor:
        entered = await visitor.sign_in("dara")
        assert cookie(entered).startswith("__Host-ringcard=")
        assert "Secure" in cookie(entered)
        assert entered.headers["strict-transport-security"]
