"""Bringing a database to what this program needs: `migrate`, by one process at a time, and `check`, which only looks.

The tables are made by revisions; what customers are found by (`records.search_rows`, `records.search_index`) and the
triggers that note changes (`records.marks`) are put in place after them.

All of it happens in one transaction, on both databases: a migration that fails or is killed leaves the database as it
was. On SQLite the transaction itself is the lock; on PostgreSQL an advisory lock is taken inside it.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, event, inspect, text
from sqlalchemy.exc import OperationalError

from records import marks, search_index, search_rows
from records.database import make_file, open_database, speaking_plainly, writer
from records.errors import DatabaseForeign, DatabaseGone, DatabaseNewer, DatabaseOld
from records.tables import Base

QUIET_S = 2.0
"""A migration that takes longer than this says so."""

LOCK = 0x52494E47  # "RING", one number for all databases: the lock is the database's own


def migrate(engine: Engine, tell: Callable[[str], None] = lambda _: None, patience_s: float = 600) -> bool:
    """Brings the database, made where SQLite has none yet, to the newest revision; True when there was something to do.

    `tell` gets a sentence when it takes more than two seconds. Raises DatabaseNewer, DatabaseForeign, or DatabaseGone
    (also when another process holds the lock for `patience_s` seconds).
    """
    make_file(engine)
    with speaking_plainly(engine), _locked(engine, tell, patience_s) as connection:
        found = _revision(connection)
        if found == newest():
            made = marks.install(connection)
            return search_index.install(connection) or made
        if found is None and (strangers := set(inspect(connection).get_table_names()) & set(Base.metadata.tables)):
            raise DatabaseForeign(
                f"the database already has tables that Ringcard did not make ({', '.join(sorted(strangers))}); "
                "give Ringcard a database of its own in store.database_url"
            )
        with _telling(tell, "bringing the database up to date; this can take minutes, please let it finish"):
            _upgrade(connection)
        return True


def check(engine: Engine) -> None:
    """Raises DatabaseOld, DatabaseNewer or DatabaseGone unless the database is exactly what this program needs."""
    with speaking_plainly(engine), engine.connect() as connection:
        found = _revision(connection)
    if found != newest():
        raise DatabaseOld(
            f"the database is {'empty' if found is None else f'at revision {found}'}, this Ringcard needs {newest()}; "
            "run: ringcard migrate"
        )


def newest() -> str:
    """The revision that this program needs."""
    head = _scripts().get_current_head()
    if head is None:
        raise AssertionError("this installation has lost its migrations folder; install Ringcard again")
    return head


def config(connection: Connection) -> Config:
    """Alembic's configuration, made here because a company has no alembic.ini."""
    made = Config()
    made.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


def _folder() -> Path:
    return Path(__file__).parent / "migrations"


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_folder()))


def _revision(connection: Connection) -> str | None:
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in {script.revision for script in _scripts().walk_revisions()}:
        raise DatabaseNewer(
            f"a newer Ringcard made this database (revision {found}, this one knows {newest()}); "
            "upgrade Ringcard, or restore a backup from before the upgrade"
        )
    return found


@contextmanager
def _locked(engine: Engine, tell: Callable[[str], None], patience_s: float) -> Iterator[Connection]:
    """A connection in a transaction that only one process can have."""
    until, told_at = time.monotonic() + patience_s, time.monotonic() + QUIET_S
    own = _own_engine(engine)
    try:
        while True:
            with writer(own).connect() as connection:
                if _has_lock(connection):
                    yield connection
                    connection.commit()
                    return
            if time.monotonic() > until:
                raise DatabaseGone("another process has been migrating the database for too long; is one stuck?")
            if time.monotonic() > told_at:
                tell("another Ringcard is bringing the database up to date; waiting for it")
                told_at = until
            time.sleep(0.05)
    finally:
        own.dispose()


def _own_engine(engine: Engine) -> Engine:
    """Rewriting a large table takes as long as it takes. On SQLite the limit is that of one attempt at the lock.

    SQLite changes a table by making it anew and dropping the old one, which deletes the rows that refer to it; so
    foreign keys rest meanwhile, and are checked at the end.
    """
    url = engine.url.render_as_string(hide_password=False)
    if engine.dialect.name != "sqlite":
        return open_database(url, answer_s=86_400)
    own = open_database(url, answer_s=0.2)
    event.listen(own, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=OFF"))
    return own


def _upgrade(connection: Connection) -> None:
    marks.remove(connection)
    search_index.remove(connection)
    command.upgrade(config(connection), "head")
    search_rows.make_all(connection)
    search_index.install(connection)
    marks.install(connection)
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        assert not broken, f"the migration has lost rows that others refer to: {broken[:5]}"


def _has_lock(connection: Connection) -> bool:
    if connection.dialect.name != "sqlite":
        return bool(connection.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": LOCK}))
    try:
        connection.execute(text("SELECT 1"))  # begins the transaction, which is the lock
    except OperationalError as exc:
        if getattr(exc.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            return False
        raise
    return True


@contextmanager
def _telling(tell: Callable[[str], None], sentence: str) -> Iterator[None]:
    timer = threading.Timer(QUIET_S, tell, [sentence])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
