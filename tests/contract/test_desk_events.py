"""Live calls over a real connection, from a real Redis: each reader their own, nothing missing, nothing twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest

from config.settings import Settings
from desk import events as desk_events
from records.database import writing
from records.users import deactivate, seat
from ringcard.redis_server import OwnServer
from tests.fixtures.desk import (
    KHMER,
    PASSWORD,
    RITHY,
    People,
    RunningDesk,
    answered,
    ended,
    live_call,
    opened,
    served,
)
from tests.fixtures.redis import kill


@dataclass(frozen=True)
class Event:
    kind: str
    id: str
    data: dict[str, Any]


class Reader:
    """Somebody who is signed in and reads events as they come; heartbeats are passed over."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    @contextlib.asynccontextmanager
    async def events(self, after: str = "", heartbeats: bool = False) -> AsyncIterator[AsyncIterator[Event]]:
        async with self.client.stream("GET", "/api/v1/events", params={"after": after}, timeout=10) as response:
            assert response.status_code == 200
            assert response.headers["content-type"].startswith("text/event-stream")
            yield self._read(response, heartbeats)

    async def _read(self, response: httpx.Response, heartbeats: bool) -> AsyncIterator[Event]:
        fields: dict[str, str] = {}
        async for line in response.aiter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            else:
                if heartbeats or fields["event"] != "heartbeat":
                    yield Event(fields["event"], fields.get("id", ""), orjson.loads(fields["data"]))
                fields = {}

    async def now(self) -> str:
        """The id of this moment."""
        after: str = (await self.client.get("/api/v1/live")).json()["after"]
        return after


@contextlib.asynccontextmanager
async def reading(address: str, login: str) -> AsyncIterator[Reader]:
    async with httpx.AsyncClient(base_url=address, headers={"Origin": address}) as client:
        assert (await client.post("/sign-in", data={"login": login, "password": PASSWORD})).status_code == 303
        yield Reader(client)


@pytest.fixture
async def running(company: tuple[Settings, People], redis_url: str) -> AsyncIterator[tuple[RunningDesk, str]]:
    settings, people = company
    async with opened(settings, people, redis_url) as desk, served(desk) as address:
        yield desk, address


async def the_next(events: AsyncIterator[Event], count: int = 1) -> list[Event]:
    async with asyncio.timeout(30):
        return [await anext(events) for _ in range(count)]


async def test_a_call_is_followed_from_ring_to_end(running: tuple[RunningDesk, str]) -> None:
    desk, address = running
    call = live_call(RITHY, "101", customers=(desk.people.rithy,))
    async with reading(address, "dara") as dara, dara.events(await dara.now()) as events:
        taken = answered(call, "101")
        await desk.publish(call, taken, ended(taken))
        seen = await the_next(events, 3)
    assert [event.kind for event in seen] == ["ringing", "answered", "ended"]
    assert [event.data["call"]["state"] for event in seen] == ["ringing", "talking", "ended"]
    assert [event.data["version"] for event in seen] == [1, 2, 3]
    first = seen[0].data
    assert (first["call_id"], first["team"]) == (call.call_id, None)
    assert first["at"].endswith("Z")
    assert first["call"]["customers"][0]["debt"] == {"minor": 124550, "currency": "USD", "text": "1,245.50"}
    assert "html" not in first


async def test_each_reader_gets_the_calls_of_their_own_phone_only(running: tuple[RunningDesk, str]) -> None:
    desk, address = running
    async with reading(address, "dara") as dara, reading(address, "mony") as mony:
        now = await dara.now()
        async with dara.events(now) as to_dara, mony.events(now) as to_mony:
            for_dara = [live_call(RITHY, "101", customers=(desk.people.rithy,)) for _ in range(10)]
            for_mony = [live_call(KHMER, "102", customers=(desk.people.khmer,)) for _ in range(10)]
            for pair in zip(for_dara, for_mony, strict=True):
                await desk.publish(*pair)
            last = live_call("", "101", "102")
            await desk.publish(last)
            seen = [event.data["call_id"] for event in await the_next(to_dara, 11)]
            assert seen == [call.call_id for call in (*for_dara, last)]
            seen = [event.data["call_id"] for event in await the_next(to_mony, 11)]
            assert seen == [call.call_id for call in (*for_mony, last)]


