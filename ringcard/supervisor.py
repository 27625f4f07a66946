"""`ringcard run`: our own Redis when none is named, a process for agi, desk and worker, and one or more for ari.

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
from ringcard.serving import READY, StartError, either

log = logging.getLogger(__name__)

OTHERS = ("agi", "desk", "worker")
STOP_S = 10.0
AGAIN_S = (0.2, 0.5, 1.0, 2.0, 5.0)
READY_S = 20.0  # so long a new process may take until it stands by
OLD_AGE_S = 30.0  # a process that lived this long did not die of its start
WATCH_S = 0.2

_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>: the kernel sends the signal when the parent is gone
_libc = ctypes.CDLL(None)


async def supervise(settings: Settings, arguments: Sequence[str], stop: asyncio.Event) -> None:
    """Run everything until `stop`. `arguments` are the command's own, before `run`, for the processes to repeat.

    At SIGHUP the processes for calls are renewed, see `_Line`. Raises StartError when it runs in this data_dir already:
    two that fight for the same calls serve nobody.
    """
    server = None if settings.store.redis_url else OwnServer(settings.data_dir)
    if server is not None:
        _start(server)
    try:
        async with asyncio.TaskGroup() as group:
            lines = [_Line(role, arguments, group) for role in processes(settings)]
            group.create_task(_renew_when_told(lines, stop))
            if server is not None:
                group.create_task(_keep_redis(server, stop))
    finally:
        if server is not None:
            server.stop()


async def _renew_when_told(lines: Sequence[_Line], stop: asyncio.Event) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, told.set)
    try:
        while not stop.is_set():
            await either(_waited_for(told), stop)
            if told.is_set() and not stop.is_set():
                told.clear()
                for line in lines:
                    if line.role[0] == "ari":
                        await either(line.renew(), stop)
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        for line in lines:
            line.end()


async def _waited_for(event: asyncio.Event) -> None:
    await event.wait()


class _Line:
    """One process, and those that come after it."""

    def __init__(self, role: tuple[str, ...], arguments: Sequence[str], group: asyncio.TaskGroup) -> None:
        self.role = role
        self._arguments = arguments
        self._group = group
        self._lives = [self._begin()]

    def _begin(self, tells: int | None = None) -> asyncio.Event:
        over = asyncio.Event()
        self._group.create_task(_keep_running(self.role, self._arguments, over, tells))
        return over

    def end(self) -> None:
        for over in self._lives:
            over.set()

    async def renew(self) -> None:
        """The next one stands by before this one is told to go, so no call meets nobody. One that does not come up
        changes nothing.
        """
        told, tells = os.pipe()
        self._lives.append(self._begin(tells))
        *before, new = self._lives
        if await _said_on(told):
            log.info("%s is renewed", " ".join(self.role))
        else:
            log.error("the new %s does not come up; the one before goes on", " ".join(self.role))
            before, self._lives = [new], before
        for over in before:
            over.set()
        self._lives = [over for over in self._lives if not over.is_set()]


async def _said_on(pipe: int) -> bool:
    """Whether it is ready in time; closes `pipe`."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(pipe, "rb", 0))
    try:
        async with asyncio.timeout(READY_S):
            return bool(await reader.read(1))
    except TimeoutError:
        return False
    finally:
        transport.close()


def processes(settings: Settings) -> list[tuple[str, ...]]:
    """What each process is run with: one or several for the calls of each Asterisk, and one for each other thing."""
    ari = []
    for node in settings.asterisks.values():
        of_node = () if node is settings.asterisk else ("--node", node.node)
        for number in range(1, node.ari_workers + 1):
            name = f"{node.worker}-{number}" if node.ari_workers > 1 else node.worker
            ari.append(("ari", *of_node, *(("--worker", name) if node.worker else ())))
    return [*ari, *((role,) for role in OTHERS)]


async def _keep_running(
    role: tuple[str, ...], arguments: Sequence[str], stop: asyncio.Event, tells: int | None = None
) -> None:
    """`tells` is where its first life says that it is ready."""
    died_young = 0
    while not stop.is_set():
        begun = time.monotonic()
        status = await _one_life(role, arguments, stop, tells)
        tells = None
        if stop.is_set():
            return
        died_young = 0 if time.monotonic() - begun > OLD_AGE_S else died_young + 1
        pause = AGAIN_S[min(died_young, len(AGAIN_S) - 1)]
        log.error("%s ended (%s); starting it again in %.1f s", " ".join(role), _told(status), pause)
        await either(asyncio.sleep(pause), stop)


async def _one_life(
    role: tuple[str, ...], arguments: Sequence[str], stop: asyncio.Event, tells: int | None = None
) -> int:
    command = [sys.executable, "-m", "ringcard.cli", *arguments, "run", *role]
    us = os.getpid()
    process = await asyncio.create_subprocess_exec(
        *command,
        preexec_fn=lambda: die_with_parent(us),
        start_new_session=True,
        pass_fds=() if tells is None else (tells,),
        env={**os.environ, READY: "" if tells is None else str(tells)},
    )
    if tells is not None:
        os.close(tells)
    await either(_waited(process), stop)
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            log.error("%s did not end in %.0f s; ending it the hard way", " ".join(role), STOP_S)
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
