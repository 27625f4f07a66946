"""The hub: many browsers, one follower, nothing missed and nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from desk import live
from desk.live import Event, Hub, Subscription, position
from lookup.breaker import StoreGone
from lookup.notices import LiveCall, Notice

NOW = 1_700_000_000_000


def test_what_is_no_id_of_the_stream_is_none_however_long_it_is() -> None:
    assert position(f"{NOW}-3") == (NOW, 3)
    for text in ("", "1", "1-", "-1", "a-b", "9" * 5000 + "-0", "0-" + "9" * 5000):
        assert position(text) is None, text[:10]


class Stream:
    """A stream of notices in memory, with the promises of the real one. It can go away and come back."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, Notice]] = []
        self.calls: dict[str, LiveCall] = {}
        self.away = False
        self.asked = 0  # snapshots
        self.changed = asyncio.Condition()

    async def publish(self, call: LiveCall, at_ms: int = NOW) -> str:
        id = f"{at_ms}-{len(self.entries)}"
        self.entries.append((id, Notice("ringing", at_ms, call)))
        self.calls[call.call_id] = call
        async with self.changed:
            self.changed.notify_all()
        return id

    async def go(self, away: bool) -> None:
        self.away = away
        async with self.changed:
            self.changed.notify_all()

    async def snapshot(self) -> tuple[str, list[LiveCall]]:
        self.asked += 1
        if self.away:
            raise StoreGone("away")
        return (self.entries[-1][0] if self.entries else "0-0"), list(self.calls.values())

    async def follow(self, after_id: str) -> AsyncIterator[tuple[str, Notice]]:
        done = 0
        while True:
            if self.away:
                raise StoreGone("away")
            while done < len(self.entries):
                id, notice = self.entries[done]
                done += 1
                if (position(id) or (0, 0)) > (position(after_id) or (0, 0)):
                    yield id, notice
            async with self.changed:
                if done == len(self.entries) and not self.away:
                    await self.changed.wait()


def a_call(call_id: str, version: int = 1, ended_ms: int = 0) -> LiveCall:
    return LiveCall(
        call_id=call_id,
        node="pbx",
        linkedid=call_id,
        version=version,
        started_ms=NOW,
        direction="inbound",
        answer="unknown",
        caller_number="+85512345678",
        caller_name="",
        shown_name="",
        called_number="",
        trunk="",
        ended_ms=ended_ms,
    )


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture
async def hub(stream: Stream) -> AsyncIterator[Hub]:
    hub = Hub(stream, stream)
    hub.start()
    await until_up(hub)
    yield hub
    await hub.stop()


async def until_up(hub: Hub) -> None:
    async with asyncio.timeout(5):
        while not hub.up:
            await asyncio.sleep(0.001)


async def take(subscription: Subscription, count: int) -> list[Event]:
    events: list[Event] = []
    for _ in range(count):
        event = await subscription.next(5)
        assert event, f"only {len(events)} of {count} events came"
        events.append(event)
    return events


async def nothing_more(subscription: Subscription) -> bool:
    return await subscription.next(0.02) is None


async def test_a_browser_gets_what_came_after_the_id_it_saw_and_nothing_else(stream: Stream, hub: Hub) -> None:
    ids = [await stream.publish(a_call(f"c{number}")) for number in range(50)]
    with hub.subscribe("") as fresh:
        await take(fresh, 1)
        while hub.last_id != ids[-1]:
            await fresh.next(1)
    with hub.subscribe(ids[9]) as back:
        assert [event.id for event in await take(back, 40)] == ids[10:]
        ids.append(await stream.publish(a_call("new")))
        assert [event.id for event in await take(back, 1)] == ids[-1:]
        assert await nothing_more(back)


async def test_every_browser_gets_every_notice_once(stream: Stream, hub: Hub) -> None:
    with hub.subscribe(hub.last_id) as one, hub.subscribe(hub.last_id) as other:
        ids = [await stream.publish(a_call(f"c{number}")) for number in range(200)]
        assert [event.id for event in await take(one, 200)] == ids
        assert [event.id for event in await take(other, 200)] == ids
    assert hub.browsers == 0


@pytest.mark.parametrize("after", ["", "nonsense", f"{NOW + 999_999}-0"])
async def test_an_id_that_is_not_known_leads_to_a_snapshot(stream: Stream, hub: Hub, after: str) -> None:
    await stream.publish(a_call("c1"))
    last = await stream.publish(a_call("c2"))
    with hub.subscribe(hub.last_id) as follower:
        while hub.last_id != last:
            await follower.next(1)
    with hub.subscribe(after) as subscription:
        [event] = await take(subscription, 1)
        assert (event.kind, event.id, [call.call_id for call in event.calls]) == ("snapshot", last, ["c1", "c2"])
        assert await nothing_more(subscription)


