"""One run of a source: everything is read before anything is changed, so a source that dies changes nothing.

What is read waits in a stage (`records.intake.stage`). Then the source's customers are made as it says, in short
transactions; a run that is killed there is done again by the next one, and nothing is doubled, because customers are
known by the source's own ids. What a run came to stands in the table `sources`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Engine, delete, func, select, text
from sqlalchemy.orm import Session

from config.sentences import counted, kept, say
from config.sentences import told as told_text
from config.settings import Source
from records.database import reading, writing
from records.errors import DatabaseGone, NotFound, RecordsError, Refused
from records.intake import stage as stages
from records.intake import store
from records.intake.apply import SHOWN, Application, not_seen, rehearse
from records.intake.filling import fill
from records.intake.headers import Own
from records.intake.imports import Intake, understanding_of
from records.intake.rules import Mirrored
from records.intake.stage import Stage
from records.sources.reading import FileSeen, Known, Opened, Reading, owned_by
from records.sources.sql_rows import open_sql
from records.sources.vcard_folder import open_folder
from records.tables import Customer, SourceFile, SourceRow

OVERDUE = 3
"""A source is overdue when so many of its turns have passed without a run that worked."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run did, or would do."""

    rows: int
    added: int
    changed: int
    removed: int
    refused: int
    errors: tuple[str, ...]  # the first of them


# --- a run


def run(intake: Intake, name: str, source: Source, *, dry_run: bool = False) -> Ran:
    """Raises Refused when the source cannot be read wholly, or is at work already; DatabaseGone for our own."""
    with _alone(intake, name):
        if not dry_run:
            _begin(intake.database, name)
        try:
            return _run(intake, name, source, dry_run)
        except DatabaseGone:
            raise
        except Exception as exc:  # also what a driver raises that nobody foresaw
            if not dry_run:
                said = str(exc) if isinstance(exc, RecordsError) else f"{type(exc).__name__}: {exc}".splitlines()[0]
                note_failure(intake.database, name, said)
            raise


def _run(intake: Intake, name: str, source: Source, dry_run: bool) -> Ran:
    known, full = _known(intake.database, name, source)
    path = stages.stage_path(intake.data_dir, _stage_name(name))
    photos = tempfile.TemporaryDirectory() if dry_run else nullcontext(intake.data_dir)
    path.unlink(missing_ok=True)
    try:
        with Stage(path, new=True) as stage, photos as folder:
            with _opened(source, intake.own_fields, known, full) as read:
                rows = fill(stage, read, understanding_of(intake, Path(folder)), intake.tell, mirrored=True)
                stage.keep(read.kept())
            _refuse_sudden_emptiness(intake.database, name, stage, read)
            mirrored = Mirrored(name, owned_by(read.meanings))
            if dry_run:
                return _rehearsed(intake, stage, mirrored, read, rows)
            with writing(intake.database) as session:
                session.get_one(SourceRow, name).columns = orjson.dumps(sorted(mirrored.owned)).decode()
            return _written(intake, stage, mirrored, read, rows)
    finally:
        stages.remove(intake.data_dir, _stage_name(name), but="lock")


def _opened(source: Source, own: Own, known: Known, full: bool) -> Opened:
    match source.kind:
        case "sql":
            return open_sql(source, own, known, full)
        case "vcards":
            return open_folder(source, known, full)
        case "ldap":
            from records.sources.ldap_rows import open_ldap  # some 0.2 s, and only for those who have one

            return open_ldap(source, own, known, full)
        case "push":
            raise Refused(say("nobody can run it: it is a program that tells us"))


