"""The rows of `customer_search`: made of a customer's own tables, and kept as these are.

Our own writes make them in the transaction that changes a customer, by whatever function of ours: `records.database`
listens to what the ORM writes, and whoever writes past it says so by `note`. What another program writes is noted by
the triggers of `records.marks`, and the worker makes the row anew a moment later. A trigger could not do it: letters
are folded in Python, and a program that writes in SQL must never need what only we have.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from hashlib import blake2b
from typing import Any

import orjson
from sqlalchemy import (
    Connection,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    event,
    func,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, SessionTransaction

from records.folding import FOLD_VERSION, LONGEST, choice, digits, fold, latin, stored
from records.tables import Customer, CustomerAlias, CustomerSearch, NumberRange, Order, PhoneNumber, Task

AT_ONCE = 500
MOST_ORDERS = 100  # of one customer, the newest
LONGEST_CHOICE = 60  # letters of a value that a list can be filtered by

ROWS: Any = CustomerSearch.__table__
_COLUMNS = tuple(column.name for column in ROWS.columns)
_WAITING = "to be found anew"

_NOTHING: Any = literal_column("''")
_IDS: Any = bindparam("ids", expanding=True)
_THEIR_ROWS = select(ROWS).where(ROWS.c.customer_id.in_(_IDS))
_CUSTOMERS = select(
    Customer.id,
    Customer.name,
    Customer.external_id,
    Customer.company,
    Customer.email,
    cast(Customer.custom, Text).label("custom"),
    Customer.manager_id,
    Customer.source,
    Customer.debt_minor,
).where(Customer.id.in_(_IDS))


def _part(kind: str, table: Any, one: Any, other: Any = _NOTHING) -> Select[Any]:
    columns: Any = (table.customer_id, literal_column(f"'{kind}'"), table.id, func.coalesce(one, _NOTHING), other)
    return select(*columns).where(table.customer_id.in_(_IDS))


_PARTS = union_all(
    _part("number", PhoneNumber, PhoneNumber.e164, PhoneNumber.raw),
    _part("range", NumberRange, NumberRange.prefix),
    _part("order", Order, Order.number),
    _part("task", Task, Task.state).where(Task.state == "open"),
    _part("alias", CustomerAlias, CustomerAlias.name, func.coalesce(CustomerAlias.external_id, _NOTHING)),
)


def _put(dialect: Any) -> Any:
    insert = dialect.insert(ROWS)
    changed = {name: insert.excluded[name] for name in _COLUMNS[1:]}
    return insert.on_conflict_do_update(index_elements=["customer_id"], set_=changed)


_PUT = {"sqlite": _put(sqlite), "postgresql": _put(postgresql)}


def note(session: Session, customer_ids: Collection[int]) -> None:
    """These customers are written past the ORM; before the commit their rows are made anew."""
    session.info.setdefault(_WAITING, set()).update(customer_ids)


def make_all(connection: Connection) -> None:
    """Every row that is missing, or made by older rules."""
    last = 0
    while ids := lacking(connection, last):
        make(connection, ids)
        last = ids[-1]


def make(connection: Connection, customer_ids: Collection[int]) -> None:
    """The rows of these customers as they must be; those of customers who are gone go too."""
    for some in pieces(customer_ids):
        wanted, held = _wanted(connection, some), _held(connection, some)
        gone = held.keys() - wanted.keys()
        if gone:
            connection.execute(delete(ROWS).where(ROWS.c.customer_id.in_(gone)))
        rows = [dict(zip(_COLUMNS, wanted[id], strict=True)) for id in sorted(wanted) if wanted[id] != held.get(id)]
        if rows:
            connection.execute(_PUT[connection.dialect.name], rows)


def pieces(customer_ids: Collection[int]) -> Iterator[Sequence[int]]:
    """In their order, so many as go well into one statement."""
    ids = sorted(set(customer_ids))
    return (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))


def differing(connection: Connection, customer_ids: Sequence[int]) -> list[int]:
    """Of these customers those whose rows are not as they must be."""
    wanted, held = _wanted(connection, customer_ids), _held(connection, customer_ids)
    return [id for id in customer_ids if wanted.get(id) != held.get(id)]


def lacking(connection: Connection, after: int) -> Sequence[int]:
    """The next customers after this id whose rows are missing, or made by older rules."""
    joined = and_(ROWS.c.customer_id == Customer.id, ROWS.c.rules >= FOLD_VERSION)
    without = select(Customer.id).outerjoin(ROWS, joined).where(ROWS.c.customer_id.is_(None), Customer.id > after)
    return connection.scalars(without.order_by(Customer.id).limit(AT_ONCE)).all()


def _held(connection: Connection, customer_ids: Sequence[int]) -> dict[int, tuple[Any, ...]]:
    return {row[0]: tuple(row) for row in connection.execute(_THEIR_ROWS, {"ids": customer_ids})}


def _wanted(connection: Connection, customer_ids: Sequence[int]) -> dict[int, tuple[Any, ...]]:
    parts: dict[tuple[int, str], list[tuple[str, str]]] = {}
    for customer_id, kind, _, one, other in sorted(connection.execute(_PARTS, {"ids": customer_ids})):
        parts.setdefault((customer_id, kind), []).append((one, other))
    return {
        one.id: (
            one.id,
            fold(one.name)[:LONGEST],
            stored(one.name, latin(one.name), one.external_id or "", *_earlier(parts.get((one.id, "alias"), ()))),
            stored(one.company, latin(one.company)),
            stored(one.email),
            stored(*_digits(parts.get((one.id, "number"), ())), *_digits(parts.get((one.id, "range"), ()))),
            stored(*(number for number, _ in parts.get((one.id, "order"), ())[: -MOST_ORDERS - 1 : -1])),
            stored(*_choices(one.custom)),
            one.manager_id,
            one.source,
            one.debt_minor > 0,
            (one.id, "task") in parts,
            FOLD_VERSION,
            _mark(fold(one.name), fold(one.company)),
            _mark(fold(one.email)) if one.email else None,
        )
        for one in connection.execute(_CUSTOMERS, {"ids": customer_ids})
    }


def _earlier(aliases: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Names and ids of those who were merged into a customer."""
    for name, external_id in aliases:
        yield from (name, latin(name), external_id)


