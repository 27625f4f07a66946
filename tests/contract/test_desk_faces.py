"""How the desk looks for whom: preferences of a person, the company's face, and who may change what."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from config.settings import Desk, Settings
from desk.designs import designs
from records.database import writing
from records.errors import DatabaseGone
from records.users import add_user
from tests.fixtures.desk import ORIGIN, PASSWORD, People, RunningDesk, Visitor, alive, opened

DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'


def picture(form: str = "PNG", size: tuple[int, int] = (400, 100), colour: str = "#8a1c4a") -> bytes:
    out = io.BytesIO()
    more = {}
    if form == "PNG":
        more = {"pnginfo": PngImagePlugin.PngInfo()}
        more["pnginfo"].add_text("Comment", "made by <script>")
    Image.new("RGB", size, colour).save(out, form, **more)
    return out.getvalue()


@pytest.fixture
async def boss(desk: RunningDesk) -> AsyncIterator[Visitor]:
    """An administrator, signed in."""
    with writing(desk.database()) as session:
        boss_id = add_user(session, "boss", "Boss", PASSWORD, role="administrator").id
    desk.app.state.services.people.forget()
    async with Visitor(desk.app) as visitor:
        yield await visitor.has_session(desk, boss_id)


async def give(visitor: Visitor, logo: bytes = b"", **fields: Any) -> int:
    files = {"logo": ("logo.png", logo, "image/png")} if logo else None
    answer = await visitor.post("/company", data={"name": "", "design": "", **fields}, files=files)
    return answer.status_code


async def test_a_design_is_kept_for_the_person_and_stands_in_the_first_answer(dara: Visitor, desk: RunningDesk) -> None:
    assert designs()["ringcard"].href in (await dara.get("/")).text
    sent = await dara.post("/me/preferences", data={"design": "solar", "mode": "dark", "volume": "0"})
    assert sent.status_code == 303
    page = (await dara.get("/")).text
    assert f'<link rel="stylesheet" href="{designs()["solar"].href}" id="design">' in page
    assert 'data-bs-theme="dark" data-mode="dark"' in page
    assert "<style" not in page
    assert " style=" not in page
    async with Visitor(desk.app) as mony:
        await mony.has_session(desk, desk.people.mony)
        assert designs()["ringcard"].href in (await mony.get("/")).text


async def test_a_designs_stylesheet_may_be_kept_under_its_mark_alone(dara: Visitor) -> None:
    href = designs()["vapor"].href
    kept = await dara.get(href)
    assert (kept.status_code, kept.text) == (200, designs()["vapor"].stylesheet)
    assert kept.headers["content-type"].startswith("text/css")
    assert "immutable" in kept.headers["cache-control"]
    for other in ("/designs/vapor.css", "/designs/vapor.css?v=0123456789"):
        assert (await dara.get(other)).headers["cache-control"] == "no-cache"
    assert (await dara.get("/designs/nothing.css")).status_code == 404
    assert (await dara.get("/designs/../design.css")).status_code == 404


async def test_preferences_are_read_and_changed_by_programs_as_well(dara: Visitor) -> None:
    told = (await dara.get("/api/v1/me/preferences")).json()
    assert {**told, "designs": len(told["designs"]) > 50} == {
        "design": "",
        "language": "",
        "mode": "",
        "pop_up": "",
        "notify": True,
        "volume": 0,
        "designs": True,
    }
    changed = await dara.patch("/api/v1/me/preferences", json={"pop_up": "answer", "volume": 40})
    assert (changed.json()["pop_up"], changed.json()["volume"], changed.json()["notify"]) == ("answer", 40, True)
    assert 'data-pop-up="answer"' in (await dara.get("/customers")).text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"design": "nothing"}, "no design"),
        ({"mode": "sepia"}, "no mode"),
        ({"language": "xx"}, "does not speak"),
        ({"pop_up": "always"}, "never, ringing, answer"),
        ({"volume": 101}, "0 to 100"),
        ({"volume": -1}, "0 to 100"),
    ],
)
async def test_what_there_is_not_cannot_be_preferred(dara: Visitor, given: dict[str, object], said: str) -> None:
    refused = await dara.patch("/api/v1/me/preferences", json=given)
    assert refused.status_code == 422
    assert said in refused.json()["detail"]
    page = await dara.post("/me/preferences", data={name: str(value) for name, value in given.items()})
    assert (page.status_code, said in page.text) == (422, True)
    assert (await dara.get("/api/v1/me/preferences")).json()["design"] == ""


async def test_a_stranger_has_no_preferences(stranger: Visitor) -> None:
    assert (await stranger.get("/api/v1/me/preferences")).status_code == 401
    assert (await stranger.get("/me/preferences")).headers["location"].startswith("/sign-in")
    assert (await stranger.post("/me/preferences", data={"design": "solar"})).headers["location"].startswith("/sign-in")


async def test_the_pop_up_of_the_settings_holds_for_who_chose_none(
    company: tuple[Settings, People], redis_url: str
) -> None:
    settings, people = company
    settings = replace(settings, desk=Desk(public_url=ORIGIN, pop_up="answer"))
    async with opened(settings, people, redis_url) as desk, alive(desk), Visitor(desk.app) as dara:
        await dara.has_session(desk, people.dara)
        assert 'data-pop-up="answer"' in (await dara.get("/customers")).text
        await dara.patch("/api/v1/me/preferences", json={"pop_up": "ringing"})
        assert 'data-pop-up="ringing"' in (await dara.get("/customers")).text


async def test_the_companys_face_is_on_every_page_and_before_the_sign_in(
    boss: Visitor, dara: Visitor, stranger: Visitor
) -> None:
    assert await give(boss, picture(), name="Mekong & Sons", coloured="yes", accent="#8A1C4A") == 303
    manifest = (await stranger.get("/manifest.webmanifest")).json()
    assert (manifest["name"], manifest["theme_color"]) == ("Mekong & Sons · Ringcard", "#8a1c4a")
    for visitor, path in ((dara, "/customers"), (stranger, "/sign-in")):
        page = (await visitor.get(path)).text
        assert "Mekong &amp; Sons" in page
        assert "/designs/company.css?v=" in page
        logo = page.partition('class="logo" src="')[2].partition('"')[0]
        served = await stranger.get(logo)
        assert served.headers["content-type"] == "image/png"
        with Image.open(io.BytesIO(served.content)) as shown:
            assert (shown.format, shown.size, shown.info) == ("PNG", (400, 100), {})
    assert "--rc-brand:#8a1c4a" in (await stranger.get("/company/face.css")).text


async def test_a_person_who_chose_a_design_keeps_it_when_the_company_has_one(boss: Visitor, dara: Visitor) -> None:
    await dara.patch("/api/v1/me/preferences", json={"design": "lux"})
    assert await give(boss, design="solar") == 303
    assert designs()["lux"].href in (await dara.get("/")).text
    assert designs()["solar"].href in (await boss.get("/")).text
    await dara.patch("/api/v1/me/preferences", json={"design": ""})
    assert designs()["solar"].href in (await dara.get("/")).text


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
async def test_a_logo_is_made_anew_no_larger_than_it_is_shown(boss: Visitor, form: str) -> None:
    assert await give(boss, picture(form, (1600, 400))) == 303
    page = (await boss.get("/")).text
    logo = await boss.get(page.partition('class="logo" src="')[2].partition('"')[0])
    with Image.open(io.BytesIO(logo.content)) as shown:
        assert (shown.format, shown.size) == ("PNG", (640, 160))
    assert await give(boss, no_logo="yes") == 303
    assert 'class="logo"' not in (await boss.get("/")).text


@pytest.mark.parametrize(
    "sent",
    [DRAWING, b"<html>", b"GIF89a" + bytes(40), picture("GIF"), picture()[:200], b"\x89PNG\r\n\x1a\n" + bytes(90)],
    ids=["svg", "html", "gif", "whole gif", "cut", "empty png"],
)
async def test_what_is_no_picture_is_no_logo(boss: Visitor, sent: bytes) -> None:
    answer = await boss.post("/company", data={"name": "New"}, files={"logo": ("a.png", sent, "image/png")})
    assert answer.status_code == 422
    assert "PNG, JPEG, WEBP" in answer.text
    assert 'class="logo"' not in (await boss.get("/")).text
    assert "New · Ringcard" not in (await boss.get("/manifest.webmanifest")).text


@pytest.mark.parametrize("name", ["..%2f..%2fringcard", "x", "0" * 64, "0" * 63 + "/"])
async def test_no_name_of_a_logo_leads_out_of_its_folder(stranger: Visitor, name: str) -> None:
    assert (await stranger.get(f"/company/logos/{name}.png")).status_code == 404


@pytest.mark.parametrize(
    "fields", [{"coloured": "yes", "accent": "red;}*{display:none"}, {"design": "nothing"}, {"name": "x" * 81}]
)
async def test_what_cannot_be_a_face_is_refused(boss: Visitor, fields: dict[str, Any]) -> None:
    assert await give(boss, **fields) == 422
    assert "display:none" not in (await boss.get("/company/face.css")).text


@pytest.mark.parametrize("who", ["dara", "sophea"])
async def test_only_administrators_give_the_company_its_face(desk: RunningDesk, who: str) -> None:
    async with Visitor(desk.app) as visitor:
        await visitor.has_session(desk, getattr(desk.people, who))
        assert (await visitor.get("/company")).status_code == 403
        assert await give(visitor, picture(), name="Mine") == 403
        assert '/company"' not in (await visitor.get("/")).text
    async with Visitor(desk.app) as stranger:
        assert (await stranger.get("/company")).headers["location"].startswith("/sign-in")


async def test_a_face_that_cannot_be_read_now_is_the_last_one_known(
    boss: Visitor, desk: RunningDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await give(boss, name="Known", coloured="yes", accent="#123456")
    assert "Known" in (await boss.get("/")).text
    faces = desk.app.state.services.faces

    async def gone(*_: object) -> None:
        raise DatabaseGone("away")

    monkeypatch.setattr(faces, "_store", type("Away", (), {"read": staticmethod(gone)})())
    faces.forget()
    assert "Known · Ringcard" in (await boss.get("/manifest.webmanifest")).json()["name"]


async def test_the_service_worker_is_served_from_the_top_and_not_kept(stranger: Visitor) -> None:
    answer = await stranger.get("/sw.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    for needed in ("manifest-src 'self'", "worker-src 'self'", "script-src 'self';", "style-src 'self';"):
        assert needed in policy


@pytest.mark.parametrize(("asked", "shown"), [("ar", 'lang="ar" dir="rtl"'), ("xx", 'lang="en" dir="ltr"')])
async def test_the_page_without_a_connection_is_there_in_each_language(
    stranger: Visitor, asked: str, shown: str
) -> None:
    page = await stranger.get("/offline", params={"language": asked})
    assert page.status_code == 200
    assert shown in page.text


async def test_the_manifest_is_in_the_language_of_who_asks(stranger: Visitor) -> None:
    manifest = (await stranger.get("/manifest.webmanifest", headers={"Accept-Language": "ar"})).json()
    assert (manifest["lang"], manifest["dir"]) == ("ar", "rtl")


async def test_the_icons_of_the_manifest_are_pictures_of_the_size_that_it_says(stranger: Visitor) -> None:
    manifest = (await stranger.get("/manifest.webmanifest")).json()
    assert (manifest["display"], manifest["start_url"]) == ("standalone", "/")
    assert {(icon["sizes"], icon["purpose"]) for icon in manifest["icons"]} == {
        ("192x192", "any"),
        ("512x512", "any"),
        ("512x512", "maskable"),
    }
    for icon in manifest["icons"]:
        served = await stranger.get(icon["src"])
        with Image.open(io.BytesIO(served.content)) as image:
            assert (image.format, f"{image.width}x{image.height}") == ("PNG", icon["sizes"])
