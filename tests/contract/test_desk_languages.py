"""Which language a page is in, how it is chosen, and what comes in it."""

from __future__ import annotations

import re
from dataclasses import replace

import httpx
import pytest
from babel.messages.catalog import Catalog

from config.languages import LANGUAGES
from config.settings import Settings
from desk.languages import COOKIE, Language, language
from records.database import writing
from records.tasks import add_task
from tests.fixtures.desk import People, RunningDesk, Visitor, alive, opened
from tests.hostile import STREAM, fill, routes

FRENCH = {"Accept-Language": "fr-FR, en;q=0.5"}


@pytest.fixture
def german(monkeypatch: pytest.MonkeyPatch) -> Language:
    """German with a few sentences of these tests, whatever its catalogue says."""
    made = Language("de")
    made.__dict__["catalog"] = catalog = Catalog(locale="de")
    catalog.add("Sign in", "Anmelden")
    catalog.add("Tasks", "Aufgaben")
    catalog.add("{company}: tasks", "{company}: Aufgaben")
    catalog.add("There is no such task, or it is not yours to see.", "Es gibt keine solche Aufgabe.")
    catalog.add("on the {day} of each month, or its last day", "am {day}. des Monats oder am letzten")
    catalog.add("Repeats %(when)s.", "Kommt wieder %(when)s.")
    catalog.add("Close {title}", "{title} schließen", [("desk/static/tabs.js", 0)])
    catalog.add("Drop it", "", [("desk/static/forms.js", 0)])
    catalog.add(("{n} tab", "{n} tabs"), ("", ""), [("desk/static/tabs.js", 0)])
    for name in ("catalog", "_translations", "for_scripts", "scripts_href"):
        monkeypatch.setitem(language("de").__dict__, name, getattr(made, name))
    return language("de")


def spoken(page: httpx.Response) -> str:
    """The language and direction that a page says it has."""
    found = re.search(r'<html lang="(\w+)" dir="(\w+)"', page.text)
    assert found, page.text[:200]
    return f"{found[1]} {found[2]}"


async def choose(visitor: Visitor, code: str, **fields: str) -> httpx.Response:
    return await visitor.post("/language", data={"language": code, **fields})


async def test_a_person_is_heard_before_the_browser_and_the_browser_before_the_company(
    company: tuple[Settings, People], redis_url: str
) -> None:
    settings, people = company
    in_khmer = replace(settings, company=replace(settings.company, language="km"))
    async with opened(in_khmer, people, redis_url) as desk, alive(desk), Visitor(desk.app) as visitor:
        assert spoken(await visitor.get("/sign-in")) == "km ltr"
        assert spoken(await visitor.get("/sign-in", headers={"Accept-Language": "it, nl;q=0.5"})) == "km ltr"
        assert spoken(await visitor.get("/sign-in", headers=FRENCH)) == "fr ltr"
        await choose(visitor, "ru")
        assert spoken(await visitor.get("/sign-in", headers=FRENCH)) == "ru ltr"

        await visitor.has_session(desk, people.dara)
        assert spoken(await visitor.get("/", headers=FRENCH)) == "ru ltr"
        await visitor.patch("/api/v1/me/preferences", json={"language": "ar"})
        assert spoken(await visitor.get("/", headers=FRENCH)) == "ar rtl"
        assert visitor.cookies[COOKIE] == "ar", "so that the page at the door is in it as well"
        await visitor.post("/me/preferences", data={"language": ""})
        assert COOKIE not in visitor.cookies
        assert spoken(await visitor.get("/", headers=FRENCH)) == "fr ltr"


async def test_the_door_offers_every_language_in_its_own_words(stranger: Visitor) -> None:
    page = (await stranger.get("/sign-in?next=/tasks")).text
    for code, name in LANGUAGES.items():
        assert re.search(rf'<button[^>]* name="language" value="{code}" lang="{code}"[^>]*>{name}</button>', page)
    assert re.findall(r'value="(\w+)"[^>]* aria-current="true"', page) == ["en"]
    chosen = await choose(stranger, "km", next="/tasks")
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/tasks")
    assert re.search(r"HttpOnly; Max-Age=\d{8,}; Path=/; SameSite=lax", chosen.headers["set-cookie"])


@pytest.mark.parametrize("code", ["", "xx", "EN", "en-GB", "../en", "en\n"])
async def test_a_language_that_is_not_spoken_is_refused(stranger: Visitor, code: str) -> None:
    refused = await choose(stranger, code)
    assert (refused.status_code, "There is no such language." in refused.text) == (404, True)
    assert "set-cookie" not in refused.headers
    stranger.cookies.set(COOKIE, "xx", domain="desk.test")
    assert spoken(await stranger.get("/sign-in")) == "en ltr"


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "sign-in", "/\n/evil"])
async def test_choosing_a_language_leads_nowhere_foreign(stranger: Visitor, target: str) -> None:
    assert (await choose(stranger, "de", next=target)).headers["location"] == "/"


async def test_another_site_chooses_no_language(stranger: Visitor) -> None:
    forged = await stranger.post("/language", data={"language": "de"}, headers={"Origin": "https://evil.example"})
    assert (forged.status_code, COOKIE in stranger.cookies) == (403, False)


