"""Open cards, lists and reports are kept as tabs: over reloads, windows and sign-ins, for their own person alone."""

from __future__ import annotations

import json
from typing import Any

from playwright.async_api import Page, expect

from records.customers import remove_customer
from records.database import writing
from tests.browser.test_accessible import faults_of
from tests.fixtures.browser import Office, Person

BAR = "#tabs .tabs-bar"


def titles(page: Page) -> Any:
    return page.locator(f"{BAR} a span:not(.tab-waits):not(.visually-hidden)")


async def stored(person: Person) -> str:
    """All that the browser keeps, at the door, where no page of this person's can write any more."""
    await person.page.wait_for_url("**/sign-in")
    return str(await person.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])"))


async def test_pages_become_tabs_that_survive_a_reload_a_window_and_a_new_sign_in(office: Office) -> None:
    dara = await office.person("dara")
    page, rithy = dara.page, office.people.rithy
    await expect(page.locator("#tabs")).to_be_hidden()
    for path in (f"/customers/{rithy}", "/calls/answered", "/customers?q=rithy&owes=yes", "/tasks"):
        await page.goto(office.address + path)
    wanted = ["Sok Rithy", "Customers: rithy, Owes money", "Tasks"]
    await expect(titles(page)).to_have_count(4)
    assert [text for text in await titles(page).all_inner_texts() if not text.startswith("Sok Rithy, ")] == wanted
    await page.reload()
    await expect(titles(page)).to_have_count(4)
    second = await dara.context.new_page()
    dara.watch(second)
    await second.goto(office.address)
    await expect(titles(second)).to_have_count(4)
    await second.keyboard.press("Alt+1")
    await second.wait_for_url(f"**/customers/{rithy}")
    await expect(second.locator(f"{BAR} [aria-current=page]")).to_have_text("Sok Rithy")
    await expect(titles(second)).to_have_count(4)
    await second.keyboard.press("Alt+w")
    await second.wait_for_url("**/calls/answered")
    await expect(titles(page)).to_have_count(3)  # the first window has heard of it
    await second.close()
    await page.locator(".me summary").click()
    await page.get_by_role("button", name="Sign out").click()
    kept = await stored(dara)
    assert "ringcard tabs" in kept
    assert not any(name in kept.casefold() for name in ("rithy", "owes", "paddy", "angkor"))
    await dara.sign_in("dara")
    await expect(titles(page)).to_have_count(3)


async def test_on_a_shared_computer_nobody_gets_the_tabs_of_another(office: Office) -> None:
    dara = await office.person("dara")
    await dara.page.goto(f"{office.address}/customers?q=rithy")
    await expect(titles(dara.page)).to_have_count(1)
    keys = await dara.page.evaluate(f"localStorage['ringcard tabs {office.people.dara}']")
    await dara.page.locator(".me summary").click()
    await dara.page.get_by_role("button", name="Sign out").click()
    await dara.sign_in("mony")
    await expect(dara.page.locator("#tabs")).to_be_hidden()
    # Even who copies them learns nothing: the address of a list is sealed for one person.
    await dara.page.evaluate(f"(keys) => localStorage.setItem('ringcard tabs {office.people.mony}', keys)", keys)
    async with dara.page.expect_response("**/pieces/tabs") as told:
        await dara.page.reload()
    assert await (await told.value).json() == {"tabs": [{"key": json.loads(keys)[0]["key"], "gone": True, "said": ""}]}
    await expect(dara.page.locator("#tabs")).to_be_hidden()


async def test_a_narrower_list_stays_in_its_tab_and_a_tab_comes_back_where_it_was_scrolled_to(office: Office) -> None:
    dara = await office.person("dara", viewport={"width": 900, "height": 300})
    page = dara.page
    await page.goto(f"{office.address}/customers?q=chea")
    await page.locator(".filters select[name=manager]").select_option("nobody")
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(titles(page)).to_have_text(["Customers: chea, Nobody"])
    await page.goto(f"{office.address}/customers/{office.people.rithy}")
    await page.evaluate("scrollTo(0, 150)")
    await expect(titles(page)).to_have_count(2)
    await page.keyboard.press("Alt+PageUp")
    await page.wait_for_url("**/customers?q=chea&manager=nobody*")
    await page.locator(BAR).get_by_text("Sok Rithy").click()
    await page.wait_for_url("**/customers/*")
    await page.wait_for_function("scrollY === 150")


async def test_tabs_are_closed_and_kept_by_keyboard_and_mouse_and_the_oldest_goes(office: Office) -> None:
    dara = await office.person("dara")
    page, people = dara.page, office.people
    for one in (people.rithy, people.khmer, people.hostile):
        await page.goto(f"{office.address}/customers/{one}")
    await expect(titles(page)).to_have_count(3)
    await page.locator(f"{BAR} a").first.focus()
    await page.keyboard.press("p")
    await expect(page.locator(f"{BAR} .bi-pin-angle-fill")).to_have_count(1)
    await page.locator(f"{BAR} a").nth(1).focus()
    await page.keyboard.press("Delete")
    await expect(titles(page)).to_have_count(2)
    assert await page.evaluate("document.activeElement.closest('[data-key]').dataset.key") == f"c{people.hostile}"
    key = f"ringcard tabs {people.dara}"
    many = [{"key": f"k{at}", "used": at} for at in range(11)]
    await page.evaluate(
        "([key, more]) => localStorage.setItem(key, JSON.stringify([...JSON.parse(localStorage[key]), ...more]))",
        [key, many],
    )
    await page.route("**/pieces/tabs", lambda route: route.abort())  # what those are called does not matter here
    dara.offline = True
    await page.goto(f"{office.address}/customers/{people.khmer}")
    kept = [tab["key"] for tab in json.loads(await page.evaluate("(key) => localStorage[key]", key))]
    assert len(kept) == 12
    assert kept[0] == f"c{people.rithy}"
    assert kept[-1] == f"c{people.khmer}"
    assert not {"k0", "k1"} & {*kept}
    await page.locator(f'{BAR} [data-key="k10"] a').click(button="middle")
    await expect(page.locator(f'{BAR} [data-key="k10"]')).to_have_count(0)
    assert len(dara.context.pages) == 1


