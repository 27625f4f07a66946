"""A program tells us of its customers, one at a time: the same twice changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b

import orjson
from sqlalchemy.orm import Session

from records.intake import store
from records.intake.rows import Meaning, Row
from records.intake.rules import Mirrored, Owner, Problem, Understanding, Wanted, mirror
from records.sources.owned import owned
from records.sources.reading import owned_by
from records.tables import SourceRow


@dataclass(frozen=True, slots=True)
class Put:
    customer_id: int
    made: bool
    changed: bool
    mark: str  # of all that the source has said of this customer


class Faults(Exception):
    """What is wrong with what was told, all of it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def understood(row: Row, understanding: Understanding) -> Wanted:
    """Raises Faults."""
    wanted, problems = understanding.as_far_as_it_goes(row)
    if problems or wanted is None:
        raise Faults(problems)
    return wanted


def put(session: Session, source: str, wanted: Wanted, row: Row, currency: str) -> Put:
    """This customer of the source is so. A field that it has ever told is the source's: left out, it is empty."""
    known = _heard(session, source)
    fields = (owned(session, source) | owned_by(map(Meaning, row.cells))) - {"numbers", "external_id"}
    known.columns = orjson.dumps(sorted(fields)).decode()
    external_id = str(wanted.fields["external_id"])
    made = mirror(
        [wanted],
        store.owners_in(session, source, [external_id]).values(),
        frozenset(),
        Mirrored(source, fields),
        currency,
    )
    store.write(session, made, None, None, source)
    known.added, known.changed, known.removed = len(made.added), made.changed, 0
    (owner,) = made.claimed
    return Put(owner.customer_id, bool(made.added), bool(made.changed), mark(owner, fields))


def drop(session: Session, source: str, external_id: str) -> bool:
    """Whether there was such a customer. One who was merged into another is kept here, and stays."""
    known = _heard(session, source)
    ids = [owner.id for owner in store.owners_in(session, source, [external_id]).values() if not owner.merged_into]
    store.remove(session, source, ids)
    known.added, known.changed, known.removed = 0, 0, len(ids)
    return bool(ids)


def mark(owner: Owner, fields: frozenset[str]) -> str:
    numbers = sorted((number.raw, number.label) for number in owner.numbers)
    state: Mapping[str, object] = {name: owner.fields[name] for name in sorted(fields)}
    return blake2b(orjson.dumps([state, numbers]), digest_size=12).hexdigest()


def _heard(session: Session, source: str) -> SourceRow:
    known = session.get(SourceRow, source)
    if known is None:
        known = SourceRow(name=source, columns="[]")
        session.add(known)
    known.started_at = known.ended_at = known.succeeded_at = datetime.now(UTC)
    known.rows, known.error = 1, ""
    session.flush()
    return known
