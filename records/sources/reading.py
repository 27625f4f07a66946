"""What every source that is read gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from records.custom import OWN
from records.intake.filling import Rows
from records.intake.rows import Cell, Meaning, Row


@dataclass(frozen=True, slots=True)
class FileSeen:
    """A file of a source. `mark` changes with it; empty: it is to be read again in any case."""

    name: str
    mark: str
    external_ids: tuple[str, ...]


@dataclass(slots=True)
class Known:
    """What the last run has left: how far it read, and the files that it saw."""

    since: str = ""
    files: dict[str, FileSeen] = field(default_factory=dict)


class Reading(Rows, Protocol):
    """A source that was opened. `since`, `files` and `kept` are right after the last row only."""

    @property
    def full(self) -> bool: ...  # whoever is in no row and not among `kept` is gone
    @property
    def since(self) -> str: ...  # to be kept in `Known`
    @property
    def files(self) -> tuple[FileSeen, ...] | None: ...  # the same; None: this source has none

    def rows(self) -> Iterator[Row]:
        """Each customer. Raises Refused when one cannot be had: the run fails then."""
        ...

    def kept(self) -> Iterable[str]:
        """Ids of those who are there though they are in no row."""
        ...


Opened = AbstractContextManager[Reading]


def owned_by(meanings: Iterable[Meaning | None]) -> frozenset[str]:
    """Fields of a customer that these columns give for good; a note is ours from when the customer is known."""
    names = {"debt": "debt_minor", "manager": "manager_id"}
    given = [meaning for meaning in meanings if meaning and meaning.column not in ("number", "external_id", "note")]
    own = {OWN + meaning.label for meaning in given if meaning.column == "custom"}
    return frozenset(
        {"name", *own, *(names.get(each.column, each.column) for each in given if each.column != "custom")}
    )


def together(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows of one customer that follow each other (one for each number, say) become one."""
    last: Row | None = None
    for row in rows:
        if last and row.text("external_id") and row.text("external_id") == last.text("external_id"):
            numbers: tuple[Cell, ...] = (*last.cells.get("number", ()), *row.cells.get("number", ()))
            last = Row(last.number, {**last.cells, "number": numbers}, last.problem or row.problem, last.photo)
            continue
        if last:
            yield last
        last = row
    if last:
        yield last
