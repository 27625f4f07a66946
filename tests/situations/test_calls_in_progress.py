"""Calls that ring or talk while Ringcard dies go on undisturbed, and are followed to their end when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from config.measures import Histogram
from lookup.notices import LiveCall
from ringcard.lab import Lab
from ringcard.phones import Outcome, Phone, call
from ringcard.redis_server import OwnServer
from ringcard.saying import heard
from tests.company import DIRECT, QUEUE, Company, now
from tests.fixtures.company import SETTINGS, hire_staff, logged, no_call_is_live
from tests.fixtures.lab import leftovers
from tests.fixtures.postgres import TEMPLATE, PostgresServer
from tests.fixtures.redis import frozen
from tests.ports import port

PORT = port(18720)
GUARD_S = 5.0


class Calling:
    """A customer of Lina's who calls, and Lina's phone. Ringcard's processes can be killed meanwhile."""

    def __init__(self, company: Company, phone: Phone, call: asyncio.Task[Outcome]) -> None:
        self.company = company
        self.phone = phone
        self.call = call

    async def shows(self, state: str) -> LiveCall:
        """The call is live, and Lina's phone in this state."""
        async with asyncio.timeout(30):
            while [phone.state for live in await self.company.live() for phone in live.phones] != [state]:
                await asyncio.sleep(0.02)
        (live,) = await self.company.live()
        return live

    async def hang_up(self) -> Outcome:
        (live,) = await self.company.live()
        await asyncio.to_thread(self.company.lab.ari, "DELETE", f"channels/{live.uniqueid}")
        return await self.call

    async def kill_and_start_again(self) -> None:
        lives = self.company.log("ari").count("ari connected")
        self.company.kill("ari")
        self.company.start("ari")
        await self.company.said("ari", "ari connected", lives + 1)


@asynccontextmanager
async def calling(company: Company, lina: int, *, ring_s: float = 0.2, talk_s: float = 60.0) -> AsyncIterator[Calling]:
    async with Phone(company.lab, "101", ring_s=ring_s) as phone:
        number = company.customer("Sok Dara", lina)
        task = asyncio.create_task(call(company.lab, number, DIRECT, name="sokdara77", talk_s=talk_s))
        try:
            yield Calling(company, phone, task)
        finally:
            await task
    assert await leftovers(company.lab) == []
    await no_call_is_live(company)


@pytest_asyncio.fixture
async def company(breakable_lab: Lab, tmp_path: Path) -> AsyncIterator[tuple[Company, int]]:
    """A company whose manager's phone rings for half a minute, and Lina's id."""
    with OwnServer(tmp_path / "data") as redis:
        more = SETTINGS.replace("\nring_s = 1\n", "\nring_s = 30\n")
        company = Company(breakable_lab, tmp_path, PORT, redis_url=redis.url, more=more)
        try:
            staff = hire_staff(company)
            company.start("ari", "worker")
            await company.listening()
            yield company, staff.lina
            assert company.stop() == {"ari": 0, "worker": 0}
        finally:
            company.close()
        assert company.mistakes() == []


@pytest.fixture
def began() -> datetime:
    return now()


async def test_a_call_that_talks_goes_on_and_is_logged_as_if_nothing_had_been(
    company: tuple[Company, int], began: datetime
) -> None:
    async with calling(*company) as it:
        before = await it.shows("talking")
        await it.kill_and_start_again()
        assert await it.shows("talking") == before
        hanging_up = now()
        await it.hang_up()
        over = now()
    (row,) = await logged(it.company, began)
    assert (row.call_id, row.outcome, row.answered_endpoint) == (before.call_id, "answered", "101")
    assert (row.caller_name, row.shown_name, row.tier) == ("sokdara77", "Sok Dara", "exact")
    assert row.customer is not None
    assert row.answered_at == datetime.fromtimestamp(before.answered_ms / 1000, UTC)
    assert row.ended_at is not None
    assert hanging_up <= row.ended_at <= over
    assert [(leg.endpoint, leg.outcome) for leg in row.legs] == [("101", "answered")]


