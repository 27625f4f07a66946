"""An import from its beginning to its undoing: staged, rehearsed, written, listed, gone on with, taken back.

    given -> checking -> checked -> importing -> done -> undoing -> undone       and from each that ends in -ing: failed

The command begins at `importing`; the desk at `given`, when a file was sent. A program that was killed leaves a state
that ends in -ing with nobody at work on it: that is an interrupted import, which `go_on` finishes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Engine, select, update
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session, selectinload

from config.sentences import kept, say, told, with_values
from records.customers import own_phones
from records.database import reading, writing
from records.errors import DatabaseGone, NotFound, RecordsError, Refused
from records.intake import stage as stages
from records.intake.apply import SHOWN, Application, Forget, Outcome, Tell, cannot_tell, rehearse
from records.intake.files import open_table
from records.intake.filling import fill
from records.intake.headers import Own, no_targets, required
from records.intake.mappings import kept_mapping
from records.intake.rows import RowError, Table
from records.intake.rules import Understanding
from records.intake.stage import Stage
from records.intake.undo import take_back
from records.numbers import Reader
from records.photos import store_photo
from records.tables import Import, ImportedCustomer, User

STATES: Mapping[str, str] = {
    "given": say("given"),
    "checking": say("checking"),
    "checked": say("checked"),
    "importing": say("importing"),
    "done": say("done"),
    "undoing": say("undoing"),
    "undone": say("undone"),
    "failed": say("failed"),
}
"""How each is called in a sentence: "The import is checking"."""


@dataclass(frozen=True, slots=True)
class Intake:
    """What every import needs."""

    database: Engine
    data_dir: Path
    read_number: Reader
    currency: str = "USD"  # of rows that name none
    own_fields: Own = field(default_factory=dict)  # what a company may fill besides
    forget: Forget = cannot_tell
    tell: Tell = lambda _: None

    def telling(self, tell: Tell) -> Intake:
        return replace(self, tell=tell)


# --- all at once, as the command does it


def import_table(intake: Intake, table: Table, file: str, by_id: int | None = None) -> tuple[int, Outcome]:
    """Stages and writes a table: the number of the import, and what it did. Raises Refused, DatabaseGone.

    From when its rows are all staged it is listed, and can be gone on with when it was interrupted.
    """
    _sweep(intake)
    with _new_stage(intake, table) as (name, stage):
        with writing(intake.database) as session:
            row = _new(file, by_id, name, "importing")
            row.kind, row.rows = table.kind, stage.rows
            session.add(row)
            session.flush()
            import_id = row.id
        return import_id, _write(intake, stage, import_id)


def rehearse_table(intake: Intake, table: Table) -> Outcome:
    """What importing this table would do. Nothing of the records is locked or changed."""
    with tempfile.TemporaryDirectory() as photos, _new_stage(intake, table, Path(photos)) as (_, stage):
        return rehearse(intake.database, stage, intake.currency, intake.tell)


def look_at(intake: Intake, path: Path, mapping: Mapping[str, str], sheet: str = "") -> Table:
    """A file as a table that can be imported: by `mapping`, else by what was said of such a file before.

    Raises Refused, also for a table without a column for names or for numbers.
    """
    table = open_table(path, mapping, sheet, intake.own_fields)
    if not mapping:
        with reading(intake.database) as session:
            mapping = kept_mapping(session, table.headers)
        for header, target in no_targets(mapping, intake.own_fields).items():
            raise Refused(
                say(
                    "it is kept of such files that {header!r} is {target!r}, which is no field any more; say all "
                    "their columns anew with --map, or forget that with --forget-mapping (--mappings lists it)",
                    header=header,
                    target=target,
                )
            )
        table = open_table(path, mapping, sheet, intake.own_fields) if mapping else table
    required(table.headers, table.meanings, path.name)
    return table


# --- step by step, as the desk does it


def give(session: Session, file: str, by_id: int, name: str) -> Import:
    """A file was sent and lies at `stage.file_path(data_dir, name)`."""
    row = _new(file, by_id, name, "given")
    session.add(row)
    session.flush()
    return row


def check(intake: Intake, import_id: int) -> None:
    """Stages and rehearses a given file; `checked`, or `failed` with the reason, is its state then."""
    row = one_import(intake.database, import_id)
    path = stages.stage_path(intake.data_dir, row.stage)
    with stages.at_work(intake.data_dir, row.stage), _saying(intake, row, "failed"):
        table = look_at(intake, stages.file_path(intake.data_dir, row.stage), orjson.loads(row.mapping), row.sheet)
        path.unlink(missing_ok=True)
        with Stage(path, new=True) as stage:
            _fill(intake, stage, table)
            outcome = rehearse(intake.database, stage, intake.currency, intake.tell)
            with writing(intake.database) as session:
                counts = {"added": outcome.added, "changed": outcome.changed, "unchanged": outcome.unchanged}
                _set(
                    session,
                    import_id,
                    state="checked",
                    said="",
                    kind=table.kind,
                    rows=stage.rows,
                    **counts,
                    **_told(outcome),
                )


def go_on(intake: Intake, import_id: int) -> Outcome:
    """Writes what is left of an import that was checked or interrupted. Raises Refused, DatabaseGone, NotFound."""
    row = one_import(intake.database, import_id)
    if row.state not in ("checked", "importing"):
        raise Refused(
            say(
                "the import {import_id} is {state}; there is nothing to go on with",
                import_id=import_id,
                state=STATES[row.state],
            )
        )
    with stages.at_work(intake.data_dir, row.stage), _saying(intake, row, "importing"):
        with Stage(stages.stage_path(intake.data_dir, row.stage)) as stage:
            with writing(intake.database) as session:
                begin(session, import_id, "importing")
            outcome = _write(intake, stage, import_id)
        stages.remove(intake.data_dir, row.stage)
    return outcome


def undo(intake: Intake, import_id: int) -> Import:
    """Takes an import back, as far as nobody has changed what it did. Raises NotFound, Refused, DatabaseGone."""
    row = one_import(intake.database, import_id)
    if row.state not in ("importing", "done", "undoing", "failed"):
        raise Refused(
            say(
                "the import {import_id} is {state}; there is nothing to undo",
                import_id=import_id,
                state=STATES[row.state],
            )
        )
    with stages.at_work(intake.data_dir, row.stage):
        with writing(intake.database) as session:
            begin(session, import_id, "undoing")
        total = row.added + row.changed
        take_back(intake.database, import_id, total, intake.own_fields, intake.forget, intake.tell)
        with writing(intake.database) as session:
            _set(session, import_id, state="undone", said="", ended_at=datetime.now(UTC))
        stages.remove(intake.data_dir, row.stage)
    return one_import(intake.database, import_id)


def begin(session: Session, import_id: int, state: str) -> None:
    """To be called `importing` or `undoing` from now on: by whoever does it, or by the desk that has it done."""
    was = session.get_one(Import, import_id).state
    news: dict[str, Any] = {"state": state, "said": ""}
    if was == "checked":  # what was counted is what would be
        news |= {"added": 0, "changed": 0, "unchanged": 0, "refused": 0, "errors": "[]"}
    if state == "undoing":
        news |= {"kept": 0}
        session.execute(update(ImportedCustomer).where(ImportedCustomer.import_id == import_id).values(kept=""))
    _set(session, import_id, **news)


def discard(database: Engine, data_dir: Path, import_id: int) -> None:
    """A file that was given and shall not be imported. Raises NotFound, Refused."""
    row = one_import(database, import_id)
    if row.done_to or row.state not in ("given", "checking", "checked", "failed"):
        raise Refused(
            say("the import {import_id} is {state}; undo it instead", import_id=import_id, state=STATES[row.state])
        )
    with writing(database) as session:
        session.delete(session.get_one(Import, import_id))
    stages.remove(data_dir, row.stage)


# --- looking


def one_import(database: Engine, import_id: int) -> Import:
    """With who did it. Raises NotFound."""
    try:
        with reading(database) as session:
            found = session.get(Import, import_id, options=(_WITH_PERSON,))
    except (OverflowError, DataError):  # of a number that no row can have
        found = None
    if found is None:
        raise NotFound(say("there is no import {import_id}; ringcard import --list shows all", import_id=import_id))
    return found


def imports(session: Session, most: int = 100) -> list[Import]:
    """The last ones first."""
    return [*session.scalars(select(Import).options(_WITH_PERSON).order_by(Import.id.desc()).limit(most))]


def is_interrupted(data_dir: Path, row: Import) -> bool:
    """In the middle of something, and nobody (of this machine) is at work on it."""
    return row.state.endswith("ing") and not stages.somebody_at_work(data_dir, row.stage)


def said_of(row: Import) -> str:
    """Why it failed, or how far it is."""
    return told(row.said)


def as_sent(exc: RecordsError, path: Path, file: str) -> str:
    """What is wrong with a file that lies at `path` and was called `file` by whoever sent it."""
    return with_values(str(exc), lambda text: text.replace(str(path), file).replace(path.name, file))


def errors_of(row: Import) -> list[RowError]:
    unit = "card" if row.kind == "vCard" else "row"
    return [RowError(number, header, told(said), unit) for number, header, said in orjson.loads(row.errors)]


_WITH_PERSON = selectinload(Import.by).selectinload(User.endpoints)


# --- pieces


def _new(file: str, by_id: int | None, name: str, state: str) -> Import:
    return Import(file=Path(file).name[:200], by_id=by_id, stage=name, state=state, started_at=datetime.now(UTC))


@contextmanager
def _new_stage(intake: Intake, table: Table, photos: Path | None = None) -> Iterator[tuple[str, Stage]]:
    """A stage with the rows of this table, and its name. It stays when an import that is listed needs it."""
    name = stages.new_name()
    with stages.at_work(intake.data_dir, name):
        with Stage(stages.stage_path(intake.data_dir, name), new=True) as stage:
            try:
                _fill(intake, stage, table, photos)
                yield name, stage
            except DatabaseGone:
                raise  # whether it is listed cannot be asked; the next import sweeps
            except BaseException:
                _sweep(intake, name)
                raise
        stages.remove(intake.data_dir, name)


def _sweep(intake: Intake, mine: str = "") -> None:
    with reading(intake.database) as session:
        in_use = {*session.scalars(select(Import.stage).where(Import.state.not_in(("done", "undone"))))}
    stages.sweep(intake.data_dir, in_use)
    if mine and mine not in in_use:
        stages.remove(intake.data_dir, mine)


def understanding_of(intake: Intake, photos: Path) -> Understanding:
    """How rows are understood by what the records say now; their pictures go into the folder `photos`."""
    with reading(intake.database) as session:
        logins = {user.login: user.id for user in session.execute(select(User.login, User.id))}
        phones = own_phones(session, intake.read_number)
    return Understanding(
        *(intake.read_number, logins, intake.currency),
        store_photo=lambda raw: store_photo(photos, raw),
        own_phones=phones,
        own_fields=intake.own_fields,
    )


def _fill(intake: Intake, stage: Stage, table: Table, photos: Path | None = None) -> None:
    fill(stage, table, understanding_of(intake, photos or intake.data_dir), intake.tell)


def _write(intake: Intake, stage: Stage, import_id: int) -> Outcome:
    row = one_import(intake.database, import_id)
    writer = Application(intake.database, stage, import_id, intake.currency, row.by_id, intake.forget)
    writer.run(row.done_to, row.done, intake.tell)
    row = one_import(intake.database, import_id)
    refused, errors = stage.errors(SHOWN, stage.said("unit"))
    outcome = Outcome(row.added, row.changed, row.unchanged, refused, tuple(errors))
    with writing(intake.database) as session:
        _set(session, import_id, state="done", said="", ended_at=datetime.now(UTC), **_told(outcome))
    return outcome


def _told(outcome: Outcome) -> dict[str, Any]:
    errors = [(error.row, error.header, kept(error.message)) for error in outcome.errors]
    return {"refused": outcome.refused, "errors": orjson.dumps(errors).decode()}


def _set(session: Session, import_id: int, **values: Any) -> None:
    session.execute(update(Import).where(Import.id == import_id).values(**values))


@contextmanager
def _saying(intake: Intake, row: Import, state: str) -> Iterator[None]:
    """Says in the records why it could not be done; of a database that is away, it cannot."""
    try:
        yield
    except DatabaseGone:
        raise
    except RecordsError as exc:
        path = stages.file_path(intake.data_dir, row.stage)
        with writing(intake.database) as session:
            _set(session, row.id, state=state, said=kept(as_sent(exc, path, row.file)))
        raise