def _written(intake: Intake, stage: Stage, mirrored: Mirrored, read: Reading, rows: int) -> Ran:
    writer = Application(intake.database, stage, None, intake.currency, mirrored=mirrored)
    writer.run(0, 0, intake.tell)
    if read.full:
        writer.remove_others(mirrored.source)
    refused, errors = stage.errors(SHOWN, stage.said("unit"))
    ran = Ran(rows, writer.added, writer.changed, writer.removed, refused, tuple(map(str, errors)))
    with writing(intake.database) as session:
        row = session.get_one(SourceRow, mirrored.source)
        row.since = read.since or row.since
        row.full_at = row.started_at if read.full else row.full_at
        if read.files is not None:
            _remember(session, mirrored.source, read.files)
        note_success(row, ran)
    return ran


def _rehearsed(intake: Intake, stage: Stage, mirrored: Mirrored, read: Reading, rows: int) -> Ran:
    would = rehearse(intake.database, stage, intake.currency, intake.tell, mirrored)
    removed = sum(map(len, not_seen(intake.database, stage, mirrored.source))) if read.full else 0
    return Ran(rows, would.added, would.changed, removed, would.refused, tuple(map(str, would.errors)))


def _refuse_sudden_emptiness(database: Engine, name: str, stage: Stage, read: Reading) -> None:
    if not read.full or not stage.is_empty:
        return
    with reading(database) as session:
        count = customers_of(session, name)
    if count:
        raise Refused(
            counted(
                "it is empty, and its {n} customer is known here; if they are really gone: ringcard source "
                "forget {name}",
                "it is empty, and its {n} customers are known here; if they are really gone: ringcard source "
                "forget {name}",
                count,
                name=name,
            )
        )


def _known(database: Engine, name: str, source: Source) -> tuple[Known, bool]:
    """What the last run left, and whether everything is to be read again."""
    with reading(database) as session:
        row = session.get(SourceRow, name)
        files = session.scalars(select(SourceFile).where(SourceFile.source == name)).all()
    if row is None:
        return Known(), True
    seen = {file.name: FileSeen(file.name, file.mark, tuple(orjson.loads(file.external_ids))) for file in files}
    by_time = source.kind == "ldap" or bool(source.since_column)
    old = row.full_at is None or row.full_at + timedelta(seconds=source.full_every_s) <= datetime.now(UTC)
    return Known(row.since, seen), by_time and old


def _remember(session: Session, name: str, files: tuple[FileSeen, ...]) -> None:
    known = {file.name: file for file in session.scalars(select(SourceFile).where(SourceFile.source == name))}
    for seen in files:
        row = known.pop(seen.name, None) or SourceFile(source=name, name=seen.name)
        row.mark, row.external_ids = seen.mark, orjson.dumps(seen.external_ids).decode()
        session.add(row)
    for gone in known.values():
        session.delete(gone)


def _stage_name(name: str) -> str:
    return f"source-{name}"


@contextmanager
def _alone(intake: Intake, name: str) -> Iterator[None]:
    """On this machine by a file, and on all of one PostgreSQL by its lock; both end with the program."""
    with stages.at_work(intake.data_dir, _stage_name(name)):
        if intake.database.dialect.name == "sqlite":
            yield
            return
        with intake.database.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            asked = text("SELECT pg_try_advisory_lock(hashtext('ringcard source'), hashtext(:name))")
            if not connection.scalar(asked, {"name": name}):
                raise Refused(say("another program is at work on this source; wait until it is done"))
            try:
                yield
            finally:
                connection.invalidate()


# --- what is kept of it


def _begin(database: Engine, name: str) -> None:
    with writing(database) as session:
        row = session.get(SourceRow, name) or SourceRow(name=name)
        row.started_at, row.ended_at = datetime.now(UTC), None
        session.add(row)


def note_success(row: SourceRow, ran: Ran) -> None:
    row.ended_at = row.succeeded_at = datetime.now(UTC)
    row.error, row.errors = "", orjson.dumps([kept(error) for error in ran.errors[:SHOWN]]).decode()
    row.rows, row.added, row.changed, row.removed = ran.rows, ran.added, ran.changed, ran.removed
    row.refused = ran.refused


