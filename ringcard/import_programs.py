"""Steps of imports that the desk asks for, each in a process of its own, so that nobody at the desk waits for it.

Such a process ends with the desk; what it had not done is interrupted, which the desk shows and can go on with.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
from multiprocessing.process import BaseProcess

from sqlalchemy import update

from config import logging as logs
from config.sentences import kept, say
from config.settings import Settings
from records.database import writing
from records.errors import RecordsError, Refused
from records.intake import imports
from records.tables import Import
from ringcard.importing import Said, intake_for

log = logging.getLogger(__name__)

ENDING_S = 20.0

STEPS = {"check": imports.check, "go_on": imports.go_on, "undo": imports.undo}


class ImportPrograms:
    """What was started, by import."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._started: dict[int, BaseProcess] = {}

    def start(self, step: str, import_id: int) -> None:
        """Raises Refused when another step is still at work on it. One that is done may need a moment to end."""
        before = self._started.get(import_id)
        if before is not None:
            before.join(ENDING_S)
        if self.running(import_id):
            raise Refused(
                say("The import {import_id} is being worked on; wait until that is done.", import_id=import_id)
            )
        spawned = multiprocessing.get_context("spawn")
        program = spawned.Process(target=work, args=(self._settings, step, import_id), daemon=True, name="import")
        self._started = {id: each for id, each in self._started.items() if each.is_alive()} | {import_id: program}
        program.start()

    def running(self, import_id: int) -> bool:
        program = self._started.get(import_id)
        return program is not None and program.is_alive()


def work(settings: Settings, step: str, import_id: int) -> None:
    """The process. What it does not manage it says in the records, or in the log when it cannot even that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the desk, which ends us
    logs.setup(settings.log)
    try:
        with intake_for(settings) as intake:

            def tell(said: str) -> None:
                with writing(intake.database) as session:
                    session.execute(update(Import).where(Import.id == import_id).values(said=kept(said)))

            intake = intake.telling(Said(1.0, tell))
            STEPS[step](intake, import_id)
    except RecordsError as exc:
        log.warning("import %s: %s", import_id, exc)
