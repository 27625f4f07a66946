"""Two customers become one: what is kept, what goes over, how the other is known still, and who may do it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection

from config.settings import Settings
from desk.announce import Audience
from records import notes
from records.calls import write_call
from records.choices import choose
from records.customers import add_customer, attach_number, change_customer
from records.finding import find_customers
from records.merging import GOES_OVER
from records.orders import add_order
from records.tables import Base, CallRow, Customer, CustomerSearch
from records.tasks import add_task
from tests.fixtures.desk import RITHY, SHARED, People, Visitor, live_call, logged
from tests.fixtures.house import FIELDS, SCRIPT, House, at_work, read_number

ANOTHER = "+85517222333"


@pytest.fixture
async def sqlite_house(company: tuple[Settings, People], redis_url: str) -> AsyncIterator[House]:
    """For what no database does otherwise."""
    async with at_work(company, redis_url, FIELDS) as house:
        yield house


def twin(house: House, **fields: Any) -> int:
    """Somebody who is Rithy once more, with another number and with his."""

    def enter(session: Any) -> int:
        numbers = [(ANOTHER, "work"), (RITHY, "office"), ("+855 23 990 1xx", "")]
        values = {"name": "Rithy Sok", "company": "Angkor Mills", "email": "rithy@mill.example", **fields}
        made = add_customer(session, read_number, numbers=numbers, **values)[0]
        add_order(session, made.id, "#77", "Sacks")
        add_task(session, "Ask for the address", customer_id=made.id, user_id=house.desk.people.mony)
        notes.add_note(session, "Likes tea", house.desk.people.mony, customer_id=made.id)
        write_call(session, logged(f"call-{made.id}", "102", ANOTHER, made.id, "answered"))
        return made.id

    made: int = house.write(enter)
    return made


def version(house: House, customer_id: int | None = None) -> int:
    return house.customer(customer_id).version


async def merged(house: House, other: int, keep: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    body = {"other_id": other, "other_version": version(house, other), "keep": keep or {}, **more}
    return await house.sophea.post(
        f"/api/v1{house.rithy}/merge", json=body, headers={"If-Match": f'"{version(house)}"'}
    )


def _customer_ids(table: Any) -> Callable[[Session], Any]:
    return lambda session: session.scalars(select(table.customer_id)).all()


def _moved(customer_id: int) -> Callable[[Session], Any]:
    return lambda session: change_customer(session, customer_id, {"address": f"At {customer_id}"})


def customers_of_rows(house: House) -> dict[str, set[int]]:
    return {
        name: set(house.ask(_customer_ids(table))) for name, table in GOES_OVER if name not in ("changes", "aliases")
    }


async def test_everything_of_the_other_goes_over_and_nothing_is_lost(house: House) -> None:
    other = twin(house, external_id="C-18", note="Never on Sundays", custom={"grade": "Gold"})
    house.write(lambda session: choose(session, RITHY, other, house.desk.people.dara))
    made = await merged(house, other, {"company": "other"})
    assert made.status_code == 200, made.text
    told = made.json()
    assert (told["name"], told["company"], told["email"]) == ("Sok Rithy", "Angkor Mills", "rithy@mill.example")
    assert made.headers["etag"] == f'"{told["version"]}"'
    assert [(each["number"], each["label"]) for each in told["numbers"]] == [(RITHY, "mobile"), (ANOTHER, "work")]
    assert [each["range"] for each in told["ranges"]] == ["+855 23 990 1xx"]
    assert all(other not in ids for ids in customers_of_rows(house).values())
    now = house.customer()
    assert (now.note, now.custom) == ("Call before noon.", {"grade": "Gold"})
    facts = (await house.dara.get(f"/api/v1{house.rithy}")).json()
    assert {each["number"] for each in facts["orders"]} == {"#2291", "#77"}
    assert {each["title"] for each in facts["tasks"]} == {"Send the invoice", "Ask for the address"}
    assert facts["also_known_as"] == [{"customer_id": other, "name": "Rithy Sok", "source": "", "external_id": "C-18"}]
    assert [each["text"] for each in (await house.dara.get(f"/api/v1{house.rithy}/notes")).json()["items"]] == [
        "Likes tea"
    ]
    history = (await house.dara.get(f"/api/v1{house.rithy}/history")).json()["items"]
    assert {each["by"] for each in history} == {"Sophea Lim"}
    said = {each["field"]: (each["before"], each["after"]) for each in history}
    assert said == {
        "company": ("Angkor Rice Mills", "Angkor Mills"),
        "email": (None, "rithy@mill.example"),
        "custom.grade": (None, "Gold"),
        "merged": ({"customer_id": other, "name": "Rithy Sok"}, None),
        "merged.name": ("Rithy Sok", None),
        "merged.note": ("Never on Sundays", None),
        "merged.external_id": ("C-18", None),
        "merged.number": ({"number": RITHY, "label": "office", "ext": ""}, None),
    }


async def test_who_is_gone_is_found_by_name_and_id_and_their_addresses_lead_on(house: House) -> None:
    other = twin(house, external_id="C-18")
    old = f"/customers/{other}"
    assert (await merged(house, other)).status_code == 200

    def found(typed: str) -> list[int]:
        return [one.id for one in house.ask(lambda session: find_customers(session, typed)).items]

    assert found("Rithy Sok") == found("C-18") == [house.desk.people.rithy]
    assert house.ask(lambda session: session.get(CustomerSearch, other)) is None
    for path in ("", "/edit", "/history?after="):
        answer = await house.dara.get(old + path)
        assert (answer.status_code, answer.headers["location"]) == (302, house.rithy + path)
    read = await house.dara.get(f"/api/v1{old}?x=1")
    assert (read.status_code, read.headers["location"]) == (308, f"/api/v1{house.rithy}?x=1")
    assert read.json()["customer_id"] == house.desk.people.rithy
    change = await house.dara.patch(f"/api/v1{old}", json={"note": "x"}, headers={"If-Match": '"1"'})
    assert (change.status_code, change.json()["customer_id"]) == (410, house.desk.people.rithy)
    assert change.headers["link"] == f'</api/v1{house.rithy}>; rel="successor-version"'
    assert (await house.dara.get("/customers/999999")).status_code == 404
    note = await house.dara.post(f"{old}/notes", data={"text": "Written on the old page"})
    assert (note.status_code, note.headers["location"]) == (307, f"{house.rithy}/notes")
    task = await house.dara.post("/api/v1/tasks", json={"title": "Typed meanwhile", "customer_id": other})
    assert (task.status_code, task.json()["customer_id"]) == (201, house.desk.people.rithy)


async def test_a_merge_of_a_merge_leads_to_the_last_one(sqlite_house: House) -> None:
    house = sqlite_house
    first, second = twin(house), twin(house, name="Third")
    body = {"other_id": first, "other_version": version(house, first)}
    path = f"/api/v1/customers/{second}/merge"
    etag = {"If-Match": f'"{version(house, second)}"'}
    assert (await house.sophea.post(path, json=body, headers=etag)).status_code == 200
    assert (await merged(house, second)).status_code == 200
    for gone in (first, second):
        assert (await house.dara.get(f"/customers/{gone}")).headers["location"] == house.rithy
    again = await merged_again(house, first)
    assert (again.status_code, f"merged into {house.desk.people.rithy}" in again.json()["detail"]) == (404, True)


async def merged_again(house: House, gone: int) -> httpx.Response:
    body = {"other_id": gone, "other_version": 1}
    return await house.sophea.post(
        f"/api/v1{house.rithy}/merge", json=body, headers={"If-Match": f'"{version(house)}"'}
    )


async def test_an_id_of_somebody_merged_is_never_given_again(sqlite_house: House) -> None:
    house = sqlite_house
    other = twin(house)
    assert (await merged(house, other)).status_code == 200
    made = await house.dara.post("/api/v1/customers", json={"name": "New", "numbers": [{"number": "+85517000111"}]})
    assert made.json()["customer_id"] > other
    assert (await house.dara.get(f"/customers/{other}")).headers["location"] == house.rithy


async def test_a_merge_needs_both_versions_and_a_stale_one_changes_nothing(house: House) -> None:
    other = twin(house)
    path, this_version, other_version = f"/api/v1{house.rithy}/merge", version(house), version(house, other)
    full = {"other_id": other, "other_version": other_version}
    assert (await house.sophea.post(path, json=full)).status_code == 428
    headers = {"If-Match": f'"{this_version}"'}
    assert (await house.sophea.post(path, json={"other_id": other}, headers=headers)).status_code == 428
    for changed in (other, house.desk.people.rithy):
        house.write(_moved(changed))
        stale = await house.sophea.post(path, json=full, headers=headers)
        assert (stale.status_code, stale.headers["content-type"]) == (412, "application/problem+json")
        assert (stale.json()["version"], stale.json()["other_version"]) == (version(house), version(house, other))
        full["other_version"] = version(house, other)
    assert house.customer(other).name == "Rithy Sok"
    same = {"other_id": house.desk.people.rithy, "other_version": version(house)}
    headers = {"If-Match": f'"{version(house)}"'}
    assert (await house.sophea.post(path, json=same, headers=headers)).status_code == 422
    wrong = await merged(house, other, {"colour": "other"})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "colour")


async def test_of_two_who_merge_at_once_one_does(house: House) -> None:
    other = twin(house)
    there = {"other_id": other, "other_version": version(house, other)}
    back = {"other_id": house.desk.people.rithy, "other_version": version(house)}
    answers = await asyncio.gather(
        house.sophea.post(
            f"/api/v1{house.rithy}/merge", json=there, headers={"If-Match": f'"{back["other_version"]}"'}
        ),
        house.sophea.post(
            f"/api/v1/customers/{other}/merge", json=back, headers={"If-Match": f'"{there["other_version"]}"'}
        ),
    )
    assert sorted(each.status_code for each in answers)[0] == 200
    assert sorted(each.status_code for each in answers)[1] in (404, 410, 412)


async def test_only_supervisors_and_administrators_merge_and_masks_hold(sqlite_house: House) -> None:
    house = sqlite_house
    other = twin(house)
    for visitor in (house.dara, house.guest):
        for path in (f"{house.rithy}/merge?other={other}", "/customers/duplicates", "/api/v1/customers/duplicates"):
            assert (await visitor.get(path)).status_code == 403
        body = {"other_id": other, "other_version": 1}
        refused = await visitor.post(f"/api/v1{house.rithy}/merge", json=body, headers={"If-Match": '"1"'})
        assert refused.status_code == 403
        assert "/merge" not in (await visitor.get(house.rithy)).text
    foreign = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    form = {"other": str(other), "version": "1", "other_version": "1"}
    assert (await house.sophea.post(f"{house.rithy}/merge", data=form, headers=foreign)).status_code == 403
    assert house.customer(other).name == "Rithy Sok"
    assert (await merged(house, other)).status_code == 200
    guest = (await house.guest.get(f"/api/v1{house.rithy}/history")).json()["items"]
    assert not {each["field"] for each in guest} & {"merged.debt", "custom.balance", "merged.custom.balance"}


async def test_the_page_shows_both_and_what_is_chosen_is_kept(sqlite_house: House) -> None:
    house = sqlite_house
    other = twin(house, name=SCRIPT, note="Never on Sundays", manager_id=house.desk.people.mony)
    page = (await house.sophea.get(f"{house.rithy}/merge?other={other}")).text
    assert SCRIPT not in page
    assert set(re.findall(r'name="keep\.([a-z_.]+)" value="this" checked', page)) == {
        "name", "company", "note", "manager",
    }  # fmt: skip
    assert re.findall(r'name="keep\.([a-z_.]+)" value="other" checked', page) == ["email"]
    over = re.findall(r"<li>(\w[\w ]*: \d+)</li>", page.partition('class="merge-over"')[2])
    assert over == ["Numbers: 2", "Ranges of numbers: 1", "Orders: 1", "Tasks: 1", "Notes: 1", "Calls of the log: 1"]
    versions = dict(re.findall(r'name="(version|other_version)" value="(\d+)"', page))
    form = {"other": str(other), **versions, "keep.name": "this", "keep.manager": "other", "keep.note": "other"}
    house.write(lambda session: attach_number(session, read_number, other, "+85517000999"))
    late = await house.sophea.post(f"{house.rithy}/merge", data=form)
    assert late.status_code == 409
    assert 'name="keep.manager" value="other" checked' in late.text
    form |= dict(re.findall(r'name="(version|other_version)" value="(\d+)"', late.text))
    done = await house.sophea.post(f"{house.rithy}/merge", data=form)
    assert (done.status_code, done.headers["location"]) == (303, house.rithy)
    now = house.customer()
    assert (now.name, now.note, now.manager_id) == ("Sok Rithy", "Never on Sundays", house.desk.people.mony)
    page = (await house.dara.get(house.rithy)).text
    assert SCRIPT not in page
    assert "Note of the other" not in page
    assert "Name of the other" in page


async def test_two_are_chosen_by_a_search_or_from_the_list(sqlite_house: House) -> None:
    house = sqlite_house
    other = twin(house)
    page = (await house.sophea.get(f"{house.rithy}/merge?q=Rithy")).text
    assert f"{house.rithy}/merge?other={other}" in page
    assert f"other={house.desk.people.rithy}" not in page
    assert 'name="customer"' not in (await house.sophea.get("/customers?q=rithy")).text
    assert 'name="customer"' not in (await house.dara.get("/customers?q=rithy&pick=two")).text
    assert (await house.sophea.get("/customers?q=rithy&pick=two")).text.count('name="customer"') == 2
    chosen = await house.sophea.get(f"/customers/merge?customer={house.desk.people.rithy}&customer={other}")
    assert chosen.headers["location"] == f"{house.rithy}/merge?other={other}"
    assert (await house.sophea.get(f"/customers/merge?customer={other}")).status_code == 422


async def test_a_card_on_a_screen_and_a_call_that_goes_on_are_the_merged_ones(house: House) -> None:
    other = twin(house, name="Rithy Sok")
    people, desk = house.desk.people, house.desk.app.state.services
    call = live_call(ANOTHER, "101", customers=(other,))
    await house.desk.publish(call)

    async def shown(visitor: Visitor) -> list[str]:
        calls = (await visitor.get("/api/v1/live")).json()["calls"]
        return [each["name"] for each in calls[0]["card"]["customers"]]

    assert await shown(house.dara) == ["Rithy Sok"]
    reader = (await desk.people.account(people.dara)).reader
    with desk.hub.subscribe("") as subscription:
        while (await subscription.next(0.2)) is not None:
            pass
        assert (await merged(house, other)).status_code == 200
        told: list[bytes] = []
        page = HTTPConnection({"type": "http", "headers": [], "app": house.desk.app})
        audience = Audience(desk, reader, page)
        async with asyncio.timeout(20):
            while not told:
                event = await subscription.next(5)
                told = await audience.messages(event) if event else []
    assert b"Sok Rithy" in told[0]
    assert await shown(house.dara) == ["Sok Rithy"]
    note = await house.dara.post(f"/api/v1/calls/{call.call_id}/notes", json={"text": "Said during the call"})
    assert note.json()["customer_id"] == people.rithy
    house.write(lambda session: write_call(session, logged("late", "101", ANOTHER, other, "answered")))
    assert house.ask(lambda session: session.get_one(CallRow, "late").customer_id) == people.rithy


async def test_who_may_be_the_same_is_listed_by_what_they_share(house: House) -> None:
    other = twin(house, name="SOK  Rithy", company="angkor RICE mills", email="one@mill.example")
    house.write(lambda session: change_customer(session, house.desk.people.rithy, {"email": "ONE@mill.example"}))
    both = {house.desk.people.rithy, other}

    async def groups(by: str, **more: Any) -> dict[str, Any]:
        answer = await house.sophea.get("/api/v1/customers/duplicates", params={"by": by, **more})
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    by_number = await groups("number", limit=1)
    more = await groups("number", limit=1, after=by_number["next"])
    assert more["next"] == ""
    pages = [each for page in (by_number, more) for each in page["items"]]
    shared = {each["number"]: {one["customer_id"] for one in each["customers"]} for each in pages}
    assert shared == {RITHY: both, SHARED: set(house.desk.people.shared)}
    for by in ("email", "name"):
        assert [{one["customer_id"] for one in each["customers"]} for each in (await groups(by))["items"]] == [both]
    page = await house.sophea.get("/customers/duplicates?by=name")
    assert page.text.count('name="customer"') == 2
    assert (await merged(house, other)).status_code == 200
    assert (await groups("email"))["items"] == (await groups("name"))["items"] == []


def test_every_table_of_a_customer_goes_over() -> None:
    """One that comes later and is forgotten here would be deleted with the customer."""
    refer = {
        table.name
        for table in Base.metadata.tables.values()
        for key in table.foreign_keys
        if key.column.table is Customer.__table__
    }
    assert refer == {table.__tablename__ for _, table in GOES_OVER}
