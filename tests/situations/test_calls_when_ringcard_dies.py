"""Calls flow while a process of Ringcard is killed or frozen, or all of it at once."""

from __future__ import annotations

import os
import signal

from tests.company import Company
from tests.fixtures.calls_flowing import survive


async def test_killed_while_calls_flow_and_started_again_by_the_supervisor(ringcard: tuple[Company, int]) -> None:
    company, lina = ringcard
    await survive(company, lina, lambda: os.kill(company.child("ari"), signal.SIGKILL), mend=None, followed=False)


async def test_frozen_while_calls_flow_and_let_go_again(ringcard: tuple[Company, int]) -> None:
    company, lina = ringcard
    ari = company.child("ari")
    await survive(
        company, lina, lambda: os.kill(ari, signal.SIGSTOP), lambda: os.kill(ari, signal.SIGCONT), followed=False
    )


async def test_all_of_it_killed_while_calls_flow_and_started_again(ringcard: tuple[Company, int]) -> None:
    company, lina = ringcard
    await survive(company, lina, lambda: company.kill(""), lambda: company.start(""), followed=False)
