"""Importing customers in real Chromium: a file is sent, its columns said, looked at, imported and taken back."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect
from sqlalchemy import func, select

from records.database import reading
from records.tables import Customer
from tests.browser.test_pages import TOO_FAINT
from tests.fixtures.browser import Office, Person

NAME = """<img src=x onerror="document.title='owned'">"""
HEADER = """<script>document.title='owned'</script>"""
PATIENCE_MS = 60_000  # a program is started for each step, on a machine that does other things too


def write_file(path: Path) -> Path:
    rows = [f"{n},Customer {n},0923{n:05},x" for n in range(30)]
    hostile = NAME.replace('"', '""')
    head = f'Kundennummer,Kunde,Phone,"{HEADER}"'
    path.write_text("\n".join((head, *rows, f'99,"{hostile}",016555019,x', "98,Nobody,,x")))
    return path


async def send(person: Person, file: Path) -> None:
    await person.page.goto(f"{person.address}/import")
    await person.page.set_input_files("#file", file)
    await person.page.get_by_role("button", name="Send").click()
    await expect(person.page.locator("h1")).to_have_text(file.name)


def customers(office: Office) -> int:
    with reading(office.desk.database()) as session:
        return session.scalar(select(func.count()).select_from(Customer)) or 0


@pytest.mark.timeout(300)  # three programs are started, one after the other
async def test_a_file_is_sent_mapped_tried_imported_and_taken_back(office: Office, tmp_path: Path) -> None:
    sophea = await office.person("sophea", reduced_motion="reduce")
    page, before = sophea.page, customers(office)

    async def looks_well() -> None:
        for width in (360, 1360):
            await page.set_viewport_size({"width": width, "height": 800})
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url
        assert await page.evaluate(TOO_FAINT) == []
        assert "owned" not in await page.title()

    await send(sophea, write_file(tmp_path / "<b>kunden.csv"))
    await looks_well()
    await page.get_by_label("What the column “Kundennummer” is").select_option("Your customer id")
    await page.get_by_label("What the column “Kunde” is").select_option("Name")
    await page.get_by_role("button", name="See what it would do").click()
    await expect(page.locator(".import-errors li")).to_have_count(1, timeout=PATIENCE_MS)
    await expect(page.locator(".import-errors .number")).to_have_text("row 33")
    await expect(page.locator(".import-errors .tag")).to_have_text("Phone")
    await expect(page.locator(".import-errors")).to_contain_text("Nobody has no phone number; write one")
    await expect(page.locator(".import-figures dd")).to_have_text(["31", "0", "0", "1"])
    await looks_well()
    assert customers(office) == before

    await page.get_by_role("button", name="Import", exact=True).click()
    await page.reload()
    await expect(page.locator(".chip")).to_have_text("Done", timeout=PATIENCE_MS)
    await expect(page.locator(".import-figures dd")).to_have_text(["31", "0", "0", "1"])
    assert customers(office) == before + 31
    await page.goto(f"{office.address}/customers?q={NAME[:4]}")
    await expect(page.locator(".customers")).to_contain_text(NAME)

    await page.goto(f"{office.address}/import")
    await expect(page.locator(".imports")).to_contain_text("31 added, 0 changed, 0 unchanged, 1 not taken")
    await expect(page.locator(".mappings")).to_contain_text("Kundennummer is Your customer id")
    await looks_well()
    await page.locator(".imports a").first.click()
    await page.get_by_text("Undo this import").click()
    await page.get_by_role("button", name="Undo it").click()
    await expect(page.locator(".chip")).to_have_text("Undone", timeout=PATIENCE_MS)
    assert customers(office) == before
    await looks_well()
