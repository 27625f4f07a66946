"""Doctor for the desk: a process of its own, so that nobody at the desk waits for it, and what hangs can be ended."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from config import logging as logs
from config.sentences import say
from config.settings import Settings
from ringcard.doctor import examine
from ringcard.findings import Finding, fail
from ringcard.supervisor import die_with_parent

log = logging.getLogger(__name__)

LIMIT_S = 45.0
BY_HAND = say("Ask it on the machine: ringcard doctor")


class DoctorProgram:
    """`limit_s`: how long it may take, though each of its checks ends within seconds."""

    def __init__(self, settings: Settings, limit_s: float = LIMIT_S) -> None:
        self._settings = settings
        self._limit_s = limit_s

    async def findings(self) -> list[Finding]:
        """All findings; never raises. When it is cancelled the process ends with it."""
        spawned = multiprocessing.get_context("spawn")
        ours, theirs = spawned.Pipe(duplex=False)
        program = spawned.Process(target=work, args=(self._settings, theirs, os.getpid()), daemon=True, name="doctor")
        program.start()
        theirs.close()
        try:
            async with asyncio.timeout(self._limit_s):
                await _readable(ours)
            return list(ours.recv())
        except TimeoutError:
            return [
                fail(say("doctor"), say("was not done after {seconds} s", seconds=format(self._limit_s, "g")), BY_HAND)
            ]
        except EOFError:
            return [fail(say("doctor"), say("broke off; the log of the desk says more"), BY_HAND)]
        finally:
            ours.close()
            program.kill()
            await asyncio.shield(asyncio.to_thread(_end, program))


def work(settings: Settings, answer: Connection, parent: int) -> None:
    """The process. It ends with the desk."""
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the desk, which ends us
    logs.setup(settings.log)
    answer.send(asyncio.run(examine(settings)))


def _end(program: BaseProcess) -> None:
    program.join()
    program.close()


async def _readable(connection: Connection) -> None:
    """There is something to read, or the other end is gone."""
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(connection.fileno(), readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(connection.fileno())
