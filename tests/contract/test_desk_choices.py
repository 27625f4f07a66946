"""Who is calling from a shared number, said at the desk; and what of ranges and tiers the desk shows and does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.settings import Settings, Tiers
from lookup import numbers
from lookup.answers import Caller, Found
from records.customers import attach_number
from records.database import writing
from tests.fixtures.desk import (
    PLAN,
    RITHY,
    SHARED,
    TOKEN,
    People,
    RunningDesk,
    Visitor,
    alive,
    live_call,
    opened,
)

CHOICE = f"/api/v1/numbers/{SHARED}/choice"


async def chosen(desk: RunningDesk, number: str = SHARED) -> int | None:
    answer = await desk.parts.finder.find(Caller(number), 10)
    assert isinstance(answer, Found)
    return answer.chosen.customer_id if answer.chosen else None


async def test_a_choice_is_made_seen_replaced_and_taken_back(dara: Visitor, desk: RunningDesk) -> None:
    vanna, bopha = desk.people.shared
    assert await chosen(desk) is None
    assert (await dara.get(CHOICE)).status_code == 404
    for customer_id in (bopha, vanna):
        assert (await dara.post(CHOICE, json={"customer_id": customer_id})).status_code == 204
        assert await chosen(desk) == customer_id
        told = (await dara.get(CHOICE)).json()
        assert (told["number"], told["customer_id"], told["chosen_by"]) == (SHARED, customer_id, "Dara Chan")
    page = (await dara.get(f"/customers/{vanna}")).text
    assert "Chosen for a shared number" in page
    for _ in range(2):
        assert (await dara.request("DELETE", CHOICE, json={})).status_code == 204
        assert await chosen(desk) is None
    lookup = (await dara.get("/api/v1/lookup", params={"number": SHARED})).json()
    assert [card["customer_id"] for card in lookup["candidates"]] == [vanna, bopha]


async def test_any_spelling_of_the_number_is_the_number(dara: Visitor, desk: RunningDesk) -> None:
    assert (
        await dara.post("/api/v1/numbers/023 880 880/choice", json={"customer_id": desk.people.shared[0]})
    ).status_code == 204
    assert await chosen(desk) == desk.people.shared[0]


@pytest.mark.parametrize(
    ("number", "whom", "status", "said"),
    [
        (SHARED, "rithy", 422, "is no number of Sok Rithy"),
        (RITHY, "nobody", 404, "no customer"),
        ("101", "rithy", 422, "no whole phone number"),
        ("' OR 1=1 --", "rithy", 422, "no whole phone number"),
    ],
)
async def test_what_cannot_be_chosen_is_refused_in_words(
    dara: Visitor, desk: RunningDesk, number: str, whom: str, status: int, said: str
) -> None:
    customer_id = {"rithy": desk.people.rithy, "nobody": 999_999}[whom]
    answer = await dara.post(f"/api/v1/numbers/{number}/choice", json={"customer_id": customer_id})
    assert answer.status_code == status
    assert said in answer.json()["detail"]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_strangers_and_other_sites_choose_nobody(
    stranger: Visitor, dara: Visitor, desk: RunningDesk, method: str
) -> None:
    body = {"customer_id": desk.people.shared[0]}
    assert (await stranger.request(method, CHOICE, json=body)).status_code == 401
    foreign = {"Origin": "https://evil.example"}
    assert (await dara.request(method, CHOICE, json=body, headers=foreign)).status_code == 403
    assert await chosen(desk) is None


async def test_the_card_of_the_call_that_rings_takes_the_choice_and_gives_it_back(
    dara: Visitor, desk: RunningDesk
) -> None:
    vanna, bopha = desk.people.shared
    await desk.publish(live_call(SHARED, "101", customers=(vanna, bopha)))

    async def shown() -> tuple[list[int], int]:
        [call] = (await dara.get("/api/v1/live")).json()["calls"]
        return [each["customer_id"] for each in call["card"]["customers"]], call["card"]["shared"]

    assert await shown() == ([vanna, bopha], 2)
    await dara.post(CHOICE, json={"customer_id": bopha})
    assert await shown() == ([bopha], 2)
    await dara.request("DELETE", CHOICE, json={})
    assert await shown() == ([vanna, bopha], 2)


async def test_a_call_that_came_with_a_choice_shows_all_again_when_it_is_taken_back(
    dara: Visitor, desk: RunningDesk
) -> None:
    vanna, bopha = desk.people.shared
    await dara.post(CHOICE, json={"customer_id": bopha})
    await desk.publish(live_call(SHARED, "101", customers=(bopha, vanna), customer_id=bopha))
    assert "Not this one" in (await dara.get("/")).text
    await dara.request("DELETE", CHOICE, json={})
    assert "2 customers share this number" in (await dara.get("/")).text


# --- ranges


async def test_a_range_is_on_the_card_and_on_the_customers_page(dara: Visitor, desk: RunningDesk) -> None:
    raw, inside = "+855 23 990 xxx", "+85523990123"
    with writing(desk.database()) as session:
        attach_number(session, lambda text: numbers.read(text, PLAN), desk.people.rithy, raw, "office")
    page = (await dara.get(f"/customers/{desk.people.rithy}")).text
    assert raw in page
    assert "1000 numbers" in page
    facts = (await dara.get(f"/api/v1/customers/{desk.people.rithy}")).json()
    assert [(each["range"], each["label"]) for each in facts["ranges"]] == [(raw, "office")]
    await desk.publish(live_call(inside, "101", customers=(desk.people.rithy,)))
    live = (await dara.get("/")).text
    assert raw in live
    lookup = (await dara.get("/api/v1/lookup", params={"number": inside})).json()
    assert (lookup["tier"], lookup["chosen"], lookup["may"]) == ("range", desk.people.rithy, "route")


# --- what a tier may do


@pytest.mark.parametrize(
    ("may", "name", "manager"),
    [("route", "Sok Rithy", "101"), ("name", "Sok Rithy", ""), ("card", "", ""), ("off", "", "")],
)
async def test_the_dialplan_is_told_no_more_than_the_tier_may(
    company: tuple[Settings, People], redis_url: str, may: str, name: str, manager: str
) -> None:
    settings, people = company
    settings = replace(settings, tiers=Tiers(exact=may))  # type: ignore[arg-type]
    async with opened(settings, people, redis_url) as running, alive(running), Visitor(running.app) as pbx:
        pbx.headers["X-Ringcard-Token"] = TOKEN
        assert (await pbx.get("/dialplan/caller-name", params={"number": RITHY})).text == name
        assert (await pbx.get("/dialplan/manager", params={"number": RITHY})).text == manager
