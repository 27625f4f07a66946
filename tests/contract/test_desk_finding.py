"""The list of customers on the desk: found as one types, filtered, saved, and never by what a role may not see."""

from __future__ import annotations

import contextlib
import html
import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from config.card_fields import Field
from config.settings import Settings, Source
from records.customers import add_customer, change_customer
from records.database import reading, writing
from records.tasks import finish_task
from records.users import add_user
from records.views import MOST, views_of
from tests.fixtures.desk import PASSWORD, People, RunningDesk, Visitor, _read, alive, opened

OVERSEERS = ("supervisor", "administrator")
HIDDEN = {
    name: Field(roles=OVERSEERS) for name in ("company", "numbers", "email", "orders", "debt", "manager", "last_task")
}
GRADE = {
    "grade": Field(type="choice", choices=("Gold", "Silver")),
    "tier": Field(type="choice", choices=("A",), roles=OVERSEERS),
}


@contextlib.asynccontextmanager
async def at_work(
    company: tuple[Settings, People], redis_url: str, fields: dict[str, Field]
) -> AsyncIterator[tuple[RunningDesk, Visitor, Visitor]]:
    """A desk whose cards have these fields, with a source of customers; an agent and a supervisor."""
    settings, people = company
    settings = replace(settings, fields=fields, sources={"erp": Source("push", token="a token of sixteen letters")})
    async with contextlib.AsyncExitStack() as stack:
        desk = await stack.enter_async_context(opened(settings, people, redis_url))
        await stack.enter_async_context(alive(desk))
        dara = await stack.enter_async_context(Visitor(desk.app))
        sophea = await stack.enter_async_context(Visitor(desk.app))
        yield desk, await dara.has_session(desk, people.dara), await sophea.has_session(desk, people.sophea)


async def listed(visitor: Visitor, **asked: str) -> list[str]:
    """Names on the page, which must be those of the API."""
    page = await visitor.get("/customers", params=asked)
    assert page.status_code == 200
    names = [html.unescape(one) for one in re.findall(r'<strong dir="auto">(.*?)</strong>', page.text)]
    items = (await visitor.get("/api/v1/customers", params=asked)).json()["items"]
    shown = [one for one in names if one in {item["name"] for item in items}]
    assert shown == [item["name"] for item in items]
    return shown


async def suggested(visitor: Visitor, typed: str) -> list[str]:
    answer = await visitor.get("/api/v1/customers/suggest", params={"q": typed})
    assert answer.status_code == 200
    return [item["name"] for item in answer.json()["items"]]


# --- as one types


async def test_the_best_eight_are_suggested_with_what_tells_them_apart(dara: Visitor, desk: RunningDesk) -> None:
    with writing(desk.database()) as session:
        for number in range(12):
            add_customer(session, _read, name=f"Chan {number:02}", numbers=["092 111 222", f"+855 11 900 1{number:02}"])
    items = (await dara.get("/api/v1/customers/suggest?q=chan")).json()["items"]
    assert [item["name"] for item in items] == [f"Chan {number:02}" for number in range(8)]
    [found] = (await dara.get("/api/v1/customers/suggest", params={"q": "011 900 107"})).json()["items"]
    assert found["number"] == "+855 11 900 107"
    [rithy] = (await dara.get("/api/v1/customers/suggest?q=rithy")).json()["items"]
    assert rithy["customer_id"] == desk.people.rithy
    assert (rithy["company"], rithy["number"], rithy["initials"]) == ("Angkor Rice Mills", "+855 12 345 678", "SR")
    assert rithy["photo"].startswith("/photos/")
    assert "debt" not in rithy


