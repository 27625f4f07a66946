"""Which fields a card has is said on a page: rows move by keyboard, and the preview follows what is typed."""

from __future__ import annotations

from playwright.async_api import expect

from records.database import writing
from records.users import add_user
from tests.browser.test_accessible import faults_of
from tests.fixtures.browser import Office
from tests.fixtures.desk import PASSWORD, RITHY, live_call


async def test_the_preview_follows_and_what_is_saved_is_on_the_cards_that_are_shown(office: Office) -> None:
    with writing(office.desk.database()) as session:
        add_user(session, "boss", "Boss", PASSWORD, role="administrator")
    dara, boss = await office.person("dara"), await office.person("boss")
    call = live_call(RITHY, "101", customers=(office.people.rithy,))
    await office.desk.publish(call)
    card = dara.page.locator(dara.card(call.call_id))
    await expect(card).to_contain_text("1,245.50")
    page = boss.page
    await page.goto(f"{office.address}/card-fields")
    names = page.locator(".arranged [name=name]")
    down = page.get_by_role("button", name="Move down: Owes")
    await down.focus()
    await page.keyboard.press("Enter")
    await expect(down).to_be_focused()
    assert [await names.nth(at).input_value() for at in range(3)] == ["company", "manager", "debt"]
    agent = page.get_by_role("region", name="Card as agents see it")
    await expect(agent).to_contain_text("1,245.50")
    await page.locator("summary", has_text="Owes").click()
    await page.locator("#field-debt").fill("Balance")
    await page.get_by_label("Owes: what agents see").select_option("masked")
    await expect(agent.locator("dt", has_text="Balance")).to_be_visible()
    await expect(agent).not_to_contain_text("1,245.50")
    assert await faults_of(page) == []
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".saved")).to_be_visible()
    await expect(card).to_contain_text("Balance")
    await expect(card).not_to_contain_text("1,245.50")
