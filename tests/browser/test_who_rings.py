"""Who rings and who is blocked, said in real Chromium."""

from __future__ import annotations

import os
from typing import Literal

import pytest
from playwright.async_api import expect

from lookup.duty import Duty
from lookup.sql_duty import load
from records import routing
from records.database import reading, writing
from records.users import change_user
from tests.browser.test_pages import TOO_FAINT
from tests.fixtures.browser import Office
from tests.fixtures.desk import RITHY, live_call


def duty(office: Office) -> Duty:
    with reading(office.desk.database()) as session:
        return load(session, Duty())


def sophea_administers(office: Office) -> None:
    with writing(office.desk.database()) as session:
        change_user(session, office.people.sophea, role="administrator")


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1360, "light")])
async def test_the_pages_fit_and_can_be_read(office: Office, width: int, scheme: Literal["light", "dark"]) -> None:
    sophea_administers(office)
    with writing(office.desk.database()) as session:
        routing.save_calendar(session, None, "Mon-Fri 08:00-12:00, 13:30-17:30; Sat 09:00-12:00", "12-25", "")
        routing.add_rule(session, "Debtors", "debt", "over", "10000", currency="USD", person_id=office.people.mony)
        routing.block(session, "prefix", "+7495", "spam", office.people.sophea)
        routing.set_do_not_disturb(session, office.people.dara, True)
    sophea = await office.person("sophea", viewport={"width": width, "height": 900}, color_scheme=scheme)
    await sophea.page.goto(f"{office.address}/routing")
    await expect(sophea.page.get_by_label("Of", exact=True)).to_have_value("")
    for path in (f"/routing?number={RITHY}&at=2026-11-26+10:00", "/blocked"):
        await sophea.page.goto(office.address + path)
        assert await sophea.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert await sophea.page.evaluate(TOO_FAINT) == [], path
        if folder := os.environ.get("SHOTS"):
            await sophea.page.screenshot(path=f"{folder}/{path[1:8]}-{width}.png", full_page=True)


async def test_a_rule_is_added_and_switched_off_with_the_mouse(office: Office) -> None:
    sophea_administers(office)
    sophea = await office.person("sophea")
    page = sophea.page
    await page.goto(f"{office.address}/routing")
    await page.get_by_label("Name, like VIP").fill("Debtors")
    await page.get_by_label("When the card says").select_option("Owes more than")
    await page.get_by_label("this", exact=True).fill("a lot")
    await page.get_by_label("the call first goes to").select_option("Mony Keo")
    await page.get_by_role("button", name="Add").click()
    await expect(page.get_by_role("alert").first).to_contain_text("amount")
    sophea.wrong = [what for what in sophea.wrong if "status of 422" not in what]  # so Chromium calls a refused form
    await page.get_by_label("this", exact=True).fill("1000")
    await page.get_by_role("button", name="Add").click()
    await expect(page.locator(".rules")).to_contain_text("Owes more than 1000.00 USD: Mony Keo first")
    await page.get_by_role("button", name="Switch off: Debtors").click()
    await expect(page.locator(".rules")).to_contain_text("switched off")
    assert duty(office).rules == ()


async def test_a_live_call_is_blocked_by_its_button_once_it_was_confirmed(office: Office) -> None:
    sophea = await office.person("sophea")
    call = live_call(RITHY, "104", customers=(office.people.rithy,))
    await office.desk.publish(call)
    button = sophea.page.locator(f"{sophea.card(call.call_id)} [data-block]")
    sophea.page.once("dialog", lambda dialog: dialog.dismiss())
    await button.click()
    await expect(button).to_be_enabled()
    assert duty(office).blocked.numbers == {}
    sophea.page.once("dialog", lambda dialog: dialog.accept())
    await button.click()
    await expect(sophea.page.locator(sophea.card(call.call_id))).to_contain_text("Blocked from the next call on.")
    assert duty(office).blocked.numbers == {RITHY: "from the card of a call"}


async def test_a_person_is_left_alone_by_one_click_and_sees_that_they_are(office: Office) -> None:
    dara = await office.person("dara")
    await dara.page.locator(".me summary").click()
    await dara.page.get_by_role("button", name="Do not disturb").click()
    await expect(dara.page.locator(".undisturbed")).to_be_visible()
    assert duty(office).people[office.people.dara].do_not_disturb
    await dara.page.locator(".me summary").click()
    await dara.page.get_by_role("button", name="Let calls ring me again").click()
    await expect(dara.page.locator(".undisturbed")).to_have_count(0)
    assert not duty(office).people[office.people.dara].do_not_disturb
