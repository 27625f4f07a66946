"""All of Ringcard as a company runs it, for measurements that take long or much."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from sqlalchemy import delete

from records.database import writing
from records.tables import Change
from ringcard.lab import Lab
from tests.company import Company

PORT = 18600
START_S = 60.0  # on a machine that much else keeps busy


@asynccontextmanager
async def supervised(
    lab: Lab, folder: Path, more: str, enter: Callable[[Company], object], workers: int = 1
) -> AsyncIterator[Company]:
    """`more` are its settings, `enter` brings its people and customers in before it starts. Several workers share the
    calls; companies with different numbers of them may stand side by side.
    """
    company = Company(lab, folder, PORT + 10 * (workers - 1), cel=True, more=more, workers=workers)
    lab.set_global("RINGCARD_SHARED", "yes" if workers > 1 else "")
    try:
        enter(company)
        with writing(company.database) as session:  # nobody has read them before, so nobody has to be told
            session.execute(delete(Change))
        company.start("")
        await company.listening(START_S)
        await company.desk_ready(START_S)
        yield company
    finally:
        company.close()


def processes(company: Company) -> dict[str, int]:
    """The process ids of Asterisk and of every part of Ringcard that runs now, by name."""
    found = {"Asterisk": company.lab.pid, "supervisor": company.pid(""), **company.children()}
    with suppress(OSError, ValueError):
        found["redis"] = company.child("redis")
    return found
