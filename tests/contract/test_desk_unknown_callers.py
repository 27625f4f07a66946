"""Whoever calls and is nobody yet: entered, or given to a customer, while the call goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from lookup.notices import Notice
from records.calls import call, write_call
from records.customers import add_customer, attach_number
from records.database import writing
from tests.fixtures.desk import KHMER, RITHY, RunningDesk, Visitor, live_call, logged
from tests.fixtures.house import House, opened_form, read_number

CALLER = "+33142685300"


async def shown(visitor: Visitor) -> tuple[str, list[str]]:
    """What the card of the one live call says."""
    [told] = (await visitor.get("/api/v1/live")).json()["calls"]
    return told["card"]["answer"], [each["name"] for each in told["card"]["customers"]]


async def test_the_card_of_the_call_takes_the_name_that_is_entered(house: House) -> None:
    house.write(lambda session: write_call(session, logged("before", "101", CALLER, None, "missed")))
    await house.desk.publish(live_call(CALLER, "101", caller_name="Jean <b>"))
    page = (await house.dara.get("/")).text
    assert 'href="/customers/new?number=%2B33142685300&amp;name=Jean+%3Cb%3E"' in page
    assert await shown(house.dara) == ("unknown", [])
    made = await house.dara.post("/api/v1/customers", json={"name": "Jean Petit", "numbers": [{"number": CALLER}]})
    assert await shown(house.dara) == ("found", ["Jean Petit"])
    customer_id = made.json()["customer_id"]
    assert house.ask(lambda session: call(session, "before")).customer_id == customer_id
    headers = {"If-Match": made.headers["etag"]}
    changed = await house.dara.patch(f"/api/v1/customers/{customer_id}", json={"name": "J. Petit"}, headers=headers)
    assert await shown(house.dara) == ("found", ["J. Petit"])
    number_id = changed.json()["numbers"][0]["number_id"]
    headers = {"If-Match": changed.headers["etag"]}
    await house.dara.delete(f"/api/v1/customers/{customer_id}/numbers/{number_id}", headers=headers)
    assert await shown(house.dara) == ("unknown", [])


async def test_whatever_the_network_says_of_a_caller_opens_the_form(house: House) -> None:
    form = await opened_form(house.dara, f"/customers/new?number={'9' * 300}&name={'%3Cb%3E' * 200}")
    assert (form["number.0"], form["name"]) == ("9" * 100, ("<b>" * 200)[:200])


async def test_a_number_given_to_somebody_known_shows_them(house: House) -> None:
    await house.desk.publish(live_call(CALLER, "101"))
    etag = (await house.dara.get(f"/api/v1{house.rithy}")).headers["etag"]
    given = await house.dara.post(f"/api/v1{house.rithy}/numbers", json={"number": CALLER}, headers={"If-Match": etag})
    assert given.status_code == 201
    assert await shown(house.dara) == ("found", ["Sok Rithy"])
    page = (await house.dara.get("/")).text
    assert "Angkor Rice Mills" in page
    assert "Somebody we know" not in page


async def events_of(visitor: Visitor, desk: RunningDesk, kind: str, until: Any) -> dict[str, Any]:
    """The first event of this kind that `until` is true of, as a browser hears it."""
    with desk.app.state.services.hub.subscribe("") as subscription:
        from desk.announce import Audience

        account = await desk.app.state.services.people.account(desk.people.dara)
        audience = Audience(desk.app.state.services, account.reader)
        async with asyncio.timeout(30):
            await visitor.get("/api/v1/me")
            while True:
                event = await subscription.next(30)
                assert event
                for raw in await audience.messages(event):
                    head, _, data = raw.decode().partition("data: ")
                    if f"event: {kind}\n" in head and until(told := orjson.loads(data)):
                        found: dict[str, Any] = told
                        return found


@pytest.mark.parametrize("by_the_worker", [False, True])
async def test_every_screen_with_the_call_is_told(house: House, by_the_worker: bool) -> None:
    await house.desk.publish(live_call(CALLER, "101"))
    assert await shown(house.dara) == ("unknown", [])

    def has_name(told: dict[str, Any]) -> bool:
        return [each["name"] for each in told["call"]["customers"]] == ["Jean Petit"]

    heard = asyncio.create_task(events_of(house.dara, house.desk, "card_changed", has_name))
    await asyncio.sleep(0)
    if by_the_worker:  # another program entered it, and the worker has noticed
        house.write(lambda session: add_customer(session, read_number, name="Jean Petit", numbers=[CALLER]))
        await house.desk.parts.finder.forget([CALLER])
        house.desk.notices.publish(Notice("card_changed", 1, None))
    else:
        await house.dara.post("/api/v1/customers", json={"name": "Jean Petit", "numbers": [{"number": CALLER}]})
    assert (await heard)["call"]["answer"] == "found"


async def test_a_shared_number_shows_all_and_asks_which(house: House) -> None:
    await house.desk.publish(live_call(CALLER, "101"))
    for customer_id in (house.desk.people.rithy, house.desk.people.khmer):
        path = f"/api/v1/customers/{customer_id}"
        etag = (await house.dara.get(path)).headers["etag"]
        await house.dara.post(f"{path}/numbers", json={"number": CALLER}, headers={"If-Match": etag})
    answer, names = await shown(house.dara)
    assert (answer, len(names)) == ("found", 2)
    assert "2 customers share this number" in (await house.dara.get("/")).text
    await house.dara.post(f"/api/v1/numbers/{CALLER}/choice", json={"customer_id": house.desk.people.rithy})
    assert await shown(house.dara) == ("found", ["Sok Rithy"])


async def test_what_somebody_else_changes_leaves_the_other_cards_as_they_are(dara: Visitor, desk: RunningDesk) -> None:
    await desk.publish(live_call(RITHY, "101", customers=(desk.people.rithy,)))
    with writing(desk.database()) as session:
        attach_number(session, read_number, desk.people.khmer, CALLER)
    await desk.parts.finder.forget([CALLER])
    desk.app.state.services.cards.changed([desk.people.khmer])
    assert await shown(dara) == ("found", ["Sok Rithy"])
    assert KHMER != RITHY


async def test_whom_we_call_is_on_the_card_as_who_calls_us(dara: Visitor, desk: RunningDesk) -> None:
    call_out = live_call(
        "101", "101", customers=(desk.people.rithy,), direction="outbound", called_number=RITHY, caller_endpoint="101"
    )
    await desk.publish(call_out)
    assert await shown(dara) == ("found", ["Sok Rithy"])
    assert "Angkor Rice Mills" in (await dara.get("/")).text
