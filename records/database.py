"""Opening the database, and the two ways to use it: `reading(engine)` and `writing(engine)`.

SQLite allows one writer at a time. A transaction that first reads and then writes can lose against another one and fail
at once, however long it was willing to wait; so whoever writes says so at the start (`BEGIN IMMEDIATE`) and waits its
turn. A write outside `writing` is refused on SQLite, in every test, rather than failing now and then in a company.
"""

from __future__ import annotations

import sqlite3
import time
import traceback
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolEmpty
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from records import search_rows
from records.errors import DatabaseGone
from records.write_ahead import write_ahead

CONNECT_S = 3
ANSWER_S = 10.0
MAPPED = 2**31
"""Bytes of an SQLite file that are read as memory; page by page a search among a million takes half as long again."""

search_rows.listen(Session)

_WRITES = "ringcard_writes"
_T = TypeVar("_T")


def open_database(url: str, answer_s: float = ANSWER_S) -> Engine:
    """An engine for an SQLAlchemy URL (`sqlite:////path/to.db`, `postgresql+psycopg://...`).

    Nothing is connected yet, and no SQLite file is made: see `make_file`. `answer_s` is how long one statement, or on
    SQLite the wait for another writer, may last before it counts as DatabaseGone: a frozen server must not freeze us.
    """
    return (
        _open_sqlite(url, answer_s) if make_url(url).get_backend_name() == "sqlite" else _open_postgres(url, answer_s)
    )


def make_file(engine: Engine) -> None:
    """Make the file of an SQLite database, empty, and its folder, where they are not there yet. Raises DatabaseGone."""
    if engine.dialect.name != "sqlite":
        return
    path = Path(engine.url.database or "")
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(0o640)
    except OSError as exc:
        raise DatabaseGone(f"cannot make {path}: {exc.strerror}; choose another store.data_dir") from exc


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session that writes nothing. What it gave out can be used after the block. Raises DatabaseGone."""
    with speaking_plainly(engine), Session(engine, expire_on_commit=False) as session:
        yield session


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A session that commits at the end, or rolls back when the block raises. Keep it short. Raises DatabaseGone."""
    with (
        speaking_plainly(engine),
        Session(writer(engine), expire_on_commit=False) as session,
        session.begin(),
    ):
        yield session


def writer(engine: Engine) -> Engine:
    """The same engine and pool, whose transactions may write. `writing` is the ordinary way to it."""
    return engine.execution_options(**{_WRITES: True})


@contextmanager
def speaking_plainly(engine: Engine) -> Iterator[None]:
    """Turns a driver's "cannot, now" into DatabaseGone. A wrong statement stays what it is: a mistake of ours."""
    try:
        yield
    except PoolEmpty as exc:
        raise DatabaseGone(f"{_place(engine)}: every connection is busy; is the database slow?") from exc
    except DBAPIError as exc:
        if not is_gone(exc):
            raise
        line = _first_line(exc)
        raise DatabaseGone(f"{_place(engine)}: {line}; {_mend(line)}") from exc


# SQLite reports a wrong statement ("no such table") with the class that it also uses for a broken disk.
_SQLITE_GONE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
    }
)

_MENDS = (
    ("locked", "another program is writing to it; try again, and see what holds it"),
    ("not a database", "this is another kind of file; move it away, or correct store.database_url"),
    ("does not exist", "create it, or correct store.database_url"),
    ("authentication failed", "correct the user and the password in store.database_url"),
    ("full", "make room on its disk"),
    ("unable to open", "may this user read and write there?"),
    ("timeout", "it is too busy, or frozen"),
    ("no answer", "it is too busy, or frozen"),
)


def is_gone(exc: DBAPIError) -> bool:
    """Whether the driver says "cannot, now", and not "this is wrong"."""
    if isinstance(exc.orig, sqlite3.Error):
        return getattr(exc.orig, "sqlite_errorcode", 0) & 0xFF in _SQLITE_GONE
    return exc.connection_invalidated or isinstance(exc, OperationalError | InterfaceError)


