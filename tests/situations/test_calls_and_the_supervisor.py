"""`ringcard run`: what it starts it keeps running, and what it started ends with it, whichever way it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

from tests.company import Company

CHILDREN = ("ari", "agi", "desk", "worker", "redis")
END_S = 10.0


def alive(pid: int) -> bool:
    """Runs, and does not merely wait for its parent to ask after it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def started_again(company: Company, role: str, killed: int) -> dict[str, int]:
    """The other processes, once this one runs anew."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(AssertionError, OSError, ValueError):  # not there yet, or its pid not yet written
                others = children(company)
                if (pid := others.pop(role)) != killed and alive(pid):
                    return others
            await asyncio.sleep(0.02)


def children(company: Company) -> dict[str, int]:
    return {role: company.child(role) for role in CHILDREN}


async def test_each_process_that_dies_is_started_again_and_the_others_go_on(ringcard: tuple[Company, int]) -> None:
    company, _ = ringcard
    for role in CHILDREN:
        before = children(company)
        killed = before.pop(role)
        os.kill(killed, signal.SIGKILL)
        after = await started_again(company, role, killed)
        assert after == before
    await company.desk_ready()
    await company.listening()


async def test_killed_the_supervisor_leaves_no_process_behind(ringcard: tuple[Company, int]) -> None:
    company, _ = ringcard
    started = children(company)
    company.kill("")
    await company.until(lambda: not any(map(alive, started.values())), "the end of all processes", END_S)


async def test_told_to_stop_everything_ends_in_order_within_seconds(ringcard: tuple[Company, int]) -> None:
    company, _ = ringcard
    started = children(company)
    began = time.monotonic()
    assert await asyncio.to_thread(company.stop) == {"": 0}
    assert time.monotonic() - began < END_S
    assert not any(map(alive, started.values()))
    assert company.lab.ari("GET", "applications/ringcard")[0] == 404
    assert not list((company.folder / "data").rglob("*.sock"))
