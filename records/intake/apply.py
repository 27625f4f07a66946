"""The rows of a stage become customers, in transactions so short that nobody notices; or it is only said what would be.

A batch is planned before the records are locked, and planned again under the lock only when something changed
meanwhile. How far an import has come stands in the records, in the transaction of the batch itself: killed at any
moment, it goes on from there, and nothing is doubled.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from records.database import reading, writing
from records.intake import store
from records.intake.rows import RowError
from records.intake.rules import Mirrored, Owner, Plan, Problem, Wanted, mirror, plan
from records.intake.stage import Stage
from records.tables import Import
from records.touched import Touched

AT_ONCE = 400
"""Rows per transaction: some hundredths of a second, so that whoever else writes waits no longer."""

TOLD_FOR_S = 5.0
"""How long after the cache forgot something it may be relied on to keep nothing older; half of what it promises."""

SHOWN = 200
"""Errors that are kept in the records, and so shown; the others are counted."""

LONGEST_ERROR = 400  # characters; what a file says may be in it

_IMAGINED = 1 << 40
"""Ids of customers that a rehearsal added are above this, so that they come last."""

Forget = Callable[[Touched], bool]
"""Has the cache forget; False when it cannot be told now. What was noted of the changes is then left to the worker."""


@dataclass(frozen=True, slots=True)
class Progress:
    doing: str  # "reading", "checking", "importing", "undoing"
    done: int
    total: int | None = None  # not known while a file is read


Tell = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an import did, or would do. Rows that it could not take: how many, and the first of them."""

    added: int
    changed: int
    unchanged: int
    refused: int
    errors: tuple[RowError, ...]


def cannot_tell(_: Touched) -> bool:
    """For those who have no cache at hand: the worker tells it."""
    return False


class Application:
    """Writes what is left of a stage: for the import `import_id`, whose rows up to `done_to` are written, or for the
    source that is `mirrored`.
    """

    def __init__(
        self,
        database: Engine,
        stage: Stage,
        import_id: int | None,
        currency: str,
        by_id: int | None = None,
        forget: Forget = cannot_tell,
        mirrored: Mirrored | None = None,
    ) -> None:
        self._database, self._stage, self._import_id = database, stage, import_id
        self._currency, self._by_id, self._forget = currency, by_id, forget
        self._mirrored = mirrored
        self.added = self.changed = self.removed = 0

    def run(self, done_to: int, done: int, tell: Tell) -> None:
        """`done` rows were counted as done before. Raises DatabaseGone, Refused; what is written stays."""
        self._stage.begin(done_to)
        total = self._stage.rows
        while batch := self._stage.after(done_to, AT_ONCE):
            try:
                self._write(batch)
            except IntegrityError:  # somebody else entered one of these customers at the same moment
                self._stage.begin(done_to)
                self._write(batch)
            done_to, done = batch[-1].row, done + len(batch)
            tell(Progress("importing", done, total))

    def _write(self, batch: Sequence[Wanted]) -> None:
        with reading(self._database) as session:
            newest = store.newest_change(session)
            made = _planned(session, self._stage, batch, self._currency, self._mirrored)
        told, told_at = touched_by(made.added), time.monotonic()
        knows = bool(told) and self._forget(told)
        with writing(self._database) as session:
            if store.newest_change(session) != newest:
                newest = store.newest_change(session)
                made = _planned(session, self._stage, batch, self._currency, self._mirrored)
            store.write(session, made, self._import_id, self._by_id, self._mirrored.source if self._mirrored else "")
            claims = [(owner.id, row) for owner, row in made.claimed.items()]
            problems = [self._error(*problem) for problem in made.problems]
            self._stage.note(claims, problems)
            self._count(session, made, batch)
            added = touched_by(made.added)
            knows = knows and added.keys <= told.keys and added.tails <= told.tails and added.ranges <= told.ranges
            if knows and time.monotonic() - told_at < TOLD_FOR_S:
                store.cache_knows(session, added.customer_ids, newest)
        self.added, self.changed = self.added + len(made.added), self.changed + made.changed
        if made.changes:
            self._forget(touched_by([*made.changes]))

    def remove_others(self, source: str) -> None:
        """Those customers of the source whom no row was. To be called when all rows are written."""
        for others in not_seen(self._database, self._stage, source):
            with writing(self._database) as session:
                store.remove(session, source, others)
            self.removed += len(others)

    def _count(self, session: Session, made: Plan, batch: Sequence[Wanted]) -> None:
        if self._import_id is None:
            return
        counts = {
            "done": Import.done + len(batch),
            "done_to": batch[-1].row,
            "added": Import.added + len(made.added),
            "changed": Import.changed + made.changed,
            "unchanged": Import.unchanged + made.unchanged,
            "refused": Import.refused + len(made.problems),
        }
        session.execute(update(Import).where(Import.id == self._import_id).values(**counts))

    def _error(self, row: int, problem: Problem) -> RowError:
        return error_of(row, problem, self._stage)


