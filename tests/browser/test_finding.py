"""Finding a customer as one types, in real Chromium: with the keyboard alone, on a slow line, and read aloud."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Literal

import pytest
from playwright.async_api import Route, expect

from records.customers import add_customer
from records.database import writing
from tests.browser.test_pages import TOO_FAINT
from tests.fixtures.browser import Office, Person
from tests.fixtures.desk import _read

SLOW_S = 0.3


def many(office: Office) -> None:
    with writing(office.desk.database()) as session:
        for number in range(11):
            company, phone = f"Mekong Foods {number}", f"+855 11 900 1{number:02}"
            add_customer(session, _read, name=f"Chan Dara {number:02}", company=company, numbers=[phone])


async def typing(office: Office, text: str, **context: Any) -> Person:
    many(office)
    dara = await office.person("dara", **context)
    await dara.page.keyboard.press("/")
    await dara.page.keyboard.type(text, delay=20)
    await expect(dara.page.get_by_role("option")).to_have_count(8)
    return dara


async def test_a_customer_is_chosen_with_the_keyboard_alone(office: Office) -> None:
    page = (await typing(office, "chan")).page
    box = page.get_by_role("combobox", name="Find a customer")
    await expect(box).to_have_attribute("aria-expanded", "true")
    await expect(page.locator(".find [role=status]")).to_have_text("8 customers")
    assert await box.get_attribute("aria-activedescendant") is None
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    chosen = page.get_by_role("option", selected=True)
    await expect(chosen).to_contain_text("Chan Dara 01")
    assert await box.get_attribute("aria-activedescendant") == await chosen.get_attribute("id")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("ArrowUp")  # from the first to the last
    await expect(page.get_by_role("option", selected=True)).to_contain_text("Chan Dara 07")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("Chan Dara 07")


async def test_escape_closes_the_list_and_keeps_what_was_typed(office: Office) -> None:
    page = (await typing(office, "chan")).page
    box = page.get_by_role("combobox", name="Find a customer")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("option").first).to_be_hidden()
    await expect(box).to_have_value("chan")
    await expect(box).to_have_attribute("aria-expanded", "false")
    await expect(box).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("option").first).to_be_visible()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("option").first).to_be_hidden()


async def test_enter_alone_leads_to_the_whole_list(office: Office) -> None:
    page = (await typing(office, "chan")).page
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(r"/customers\?q=chan$"))
    await expect(page.locator(".customers li")).to_have_count(12)  # and one whose name is spelled so in Latin letters


async def test_one_is_chosen_with_the_mouse(office: Office) -> None:
    page = (await typing(office, "chan")).page
    await page.get_by_role("option", name="Chan Dara 03").click()
    await expect(page.locator("h1")).to_have_text("Chan Dara 03")


async def test_nobody_and_nearly_are_said(office: Office) -> None:
    many(office)
    page = (await office.person("dara")).page
    await page.keyboard.press("/")
    await page.keyboard.type("qqqqqq")
    await expect(page.locator(".find-hint")).to_have_text("Nobody found for “qqqqqq”.")
    await page.keyboard.press("Control+A")
    await page.keyboard.type("angcor")
    await expect(page.get_by_role("option")).to_contain_text("Sok Rithy")
    await expect(page.locator(".find-hint")).to_contain_text("these nearly are")


async def test_on_a_slow_line_an_answer_that_is_late_never_takes_the_place_of_a_newer_one(office: Office) -> None:
    many(office)
    page = (await office.person("dara")).page
    asked: list[str] = []

    async def slowly(route: Route) -> None:
        asked.append(route.request.url.partition("q=")[2])
        await asyncio.sleep(SLOW_S * (5 if asked[-1] == "cha" else 1))
        await route.continue_()

    await page.route("**/api/v1/customers/suggest*", slowly)
    await page.keyboard.press("/")
    await page.keyboard.type("cha", delay=10)  # as quick as one types: one question
    async with page.expect_request("**/suggest?q=cha"):
        pass
    await page.keyboard.press("Control+A")
    await page.keyboard.type("rithy", delay=10)
    await expect(page.get_by_role("option")).to_have_text(re.compile("Sok Rithy"))
    await asyncio.sleep(SLOW_S * 6)  # until the first answer would have come
    await expect(page.get_by_role("option")).to_have_text(re.compile("Sok Rithy"))
    assert asked == ["cha", "rithy"]


async def test_names_are_text_there_too(office: Office) -> None:
    page = (await office.person("dara")).page
    await page.keyboard.press("/")
    await page.keyboard.type("script")
    await expect(page.get_by_role("option")).to_contain_text("<script>")
    assert await page.title() != "owned"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_the_list_its_filters_and_the_suggestions_fit_and_can_be_read(
    office: Office, width: int, scheme: Literal["light", "dark"]
) -> None:
    dara = await typing(
        office, "chan", viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = dara.page
    await page.keyboard.press("ArrowDown")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.evaluate(TOO_FAINT) == []
    await page.goto(f"{office.address}/customers?manager=me&owes=yes")
    await page.get_by_text("Save this list").click()
    await page.get_by_label("Name of the list").fill("Mine that owe money since a very long time indeed, I think")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".saved-view a")).to_have_attribute("aria-current", "true")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.evaluate(TOO_FAINT) == []


async def test_a_list_is_filtered_saved_and_taken_away_by_hand(office: Office) -> None:
    many(office)
    page = (await office.person("dara")).page
    await page.goto(f"{office.address}/customers")
    await page.get_by_label("Manager").select_option("Me")
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator(".customers li")).to_have_count(1)
    await page.get_by_text("Save this list").click()
    await page.get_by_label("Name of the list").fill("Mine")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("link", name="All customers").click()
    await expect(page.locator(".customers li")).to_have_count(16)
    await page.get_by_role("link", name="Mine").click()
    await expect(page.locator(".customers li")).to_have_count(1)
    await page.get_by_role("button", name="Take away the list Mine").click()
    await expect(page.locator(".saved-view")).to_have_count(0)
