"""Entering customers and changing them, on the desk's pages: who may what, what is wrong where, and two at once."""

from __future__ import annotations

import html
import io
import re
from typing import Any

import httpx
import orjson
import pytest
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from config.card_fields import Field
from config.settings import Settings
from records.calls import write_call
from records.customers import add_customer, attach_number, change_customer
from records.orders import add_order
from records.tables import Customer, CustomerChange, SourceRow
from records.users import add_user
from tests.fixtures.desk import PASSWORD, RITHY, People, Visitor, logged
from tests.fixtures.house import FORMULA, OVERSEERS, SCRIPT, House, at_work, form_of, opened_form, read_number


def said_at(page: str, field: str) -> str:
    found = re.search(rf'id="field-{re.escape(field)}-wrong">([^<]*)<', page)
    return html.unescape(found[1]) if found else ""


def multipart(fields: dict[str, str], picture: bytes | None = None) -> dict[str, Any]:
    return {"data": fields, "files": {"picture": ("face.png", picture, "image/png")}} if picture else {"data": fields}


def a_picture(colour: tuple[int, int, int]) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (300, 200), colour).save(out, "PNG")
    return out.getvalue()


# --- entering


async def test_a_customer_is_entered_with_all_that_the_form_has(house: House) -> None:
    house.write(lambda session: write_call(session, logged("before", "101", "+85517222333", None, "answered")))
    form = await opened_form(house.dara, "/customers/new?number=%2B85517222333&name=Chan+Sreymom")
    assert (form["number.0"], form["name"]) == ("+85517222333", "Chan Sreymom")
    form |= {
        "name": " Chan  Sreymom ",
        "company": "Lotus Silk",
        "email": "sreymom@lotus.example",
        "address": "12, Street 240\r\nPhnom Penh",
        "note": "Speaks French.",
        "debt": "4 000 KHR",
        "manager_id": str(house.desk.people.dara),
        "label.0": "mobile",
        "number.1": "023 880 123",
        "ext.1": "12",
        "number.2": "+855 23 990 1xx",
        "label.2": "office",
        "custom.grade": "Gold",
        "custom.since": "01.03.2026",
    }
    saved = await house.dara.post("/customers/new", **multipart(form, a_picture((200, 20, 20))))
    assert saved.status_code == 303, saved.text
    made = house.customer(int(saved.headers["location"].rpartition("/")[2]))
    assert (made.name, made.company, made.email) == ("Chan Sreymom", "Lotus Silk", "sreymom@lotus.example")
    assert (made.address, made.note) == ("12, Street 240\nPhnom Penh", "Speaks French.")
    assert (made.debt_minor, made.currency, made.manager_id) == (400000, "KHR", house.desk.people.dara)
    assert [(each.e164, each.ext, each.label) for each in made.numbers] == [
        ("+85517222333", "", "mobile"),
        ("+85523880123", "12", ""),
    ]
    assert [(each.raw, each.label) for each in made.ranges] == [("+855 23 990 1xx", "office")]
    assert made.custom == {"grade": "Gold", "since": "2026-03-01"}
    assert made.created_by_id == house.desk.people.dara
    assert (await house.dara.get(f"/photos/{made.photo}")).status_code == 200
    page = (await house.dara.get(saved.headers["location"])).text
    assert '/calls/before"' in page  # the earlier call of nobody is theirs
    assert "by <bdi>Dara Chan</bdi>" in page