def not_seen(database: Engine, stage: Stage, source: str) -> Iterator[list[int]]:
    """Customers of a source who are in none of its rows, some at a time."""
    last = 0
    while True:
        with reading(database) as session:
            some = store.customers_of(session, source, last, AT_ONCE)
        if not some:
            return
        last = max(some)
        there, kept = stage.claimed(some), stage.kept(some.values())
        others = [id for id, external_id in some.items() if id not in there and external_id not in kept]
        if others:
            yield others


def rehearse(database: Engine, stage: Stage, currency: str, tell: Tell, mirrored: Mirrored | None = None) -> Outcome:
    """What the import of this stage would do. The records are only read, batch by batch."""
    stage.begin(0)
    added = changed = unchanged = done_to = done = 0
    total = stage.rows
    while batch := stage.after(done_to, AT_ONCE):
        with reading(database) as session:
            made = _planned(session, stage, batch, currency, mirrored)
        for number, owner in enumerate(made.added):
            owner.id = _IMAGINED + added + number
        stage.imagine([*made.added, *made.changes])
        problems = [error_of(*problem, stage) for problem in made.problems]
        stage.note([(owner.id, row) for owner, row in made.claimed.items()], problems)
        added, changed, unchanged = added + len(made.added), changed + made.changed, unchanged + made.unchanged
        done_to, done = batch[-1].row, done + len(batch)
        tell(Progress("checking", done, total))
    refused, errors = stage.errors(SHOWN, stage.said("unit"))
    return Outcome(added, changed, unchanged, refused, tuple(errors))


def error_of(row: int, problem: Problem, stage: Stage) -> RowError:
    header = problem.header or (stage.said(f"header {problem.column}") if problem.column else "")
    message = str(problem)
    short = message if len(message) <= LONGEST_ERROR else message[:LONGEST_ERROR]
    return RowError(row, header, short, stage.said("unit"))


def touched_by(owners: Sequence[Owner]) -> Touched:
    numbers = [number for owner in owners for number in owner.numbers]
    return Touched(
        frozenset(number.match_key for number in numbers if number.match_key and not number.open_digits),
        frozenset(number.tail for number in numbers if number.tail),
        frozenset(owner.customer_id for owner in owners),
        frozenset((number.match_key, number.open_digits) for number in numbers if number.open_digits),
    )


def _planned(session: Session, stage: Stage, batch: Sequence[Wanted], currency: str, mirrored: Mirrored | None) -> Plan:
    if mirrored:
        ids = {str(one.fields["external_id"]) for one in batch}
        known = store.owners_in(session, mirrored.source, ids)
    else:
        known = store.owners_meant(session, batch)
    imagined = stage.imagined(batch, known.keys())
    known = dict(sorted({**known, **imagined}.items()))
    if mirrored:
        return mirror(batch, known.values(), stage.claimed(known.keys()), mirrored, currency)
    return plan(batch, known.values(), stage.claimed(known.keys()), currency)