async def test_nothing_typed_suggests_nothing_and_a_slip_is_told(dara: Visitor) -> None:
    assert (await dara.get("/api/v1/customers/suggest?q=%20")).json() == {"items": [], "nearly": False}
    answer = (await dara.get("/api/v1/customers/suggest?q=angcor")).json()
    assert ([item["name"] for item in answer["items"]], answer["nearly"]) == (["Sok Rithy"], True)
    page = (await dara.get("/customers?q=angcor")).text
    assert "Nobody matches" in page
    assert "Sok Rithy" in page


async def test_strangers_are_told_nothing(stranger: Visitor) -> None:
    assert (await stranger.get("/api/v1/customers/suggest?q=sok")).status_code == 401


# --- roles


async def test_nobody_is_found_by_what_the_finders_role_may_not_see(
    company: tuple[Settings, People], redis_url: str
) -> None:
    async with at_work(company, redis_url, HIDDEN) as (_, dara, sophea):
        for typed in ("angkor", "012345678", "+855 12 345 678", "5678", "2291", "angcor"):
            assert await suggested(sophea, typed) == ["Sok Rithy"], typed
            assert await suggested(dara, typed) == [], typed
            assert await listed(sophea, q=typed) == ["Sok Rithy"], typed
            assert await listed(dara, q=typed) == [], typed
        assert await suggested(dara, "rithy") == ["Sok Rithy"]
        [shown] = (await dara.get("/api/v1/customers/suggest?q=rithy")).json()["items"]
        assert (shown["company"], shown["number"]) == ("", "")


async def test_nobody_filters_by_what_their_role_may_not_see(company: tuple[Settings, People], redis_url: str) -> None:
    async with at_work(company, redis_url, HIDDEN | GRADE) as (_, dara, sophea):
        for asked in ({"manager": "me"}, {"owes": "yes"}, {"task": "open"}, {"own.tier": "A"}):
            for path in ("/customers", "/api/v1/customers"):
                assert (await dara.get(path, params=asked)).status_code == 403, asked
                assert (await sophea.get(path, params=asked)).status_code == 200, asked
        page = (await dara.get("/customers")).text
        assert re.findall(r'<select class="[^"]*" name="([^"]+)"', page) == ["source", "own.grade"]
        every = ["manager", "owes", "task", "source", "own.grade", "own.tier"]
        assert re.findall(r'<select class="[^"]*" name="([^"]+)"', (await sophea.get("/customers")).text) == every


async def test_a_role_that_sees_no_amounts_does_not_filter_by_debts(dara: Visitor, desk: RunningDesk) -> None:
    with writing(desk.database()) as session:
        guest = add_user(session, "guest", "Some Guest", PASSWORD)
        guest.role = "guest"
        session.flush()
        id = guest.id
    desk.app.state.services.people.forget()
    async with Visitor(desk.app) as visitor:
        await visitor.has_session(desk, id)
        assert (await visitor.get("/customers?owes=yes")).status_code == 403
        assert 'name="owes"' not in (await visitor.get("/customers")).text
    assert await listed(dara, owes="yes") == ["Sok Rithy"]


# --- filters


async def test_the_list_is_filtered_by_what_its_address_says(company: tuple[Settings, People], redis_url: str) -> None:
    async with at_work(company, redis_url, GRADE) as (desk, dara, sophea):
        with writing(desk.database()) as session:
            change_customer(session, desk.people.khmer, {"custom": {"grade": "Gold"}})
            add_customer(session, _read, name="Of the ERP")[0].source = "erp"
        khmer = "សុខ ចាន់ដារា"
        assert await listed(dara, manager="me") == ["Sok Rithy"]
        assert await listed(sophea, manager="me") == []
        assert await listed(sophea, manager=str(desk.people.mony)) == [khmer]
        assert khmer not in await listed(dara, manager="nobody")
        assert await listed(dara, owes="yes") == await listed(dara, task="open") == ["Sok Rithy"]
        assert await listed(dara, source="erp") == ["Of the ERP"]
        assert "Of the ERP" not in await listed(dara, source="-")
        assert await listed(dara, **{"own.grade": "Gold"}) == [khmer]
        assert await listed(dara, q="sok", manager="me", owes="") == ["Sok Rithy"]
        assert await listed(dara, q="chea", manager="me") == []
        with writing(desk.database()) as session:
            finish_task(session, 1)
        assert await listed(dara, task="open") == []
        assert (await dara.get("/customers?manager=somebody")).status_code == 422