async def test_a_preference_is_saved_and_cleared(dara: Visitor, desk: RunningDesk) -> None:
    async def chosen() -> list[str]:
        page = (await dara.get("/me/preferences")).text
        select = page[page.index('<select class="form-select" id="language"') :].partition("</select>")[0]
        assert select.count("<option") == len(LANGUAGES) + 1
        return re.findall(r'<option value="(\w*)"[^>]* selected', select)

    assert await chosen() == []
    assert (await dara.post("/me/preferences", data={"language": "de"})).status_code == 303
    assert (await chosen(), dara.cookies[COOKIE]) == (["de"], "de")
    async with Visitor(desk.app) as elsewhere:
        await elsewhere.has_session(desk, desk.people.dara)
        assert spoken(await elsewhere.get("/", headers=FRENCH)) == "de ltr"
    await dara.post("/me/preferences", data={"language": ""})
    assert (await chosen(), COOKIE in dara.cookies) == ([], False)


async def test_programs_read_and_change_it_as_well(dara: Visitor) -> None:
    assert (await dara.get("/api/v1/me/preferences")).json()["language"] == ""
    changed = await dara.patch("/api/v1/me/preferences", json={"language": "uz"})
    assert (changed.status_code, changed.json()["language"]) == (200, "uz")
    assert (await dara.patch("/api/v1/me/preferences", json={"mode": "dark"})).json()["language"] == "uz"
    assert (await dara.patch("/api/v1/me/preferences", json={"language": "xx"})).status_code == 422


async def test_a_page_and_what_it_says_come_in_the_language(stranger: Visitor, german: Language) -> None:
    page = await stranger.get("/sign-in", headers={"Accept-Language": "de"})
    assert f'<script src="{german.scripts_href}"></script>' in page.text
    assert "<title>Anmelden · Mekong Trading</title>" in page.text
    assert "/words/" not in (await stranger.get("/sign-in")).text, "English needs no words of others"


async def test_right_to_left_has_its_own_stylesheet(stranger: Visitor) -> None:
    page = (await stranger.get("/sign-in", headers={"Accept-Language": "ar"})).text
    assert ("bootstrap.rtl.min.css" in page, "bootstrap.min.css" in page) == (True, False)


async def test_a_problem_is_told_in_the_language_of_who_asks(dara: Visitor, german: Language) -> None:
    for headers, code, said in (
        ({}, "en", "There is no such task, or it is not yours to see."),
        ({"Accept-Language": "de-AT"}, "de", "Es gibt keine solche Aufgabe."),
        ({"Accept-Language": "it"}, "en", "There is no such task, or it is not yours to see."),
    ):
        problem = await dara.get("/api/v1/tasks/999", headers=headers)
        assert problem.headers["content-language"] == code
        assert (problem.json()["detail"], problem.json()["title"]) == (said, "Not Found")
    page = await dara.get("/tasks/999", headers={"Accept-Language": "de"})
    assert (page.status_code, "Es gibt keine solche Aufgabe." in page.text) == (404, True)


async def test_a_sentence_of_the_rules_is_put_with_its_values(
    dara: Visitor, desk: RunningDesk, german: Language
) -> None:
    with writing(desk.database()) as session:
        task = add_task(session, "Rent <b>", user_id=desk.people.dara, repeats="monthly 31 09:00")[0].id
    assert "Repeats on the 31st of each month, or its last day." in (await dara.get(f"/tasks/{task}")).text
    page = (await dara.get(f"/tasks/{task}", headers={"Accept-Language": "de"})).text
    assert "Kommt wieder am 31. des Monats oder am letzten." in page
    assert "Rent &lt;b&gt;" in page
    assert "Rent <b>" not in page


async def test_a_calendar_is_named_in_the_language_of_its_owner(dara: Visitor, german: Language) -> None:
    address = (await dara.post("/api/v1/tasks/calendar")).json()["address"]
    path = address.removeprefix("http://desk.test")
    assert "X-WR-CALNAME:Mekong Trading: tasks" in (await dara.get(path)).text
    await dara.patch("/api/v1/me/preferences", json={"language": "de"})
    assert "X-WR-CALNAME:Mekong Trading: Aufgaben" in (await dara.get(path)).text


async def test_what_scripts_say_is_a_script_of_its_own(stranger: Visitor, german: Language) -> None:
    kept = await stranger.get(german.scripts_href)
    assert (kept.status_code, kept.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert '"Close {title}":"{title} schließen"' in kept.text
    assert "Anmelden" not in kept.text
    assert "Drop it" not in kept.text, "what is not translated stays English"
    assert "{n} tab" not in kept.text
    assert "immutable" in kept.headers["cache-control"]
    for other in ("/words/de.js", "/words/de.js?v=0123456789"):
        assert (await stranger.get(other)).headers["cache-control"] == "no-cache"
    for unknown in ("/words/xx.js", "/words/de.po", "/words/..%2Fde.js"):
        assert (await stranger.get(unknown)).status_code in (303, 404)


@pytest.mark.parametrize("code", ["km", "ar"])  # what each says is looked at in tests/unit/test_every_sentence.py
async def test_every_page_can_be_made_in_it(desk: RunningDesk, code: str) -> None:
    """With a company full of odd texts; what is said of pages in `tests/hostile.py` is said in English."""
    trap = fill(desk)
    async with Visitor(desk.app) as boss:
        await boss.sign_in("boss")
        for method, route in routes():
            if method != "GET" or route.path in (STREAM, "/sign-in", "/offline"):
                continue
            page = await boss.get(trap.address(route.path), headers={"Accept-Language": code})
            assert page.status_code < 500, route.path
            if "<html" in page.text:
                assert spoken(page).split()[0] == code, route.path
