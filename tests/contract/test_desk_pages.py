"""The desk's pages and its API, asked as a browser and as a program would."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.settings import Settings
from desk import formats
from desk.guard import CSP
from records.calls import write_call
from records.database import writing
from records.facts import TraceStep
from tests.fixtures.desk import (
    HOSTILE,
    KHMER,
    RITHY,
    SHARED,
    STORY,
    People,
    RunningDesk,
    Visitor,
    live_call,
    logged,
    opened,
)
from tests.fixtures.postgres import TEMPLATE, PostgresServer


@pytest.fixture
async def sophea(desk: RunningDesk) -> AsyncIterator[Visitor]:
    """A supervisor, signed in."""
    async with Visitor(desk.app) as visitor:
        yield await visitor.has_session(desk, desk.people.sophea)


# --- what every answer carries


@pytest.mark.parametrize("path", ["/", "/sign-in", "/calls", "/nowhere", "/api/v1/me", "/static/desk.css", "/health"])
async def test_every_answer_forbids_what_is_not_ours(dara: Visitor, path: str) -> None:
    headers = (await dara.get(path)).headers
    assert headers["content-security-policy"] == CSP
    assert "unsafe" not in CSP
    assert "frame-ancestors 'none'" in CSP
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


async def test_pages_are_kept_by_nobody_and_marked_files_for_long(dara: Visitor) -> None:
    page = await dara.get("/")
    assert page.headers["cache-control"] == "no-store"
    marked = re.findall(r'(?:href|src)="(/static/[^"]+\?v=\w+)"', page.text)
    assert any(address.startswith("/static/desk.js") for address in marked)
    for address in marked:
        kept = await dara.get(address)
        assert (kept.status_code, kept.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
    assert (await dara.get("/static/desk.js")).headers["cache-control"] == "no-cache"


async def test_pages_hold_nothing_inline_and_nothing_from_elsewhere(dara: Visitor, desk: RunningDesk) -> None:
    await desk.publish(live_call(RITHY, "101", customers=(desk.people.rithy,)))
    for path in ("/", "/customers?q=sok", f"/customers/{desk.people.rithy}", "/calls", "/calls/answered", "/sign-in"):
        html = (await dara.get(path, follow_redirects=True)).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", html), path
        assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", html), path


# --- the live page


async def test_the_first_page_shows_the_call_that_rings_me_now(dara: Visitor, desk: RunningDesk) -> None:
    await desk.publish(live_call(RITHY, "101", customers=(desk.people.rithy,)))
    html = (await dara.get("/")).text
    for shown in ("Ringing", "Sok Rithy", "Angkor Rice Mills", "+855 12 345 678", "1,245.50", "#2291", "450.00"):
        assert shown in html
    for shown in (
        "Send the invoice",
        "Call before noon.",
        "the company&#39;s own way",
        f"/customers/{desk.people.rithy}",
    ):
        assert shown in html
    assert re.search(r"<dt>Manager</dt><dd[^>]*><span[^>]*>You</span>\s*</dd>", html)
    assert f'data-after="{desk.app.state.services.hub.last_id}"' in html


async def test_calls_of_others_are_not_on_my_page(dara: Visitor, desk: RunningDesk) -> None:
    call = live_call(KHMER, "102", customers=(desk.people.khmer,))
    await desk.publish(call)
    assert call.call_id not in (await dara.get("/")).text
    assert (await dara.get("/api/v1/live")).json()["calls"] == []


async def test_a_supervisor_sees_the_calls_of_the_team_and_no_other(sophea: Visitor, desk: RunningDesk) -> None:
    call = live_call(KHMER, "102", customers=(desk.people.khmer,))
    await desk.publish(call)
    assert f'data-team="{call.call_id}"' in (await sophea.get("/")).text
    async with Visitor(desk.app) as other_team:
        await other_team.sign_in("alone")
        assert call.call_id not in (await other_team.get("/")).text


@pytest.mark.parametrize(
    ("number", "answer", "said"),
    [
        ("+33142685300", "unknown", "Nobody in your customer base has this number."),
        ("", "withheld", "Number withheld"),
        (RITHY, "unavailable", "could not be asked in time"),
        (RITHY, "looking", "Looking for this number"),
    ],
)
async def test_what_is_not_known_is_said(dara: Visitor, desk: RunningDesk, number: str, answer: str, said: str) -> None:
    await desk.publish(live_call(number, "101", answer=answer))
    assert said in (await dara.get("/")).text


async def test_customers_who_share_a_number_are_all_offered(dara: Visitor, desk: RunningDesk) -> None:
    await desk.publish(live_call(SHARED, "101", customers=desk.people.shared))
    html = (await dara.get("/")).text
    assert "2 customers share this number" in html
    for customer, name in zip(desk.people.shared, ("Chea Vanna", "Chea Bopha"), strict=True):
        assert f'href="/customers/{customer}"' in html
        assert name in html


async def test_a_person_without_a_phone_is_told_why_nothing_pops_up(desk: RunningDesk) -> None:
    from records.database import writing
    from records.users import unseat

    with writing(desk.database()) as session:
        unseat(session, desk.people.dara, "pbx", "101")
    async with Visitor(desk.app) as visitor:
        await visitor.sign_in("dara")
        assert "No phone is linked to you yet" in (await visitor.get("/")).text


async def test_my_day_counts_what_i_answered_and_what_was_missed(dara: Visitor) -> None:
    html = (await dara.get("/pieces/today")).text
    assert re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", html) == [
        ("Answered", "1"),
        ("Missed", "0"),
        ("Talk time", "26 s"),
        ("They waited", "4 s"),
    ]


# --- names from strangers


async def test_a_hostile_name_is_text_on_every_page(dara: Visitor, desk: RunningDesk) -> None:
    hostile = desk.people.hostile
    await desk.publish(live_call(HOSTILE, "101", customers=(hostile,), route_reason="<b>why</b>"))
    await desk.publish(live_call("+33142685300", "101", caller_name="<script>alert(1)</script>"))
    await desk.publish(live_call("<script>alert(2)</script>", "101", called_number="<i>did</i>"))
    for path in ("/", "/customers?q=sok", f"/customers/{hostile}", "/customers?q=<script>alert(3)</script>"):
        html = (await dara.get(path)).text
        assert not re.search(r"<script>|<img src=x|<b>|<i>did", html), path
    assert "&lt;script&gt;document.title" in (await dara.get("/")).text


# --- customers


async def test_the_card_page_shows_all_there_is(dara: Visitor, desk: RunningDesk) -> None:
    html = (await dara.get(f"/customers/{desk.people.rithy}")).text
    for shown in ("Sok Rithy", "+855 12 345 678", "1,245.50", "Paddy dryer", "Send the invoice", "Sophea Lim"):
        assert shown in html
    assert "/calls/answered" in html


@pytest.mark.parametrize("typed", ["sok", "Rithy", "angkor", "012 345", "+855 12 345 678", "012345678"])
async def test_a_customer_is_found_by_name_company_and_number(dara: Visitor, typed: str) -> None:
    html = (await dara.get("/customers", params={"q": typed})).text
    assert "Sok Rithy" in html
    assert "Chea Bopha" not in html


async def test_by_number_leads_to_the_card_or_to_a_choice(dara: Visitor, desk: RunningDesk) -> None:
    assert (await dara.get(f"/customers/by-number/{RITHY}")).headers["location"] == f"/customers/{desk.people.rithy}"
    several = await dara.get(f"/customers/by-number/{SHARED}", follow_redirects=True)
    assert "Chea Vanna" in several.text
    assert "Chea Bopha" in several.text
    assert "Nobody found" in (await dara.get("/customers/by-number/+33999", follow_redirects=True)).text


async def test_photos_are_shown_to_those_who_are_signed_in(dara: Visitor, stranger: Visitor, desk: RunningDesk) -> None:
    address = (await dara.get(f"/api/v1/customers/{desk.people.rithy}")).json()["photo"]
    picture = await dara.get(address)
    assert (picture.headers["content-type"], picture.content[:2]) == ("image/jpeg", b"\xff\xd8")
    assert (await stranger.get(address)).status_code == 401
    assert (await dara.get("/photos/..%2f..%2fringcard.db")).status_code == 404


# --- the log


async def test_the_log_shows_todays_calls_that_concern_me(dara: Visitor, sophea: Visitor) -> None:
    mine, teams = (await dara.get("/calls")).text, (await sophea.get("/calls")).text
    assert "Sok Rithy" in mine
    assert "+33 1 42 68 53 00" not in mine
    assert "Sok Rithy" in teams
    assert "+33 1 42 68 53 00" in teams
    assert "/calls/missed" in teams  # an unknown caller's row opens the call


async def test_a_call_that_is_not_mine_to_see_does_not_exist(dara: Visitor, sophea: Visitor) -> None:
    assert (await dara.get("/calls/missed")).status_code == 404
    page = await sophea.get("/calls/missed")
    assert page.status_code == 200
    assert "Mony Keo" in page.text
    assert (await dara.get("/api/v1/calls/missed")).status_code == 404


async def test_another_day_has_its_own_log(dara: Visitor) -> None:
    assert "No calls on this day." in (await dara.get("/calls?day=2020-02-29")).text
    assert (await dara.get("/calls?day=yesterday")).status_code == 422
    assert (await dara.get("/calls?after=nonsense")).status_code == 422


# --- the API


async def test_a_lookup_by_hand_says_who_and_why(dara: Visitor, desk: RunningDesk) -> None:
    found = (await dara.get("/api/v1/lookup", params={"number": "012 345 678"})).json()
    assert (found["answer"], found["tier"], found["chosen"]) == ("found", "exact", desk.people.rithy)
    assert found["number"]["e164"] == RITHY
    assert found["candidates"][0]["debt"] == {"minor": 124550, "currency": "USD", "text": "1,245.50"}
    assert (await dara.get("/api/v1/lookup?number=anonymous")).json()["answer"] in ("withheld", "unknown")


async def test_calls_of_the_api_have_the_contracts_names_and_utc_times(dara: Visitor) -> None:
    [call] = (await dara.get("/api/v1/calls")).json()["items"]
    assert (call["call_id"], call["direction"], call["outcome"]) == ("answered", "inbound", "answered")
    assert (call["answered_by"], call["wait_s"], call["talk_s"]) == ("Dara Chan", 4.0, 26.0)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", call["started_at"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/customers/999999", 404),
        ("/api/v1/customers/sok", 404),
        ("/api/v1/calls/none", 404),
        ("/api/v1/calls?after=nonsense", 422),
        ("/api/v1/lookup", 422),
        ("/api/v1/nowhere", 404),
    ],
)
async def test_errors_of_the_api_are_problem_json(dara: Visitor, path: str, status: int) -> None:
    response = await dara.get(path)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert response.json()["status"] == status
    assert response.json()["detail"]


async def test_errors_of_pages_are_pages(dara: Visitor) -> None:
    response = await dara.get("/customers/999999")
    assert (response.status_code, response.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no such customer." in response.text


async def test_the_api_is_described(dara: Visitor) -> None:
    described = (await dara.get("/api/v1/openapi.json")).json()
    assert described["openapi"].startswith("3.")
    assert {"/api/v1/lookup", "/api/v1/events", "/api/v1/calls", "/dialplan/caller-name"} <= described["paths"].keys()


async def test_health_and_figures_tell_of_parts_and_of_nobody(stranger: Visitor, dara: Visitor) -> None:
    await dara.get("/api/v1/lookup", params={"number": RITHY})
    health = await stranger.get("/health")
    said = health.json()
    assert datetime.fromisoformat(said.pop("since")) <= datetime.now(UTC)
    assert said == {"status": "ok", "parts": {"database": "ok", "live": "ok"}}
    figures = (await stranger.get("/metrics")).text
    found = 'ringcard_lookups_total{answer="found",process="desk",source="database",tier="exact"} 1.0\n'
    assert found in figures
    assert 'ringcard_desk_browsers{process="desk"} 0.0\n' in figures
    assert "85512345678" not in figures


async def test_figures_are_for_the_addresses_that_settings_name(desk: RunningDesk) -> None:
    async with Visitor(desk.app, "192.0.2.7") as other:
        refused = await other.get("/metrics")
        assert (refused.status_code, "ringcard_" in refused.text) == (403, False)


# --- one call, step by step


async def test_the_story_of_a_call_is_on_its_page_and_in_the_api_for_whom_it_concerns(
    dara: Visitor, desk: RunningDesk
) -> None:
    page = html.unescape((await dara.get("/calls/answered")).text)
    told = re.findall(r'<span class="after">(.*?)</span><span class="title" dir="auto">(.*?)</span>', page)
    assert told == [(formats.after(after), what) for after, what in STORY]
    trace = (await dara.get("/api/v1/calls/answered")).json()["trace"]
    assert [(step["after_ms"], step["what"]) for step in trace] == list(STORY)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", step["at"]) for step in trace)
    async with Visitor(desk.app) as mony:
        await mony.sign_in("mony")
        assert (await mony.get("/calls/answered")).status_code == 404
        assert (await mony.get("/api/v1/calls/answered")).status_code == 404


async def test_the_page_of_a_call_that_goes_on_tells_what_is_known_so_far(dara: Visitor, desk: RunningDesk) -> None:
    call = live_call(RITHY, "101", customers=(desk.people.rithy,))
    began = call.started_ms
    phones = (replace(call.phones[0], started_ms=began + 60),)
    facts = replace(logged(call.call_id, "101", RITHY, desk.people.rithy, ""), started_ms=began, ended_ms=0, legs=())
    facts = replace(facts, trace=(TraceStep(began, "came in"), TraceStep(began + 2, "found, exact")))
    with writing(desk.database()) as session:
        write_call(session, facts)
    await desk.publish(replace(call, phones=phones))
    trace = (await dara.get(f"/api/v1/calls/{call.call_id}")).json()["trace"]
    assert [(step["after_ms"], step["what"]) for step in trace] == [
        (0, "came in"),
        (2, "found, exact"),
        (60, "phone 101: ringing"),
    ]
    page = (await dara.get(f"/calls/{call.call_id}")).text
    assert "phone 101: ringing" in page
    assert "Going on" in page


# --- when something is away


async def test_without_the_database_live_calls_go_on_and_pages_say_so(
    own_postgres: PostgresServer, company: tuple[Settings, People], redis_url: str
) -> None:
    from records.database import open_database
    from tests.fixtures.desk import alive, fill

    settings, _ = company
    url = own_postgres.new_database(TEMPLATE)
    settings = replace(settings, store=replace(settings.store, database_url=url))
    database = open_database(url)
    people = fill(database, settings.data_dir)
    database.dispose()
    async with opened(settings, people, redis_url) as desk, alive(desk), Visitor(desk.app) as dara:
        await dara.sign_in("dara")
        await dara.get(f"/customers/by-number/{RITHY}")  # now the card is in the cache
        own_postgres.kill()
        desk.app.state.services.people.forget()
        await desk.publish(live_call(RITHY, "101", customers=(people.rithy,)))
        page = await dara.get("/")
        assert page.status_code == 200
        assert "Sok Rithy" in page.text
        assert "figures cannot be read just now" in page.text
        customers = await dara.get("/customers")
        assert customers.status_code == 503
        assert "cannot be read just now" in customers.text
        problem = await dara.get("/api/v1/calls")
        assert (problem.status_code, problem.headers["content-type"]) == (503, "application/problem+json")
        assert problem.headers["retry-after"]
        assert (await dara.get("/health")).json()["status"] == "degraded"
        own_postgres.start()
        assert (await dara.get("/customers")).status_code == 200
        assert (await dara.get("/health")).json()["status"] == "ok"


async def test_the_desk_starts_with_everything_away_and_says_what_is_missing(
    company: tuple[Settings, People], tmp_path: Path
) -> None:
    settings, people = company
    nowhere = f"postgresql+psycopg://nobody@/none?host={tmp_path}"
    settings = replace(settings, store=replace(settings.store, database_url=nowhere))
    nothing = opened(settings, people, f"unix://{tmp_path}/none.sock")
    async with nothing as desk, desk.app.router.lifespan_context(desk.app), Visitor(desk.app) as visitor:
        assert (await visitor.get("/sign-in")).status_code == 200
        refused = await visitor.sign_in("dara")
        assert refused.status_code == 503
        assert "Calls go on as always" in refused.text
        health = await visitor.get("/health")
        assert health.status_code == 200
        assert health.json()["status"] == "degraded"
        assert health.json()["parts"]["database"] == "away"
        assert health.json()["parts"]["live"] != "ok"


async def test_without_redis_the_page_says_that_it_is_not_live(
    company: tuple[Settings, People], tmp_path: Path
) -> None:
    settings, people = company
    nothing = opened(settings, people, f"unix://{tmp_path}/none.sock")
    async with nothing as desk, desk.app.router.lifespan_context(desk.app), Visitor(desk.app) as dara:
        await dara.sign_in("dara")
        html = (await dara.get("/")).text
        assert 'data-state="away"' in html
        assert re.search(r'id="banner" role="status" >', html)
        assert "Sok Rithy" in (await dara.get("/customers")).text
