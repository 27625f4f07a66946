"""The journal: where facts of calls wait for the database, durable, on the PBX's own disk.

The process that follows calls only appends, and never waits: a thread writes what has gathered. So a slow disk or a
database that is away for a day costs a call nothing. Several processes may append to one journal; one reads it.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from records.errors import RecordsError
from records.facts import CallFacts, to_bytes
from records.write_ahead import write_ahead

log = logging.getLogger(__name__)

KEPT_IN_MEMORY = 20_000
"""Facts that wait while the disk refuses them; some 20 MB. Then the oldest are given up."""

GATHER_S = 0.02
"""What comes within this time is written together, after the calls that it is about have been dialled."""

AGAIN_S = 1.0
"""A disk that refused is asked again after this long."""

_TABLES = """
CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY AUTOINCREMENT, facts BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS rejected
    (id INTEGER PRIMARY KEY, facts BLOB NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL);
"""


class JournalGone(RecordsError):
    """The journal's file cannot be read or changed now."""


@dataclass(frozen=True, slots=True)
class Entry:
    id: int
    facts: bytes


class Journal:
    """One file. `append` may be called from one thread, the reading side from one other; both need no lock of yours."""

    def __init__(self, path: Path, kept_in_memory: int = KEPT_IN_MEMORY) -> None:
        self._path = path
        self._waiting: deque[bytes] = deque()
        self._passed = 0  # how many have left `_waiting` so far, written or given up
        self._limit = kept_in_memory
        self._changed = threading.Condition()
        self._closing = False
        self._given_up = 0
        self._in_trouble = False
        self._writer: threading.Thread | None = None
        self._reader: sqlite3.Connection | None = None
        self._asking = threading.Lock()

    @property
    def unwritten(self) -> int:
        """How many were appended and are not on the disk yet."""
        return len(self._waiting)

    @property
    def given_up(self) -> int:
        """How many were given up, because the disk refused too many."""
        return self._given_up

    def append(self, facts: CallFacts) -> None:
        """Takes the facts and returns at once; they are on the disk some milliseconds later, in order. Never raises."""
        try:
            raw = to_bytes(facts)
        except TypeError as exc:
            log.error("facts of the call %s cannot be kept: %s", facts.call_id, exc)
            return
        with self._changed:
            if len(self._waiting) >= self._limit:
                self._pass_one()
                self._given_up += 1
            self._waiting.append(raw)
            if self._writer is None:
                self._closing = False
                self._writer = threading.Thread(target=self._write_on, name="journal", daemon=True)
                self._writer.start()
            self._changed.notify_all()

    def flush(self, patience_s: float = 5.0) -> bool:
        """Waits until all that was appended is on the disk; False when it was not within `patience_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, patience_s)

    def close(self, patience_s: float = 5.0) -> bool:
        """Flushes and lets go of the file; False when some facts could not be written, which is logged too."""
        flushed = self.flush(patience_s)
        with self._changed:
            self._closing = True
            left = len(self._waiting)
            self._changed.notify_all()
        if self._writer is not None:
            self._writer.join(patience_s)
            self._writer = None
        with self._asking:  # closed under a thread that asks, SQLite would take the process with it
            if self._reader is not None:
                self._reader.close()
                self._reader = None
        if not flushed:
            log.error("%d facts of calls could not be written to %s and are lost", left, self._path)
        return flushed

    def pending(self, limit: int = 200) -> list[Entry]:
        """The oldest entries, in the order in which they were written. Raises JournalGone."""
        rows = self._ask("SELECT id, facts FROM entries ORDER BY id LIMIT ?", limit)
        return [Entry(row[0], row[1]) for row in rows]

    def done(self, upto: int) -> None:
        """Forgets the entries up to this id. Raises JournalGone."""
        self._ask("DELETE FROM entries WHERE id <= ?", upto)

    def reject(self, entry: Entry, reason: str) -> None:
        """Sets one entry aside, for a person to look at; the others go on. Raises JournalGone."""
        self._ask("INSERT OR IGNORE INTO rejected VALUES (?, ?, ?, ?)", entry.id, entry.facts, reason, time.time())
        self._ask("DELETE FROM entries WHERE id = ?", entry.id)

    def rejected(self) -> list[tuple[Entry, str]]:
        """What was set aside, with the reason of each. Raises JournalGone."""
        return [
            (Entry(row[0], row[1]), row[2]) for row in self._ask("SELECT id, facts, reason FROM rejected ORDER BY id")
        ]

    def size(self) -> int:
        """How many entries wait for the database. Raises JournalGone."""
        return int(self._ask("SELECT count(*) FROM entries")[0][0])

    def newest(self) -> int:
        """The id of the newest entry, 0 when none waits. Raises JournalGone."""
        return int(self._ask("SELECT coalesce(max(id), 0) FROM entries")[0][0])

    def _ask(self, statement: str, *values: int | float | str | bytes) -> list[tuple[int, bytes, str]]:
        with self._asking:
            try:
                if self._reader is None:
                    self._reader = _open(self._path)
                return self._reader.execute(statement, values).fetchall()
            except (sqlite3.Error, OSError) as exc:
                if self._reader is not None:
                    self._reader.close()
                    self._reader = None
                raise JournalGone(f"the journal {self._path}: {exc}; may we write there, and is there room?") from exc

    def _write_on(self) -> None:
        """The writer thread: what has gathered goes out in one transaction."""
        connection: sqlite3.Connection | None = None
        while True:
            upto, batch = self._gathered()
            if not batch:
                break
            try:
                connection = connection or _open(self._path)
                _insert(connection, batch)
            except (sqlite3.Error, OSError) as exc:
                if connection is not None:
                    connection.close()
                    connection = None
                self._report_trouble(exc)
                if self._pause():
                    return
            else:
                self._written(upto)
        if connection is not None:
            connection.close()

    def _gathered(self) -> tuple[int, list[bytes]]:
        """What waits, as soon as something does, and the count that has passed with it; nothing when closing."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            self._changed.wait_for(lambda: self._closing, GATHER_S)
            return self._passed + len(self._waiting), list(self._waiting)

    def _written(self, upto: int) -> None:
        if self._in_trouble:  # said before whoever waits for the facts goes on
            self._in_trouble = False
            log.warning("the journal %s can be written again; facts given up meanwhile: %d", self._path, self._given_up)
        with self._changed:
            while self._passed < upto:  # the oldest may have been given up meanwhile, and passed already
                self._pass_one()
            self._changed.notify_all()

    def _pass_one(self) -> None:
        self._waiting.popleft()
        self._passed += 1

    def _report_trouble(self, exc: Exception) -> None:
        if not self._in_trouble:
            self._in_trouble = True
            log.error(
                "the journal %s cannot be written: %s. Calls go on; up to %d facts are kept in memory. "
                "Make room on the disk, or let this user write there",
                self._path,
                exc,
                self._limit,
            )

    def _pause(self) -> bool:
        """Before the next attempt; True when the journal was closed meanwhile."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closing, AGAIN_S)


def waiting(path: Path) -> tuple[int, int]:
    """How many entries wait for the database, and how many were set aside, for whoever only looks: the journal is not
    made. Asked in one go however long it is, so that entries set aside from its middle still count. Raises JournalGone.
    """
    if not path.exists():
        return 0, 0
    entries = "SELECT coalesce(max(id) - min(id) + 1, 0) FROM entries"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=0.5, uri=True)) as connection:
            (wait,) = connection.execute(entries).fetchone()
            (set_aside,) = connection.execute("SELECT count(*) FROM rejected").fetchone()
    except (sqlite3.Error, OSError) as exc:
        raise JournalGone(f"the journal {path}: {exc}") from exc
    return int(wait), int(set_aside)


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        write_ahead(connection)
        connection.execute("PRAGMA synchronous=FULL")  # also through a power cut; the writer thread has the time
        connection.executescript(_TABLES)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _insert(connection: sqlite3.Connection, batch: list[bytes]) -> None:
    with closing(connection.cursor()) as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        try:
            cursor.executemany("INSERT INTO entries (facts) VALUES (?)", [(raw,) for raw in batch])
            cursor.execute("COMMIT")
        except sqlite3.Error:
            if connection.in_transaction:
                cursor.execute("ROLLBACK")
            raise
