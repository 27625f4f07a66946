"""Several processes serve the calls of one Asterisk; one of them is killed, frozen or added while calls flow."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

import aiohttp
import pytest_asyncio

from records.tables import CallRow
from ringcard.lab import Lab
from ringcard.phones import Phone, call
from ringcard.redis_server import OwnServer
from ringcard.saying import heard
from tests.company import DIRECT, Company, now
from tests.fixtures.calls_flowing import PORT, flowing, survive
from tests.fixtures.company import SETTINGS, hire_staff
from tests.fixtures.lab import leftovers
from tests.situations.test_calls_and_the_supervisor import alive

LOGGED_S = 40.0
"""Asterisk's own record is read ten seconds after a call, when all that was heard is in the log."""


@pytest_asyncio.fixture
async def two(breakable_lab: Lab, tmp_path: Path) -> AsyncIterator[tuple[Company, int]]:
    """One process has the calls, the other stands by."""
    with OwnServer(tmp_path / "data") as redis:
        company = Company(breakable_lab, tmp_path, PORT, redis_url=redis.url, more=SETTINGS, cel=True)
        try:
            staff = hire_staff(company)
            company.start("ari", "worker")
            await company.listening()
            company.start("ari-2")
            await company.said("ari-2", "the application 'ringcard' is another process's now", 1)
            yield company, staff.lina
            assert set(company.stop().values()) <= {0}
        finally:
            company.close()
        assert company.mistakes() == []


async def test_who_stands_by_takes_over_when_the_other_is_killed(two: tuple[Company, int]) -> None:
    company, lina = two
    began = now()
    made = await survive(company, lina, lambda: company.kill("ari"), mend=None, own_way=False, followed=False)
    await one_row_each(company, began, made)


async def test_who_stands_by_takes_over_when_the_other_is_frozen_who_then_stands_by(two: tuple[Company, int]) -> None:
    company, lina = two
    began = now()
    break_it, mend = (lambda: company.freeze("ari")), (lambda: company.thaw("ari"))
    taken_over = partial(company.said, "ari-2", "ari connected", 1)
    made = await survive(company, lina, break_it, mend, followed=False, meanwhile=taken_over)
    await company.said("ari", "the application 'ringcard' is another process's now", 1)
    await one_row_each(company, began, made)


async def test_who_is_told_to_stop_hands_on_and_calls_are_named_all_the_while(two: tuple[Company, int]) -> None:
    company, lina = two
    began = now()
    made = await survive(company, lina, lambda: company.stop("ari"), mend=None, own_way=False, followed=False)
    await one_row_each(company, began, made)


# --- shared by Asterisk's own means: each call is offered to all, and one claims it

WORKERS = ("ari-a", "ari-b")


@pytest_asyncio.fixture
async def shared(breakable_lab: Lab, tmp_path: Path) -> AsyncIterator[tuple[Company, int]]:
    breakable_lab.set_global("RINGCARD_SHARED", "yes")
    with OwnServer(tmp_path / "data") as redis:
        company = Company(breakable_lab, tmp_path, PORT, redis_url=redis.url, more=SETTINGS, cel=True)
        try:
            staff = hire_staff(company)
            company.start("worker")
            for worker in WORKERS:
                company.start(worker)
                await company.said(worker, "ari connected", 1)
            yield company, staff.lina
            assert set(company.stop().values()) <= {0}
        finally:
            breakable_lab.set_global("RINGCARD_SHARED", "")
            company.close()
        assert company.mistakes() == []


async def test_the_tracker_is_killed_while_calls_flow(shared: tuple[Company, int]) -> None:
    company, lina = shared
    began = now()
    made = await survive(company, lina, lambda: company.kill("ari-a"), mend=None, own_way=False, followed=False)
    await one_row_each(company, began, made)
    assert await counted(company, "ringcard_offers_total", "won")


async def test_the_tracker_is_frozen_while_calls_flow(shared: tuple[Company, int]) -> None:
    company, lina = shared
    began = now()
    break_it, mend = (lambda: company.freeze("ari-a")), (lambda: company.thaw("ari-a"))
    made = await survive(company, lina, break_it, mend, own_way=False, followed=False)
    await one_row_each(company, began, made)


