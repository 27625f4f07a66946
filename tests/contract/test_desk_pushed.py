"""A program tells the desk of its customers: by its own token, again and again without harm, with every fault named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from config.settings import Settings, Source
from records.database import reading, writing
from records.tables import Customer
from records.users import add_user
from tests.contract.test_sources import known, one
from tests.fixtures.desk import PASSWORD, People, RunningDesk, Visitor, alive, opened

SHOP, CRM = "the token of the shop", "the token of the crm"
ADDRESS = "/api/v1/customers/by-external-id"
DARA: dict[str, Any] = {
    "name": "Sok Dara",
    "company": "Rice Mill",
    "debt": "1250.50",
    "manager": "dara",
    "numbers": [{"number": "012 999 111", "label": "mobile"}, {"number": "023 999 111"}],
}


@pytest.fixture
async def desk(company: tuple[Settings, People], redis_url: str) -> AsyncIterator[RunningDesk]:
    settings, people = company
    sources = {"shop": Source("push", 1, token=SHOP), "crm": Source("push", 2, token=CRM)}
    async with opened(replace(settings, sources=sources), people, redis_url) as running, alive(running):
        yield running


@pytest.fixture
async def shop(desk: RunningDesk) -> AsyncIterator[httpx.AsyncClient]:
    """As a program comes: no cookie, no Origin."""
    transport = httpx.ASGITransport(app=desk.app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {SHOP}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test", headers=headers) as client:
        yield client


async def test_a_customer_is_made_changed_and_removed(desk: RunningDesk, shop: httpx.AsyncClient) -> None:
    made = await shop.put(f"{ADDRESS}/A-1/x", json=DARA)
    assert made.status_code == 201, made.text
    row = one(desk.database(), "Sok Dara")
    assert made.json() == {"customer_id": row.id, "external_id": "A-1/x", "source": "shop"}
    assert (row.source, row.external_id, row.debt_minor, row.manager_id) == ("shop", "A-1/x", 125050, desk.people.dara)
    assert known(desk.database(), "shop") == {"Sok Dara": ["+85512999111", "+85523999111"]}

    again = await shop.put(f"{ADDRESS}/A-1/x", json=DARA)
    assert (again.status_code, again.headers["etag"]) == (200, made.headers["etag"])
    assert one(desk.database(), "Sok Dara").version == row.version

    less = await shop.put(f"{ADDRESS}/A-1/x", json={"name": "Sok Dara", "numbers": [{"number": "012999111"}]})
    assert less.status_code == 200
    assert less.headers["etag"] != made.headers["etag"]
    now = one(desk.database(), "Sok Dara")
    assert (now.company, now.debt_minor, now.manager_id, now.version > row.version) == ("", 0, None, True)
    assert known(desk.database(), "shop") == {"Sok Dara": ["+85512999111"]}

    for _ in range(2):
        gone = await shop.delete(f"{ADDRESS}/A-1/x")
        assert (gone.status_code, gone.content) == (204, b"")
    assert known(desk.database(), "shop") == {}


async def test_the_token_says_whose_customer_it_is(desk: RunningDesk, shop: httpx.AsyncClient) -> None:
    body = {"name": "Sok Dara"}
    assert (await shop.put(f"{ADDRESS}/1", json=body)).status_code == 201
    of_crm = {"Authorization": f"Bearer {CRM}"}
    assert (await shop.put(f"{ADDRESS}/1", json=body, headers=of_crm)).json()["source"] == "crm"
    assert (await shop.delete(f"{ADDRESS}/1", headers=of_crm)).status_code == 204
    assert list(known(desk.database(), "shop")) == ["Sok Dara"]
    for wrong in ("", "Bearer ", "Bearer nothing", f"Basic {SHOP}"):
        refused = await shop.put(f"{ADDRESS}/2", json=body, headers={"Authorization": wrong})
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert refused.headers["content-type"] == "application/problem+json"
    assert (await shop.delete(f"{ADDRESS}/1", headers={"Authorization": ""})).status_code == 401


async def test_a_session_is_no_token_and_a_token_no_session(
    desk: RunningDesk, shop: httpx.AsyncClient, dara: Visitor
) -> None:
    assert (await dara.put(f"{ADDRESS}/1", json={"name": "x"})).status_code == 401
    assert (await shop.get("/api/v1/customers")).status_code == 401
    assert (await shop.post("/sign-in", data={"login": "dara", "password": PASSWORD})).status_code == 403


async def test_every_fault_of_a_body_is_named_and_nothing_is_changed(
    desk: RunningDesk, shop: httpx.AsyncClient
) -> None:
    body = {
        "name": "Sok Dara",
        "nickname": "Dara",
        "company": 7,
        "debt": "lots",
        "currency": "$",
        "manager": "nobody",
        "numbers": [{"number": "012999111"}, {"number": "ask her"}],
    }
    refused = await shop.put(f"{ADDRESS}/1", json=body)
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    told = refused.json()
    assert {each["field"] for each in told["errors"]} == {
        *("company", "nickname", "numbers.1", "debt", "currency", "manager"),
    }
    assert "'ask her' cannot be read; write the whole number" in told["detail"]
    for body in ({}, [], {"name": ""}, {"name": "x", "numbers": ["012999111"]}, {"name": "x", "numbers": None}):  # type: ignore[assignment]
        assert (await shop.put(f"{ADDRESS}/1", json=body)).status_code == 422
    assert (await shop.put(f"{ADDRESS}/1", content=b"{")).status_code == 422
    assert (await shop.put(f"{ADDRESS}/{'x' * 201}", json={"name": "x"})).status_code == 422
    assert known(desk.database(), "shop") == {}


async def test_the_same_customer_told_many_times_at_once_is_one(desk: RunningDesk, shop: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(shop.put(f"{ADDRESS}/1", json=DARA) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    with reading(desk.database()) as session:
        assert session.scalar(select(func.count()).where(Customer.source == "shop")) == 1


async def test_the_address_is_described_with_the_others(dara: Visitor) -> None:
    described = (await dara.get("/api/v1/openapi.json")).json()
    put = described["paths"][f"{ADDRESS}/{{external_id}}"]["put"]
    assert put["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/PushedCustomer"
    }
    assert put["security"] == [{"source": []}]
    assert {"200", "201", "401", "422"} <= set(put["responses"])


async def test_administrators_see_how_sources_are_doing(
    desk: RunningDesk, shop: httpx.AsyncClient, dara: Visitor
) -> None:
    await shop.put(f"{ADDRESS}/1", json=DARA)
    for address in ("/sources", "/api/v1/sources"):
        assert (await dara.get(address)).status_code == 403
    async with Visitor(desk.app) as boss:
        with writing(desk.database()) as session:
            boss_id = add_user(session, "boss", "Boss", PASSWORD, role="administrator").id
        desk.app.state.services.people.forget()
        await boss.has_session(desk, boss_id)
        page = await boss.get("/sources")
        assert page.status_code == 200
        assert "shop" in page.text
        assert "1 customer" in page.text
        told = (await boss.get("/api/v1/sources")).json()
        assert [(one["name"], one["order"], one["customers"]) for one in told] == [("shop", 1, 1), ("crm", 2, 0)]
        assert told[0]["last"]["added"] == 1
        card = await boss.get(f"/customers/{one(desk.database(), 'Sok Dara').id}")
        assert "<dt>Kept in</dt><dd>shop</dd>" in card.text
