"""Entering and changing customers in real Chromium: while the call goes on, by keyboard, and in two tabs at once."""

from __future__ import annotations

import asyncio
import io
import re

from PIL import Image
from playwright.async_api import FilePayload, expect

from records.customers import customers_with
from records.database import reading
from records.photos import photo_path
from records.tables import Customer
from tests.fixtures.browser import Office
from tests.fixtures.desk import HOSTILE_NAME, RITHY, answered, ended, live_call

CALLER = "+33142685300"


def has(office: Office, number: str) -> list[str]:
    """Names of those who have this number."""
    with reading(office.desk.database()) as session:
        return [each.name for each in customers_with(session, number)]


def customer(office: Office, customer_id: int) -> Customer:
    with reading(office.desk.database()) as session:
        return session.get_one(Customer, customer_id)


async def test_an_unknown_caller_is_entered_while_the_phone_rings_and_every_card_shows_the_name(office: Office) -> None:
    dara, sophea = await office.person("dara"), await office.person("sophea")
    call = live_call(CALLER, "101", "104", caller_name="Jean Petit")
    await office.desk.publish(call)
    card = dara.page.locator(dara.card(call.call_id))
    await expect(card).to_contain_text("Nobody in your customer base has this number")
    await card.get_by_role("link", name="New customer").click()
    await expect(dara.page.get_by_label("Name", exact=True)).to_be_focused()
    await expect(dara.page.get_by_label("Name", exact=True)).to_have_value("Jean Petit")
    await expect(dara.page.get_by_label("Number", exact=True).first).to_have_value(CALLER)
    await expect(dara.page.locator(".number-country")).to_have_text("France")
    await dara.page.get_by_label("Company", exact=True).fill("Le Petit & Fils")
    await dara.page.keyboard.press("Enter")
    await expect(dara.page.locator("h1")).to_have_text("Jean Petit")
    for person in (dara, sophea):
        theirs = person.page.locator(person.card(call.call_id))
        await expect(theirs.locator("h2")).to_have_text("Jean Petit")
        await expect(theirs).to_contain_text("Ringing")
    taken = answered(call, "101")
    await office.desk.publish(taken)
    await expect(sophea.page.locator(sophea.card(call.call_id))).to_contain_text("Answered by Dara Chan")
    await dara.page.reload()
    await dara.is_live()
    await expect(card.locator("h2")).to_have_text("Jean Petit")
    await office.desk.publish(ended(taken))


async def test_the_number_is_given_to_somebody_known_by_keyboard_alone(office: Office) -> None:
    dara = await office.person("dara")
    call = live_call(CALLER, "101")
    await office.desk.publish(call)
    card = dara.page.locator(dara.card(call.call_id))
    await card.get_by_role("button", name="Somebody we know").focus()
    await dara.page.keyboard.press("Enter")
    dialog = dara.page.get_by_role("dialog")
    await expect(dialog.get_by_role("combobox")).to_be_focused()
    await dara.page.keyboard.type("chea")
    await expect(dialog.get_by_role("option")).to_have_count(3)  # two, and a new one
    await expect(dialog.get_by_role("option", selected=True)).to_contain_text("Chea Bopha")
    await dara.page.keyboard.press("ArrowDown")
    await expect(dialog.get_by_role("option", selected=True)).to_contain_text("Chea Vanna")
    await dara.page.keyboard.press("Enter")
    await expect(dialog).to_have_count(0)
    await expect(card.locator("h2")).to_have_text("Chea Vanna")
    assert has(office, CALLER) == ["Chea Vanna"]


async def test_a_new_one_is_entered_by_the_name_alone_and_a_hostile_name_is_text(office: Office) -> None:
    dara = await office.person("dara")
    call = live_call(CALLER, "101")
    await office.desk.publish(call)
    card = dara.page.locator(dara.card(call.call_id))
    await card.get_by_role("button", name="Somebody we know").click()
    dialog = dara.page.get_by_role("dialog")
    await dialog.get_by_role("combobox").fill("<script>")
    await expect(dialog.get_by_role("option").first).to_contain_text(HOSTILE_NAME)
    await dara.page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    assert has(office, CALLER) == []
    await card.get_by_role("button", name="Somebody we know").click()
    await dialog.get_by_role("combobox").fill("<b>Nobody</b> before")
    await dara.page.keyboard.press("Enter")
    await expect(card.locator("h2")).to_have_text("<b>Nobody</b> before")
    assert has(office, CALLER) == ["<b>Nobody</b> before"]


