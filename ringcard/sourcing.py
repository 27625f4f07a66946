"""`ringcard source ...`: where else customers are kept, how their last runs went, and one run now."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from config.settings import LAST_ORDER, Settings, Source
from records.database import reading
from records.errors import NotFound
from records.intake.imports import Intake
from records.sources import runs
from records.tables import SourceRow
from ringcard.findings import several
from ringcard.importing import intake_for
from ringcard.source_programs import Limited

ERRORS_SHOWN = 50


def main_source(settings: Settings, args: argparse.Namespace) -> int:
    with intake_for(settings) as intake:
        if args.action == "list":
            return _list(intake, settings, args.json)
        if args.action == "forget":
            gone = runs.forget(intake, args.name)
            print(f"{several(gone, 'customer')} of {args.name} removed, and what was known of it.")
            return 0
        source = settings.sources.get(args.name)
        if source is None:
            known = ", ".join(settings.sources) or "none"
            raise NotFound(f"settings name no source {args.name!r}; they name: {known}")
        with Limited(settings, args.name, lambda said: print(said, file=sys.stderr, flush=True)):
            ran = runs.run(intake, args.name, source, dry_run=args.dry_run)
        print(_told(ran, args.dry_run))
        return 1 if ran.refused else 0


def _told(ran: runs.Ran, dry_run: bool) -> str:
    would = "would be " if dry_run else ""
    counts = f"{ran.added} {would}added, {ran.changed} {would}changed, {ran.removed} {would}removed."
    lines = [f"{several(ran.rows, 'row')} read: {counts}"]
    if ran.refused:
        lines.append("Not everything could be taken; what could not stays as it was:")
        lines += [f"  {error}" for error in ran.errors[:ERRORS_SHOWN]]
        if ran.refused > ERRORS_SHOWN:
            lines.append(f"  ... and {ran.refused - ERRORS_SHOWN} more")
    return "\n".join(lines)


def _list(intake: Intake, settings: Settings, as_json: bool) -> int:
    with reading(intake.database) as session:
        known = runs.sources(session)
    rows = [
        (name, *known.get(name, (None, 0))) for name in sorted({*settings.sources, *known}, key=_by_order(settings))
    ]
    if as_json:
        print(json.dumps([_facts(settings, *row) for row in rows], ensure_ascii=False, indent=2))
        return 0
    if not rows:
        print("No sources. Name one in the settings: [sources.NAME], see docs/sources.md")
    for name, row, customers in rows:
        source = settings.sources.get(name)
        head = f"{source.order if source else '-':>3}  {name:16} {source.kind if source else 'not set':7}"
        print(f"{head} {several(customers, 'customer'):>18}  {_last(row)}")
        if wrong := runs.trouble(row, source, datetime.now(UTC)) if source else "settings do not name it any more":
            print(f"     {wrong}")
        for error in runs.errors_of(row)[:3] if row else []:
            print(f"     {error}")
    return 0


def _by_order(settings: Settings) -> Callable[[str], tuple[int, str]]:
    return lambda name: (settings.sources[name].order if name in settings.sources else LAST_ORDER, name)


def _last(row: SourceRow | None) -> str:
    if row is None or row.started_at is None:
        return "never ran"
    when = f"{row.started_at:%Y-%m-%d %H:%M:%S} UTC"
    if row.ended_at is None:
        return f"{when}, at work or interrupted"
    took = (row.ended_at - row.started_at).total_seconds()
    return f"{when}, {took:.1f} s, {row.rows} read, +{row.added} ~{row.changed} -{row.removed}, {row.refused} not taken"


def _facts(settings: Settings, name: str, row: SourceRow | None, customers: int) -> dict[str, object]:
    source: Source | None = settings.sources.get(name)
    facts = {"name": name, "kind": source.kind if source else None, "order": source.order if source else None}
    return {**facts, "customers": customers, "last": runs.told(row) if row else None}
