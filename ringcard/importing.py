"""`ringcard import FILE`: customers from a file, and every row that could not be taken and why; undoing it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from config.sentences import say
from config.settings import Settings
from records.card_layouts import kept_now
from records.database import open_database, reading, writing
from records.errors import NotFound, Refused
from records.intake import imports
from records.intake.apply import Outcome, Progress
from records.intake.headers import Own, meanings
from records.intake.imports import Intake
from records.intake.mappings import forget_mapping, keep_mapping, kept_mappings
from records.intake.rows import Table
from records.intake.undo import kept
from records.migrate import check
from records.tables import Import
from ringcard import compose
from ringcard.findings import several

ERRORS_SHOWN = 50
PROGRESS_S = 2.0
DOING = {
    "reading": say("reading"),
    "checking": say("checking"),
    "importing": say("importing"),
    "undoing": say("undoing"),
}


def main_import(settings: Settings, args: argparse.Namespace) -> int:
    """The exit status is 1 when a row could not be taken (the others are in nevertheless), or undo has left some."""
    with intake_for(settings) as intake:
        if args.list:
            return _list(intake)
        if args.mappings:
            return _mappings(intake)
        if args.forget_mapping is not None:
            with writing(intake.database) as session:
                forget_mapping(session, args.forget_mapping)
            print(f"Mapping {args.forget_mapping} is forgotten.")
            return 0
        if args.undo is not None:
            return _undo(intake, args.undo)
        if args.resume is not None:
            return _resume(intake, args.resume)
        if args.file is None:
            raise Refused("which file? Write: ringcard import FILE; ringcard import --help lists what else there is")
        return _import(intake, args.file, _mapping(args.map, intake.own_fields), args.sheet, args.dry_run)


def _import(intake: Intake, path: Path, mapping: dict[str, str], sheet: str, dry_run: bool) -> int:
    table = imports.look_at(intake, path, mapping, sheet)
    if mapping and not dry_run:
        with writing(intake.database) as session:
            keep_mapping(session, table.headers, mapping)
    if dry_run:
        outcome = imports.rehearse_table(intake, table)
    else:
        _say_interrupted(intake)
        import_id, outcome = imports.import_table(intake, table, path.name)
        print(f"Import {import_id}; `ringcard import --undo {import_id}` takes it back.")
    print(_told(outcome, dry_run, _unused(table)))
    return 1 if outcome.refused else 0


def _resume(intake: Intake, import_id: int) -> int:
    if not import_id:
        waiting = _interrupted(intake)
        if not waiting:
            raise NotFound("no import was interrupted")
        import_id = waiting[0].id
    if imports.one_import(intake.database, import_id).state == "undoing":
        return _undo(intake, import_id)
    outcome = imports.go_on(intake, import_id)
    print(f"Import {import_id} is complete.")
    print(_told(outcome, False, ""))
    return 1 if outcome.refused else 0


def _undo(intake: Intake, import_id: int) -> int:
    row = imports.undo(intake, import_id)
    print(f"Import {import_id} of {row.file} is undone.")
    if row.kept:
        shown = kept(intake.database, import_id, ERRORS_SHOWN)
        print(f"{several(row.kept, 'customer')} stay{'s' if row.kept == 1 else ''} as somebody has made them since:")
        for customer_id, name, why in shown:
            print(f"  {name} (customer {customer_id}): {why}")
        if row.kept > len(shown):
            print(f"  ... and {row.kept - len(shown)} more")
    return 1 if row.kept else 0


def _list(intake: Intake) -> int:
    with reading(intake.database) as session:
        rows = imports.imports(session)
    if not rows:
        print("Nothing was imported yet.")
    for row in rows:
        by = row.by.login if row.by else "by command"
        counts = f"{row.added} added, {row.changed} changed, {row.unchanged} unchanged, {row.refused} not taken"
        print(
            f"{row.id:>5}  {row.started_at:%Y-%m-%d %H:%M} UTC  {by:<12}  {row.file}  {counts}  {_state(intake, row)}"
        )
    return 0


def _state(intake: Intake, row: Import) -> str:
    if imports.is_interrupted(intake.data_dir, row):
        return f"interrupted at {row.done} of {row.rows}; finish it: ringcard import --resume {row.id}"
    return row.state + (f", {row.kept} kept" if row.kept else "") + (f": {imports.said_of(row)}" if row.said else "")


def _mappings(intake: Intake) -> int:
    with reading(intake.database) as session:
        known = kept_mappings(session)
    if not known:
        print("No mapping is kept.")
    for mapping_id, mapping in known:
        print(f"{mapping_id:>5}  {', '.join(f'{header!r} is {target}' for header, target in mapping.items())}")
    return 0


def _interrupted(intake: Intake) -> list[Import]:
    with reading(intake.database) as session:
        rows = imports.imports(session)
    return [
        row for row in rows if row.state in ("importing", "undoing") and imports.is_interrupted(intake.data_dir, row)
    ]


def _say_interrupted(intake: Intake) -> None:
    for row in _interrupted(intake):
        said = f"Import {row.id} of {row.file} was interrupted; `ringcard import --resume {row.id}` finishes it."
        print(said, file=sys.stderr)


def _mapping(said: Sequence[str], own: Own) -> dict[str, str]:
    mapping = {}
    for one in said:
        header, is_, target = one.rpartition("=")
        if not is_ or not header.strip():
            raise Refused(f"--map {one!r}: write it as 'COLUMN=what it is', like 'Kundennummer=external_id'")
        mapping[header.strip()] = target
    meanings([*mapping], mapping, own)  # says at once when a target is none
    return mapping


def _unused(table: Table) -> str:
    return ", ".join(
        header for header, meaning in zip(table.headers, table.meanings, strict=True) if header and meaning is None
    )


def _told(outcome: Outcome, dry_run: bool, unused: str) -> str:
    verb = "would be " if dry_run else ""
    lines = [f"{outcome.added} {verb}added, {outcome.changed} {verb}changed, {outcome.unchanged} unchanged."]
    if unused:
        lines.append(f"Columns that were not used: {unused}.")
    if outcome.refused:
        what = several(outcome.refused, outcome.errors[0].unit)
        lines.append(f"{what} {'would not be' if dry_run else 'could not be'} taken:")
        lines += [f"  {error}" for error in outcome.errors[:ERRORS_SHOWN]]
        if outcome.refused > ERRORS_SHOWN:
            lines.append(f"  ... and {outcome.refused - ERRORS_SHOWN} more")
        lines.append("Correct that and import the file again; what is in already stays as it is.")
    return "\n".join(lines)


@contextmanager
def intake_for(settings: Settings) -> Iterator[Intake]:
    database = open_database(settings.database_url)
    try:
        check(database)
        compose.warm()
        with reading(database) as session:
            own = kept_now(session, settings.fields)
        with compose.forgetting(settings) as forget:
            yield Intake(
                database,
                settings.data_dir,
                compose.reader(settings),
                settings.company.currency,
                own,
                forget,
                Said(PROGRESS_S, _say),
            )
    finally:
        database.dispose()


def _say(said: str) -> None:
    print(said, file=sys.stderr, flush=True)


class Said:
    """How far it is, how quick, and how long it will take; said every few seconds."""

    def __init__(self, every_s: float, tell: Callable[[str], None]) -> None:
        self._every_s, self._say = every_s, tell
        self._doing, self._began, self._began_with, self._said = "", 0.0, 0, 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.doing != self._doing:
            self._doing, self._began, self._began_with, self._said = progress.doing, now, progress.done, now
        if now - self._said < self._every_s:
            return
        self._said = now
        rate = (progress.done - self._began_with) / (now - self._began)
        values = {"doing": DOING[progress.doing], "done": f"{progress.done:,}", "total": f"{progress.total or 0:,}"}
        values["rate"] = f"{rate:,.0f}"
        if not progress.total:
            self._say(say("{doing} {done}, {rate} a second", **values))
        elif not rate:
            self._say(say("{doing} {done} of {total}, {rate} a second", **values))
        else:
            left = _lasting((progress.total - progress.done) / rate)
            self._say(say("{doing} {done} of {total}, {rate} a second, {left} left", **values, left=left))


def _lasting(seconds: float) -> str:
    if seconds < 90:
        return say("{seconds} s", seconds=round(seconds))
    return say("{minutes} min", minutes=round(seconds / 60))
