"""Fields that another database fills: the card is shown at once, and the value comes when it is there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.card_fields import Field, Query
from config.settings import Settings
from records.customers import change_customer
from records.database import writing
from tests.contract.test_desk_events import Event, reading, the_next
from tests.fixtures.desk import RITHY, People, RunningDesk, answered, live_call, opened, served
from tests.fixtures.erp import WHEN_OPEN, closed

FIELDS = {
    "balance": Field("Balance", "money", "erp.balance", default="unknown"),
    "rating": Field("Rating", "number", "erp.rating", roles=("supervisor", "administrator")),
}


@contextlib.asynccontextmanager
async def at_work(
    company: tuple[Settings, People], redis_url: str, erp: Query
) -> AsyncIterator[tuple[RunningDesk, str]]:
    settings, people = company
    settings = replace(settings, fields=FIELDS, queries={"erp": erp})
    async with opened(settings, people, redis_url) as desk:
        with writing(desk.database()) as session:
            change_customer(session, people.rithy, {"external_id": "A-17"})
        async with served(desk) as address:
            yield desk, address


@pytest.fixture
async def running(
    company: tuple[Settings, People], redis_url: str, erp_url: str
) -> AsyncIterator[tuple[RunningDesk, str]]:
    async with at_work(company, redis_url, Query(url=erp_url, sql=WHEN_OPEN, limit_ms=60_000)) as running:
        yield running


def fields_of(event: Event) -> dict[str, tuple[str, str]]:
    """State and text of the fields on the card of an event that are not built in."""
    items: list[dict[str, Any]] = event.data["call"]["customers"][0]["fields"]
    return {item["name"]: (item["state"], item["text"]) for item in items if item["kind"] != "built-in"}


async def test_the_card_is_there_at_once_and_its_late_field_when_it_is_known(
    running: tuple[RunningDesk, str], erp_url: str
) -> None:
    desk, address = running
    call = live_call(RITHY, "101", customers=(desk.people.rithy,))
    async with reading(address, "dara") as dara, dara.events(await dara.now()) as events:
        async with closed(erp_url):
            await desk.publish(call)
            [first] = await the_next(events)
            assert (first.kind, fields_of(first)) == ("ringing", {"balance": ("waiting", "")})
            await desk.publish(answered(call, "101"))
            [second] = await the_next(events)
            assert (second.kind, fields_of(second)) == ("answered", {"balance": ("waiting", "")})
        [late] = await the_next(events)
        assert (late.kind, late.data["version"]) == ("card_changed", 2)
        assert fields_of(late) == {"balance": ("ready", "1,250.50")}
    assert desk.app.state.services.queries.counters["erp"].asked == 1


async def test_many_who_see_the_card_are_one_question_and_each_sees_what_the_role_may(
    running: tuple[RunningDesk, str], erp_url: str
) -> None:
    desk, address = running
    call = live_call(RITHY, "101", "102", "104", customers=(desk.people.rithy,))
    async with contextlib.AsyncExitStack() as stack:
        readers = {}
        for login in ("dara", "mony", "sophea"):
            reader = await stack.enter_async_context(reading(address, login))
            readers[login] = await stack.enter_async_context(reader.events(await reader.now()))
        async with closed(erp_url):
            await desk.publish(call)
            for events in readers.values():
                await the_next(events)
        late = {login: (await the_next(events))[0] for login, events in readers.items()}
    assert fields_of(late["dara"]) == fields_of(late["mony"]) == {"balance": ("ready", "1,250.50")}
    assert fields_of(late["sophea"]) == {"balance": ("ready", "1,250.50"), "rating": ("ready", "7")}
    assert "Rating" not in str(late["dara"].data)
    assert desk.app.state.services.queries.counters["erp"].asked == 1


async def test_who_connects_after_the_answer_is_told_what_it_was(
    running: tuple[RunningDesk, str],
) -> None:
    """A page may have been made before the answer came, and its connection after."""
    desk, address = running
    await desk.publish(live_call(RITHY, "101", customers=(desk.people.rithy,)))
    async with reading(address, "dara") as dara:
        now = await dara.now()
        async with asyncio.timeout(30):
            while desk.app.state.services.queries.counters["erp"].answered == 0:
                await asyncio.sleep(0.005)
        async with dara.events(now) as events:
            [told] = await the_next(events)
    assert (told.kind, told.id, fields_of(told)) == ("card_changed", "", {"balance": ("ready", "1,250.50")})


async def test_without_the_other_database_the_default_is_shown(
    company: tuple[Settings, People], redis_url: str, tmp_path: Path
) -> None:
    gone = Query(url=f"sqlite:///{tmp_path}/gone.db", sql="SELECT 1 AS balance WHERE :external_id <> ''")
    async with contextlib.AsyncExitStack() as stack:
        desk, address = await stack.enter_async_context(at_work(company, redis_url, gone))
        dara = await stack.enter_async_context(reading(address, "dara"))
        async with dara.events(await dara.now()) as events:
            await desk.publish(live_call(RITHY, "101", customers=(desk.people.rithy,)))
            first, late = await the_next(events, 2)
            assert fields_of(first) == {"balance": ("waiting", "")}
            assert fields_of(late) == {"balance": ("failed", "unknown")}
            customer = f"/customers/{desk.people.rithy}"
            assert "unknown" in (await dara.client.get(f"/pieces{customer}/fields")).text
            health = (await dara.client.get("/health")).json()
            assert (health["status"], health["parts"]["query erp"]) == ("degraded", "away")
            metrics = (await dara.client.get("/metrics")).text
            assert 'ringcard_queries_total{kind="failed",process="desk",query="erp"} 1.0\n' in metrics


async def test_the_customers_page_does_not_wait_and_the_api_does(
    running: tuple[RunningDesk, str], erp_url: str
) -> None:
    desk, address = running
    customer = f"/customers/{desk.people.rithy}"
    async with reading(address, "dara") as dara, reading(address, "sophea") as sophea:
        async with closed(erp_url):
            page = (await dara.client.get(customer)).text
            assert f'data-late="/pieces{customer}/fields"' in page
            assert 'class="pending"' in page
            looked = (await dara.client.get("/api/v1/lookup", params={"number": RITHY})).json()
            assert looked["candidates"][0]["fields"][-1]["state"] == "waiting"
            asked = asyncio.create_task(dara.client.get(f"/api/v1{customer}/fields"))
            await asyncio.sleep(0)
        [balance] = (await asked).json()["fields"]
        assert (balance["state"], balance["value"]) == ("ready", {"minor": 125050, "currency": "USD"})
        piece = (await dara.client.get(f"/pieces{customer}/fields")).text
        assert "1,250.50" in piece
        assert "data-late" not in piece
        assert "Rating" not in piece
        assert "Rating" in (await sophea.client.get(f"/pieces{customer}/fields")).text