async def test_what_is_refused_is_told_at_its_field_and_nothing_typed_is_lost(house: House) -> None:
    form = await opened_form(house.dara, "/customers/new")
    form |= {
        "name": "  ",
        "company": f"{SCRIPT} & Co",
        "email": "nowhere",
        "debt": "a lot",
        "note": "first\nsecond",
        "number.0": "no digits",
        "label.0": "home",
        "number.1": "+855 12 3x xxx xxx",
        "number.2": "+85517222333",
        "ext.2": "front desk",
        "custom.since": "soon",
        "custom.grade": "Silver",
    }
    refused = await house.dara.post("/customers/new", **multipart(form, b"no picture at all"))
    assert refused.status_code == 422
    for field, said in {
        "photo": "This is no picture that can be read",
    }.items():
        assert said in said_at(refused.text, field)
    picture = await house.dara.post("/customers/new", **multipart(form, a_picture((1, 2, 3))))
    for field, said in {
        "name": "write a name",
        "email": "'nowhere' is no e-mail address; write one like name@example.com",
        "debt": "'a lot' is no amount; write it like 1250.50",
        "numbers.0": "'no digits' is no phone number",
        "numbers.1": "'+855 12 3x xxx xxx' has more than 4 x",
        "numbers.2": "'front desk' is no extension",
        "custom.since": "'soon' is no date",
    }.items():
        assert said in said_at(picture.text, field), field
    again = form_of(picture.text)
    assert {name: again[name] for name in form if name not in ("was", "photo")} == {
        **{name: value for name, value in form.items() if name not in ("was", "photo")},
        "name": "",  # white space is nothing
    } | {"name": again["name"]}
    assert re.fullmatch(r"[0-9a-f]{64}", again["photo"])
    assert SCRIPT not in picture.text
    assert house.ask(lambda session: session.scalar(select(Customer).where(Customer.company.contains("& Co")))) is None
    good = again | {"name": "Lim", "email": "", "debt": "", "number.0": "", "label.0": "", "number.1": "", "ext.2": ""}
    saved = await house.dara.post("/customers/new", data=good | {"custom.since": ""})
    assert saved.status_code == 303, saved.text
    made = house.customer(int(saved.headers["location"].rpartition("/")[2]))
    assert (made.photo, made.company, made.note) == (again["photo"], f"{SCRIPT} & Co", "first\nsecond")
    assert [each.e164 for each in made.numbers] == ["+85517222333"]


async def test_what_looks_like_a_formula_or_a_script_is_a_text(house: House) -> None:
    form = await opened_form(house.dara, "/customers/new")
    form |= {"name": FORMULA, "company": "@SUM(1)", "note": SCRIPT, "address": "+1-1|cmd", "label.0": SCRIPT[:40]}
    form |= {"number.0": "+85517222333", "custom.grade": ""}
    saved = await house.dara.post("/customers/new", data=form)
    made = house.customer(int(saved.headers["location"].rpartition("/")[2]))
    assert (made.name, made.company, made.note, made.address) == (FORMULA, "@SUM(1)", SCRIPT, "+1-1|cmd")
    for path in (f"/customers/{made.id}", f"/customers/{made.id}/edit"):
        page = (await house.dara.get(path)).text
        assert SCRIPT not in page
        assert html.escape(FORMULA, quote=False).split('"')[0] in page
    told = (await house.dara.get(f"/api/v1/customers/{made.id}")).json()
    assert (told["name"], told["note"]) == (FORMULA, SCRIPT)


async def test_signs_that_nobody_can_see_are_left_out(house: House) -> None:
    body = r'{"name": "Ev\u202eil\u0000 \ud83d\ude00 \ud83d ក្\u200bរុង\t.\n"}'.encode()
    made = await house.dara.post("/api/v1/customers", content=body, headers={"Content-Type": "application/json"})
    assert made.status_code == 201, made.text
    assert made.json()["name"] == "Evil 😀  ក្រុង ."


# --- changing


async def test_a_customer_is_changed_where_something_was_typed_and_nowhere_else(house: House) -> None:
    house.write(lambda session: change_customer(session, house.desk.people.rithy, {"custom": {"since": "long ago"}}))
    form = await opened_form(house.dara, f"{house.rithy}/edit")
    assert (form["name"], form["debt"], form["number.0"]) == ("Sok Rithy", "1245.50 USD", RITHY)
    assert form["custom.since"] == "long ago"  # does not fit, and may stay
    form |= {"company": "", "debt": "-20", "ext.0": "7", "number.1": "+85523880123", "label.1": "office"}
    saved = await house.dara.post(f"{house.rithy}/edit", **multipart(form))
    assert saved.status_code == 303, re.findall(r"-wrong.*|said.*", saved.text)
    now = house.customer()
    assert (now.name, now.company, now.debt_minor, now.note) == ("Sok Rithy", "", -2000, "Call before noon.")
    assert (now.manager_id, now.custom) == (house.desk.people.dara, {"since": "long ago"})
    assert sorted((each.e164, each.ext, each.label) for each in now.numbers) == [
        (RITHY, "7", "mobile"),
        ("+85523880123", "", "office"),
    ]
    assert now.photo
    form = await opened_form(house.dara, f"{house.rithy}/edit")
    assert {form["number.0"], form["number.1"]} == {RITHY, "+85523880123"}
    place = "0" if form["number.0"] == RITHY else "1"
    assert form[f"ext.{place}"] == "7"
    form |= {f"number.{place}": "", "no_photo": "yes", f"label.{1 - int(place)}": "work"}
    assert (await house.dara.post(f"{house.rithy}/edit", data=form)).status_code == 303
    now = house.customer()
    assert [(each.e164, each.label) for each in now.numbers] == [("+85523880123", "work")]
    assert now.photo == ""


