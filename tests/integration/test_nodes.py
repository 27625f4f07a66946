"""Two Asterisks and one Ringcard: each call is told, and logged, with the node that it came in on."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ringcard.lab import Lab
from ringcard.phones import Phone, call
from ringcard.redis_server import OwnServer
from tests.company import DIRECT, Company, now
from tests.fixtures.calls_flowing import PORT
from tests.fixtures.company import SETTINGS, hire_staff, logged, no_call_is_live

NODES = ("pbx", "branch")


async def test_calls_of_two_nodes_are_named_shown_and_logged_by_one(breakable_lab: Lab, tmp_path: Path) -> None:
    with Lab(ring_s=3) as branch, OwnServer(tmp_path / "data") as redis:
        node = f'[nodes.branch]\nari_url = "{branch.ari_url}"\npassword = "{branch.password}"\n'
        company = Company(breakable_lab, tmp_path, PORT, redis_url=redis.url, more=f"{SETTINGS}{node}")
        try:
            lina, began = hire_staff(company).lina, now()
            company.start("worker", "ari", "ari@branch")
            for role in ("ari", "ari@branch"):
                await company.said(role, "ari connected", 1)
            labs = (breakable_lab, branch)
            number = company.customer("Sok Dara", lina)
            async with Phone(labs[0], "101") as here, Phone(labs[1], "102") as there:
                calls = [asyncio.create_task(call(lab, number, DIRECT, talk_s=3.0)) for lab in labs]
                async with asyncio.timeout(30):
                    while set(live := {each.node: each for each in await company.live()}) != set(NODES):
                        await asyncio.sleep(0.02)
                assert [(await each).status for each in calls] == [200, 200]
            assert {node: each.shown_name for node, each in live.items()} == dict.fromkeys(NODES, "Sok Dara")
            assert [invite.name for phone in (here, there) for invite in phone.invites] == ["Sok Dara"] * 2
            rows = {row.node: row.answered_endpoint for row in await logged(company, began, 2)}
            assert rows == {"pbx": "101", "branch": "102"}, (
                "Lina sits at a phone of the first; the other has none of hers"
            )
            await no_call_is_live(company)
            assert set(company.stop().values()) == {0}
        finally:
            company.close()
        assert company.mistakes() == []
