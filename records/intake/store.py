"""Customers in the records, many at a time: who may be meant by some rows, and what a plan does to them.

Set by set and without objects of the ORM: a batch of 500 rows is some ten statements on both databases.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import orjson
from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    Text,
    any_,
    bindparam,
    case,
    delete,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy import cast as cast_to
from sqlalchemy.orm import Session

from records import search_rows
from records.aliases import fresh_id
from records.custom import OWN
from records.customers import adopt_calls
from records.intake import aliases
from records.intake.rules import FIELDS, Change, Number, Owner, Plan, Wanted, digest, own_values
from records.tables import Base, Customer, CustomerAlias, ImportedCustomer, NumberRange, PhoneNumber
from records.tables import Change as Noted

CUSTOMERS: Any = Customer.__table__
NUMBERS: Any = PhoneNumber.__table__
RANGES: Any = NumberRange.__table__
ALIASES: Any = CustomerAlias.__table__

_FIELDS = [CUSTOMERS.c[name] for name in FIELDS]
_NUMBER = [NUMBERS.c[name] for name in ("raw", "label", "e164", "match_key", "nsn_tail", "ext", "norm_version")]


def owners_meant(session: Session, wanted: Sequence[Wanted]) -> dict[int, Owner]:
    """Everybody of our own whom these rows may mean, in the order of their ids."""
    numbers = [number for one in wanted for number in one.numbers]
    keys = {number.match_key for number in numbers if number.match_key and not number.open_digits}
    prefixes = {number.match_key for number in numbers if number.open_digits}
    unread = {number.raw: number.tail for number in numbers if not number.match_key}
    ids = (
        set(session.scalars(select(NUMBERS.c.customer_id).where(_among(session, NUMBERS.c.match_key, keys))))
        if keys
        else set()
    )
    if unread:  # by their tails, because there is no index on what was typed
        like = select(NUMBERS.c.customer_id, NUMBERS.c.raw).where(
            _among(session, NUMBERS.c.nsn_tail, set(unread.values())), NUMBERS.c.match_key.is_(None)
        )
        ids |= {customer_id for customer_id, raw in session.execute(like) if raw in unread}
    if prefixes:
        ids |= set(session.scalars(select(RANGES.c.customer_id).where(RANGES.c.prefix.in_(prefixes))))
    external_ids = {one.fields["external_id"] for one in wanted if "external_id" in one.fields}
    if external_ids:
        ids |= set(
            session.scalars(select(CUSTOMERS.c.id).where(_among(session, CUSTOMERS.c.external_id, external_ids)))
        )
    merged = _among(session, ALIASES.c.customer_id, ids)
    if external_ids:
        merged |= _among(session, ALIASES.c.external_id, external_ids)
    return {**aliases.merged(session, "", merged), **owners(session, ids)}


def owners_in(session: Session, source: str, external_ids: Collection[str]) -> dict[int, Owner]:
    """The customers of a source with these ids, in the order of ours; those who were merged come first."""
    mine = (CUSTOMERS.c.source == source, _among(session, CUSTOMERS.c.external_id, external_ids))
    there = owners(session, set(session.scalars(select(CUSTOMERS.c.id).where(*mine))), source)
    return {**aliases.merged(session, source, _among(session, ALIASES.c.external_id, external_ids)), **there}


def customers_of(session: Session, source: str, after: int, most: int) -> dict[int, str]:
    """The next customers of a source: our id -> its."""
    some = select(CUSTOMERS.c.id, CUSTOMERS.c.external_id).where(CUSTOMERS.c.source == source, CUSTOMERS.c.id > after)
    rows = session.execute(some.order_by(CUSTOMERS.c.id).limit(most))
    return {id: external_id or "" for id, external_id in rows}


def remove(session: Session, source: str, customer_ids: Collection[int]) -> None:
    """With numbers, orders and tasks; calls stay in the log."""
    search_rows.note(session, customer_ids)
    session.execute(
        delete(CUSTOMERS).where(_among(session, CUSTOMERS.c.id, customer_ids), CUSTOMERS.c.source == source)
    )


def owners(session: Session, customer_ids: Collection[int], source: str = "") -> dict[int, Owner]:
    """These customers, as far as they are ours, or of this source, in the order of their ids."""
    if not customer_ids:
        return {}
    rows = session.execute(
        select(CUSTOMERS.c.id, cast_to(CUSTOMERS.c.custom, Text), *_FIELDS)
        .where(_among(session, CUSTOMERS.c.id, customer_ids), CUSTOMERS.c.source == source)
        .order_by(CUSTOMERS.c.id)
    )
    found = {
        id: Owner(id, {**dict(zip(FIELDS, values, strict=True)), **_own_fields(custom)}, [])
        for id, custom, *values in rows
    }
    held = select(NUMBERS.c.customer_id, *_NUMBER).where(_among(session, NUMBERS.c.customer_id, customer_ids))
    for customer_id, raw, label, e164, key, tail, ext, rules in session.execute(held.order_by(NUMBERS.c.id)):
        if customer_id in found:
            number = Number(raw, label, e164 or "", key or "", tail or "", ext, rules)
            found[customer_id].numbers.append(number)
    spans = select(
        *(RANGES.c[name] for name in ("customer_id", "raw", "label", "prefix", "norm_version", "open_digits"))
    )
    held = spans.where(RANGES.c.customer_id.in_(customer_ids), RANGES.c.prefix.is_not(None))
    for customer_id, raw, label, prefix, rules, open_digits in session.execute(held.order_by(RANGES.c.id)):
        if customer_id in found:
            found[customer_id].numbers.append(Number(raw, label, "", prefix, "", "", rules, open_digits))
    return found


def write(session: Session, plan: Plan, import_id: int | None, by_id: int | None, source: str = "") -> None:
    """Does what was planned. The ids of new customers are put into their `Owner`; with `import_id` it can be undone.

    New rows go to the driver as they are (COPY on PostgreSQL): SQLAlchemy's own way takes twice as long.
    """
    now = datetime.now(UTC)
    time = now.strftime("%Y-%m-%d %H:%M:%S.%f") if session.get_bind().dialect.name == "sqlite" else now
    for owner, customer_id in zip(plan.added, _new_ids(session, len(plan.added)), strict=True):
        owner.id = customer_id
    _put_in(
        session,
        Customer,
        ("id", "source", *FIELDS, "custom", "version", "created_at", "created_by_id", "updated_at"),
        [
            (
                owner.id,
                source,
                *map(owner.fields.__getitem__, FIELDS),
                _json(own_values(owner.fields)),
                1,
                time,
                by_id,
                time,
            )
            for owner in plan.added
        ],
    )
    changes = _changes_of_customers(session, plan)
    fields = ((change.owner.id, change.after) for change in changes)
    set_fields(session, fields, version=CUSTOMERS.c.version + 1, updated_at=now)
    _take_out(session, changes)
    numbers = [(owner.id, number) for owner in plan.added for number in owner.numbers]
    numbers += [(change.owner.id, number) for change in changes for number in change.numbers]
    _put_in(
        session,
        PhoneNumber,
        ("customer_id", "raw", "label", "e164", "match_key", "nsn_tail", "ext", "norm_version"),
        [
            (owner_id, n.raw, n.label, n.e164 or None, n.match_key or None, n.tail or None, n.ext, n.rules)
            for owner_id, n in numbers
            if not n.open_digits
        ],
    )
    _put_in(
        session,
        NumberRange,
        ("customer_id", "raw", "label", "prefix", "open_digits", "norm_version"),
        [(owner_id, n.raw, n.label, n.match_key, n.open_digits, n.rules) for owner_id, n in numbers if n.open_digits],
    )
    search_rows.note(session, [owner.id for owner in plan.added] + [change.owner.id for change in changes])
    adopt_calls(
        session,
        {number.match_key for _, number in numbers if number.match_key and not number.open_digits},
        {(number.match_key, number.open_digits) for _, number in numbers if number.open_digits},
    )
    if import_id is not None:
        _put_in(
            session,
            ImportedCustomer,
            ("import_id", "customer_id", "mark", "change", "kept"),
            [
                *((import_id, owner.id, digest(owner), "", "") for owner in plan.added),
                *((import_id, change.owner.id, "", _told(change), "") for change in changes),
            ],
        )


def _changes_of_customers(session: Session, plan: Plan) -> list[Change]:
    """Those of whoever was merged go on to the customers they have become."""
    ours = [change for change in plan.changes.values() if not change.owner.merged_into]
    merged = [change for change in plan.changes.values() if change.owner.merged_into]
    if not merged:
        return ours
    customers = {change.owner.id: change.owner for change in ours}
    lacking = {change.owner.merged_into for change in merged} - customers.keys()
    return ours + aliases.go_on(session, merged, {**owners(session, lacking), **customers})


def set_fields(session: Session, changes: Iterable[tuple[int, Mapping[str, Any]]], **also: Any) -> None:
    """Gives each of these customers values by the names of fields, and all `also`. Own fields that are not named stay.

    One statement for all that change the same fields.
    """
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for customer_id, fields in changes:
        values = {name: value for name, value in fields.items() if not name.startswith(OWN)}
        if len(values) < len(fields):
            values["custom"] = own_values(fields)
        if values:
            row = {"the_id": customer_id, **{f"new_{name}": value for name, value in values.items()}}
            alike.setdefault(tuple(values), []).append(row)
    for names, rows in alike.items():
        news: dict[str, Any] = {name: bindparam(f"new_{name}", type_=CUSTOMERS.c[name].type) for name in names}
        if "custom" in news:
            news["custom"] = _merged(session, news["custom"])
        changed = update(CUSTOMERS).where(CUSTOMERS.c.id == bindparam("the_id"))
        session.connection().execute(changed.values(**also, **news), rows)


def newest_change(session: Session) -> int:
    """Grows when anything about customers changes, by the triggers of `records.marks`."""
    return session.scalar(select(func.max(Noted.id))) or 0


def cache_knows(session: Session, customer_ids: Collection[int], after: int) -> None:
    """What this transaction noted about these customers, above the change `after`, is nothing that waits to be told."""
    mine = update(Noted).where(
        Noted.id > after, Noted.done_at.is_(None), _among(session, Noted.customer_id, customer_ids)
    )
    if session.get_bind().dialect.name == "postgresql":  # others write at the same time
        mine = mine.where(text("xmin = pg_current_xact_id()::xid"))
    session.execute(mine.values(done_at=datetime.now(UTC)).execution_options(synchronize_session=False))


def _among(session: Session, column: Any, values: Collection[Any]) -> ColumnElement[bool]:
    """`IN`, on PostgreSQL with one parameter: psycopg takes longer over a thousand than the database does."""
    if session.get_bind().dialect.name == "postgresql":
        return cast("ColumnElement[bool]", column == any_(literal([*values], ARRAY(column.type))))
    return cast("ColumnElement[bool]", column.in_(values))


def _new_ids(session: Session, count: int) -> Iterable[int]:
    if session.get_bind().dialect.name == "sqlite":  # nobody else writes now
        first = fresh_id(session) or (session.scalar(select(func.max(CUSTOMERS.c.id))) or 0) + 1
        return range(first, first + count)
    given = text("SELECT nextval(pg_get_serial_sequence('customers', 'id')) FROM generate_series(1, :count)")
    return sorted(session.scalars(given, {"count": count}))


def _put_in(session: Session, table: type[Base], columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    connection, into = session.connection(), f"{table.__tablename__} ({', '.join(columns)})"
    if connection.dialect.name == "postgresql":
        cursor: Any = connection.connection.cursor()
        with cursor, cursor.copy(f"COPY {into} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    else:
        connection.exec_driver_sql(f"INSERT INTO {into} VALUES ({', '.join('?' * len(columns))})", [*rows])


def _merged(session: Session, own: BindParameter[Any]) -> ColumnElement[Any]:
    """Own values put over those of the row as it is now, not as it was when it was read; null takes one away."""
    column = CUSTOMERS.c.custom
    if session.get_bind().dialect.name == "postgresql":
        kept = case((func.jsonb_typeof(column) == "object", column), else_=text("'{}'::jsonb"))
        names = text(f"ARRAY(SELECT jsonb_object_keys(:{own.key}))").bindparams(own)
        return kept.op("-")(names).op("||")(func.jsonb_strip_nulls(own))
    return func.json_patch(case((func.json_valid(column) == 1, column), else_=text("'{}'")), own)


def _own_fields(custom: str) -> dict[str, Any]:
    """Of an object of JSON; whoever writes by SQL may have put there what is none."""
    try:
        values = orjson.loads(custom)
    except orjson.JSONDecodeError:
        return {}
    return {OWN + name: value for name, value in values.items()} if isinstance(values, dict) else {}


def _take_out(session: Session, changes: Iterable[Change]) -> None:
    gone = [(change.owner.id, number) for change in changes for number in change.gone]
    for table, of_ranges in ((NUMBERS, False), (RANGES, True)):
        rows = [
            {"the_id": owner_id, "the_raw": number.raw, "the_label": number.label}
            for owner_id, number in gone
            if bool(number.open_digits) is of_ranges
        ]
        if rows:
            the = (table.c.customer_id, "the_id"), (table.c.raw, "the_raw"), (table.c.label, "the_label")
            session.connection().execute(delete(table).where(*(c == bindparam(name) for c, name in the)), rows)


def _told(change: Change) -> str:
    return _json([change.before, change.after, [(number.raw, number.label) for number in change.numbers]])


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