async def test_saving_what_was_not_changed_changes_nothing(house: House) -> None:
    form = await opened_form(house.dara, f"{house.rithy}/edit")
    version = house.customer().version
    assert (await house.dara.post(f"{house.rithy}/edit", data=form)).status_code == 303
    assert house.customer().version == version
    assert house.ask(lambda session: session.scalars(select(CustomerChange)).all()) == []


async def test_a_range_is_entered_labelled_and_taken_away(house: House) -> None:
    house.write(lambda session: attach_number(session, read_number, house.desk.people.rithy, "+855 23 990 1xx"))
    form = await opened_form(house.dara, f"{house.rithy}/edit")
    assert form["number.1"] == "+855 23 990 1xx"
    await house.dara.post(f"{house.rithy}/edit", data=form | {"label.1": "office"})
    assert [each.label for each in house.customer().ranges] == ["office"]
    form = await opened_form(house.dara, f"{house.rithy}/edit")
    refused = await house.dara.post(f"{house.rithy}/edit", data=form | {"number.1": "+855 23 9xx xxx"})
    assert "more than 4 x" in said_at(refused.text, "numbers.1")
    assert [each.raw for each in house.customer().ranges] == ["+855 23 990 1xx"]
    await house.dara.post(f"{house.rithy}/edit", data=form | {"number.1": ""})
    assert house.customer().ranges == []


async def test_a_phone_of_our_own_people_is_no_customers_number(house: House) -> None:
    form = await opened_form(house.dara, f"{house.rithy}/edit")
    refused = await house.dara.post(f"{house.rithy}/edit", data=form | {"number.1": "101"})
    assert "phone of your own people" in said_at(refused.text, "numbers.1")
    assert len(house.customer().numbers) == 1


# --- two at once


async def test_of_two_who_change_one_customer_the_second_sees_what_the_first_did_and_goes_on(house: House) -> None:
    house.write(lambda session: attach_number(session, read_number, house.desk.people.rithy, "+85512999888", "home"))
    hers, mine = [await opened_form(each, f"{house.rithy}/edit") for each in (house.sophea, house.dara)]
    hers |= {"company": "Angkor Mills", "address": "Siem Reap", "number.1": "", "number.2": "+85523880123"}
    hers |= {"manager_id": ""}
    assert (await house.sophea.post(f"{house.rithy}/edit", data=hers)).status_code == 303
    mine |= {"company": "Rice & Sons", "note": "Call <after> noon.", "label.1": "wife"}
    late = await house.dara.post(f"{house.rithy}/edit", data=mine)
    assert late.status_code == 409
    text = re.sub(r"<[^>]*>", "", html.unescape(late.text))
    assert "Somebody changed Sok Rithy while you were typing" in text
    told = [" ".join(each.split()) for each in re.findall(r"Changed meanwhile: [^\n]*", text)]
    assert told == [
        "Changed meanwhile: Angkor Rice Mills → became Angkor Mills",
        "Changed meanwhile: +85512999888 (home) → became nothing",
        "Changed meanwhile: nothing → became +85523880123",
        "Changed meanwhile: nothing → became Siem Reap",
        "Changed meanwhile: Dara Chan → became nothing",
    ]
    again = form_of(late.text)
    assert (again["company"], again["note"]) == ("Rice & Sons", "Call <after> noon.")
    assert (again["address"], again["manager_id"]) == ("Siem Reap", "")
    assert {again[f"number.{at}"] for at in range(4)} == {RITHY, "+85512999888", "+85523880123", ""}
    assert (await house.dara.post(f"{house.rithy}/edit", data=again)).status_code == 303
    now = house.customer()
    assert (now.company, now.address, now.note) == ("Rice & Sons", "Siem Reap", "Call <after> noon.")
    assert now.manager_id is None
    numbers_now = sorted((each.e164, each.label) for each in now.numbers)
    assert numbers_now == [(RITHY, "mobile"), ("+85512999888", "wife"), ("+85523880123", "")]


