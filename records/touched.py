"""Which lookups a change has made wrong: every write of what a card shows tells, so that the cache forgets it.

The row's `version` grows in the same transaction, so an older card can be told from a newer one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from records.tables import Customer, PhoneNumber


@dataclass(frozen=True, slots=True)
class Touched:
    """Keys whose cached answer is wrong once the transaction has committed, and not before."""

    keys: frozenset[str] = frozenset()  # match_keys
    tails: frozenset[str] = frozenset()  # nsn_tails
    customer_ids: frozenset[int] = frozenset()

    def __or__(self, other: Touched) -> Touched:
        return Touched(self.keys | other.keys, self.tails | other.tails, self.customer_ids | other.customer_ids)

    def __bool__(self) -> bool:
        return bool(self.keys or self.tails or self.customer_ids)


def touch(session: Session, customer_ids: Iterable[int] | Select[int]) -> Touched:
    """The customers changed: their versions grow, and all their numbers are to be looked up anew."""
    ids = sorted(set(session.scalars(customer_ids).all() if isinstance(customer_ids, Select) else customer_ids))
    touched = Touched()
    for start in range(0, len(ids), 500):  # databases limit the parameters of one statement
        touched |= _touch_some(session, ids[start : start + 500])
    return touched


def _touch_some(session: Session, ids: list[int]) -> Touched:
    session.flush()
    session.execute(
        update(Customer).where(Customer.id.in_(ids)).values(version=Customer.version + 1, updated_at=datetime.now(UTC))
    )
    rows = session.execute(
        select(PhoneNumber.match_key, PhoneNumber.nsn_tail).where(PhoneNumber.customer_id.in_(ids))
    ).all()
    return Touched(
        frozenset(row.match_key for row in rows if row.match_key),
        frozenset(row.nsn_tail for row in rows if row.nsn_tail),
        frozenset(ids),
    )
