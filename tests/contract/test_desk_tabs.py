"""What stands on the tabs that a browser keeps: asked for at each page, as the person may see it now."""

from __future__ import annotations

import re
from typing import Any

from records.customers import remove_customer
from records.database import writing
from records.tasks import add_task
from records.users import add_user
from records.views import save_view
from tests.fixtures.desk import PASSWORD, RunningDesk, Visitor


async def tab_of(visitor: Visitor, address: str) -> dict[str, str]:
    """The tab that this page says it is."""
    page = (await visitor.get(address)).raise_for_status().text
    found = re.search(r'id="tabs"[^>]*data-tab="([^"]*)" data-at="([^"]*)"', page)
    assert found
    return {"key": found[1], "at": found[2]}


async def titles(visitor: Visitor, *tabs: dict[str, str]) -> list[dict[str, Any]]:
    answer = await visitor.post("/pieces/tabs", json={"tabs": tabs})
    told: list[dict[str, Any]] = answer.raise_for_status().json()["tabs"]
    return told


async def test_every_kind_of_page_has_a_title_and_the_address_that_it_was_opened_at(
    desk: RunningDesk, dara: Visitor
) -> None:
    with writing(desk.database()) as session:
        task = add_task(session, "Call back", user_id=desk.people.dara)[0].id
        save_view(session, desk.people.dara, "Who owes", "owes=yes")
    pages = {
        f"/customers/{desk.people.rithy}/edit": "Sok Rithy",
        f"/tasks/{task}": "Call back",
        "/customers?owes=yes": "Who owes",
        "/customers?q=rice&manager=me": "Customers: rice, Me",
        "/calls?day=2026-03-01": "Calls of 2026-03-01",
        "/tasks?of=done": "Tasks that are done",
        "/customers/new?number=%2B85512000111": "New customer",
    }
    told = await titles(dara, *[await tab_of(dara, address) for address in pages])
    assert [(one["href"], one["title"]) for one in told] == [*pages.items()]
    [call] = await titles(dara, await tab_of(dara, "/calls/answered"))
    assert re.fullmatch(r"Sok Rithy, \d\d:\d\d", call["title"])
    assert (await tab_of(dara, "/"))["key"] == (await tab_of(dara, "/customers"))["key"] == ""


async def test_what_is_not_theirs_to_see_has_no_title(desk: RunningDesk, dara: Visitor) -> None:
    with writing(desk.database()) as session:
        add_user(session, "other", "Other Agent", PASSWORD)
        theirs = add_task(session, "A secret errand", user_id=desk.people.mony)[0].id
    told = await titles(dara, {"key": "kmissed"}, {"key": f"t{theirs}"}, {"key": f"c{desk.people.rithy}"})
    assert [one.get("gone", False) for one in told] == [True, True, False]
    assert "secret" not in str(told)


async def test_a_deleted_customer_is_said_to_be_gone(desk: RunningDesk, dara: Visitor) -> None:
    with writing(desk.database()) as session:
        remove_customer(session, desk.people.khmer)
    [told] = await titles(dara, {"key": f"c{desk.people.khmer}"})
    assert told["gone"]
    assert "was deleted" in told["said"]


async def test_a_sealed_list_opens_for_its_person_alone(desk: RunningDesk, dara: Visitor) -> None:
    tab = await tab_of(dara, "/customers?q=rithy")
    went = await dara.get(f"/tabs/{tab['key']}")
    assert (went.status_code, went.headers["location"]) == (303, "/customers?q=rithy")
    async with Visitor(desk.app) as mony:
        await mony.has_session(desk, desk.people.mony)
        assert (await mony.get(f"/tabs/{tab['key']}")).status_code == 404
        assert await titles(mony, tab) == [{"key": tab["key"], "gone": True, "said": ""}]


async def test_keys_that_are_none_of_ours_are_gone_and_break_nothing(dara: Visitor) -> None:
    keys = ["", "c", "c" + "9" * 40, "c٣", "t-1", "k../me", "l!", "x", "<b>"]
    told = await titles(dara, *({"key": key} for key in keys))
    assert [(one["key"], one["gone"]) for one in told] == [(key, True) for key in keys]


async def test_strangers_and_foreign_pages_learn_nothing(desk: RunningDesk, dara: Visitor, stranger: Visitor) -> None:
    tabs = {"tabs": [{"key": f"c{desk.people.rithy}"}]}
    assert (await stranger.post("/pieces/tabs", json=tabs)).status_code == 303
    assert (await dara.post("/pieces/tabs", json=tabs, headers={"Sec-Fetch-Site": "cross-site"})).status_code == 403
    assert (await dara.post("/pieces/tabs", json={"tabs": tabs["tabs"] * 41})).status_code == 422