async def test_a_change_of_something_else_of_the_customer_stops_nobody(house: House) -> None:
    form = await opened_form(house.dara, f"{house.rithy}/edit")
    house.write(lambda session: add_order(session, house.desk.people.rithy, "#1"))
    house.write(lambda session: change_customer(session, house.desk.people.rithy, {"custom": {"credit_limit": None}}))
    assert (await house.dara.post(f"{house.rithy}/edit", data=form | {"note": "new"})).status_code == 303
    assert house.customer().note == "new"


async def test_a_form_that_does_not_say_what_it_was_made_from_is_refused(house: House) -> None:
    form = await opened_form(house.dara, f"{house.rithy}/edit")
    for wrong in ({"version": "x"}, {"was": "{"}, {"was": '{"values": [], "lines": 1}'}, {"version": "9" * 30}):
        refused = await house.dara.post(f"{house.rithy}/edit", data=form | {"note": "new"} | wrong)
        assert (refused.status_code, house.customer().note) == (422, "Call before noon.")


# --- who may what


async def test_a_role_sees_and_changes_only_its_fields(house: House) -> None:
    limit = {"credit_limit": {"minor": 500_000, "currency": "USD"}}
    house.write(lambda session: change_customer(session, house.desk.people.rithy, {"custom": limit}))
    theirs = await opened_form(house.guest, f"{house.rithy}/edit")
    mine = await opened_form(house.dara, f"{house.rithy}/edit")
    hers = await opened_form(house.sophea, f"{house.rithy}/edit")
    assert ("debt" in theirs, "debt" in mine, "custom.credit_limit" in mine) == (False, True, False)
    assert hers["custom.credit_limit"] == "5000.00 USD"
    assert "1245" not in (await house.guest.get(f"{house.rithy}/edit")).text
    for visitor, form, name in ((house.guest, theirs, "debt"), (house.dara, mine, "custom.credit_limit")):
        for path in (f"{house.rithy}/edit", "/customers/new"):
            refused = await visitor.post(path, data={**form, name: "1", "name": "Else"})
            assert refused.status_code == 422
            assert "there is no such field that you may change" in refused.text
        body = {"debt": "1"} if name == "debt" else {"fields": {"credit_limit": "1"}}
        etag = (await visitor.get(f"/api/v1{house.rithy}")).headers["etag"]
        answer = await visitor.patch(f"/api/v1{house.rithy}", json=body, headers={"If-Match": etag})
        assert answer.status_code == 422
        assert answer.json()["errors"] == [{"field": name, "message": "there is no such field that you may change"}]
    now = house.customer()
    assert (now.name, now.debt_minor, now.custom) == ("Sok Rithy", 124550, limit)


async def test_numbers_that_a_role_does_not_see_stay_as_they_are(
    company: tuple[Settings, People], redis_url: str
) -> None:
    async with at_work(company, redis_url, {"numbers": Field(roles=OVERSEERS)}) as house:
        house.write(lambda session: attach_number(session, read_number, house.desk.people.rithy, "+855 23 990 1xx"))
        form = await opened_form(house.dara, f"{house.rithy}/edit")
        assert not [name for name in form if name.startswith("number")]
        told = (await house.dara.get(f"/api/v1{house.rithy}")).json()
        assert (told["numbers"], told["ranges"]) == ([], [])
        number_id = house.customer().numbers[0].id
        kept = {"kept.0": f"n{number_id}", "number.0": ""}
        refused = await house.dara.post(f"{house.rithy}/edit", data={**form, **kept})
        assert refused.status_code == 422
        headers = {"If-Match": f'"{house.customer().version}"'}
        path = f"/api/v1{house.rithy}/numbers/{number_id}"
        assert (await house.dara.delete(path, headers=headers)).status_code == 422
        assert len(house.customer().numbers) == 1


async def test_a_number_of_another_customer_is_not_taken_away_from_here(house: House) -> None:
    theirs = house.customer(house.desk.people.khmer).numbers[0]
    form = await opened_form(house.dara, f"{house.rithy}/edit")
    assert (
        await house.dara.post(f"{house.rithy}/edit", data=form | {"kept.1": f"n{theirs.id}", "number.1": ""})
    ).status_code == 303
    headers = {"If-Match": f'"{house.customer().version}"'}
    path = f"/api/v1{house.rithy}/numbers/{theirs.id}"
    assert (await house.dara.delete(path, headers=headers)).status_code == 404
    assert len(house.customer(house.desk.people.khmer).numbers) == 1


