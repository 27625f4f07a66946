"""Which lookups a change has made wrong: every write of what a card shows tells, so that the cache forgets it.

The row's `version` grows in the same transaction, so an older card can be told from a newer one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from records.tables import Customer, NumberRange, PhoneNumber


@dataclass(frozen=True, slots=True)
class Touched:
    """Keys whose cached answer is wrong once the transaction has committed, and not before."""

    keys: frozenset[str] = frozenset()  # match_keys
    tails: frozenset[str] = frozenset()  # nsn_tails
    customer_ids: frozenset[int] = frozenset()
    ranges: frozenset[tuple[str, int]] = frozenset()  # how their match_keys begin, and how many digits follow

    def __or__(self, other: Touched) -> Touched:
        return Touched(
            self.keys | other.keys,
            self.tails | other.tails,
            self.customer_ids | other.customer_ids,
            self.ranges | other.ranges,
        )

    def __bool__(self) -> bool:
        return bool(self.keys or self.tails or self.customer_ids or self.ranges)


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
    return lookups_of(session, ids)


def lookups_of(session: Session, customer_ids: Sequence[int]) -> Touched:
    """Every lookup that leads to these customers."""
    numbers = session.execute(
        select(PhoneNumber.match_key, PhoneNumber.nsn_tail).where(PhoneNumber.customer_id.in_(customer_ids))
    ).all()
    ranges = session.execute(
        select(NumberRange.prefix, NumberRange.open_digits).where(NumberRange.customer_id.in_(customer_ids))
    )
    return Touched(
        frozenset(key for key, _ in numbers if key),
        frozenset(tail for _, tail in numbers if tail),
        frozenset(customer_ids),
        frozenset((prefix, count) for prefix, count in ranges if prefix and count),
    )
