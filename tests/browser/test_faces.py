"""What each person chose of the desk's looks and manners, in real Chromium; and the desk as an application."""

from __future__ import annotations

import asyncio
import io
from typing import Any, Literal

import pytest
from PIL import Image, ImageChops, ImageStat
from playwright.async_api import Browser, Page, expect

from desk.colours import read
from desk.designs import designs
from tests.browser.icons import ICON_SIDES, ICONS, icon
from tests.fixtures.browser import Office, Person
from tests.fixtures.desk import KHMER, RITHY, SHARED, answered, ended, live_call

FRAMES = """
    window.shades = [];
    const note = () => {
      if (document.body) shades.push(getComputedStyle(document.body).backgroundColor);
      requestAnimationFrame(note);
    };
    requestAnimationFrame(note);
"""
"""The ground of every frame that is drawn, from the first on."""

ALERTS = """
    window.alerts = [];
    document.addEventListener("ringcard:alerted", (event) => window.alerts.push(event.detail));
"""

NOTIFICATIONS = """async () => {
    const worker = await navigator.serviceWorker.ready;
    return (await worker.getNotifications()).map(({ title, body }) => [title, body]);
}"""


async def prefer(person: Person, **chosen: Any) -> None:
    answer = await person.page.request.patch(
        f"{person.address}/api/v1/me/preferences", data=chosen, headers={"Origin": person.address}
    )
    assert answer.ok, await answer.text()


async def until(page: Page, expression: str) -> None:
    """Waits until this is true there. Asked from outside: the page's policy lets no text become a script."""
    async with asyncio.timeout(30):
        while not await page.evaluate(expression):
            await asyncio.sleep(0.02)


async def go(person: Person, path: str, page: Page | None = None) -> None:
    await (page or person.page).goto(person.address + path)
    await person.is_live(page)


def css(colour: tuple[float, float, float]) -> str:
    return "rgb({}, {}, {})".format(*(round(part * 255) for part in colour))