async def test_the_next_page_has_the_same_filters(dara: Visitor, desk: RunningDesk) -> None:
    with writing(desk.database()) as session:
        for number in range(60):
            add_customer(session, _read, name=f"Kim {number:02}", manager_id=desk.people.dara)
            add_customer(session, _read, name=f"Kim not mine {number:02}")
    page = (await dara.get("/customers", params={"q": "kim", "manager": "me"})).text
    [address] = re.findall(r'<a class="btn btn-outline-secondary" href="(/customers\?[^"]+)">More', page)
    rest = (await dara.get(html.unescape(address))).text
    assert re.findall(r"<strong dir=\"auto\">(Kim.*?)</strong>", page + rest) == [f"Kim {n:02}" for n in range(60)]


# --- saved lists


async def test_a_list_is_saved_found_again_and_taken_away(dara: Visitor, desk: RunningDesk) -> None:
    answer = await dara.post(
        "/customers/views", data={"name": " Mine  that owe ", "address": "owes=yes&manager=me&x=y"}
    )
    assert answer.status_code == 303
    assert answer.headers["location"] == "/customers?owes=yes&manager=me"
    page = (await dara.get("/customers")).text
    assert '<a href="/customers?owes=yes&amp;manager=me"  dir="auto">Mine that owe</a>' in page
    assert 'aria-current="true" dir="auto">Mine that owe' in (await dara.get("/customers?owes=yes&manager=me")).text
    await dara.post("/customers/views", data={"name": "Mine that owe", "address": "q=%D0%B8+%26&owes=yes"})
    with reading(desk.database()) as session:
        [view] = views_of(session, desk.people.dara)
    assert (view.name, view.address) == ("Mine that owe", "q=%D0%B8+%26&owes=yes")
    assert (await dara.post(f"/customers/views/{view.id}/remove", data={})).status_code == 303
    assert "Mine that owe" not in (await dara.get("/customers")).text


async def test_saved_lists_are_each_persons_own(dara: Visitor, desk: RunningDesk) -> None:
    await dara.post("/customers/views", data={"name": "Mine", "address": "manager=me"})
    with reading(desk.database()) as session:
        [view] = views_of(session, desk.people.dara)
    async with Visitor(desk.app) as mony:
        await mony.has_session(desk, desk.people.mony)
        assert "Mine" not in (await mony.get("/customers")).text
        assert (await mony.post(f"/customers/views/{view.id}/remove", data={})).status_code == 404
    assert "Mine" in (await dara.get("/customers")).text


@pytest.mark.parametrize("name", ["", "  ", "x" * 61])
async def test_a_saved_list_needs_a_name_that_can_be_read(dara: Visitor, name: str) -> None:
    assert (await dara.post("/customers/views", data={"name": name, "address": "owes=yes"})).status_code == 422


async def test_nobody_saves_lists_without_end(dara: Visitor) -> None:
    for number in range(MOST):
        assert (await dara.post("/customers/views", data={"name": f"L{number}", "address": "q=a"})).status_code == 303
    assert (await dara.post("/customers/views", data={"name": "One more", "address": "q=a"})).status_code == 422
    assert (await dara.post("/customers/views", data={"name": "L3", "address": "q=b"})).status_code == 303


async def test_a_name_of_a_list_is_text(dara: Visitor) -> None:
    await dara.post("/customers/views", data={"name": '"><script>x</script>', "address": 'q="><script>x</script>'})
    page = (await dara.get("/customers", params={"q": '"><script>x</script>'})).text
    assert "<script>x" not in page
