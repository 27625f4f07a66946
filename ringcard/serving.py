"""Run one process until it is told to stop: the first signal ends it in order, the second at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

STOPPED_BY_SECOND_SIGNAL = 130
READY = "RINGCARD_READY"
"""In the environment: the descriptor on which a process says that it is ready, when somebody waits for that."""


class StartError(Exception):
    """A process cannot start; the message says what to do."""


def serve(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run `main` with an event that is set when SIGINT or SIGTERM asks it to end."""
    uvloop.run(_serve(main))


async def _serve(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked() -> None:
        if stop.is_set():
            os._exit(STOPPED_BY_SECOND_SIGNAL)  # it was asked nicely once
        stop.set()

    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, asked)
    await main(stop)


def say_ready() -> None:
    descriptor = os.environ.pop(READY, "")
    if descriptor:
        os.write(int(descriptor), b"1")
        os.close(int(descriptor))


async def either(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
    """Wait for `stop`, or for `work` to end first. What `work` raised is raised here; it is over when this returns."""
    working = asyncio.create_task(work)
    try:
        await unless_broken(working, stop)
    finally:
        await ended(working)


async def unless_broken(working: asyncio.Task[None], stop: asyncio.Event) -> None:
    """Wait for `stop`, or for `working` to end first, with whatever it raised."""
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        await ended(stopping)


async def ended(task: asyncio.Task[Any]) -> None:
    """Cancel `task` and wait until it is over."""
    task.cancel()
    await asyncio.wait({task})