def _mark(*texts: str) -> int:
    """A number that is the same for the same texts, as short as an index wants it."""
    return int.from_bytes(blake2b("\0".join(texts).encode(), digest_size=8).digest(), signed=True)


def _digits(numbers: Sequence[tuple[str, str]]) -> Iterator[str]:
    """As the world dials them, and as somebody typed them where these are not among those."""
    for shown, raw in numbers:
        yield digits(shown)
        if (typed := digits(raw)) not in digits(shown):
            yield typed


def _choices(custom: str) -> list[str]:
    """Only short ones: a choice is one, and which fields are choices is said by settings and not known here."""
    try:
        values = orjson.loads(custom)  # whoever writes by SQL may have put there what is none
    except orjson.JSONDecodeError:
        return []
    if not isinstance(values, dict):
        return []
    own = ((name, value) for name, value in values.items() if isinstance(value, str))
    return [choice(name, value) for name, value in own if len(value) <= LONGEST_CHOICE]


# --- our own writes


def _take_note(session: Session, _: Any) -> None:
    for one in (*session.new, *session.dirty, *session.deleted):
        if isinstance(one, Customer):
            note(session, {one.id})
        elif isinstance(one, PhoneNumber | NumberRange | Order | Task | CustomerAlias) and one.customer_id is not None:
            note(session, {one.customer_id})


def _before_commit(session: Session) -> None:
    session.flush()
    if waiting := session.info.pop(_WAITING, None):
        make(session.connection(), waiting)


def _forget(session: Session, _: SessionTransaction) -> None:
    session.info.pop(_WAITING, None)


def listen(to: type[Session]) -> None:
    """From now on every such session keeps the rows of whom it changes."""
    event.listen(to, "after_flush", _take_note)
    event.listen(to, "before_commit", _before_commit)
    event.listen(to, "after_soft_rollback", _forget)
