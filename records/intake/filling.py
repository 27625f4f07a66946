"""Rows are understood and put into a stage."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Protocol

from config.sentences import say
from records.intake.apply import Progress, Tell, error_of
from records.intake.rows import Meaning, Row, RowError
from records.intake.rules import Problem, Understanding, Wanted
from records.intake.stage import Stage

AT_ONCE = 1000
"""Rows put into the stage together."""


class Rows(Protocol):
    """What is needed of a `Table` to read it once."""

    @property
    def kind(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def headers(self) -> tuple[str, ...]: ...
    @property
    def meanings(self) -> tuple[Meaning | None, ...]: ...
    def rows(self) -> Iterator[Row]: ...


def fill(stage: Stage, table: Rows, understanding: Understanding, tell: Tell, *, mirrored: bool = False) -> int:
    """All rows of a table; how many. Of a source (`mirrored`), a row is taken as far as it can be understood, and
    whoever is in a row that cannot be taken at all is known to be there. Raises Refused.
    """
    pairs = zip(table.headers, table.meanings, strict=True)
    first = {f"header {meaning.column}": header for header, meaning in reversed([*pairs]) if meaning is not None}
    stage.say(unit=table.unit, kind=table.kind, **first)
    rows, done = table.rows(), 0
    while batch := [*islice(rows, AT_ONCE)]:
        wanted: list[Wanted] = []
        errors: list[RowError] = []
        for row in batch:
            one, problems = (_as_known_there if mirrored else _wholly)(understanding, row)
            if one is not None:
                wanted.append(one)
            errors += [error_of(row.number, problem, stage) for problem in problems]
        stage.put(wanted, errors)
        if mirrored:
            stage.keep(text for row in batch if (text := row.text("external_id")))
        done += len(batch)
        tell(Progress("reading", done))
    return done


def _wholly(understanding: Understanding, row: Row) -> tuple[Wanted | None, list[Problem]]:
    try:
        return understanding(row), []
    except Problem as problem:
        return None, [problem]


def _as_known_there(understanding: Understanding, row: Row) -> tuple[Wanted | None, list[Problem]]:
    if not row.problem and not row.text("external_id"):
        return None, [
            Problem("external_id", say("has no id, by which it would be known again"), row.header("external_id"))
        ]
    return understanding.as_far_as_it_goes(row)