async def test_a_call_that_rings_goes_on_ringing_and_its_answer_is_shown_and_logged(
    company: tuple[Company, int], began: datetime
) -> None:
    async with calling(*company, ring_s=10.0) as it:
        before = await it.shows("ringing")
        await it.kill_and_start_again()
        assert await it.shows("ringing") == before
        after = await it.shows("talking")
        assert (after.call_id, after.shown_name) == (before.call_id, "Sok Dara")
        assert after.customer_id == before.customer_id
        assert after.phones[0].reason == before.phones[0].reason == "the assigned manager Chan Lina"
        await it.hang_up()
    (row,) = await logged(it.company, began)
    assert (row.outcome, row.answered_endpoint) == ("answered", "101")
    assert row.wait_s == pytest.approx(10.0, abs=1)
    assert row.reason.startswith("Rings the assigned manager Chan Lina")


async def test_a_call_that_was_answered_meanwhile_talks_on_the_screen_and_is_logged_as_answered(
    company: tuple[Company, int], began: datetime
) -> None:
    async with calling(*company, ring_s=1.0) as it:
        await it.shows("ringing")
        it.company.kill("ari")
        await answered(it.phone)
        it.company.start("ari")
        assert (await it.shows("talking")).answered_endpoint == "101"
        await it.hang_up()
    (row,) = await logged(it.company, began)
    assert (row.outcome, row.answered_endpoint) == ("answered", "101")


async def test_a_call_that_ended_meanwhile_is_gone_from_the_screen_and_the_log_says_what_is_known(
    company: tuple[Company, int], began: datetime
) -> None:
    async with calling(*company, talk_s=1.0) as it:
        await it.shows("talking")
        it.company.kill("ari")
        assert (await it.call).talk_s == pytest.approx(1.0, abs=0.5)
        (still,) = await it.company.live()
        assert still.phones[0].state == "talking"
        it.company.start("ari")
        await no_call_is_live(it.company, within_s=10)
        assert (await counts(it.company, "taken_up", "ended_unheard")) == {"taken_up": 1, "ended_unheard": 1}
    (row,) = await logged(it.company, began)
    assert (row.outcome, row.answered_endpoint) == ("answered", "101")
    assert row.reason.endswith("Not all of it was heard.")


async def test_a_call_that_waits_in_a_queue_is_followed_on_and_shown_when_a_phone_rings_for_it(
    company: tuple[Company, int], began: datetime
) -> None:
    it, lina = company
    it.lab.set_global("RING_S", "60")  # it also is how long the queue keeps a caller
    try:
        number = it.customer("Sok Dara", lina)
        calling = asyncio.create_task(call(it.lab, number, QUEUE, talk_s=60.0))
        async with asyncio.timeout(30):
            while [(live.shown_name, live.phones) for live in await it.live()] != [("Sok Dara", ())]:
                await asyncio.sleep(0.02)
        it.kill("ari")
        it.start("ari")
        await it.said("ari", "calls taken up")
        async with Phone(it.lab, "103") as phone:
            queued = Calling(it, phone, calling)
            await queued.shows("talking")
            await queued.hang_up()
    finally:
        it.lab.set_global("RING_S", str(it.lab.ring_s))
    (row,) = await logged(it, began)
    assert (row.outcome, row.answered_endpoint, row.shown_name) == ("answered", "103", "Sok Dara")
    assert await leftovers(it.lab) == []
    await no_call_is_live(it)


async def test_when_redis_is_away_too_calls_are_taken_up_as_soon_as_it_says_which(
    company: tuple[Company, int], began: datetime
) -> None:
    """Frozen, since a Redis that died has forgotten them."""
    async with calling(*company) as it:
        before = await it.shows("talking")
        with frozen(it.company.child("redis")):
            await it.kill_and_start_again()
            await it.company.said("ari", "taken up later")
        await it.company.said("ari", "calls taken up")
        await it.hang_up()
    (row,) = await logged(it.company, began)
    assert "Nobody heard" not in row.reason
    assert (row.call_id, row.outcome, row.answered_endpoint) == (before.call_id, "answered", "101")


