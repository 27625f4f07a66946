"""SQLite's write-ahead log: readers and one writer work at the same time. The database and the journal use it."""

from __future__ import annotations

import sqlite3
import time


def write_ahead(connection: sqlite3.Connection, patience_s: float = 5.0) -> None:
    """Turns it on; it stays on in the file.

    While two processes open a new file SQLite refuses the change at once, whatever its time-out, so it is asked again.
    Raises sqlite3.OperationalError when that does not help.
    """
    until = time.monotonic() + patience_s
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
