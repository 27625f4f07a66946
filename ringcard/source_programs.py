"""The worker's part of the sources: each is run when its turn comes, in a process of its own.

So one that is slow, hangs or eats memory holds up nobody: not the journal, not the cache, not another source. A process
that takes longer than its source may is ended, and what it had not finished is done by the next one. What goes wrong is
logged once, and stands in the records.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.process import BaseProcess

from sqlalchemy import Engine as Database
from sqlalchemy.exc import SQLAlchemyError

from config import logging as logs
from config.sentences import say
from config.settings import Settings, Source
from records.card_layouts import kept_now
from records.database import open_database, reading
from records.errors import RecordsError
from records.intake.imports import Intake
from records.sources import runs
from records.tables import SourceRow
from ringcard import compose
from ringcard.supervisor import die_with_parent

log = logging.getLogger(__name__)

AGAIN_S = 2.0
LOOK_EVERY_S = 5.0
"""So often it is seen that somebody ran a source by hand, or that settings let its turn come sooner."""

MORE_S = 15.0
"""How much longer than its source may a process lives that does not end itself."""


class SourcePrograms:
    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._errors: dict[str, str] = {}

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name, source in self._settings.sources.items():
                if source.kind != "push":
                    group.create_task(self._keep_running(name, source))

    async def _keep_running(self, name: str, source: Source) -> None:
        while True:
            try:
                due_s = await asyncio.to_thread(runs.due_in_s, self._database, name, source)
                if due_s > 0 or runs.is_at_work(self._settings.data_dir, name):
                    await asyncio.sleep(min(max(due_s, 0.2), LOOK_EVERY_S))
                    continue
                await self._one_run(name, source)
                await asyncio.to_thread(self._say, name)
            except (RecordsError, SQLAlchemyError) as exc:  # the journal's part of the worker says it loud
                log.debug("the source %s waits: %s", name, exc)
                await asyncio.sleep(AGAIN_S)

    async def _one_run(self, name: str, source: Source) -> None:
        program = multiprocessing.get_context("spawn").Process(
            target=work, args=(self._settings, name, os.getpid()), daemon=True, name=f"source {name}"
        )
        program.start()
        try:
            async with asyncio.timeout(source.limit_s + MORE_S):
                await _ended(program)
        except TimeoutError:
            program.kill()
            await _ended(program)
            await asyncio.to_thread(runs.note_failure, self._database, name, too_long(source))
        except asyncio.CancelledError:
            program.kill()
            raise
        if program.exitcode:
            await asyncio.sleep(AGAIN_S)  # it may not have come so far as to say that it began

    def _say(self, name: str) -> None:
        with reading(self._database) as session:
            row = session.get(SourceRow, name)
        error = runs.error_of(row) if row else ""
        if error and error != self._errors.get(name):
            log.warning("the source %s failed, and what was known of its customers stays: %s", name, error)
        if not error and self._errors.get(name):
            log.warning("the source %s works again", name)
        self._errors[name] = error


def work(settings: Settings, name: str, parent: int) -> None:
    """The process: one run. It ends with the worker."""
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the worker, which ends us
    logs.setup(settings.log)
    database = open_database(settings.database_url)
    try:
        with reading(database) as session:
            own = kept_now(session, settings.fields)
        intake = Intake(database, settings.data_dir, compose.reader(settings), settings.company.currency, own)
        with Limited(settings, name):
            runs.run(intake, name, settings.sources[name])
    except RecordsError as exc:
        log.debug("%s: %s", name, exc)  # the worker says what stands in the records
        raise SystemExit(1) from exc
    finally:
        database.dispose()


class Limited:
    """Ends this process when the run takes longer than its source may, whatever its driver waits for."""

    def __init__(self, settings: Settings, name: str, tell: Callable[[str], None] = lambda _: None) -> None:
        self._timer = threading.Timer(settings.sources[name].limit_s, _give_up, [settings, name, tell])
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def too_long(source: Source) -> str:
    return say("it was not done after {seconds} s, which is its limit_s", seconds=source.limit_s)


def _give_up(settings: Settings, name: str, tell: Callable[[str], None]) -> None:
    try:
        tell(f"ringcard: {too_long(settings.sources[name])}")
        runs.note_failure(open_database(settings.database_url), name, too_long(settings.sources[name]))
    finally:
        os._exit(1)


async def _ended(program: BaseProcess) -> None:
    """Without a thread of the pool that everybody shares: many sources may hang at once."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(program.sentinel, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(program.sentinel)
    program.join()
