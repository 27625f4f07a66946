"""The breaker: when a store is asked, when it is left alone, and what the log says of it."""

import asyncio
import logging

import pytest

from lookup.breaker import Breaker, StoreGone


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock, caplog: pytest.LogCaptureFixture) -> Breaker:
    caplog.set_level(logging.INFO)
    return Breaker("redis", "answering from the database", 1.0, clock)


async def works() -> str:
    return "answer"


async def fails() -> str:
    raise StoreGone("connection refused")


async def broken(breaker: Breaker) -> None:
    with pytest.raises(StoreGone):
        await breaker.ask(fails)


async def test_a_failed_store_is_left_alone_and_then_tried_again(breaker: Breaker, clock: Clock) -> None:
    await broken(breaker)
    with pytest.raises(StoreGone, match="redis is gone: connection refused"):
        await breaker.ask(works)
    clock.now += 1.0
    assert await breaker.ask(works) == "answer"
    assert breaker.gone == ""


async def test_a_failed_trial_makes_it_rest_once_more(breaker: Breaker, clock: Clock) -> None:
    await broken(breaker)
    clock.now += 1.0
    await broken(breaker)
    clock.now += 0.5
    with pytest.raises(StoreGone, match="is gone"):
        await breaker.ask(works)


async def test_only_one_request_tries_while_the_others_go_on_without(breaker: Breaker, clock: Clock) -> None:
    await broken(breaker)
    clock.now += 1.0
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def slow() -> str:
        return await answer

    trial = asyncio.create_task(breaker.ask(slow))
    await asyncio.sleep(0)
    with pytest.raises(StoreGone):
        await breaker.ask(works)
    answer.set_result("back")
    assert await trial == "back"
    assert await breaker.ask(works) == "answer"


async def test_a_trial_that_is_cancelled_counts_as_failed_and_lets_the_next_one_try(
    breaker: Breaker, clock: Clock
) -> None:
    await broken(breaker)
    clock.now += 1.0
    trial = asyncio.create_task(breaker.ask(asyncio.Event().wait))
    await asyncio.sleep(0)
    trial.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trial
    with pytest.raises(StoreGone, match="no answer in time"):
        await breaker.ask(works)
    clock.now += 1.0
    assert await breaker.ask(works) == "answer"


async def test_an_outage_is_logged_once_at_its_start_and_once_at_its_end(
    breaker: Breaker, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(20):
        await broken(breaker)
        clock.now += 0.25
    await breaker.ask(works)
    assert [record.message for record in caplog.records] == [
        "redis gone: connection refused; answering from the database",
        "redis is back after 5.0 s; 15 requests went without it",
    ]


async def test_requests_that_fail_together_open_one_outage_and_do_not_reopen_it_after_its_end(
    breaker: Breaker, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    gates: list[asyncio.Future[str]] = [asyncio.get_running_loop().create_future() for _ in range(3)]

    async def ask(gate: asyncio.Future[str]) -> str:
        return await breaker.ask(lambda: gate)

    under_way = [asyncio.create_task(ask(gate)) for gate in gates]
    await asyncio.sleep(0)
    for gate in gates[:2]:
        gate.set_exception(StoreGone("reset"))
    await asyncio.sleep(0)
    clock.now += 1.0
    assert await breaker.ask(works) == "answer"
    gates[2].set_exception(StoreGone("reset"))  # asked before the outage, failed after it
    await asyncio.gather(*under_way, return_exceptions=True)
    assert breaker.gone == ""
    assert len(caplog.records) == 2


async def test_a_store_that_breaks_its_promise_is_taken_as_gone_and_the_log_says_where(
    breaker: Breaker, caplog: pytest.LogCaptureFixture
) -> None:
    async def buggy() -> str:
        raise KeyError("surprise")

    with pytest.raises(StoreGone, match="KeyError: 'surprise'"):
        await breaker.ask(buggy)
    assert caplog.records[0].exc_info