async def test_who_sits_at_a_phone_since_a_moment_is_told_of_the_next_call_there(
    running: tuple[RunningDesk, str],
) -> None:
    """Readers whom a call does not concern are not woken for it, and who that is may have changed just now."""
    desk, address = running
    async with reading(address, "dara") as dara, dara.events(await dara.now()) as events:
        others = live_call(KHMER, "102", customers=(desk.people.khmer,))
        await desk.publish(others)
        with writing(desk.database()) as session:
            seat(session, desk.people.dara, "pbx", "188")
        desk.app.state.services.people.forget()
        call = live_call(RITHY, "188", customers=(desk.people.rithy,))
        await desk.publish(call)
        (event,) = await the_next(events)
        assert event.data["call_id"] == call.call_id


async def test_the_other_agent_is_told_who_answered(running: tuple[RunningDesk, str]) -> None:
    desk, address = running
    async with reading(address, "dara") as dara, dara.events(await dara.now()) as events:
        call = live_call(RITHY, "101", "102", customers=(desk.people.rithy,))
        await desk.publish(call, answered(call, "102"))
        seen = [event.data["call"] for event in await the_next(events, 2)]
    assert [(call["state"], call["with_whom"]) for call in seen] == [("ringing", ""), ("elsewhere", "Mony Keo")]


async def test_coming_back_with_the_last_id_misses_nothing_and_repeats_nothing(
    running: tuple[RunningDesk, str],
) -> None:
    desk, address = running
    calls = [live_call(RITHY, "101", customers=(desk.people.rithy,)) for _ in range(200)]
    seen: list[str] = []
    async with reading(address, "dara") as dara:
        last = await dara.now()
        publishing = asyncio.create_task(desk.publish(*calls))
        while len(seen) < len(calls):
            async with dara.events(last) as events:
                for event in await the_next(events, min(30, len(calls) - len(seen))):
                    seen.append(event.data["call_id"])
                    last = event.id
        await publishing
    assert seen == [call.call_id for call in calls]


async def test_the_desk_may_start_again_meanwhile(company: tuple[Settings, People], redis_url: str) -> None:
    settings, people = company
    calls = [live_call(RITHY, "101", customers=(people.rithy,)) for _ in range(20)]
    async with opened(settings, people, redis_url) as desk, served(desk) as address, reading(address, "dara") as dara:
        before = await dara.now()
        cookies = dict(dara.client.cookies)
        async with dara.events(before) as events:
            await desk.publish(*calls[:10])
            seen = await the_next(events, 10)
    async with opened(settings, people, redis_url) as desk, served(desk) as address:
        await desk.publish(*calls[10:])
        client = httpx.AsyncClient(base_url=address, cookies=cookies)
        async with client, Reader(client).events(seen[-1].id) as events:
            seen += await the_next(events, 10)
    assert [event.data["call_id"] for event in seen] == [call.call_id for call in calls]


async def test_an_unknown_id_gets_all_live_calls_first(running: tuple[RunningDesk, str]) -> None:
    desk, address = running
    mine, others = live_call(RITHY, "101"), live_call(RITHY, "102")
    over = live_call(RITHY, "101")
    await desk.publish(mine, others, over, ended(over))
    async with reading(address, "dara") as dara, dara.events("nonsense") as events:
        [snapshot] = await the_next(events)
    assert (snapshot.kind, snapshot.data["live"]) == ("snapshot", True)
    assert [call["call_id"] for call in snapshot.data["calls"]] == [mine.call_id]


