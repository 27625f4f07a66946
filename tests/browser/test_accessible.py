"""Every main page as axe sees it: what WCAG 2.2 asks for at levels A and AA, as far as a program can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from records.database import writing
from records.users import add_user
from tests.fixtures.browser import Office
from tests.fixtures.desk import PASSWORD, RITHY, SHARED, answered, live_call

AXE = Path(__file__).parents[2] / ".cache" / "assets" / "axe.min.js"

RUN = """async () => {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"];
  const { violations, passes } = await axe.run(document, { runOnly: { type: "tag", values: tags } });
  return { rules: passes.length, faults: violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, any }) => `${id}: ${target.join(" ")} (${any.map(({ message }) => message).join("; ")})`)) };
}"""

PAGES = (
    "/",
    "/customers",
    "/customers?q=nobody",
    "/customers/{rithy}",
    "/calls",
    "/calls/answered",
    "/routing",
    "/blocked",
    "/import",
    "/sources",
    "/me/preferences",
    "/company",
    "/customers?pick=two",
    "/customers/duplicates",
    "/customers/{rithy}/merge?q=sok",
    "/customers/{rithy}/merge?other={shared[0]}",
    "/seen",
    "/welcome",
    "/test-call",
    "/card-fields",
    "/no-such-page",
)


async def faults_of(page: Any) -> list[str]:
    assert AXE.is_file(), "axe is missing: .venv/bin/python desk/assets/build.py --tests fetches it"
    await page.evaluate(AXE.read_text(encoding="utf-8"))  # from outside the page, whose policy lets in no script
    found = await page.evaluate(RUN)
    assert found["rules"] > 5
    return list(found["faults"])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("design", ["ringcard", "morph"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_any_page(office: Office, design: str, scheme: Literal["light", "dark"]) -> None:
    with writing(office.desk.database()) as session:
        add_user(session, "boss", "Boss", PASSWORD, role="administrator")
    boss = await office.person("boss", color_scheme=scheme, reduced_motion="reduce")
    headers = {"Origin": office.address}
    sent = await boss.page.request.patch(
        f"{office.address}/api/v1/me/preferences", data={"design": design}, headers=headers
    )
    assert sent.ok
    found: dict[str, list[str]] = {}
    for path in PAGES:
        where = path.format(rithy=office.people.rithy, shared=office.people.shared)
        answer = await boss.page.goto(office.address + where)
        assert answer is not None
        assert answer.status == (404 if path == "/no-such-page" else 200), path
        if faults := await faults_of(boss.page):
            found[path] = faults
    assert found == {}
    assert len(boss.wrong) == 1  # Chromium counts the page that there is not among the errors
    assert "404" in boss.wrong.pop()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("design", ["ringcard", "solar"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_while_calls_are_shown(
    office: Office, design: str, scheme: Literal["light", "dark"]
) -> None:
    dara = await office.person("dara", color_scheme=scheme, reduced_motion="reduce")
    headers = {"Origin": office.address}
    await dara.page.request.patch(f"{office.address}/api/v1/me/preferences", data={"design": design}, headers=headers)
    talking = live_call(RITHY, "101", customers=(office.people.rithy,))
    await office.desk.publish(
        talking,
        answered(talking, "101"),
        live_call(SHARED, "101", customers=office.people.shared),
        live_call("+33142685300", "101"),
        live_call("", "101"),
    )
    for path in ("/", "/calls"):
        await dara.page.goto(office.address + path)
        assert await dara.page.locator("[data-call]").count() == 4
        assert await faults_of(dara.page) == [], path


async def test_axe_finds_nothing_at_the_door(office: Office) -> None:
    dara = await office.person("dara")
    await dara.context.clear_cookies()
    await dara.page.goto(f"{office.address}/sign-in")
    assert await faults_of(dara.page) == []


async def test_axe_sees_a_fault_where_there_is_one(office: Office) -> None:
    dara = await office.person("dara")
    await dara.page.evaluate("document.querySelector('.find input').removeAttribute('aria-label')")
    await dara.page.evaluate("document.querySelector('.find input').removeAttribute('placeholder')")
    assert any(fault.startswith("label:") for fault in await faults_of(dara.page))
