"""People in real Chromium: entered by an administrator, signed in with a second factor, signed out from elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from playwright.async_api import expect

from records.database import writing
from records.second_factor import code_at
from records.users import add_user
from tests.browser.test_pages import TOO_FAINT
from tests.fixtures.browser import Office, Person
from tests.fixtures.desk import PASSWORD


async def administrator(office: Office, **context: Any) -> Person:
    with writing(office.desk.database()) as session:
        add_user(session, "boss", "Boss Srey", PASSWORD, role="administrator")
    return await office.person("boss", **context)


def code_now(secret: str, steps_later: int = 0) -> str:
    return code_at(secret, int(datetime.now(UTC).timestamp()) // 30 + steps_later)


async def test_an_administrator_enters_a_person_who_signs_in_with_a_second_factor(office: Office) -> None:
    boss = await administrator(office)
    await boss.page.goto(f"{office.address}/people")
    await boss.page.get_by_role("link", name="Enter somebody").click()
    await boss.page.get_by_label("Name", exact=True).fill("Sina Chhim")
    await boss.page.get_by_label("Login").fill("sina")
    await boss.page.get_by_label("Team").select_option("Sales")
    await boss.page.get_by_label("Phones").fill("105")
    await boss.page.get_by_label("First password").fill(PASSWORD)
    await boss.page.get_by_role("button", name="Enter").click()
    await expect(boss.page.locator("h1")).to_have_text("Sina Chhim")

    sina = await office.person("sina", viewport={"width": 360, "height": 780})
    page = sina.page
    await page.goto(f"{office.address}/me")
    await page.locator("#factor-password").fill(PASSWORD)
    await page.get_by_role("button", name="Set it up").click()
    secret = (await page.locator("#factor-secret").inner_text()).replace(" ", "")
    picture = page.get_by_alt_text("QR code of your second factor")
    assert await picture.evaluate("image => image.complete && image.naturalWidth > 100")
    await page.get_by_label("The code that it shows now").fill(code_now(secret))
    await page.get_by_role("button", name="Use it from now on").click()
    await expect(page.locator("#recovery li")).to_have_count(10)
    codes = await page.locator("#recovery li").all_inner_texts()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.get_by_role("link", name="I have kept them").click()

    for code in (code_now(secret, 1), codes[0]):
        await page.locator(".me summary").click()
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_label("Login").fill("sina")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.locator("h1")).to_have_text("Your code")
        await page.get_by_label("Code").fill(code)
        await page.keyboard.press("Enter")
        await sina.is_live()


async def test_ending_a_session_elsewhere_signs_that_tab_out_by_itself(office: Office) -> None:
    at_work = await office.person("dara")
    at_home = await office.person("dara")
    await at_home.page.goto(f"{office.address}/me")
    await expect(at_home.page.locator("#sessions li")).to_have_count(2)
    await at_home.page.get_by_role("button", name="End all others").click()
    await expect(at_work.page.locator("#password")).to_be_visible()
    assert at_work.page.url == f"{office.address}/sign-in"
    await expect(at_home.page.locator("#sessions li")).to_have_count(1)
    await at_home.is_live()


async def test_who_is_switched_off_is_signed_out_by_itself(office: Office) -> None:
    boss = await administrator(office)
    dara = await office.person("dara")
    await boss.page.goto(f"{office.address}/people/{office.people.dara}")
    await boss.page.get_by_role("button", name="Switch off").click()
    await expect(boss.page.get_by_text("switched off", exact=True)).to_be_visible()
    await expect(dara.page.locator("#password")).to_be_visible()


async def test_an_own_new_password_leaves_the_tab_where_it_is(office: Office) -> None:
    dara = await office.person("dara")
    await dara.page.goto(f"{office.address}/me")
    await dara.is_live()
    await dara.page.locator("#say-old").fill(PASSWORD)
    await dara.page.locator("#say-new").fill("battery staple")
    await dara.page.locator("#say-again").fill("battery staple")
    await dara.page.get_by_role("button", name="Change it").click()
    await expect(dara.page.get_by_text("Your new password holds.")).to_be_visible()
    await dara.is_live()
    assert dara.page.url == f"{office.address}/me/password"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1360])
async def test_the_pages_of_people_fit_and_can_be_read(
    office: Office, width: int, scheme: Literal["light", "dark"]
) -> None:
    boss = await administrator(
        office, viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = boss.page
    for path in ("/people", "/people/new", f"/people/{office.people.dara}", "/me"):
        await page.goto(office.address + path)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert await page.evaluate(TOO_FAINT) == [], path
    await page.locator("#tokens summary").click()
    await page.get_by_label("What it is for").fill("The ERP")
    await page.locator("#token-password").fill(PASSWORD)
    await page.get_by_role("button", name="Make it").click()
    await expect(page.locator("#made")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.evaluate(TOO_FAINT) == []
    await page.locator("#factor-password").fill(PASSWORD)
    await page.get_by_role("button", name="Set it up").click()
    await expect(page.locator(".factor-picture img")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.evaluate(TOO_FAINT) == []