async def test_a_chosen_design_is_there_from_the_first_frame_on(office: Office) -> None:
    dara = await office.person("dara", color_scheme="light")
    await go(dara, "/me/preferences")
    solar = css(designs()["solar"].dark.canvas)
    await dara.page.get_by_label("Solar", exact=True).check()
    await dara.page.get_by_label("Dark", exact=True).check()
    await expect(dara.page.locator("body")).to_have_css("background-color", solar)  # seen before it is saved
    await dara.page.get_by_role("button", name="Save").click()
    await expect(dara.page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    await dara.page.add_init_script(FRAMES)
    for path in ("/", "/customers"):
        await go(dara, path)
        assert await dara.page.evaluate("[...new Set(shades)]") == [solar]
    assert solar != css(designs()["solar"].light.canvas)


async def test_where_no_mode_is_chosen_the_computers_is_followed(office: Office) -> None:
    dara = await office.person("dara", color_scheme="light")
    await prefer(dara, design="lagoon-mist")
    await go(dara, "/")
    lagoon = designs()["lagoon-mist"]
    await expect(dara.page.locator("body")).to_have_css("background-color", css(lagoon.light.canvas))
    await dara.page.emulate_media(color_scheme="dark")
    await expect(dara.page.locator("body")).to_have_css("background-color", css(lagoon.dark.canvas))


async def test_the_card_comes_up_when_one_answers_and_not_before(office: Office) -> None:
    dara = await office.person("dara")
    await prefer(dara, pop_up="answer")
    await go(dara, "/customers")
    call = live_call(RITHY, "101", customers=(office.people.rithy,))
    taken = answered(call, "101")
    await office.desk.publish(call)
    await expect(dara.page.locator(f'body[data-calls="{call.call_id}"]')).to_have_count(1)  # it was heard of
    await expect(dara.page.locator(dara.card(call.call_id))).to_have_count(0)
    await go(dara, "/calls")
    await expect(dara.page.locator(dara.card(call.call_id))).to_have_count(0)
    await office.desk.publish(taken)
    await expect(dara.page.locator(dara.card(call.call_id))).to_contain_text("On the phone")
    await office.desk.publish(ended(taken))
    await expect(dara.page.locator("body")).to_have_attribute("data-calls", "")


async def test_who_wants_no_card_to_come_up_finds_it_on_the_first_page(office: Office) -> None:
    dara = await office.person("dara")
    await prefer(dara, pop_up="never")
    await go(dara, "/customers")
    call = live_call(RITHY, "101", customers=(office.people.rithy,))
    await office.desk.publish(call, answered(call, "101"))
    await expect(dara.page.locator(f'body[data-calls="{call.call_id}"]')).to_have_count(1)
    await expect(dara.page.locator(dara.card(call.call_id))).to_have_count(0)
    await dara.page.get_by_role("link", name="Desk", exact=True).click()
    await expect(dara.page.locator(dara.card(call.call_id))).to_contain_text("On the phone")


async def test_a_choice_holds_in_windows_that_are_open_already(office: Office) -> None:
    dara = await office.person("dara")
    await go(dara, "/customers")
    other = await dara.context.new_page()
    dara.watch(other)
    await prefer(dara, pop_up="never")
    await go(dara, "/calls", other)
    call = live_call(RITHY, "101", customers=(office.people.rithy,))
    await office.desk.publish(call)
    await expect(dara.page.locator(f'body[data-calls="{call.call_id}"]')).to_have_count(1)
    await expect(dara.page.locator(dara.card(call.call_id))).to_have_count(0)


async def test_a_call_brings_one_notification_and_one_sound_however_many_tabs(office: Office) -> None:
    dara = await office.person("dara")
    await dara.context.grant_permissions(["notifications"], origin=office.address)
    await dara.context.add_init_script(ALERTS)
    await prefer(dara, volume=50)
    tabs = [dara.page, await dara.context.new_page()]
    dara.watch(tabs[1])
    for tab in tabs:
        await go(dara, "/customers", tab)
        await tab.mouse.click(5, 300)  # a page may sound once somebody has clicked on it
    call = live_call(RITHY, "101", customers=(office.people.rithy,))
    second = live_call(KHMER, "101", customers=(office.people.khmer,))
    await office.desk.publish(call, second)
    for tab in tabs:
        for each in (call, second):
            await expect(tab.locator(dara.card(each.call_id))).to_be_visible()
    await until(tabs[1], "window.alerts.length === 2")
    told = [each for tab in tabs for each in await tab.evaluate("window.alerts")]
    assert sorted(each["id"] for each in told if each["shown"]) == sorted([call.call_id, second.call_id])
    assert [each["id"] for each in told if each["sounded"]] == [call.call_id]  # two at once are one sound
    assert sorted(await tabs[0].evaluate(NOTIFICATIONS)) == [
        ["Sok Rithy", "Angkor Rice Mills · +855 12 345 678"],
        ["សុខ ចាន់ដារា", "+855 92 700 800"],
    ]
    await office.desk.publish(answered(call, "101"), ended(answered(call, "101")), ended(second))
    await until(tabs[0], f"async () => !(await ({NOTIFICATIONS})()).length")
    assert len([each for tab in tabs for each in await tab.evaluate("window.alerts")]) == 2


async def test_permission_is_asked_for_by_a_click_alone(office: Office) -> None:
    dara = await office.person("dara")
    await dara.context.clear_permissions()
    await dara.context.add_init_script(
        "window.asked = 0; Notification.requestPermission = async () => { window.asked++; return 'default'; };"
    )
    call = live_call(RITHY, "101", customers=(office.people.rithy,))
    for path in ("/", "/customers", "/me/preferences"):
        await go(dara, path)
        await office.desk.publish(call)
        await expect(dara.page.locator(dara.card(call.call_id))).to_be_visible()
        assert await dara.page.evaluate("window.asked") == 0
    await dara.page.get_by_role("button", name="Allow it in this browser").click()
    assert await dara.page.evaluate("window.asked") == 1


async def test_many_calls_at_once_stay_in_their_corner(office: Office) -> None:
    dara = await office.person("dara", viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    await go(dara, "/customers")
    before = await dara.page.locator("main").bounding_box()
    calls = [
        live_call(number, "101") for number in ("+33142685300", "+33142685301", "+33142685302", "+33142685303", "")
    ]
    calls.append(live_call(SHARED, "101", customers=office.people.shared))
    await office.desk.publish(*calls)
    await expect(dara.page.locator("[data-call]")).to_have_count(6)
    assert await dara.page.locator("main").bounding_box() == before  # nothing is pushed about
    corner = await dara.page.locator("#live").bounding_box()
    assert corner is not None
    assert corner["y"] >= 60  # the way to other pages stays free
    assert corner["y"] + corner["height"] <= 800
    for call in calls:
        card = dara.page.locator(dara.card(call.call_id))
        await card.scroll_into_view_if_needed()
        await card.get_by_label("Put this card away").click()
    await expect(dara.page.locator("[data-call]")).to_have_count(0)


async def test_without_a_connection_there_is_a_calm_page_that_goes_on_by_itself(office: Office) -> None:
    dara = await office.person("dara")
    await dara.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await go(dara, f"/customers/{office.people.rithy}")
    await until(dara.page, "navigator.serviceWorker.controller !== null")
    dara.offline = True
    await office.stop()
    await dara.page.goto(f"{dara.address}/calls", wait_until="load")
    await expect(dara.page.locator("h1")).to_have_text("No connection")
    await expect(dara.page.locator("button")).to_have_css("background-color", "rgb(11, 122, 91)")  # its own stylesheet
    kept = "async () => (await Promise.all((await caches.keys()).map(async (name) => (await (await caches.open(name))"
    kept += ".keys()).map(({ url }) => new URL(url).pathname)))).flat().sort()"
    assert await dara.page.evaluate(kept) == [  # and nothing of what the desk has shown
        "/offline",
        "/static/mark.svg",
        "/static/offline.css",
        "/static/offline.js",
    ]
    await office.start()
    await expect(dara.page.locator("h1")).to_have_text("Calls", timeout=30_000)


@pytest.mark.parametrize("width", [360, 3840])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_pages_of_choices_fit_every_screen(
    office: Office, width: int, scheme: Literal["light", "dark"]
) -> None:
    dara = await office.person("dara", viewport={"width": width, "height": 900}, color_scheme=scheme)
    for path in ("/me/preferences", "/", "/customers", "/calls"):
        await go(dara, path)
        assert await dara.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


async def test_a_language_is_chosen_among_the_preferences_and_at_the_door(office: Office) -> None:
    dara = await office.person("dara", viewport={"width": 360, "height": 800})
    page, spoken = dara.page, dara.page.locator("html")
    await go(dara, "/me/preferences")
    await page.select_option("#language", "ar")
    await page.click(".save-bar button")
    await expect(spoken).to_have_attribute("dir", "rtl")
    await dara.is_live()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await dara.context.clear_cookies(name="ringcard")
    await page.goto(f"{office.address}/tasks")
    await expect(spoken).to_have_attribute("lang", "ar")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.get_by_role("button", name="ភាសាខ្មែរ").click()
    await expect(spoken).to_have_attribute("lang", "km")
    await expect(page.get_by_role("button", name="ភាសាខ្មែរ")).to_have_attribute("aria-current", "true")
    await expect(page.locator("form[action='/sign-in'] [name=next]")).to_have_value("/tasks")


async def test_the_icons_are_the_mark(browser: Browser) -> None:
    for name, how in ICON_SIDES.items():
        made = Image.open(io.BytesIO(await icon(browser, *how))).convert("RGBA")
        kept = Image.open(ICONS / name).convert("RGBA")
        assert made.size == kept.size
        assert max(ImageStat.Stat(ImageChops.difference(made, kept)).mean) < 1, name


def test_a_colour_is_written_as_browsers_do() -> None:
    assert css(read("#0b7a5b")) == "rgb(11, 122, 91)"
