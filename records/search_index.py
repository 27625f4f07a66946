"""The index of letters by threes over `customer_search`: FTS5 on SQLite, pg_trgm on PostgreSQL.

It is made here and nowhere else, and no model knows of it. Where a database cannot have it (`lack` says why), customers
are found all the same, and more slowly the more there are. What keeps it on SQLite are triggers, which
`records.migrate` takes away before a migration and puts back after it, as it does with those of `records.marks`.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

TEXTS = ("names", "company", "email", "numbers", "orders", "choices")
TABLE = "customer_trigrams"
INDEX = "ix_customer_search_trigrams"
NAMES = "customer_trigrams_names"
"""SQLite's index of no more than what many who were found are sorted and filtered by: their rows are long."""
PREFIX = "ringcard_search_"

_COLUMNS = ", ".join(TEXTS)
_NAMED = "customer_id, name, manager_id, source, owes, open_task"
_FTS5 = f"{_COLUMNS}, content = 'customer_search', content_rowid = 'customer_id', columnsize = 0"


def install(connection: Connection) -> bool:
    """Makes it what it must be, where it can be had; True when it was not."""
    return _on_sqlite(connection) if connection.dialect.name == "sqlite" else _on_postgres(connection)


def remove(connection: Connection) -> None:
    """Takes away the triggers; what is written from now on is not in the index, until `install` makes it anew."""
    if connection.dialect.name == "sqlite":
        for name in _triggers(connection):
            connection.exec_driver_sql(f"DROP TRIGGER {name}")


def is_there(connection: Connection) -> bool:
    if connection.dialect.name == "sqlite":
        found = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return connection.exec_driver_sql(found, (TABLE,)).first() is not None
    found = "SELECT 1 FROM pg_class WHERE oid = to_regclass(%s)"
    return connection.exec_driver_sql(found, (INDEX,)).first() is not None


def lack(connection: Connection) -> str:
    """What keeps searches slow, and how that is mended; empty when nothing does."""
    if connection.dialect.name == "sqlite":
        mend = "Run it with a Python whose SQLite is 3.34 or newer and has FTS5, then: ringcard migrate"
        return "" if is_there(connection) else mend
    if not is_there(connection):
        return (
            "Install PostgreSQL's contributed modules (postgresql-contrib), say CREATE EXTENSION pg_trgm in this "
            "database as its owner or a superuser, then: ringcard migrate"
        )
    if not connection.exec_driver_sql("SELECT cardinality(show_trgm('\u0441\u043e\u043a'))").scalar():
        return "The database's LC_CTYPE knows no letters but English ones; make it anew with one of UTF-8, as C.UTF-8."
    return ""


def belongs_to_no_model(name: str | None) -> bool:
    """Whether a table or an index is a part of this one; for those who compare models with a database."""
    return bool(name) and str(name).startswith((TABLE, INDEX))


def _on_sqlite(connection: Connection) -> bool:
    wanted = _wanted_triggers()
    connection.exec_driver_sql(f"CREATE INDEX IF NOT EXISTS {NAMES} ON customer_search ({_NAMED})")
    if is_there(connection) and _triggers(connection) == set(wanted):
        return False
    remove(connection)
    if not is_there(connection) and not _makes(connection, _table("trigram case_sensitive 1")):
        return False
    connection.exec_driver_sql(f"INSERT INTO {TABLE} ({TABLE}) VALUES ('rebuild')")
    for name, does in wanted.items():
        connection.exec_driver_sql(f"CREATE TRIGGER {name} {does}")
    return True


def _table(tokens: str) -> str:
    return f"CREATE VIRTUAL TABLE {TABLE} USING fts5({_FTS5}, tokenize = '{tokens}')"


def _wanted_triggers() -> dict[str, str]:
    new, old = (", ".join(f"{state}.{name}" for name in ("customer_id", *TEXTS)) for state in ("NEW", "OLD"))
    put_in = f"INSERT INTO {TABLE} (rowid, {_COLUMNS}) VALUES ({new});"
    take_out = f"INSERT INTO {TABLE} ({TABLE}, rowid, {_COLUMNS}) VALUES ('delete', {old});"
    every = (
        f"AFTER INSERT ON customer_search BEGIN {put_in} END",
        f"AFTER DELETE ON customer_search BEGIN {take_out} END",
        f"AFTER UPDATE OF {_COLUMNS} ON customer_search BEGIN {take_out} {put_in} END",
    )
    return {f"{PREFIX}{sha256(does.encode()).hexdigest()[:8]}": does for does in every}


def _triggers(connection: Connection) -> set[str]:
    names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    return {name for (name,) in names if name.startswith(PREFIX)}


def _on_postgres(connection: Connection) -> bool:
    if is_there(connection) or not _has_trigrams(connection):
        return False
    columns = ", ".join(f"{name} gin_trgm_ops" for name in TEXTS)
    # What is written waits in a list that every search reads too: a short one.
    short = "WITH (gin_pending_list_limit = 256)"
    return _makes(connection, f"CREATE INDEX {INDEX} ON customer_search USING gin ({columns}) {short}")


def _has_trigrams(connection: Connection) -> bool:
    found = "SELECT installed_version FROM pg_available_extensions WHERE name = 'pg_trgm'"
    row: Any = connection.exec_driver_sql(found).first()
    return row is not None and (row[0] is not None or _makes(connection, "CREATE EXTENSION pg_trgm"))


def _makes(connection: Connection, statement: str) -> bool:
    """False where this database cannot, or its user may not."""
    connection.exec_driver_sql("SAVEPOINT of_the_index")
    try:
        connection.exec_driver_sql(statement)
    except DBAPIError as exc:
        if exc.connection_invalidated:
            raise
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT of_the_index")
        return False
    connection.exec_driver_sql("RELEASE SAVEPOINT of_the_index")
    return True
