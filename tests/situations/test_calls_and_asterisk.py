"""Asterisk goes and comes back, or another program takes our place: calls are served again by themselves."""

from __future__ import annotations

import asyncio
import time

from ringcard.phones import call
from tests.company import DIRECT, Company, now
from tests.fixtures.ari import app, freezes
from tests.fixtures.calls_flowing import flowing


async def test_asterisk_restarted_is_connected_to_again_and_its_calls_are_over(ringcard: tuple[Company, int]) -> None:
    company, lina = ringcard
    began = now()
    async with flowing(company, lina) as flow:
        await flow.named_again(time.time())
        number = company.customer("Sok Dara", lina)
        talking = asyncio.create_task(call(company.lab, number, DIRECT, talk_s=2.0))
        async with asyncio.timeout(30):
            while [live.caller_number for live in await company.live()] != [number]:
                await asyncio.sleep(0.02)
        await asyncio.to_thread(company.lab.restart)
        await company.said("", "ari connected", times=2)
        assert await company.live() == []
        await talking
        await flow.named_again(time.time())
    (row,) = [row for row in company.logged(began) if row.caller_number == number]
    assert row.ended_at is not None
    figures = await company.figures()
    assert figures['ringcard_reconnects_total{link="ari",process="ari"}'] == 1


async def test_a_second_program_of_our_name_is_said_in_the_log_and_when_it_goes_calls_are_ours_again(
    ringcard: tuple[Company, int],
) -> None:
    company, lina = ringcard
    async with flowing(company, lina) as flow:
        await flow.named_again(time.time())
        async with app(company.lab, freezes):
            await company.said("", "the application 'ringcard' is another process's now")
            assert await flow.burst(1) == ["102"], "the stranger does nothing with it, so the guard lets it ring"
        await company.said("", "ari connected", times=2)
        await flow.named_again(time.time())


async def test_when_somebody_takes_the_trackers_place_calls_are_named_and_when_it_goes_they_are_followed_again(
    ringcard: tuple[Company, int],
) -> None:
    company, lina = ringcard
    tracker = company.settings.asterisk.tracker_app
    async with flowing(company, lina) as flow:
        await flow.named_again(time.time())
        async with app(company.lab, freezes, tracker):
            await company.said("", f"the application '{tracker}' is another process's now")
            await flow.named_again(time.time())  # naming and routing need no tracker
        await company.said("", "tracker connected", times=2)
        await flow.named_again(time.time())
    async with asyncio.timeout(30):
        while await company.live():
            await asyncio.sleep(0.05)
