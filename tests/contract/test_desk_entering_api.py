"""Entering and changing customers by the API: versions, what is wrong, and earlier calls of a number."""

from __future__ import annotations

import asyncio

from records.calls import call, write_call
from records.customers import attach_number
from tests.fixtures.desk import RITHY, logged
from tests.fixtures.house import House, read_number

CALLER = "+85517222333"


async def test_a_program_enters_a_customer_and_gets_the_earlier_calls_of_the_number(house: House) -> None:
    house.write(lambda session: write_call(session, logged("before", "101", CALLER, None, "missed")))
    new = {
        "name": "Chan Sreymom",
        "manager_id": house.desk.people.mony,
        "debt": {"minor": 500, "currency": "USD"},
        "numbers": [{"number": "017 222 333", "label": "mobile"}, {"number": "+855 23 990 1xx"}],
        "fields": {"grade": "gold"},
    }
    made = await house.dara.post("/api/v1/customers", json=new)
    assert made.status_code == 201, made.text
    told = made.json()
    assert made.headers["location"] == f"/api/v1/customers/{told['customer_id']}"
    assert made.headers["etag"] == f'"{told["version"]}"'
    assert (told["name"], told["manager"], told["debt"]) == (
        "Chan Sreymom",
        "Mony Keo",
        {"minor": 500, "currency": "USD"},
    )
    assert [(each["number"], each["label"]) for each in told["numbers"]] == [(CALLER, "mobile")]
    assert [each["range"] for each in told["ranges"]] == ["+855 23 990 1xx"]
    assert house.customer(told["customer_id"]).custom == {"grade": "Gold"}
    earlier = house.ask(lambda session: call(session, "before"))
    assert earlier.customer_id == told["customer_id"]


async def test_all_that_is_wrong_is_told_by_its_field(house: House) -> None:
    new = {"email": "x", "debt": "y", "manager_id": 999, "numbers": [{"number": "z"}], "fields": {"nothing": 1}}
    refused = await house.dara.post("/api/v1/customers", json=new)
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    faults = {each["field"] for each in refused.json()["errors"]}
    assert faults == {"name", "email", "debt", "manager_id", "numbers.0", "custom.nothing"}
    assert (await house.dara.post("/api/v1/customers", json={"name": "x", "photo": "y"})).status_code == 422


async def test_a_change_needs_the_version_and_a_stale_one_changes_nothing(house: House) -> None:
    path = f"/api/v1{house.rithy}"
    read = await house.dara.get(path)
    etag = read.headers["etag"]
    for method, where, body in (
        ("PATCH", path, {"note": "x"}),
        ("POST", f"{path}/numbers", {"number": CALLER}),
        ("DELETE", f"{path}/numbers/{read.json()['numbers'][0]['number_id']}", None),
    ):
        missing = await house.dara.request(method, where, json=body)
        assert (missing.status_code, missing.headers["content-type"]) == (428, "application/problem+json")
        house.write(lambda session: attach_number(session, read_number, house.desk.people.rithy, "+85523880123"))
        stale = await house.dara.request(method, where, json=body, headers={"If-Match": '"999"'})
        assert (stale.status_code, stale.headers["content-type"]) == (412, "application/problem+json")
        assert stale.headers["etag"] == f'"{stale.json()["version"]}"' == f'"{house.customer().version}"'
    now = house.customer()
    assert (now.note, len(now.numbers)) == ("Call before noon.", 2)
    assert (await house.dara.patch(path, json={"note": "x"}, headers={"If-Match": etag})).status_code == 412
    changed = await house.dara.patch(path, json={"note": "x"}, headers={"If-Match": stale.headers["etag"]})
    assert (changed.status_code, changed.json()["note"]) == (200, "x")


async def test_of_many_at_once_with_one_version_exactly_one_changes_it(house: House) -> None:
    path = f"/api/v1{house.rithy}"
    headers = {"If-Match": (await house.dara.get(path)).headers["etag"]}
    asked = [house.dara.patch(path, json={"note": f"note {each}"}, headers=headers) for each in range(8)]
    answers = await asyncio.gather(*asked)
    assert sorted(each.status_code for each in answers) == [200] + [412] * 7
    [won] = [each.json()["note"] for each in answers if each.status_code == 200]
    assert house.customer().note == won


async def test_only_what_is_named_changes_and_null_takes_away(house: House) -> None:
    path = f"/api/v1{house.rithy}"
    headers = {"If-Match": (await house.dara.get(path)).headers["etag"]}
    changed = await house.dara.patch(path, json={"company": None, "debt": None, "manager_id": None}, headers=headers)
    told = changed.json()
    assert (told["name"], told["note"]) == ("Sok Rithy", "Call before noon.")
    assert (told["company"], told["debt"]["minor"], told["manager_id"]) == ("", 0, None)
    refused = await house.dara.patch(path, json={"name": " "}, headers={"If-Match": changed.headers["etag"]})
    assert refused.json()["errors"][0]["field"] == "name"


async def test_numbers_and_ranges_come_and_go(house: House) -> None:
    path = f"/api/v1{house.rithy}"
    etag = (await house.dara.get(path)).headers["etag"]
    given = {"number": "023 880 123", "ext": "7", "label": "office"}
    added = await house.dara.post(f"{path}/numbers", json=given, headers={"If-Match": etag})
    assert added.status_code == 201
    assert [each["ext"] for each in added.json()["numbers"]] == ["", "7"]
    wrong = await house.dara.post(f"{path}/numbers", json={"number": "x"}, headers={"If-Match": added.headers["etag"]})
    assert wrong.json()["errors"][0]["field"] == "number"
    a_range = await house.dara.post(
        f"{path}/numbers", json={"number": "+855 23 990 1xx"}, headers={"If-Match": added.headers["etag"]}
    )
    range_id = a_range.json()["ranges"][0]["range_id"]
    etag = a_range.headers["etag"]
    gone = await house.dara.delete(f"{path}/ranges/{range_id}", headers={"If-Match": etag})
    assert (gone.status_code, gone.json()["ranges"]) == (200, [])
    for number in gone.json()["numbers"]:
        etag = (await house.dara.get(path)).headers["etag"]
        gone = await house.dara.delete(f"{path}/numbers/{number['number_id']}", headers={"If-Match": etag})
        assert gone.status_code == 200
    assert gone.json()["numbers"] == []
    again = await house.dara.delete(f"{path}/numbers/999999", headers={"If-Match": gone.headers["etag"]})
    assert again.status_code == 404


async def test_the_api_describes_itself(house: House) -> None:
    described = (await house.dara.get("/api/v1/openapi.json")).json()["paths"]
    assert {"get", "post"} <= described["/api/v1/customers"].keys()
    assert {"get", "patch"} <= described["/api/v1/customers/{customer_id}"].keys()
    assert RITHY not in str(described)
