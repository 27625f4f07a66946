"""Every page of the desk in real Chromium, for every role, in a company all of whose texts are hostile: none of them is
anything but a text, and the policy of the page has nothing to forbid.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Dialog, Page, expect

from config.settings import Settings
from lookup.notices import Notice
from tests import hostile
from tests.fixtures.browser import Office, Person
from tests.fixtures.desk import People, answered, ended
from tests.hostile import IN_THE_BROWSER, NUMBER, WHO, Trap, hostile_calls, pages

POLICY = """
    addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sample }) =>
        console.error(`the policy forbade ${violatedDirective} ${blockedURI} ${sample}`));
"""


@pytest_asyncio.fixture
async def trapped(
    company: tuple[Settings, People], redis_url: str, browser: Browser, tmp_path: Path
) -> AsyncIterator[tuple[Office, Trap]]:
    """The hostile company's desk, open for people with browsers, in whose pages nothing may go wrong."""
    settings, people = company
    (tmp_path / "erp.db").touch()
    place = Office(hostile.hostile(settings, f"sqlite:///{tmp_path / 'erp.db'}"), people, redis_url, browser)
    await place.start()
    try:
        yield place, hostile.fill(place.desk)
    finally:
        await place.close()
    assert [what for person in place.persons for what in person.wrong] == []


async def watched(office: Office, login: str) -> Person:
    person = await office.person(login)
    await person.context.add_init_script(POLICY)
    person.context.set_default_timeout(60_000)  # four at once open every page: what is claimed is no speed

    async def refuse(dialog: Dialog) -> None:
        person.wrong.append(f"a dialog: {dialog.message}")
        await dialog.dismiss()

    person.page.on("dialog", refuse)
    return person


async def is_whole(page: Page, where: str) -> bool:
    """Nothing on the page was made by a text. Whether there was a hostile one to be seen."""
    found = await page.evaluate(IN_THE_BROWSER)
    assert found["found"] == [], where
    assert not found["counted"], where
    return bool(found["seen"])


@pytest.mark.timeout(600)
async def test_no_text_is_anything_else_on_any_page_for_any_role(trapped: tuple[Office, Trap]) -> None:
    office, trap = trapped
    await office.desk.publish(*hostile_calls(trap))
    seen: set[str] = set()

    async def look(role: str) -> None:
        person = await watched(office, WHO[role])
        for path in (*map(trap.address, pages()), *trap.more):
            if (await person.context.request.get(office.address + path)).status != 200:
                continue  # not for this role; `tests/contract/test_desk_hostile.py` has what it says
            await person.page.goto(office.address + path)
            if await person.page.locator("body[data-session]").count():
                await person.is_live()
            seen.update([path] if await is_whole(person.page, f"{role} {path}") else [])

    await asyncio.gather(*map(look, WHO))
    assert len(seen) >= 20, sorted(seen)


async def test_no_text_is_anything_else_when_it_comes_by_the_stream_or_is_found(trapped: tuple[Office, Trap]) -> None:
    office, trap = trapped
    dara = await watched(office, "dara")
    await dara.page.goto(f"{office.address}/tasks")
    await dara.is_live()
    calls = hostile_calls(trap)
    await office.desk.publish(*calls)
    for call in calls:
        await expect(dara.page.locator(dara.card(call.call_id))).to_contain_text("x-owned")
    assert await is_whole(dara.page, "calls that ring")
    task = int(trap.ids["task_id"])
    office.desk.app.state.services.hub.tell(Notice("task_due", 1, None, None, task, office.people.dara))
    await expect(dara.page.locator(".reminders [data-task]")).to_contain_text("x-owned")
    await office.desk.publish(*(answered(call, "104") for call in calls))
    await expect(dara.page.get_by_text("Answered by").first).to_contain_text("x-owned")
    assert await is_whole(dara.page, "calls that another took")
    await dara.page.locator(".task-new summary").click()
    await dara.page.locator("[data-pick-text]").press_sequentially("vanna")
    await expect(dara.page.locator(".pick-found li").first).to_contain_text("x-owned")
    assert await is_whole(dara.page, "customers for a task")
    await dara.page.locator(".find input[type=search]").press_sequentially(NUMBER)
    await expect(dara.page.locator("#find-list li").first).to_contain_text("x-owned")
    assert await is_whole(dara.page, "customers as one types")
    await office.desk.publish(*(ended(answered(call, "104")) for call in calls))