async def test_two_tabs_that_change_one_customer_lose_nothing(office: Office) -> None:
    dara = await office.person("dara")
    path = f"{office.address}/customers/{office.people.rithy}/edit"
    one, two = dara.page, await dara.context.new_page()
    dara.watch(two)
    await one.goto(path)
    await two.goto(path)
    await one.get_by_label("Company", exact=True).fill("Angkor Mills")
    await one.get_by_role("button", name="Save").click()
    await expect(one.locator(".person")).to_contain_text("Angkor Mills")

    await two.get_by_label("Company", exact=True).fill("Rice & Sons")
    await two.get_by_label("Note", exact=True).fill("Call after noon.")
    await two.get_by_role("button", name="Another number").click()
    await two.get_by_label("Number", exact=True).last.fill("+85523880123")
    await two.get_by_role("button", name="Save").click()
    await expect(two.get_by_role("alert")).to_contain_text("Somebody changed Sok Rithy while you were typing")
    await expect(two.locator(".theirs")).to_contain_text(re.compile("Angkor Rice Mills.*Angkor Mills", re.S))
    await expect(two.get_by_label("Company", exact=True)).to_have_value("Rice & Sons")
    await expect(two.get_by_label("Note", exact=True)).to_have_value("Call after noon.")
    await two.get_by_role("button", name="Save").click()
    await expect(two.locator(".person")).to_contain_text("Rice & Sons")
    await expect(two.locator(".history")).to_contain_text(re.compile("Angkor Mills.*Rice & Sons", re.S))
    assert customer(office, office.people.rithy).note == "Call after noon."
    assert has(office, "+85523880123") == ["Sok Rithy"]
    async with asyncio.timeout(30):
        while not dara.wrong:  # Chromium counts a refused form among the errors of its console
            await asyncio.sleep(0.01)
    assert "409" in dara.wrong.pop()


async def test_numbers_and_the_picture_are_changed_in_the_form(office: Office) -> None:
    dara = await office.person("dara")
    page = dara.page
    await page.goto(f"{office.address}/customers/{office.people.rithy}/edit")
    await page.get_by_role("button", name="Remove this number").first.click()
    await expect(page.get_by_label("Number", exact=True).first).to_be_hidden()
    await page.get_by_role("button", name="Another number").click()
    await page.keyboard.type("+85517222333")
    picture = io.BytesIO()
    Image.new("RGB", (40, 40), (10, 20, 200)).save(picture, "PNG")
    before = customer(office, office.people.rithy).photo
    await page.get_by_label("Picture", exact=True).set_input_files(
        {"name": "face.png", "mimeType": "image/png", "buffer": picture.getvalue()}
    )
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".contacts")).to_contain_text("+855 17 222 333")
    assert has(office, RITHY) == []
    assert has(office, "+85517222333") == ["Sok Rithy"]
    after = customer(office, office.people.rithy).photo
    assert after not in ("", before)
    await page.get_by_role("link", name="Change").click()
    await page.get_by_role("button", name="Save").click()  # a form without a new picture
    await expect(page.locator(".person")).to_be_visible()
    assert customer(office, office.people.rithy).photo == after


async def test_the_square_of_a_picture_is_chosen_by_mouse_and_by_keyboard(office: Office) -> None:
    image = Image.new("RGB", (800, 400), "red")
    image.paste("blue", (400, 0, 800, 400))
    out = io.BytesIO()
    image.save(out, "PNG")
    file = FilePayload(name="sok.png", mimeType="image/png", buffer=out.getvalue())
    dara = await office.person("dara")
    page = dara.page

    async def saved() -> Image.Image:
        await page.get_by_role("button", name="Save").click()
        await page.wait_for_url(f"{office.address}/customers/{office.people.rithy}")
        with reading(office.desk.database()) as session:
            name = session.get_one(Customer, office.people.rithy).photo
        return Image.open(photo_path(office.settings.data_dir, name)).convert("RGB")

    def is_red(pixel: object) -> bool:
        assert isinstance(pixel, tuple)
        return bool(pixel[0] > pixel[2])

    await page.goto(f"{office.address}/customers/{office.people.rithy}/edit")
    await expect(page.locator(".crop")).to_be_hidden()
    await page.set_input_files("#field-picture", files=[file])
    await expect(page.locator(".crop")).to_be_visible()
    await page.get_by_label("To the side").focus()
    await page.keyboard.press("Home")
    kept = await saved()
    assert [is_red(kept.getpixel((x, 128))) for x in (4, 128, 251)] == [True, True, True]

    await page.goto(f"{office.address}/customers/{office.people.rithy}/edit")
    await page.set_input_files("#field-picture", files=[file])
    await page.locator(".crop canvas").scroll_into_view_if_needed()
    frame = await page.locator(".crop canvas").bounding_box()
    assert frame
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x - frame["width"] / 4, y, steps=3)
    await page.mouse.up()
    kept = await saved()
    assert [is_red(kept.getpixel((x, 128))) for x in (4, 50, 80, 251)] == [True, True, False, False]
