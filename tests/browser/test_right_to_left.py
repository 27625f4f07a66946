"""The desk from right to left, as readers of Arabic have it: nothing leaves the window, keys do what they do."""

from __future__ import annotations

from playwright.async_api import Locator, expect

from desk.languages import COOKIE, language
from records.database import writing
from records.users import add_user
from tests.fixtures.browser import Office, Person
from tests.fixtures.desk import PASSWORD, RITHY, SHARED, answered, live_call

PAGES = (
    "/",
    "/customers",
    "/customers/{rithy}",
    "/customers/{rithy}/edit",
    "/calls",
    "/calls/answered",
    "/tasks",
    "/me",
    "/me/preferences",
    "/import",
    "/routing",
    "/blocked",
    "/test-call",
    "/people",
    "/card-fields",
)
WIDTHS = (360, 1280)
LOOK = """() => ({
  direction: getComputedStyle(document.body).direction,
  sideways: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  plain: [...document.styleSheets].filter(({ href }) => href?.includes("bootstrap.min.css")).length,
})"""

LIES_OVER = """(part) => {
  const { left, right, top, bottom } = part.getBoundingClientRect();
  if (left < 0 || right > innerWidth || top < 0 || bottom > innerHeight) return "it is outside of the window";
  const inset = (from, to) => from + (to - from) / 20;
  const across = [inset(left, right), inset(right, left)], down = [inset(top, bottom), inset(bottom, top)];
  const there = across.flatMap((x) => down.map((y) => document.elementFromPoint(x, y)));
  return there.filter((each) => !part.contains(each)).map((each) => each.outerHTML.slice(0, 80)).join(" ");
}"""
"""What lies over the corners of a part of the page; empty: nothing."""


async def reads_arabic(office: Office, login: str) -> Person:
    """Signed in as ever, then in Arabic."""
    person = await office.person(login, viewport={"width": 360, "height": 740}, reduced_motion="reduce")
    await person.context.add_cookies([{"name": COOKIE, "value": "ar", "url": office.address}])
    await person.page.goto(office.address)
    await person.is_live()
    return person


async def is_within(part: Locator) -> None:
    """All of it is in the window, and nothing lies over its corners."""
    await expect(part).to_be_visible()
    assert await part.evaluate(LIES_OVER) == ""


async def test_no_page_scrolls_sideways(office: Office) -> None:
    with writing(office.desk.database()) as session:
        add_user(session, "boss", "Boss", PASSWORD, role="administrator")
    boss = await reads_arabic(office, "boss")
    dara = await reads_arabic(office, "dara")
    talking = live_call(RITHY, "101", customers=(office.people.rithy,))
    await office.desk.publish(
        talking, answered(talking, "101"), live_call(SHARED, "101", customers=office.people.shared)
    )
    for person, paths in ((boss, PAGES), (dara, PAGES[:9])):
        for path in paths:
            await person.page.goto(office.address + path.format(rithy=office.people.rithy))
            if person is dara:
                await expect(person.page.locator("[data-call]")).to_have_count(2)
            for width in WIDTHS:
                await person.page.set_viewport_size({"width": width, "height": 740})
                found = await person.page.evaluate(LOOK)
                assert found == {"direction": "rtl", "sideways": 0, "plain": 0}, (path, width)
    await expect(dara.page.locator("html")).to_have_attribute("lang", "ar")
    await expect(dara.page.locator("#link-state .text")).to_have_text(language("ar").gettext("Live"))


async def test_what_opens_is_within_the_window(office: Office) -> None:
    dara = await reads_arabic(office, "dara")
    page = dara.page
    await page.goto(f"{office.address}/customers/{office.people.rithy}")
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 740})
        await page.locator(".me summary").click()
        await is_within(page.locator(".me .menu"))
        await page.keyboard.press("Escape")
        await page.locator(".tabs-all summary").click()
        await is_within(page.locator(".tabs-menu"))
        await page.keyboard.press("Escape")
        await page.locator(".find input").fill("rithy")
        await expect(page.locator("#find-list [role=option]")).to_have_count(1)
        await is_within(page.locator(".find-found"))
        await page.keyboard.press("Escape")
        await page.locator(".find input").fill("")
    call = live_call(RITHY, "101", customers=(office.people.rithy,))
    await office.desk.publish(call)
    await is_within(page.locator(dara.card(call.call_id)))
    number = page.locator(f"{dara.card(call.call_id)} .call-number .number")
    await expect(number).to_have_css("direction", "ltr")
    await expect(number).to_have_css("unicode-bidi", "isolate")


async def test_keys_find_somebody_and_go_from_tab_to_tab(office: Office) -> None:
    dara = await reads_arabic(office, "dara")
    page = dara.page
    await page.keyboard.press("/")
    await page.keyboard.type("chea")
    options = page.locator("#find-list [role=option]")
    await expect(options).to_have_count(2)
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("ArrowUp")
    chosen = await options.nth(0).get_attribute("data-customer")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/customers/{chosen}")
    await page.set_viewport_size({"width": 1280, "height": 740})
    for path in ("/tasks", "/calls"):
        await page.goto(office.address + path)
    tabs = page.locator("#tabs .tabs-bar [data-key]")
    await expect(tabs).to_have_count(3)
    boxes = [await tabs.nth(at).bounding_box() for at in range(3)]
    assert [box["x"] for box in boxes if box] == sorted((box["x"] for box in boxes if box), reverse=True)
    await page.keyboard.press("Alt+PageDown")  # from the last to the first
    await page.wait_for_url(f"**/customers/{chosen}")
    await page.keyboard.press("Alt+PageDown")
    await page.wait_for_url("**/tasks")
    await page.keyboard.press("Alt+PageUp")
    await page.wait_for_url(f"**/customers/{chosen}")
    await tabs.nth(1).locator("a").focus()
    await page.keyboard.press("Delete")
    await expect(tabs).to_have_count(2)
    await page.locator("#tabs a:focus").press("p")
    await expect(page.locator("#tabs .tabs-bar .bi-pin-angle-fill")).to_have_count(1)
