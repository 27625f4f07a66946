"""Asterisk goes and comes back, or another program takes our place: calls are served again by themselves."""

from __future__ import annotations

import asyncio

from ari_app import events
from ari_app.ari_link import AriLink
from ringcard.phones import call
from tests.company import DIRECT, Company, now
from tests.fixtures.calls_flowing import flowing, named


async def test_asterisk_restarted_is_connected_to_again_and_its_calls_are_over(ringcard: tuple[Company, int]) -> None:
    company, lina = ringcard
    began = now()
    async with flowing(company, lina) as flow:
        assert named(await flow.burst(5))
        number = company.customer("Sok Dara", lina)
        talking = asyncio.create_task(call(company.lab, number, DIRECT, talk_s=2.0))
        async with asyncio.timeout(10):
            while [live.caller_number for live in await company.live()] != [number]:
                await asyncio.sleep(0.02)
        await asyncio.to_thread(company.lab.restart)
        await company.said("", "ari connected", times=2)
        assert await company.live() == []
        await talking
        assert named(await flow.burst(5))
    (row,) = [row for row in company.logged(began) if row.caller_number == number]
    assert row.ended_at is not None


async def test_a_second_program_of_our_name_is_said_in_the_log_and_when_it_goes_calls_are_ours_again(
    ringcard: tuple[Company, int],
) -> None:
    company, lina = ringcard
    async with flowing(company, lina) as flow:
        assert named(await flow.burst(3))
        second = AriLink(company.settings.asterisk, events.NEEDED)
        running = asyncio.create_task(second.run(lambda raw: None, nothing))
        await company.said("", "another program connected to this Asterisk as application 'ringcard'")
        assert await flow.burst(1) == ["102"], "the second one does nothing with it, so the guard lets it ring"
        running.cancel()
        await asyncio.wait({running})
        await company.said("", "ari connected", times=2)
        assert named(await flow.burst(5))


async def nothing() -> None:
    """What the second program does when it is connected."""
