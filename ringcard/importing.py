"""`ringcard import FILE`: customers from a CSV file, with every row that could not be taken and why."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from config.settings import Settings
from records.database import open_database
from records.intake.csv_file import ImportResult, import_customers
from records.migrate import check
from ringcard import compose

ERRORS_SHOWN = 50
PROGRESS_S = 2.0


def import_file(settings: Settings, file: Path, dry_run: bool) -> int:
    """Import and tell. The exit status is 1 when a row could not be taken; the others are in nevertheless."""
    database = open_database(settings.database_url)
    try:
        check(database)
        result = import_customers(
            database,
            file,
            compose.reader(settings),
            _Progress(),
            currency=settings.company.currency,
            dry_run=dry_run,
        )
    finally:
        database.dispose()
    print(_told(result, dry_run))
    if not dry_run:
        compose.forget(settings, result.keys)
    return 1 if result.errors else 0


def _told(result: ImportResult, dry_run: bool) -> str:
    verb = "would be " if dry_run else ""
    lines = [f"{result.added} {verb}added, {result.changed} {verb}changed, {result.unchanged} unchanged."]
    if result.unused_columns:
        lines.append(f"Columns that were not used: {', '.join(result.unused_columns)}.")
    if result.errors:
        count = len(result.errors)
        lines.append(f"{count} row{'s' if count > 1 else ''} {'would not be' if dry_run else 'could not be'} taken:")
        lines += [f"  {error}" for error in result.errors[:ERRORS_SHOWN]]
        if len(result.errors) > ERRORS_SHOWN:
            lines.append(f"  ... and {len(result.errors) - ERRORS_SHOWN} more")
        lines.append("Correct these rows and import the file again; what is in already stays as it is.")
    return "\n".join(lines)


class _Progress:
    """How many rows are done, said every two seconds."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self, rows: int) -> None:
        if time.monotonic() - self._said >= PROGRESS_S:
            self._said = time.monotonic()
            print(f"{rows} rows ...", file=sys.stderr, flush=True)
