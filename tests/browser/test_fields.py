"""Fields that the company defines, in real Chromium: the card pops at once, what is late fills in, roles hold."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from playwright.async_api import Browser, expect

from config.card_fields import Field, Query
from config.settings import Settings
from records.customers import change_customer
from records.database import writing
from tests.fixtures.browser import Office
from tests.fixtures.desk import RITHY, People, live_call
from tests.fixtures.erp import WHEN_OPEN, closed

OVERSEERS = ("supervisor", "administrator")
FIELDS = {
    "balance": Field("Balance", "money", "erp.balance", order=150),
    "rating": Field("Payment rating", "number", "erp.rating", order=160, roles=OVERSEERS),
    "since": Field("Customer since", "date"),
    "contract": Field("Contract", "link"),
    "grade": Field("Grade", "choice", choices=("Gold", "Silver")),
    "secret": Field("Watch out", roles=OVERSEERS),
}


@pytest.fixture
async def office(
    company: tuple[Settings, People], redis_url: str, erp_url: str, browser: Browser
) -> AsyncIterator[Office]:
    settings, people = company
    queries = {"erp": Query(url=erp_url, sql=WHEN_OPEN, limit_ms=60_000)}
    place = Office(replace(settings, fields=FIELDS, queries=queries), people, redis_url, browser)
    await place.start()
    with writing(place.desk.database()) as session:
        values = {"since": "2019-03-14", "contract": "https://files.example/c/7", "secret": "pays late"}
        change_customer(session, people.rithy, {"external_id": "A-17", "custom": values})
    try:
        yield place
    finally:
        await place.close()
    assert [what for person in place.persons for what in person.wrong] == []


LISTEN = """
    window.heard = [];
    const events = new EventSource("/api/v1/events?pieces=true");
    for (const kind of ["ringing", "answered", "card_changed", "snapshot"])
      events.addEventListener(kind, (event) => window.heard.push(event.data));
"""


async def test_the_card_pops_at_once_its_late_field_fills_in_and_an_agent_sees_no_supervisors_field(
    office: Office, erp_url: str
) -> None:
    dara, sophea = await office.person("dara"), await office.person("sophea")
    await dara.page.evaluate(LISTEN)
    call = live_call(RITHY, "101", "104", customers=(office.people.rithy,))
    hers, theirs = dara.page.locator(dara.card(call.call_id)), sophea.page.locator(dara.card(call.call_id))
    async with closed(erp_url):
        await office.desk.publish(call)
        for card in (hers, theirs):
            await expect(card).to_contain_text("Sok Rithy")
            await expect(card.locator(".pending").first).to_be_visible()
    await expect(hers).to_contain_text("1,250.50")
    await expect(hers.locator(".pending")).to_have_count(0)
    await expect(theirs).to_contain_text(re.compile(r"Payment rating\s*7"))
    await expect(theirs).to_contain_text("pays late")

    await dara.page.wait_for_function("heard.some((data) => data.includes('1,250.50'))")
    customer = f"/customers/{office.people.rithy}"
    said = [await dara.page.content(), *await dara.page.evaluate("heard")]
    pages = ("/", customer, f"{customer}/fields", f"/pieces{customer}/fields")
    for path in (*pages, "/api/v1/live", f"/api/v1{customer}/fields"):
        said += [await (await dara.context.request.get(office.address + path)).text()]
    for text in said:
        for masked in ("Payment rating", "rating", "Watch out", "pays late"):
            assert masked not in text


async def test_values_are_changed_on_the_customers_page_and_late_ones_come_to_it(office: Office, erp_url: str) -> None:
    dara = await office.person("dara")
    async with closed(erp_url):
        await dara.page.goto(f"{office.address}/customers/{office.people.rithy}")
        await expect(dara.page.locator("#own .pending")).to_be_visible()
        await expect(dara.page.locator("#own")).to_contain_text("14 Mar 2019")
    await expect(dara.page.locator("#own")).to_contain_text("1,250.50")
    await dara.page.locator("#own").get_by_role("link", name="Change").click()
    await dara.page.get_by_label("Grade").select_option("Gold")
    await dara.page.get_by_label("Contract").fill("nowhere")
    await dara.page.get_by_label("Customer since").fill("2020-02-29")
    await dara.page.get_by_role("button", name="Save").click()
    await expect(dara.page.locator(".invalid-feedback")).to_contain_text("begins with https:// or http://")
    await dara.page.get_by_label("Contract").fill("")
    await dara.page.get_by_role("button", name="Save").click()
    await expect(dara.page.locator("#own")).to_contain_text("29 Feb 2020")
    await expect(dara.page.locator("#own")).to_contain_text("Gold")
    dara.wrong = [what for what in dara.wrong if "status of 422" not in what]  # so Chromium calls a refused form
