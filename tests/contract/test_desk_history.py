"""Who changed what of a customer: written with the change, by page and by API, and shown to those who may see it."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from sqlalchemy import select

from config.card_fields import Field
from config.settings import Settings
from records.customers import change_customer, remove_customer
from records.database import writing
from records.errors import Conflict
from records.tables import CustomerChange
from tests.fixtures.desk import RITHY, People, Visitor
from tests.fixtures.house import OVERSEERS, SCRIPT, House, at_work, opened_form


async def api(visitor: Visitor, house: House, **query: Any) -> list[tuple[str | None, str, Any, Any]]:
    answer = await visitor.get(f"/api/v1{house.rithy}/history", params=query)
    assert answer.status_code == 200
    return [(each["by"], each["field"], each["before"], each["after"]) for each in answer.json()["items"]]


def lines(page: str) -> list[str]:
    """As a person reads them, from the top."""
    part = page.partition('class="history"')[2].partition("</ol>")[0]
    cells = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", part, flags=re.S)
    return [" ".join(html.unescape(re.sub(r"<[^>]*>", "", f"{label}: {text}")).split()) for label, text in cells]


async def test_a_change_on_the_page_is_in_the_history_with_who_and_what(house: House) -> None:
    form = await opened_form(house.dara, f"{house.rithy}/edit")
    form |= {"company": "", "note": SCRIPT, "debt": "4000 KHR", "manager_id": str(house.desk.people.mony)}
    form |= {"number.0": "", "number.1": "+85523880123", "ext.1": "7", "label.1": "office", "custom.grade": "Gold"}
    assert (await house.dara.post(f"{house.rithy}/edit", data=form)).status_code == 303
    number = {"number": RITHY, "label": "mobile", "ext": ""}
    assert await api(house.dara, house) == [
        ("Dara Chan", "number", None, {"number": "+85523880123", "label": "office", "ext": "7"}),
        ("Dara Chan", "number", number, None),
        ("Dara Chan", "note", "Call before noon.", SCRIPT),
        ("Dara Chan", "manager", "Dara Chan", "Mony Keo"),
        (
            "Dara Chan",
            "debt",
            {"minor": 124550, "currency": "USD"},
            {"minor": 400000, "currency": "KHR"},
        ),
        ("Dara Chan", "custom.grade", None, "Gold"),
        ("Dara Chan", "company", "Angkor Rice Mills", None),
    ]
    page = (await house.dara.get(house.rithy)).text
    assert SCRIPT not in page
    assert (
        set(lines(page))
        == {
            "Number: +855 12 345 678 (mobile) taken away",
            "Number: +855 23 880 123 ext. 7 (office)",
            f"Note: Call before noon. → became {SCRIPT}",
            "Manager: Dara Chan → became Mony Keo",
            "Owes: 1,245.50 USD → became 4,000.00 KHR",
            "Grade: Gold",
            "Company: Angkor Rice Mills taken away",
        }
        or html.escape(SCRIPT, quote=False) in page
    )


async def test_the_newest_is_first_and_earlier_pages_follow(house: House) -> None:
    for number in range(12):
        with writing(house.desk.database()) as session:
            change = {"note": f"note {number}"}
            change_customer(session, house.desk.people.rithy, change, by_id=house.desk.people.sophea)
    page = (await house.dara.get(house.rithy)).text
    assert "note 11" in page
    assert "All changes" in page
    answer = (await house.dara.get(f"/api/v1{house.rithy}/history", params={"limit": 5})).json()
    assert [each["after"] for each in answer["items"]] == [f"note {number}" for number in (11, 10, 9, 8, 7)]
    assert await api(house.dara, house, after=answer["next"], limit=1) == [("Sophea Lim", "note", "note 5", "note 6")]
    whole = (await house.dara.get(f"{house.rithy}/history")).text
    assert all(f"note {number}" in whole for number in range(12))
    assert (await house.dara.get("/customers/999999/history")).status_code == 404
    assert (await house.dara.get(f"/api/v1{house.rithy}/history", params={"after": "x"})).status_code == 422


async def test_a_change_by_the_api_is_in_it_too(house: House) -> None:
    path = f"/api/v1{house.rithy}"
    etag = (await house.sophea.get(path)).headers["etag"]
    changed = await house.sophea.patch(path, json={"name": "Sok Rithy II"}, headers={"If-Match": etag})
    given = {"number": "+855 23 990 1xx", "label": "office"}
    added = await house.sophea.post(f"{path}/numbers", json=given, headers={"If-Match": changed.headers["etag"]})
    fields = await house.sophea.patch(
        f"{path}/fields", json={"grade": "Gold"}, headers={"If-Match": added.headers["etag"]}
    )
    assert (changed.status_code, added.status_code, fields.status_code) == (200, 201, 200)
    assert await api(house.dara, house) == [
        ("Sophea Lim", "custom.grade", None, "Gold"),
        ("Sophea Lim", "number", None, {"number": "+855 23 990 1xx", "label": "office", "ext": ""}),
        ("Sophea Lim", "name", "Sok Rithy", "Sok Rithy II"),
    ]


async def test_what_a_role_may_not_see_is_not_in_its_history(house: House) -> None:
    form = await opened_form(house.sophea, f"{house.rithy}/edit")
    form |= {"debt": "77.70", "custom.credit_limit": "88.80", "company": "Seen by all"}
    assert (await house.sophea.post(f"{house.rithy}/edit", data=form)).status_code == 303
    for visitor, seen in (
        (house.guest, {"company"}),
        (house.dara, {"company", "debt"}),
        (house.sophea, {"company", "debt", "custom.credit_limit"}),
    ):
        assert {field for _, field, _, _ in await api(visitor, house)} == seen
        for path in (house.rithy, f"{house.rithy}/history"):
            page = (await visitor.get(path)).text
            assert ("77.70" in page, "88.80" in page) == ("debt" in seen, "custom.credit_limit" in seen), path
    assert "124550" not in (await house.guest.get(f"/api/v1{house.rithy}/history")).text


async def test_numbers_manager_and_note_are_masked_in_it_as_on_the_card(
    company: tuple[Settings, People], redis_url: str
) -> None:
    fields = {name: Field(roles=OVERSEERS) for name in ("numbers", "manager", "note")}
    async with at_work(company, redis_url, fields) as house:
        form = await opened_form(house.sophea, f"{house.rithy}/edit")
        form |= {"note": "hush", "manager_id": "", "number.1": "+85523880123", "address": "Siem Reap"}
        assert (await house.sophea.post(f"{house.rithy}/edit", data=form)).status_code == 303
        assert [field for _, field, _, _ in await api(house.dara, house)] == ["address"]
        assert len(await api(house.sophea, house)) == 4


async def test_a_change_that_is_not_made_leaves_no_trace(house: House) -> None:
    form = await opened_form(house.dara, f"{house.rithy}/edit")
    refused = await house.dara.post(f"{house.rithy}/edit", data=form | {"note": "new", "number.1": "101"})
    assert refused.status_code == 422
    with pytest.raises(Conflict):
        house.write(lambda session: change_customer(session, house.desk.people.rithy, {"note": "x"}, if_version=999))
    assert house.ask(lambda session: session.scalars(select(CustomerChange)).all()) == []


async def test_a_removed_customer_takes_the_history_along(house: House) -> None:
    house.write(lambda session: change_customer(session, house.desk.people.rithy, {"note": "x"}))
    house.write(lambda session: remove_customer(session, house.desk.people.rithy))
    assert house.ask(lambda session: session.scalars(select(CustomerChange)).all()) == []