def note_failure(database: Engine, name: str, error: str) -> None:
    with writing(database) as session:
        row = session.get(SourceRow, name) or SourceRow(name=name, started_at=datetime.now(UTC))
        row.ended_at, row.error = datetime.now(UTC), kept(error)
        session.add(row)


def due_in_s(database: Engine, name: str, source: Source) -> float:
    """Seconds until its next turn; 0 or less: now."""
    with reading(database) as session:
        row = session.get(SourceRow, name)
    if row is None or row.started_at is None:
        return 0.0
    return source.every_s - (datetime.now(UTC) - row.started_at).total_seconds()


def is_at_work(data_dir: Path, name: str) -> bool:
    """Whether a program of this machine is."""
    return stages.somebody_at_work(data_dir, _stage_name(name))


def sources(session: Session) -> dict[str, tuple[SourceRow, int]]:
    """Every source that ever ran or still has customers, with how many."""
    counted = select(Customer.source, func.count()).where(Customer.source != "").group_by(Customer.source)
    counts = {name: int(count) for name, count in session.execute(counted)}
    rows = {row.name: row for row in session.scalars(select(SourceRow))}
    return {name: (rows.get(name) or SourceRow(name=name), counts.get(name, 0)) for name in sorted({*rows, *counts})}


def customers_of(session: Session, name: str) -> int:
    return session.scalar(select(func.count()).select_from(Customer).where(Customer.source == name)) or 0


def trouble(row: SourceRow | None, source: Source, now: datetime) -> str:
    """What is wrong with a source; empty: nothing."""
    if source.kind == "push":
        return ""
    if row is None or row.started_at is None:
        return say("has never run")
    if row.error and row.succeeded_at:
        ago = _ago(now - row.succeeded_at)
        return say("failed: {why}; the last run that worked was {time} ago", why=error_of(row), time=ago)
    if row.error:
        return say("failed: {why}", why=error_of(row))
    last = row.succeeded_at or row.started_at
    if now - last <= timedelta(seconds=source.every_s * OVERDUE + source.limit_s):
        return ""
    return say("is overdue: the last run that worked was {time} ago", time=_ago(now - last))


def error_of(row: SourceRow) -> str:
    """Why the last run failed; empty: it did not."""
    return told_text(row.error)


def errors_of(row: SourceRow) -> list[str]:
    """Of the rows that the last run could not take, the first."""
    return [told_text(error) for error in orjson.loads(row.errors or "[]")]


def _ago(passed: timedelta) -> str:
    seconds = int(passed.total_seconds())
    if seconds >= 2 * 86_400:
        return say("{days} d", days=seconds // 86_400)
    if seconds >= 2 * 3600:
        return say("{hours} h", hours=seconds // 3600)
    if seconds >= 2 * 60:
        return say("{minutes} min", minutes=seconds // 60)
    return say("{seconds} s", seconds=max(seconds, 0))


def forget(intake: Intake, name: str) -> int:
    """Its customers go, and what is known of it; how many. Raises NotFound."""
    with _alone(intake, name):
        with reading(intake.database) as session:
            if name not in sources(session):
                raise NotFound(say("there is no source {name}; ringcard source list shows all", name=name))
        gone = 0
        while True:
            with writing(intake.database) as session:
                some = [*store.customers_of(session, name, 0, 400)]
                store.remove(session, name, some)
                if not some:
                    session.execute(delete(SourceRow).where(SourceRow.name == name))
                    return gone
            gone += len(some)


def told(row: SourceRow) -> dict[str, Any]:
    """The last run, for programs."""
    took = (row.ended_at - row.started_at).total_seconds() if row.ended_at and row.started_at else None
    names = ("rows", "added", "changed", "removed", "refused")
    return {
        "started_at": row.started_at.isoformat() if row.started_at else None,
        "took_s": round(took, 3) if took is not None else None,
        **{name: getattr(row, name) for name in names},
        "error": error_of(row),
    }
