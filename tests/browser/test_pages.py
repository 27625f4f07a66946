"""Pages in real Chromium: narrow and wide, light and dark, with the keyboard alone, readable everywhere."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.async_api import Browser, expect

from config.settings import Settings
from records.calls import write_call
from records.database import writing
from ringcard.redis_server import OwnServer
from tests.fixtures.browser import Office
from tests.fixtures.desk import HOSTILE, RITHY, SHARED, People, answered, ended, live_call, logged
from tests.fixtures.redis import kill

TOO_FAINT = """() => {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const over = (top, below) => below.map((value, at) => value * (1 - top[3] / 255) + top[at] * top[3] / 255);
  const behind = (element) => {
    const layers = [];
    for (; element; element = element.parentElement) layers.push(rgba(getComputedStyle(element).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const light = (rgb) => rgb
    .map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
  const faint = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    const box = element.getBoundingClientRect();
    if (!own || box.width < 2 || box.height < 2) continue;
    const style = getComputedStyle(element), ground = behind(element);
    const [lower, higher] = [light(over(rgba(style.color), ground)), light(ground)].sort((one, two) => one - two);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    const ratio = (higher + 0.05) / (lower + 0.05);
    if (ratio < (large ? 3 : 4.5)) faint.push(`${element.textContent.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return faint;
}"""
"""Texts whose contrast is below what WCAG 2.2 asks for at level AA (1.4.3)."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 820, 1360])
async def test_every_page_fits_and_can_be_read(office: Office, width: int, scheme: Literal["light", "dark"]) -> None:
    dara = await office.person(
        "dara", viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    )
    talking = live_call(RITHY, "101", customers=(office.people.rithy,))
    await office.desk.publish(
        talking,
        answered(talking, "101"),
        live_call(SHARED, "101", customers=office.people.shared),
        live_call(HOSTILE, "101", customers=(office.people.hostile,)),
        live_call("+33142685300", "101"),
        live_call("", "101"),
    )
    paths = ("/", "/customers", f"/customers/{office.people.rithy}", "/calls", "/calls/answered", "/customers?q=nobody")
    for path in paths:
        await dara.page.goto(office.address + path)
        await expect(dara.page.locator("[data-call]")).to_have_count(5)
        assert await dara.page.evaluate("document.documentElement.dataset.bsTheme") == scheme
        assert await dara.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert await dara.page.evaluate(TOO_FAINT) == [], path


async def test_a_call_is_taken_note_of_with_the_keyboard_alone(office: Office) -> None:
    dara = await office.person("dara")
    call = live_call(RITHY, "101", customers=(office.people.rithy,))
    await office.desk.publish(call)
    await expect(dara.page.locator(dara.card(call.call_id))).to_be_visible()
    focused = ""
    for _ in range(25):
        await dara.page.keyboard.press("Tab")
        focused = await dara.page.evaluate("document.activeElement.textContent.trim()")
        if focused == "Open the card":
            break
    assert focused == "Open the card"
    await dara.page.keyboard.press("Enter")
    await expect(dara.page.locator("h1")).to_have_text("Sok Rithy")


async def test_a_slash_leads_to_the_search(office: Office) -> None:
    dara = await office.person("dara")
    await dara.page.keyboard.press("/")
    await dara.page.keyboard.type("angkor")
    await dara.page.keyboard.press("Enter")
    await expect(dara.page.locator(".customers")).to_contain_text("Sok Rithy")


async def test_an_ended_call_is_soon_among_my_last_calls(office: Office) -> None:
    dara = await office.person("dara")
    call = live_call(RITHY, "101", customers=(office.people.rithy,))
    await office.desk.publish(call)
    with writing(office.desk.database()) as session:
        write_call(session, logged("another", "101", RITHY, office.people.rithy, "answered", minutes_ago=0))
    await office.desk.publish(ended(call))
    await expect(dara.page.locator(".last-calls li")).to_have_count(2)


async def test_when_live_calls_are_away_the_page_says_so_and_comes_back(
    company: tuple[Settings, People], breakable_redis: OwnServer, browser: Browser
) -> None:
    office = Office(*company, breakable_redis.url, browser)
    await office.start()
    dara = await office.person("dara")
    await expect(dara.page.locator("#banner")).to_be_hidden()
    kill(breakable_redis.pid)
    await expect(dara.page.locator("#banner")).to_be_visible()
    await expect(dara.page.locator("#link-state")).to_have_text("Not live")
    breakable_redis.start()
    await expect(dara.page.locator("#banner")).to_be_hidden(timeout=20_000)
    await dara.is_live()
    await office.close()
    assert dara.wrong == []
