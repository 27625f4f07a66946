"""Doctor's look at the sources of customers: which failed, is overdue, or is known no more."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import make_url

from config.sentences import counted, say
from config.settings import Settings, Source
from records.database import open_database, reading
from records.errors import RecordsError
from records.migrate import check
from records.sources import runs
from records.tables import SourceRow
from ringcard.check_records import ANSWER_S
from ringcard.findings import Finding, ok, warn


def sources(settings: Settings) -> list[Finding]:
    """Nothing when the database cannot be asked: that is a finding of its own. Blocks; call it in a thread."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return []
    database = open_database(settings.database_url, ANSWER_S)
    try:
        check(database)
        with reading(database) as session:
            known = runs.sources(session)
    except RecordsError:
        return []
    finally:
        database.dispose()
    nothing: tuple[SourceRow | None, int] = (None, 0)
    findings = [_one(name, source, *known.get(name, nothing)) for name, source in settings.sources.items()]
    return findings + [_left(name, count) for name, (_, count) in known.items() if name not in settings.sources]


def _one(name: str, source: Source, row: SourceRow | None, customers: int) -> Finding:
    finding = say("source {name}", name=name)
    if source.kind == "push":
        if row is None or row.started_at is None:
            mend = say("Have the program that keeps them tell us; docs/sources.md says how.")
            return warn(finding, say("has told us nothing yet"), mend)
        return ok(
            finding,
            say("{customers}, heard of last {time} UTC", customers=_customers(customers), time=_time(row.started_at)),
        )
    wrong = runs.trouble(row, source, datetime.now(UTC))
    if wrong.startswith("failed"):
        return warn(finding, wrong, say("What was known stays. Mend that, then: ringcard source run {name}", name=name))
    if wrong:
        return warn(
            finding,
            wrong,
            say("Is ringcard run running? Its worker reads it. Now: ringcard source run {name}", name=name),
        )
    assert row is not None
    seen = say("{customers}, read {time} UTC", customers=_customers(customers), time=_time(row.succeeded_at))
    if row.refused:
        refused = counted("{n} row not taken", "{n} rows not taken", row.refused)
        seen = say("{seen}, {refused} (ringcard source list)", seen=seen, refused=refused)
    return ok(finding, seen)


def _customers(count: int) -> str:
    return counted("{n} customer", "{n} customers", count)


def _time(when: datetime | None) -> str:
    return f"{when:%Y-%m-%d %H:%M}" if when else ""


def _left(name: str, customers: int) -> Finding:
    mend = say("Name it again, or let them go: ringcard source forget {name}", name=name)
    return warn(
        say("source {name}", name=name),
        say("settings do not name it; it left {customers} here", customers=_customers(customers)),
        mend,
    )
