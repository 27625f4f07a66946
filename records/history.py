"""Who changed what of a customer, and when: one row for each field, in the transaction that changes it.

Fields are named as columns of `customers`, but for `debt` (amount and currency together), `manager` (the name that the
person had), `number` (a number or a range, with label and extension), and the company's own, whose names stand after
`records.custom.OWN`. What an import or a source changes is told by their own pages.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from records.custom import OWN
from records.pages import Page, at_most, cursor, values_of
from records.tables import Customer, CustomerChange, NumberRange, PhoneNumber, User

MERGED = "merged"
"""The other one, when two became one; after it and a dot stands a field of theirs whose value was not kept."""

PLAIN = ("external_id", "name", "company", "email", "address", "note", "photo")


def kept_of(session: Session, customer: Customer) -> dict[str, Any]:
    """A customer as the history tells it; what is empty is not in it."""
    values: dict[str, Any] = {name: getattr(customer, name) for name in PLAIN}
    if customer.debt_minor:
        values["debt"] = {"minor": customer.debt_minor, "currency": customer.currency}
    with session.no_autoflush:
        manager = session.get(User, customer.manager_id) if customer.manager_id else None
    values["manager"] = manager.name if manager else None
    own = customer.custom if isinstance(customer.custom, Mapping) else {}
    values |= {OWN + name: value for name, value in own.items()}
    return {name: value for name, value in values.items() if value not in (None, "")}


def note(
    session: Session, customer_id: int, before: Mapping[str, Any], after: Mapping[str, Any], by_id: int | None
) -> None:
    """What differs, in the order of the names."""
    now = datetime.now(UTC)
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            _add(session, customer_id, name, before.get(name), after.get(name), by_id, now)


def note_number(
    session: Session,
    customer_id: int,
    before: PhoneNumber | NumberRange | None,
    after: PhoneNumber | NumberRange | None,
    by_id: int | None,
    label_before: str | None = None,
) -> None:
    """A number that came or went. The same row twice: its label is another, and was `label_before`."""
    was, now = (_number(each) if each else None for each in (before, after))
    if was and label_before is not None:
        was["label"] = label_before
    _add(session, customer_id, "number", was, now, by_id, datetime.now(UTC))


def note_merge(
    session: Session,
    customer_id: int,
    other_id: int,
    name: str,
    lost: Mapping[str, Any],
    numbers: Collection[PhoneNumber],
    by_id: int | None,
) -> None:
    """Another customer was merged into this one; `lost`: values of theirs that were not kept, and `numbers` that both
    had, with the labels that were not.
    """
    now = datetime.now(UTC)
    _add(session, customer_id, MERGED, {"customer_id": other_id, "name": name}, None, by_id, now)
    for field in sorted(lost):
        _add(session, customer_id, f"{MERGED}.{field}", lost[field], None, by_id, now)
    for number in numbers:
        _add(session, customer_id, f"{MERGED}.number", _number(number), None, by_id, now)


def changes_of(
    session: Session, customer_id: int, fields: Collection[str], *, after: str = "", limit: int = 20
) -> Page[CustomerChange]:
    """The newest first, of these fields only; with `by`. Raises Refused for an `after` that is not ours."""
    wanted = select(CustomerChange).where(CustomerChange.customer_id == customer_id, CustomerChange.field.in_(fields))
    if after:
        wanted = wanted.where(CustomerChange.id < values_of(after, int)[0])
    count = at_most(limit)
    newest = wanted.order_by(CustomerChange.id.desc()).limit(count + 1).options(selectinload(CustomerChange.by))
    rows = session.scalars(newest).all()
    return Page(tuple(rows[:count]), cursor(rows[count - 1].id) if len(rows) > count else "")


def _number(row: PhoneNumber | NumberRange) -> dict[str, Any]:
    if isinstance(row, NumberRange):
        return {"number": row.raw, "label": row.label, "ext": ""}
    return {"number": row.e164 or row.raw, "label": row.label, "ext": row.ext}


def _add(
    session: Session, customer_id: int, field: str, before: Any, after: Any, by_id: int | None, at: datetime
) -> None:
    session.add(CustomerChange(customer_id=customer_id, at=at, by_id=by_id, field=field, before=before, after=after))
