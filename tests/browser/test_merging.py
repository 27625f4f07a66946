"""Making one customer of two in real Chromium, by keyboard alone."""

from __future__ import annotations

from typing import Any

from playwright.async_api import expect

from records.customers import add_customer
from records.database import writing
from tests.fixtures.browser import Office
from tests.fixtures.desk import RITHY, live_call
from tests.fixtures.house import read_number

ANOTHER = "+85517222333"


def twin(office: Office) -> int:
    with writing(office.desk.database()) as session:
        values: dict[str, Any] = {"company": "Angkor Mills", "email": "rithy@mill.example", "note": "Never on Sundays"}
        numbers = [(ANOTHER, "work"), (RITHY, "")]
        return add_customer(session, read_number, name="Rithy Sok", numbers=numbers, **values)[0].id


async def test_two_become_one_by_keyboard_alone_and_the_live_card_is_theirs(office: Office) -> None:
    other = twin(office)
    dara, sophea = await office.person("dara"), await office.person("sophea")
    call = live_call(ANOTHER, "101", customers=(other,))
    await office.desk.publish(call)
    card = dara.page.locator(dara.card(call.call_id)).locator("h2")
    await expect(card).to_have_text("Rithy Sok")
    page = sophea.page
    await page.goto(f"{office.address}/customers/{office.people.rithy}")
    await page.get_by_role("link", name="Merge").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Name, company or number of the other one")).to_be_focused()
    await page.keyboard.type("rithy")
    await page.keyboard.press("Enter")
    await page.locator(".rows .row-link").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Make one customer of two")).to_be_visible()
    await page.get_by_role("group", name="Company").get_by_role("radio").first.focus()
    await page.keyboard.press("ArrowDown")
    await page.get_by_role("button", name="Merge them").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("Sok Rithy")
    await expect(page.locator(".call-company")).to_have_text("Angkor Mills")
    await expect(page.get_by_text("Also known as")).to_be_visible()
    await expect(card).to_have_text("Sok Rithy")
    await page.goto(f"{office.address}/customers/{other}")
    assert page.url == f"{office.address}/customers/{office.people.rithy}"
