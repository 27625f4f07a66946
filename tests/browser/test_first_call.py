"""The walk to one's first call, by keyboard alone on a small screen: real Chromium, desk process and Redis."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect
from sqlalchemy import select

from config.settings import Settings, load
from lookup.notices import is_simulated
from records.database import open_database, reading, writing
from records.migrate import migrate
from records.tables import CallRow, Customer, Note, User
from records.trial import fill_trial
from records.trial_company import STAR_NAME
from ringcard import compose
from tests.browser.test_accessible import faults_of
from tests.fixtures.browser import NOTES, Office, Person
from tests.fixtures.desk import PASSWORD, RITHY
from tests.ports import free_ports

READY_S = 60.0
SMALL: ViewportSize = {"width": 360, "height": 740}


@contextlib.asynccontextmanager
async def desk_process(settings: Settings, file: Path) -> AsyncIterator[None]:
    """`ringcard run desk`, as a company runs it; open when this is entered."""
    log = file.with_suffix(".log")
    with log.open("wb") as output:
        command = ["-m", "ringcard.cli", "--config", str(file), "run", "desk"]
        process = await asyncio.create_subprocess_exec(
            *("setpriv", "--pdeathsig", "TERM", "--", sys.executable, *command),
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        async with httpx.AsyncClient() as client, asyncio.timeout(READY_S):
            while True:
                assert process.returncode is None, log.read_text(encoding="utf-8")
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(f"{settings.public_url}/health")).json()["status"] == "ok":
                        break
                await asyncio.sleep(0.05)
        yield
    finally:
        process.terminate()
        await process.wait()
    assert process.returncode == 0, log.read_text(encoding="utf-8")


@pytest.fixture
def trial(tmp_path: Path, redis_url: str) -> tuple[Settings, Path]:
    """The trial's company in a folder of its own."""
    (port,) = free_ports(1)
    file = tmp_path / "ringcard.toml"
    file.write_text(
        f'[company]\nname = "Angkor Trade"\ncountry = "KH"\ntime_zone = "Asia/Phnom_Penh"\n[store]\ndata_dir = "data"\n'
        f'redis_url = "{redis_url}"\n[desk]\nport = {port}\n',
        encoding="utf-8",
    )
    settings = load(file, {})
    database = open_database(settings.database_url)
    migrate(database)
    fill_trial(database, settings.data_dir, compose.reader(settings), password=PASSWORD)
    database.dispose()
    return settings, file


async def press(page: Page, name: str) -> None:
    """The button that has the cursor, which is where somebody without a mouse is."""
    button = page.locator(":focus")
    await expect(button).to_have_text(name)
    await page.keyboard.press("Enter")


async def test_a_newcomer_is_rung_answers_writes_a_note_and_goes_on_by_keyboard_on_a_small_screen(
    trial: tuple[Settings, Path], browser: Browser
) -> None:
    settings, file = trial
    async with desk_process(settings, file):
        context = await browser.new_context(viewport=SMALL, reduced_motion="reduce")
        context.set_default_timeout(20_000)
        await context.add_init_script(NOTES)
        newcomer = Person(context, await context.new_page(), settings.public_url)
        newcomer.watch(newcomer.page)
        page = newcomer.page
        await newcomer.sign_in("sophea")

        await page.get_by_role("link", name="Your first call").focus()
        await page.keyboard.press("Enter")
        await newcomer.is_live()
        assert await faults_of(page) == []
        await page.get_by_role("button", name="Ring me").focus()
        await press(page, "Ring me")
        card = page.locator("[data-call]")
        await expect(card).to_contain_text(STAR_NAME)
        await expect(card).to_contain_text("Simulated")
        await expect(page.locator("[aria-current=step]")).to_contain_text("Answer, and write something down")
        assert await faults_of(page) == []

        await press(page, "Answer")
        await expect(card).to_contain_text("On the phone")
        await expect(page.locator(":focus")).to_have_text("End the call")
        note = card.get_by_label("Note of this call").and_(card.locator("textarea"))
        await note.focus()
        await page.keyboard.type("Wants 5 tons of jasmine rice")
        await card.get_by_role("button", name="Save").press("Enter")
        await expect(page.locator(".walk-checks")).to_contain_text("as this one will")
        await page.reload()
        await newcomer.is_live()
        await expect(card).to_contain_text("On the phone")
        assert await page.evaluate("document.documentElement.scrollWidth") <= SMALL["width"]
        await page.get_by_role("button", name="End the call").focus()
        await press(page, "End the call")

        await expect(page.locator("[aria-current=step]")).to_contain_text("Where to go next")
        assert await faults_of(page) == []
        await press(page, "Done")
        await newcomer.is_live()
        await expect(page.get_by_role("link", name="Your first call")).to_have_count(0)
        await page.goto(f"{settings.public_url}/welcome")
        await expect(page.get_by_role("button", name="Ring me again")).to_be_visible()
        assert newcomer.wrong == []
        await context.close()
    database = open_database(settings.database_url)
    with reading(database) as session:
        [written] = session.scalars(select(Note))
        assert written.text == "Wants 5 tons of jasmine rice"
        assert written.customer_id == session.scalars(select(Customer.id).where(Customer.name == STAR_NAME)).one()
        assert [call_id for call_id in session.scalars(select(CallRow.call_id)) if is_simulated(call_id)] == []
    database.dispose()


async def test_a_test_call_rings_the_page_that_asked_for_it_and_is_answered_and_ended_on_its_card(
    office: Office,
) -> None:
    with writing(office.desk.database()) as session:
        session.get_one(User, office.people.sophea).role = "administrator"
    sophea = await office.person("sophea")
    page = sophea.page
    await page.goto(f"{office.address}/test-call")
    await sophea.is_live()
    await page.get_by_label("A call from this number").fill(RITHY)
    await page.get_by_role("button", name="Ring", exact=True).click()
    await sophea.is_live()
    card, story = page.locator("[data-is-simulated]"), page.locator("#simulated-story")
    await expect(card).to_contain_text("Sok Rithy")
    await card.get_by_role("button", name="Answer").click()
    await expect(card).to_contain_text("On the phone")
    await expect(story).to_contain_text("their pages: talking")
    await card.get_by_role("button", name="End it").click()
    await expect(card).to_contain_text("Ended")
    await expect(story).to_contain_text("ended: answered")
