"""Customers who were merged, as rows of sources and files know them still: what these say goes on to who they are now.

What was last told of each is kept. Only what a row says otherwise is a change, so what was chosen when two became one,
and whatever people have changed since, stays until the source or the file itself says something new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from records import search_rows
from records.intake.rules import Change, Number, Owner
from records.tables import CustomerAlias


class Told(msgspec.Struct):
    """What `CustomerAlias.told` holds."""

    fields: dict[str, Any]
    numbers: list[Number]


def told(owner: Owner) -> dict[str, Any]:
    """For `CustomerAlias.told`."""
    kept: dict[str, Any] = msgspec.to_builtins(Told(owner.fields, owner.numbers))
    return kept


def merged(session: Session, source: str, which: ColumnElement[bool]) -> dict[int, Owner]:
    """Those whom this source knows, or of our own for "", as owners of ids below 0."""
    wanted = select(CustomerAlias).where(CustomerAlias.source == source, which).order_by(CustomerAlias.id.desc())
    return {-alias.id: _owner(alias) for alias in session.scalars(wanted)}


def go_on(session: Session, changes: Sequence[Change], customers: Mapping[int, Owner]) -> list[Change]:
    """What is told anew of those who were merged, as changes of their `customers`, who are changed in it as planned."""
    ids = {change.owner.merged_into for change in changes}
    known = {
        -alias.id: _owner(alias)
        for alias in session.scalars(select(CustomerAlias).where(CustomerAlias.customer_id.in_(ids)))
    }
    known |= {change.owner.id: change.owner for change in changes}
    search_rows.note(session, ids)
    for change in changes:
        news = {"told": told(change.owner), "external_id": change.owner.external_id, "name": change.owner.name}
        session.execute(update(CustomerAlias).where(CustomerAlias.id == -change.owner.id).values(**news))
    pairs = ((change, customers.get(change.owner.merged_into)) for change in changes)
    gone_on = (_of_customer(change, customer, known.values()) for change, customer in pairs if customer)
    return [each for each in gone_on if each.after or each.numbers or each.gone]


def _of_customer(change: Change, customer: Owner, known: Any) -> Change:
    told_else = {
        (number.raw, number.label)
        for other in known
        if other is not change.owner and other.merged_into == customer.id
        for number in other.numbers
    }
    leave = {(number.raw, number.label) for number in change.gone} - told_else
    gone = [number for number in customer.numbers if (number.raw, number.label) in leave]
    stay = [number for number in customer.numbers if number not in gone]
    has = {(number.key, number.ext) for number in stay}
    numbers = [number for number in change.numbers if (number.key, number.ext) not in has]
    after = {
        name: value
        for name, value in change.after.items()
        if name != "external_id" and customer.fields.get(name) != value
    }
    before = {name: customer.fields.get(name) for name in after}
    customer.fields |= after
    customer.numbers = stay + numbers
    return Change(customer, before, after, numbers, gone)


def _owner(alias: CustomerAlias) -> Owner:
    kept = msgspec.convert(alias.told, Told)
    fields = {**kept.fields, "external_id": alias.external_id}
    return Owner(-alias.id, fields, kept.numbers, alias.customer_id)