def _mend(line: str) -> str:
    return next((mend for sign, mend in _MENDS if sign in line), "is it running?")


def _place(engine: Engine) -> str:
    return f"the database {engine.url.render_as_string(hide_password=True)}"


def _first_line(exc: DBAPIError) -> str:
    return (str(exc.orig).strip().splitlines() or [type(exc.orig).__name__])[0]


def _open_sqlite(url: str, answer_s: float) -> Engine:
    path = make_url(url).database
    if not path or path == ":memory:":
        raise ValueError(f"{url} names no file; write sqlite:////var/lib/ringcard/ringcard.db")
    engine = create_engine(url, connect_args={"timeout": answer_s})
    event.listen(engine, "do_connect", _expect_file)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    event.listen(engine, "checkin", _lock_again)
    return engine


def _expect_file(_dialect: Any, _entry: Any, args: tuple[Any, ...], _params: dict[str, Any]) -> None:
    """SQLite would make an empty one, of whoever came first: of a command in the wrong folder, or of another user."""
    if not Path(args[0]).exists():
        raise DatabaseGone(f"there is no database {args[0]} yet; make it: ringcard migrate")


def _prepare_sqlite(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself; `_begin_sqlite` does
    connection.create_function("lower", 1, _lower, deterministic=True)  # SQLite's own knows only ASCII letters
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute(f"PRAGMA mmap_size={MAPPED}")
    write_ahead(connection)
    connection.execute("PRAGMA query_only=ON")


def _lower(value: str | None) -> str | None:
    return value if value is None else str(value).lower()


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get(_WRITES):
        connection.exec_driver_sql("PRAGMA query_only=OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif options.get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN")


def _lock_again(connection: sqlite3.Connection | None, _: ConnectionPoolEntry) -> None:
    if connection is not None:
        connection.execute("PRAGMA query_only=ON")


class PatientOnlySoLong(psycopg.Connection[Any]):
    """A connection that gives up on a server which accepts and then stays silent.

    A frozen server still acknowledges on TCP, so neither keepalives nor the server's own statement_timeout help.
    """

    answer_s: float | None = None

    def wait(self, gen: PQGen[_T], *args: Any, **kwargs: Any) -> _T:
        return super().wait(gen if self.answer_s is None else _until(gen, self.answer_s, self), *args, **kwargs)


def _until(gen: PQGen[_T], seconds: float, connection: PatientOnlySoLong) -> Generator[Any, Any, _T]:
    end = time.monotonic() + seconds
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > end:
                connection.close()
                raise psycopg.OperationalError(f"no answer within {seconds:g} s")
            wanted = gen.send(ready)
    except StopIteration as done:
        value: _T = done.value
        return value


def _open_postgres(url: str, answer_s: float) -> Engine:
    limits = f"-c statement_timeout={int(answer_s * 1000)} -c timezone=UTC"
    of_company = make_url(url).normalized_query.get("options", ())
    engine = create_engine(
        url,
        pool_pre_ping=True,
        pool_timeout=answer_s,
        connect_args={
            "connect_timeout": CONNECT_S,
            "application_name": "ringcard",
            "options": " ".join((limits, *of_company)),  # of one setting the later value holds
        },
    )

    def connect(_dialect: Any, _entry: Any, args: tuple[Any, ...], params: dict[str, Any]) -> psycopg.Connection[Any]:
        try:
            connection = PatientOnlySoLong.connect(*args, **params)
        except psycopg.Error as exc:
            # psycopg leaves the socket of an attempt that timed out to the frames of the error, and so to the garbage
            # collector: a server that stays frozen would use up our open files, one try after the other.
            traceback.clear_frames(exc.__traceback__)
            raise
        connection.answer_s = answer_s + 1  # the server's own limit, which says more, comes first
        return connection

    event.listen(engine, "do_connect", connect)
    return engine
