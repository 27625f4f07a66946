"""lookup/redis_notices.py against real servers: nothing missing, nothing doubled, whatever happens to Redis."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from lookup.breaker import StoreGone
from lookup.notices import LiveCall, Notice, RungPhone
from lookup.redis_notices import STREAM, RedisNotices
from ringcard.redis_server import OwnServer
from tests.fixtures.redis import command, frozen, kill

RINGING = LiveCall(
    call_id="a",
    node="pbx",
    linkedid="1.1",
    version=1000,
    started_ms=1000,
    direction="inbound",
    answer="found",
    caller_number="+85512345678",
    caller_name="",
    shown_name="សុខ តារា",
    called_number="+85523900001",
    trunk="lab",
    customer_ids=(7,),
    customer_id=7,
    phones=(RungPhone("101", "ringing", 1000, "the assigned manager"),),
)
ENDED = replace(RINGING, version=3000, ended_ms=3000, outcome="answered")


def notice(call: LiveCall, kind: str = "ringing") -> Notice:
    return Notice(kind, call.version, call)  # type: ignore[arg-type]


@pytest.fixture(params=["redis", "valkey", "cluster", "sentinel"])
async def stream(request: pytest.FixtureRequest) -> AsyncIterator[RedisNotices]:
    opened = RedisNotices(request.getfixturevalue(f"{request.param}_url"))
    yield opened
    await opened.close()


async def live(stream: RedisNotices, **versions: int) -> list[LiveCall]:
    """The live calls, once they are these in these versions; publishing does not wait, so a test has to."""
    seen: object = None
    try:
        async with asyncio.timeout(30):
            while True:
                try:
                    _, calls = await stream.snapshot()
                    seen = {call.call_id: call.version for call in calls}
                except StoreGone as gone:
                    calls, seen = [], gone
                if seen == versions:
                    return list(calls)
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"{seen} instead of {versions}") from None


async def followed(stream: RedisNotices, after: str, number: int) -> list[Notice]:
    seen = []
    async with asyncio.timeout(30):
        async for _, each in stream.follow(after):
            seen.append(each)
            if len(seen) == number:
                return seen
    raise AssertionError("the stream ended")


async def test_what_is_published_is_followed_and_stands_in_the_snapshot(stream: RedisNotices) -> None:
    after, calls = await stream.snapshot()
    assert list(calls) == []
    following = asyncio.create_task(followed(stream, after, 1))
    stream.publish(notice(RINGING))
    assert await following == [notice(RINGING)]
    assert await live(stream, a=1000) == [RINGING]


async def test_a_snapshot_and_what_follows_it_leave_no_gap(stream: RedisNotices) -> None:
    for number in range(200):
        stream.publish(notice(replace(RINGING, call_id=str(number), version=1000 + number)))
        if number % 50 == 0:
            await asyncio.sleep(0)
        if number == 100:
            after, calls = await stream.snapshot()
    known = {call.call_id for call in calls}
    rest = await followed(stream, after, 200 - len(known))
    assert known | {each.call.call_id for each in rest if each.call} == {str(number) for number in range(200)}
    assert not known & {each.call.call_id for each in rest if each.call}


async def test_an_older_state_never_comes_after_a_newer_one(stream: RedisNotices) -> None:
    newer = replace(RINGING, version=2000)
    stream.publish(notice(newer))
    await live(stream, a=2000)
    stream.publish(notice(ENDED))
    await live(stream, a=3000)
    stream.publish(notice(replace(RINGING, version=9000)))  # not ended: an end is never taken back
    stream.publish(notice(replace(RINGING, call_id="b")))
    await live(stream, a=3000, b=1000)
    seen = await followed(stream, "0-0", 3)
    assert [each.call.version for each in seen if each.call] == [2000, 3000, 1000]


async def test_a_call_that_ended_is_forgotten_after_a_minute(stream: RedisNotices) -> None:
    stream.publish(notice(ENDED, "ended"))
    assert await live(stream, a=3000) == [ENDED]
    stream.publish(notice(replace(RINGING, call_id="b", version=ENDED.ended_ms + 60_001)))
    await live(stream, b=ENDED.ended_ms + 60_001)


async def test_redis_that_came_back_empty_has_all_live_calls_again(breakable_redis: OwnServer) -> None:
    followed = [notice(RINGING)]
    stream = RedisNotices(breakable_redis.url, living=lambda: followed)
    try:
        stream.publish(notice(RINGING))
        stream.publish(notice(replace(RINGING, call_id="followed by another meanwhile")))
        stream.publish(notice(replace(ENDED, call_id="over")))
        await live(stream, a=1000, over=3000, **{"followed by another meanwhile": 1000})
        kill(breakable_redis.pid)
        stream.publish(notice(replace(RINGING, call_id="b")))
        while breakable_redis.pid:
            await asyncio.sleep(0.01)
        breakable_redis.start()
        await live(stream, a=1000, b=1000)
    finally:
        await stream.close()


async def test_publishing_never_waits_and_keeps_the_last_state_of_each_call(breakable_redis: OwnServer) -> None:
    stream = RedisNotices(breakable_redis.url)
    try:
        with frozen(breakable_redis.pid):
            loop = asyncio.get_running_loop()
            before = loop.time()
            for version in range(1000, 1100):
                stream.publish(notice(replace(RINGING, version=version)))
            assert loop.time() - before < 1
            await asyncio.sleep(0.1)
        await live(stream, a=1099)
    finally:
        await stream.close()


async def test_who_follows_learns_that_redis_is_gone(breakable_redis: OwnServer) -> None:
    stream = RedisNotices(breakable_redis.url)
    try:
        following = asyncio.create_task(followed(stream, "0-0", 1))
        await stream.snapshot()
        kill(breakable_redis.pid)
        with pytest.raises(StoreGone):
            await following
        with pytest.raises(StoreGone):
            await stream.snapshot()
    finally:
        await stream.close()


async def test_who_follows_learns_that_the_stream_was_lost(
    redis_server: OwnServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lookup.redis_notices.BLOCK_MS", 50)
    stream = RedisNotices(redis_url)
    try:
        stream.publish(notice(RINGING))
        await live(stream, a=1000)
        last, _ = await stream.snapshot()
        following = asyncio.create_task(followed(stream, last, 1))
        command(redis_server, "FLUSHALL")
        with pytest.raises(StoreGone, match="without its notices"):
            await following
    finally:
        await stream.close()


async def test_who_follows_too_slowly_learns_that_notices_were_missed(
    redis_server: OwnServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lookup.redis_notices.AT_ONCE", 10)
    stream = RedisNotices(redis_url)
    try:
        names = [f"call{number}" for number in range(40)]
        for name in names:
            stream.publish(notice(replace(RINGING, call_id=name)))
        await live(stream, **dict.fromkeys(names, RINGING.version))
        seen = []

        async def follow() -> None:
            async for _, each in stream.follow("0-0"):
                seen.append(each)
                if len(seen) == 10:
                    command(redis_server, f"XTRIM {STREAM} MAXLEN 15")

        with pytest.raises(StoreGone, match="faster than we read"):
            await follow()
        assert len(seen) == 10
    finally:
        await stream.close()


async def test_who_follows_from_before_the_beginning_gets_all_there_is(redis_server: OwnServer, redis_url: str) -> None:
    stream = RedisNotices(redis_url)
    try:
        stream.publish(notice(RINGING))
        await live(stream, a=1000)
        command(redis_server, f"XTRIM {STREAM} MAXLEN 0")
        stream.publish(notice(ENDED))
        assert await followed(stream, "0-0", 1) == [notice(ENDED)]
    finally:
        await stream.close()


async def test_a_redis_that_restarts_between_two_commands_is_noticed(breakable_redis: OwnServer) -> None:
    stream = RedisNotices(breakable_redis.url, living=lambda: [notice(RINGING)])
    try:
        stream.publish(notice(RINGING))
        await live(stream, a=1000)
        breakable_redis.stop()
        breakable_redis.start()
        await live(stream, a=1000)
    finally:
        await stream.close()
