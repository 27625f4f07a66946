"""`ringcard run`: our own Redis when none is named, and one process each for ari, agi, desk and worker.

They are processes so that nothing the desk does can hold up a call. One that dies is started again, more slowly each
time it dies young; the others go on meanwhile. All of them end with this one, whichever way it ends.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence

from config.settings import Settings
from ringcard.redis_server import FolderTaken, OwnServer, ServerError
from ringcard.serving import StartError, either

log = logging.getLogger(__name__)

ROLES = ("ari", "agi", "desk", "worker")
STOP_S = 10.0
AGAIN_S = (0.2, 0.5, 1.0, 2.0, 5.0)
OLD_AGE_S = 30.0  # a process that lived this long did not die of its start
WATCH_S = 0.2

_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>: the kernel sends the signal when the parent is gone
_libc = ctypes.CDLL(None)


async def supervise(settings: Settings, arguments: Sequence[str], stop: asyncio.Event) -> None:
    """Run everything until `stop`. `arguments` are the command's own, before `run`, for the processes to repeat.

    Raises StartError when it runs in this data_dir already: two that fight for the same calls serve nobody.
    """
    server = None if settings.store.redis_url else OwnServer(settings.data_dir)
    if server is not None:
        _start(server)
    try:
        async with asyncio.TaskGroup() as group:
            for role in ROLES:
                group.create_task(_keep_running(role, arguments, stop))
            if server is not None:
                group.create_task(_keep_redis(server, stop))
    finally:
        if server is not None:
            server.stop()


async def _keep_running(role: str, arguments: Sequence[str], stop: asyncio.Event) -> None:
    died_young = 0
    while not stop.is_set():
        begun = time.monotonic()
        status = await _one_life(role, arguments, stop)
        if stop.is_set():
            return
        died_young = 0 if time.monotonic() - begun > OLD_AGE_S else died_young + 1
        pause = AGAIN_S[min(died_young, len(AGAIN_S) - 1)]
        log.error("%s ended (%s); starting it again in %.1f s", role, _told(status), pause)
        await either(asyncio.sleep(pause), stop)


async def _one_life(role: str, arguments: Sequence[str], stop: asyncio.Event) -> int:
    command = [sys.executable, "-m", "ringcard.cli", *arguments, "run", role]
    us = os.getpid()
    process = await asyncio.create_subprocess_exec(
        *command, preexec_fn=lambda: die_with_parent(us), start_new_session=True
    )
    await either(_waited(process), stop)
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            log.error("%s did not end in %.0f s; ending it the hard way", role, STOP_S)
            process.kill()
            await process.wait()
    return process.returncode or 0


async def _waited(process: asyncio.subprocess.Process) -> None:
    await process.wait()


def die_with_parent(parent: int) -> None:
    """In the new process, before it becomes the program. Its own session keeps the terminal's Ctrl-C for us alone."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)  # it died before the kernel knew that we want to be told


def _told(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"status {status}"


def _start(server: OwnServer) -> None:
    try:
        server.start()
        log.info("our own redis runs", extra={"fields": {"version": server.version, "url": server.url}})
    except FolderTaken as exc:
        raise StartError(str(exc)) from exc
    except ServerError as exc:
        log.error("%s. Going on without: names come from the database, the desk shows no live calls", exc)


async def _keep_redis(server: OwnServer, stop: asyncio.Event) -> None:
    while not stop.is_set():
        if server.pid is None:
            log.error("our own redis is gone; starting it again")
            _start(server)
        await either(asyncio.sleep(WATCH_S if server.pid else AGAIN_S[-1]), stop)
