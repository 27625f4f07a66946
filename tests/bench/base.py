"""A large customer base, written past everything that would make it slow: nobody changes it, so nothing is noted."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

import psycopg
from sqlalchemy import Engine

from records import marks
from records.database import writer
from records.migrate import migrate
from tests.bench.people import Person, enter_manager

AT_ONCE = 10_000
DAY = "2026-03-02 09:00:00"
TABLES = {
    "customers": (
        "id, name, company, email, address, note, photo, debt_minor, currency, manager_id, version,"
        " created_at, updated_at"
    ),
    "phone_numbers": "id, customer_id, raw, e164, match_key, nsn_tail, label, ext, norm_version",
    "orders": "id, customer_id, number, title, state, total_minor, currency, placed_at",
}


Rows = Callable[[str, int, int, int], Iterator[tuple[object, ...]]]
"""From a table, the first id, how many and the manager's id to rows of TABLES."""


def fill_base(database: Engine, count: int, rows: Rows | None = None) -> None:
    """Customers 1 to `count`, as `Person` describes them when no rows are given: one number and two orders each."""
    migrate(database)
    manager = enter_manager(database)
    with writer(database).begin() as connection:
        marks.remove(connection)
    if database.dialect.name == "sqlite":
        _into_sqlite(database, count, manager, rows or _rows)
    else:
        _into_postgresql(database, count, manager, rows or _rows)
    with writer(database).begin() as connection:
        marks.install(connection)


def _rows(table: str, first: int, count: int, manager: int) -> Iterator[tuple[object, ...]]:
    for id in range(first, first + count):
        person = Person(id)
        if table == "customers":
            contact = (f"Dara and Sons {id}", f"office{id}@dara.example", f"{id} Street 310, Phnom Penh")
            note = "Pays by the end of the month; delivery through the back yard."
            yield (id, person.name, *contact, note, f"{id:064x}", 12_000 + id, "USD", manager, 1, DAY, DAY)
        elif table == "phone_numbers":
            key = person.number
            yield (id, id, person.national, key, key, key[-9:], "mobile", "", 1)
        else:
            for i in (0, 1):
                yield (2 * id + i, id, f"{id}-{i}", "Rice, 50 kg", "open", 4_250, "USD", DAY)


def _pieces(count: int) -> Iterable[tuple[int, int]]:
    return ((first, min(AT_ONCE, count + 1 - first)) for first in range(1, count + 1, AT_ONCE))


def _into_sqlite(database: Engine, count: int, manager: int, rows: Rows) -> None:
    assert database.url.database
    database.dispose()
    with closing(sqlite3.connect(database.url.database)) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")
        for table, columns in TABLES.items():
            places = ", ".join("?" * (columns.count(",") + 1))
            for piece in _pieces(count):
                connection.executemany(
                    f"INSERT INTO {table} ({columns}) VALUES ({places})", rows(table, *piece, manager)
                )
    with closing(sqlite3.connect(database.url.database)) as connection:
        connection.execute("ANALYZE")
        connection.commit()


def _into_postgresql(database: Engine, count: int, manager: int, rows: Rows) -> None:
    url = database.url
    with psycopg.connect(host=str(url.query["host"]), user=url.username, dbname=url.database) as connection:
        for table, columns in TABLES.items():
            with connection.cursor().copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for piece in _pieces(count):
                    for row in rows(table, *piece, manager):
                        copy.write_row(row)
        connection.commit()
        connection.autocommit = True
        connection.execute("ANALYZE")