async def test_a_supervisor_gets_the_calls_of_the_team_as_a_strip(running: tuple[RunningDesk, str]) -> None:
    desk, address = running
    call = live_call(RITHY, "101", customers=(desk.people.rithy,))
    async with reading(address, "sophea") as sophea, sophea.events(await sophea.now()) as events:
        await desk.publish(call, answered(call, "101"))
        seen = [event.data for event in await the_next(events, 2)]
    assert [data["call"] for data in seen] == [None, None]
    assert [(data["team"]["state"], data["team"]["who"]) for data in seen] == [
        ("ringing", "Dara Chan"),
        ("talking", "Dara Chan"),
    ]
    assert seen[0]["team"]["caller"] == "Sok Rithy"


async def test_a_changed_card_is_shown_again_while_the_call_lasts(running: tuple[RunningDesk, str]) -> None:
    from lookup.notices import Notice
    from records.customers import change_customer

    desk, address = running
    call = live_call(RITHY, "101", customers=(desk.people.rithy,))
    async with reading(address, "dara") as dara, dara.events(await dara.now()) as events:
        await desk.publish(call)
        await the_next(events)
        with writing(desk.database()) as session:
            change_customer(session, desk.people.rithy, {"debt_minor": 0})
        await desk.parts.finder.forget([RITHY])
        desk.notices.publish(Notice("card_changed", 1, None, desk.people.rithy))
        [event] = await the_next(events)
    assert (event.kind, event.data["call_id"], event.data["version"]) == ("card_changed", call.call_id, 1)
    assert event.data["call"]["customers"][0]["debt"]["minor"] == 0


async def test_the_connection_is_kept_warm_and_ends_with_the_session(
    running: tuple[RunningDesk, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_events, "HEARTBEAT_S", 0.05)
    desk, address = running
    async with reading(address, "dara") as dara, dara.events(await dara.now(), heartbeats=True) as events:
        assert [event.kind for event in await the_next(events, 3)] == ["heartbeat"] * 3
        with writing(desk.database()) as session:
            deactivate(session, desk.people.dara)
        desk.app.state.services.people.forget()
        async with asyncio.timeout(30):
            rest = [event.kind async for event in events]
    assert rest[-1] == "signed_out"
    assert set(rest[:-1]) <= {"heartbeat"}


async def test_redis_may_go_and_come_back(company: tuple[Settings, People], breakable_redis: OwnServer) -> None:
    settings, people = company
    async with contextlib.AsyncExitStack() as stack:
        desk = await stack.enter_async_context(opened(settings, people, breakable_redis.url))
        address = await stack.enter_async_context(served(desk))
        dara = await stack.enter_async_context(reading(address, "dara"))
        async with dara.events(await dara.now()) as events:
            call = live_call(RITHY, "101", customers=(people.rithy,))
            await desk.publish(call)
            await the_next(events)
            kill(breakable_redis.pid)
            [told] = await the_next(events)
            assert (told.kind, told.data) == ("status", {"live": False})
            breakable_redis.start()
            [snapshot] = await the_next(events)
            assert (snapshot.kind, snapshot.data["live"]) == ("snapshot", True)
            await desk.publish(answered(call, "101"))
            [event] = await the_next(events)
            if event.kind == "ringing":  # the call that lives is told to the empty Redis again, before or after we look
                [event] = await the_next(events)
            assert (event.kind, event.data["call_id"]) == ("answered", call.call_id)


async def test_stopping_the_server_does_not_wait_for_browsers(company: tuple[Settings, People], redis_url: str) -> None:
    settings, people = company
    async with opened(settings, people, redis_url) as desk, contextlib.AsyncExitStack() as stack:
        address = await stack.enter_async_context(served(desk))
        readers = contextlib.AsyncExitStack()
        async with readers:
            dara = await readers.enter_async_context(reading(address, "dara"))
            events = await readers.enter_async_context(dara.events())
            await the_next(events)
            began = asyncio.get_running_loop().time()
            await stack.aclose()
            # Two seconds is what the server would have waited for the open connection.
            assert asyncio.get_running_loop().time() - began < 1.9