@pytest.mark.parametrize("path", ["/customers/new", "{rithy}/edit", "/api/v1/customers", "/api/v1{rithy}"])
async def test_strangers_and_other_sites_change_nothing(house: House, path: str) -> None:
    path = path.format(rithy=house.rithy)
    sent: dict[str, Any] = {"json": {"name": "Owned"}} if "/api/" in path else {"data": {"name": "Owned"}}
    method = "PATCH" if path == f"/api/v1{house.rithy}" else "POST"
    foreign = {"Origin": "https://evil.example", "If-Match": f'"{house.customer().version}"'}
    assert (await house.dara.request(method, path, headers=foreign, **sent)).status_code == 403
    async with Visitor(house.desk.app) as stranger:
        assert (await stranger.request(method, path, **sent)).status_code in (303, 401)
    assert house.ask(lambda session: session.scalars(select(Customer).where(Customer.name == "Owned")).all()) == []


async def test_a_picture_may_be_large_and_anything_else_not(house: House) -> None:
    assert (await house.dara.post(house.rithy, data={"note": "x" * 1_100_000})).status_code == 413
    form = await opened_form(house.dara, f"{house.rithy}/edit")
    refused = await house.dara.post(f"{house.rithy}/edit", **multipart(form, b"x" * 10_500_000))
    assert "send one of at most 10 MB" in said_at(refused.text, "photo")
    assert (await house.dara.post(f"{house.rithy}/edit", **multipart(form, b"x" * 11_500_000))).status_code == 413


async def test_a_manager_is_somebody_who_works_here(house: House) -> None:
    def leave(session: Session) -> int:
        gone = add_user(session, "gone", "Gone Away", PASSWORD)
        gone.active = False
        return gone.id

    gone = house.write(leave)
    form = await opened_form(house.dara, f"{house.rithy}/edit")
    assert "Gone Away" not in (await house.dara.get(f"{house.rithy}/edit")).text
    for given, said in ((str(gone), "does not work here any more"), ("999999", "is gone"), ("x", "choose a person")):
        refused = await house.dara.post(f"{house.rithy}/edit", data=form | {"manager_id": given})
        assert said in said_at(refused.text, "manager_id")
    house.write(lambda session: change_customer(session, house.desk.people.rithy, {"manager_id": gone}))
    form = await opened_form(house.dara, f"{house.rithy}/edit")
    assert form["manager_id"] == str(gone)
    assert (await house.dara.post(f"{house.rithy}/edit", data=form | {"note": "new"})).status_code == 303


# --- customers of a source


async def test_what_a_source_gives_is_refused_with_the_reason_and_the_rest_is_ours(house: House) -> None:
    def from_crm(session: Session) -> int:
        session.add(SourceRow(name="crm", columns=orjson.dumps(["company", "debt_minor", "currency"]).decode()))
        made = add_customer(session, read_number, name="Kim Crm", numbers=["+85517222333"], company="Old")[0]
        made.source = "crm"
        return made.id

    path = f"/customers/{house.write(from_crm)}"
    customer_id = int(path.rpartition("/")[2])
    page = (await house.dara.get(f"{path}/edit")).text
    assert "crm gives this; change it there." in page
    form = form_of(page)
    assert not {"name", "company", "debt", "number.0"} & form.keys()
    assert (await house.dara.post(f"{path}/edit", data=form | {"note": "ours"})).status_code == 303
    for tampered in ({"company": "New"}, {"debt": "1"}, {"name": "New"}):
        form = await opened_form(house.dara, f"{path}/edit")
        refused = await house.dara.post(f"{path}/edit", data=form | tampered)
        assert refused.status_code == 422
        assert "Kim Crm comes from crm, which also gives" in html.unescape(refused.text)
    refused = await house.dara.post(f"{path}/edit", data=form | {"number.9": "+85517222444"})
    assert "comes from crm" in refused.text
    etag = (await house.dara.get(f"/api/v1{path}")).headers["etag"]
    answers: list[httpx.Response] = [
        await house.dara.patch(f"/api/v1{path}", json={"company": "New"}, headers={"If-Match": etag}),
        await house.dara.post(f"/api/v1{path}/numbers", json={"number": "+85517222444"}, headers={"If-Match": etag}),
    ]
    for answer in answers:
        assert answer.status_code == 422
        assert "comes from crm" in answer.json()["detail"]
    now = house.customer(customer_id)
    assert (now.name, now.company, now.note, len(now.numbers)) == ("Kim Crm", "Old", "ours", 1)