async def test_a_tab_of_a_customer_who_was_deleted_says_so_and_goes(office: Office) -> None:
    dara = await office.person("dara")
    page, gone = dara.page, office.people.khmer
    await page.goto(f"{office.address}/customers/{gone}")
    await expect(titles(page)).to_have_count(1)
    with writing(office.desk.database()) as session:
        remove_customer(session, gone)
    await page.goto(f"{office.address}/calls")
    await expect(page.locator(".tabs-said")).to_have_text("The customer of a tab was deleted; the tab is closed.")
    await expect(titles(page)).to_have_text(["Calls"])
    await page.reload()
    await expect(titles(page)).to_have_text(["Calls"])
    await expect(page.locator(".tabs-said")).to_be_hidden()


async def test_what_was_typed_and_not_saved_is_there_again_until_it_is_saved_or_its_person_signs_out(
    office: Office,
) -> None:
    dara = await office.person("dara")
    page, rithy = dara.page, office.people.rithy
    form = f"{office.address}/customers/{rithy}/edit"
    await page.goto(form)
    await page.fill("[name=company]", "Lotus Mills")
    await page.locator("#add-line").click()
    await page.locator("[name^=number]").last.fill("012 999 888")
    await page.goto(f"{office.address}/calls")
    await page.keyboard.press("Alt+1")
    await page.wait_for_url("**/edit")
    await expect(page.locator("[name=company]")).to_have_value("Lotus Mills")
    await expect(page.locator("[name^=number]").last).to_have_value("012 999 888")
    await expect(page.locator(".form-kept")).to_be_visible()
    await page.route("**/edit", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    dara.offline = True
    await page.get_by_role("button", name="Save").click()  # the desk is away just then
    await page.wait_for_url("chrome-error://**")
    await page.unroute("**/edit")
    await page.goto(f"{office.address}/calls")
    dara.offline = False
    await page.goto(form)
    await expect(page.locator("[name=company]")).to_have_value("Lotus Mills")
    await page.fill("[name=name]", "")
    await page.get_by_role("button", name="Save").click()  # refused: it has no name
    await expect(page.locator("main .said[role=alert]")).to_be_visible()
    dara.wrong.clear()  # Chromium counts the refusal among the errors
    await page.goto(f"{office.address}/calls")
    await page.goto(form)
    await expect(page.locator("[name=company]")).to_have_value("Lotus Mills")
    await page.fill("[name=name]", "Sok Rithy")
    await page.get_by_role("button", name="Save").click()
    await page.wait_for_url(f"**/customers/{rithy}")
    await page.goto(form)
    await expect(page.locator("[name=company]")).to_have_value("Lotus Mills")
    await expect(page.locator(".form-kept")).to_have_count(0)
    await page.fill("[name=note]", "A secret of the customer")
    await page.locator(".me summary").click()
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("button", name="Sign out, and drop what is not saved in a form").click()
    assert "secret" not in await stored(dara)


async def test_a_form_that_came_back_to_be_mended_is_as_it_came(office: Office) -> None:
    dara = await office.person("dara")
    page = dara.page
    await page.goto(f"{office.address}/customers/{office.people.rithy}/edit")
    await page.fill("[name=name]", "")
    await page.fill("[name=company]", " Lotus ")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("main .said[role=alert]")).to_be_visible()
    dara.wrong.clear()  # Chromium counts the refusal among the errors
    await page.wait_for_load_state("load")
    await expect(page.locator(".form-kept")).to_have_count(0)
    held = await page.evaluate("Object.entries(localStorage).find(([key]) => key.startsWith('ringcard form'))[1]")
    assert json.loads(held)["values"]["company"] == await page.locator("[name=company]").input_value()


async def test_on_a_phone_the_tabs_are_a_list_that_opens(office: Office) -> None:
    dara = await office.person("dara", viewport={"width": 360, "height": 740})
    page = dara.page
    for path in (f"/customers/{office.people.rithy}", "/calls"):
        await page.goto(office.address + path)
    await expect(page.locator(".tabs-all summary")).to_contain_text("2 tabs")
    await page.locator(".tabs-all summary").click()
    listed = page.locator(".tabs-list")
    await expect(listed.get_by_role("link", name="Sok Rithy")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    assert await faults_of(page) == []
    await listed.get_by_role("button", name="Close Sok Rithy").click()
    await expect(listed.locator("li")).to_have_count(1)
    await expect(page.locator(".tabs-all")).to_have_attribute("open", "")


async def test_nothing_moves_when_the_bar_is_filled_in(office: Office) -> None:
    dara = await office.person("dara")
    await dara.page.goto(f"{office.address}/customers/{office.people.rithy}")
    await expect(titles(dara.page)).to_have_count(1)
    await dara.page.add_init_script("""
      window.moved = 0;
      new PerformanceObserver((list) => { for (const one of list.getEntries()) window.moved += one.value; })
        .observe({ type: "layout-shift", buffered: true });
    """)
    await dara.page.goto(f"{office.address}/calls")
    await expect(titles(dara.page)).to_have_count(2)
    await dara.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert await dara.page.evaluate("window.moved") < 0.005
