"""Fields that the company defines: on the card, on the customer's page and in the API, for those who may see them."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from config.card_fields import Field
from config.settings import Settings
from lookup.links import make
from records.customers import change_customer
from records.database import open_database, reading, writing
from records.tables import Customer
from tests.fixtures.desk import RITHY, SECRET, People, RunningDesk, Visitor, alive, fill, live_call, opened

OVERSEERS = ("supervisor", "administrator")
LIMIT = {"minor": 500_000, "currency": "USD"}
FIELDS = {
    "grade": Field(type="choice", choices=("Gold", "Silver"), order=50),
    "credit_limit": Field("Credit limit", "money", roles=OVERSEERS),
    "since": Field("Customer since", "date"),
    "contract": Field(type="link"),
    "vip": Field("VIP", "yes/no", default="not said"),
    "score": Field(type="number"),
    "secret": Field(default="kept from agents", roles=OVERSEERS),
}
VALUES = {
    "grade": "Gold",
    "credit_limit": LIMIT,
    "since": "2019-03-14",
    "contract": "https://files.example/c/7",
    "secret": "hush-hush",
}


def with_values(desk: RunningDesk, values: dict[str, Any]) -> None:
    with writing(desk.database()) as session:
        change_customer(session, desk.people.rithy, {"custom": values})


def kept(desk: RunningDesk) -> dict[str, Any]:
    with reading(desk.database()) as session:
        customer = session.get(Customer, desk.people.rithy)
        assert customer
        return customer.custom


@contextlib.asynccontextmanager
async def at_work(
    company: tuple[Settings, People], redis_url: str, fields: dict[str, Field]
) -> AsyncIterator[tuple[RunningDesk, Visitor, Visitor]]:
    """A desk whose cards have these fields, an agent and a supervisor."""
    settings, people = company
    async with contextlib.AsyncExitStack() as stack:
        desk = await stack.enter_async_context(opened(replace(settings, fields=fields), people, redis_url))
        await stack.enter_async_context(alive(desk))
        dara = await stack.enter_async_context(Visitor(desk.app))
        sophea = await stack.enter_async_context(Visitor(desk.app))
        yield desk, await dara.has_session(desk, people.dara), await sophea.has_session(desk, people.sophea)


@pytest.fixture
async def house(
    company: tuple[Settings, People], redis_url: str
) -> AsyncIterator[tuple[RunningDesk, Visitor, Visitor]]:
    async with at_work(company, redis_url, FIELDS) as house:
        with_values(house[0], VALUES)
        yield house


def version_of(html: str) -> str:
    found = re.search(r'name="version" value="(\d+)"', html)
    assert found
    return found[1]


def facts(html: str) -> list[str]:
    """Labels of the facts on the live card, in their order."""
    return re.findall(r"<dt>([^<]+)</dt>", html.partition('class="facts"')[2].partition('class="call-foot"')[0])


async def test_fields_stand_on_the_live_card_in_their_order(house: tuple[RunningDesk, Visitor, Visitor]) -> None:
    desk, dara, _ = house
    await desk.publish(live_call(RITHY, "101", customers=(desk.people.rithy,)))
    html = (await dara.get("/")).text
    assert facts(html) == ["Grade", "Owes", "Manager", "Last task", "Customer since", "Contract", "VIP"]
    for shown in ("Gold", "14 Mar 2019", 'href="https://files.example/c/7"', "not said"):
        assert shown in html


async def test_what_a_role_may_not_see_is_nowhere(house: tuple[RunningDesk, Visitor, Visitor]) -> None:
    desk, dara, sophea = house
    call = live_call(RITHY, "101", "104", customers=(desk.people.rithy,))
    await desk.publish(call)
    customer = f"/customers/{desk.people.rithy}"
    places = ["/", customer, f"{customer}/fields", "/customers", "/api/v1/live", f"/api/v1{customer}"]
    places += [f"/api/v1{customer}/fields", f"/api/v1/lookup?number=%2B{RITHY[1:]}", "/api/v1/customers"]
    for path in places:
        answer = await dara.get(path)
        assert answer.status_code == 200
        for masked in ("hush-hush", "kept from agents", "500000", "5,000.00", "Credit limit", "credit_limit", "secret"):
            assert masked not in answer.text, path
    for path in ("/", customer, f"{customer}/fields", "/api/v1/live", f"/api/v1{customer}/fields"):
        assert "hush-hush" in (await sophea.get(path)).text, path


async def test_built_in_fields_are_renamed_moved_and_kept_from_roles(
    company: tuple[Settings, People], redis_url: str
) -> None:
    masked = {name: Field(roles=OVERSEERS) for name in ("manager", "note", "company", "orders", "last_task", "numbers")}
    fields = {**masked, "debt": Field("Balance", order=950), "email": Field(roles=())}
    async with at_work(company, redis_url, fields) as (desk, dara, sophea):
        with writing(desk.database()) as session:
            change_customer(session, desk.people.rithy, {"debt_minor": -500, "email": "rithy@example.com"})
        call = live_call(RITHY, "101", "104", customers=(desk.people.rithy,))
        await desk.publish(replace(call, route_reason="the assigned manager Dara Chan"))
        customer = f"/customers/{desk.people.rithy}"
        for path in ("/", customer, "/customers", "/calls/answered", f"/api/v1{customer}", "/api/v1/live"):
            html = (await dara.get(path)).text
            for hidden in (
                "Angkor",
                "before noon",
                "#2291",
                "Send the invoice",
                "rithy@example.com",
                "assigned manager",
            ):
                assert hidden not in html, path
            assert "rithy@example.com" not in (await sophea.get(path)).text
        html = (await sophea.get("/")).text
        assert facts(html) == ["Manager", "Last task", "Balance"]
        assert "−5.00" in html
        for shown in ("Angkor", "before noon", "#2291", "assigned manager Dara Chan"):
            assert shown in html
        soon = int(time.time()) + 60
        card, contact = (make(SECRET, kind, desk.people.rithy, "a-call", soon) for kind in ("card", "vcard"))
        for path in (f"/c/{card}", f"/v/{contact}.vcf"):  # nobody knows who looks at a phone
            shown = (await dara.get(path)).text
            assert "Sok Rithy" in shown
            for hidden in ("Angkor", "Dara Chan", "12 345 678", "12345678", "rithy@example.com"):
                assert hidden not in shown
        looked = (await dara.get("/api/v1/lookup", params={"number": RITHY})).json()
        assert looked["candidates"][0]["company"] == ""
        assert looked["candidates"][0]["manager"] == ""


# --- changing them


@pytest.fixture(params=["sqlite", "postgresql"])
async def either(
    request: pytest.FixtureRequest, company: tuple[Settings, People], redis_url: str
) -> AsyncIterator[tuple[RunningDesk, Visitor, Visitor]]:
    """The desk on each kind of database."""
    settings, people = company
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        database = open_database(url)
        people = fill(database, settings.data_dir)
        database.dispose()
        settings = replace(settings, store=replace(settings.store, database_url=url))
    async with at_work((settings, people), redis_url, FIELDS) as house:
        with_values(house[0], VALUES)
        yield house


async def test_what_is_typed_is_kept_by_its_type(either: tuple[RunningDesk, Visitor, Visitor]) -> None:
    desk, dara, _ = either
    form = f"/customers/{desk.people.rithy}/fields"
    html = (await dara.get(form)).text
    assert 'type="date"' in html
    assert re.search(r'<option value="Gold" selected>', html)
    typed = {"version": version_of(html), "grade": "Silver", "since": "", "vip": "yes", "score": "12,5"}
    saved = await dara.post(form, data=typed)
    assert (saved.status_code, saved.headers["location"]) == (303, f"/customers/{desk.people.rithy}")
    assert kept(desk) == {
        "grade": "Silver",
        "credit_limit": LIMIT,
        "contract": "https://files.example/c/7",
        "secret": "hush-hush",
        "vip": True,
        "score": 12.5,
    }
    page = (await dara.get(f"/customers/{desk.people.rithy}")).text
    for shown in ("Silver", "Yes", "12.5"):
        assert shown in page


async def test_what_cannot_be_kept_comes_back_with_what_is_wrong(either: tuple[RunningDesk, Visitor, Visitor]) -> None:
    desk, dara, _ = either
    form = f"/customers/{desk.people.rithy}/fields"
    typed = {"version": version_of((await dara.get(form)).text), "grade": "Silver", "score": "<many>", "since": "soon"}
    refused = await dara.post(form, data=typed)
    assert refused.status_code == 422
    for shown in (
        "&#39;&lt;many&gt;&#39; is no number; write it like 1250 or 12.5",
        "&#39;soon&#39; is no date; write it like 2026-03-01",
        'value="&lt;many&gt;"',
        '<option value="Silver" selected>',
        f'name="version" value="{typed["version"]}"',
    ):
        assert shown in refused.text
    assert kept(desk) == VALUES


async def test_of_two_people_who_change_the_same_customer_the_second_is_told(
    either: tuple[RunningDesk, Visitor, Visitor],
) -> None:
    desk, dara, sophea = either
    form = f"/customers/{desk.people.rithy}/fields"
    version = version_of((await dara.get(form)).text)
    assert (await sophea.post(form, data={"version": version, "grade": "Silver"})).status_code == 303
    late = await dara.post(form, data={"version": version, "grade": "Gold", "score": "3"})
    assert late.status_code == 409
    assert "Somebody changed Sok Rithy meanwhile" in late.text
    for shown in ('<option value="Silver" selected>', "Your form had: Gold", "Your form had: 3"):
        assert shown in late.text
    assert kept(desk)["grade"] == "Silver"
    again = await dara.post(form, data={"version": version_of(late.text), "score": "3"})
    assert again.status_code == 303
    assert (kept(desk)["grade"], kept(desk)["score"]) == ("Silver", 3)


async def test_nobody_changes_what_they_may_not_see(either: tuple[RunningDesk, Visitor, Visitor]) -> None:
    desk, dara, _ = either
    customer = f"/customers/{desk.people.rithy}"
    version = version_of((await dara.get(f"{customer}/fields")).text)
    sent = {"version": version, "credit_limit": "1", "debt": "0"}
    assert (await dara.post(f"{customer}/fields", data=sent)).status_code == 422
    headers = {"If-Match": f'"{version}"'}
    refused = await dara.patch(f"/api/v1{customer}/fields", json={"credit_limit": 1}, headers=headers)
    assert refused.status_code == 422
    assert "no such field that you may change" in refused.json()["detail"]
    assert kept(desk) == VALUES


async def test_a_program_changes_fields_with_the_version_that_it_read(
    either: tuple[RunningDesk, Visitor, Visitor],
) -> None:
    desk, _, sophea = either
    path = f"/api/v1/customers/{desk.people.rithy}/fields"
    read = await sophea.get(path)
    etag = read.headers["etag"]
    assert etag == f'"{read.json()["version"]}"'
    by_name = {item["name"]: item for item in read.json()["fields"]}
    assert by_name["credit_limit"]["value"] == LIMIT
    assert (by_name["since"]["value"], by_name["since"]["text"]) == ("2019-03-14", "14 Mar 2019")
    given = {
        "credit_limit": {"minor": 100, "currency": "USD"},
        "vip": False,
        "since": None,
        "score": 7,
        "grade": "silver",
    }
    assert (await sophea.patch(path, json=given)).status_code == 428
    changed = await sophea.patch(path, json=given, headers={"If-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag
    assert kept(desk) == {
        "grade": "Silver",
        "credit_limit": {"minor": 100, "currency": "USD"},
        "contract": "https://files.example/c/7",
        "secret": "hush-hush",
        "vip": False,
        "score": 7,
    }
    late = await sophea.patch(path, json={"vip": True}, headers={"If-Match": etag})
    assert (late.status_code, late.headers["content-type"]) == (412, "application/problem+json")
    refused = await sophea.patch(path, json={"score": True}, headers={"If-Match": changed.headers["etag"]})
    assert refused.json()["detail"] == "score: True is no value of the type number"
    gone = await sophea.get("/api/v1/customers/999999/fields")
    assert gone.status_code == 404


async def test_a_value_that_does_not_fit_is_shown_as_text_and_survives_a_change(
    house: tuple[RunningDesk, Visitor, Visitor],
) -> None:
    desk, dara, _ = house
    with_values(desk, {"since": "long ago", "contract": "javascript:alert(1)", "grade": "Platinum"})
    html = (await dara.get(f"/customers/{desk.people.rithy}")).text
    assert "long ago" in html
    assert 'href="javascript' not in html
    form = f"/customers/{desk.people.rithy}/fields"
    html = (await dara.get(form)).text
    assert re.search(r"<option selected>Platinum</option>", html)
    sent = {"version": version_of(html), "since": "long ago", "grade": "Platinum", "contract": "javascript:alert(1)"}
    assert (await dara.post(form, data={**sent, "vip": "no"})).status_code == 303
    assert (kept(desk)["since"], kept(desk)["vip"]) == ("long ago", False)