async def test_one_is_added_while_calls_flow_and_takes_its_share(shared: tuple[Company, int]) -> None:
    company, lina = shared
    began = now()
    company.stop("ari-b")
    made = await survive(company, lina, lambda: company.start("ari-b"), mend=None, own_way=False, followed=False)
    await company.said("ari-b", "ari connected", 2)
    async with flowing(company, lina) as flow:
        while not await counted(company, "ringcard_offers_total", "won", process="ari-2"):
            assert flow.made < 100, "a hundred calls, and none for who was added"
            await flow.burst(5)
    await one_row_each(company, began, made + flow.made)


async def test_a_call_that_was_claimed_by_one_who_died_is_given_back_by_the_other_and_counted(
    shared: tuple[Company, int],
) -> None:
    """Claimed by somebody who then is gone; the dialplan would wait for a minute."""
    company, lina = shared
    company.lab.set_global("RINGCARD_GUARD", "60")
    company.freeze("ari-a")
    company.freeze("ari-b")
    try:
        async with Phone(company.lab, "101") as phone, dying_claimer(company.lab):
            number = company.customer("Sok Dara", lina)
            outcome = asyncio.create_task(call(company.lab, number, DIRECT))
            await company.until(lambda: claimed(company.lab), "a call that was claimed")
            company.thaw("ari-a")
            company.thaw("ari-b")
            assert (await outcome).status == 200
        assert [invite.name for invite in phone.invites] == ["Sok Dara"]
        assert await counted(company, "ringcard_orphans_total") == 1
    finally:
        company.lab.set_global("RINGCARD_GUARD", "")
    assert await leftovers(company.lab) == []


async def one_row_each(company: Company, began: datetime, made: int) -> None:
    """Each call is in the log once, with its end: what nobody heard, from Asterisk's own record.

    These calls are hung up as soon as they are answered: now and then before the two were connected at all.
    """

    def right() -> list[CallRow]:
        return [row for row in company.logged(began) if row.ended_at and row.outcome in ("answered", "abandoned")]

    await company.until(lambda: len(right()) == made, f"{made} calls in the log", LOGGED_S)
    rows = company.logged(began)
    assert len(rows) == made
    assert len([row for row in rows if row.tier == "exact"]) > made / 4
    assert len([row for row in rows if row.outcome == "answered"]) > made / 2


@asynccontextmanager
async def dying_claimer(lab: Lab) -> AsyncIterator[None]:
    """A process of the name ringcard-x that claims a call and is gone."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": lab.authorization}) as session,
        session.ws_connect(f"{lab.ari_url}/events", params={"app": "ringcard-x"}) as events,
    ):

        async def claim_and_die() -> None:
            event = await events.receive_json()
            asked = {"channelId": event["channel"]["id"], "application": "ringcard-x"}
            async with session.post(f"{lab.ari_url}/events/claim", params=asked) as reply:
                assert reply.status == 204
            assert (await events.receive_json())["type"] == "StasisStart"
            await events.close()

        dying = asyncio.create_task(claim_and_die())
        yield
        await dying


def claimed(lab: Lab) -> bool:
    status, app = lab.ari("GET", "applications/ringcard-x")
    return status == 200 and bool(app["channel_ids"])


async def counted(company: Company, name: str, end: str = "", process: str = "") -> float:
    """By all ari processes together, or by one of them."""
    return sum(
        float(sample.value)
        for said in await heard(company.settings.data_dir)
        if said.process.startswith("ari") and process in ("", said.process)
        for sample in said.samples
        if sample.name == name and isinstance(sample.value, int | float) and sample.labels.get("end", "") == end
    )


# --- the processes are renewed one by one


async def test_told_to_renew_the_supervisor_starts_the_next_before_it_ends_the_one_before(
    ringcard: tuple[Company, int],
) -> None:
    company, lina = ringcard
    before = company.child("ari")
    began = now()
    made = await survive(
        company,
        lina,
        lambda: os.kill(company.pid(""), signal.SIGHUP),
        mend=None,
        own_way=False,
        followed=False,
        meanwhile=partial(company.said, "", "ari is renewed", 1),
    )
    await company.until(lambda: not alive(before), "the end of the one before")
    assert company.child("ari") != before
    await company.until(lambda: len(company.logged(began)) == made, f"{made} calls in the log")