async def test_an_id_before_what_is_remembered_leads_to_a_snapshot(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "REMEMBERED", 10)
    ids = [await stream.publish(a_call("c1", version=number)) for number in range(15)]
    hub = Hub(stream, stream)
    hub.start()
    await until_up(hub)
    with hub.subscribe(ids[5]) as known, hub.subscribe(ids[4]) as trimmed:
        assert [event.id for event in await take(known, 9)] == ids[6:]
        assert [event.kind for event in await take(trimmed, 1)] == ["snapshot"]
    await hub.stop()


async def test_a_desk_that_starts_again_knows_the_last_minutes(stream: Stream, hub: Hub) -> None:
    ids = [await stream.publish(a_call(f"c{number}")) for number in range(30)]
    await hub.stop()
    ids.append(await stream.publish(a_call("while it was away")))
    again = Hub(stream, stream)
    again.start()
    await until_up(again)
    with again.subscribe(ids[4]) as subscription:
        assert [event.id for event in await take(subscription, 26)] == ids[5:]
        assert await nothing_more(subscription)
    await again.stop()


async def test_old_notices_do_not_bring_an_ended_call_back(stream: Stream, hub: Hub) -> None:
    await hub.stop()
    await stream.publish(a_call("long over"))
    del stream.calls["long over"]
    again = Hub(stream, stream)
    again.start()
    await until_up(again)
    assert again.calls()[1] == ()
    await again.stop()


async def test_an_end_is_not_taken_back_and_is_forgotten_after_a_minute(stream: Stream, hub: Hub) -> None:
    with hub.subscribe(hub.last_id) as subscription:
        await stream.publish(a_call("c1", version=3, ended_ms=NOW))
        await stream.publish(a_call("c1", version=9))
        await take(subscription, 2)
        held = hub.call("c1")
        assert held
        assert held.ended_ms == NOW
        await stream.publish(replace(a_call("c2")), NOW + 61_000)
        await take(subscription, 1)
    assert hub.call("c1") is None


async def test_when_the_stream_goes_browsers_are_told_once_and_get_a_snapshot_when_it_is_back(
    stream: Stream, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "RETRY_S", (0.001,))
    with hub.subscribe(hub.last_id) as subscription:
        await stream.go(away=True)
        [told] = await take(subscription, 1)
        assert told.kind == "status"
        assert (hub.up, hub.gone) == (False, "away")
        with hub.subscribe("") as late:
            assert [event.kind for event in await take(late, 1)] == ["status"]
        asked = stream.asked
        while stream.asked < asked + 3:  # it is looked for in vain, and nobody is told again
            await asyncio.sleep(0)
        stream.calls["c1"] = a_call("c1")
        await stream.go(away=False)
        [event] = await take(subscription, 1)
        assert (event.kind, [call.call_id for call in event.calls]) == ("snapshot", ["c1"])


async def test_a_browser_that_does_not_read_is_let_go_and_misses_nothing(
    stream: Stream, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "QUEUE", 10)
    with hub.subscribe(hub.last_id) as slow, hub.subscribe(hub.last_id) as quick:
        ids = []
        for number in range(20):
            ids.append(await stream.publish(a_call(f"c{number}")))
            await take(quick, 1)
        seen = [event.id for event in await take(slow, 10)]
        assert await slow.next(1) is None
        assert slow.ended
    with hub.subscribe(seen[-1]) as back:
        assert seen + [event.id for event in await take(back, 10)] == ids


async def test_stopping_ends_every_subscription(hub: Hub) -> None:
    with hub.subscribe(hub.last_id) as subscription:
        await hub.stop()
        assert await subscription.next(5) is None
        assert subscription.ended


async def test_it_stops_also_when_the_stream_loses_a_cancellation(stream: Stream) -> None:
    class Deaf(Stream):
        lost = 0

        async def follow(self, after_id: str) -> AsyncIterator[tuple[str, Notice]]:
            try:
                async for entry in super().follow(after_id):
                    yield entry
            except asyncio.CancelledError:
                if self.lost:
                    raise
                self.lost += 1
                raise StoreGone("timed out") from None

    deaf = Deaf()
    hub = Hub(deaf, deaf)
    hub.start()
    await until_up(hub)
    async with asyncio.timeout(5):
        await hub.stop()
    assert deaf.lost == 1