async def test_a_call_in_our_hands_when_we_are_told_to_stop_is_handed_back_first(
    breakable_lab: Lab, tmp_path: Path, own_postgres: PostgresServer, began: datetime
) -> None:
    """Its lookup hangs on a frozen database, and the dialplan would wait for us much longer than we do."""
    database_url = own_postgres.new_database(TEMPLATE)
    with OwnServer(tmp_path / "data") as redis:
        more = f"{SETTINGS}[lookup]\nbudget_ms = 600\n"
        company = Company(breakable_lab, tmp_path, PORT, redis_url=redis.url, database_url=database_url, more=more)
        try:
            company.start("ari")
            await company.listening()
            own_postgres.freeze()
            breakable_lab.set_global("RINGCARD_GUARD", f"{2 * GUARD_S}")
            async with Phone(breakable_lab, "102"):
                calling = asyncio.create_task(call(breakable_lab, company.new_number(), DIRECT))
                await company.until(lambda: in_our_hands(breakable_lab), "a call in our hands")
                assert await asyncio.to_thread(company.stop) == {"ari": 0}
                outcome = await calling
            assert outcome.status == 200
            assert outcome.ring_s is not None
            assert outcome.ring_s < GUARD_S
            own_postgres.resume()
            company.start("worker")
            await company.until(lambda: company.logged(began), "the call in the log")
            (row,) = company.logged(began)
            assert row.reason == "The company's own way: the customer could not be looked up in time."
        finally:
            own_postgres.resume()
            breakable_lab.set_global("RINGCARD_GUARD", "")
            company.close()
        assert company.mistakes() == []
    assert await leftovers(breakable_lab) == []


async def test_a_call_that_a_killed_process_had_in_its_hands_is_found_by_the_next_and_counted(
    breakable_lab: Lab, tmp_path: Path, own_postgres: PostgresServer
) -> None:
    """The dialplan would wait for us much longer than the next process takes to start."""
    database_url = own_postgres.new_database(TEMPLATE)
    with OwnServer(tmp_path / "data") as redis:
        more = f"{SETTINGS}[lookup]\nbudget_ms = 5000\n"
        company = Company(breakable_lab, tmp_path, PORT, redis_url=redis.url, database_url=database_url, more=more)
        try:
            number = company.customer("Sok Dara")
            company.start("ari")
            await company.listening()
            own_postgres.freeze()
            breakable_lab.set_global("RINGCARD_GUARD", f"{6 * GUARD_S}")
            async with Phone(breakable_lab, "102") as phone:
                calling = asyncio.create_task(call(breakable_lab, number, DIRECT))
                await company.until(lambda: in_our_hands(breakable_lab), "a call in our hands")
                company.kill("ari")
                own_postgres.resume()
                company.start("ari")
                assert (await calling).status == 200
            assert [invite.name for invite in phone.invites] == ["Sok Dara"]
            assert await counts(company, "orphans", "handed_back") == {"orphans": 1, "handed_back": 1}
        finally:
            own_postgres.resume()
            breakable_lab.set_global("RINGCARD_GUARD", "")
            company.close()
        assert company.mistakes() == []
    assert await leftovers(breakable_lab) == []


async def counts(company: Company, *names: str) -> dict[str, float | Histogram]:
    """What the ari process of now has counted."""
    (ari,) = [said for said in await heard(company.settings.data_dir) if said.process == "ari"]
    counted = {sample.name: sample.value for sample in ari.samples}
    return {name: counted[f"ringcard_{name}_total"] for name in names}


def in_our_hands(lab: Lab) -> bool:
    return any(channel["dialplan"]["app_name"] == "Stasis" for channel in lab.ari("GET", "channels")[1])


async def answered(phone: Phone) -> None:
    """The phone has sent its 200."""
    async with asyncio.timeout(30):
        while not any(message.sent and message.status == 200 for message in phone.messages):
            await asyncio.sleep(0.01)
