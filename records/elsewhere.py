"""One question to another database of the company's, which is only ever read.

Values travel as parameters, beside the statement. The session may not write: PostgreSQL and SQLite refuse it
themselves; on any other kind the transaction is rolled back, and it is for the company to give a user who may only
read. PostgreSQL and SQLite also end a statement that takes too long; elsewhere one can only stop waiting for it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from records.database import is_gone, open_database
from records.errors import RecordsError

STEPS = 1000
"""SQLite's own steps between two looks at the clock."""


class NoAnswer(RecordsError):
    """The question got no answer, in one line that says why. `gone`: the database is away, else something is wrong."""

    def __init__(self, why: str, gone: bool = False) -> None:
        super().__init__(why)
        self.gone = gone


class TooSlow(NoAnswer):
    """The database ended the statement, because it took too long."""


class Elsewhere:
    """One statement for one database, for several threads at once. Raises NoAnswer for a url that cannot be used."""

    def __init__(self, url: str, sql: str, limit_s: float) -> None:
        self._limit_s = limit_s
        self._statement = text(sql)
        try:
            self._engine = _opened(url, limit_s)
        except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as exc:
            raise NoAnswer(f"its url cannot be used: {_line(exc)}") from None

    def first_row(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The first row by column, in small letters; all None when there is no row. Raises NoAnswer."""
        try:
            with self._engine.connect() as connection:
                try:
                    self._only_read(connection)
                    rows = connection.execute(self._statement, values)
                    columns = list(map(str.lower, rows.keys()))
                    row = rows.first()
                finally:
                    connection.rollback()
        except (SQLAlchemyError, sqlite3.Error) as exc:
            raise _no_answer(exc) from exc
        return dict(zip(columns, row, strict=True)) if row else dict.fromkeys(columns)

    @property
    def refuses_writes(self) -> bool:
        """Whether the database itself keeps us from writing."""
        return self._engine.dialect.name in ("postgresql", "sqlite")

    def close(self) -> None:
        self._engine.dispose()

    def _only_read(self, connection: Connection) -> None:
        if self._engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        elif self._engine.dialect.name == "sqlite":
            until = time.monotonic() + self._limit_s
            driver: Any = connection.connection.driver_connection
            driver.set_progress_handler(lambda: time.monotonic() > until, STEPS)


def _opened(url: str, limit_s: float) -> Engine:
    parsed = make_url(url)
    if parsed.drivername == "sqlite":
        return _opened_sqlite(parsed.database or "", limit_s)
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        ours = parsed.set(drivername="postgresql+psycopg")
        return open_database(ours.render_as_string(hide_password=False), limit_s)
    return create_engine(url, pool_pre_ping=True)


def _opened_sqlite(path: str, limit_s: float) -> Engine:
    if not path:
        raise ValueError("it names no file; write sqlite:////path/of/a.db")

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=limit_s, check_same_thread=False)
        connection.execute("PRAGMA query_only = ON")
        return connection

    return create_engine("sqlite://", creator=connect, poolclass=QueuePool)


def _no_answer(exc: Exception) -> NoAnswer:
    line = _line(exc)
    if any(sign in line for sign in ("statement timeout", "no answer within", "interrupted")):
        return TooSlow(line)
    return NoAnswer(line, gone=is_gone(exc) if isinstance(exc, DBAPIError) else True)


def _line(exc: BaseException) -> str:
    cause = exc.orig if isinstance(exc, DBAPIError) and exc.orig else exc
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0]
