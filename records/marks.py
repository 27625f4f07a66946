"""The triggers that note every change of what a card shows in the table `changes`, in the transaction that makes it.

So a change by another program, in plain SQL, is noted as ours are, and one that is rolled back is not. The triggers are
made here and nowhere else: `records.migrate` takes them away before a migration, because SQLite drops those of a table
that it makes anew, and puts them back after it. Their names end in a digest of what they do, so that a glance tells
whether a database has those of this version.

PostgreSQL runs one per statement, over all its rows; SQLite knows only one per row. On PostgreSQL they act with the
rights of whoever installed them: a program that may write customers need not be allowed to write here.
"""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import Connection

PREFIX = "ringcard_marks_"

MARKED = {
    "customers": {"customer_id": "id"},
    "phone_numbers": {
        "customer_id": "customer_id",
        "number_id": "id",
        "match_key": "match_key",
        "nsn_tail": "nsn_tail",
    },
    "number_ranges": {
        "customer_id": "customer_id",
        "range_id": "id",
        "prefix": "prefix",
        "open_digits": "open_digits",
    },
    "number_choices": {"customer_id": "customer_id", "match_key": "match_key"},
    "orders": {"customer_id": "customer_id"},
    "tasks": {"customer_id": "customer_id"},
    "users": {"user_id": "id", "team_id": "team_id"},
    "endpoints": {"endpoint_id": "id", "endpoint": "name"},
    "endpoint_people": {"user_id": "user_id"},
    "presences": {"routing_id": "user_id"},
    "calendars": {"routing_id": "id"},
    "routing_rules": {"routing_id": "id"},
    "blocked_callers": {"routing_id": "id"},
}
"""Every table that a card or the choice of who rings is made of: which columns of `changes` are filled from which of
its own. Teams are not here: a card shows the phones of a team and not its name, and who is in it stands in `users`.
"""

BEFORE_AND_AFTER = {"INSERT": ("NEW",), "UPDATE": ("OLD", "NEW"), "DELETE": ("OLD",)}


def install(connection: Connection) -> bool:
    """Makes the triggers what they must be; True when they were not."""
    wanted = _on_sqlite() if connection.dialect.name == "sqlite" else _on_postgres(connection)
    if _installed(connection) == set(wanted):
        return False
    remove(connection)
    for statements in wanted.values():
        for statement in statements:
            connection.exec_driver_sql(statement)
    return True


def remove(connection: Connection) -> None:
    for name in _installed(connection):
        sqlite = connection.dialect.name == "sqlite"
        connection.exec_driver_sql(f"DROP TRIGGER {name}" if sqlite else f"DROP FUNCTION {name}() CASCADE")


def _installed(connection: Connection) -> set[str]:
    names = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if connection.dialect.name == "sqlite"
        else "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
        " WHERE relnamespace = quote_ident(current_schema())::regnamespace"
    )
    return {name for (name,) in connection.exec_driver_sql(names) if name.startswith(PREFIX)}


def _on_sqlite() -> dict[str, list[str]]:
    triggers = {}
    for table, columns in MARKED.items():
        for event, states in BEFORE_AND_AFTER.items():
            rows = " UNION ".join(
                f"SELECT {', '.join(f'{state}.{column}' for column in columns.values())}" for state in states
            )
            does = f"AFTER {event} ON {table} BEGIN {_insert('changes', columns)} {rows}; END"
            name = _name(table, event, does)
            triggers[name] = [f"CREATE TRIGGER {name} {does}"]
    return triggers


def _on_postgres(connection: Connection) -> dict[str, list[str]]:
    schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    triggers = {}
    for table in MARKED:
        for event, states in BEFORE_AND_AFTER.items():
            seen = " ".join(f"{state} TABLE AS {state.lower()}_rows" for state in states)
            rows = [f"{state.lower()}_rows" for state in states]
            when = f"AFTER {event} ON {schema}.{table} REFERENCING {seen}"
            triggers.update(_postgres_trigger(schema, table, event, when, rows))
        # TRUNCATE shows no rows, so it is met before it happens.
        when = f"BEFORE TRUNCATE ON {schema}.{table}"
        triggers.update(_postgres_trigger(schema, table, "TRUNCATE", when, [f"{schema}.{table}"]))
    return triggers


def _postgres_trigger(schema: str, table: str, event: str, when: str, sources: list[str]) -> dict[str, list[str]]:
    columns = MARKED[table]
    rows = " UNION ".join(f"SELECT {', '.join(columns.values())} FROM {source}" for source in sources)
    does = (
        "RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS "
        f"$$BEGIN {_insert(f'{schema}.changes', columns)} {rows}; RETURN NULL; END$$"
    )
    name = _name(table, event, when + does)
    return {
        name: [
            f"CREATE OR REPLACE FUNCTION {schema}.{name}() {does}",
            f"CREATE TRIGGER {name} {when} FOR EACH STATEMENT EXECUTE FUNCTION {schema}.{name}()",
        ]
    }


def _insert(changes: str, columns: dict[str, str]) -> str:
    return f"INSERT INTO {changes} ({', '.join(columns)})"


def _name(table: str, event: str, does: str) -> str:
    return f"{PREFIX}{table}_{event.lower()}_{sha256(does.encode()).hexdigest()[:8]}"
