"""Where the rows of an import wait: an SQLite file of their own beside the records, so that reading and understanding
a million of them keeps nobody from writing a call into the log. What was done of it is known from the records, so a
stage whose program was killed can be gone on with.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from config.sentences import kept, say, told
from records.errors import Refused
from records.intake.rows import RowError
from records.intake.rules import Owner, Wanted

_TABLES = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE wanted (row INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE errors (row INTEGER NOT NULL, header TEXT NOT NULL, message TEXT NOT NULL, late INTEGER NOT NULL);
CREATE TABLE kept (external_id TEXT PRIMARY KEY);
CREATE TABLE claimed (customer_id INTEGER PRIMARY KEY, row INTEGER NOT NULL);
CREATE TABLE owners (id INTEGER PRIMARY KEY, external_id TEXT, body BLOB NOT NULL);
CREATE INDEX owners_external_id ON owners (external_id);
CREATE TABLE owner_keys (key TEXT, id INTEGER, PRIMARY KEY (key, id)) WITHOUT ROWID;
"""

_wanted_from = msgspec.msgpack.Decoder(Wanted)
_owner_from = msgspec.msgpack.Decoder(Owner)
_bytes_of = msgspec.msgpack.Encoder().encode


class Stage:
    """One import's rows. Whoever opens it is `at_work` on this import."""

    def __init__(self, path: Path, *, new: bool = False) -> None:
        self.path = path
        if not new and not path.exists():
            raise Refused(say("the rows of this import are not on this machine any more; import the file again"))
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        with self._plainly():
            # One thread at a time, but not always the same.
            self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=NORMAL")
            if new:
                path.chmod(0o640)
                self._file.executescript(_TABLES)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- filling it

    def put(self, wanted: Iterable[Wanted], errors: Iterable[RowError]) -> None:
        with self._writing() as file:
            file.executemany("INSERT INTO wanted VALUES (?, ?)", [(one.row, _bytes_of(one)) for one in wanted])
            file.executemany(
                "INSERT INTO errors VALUES (?, ?, ?, 0)", [(e.row, e.header, kept(e.message)) for e in errors]
            )

    def keep(self, external_ids: Iterable[str]) -> None:
        """Customers of a source who are still there, whatever became of their rows."""
        with self._writing() as file:
            file.executemany("INSERT OR IGNORE INTO kept VALUES (?)", [(one,) for one in external_ids])

    def kept(self, external_ids: Collection[str]) -> frozenset[str]:
        with self._plainly():
            asked = f"SELECT external_id FROM kept WHERE external_id IN ({_marks(external_ids)})"
            return frozenset(id for (id,) in self._file.execute(asked, [*external_ids]))

    @property
    def is_empty(self) -> bool:
        """Nobody is known to be there."""
        with self._plainly():
            asked = "SELECT EXISTS (SELECT 1 FROM wanted) OR EXISTS (SELECT 1 FROM kept)"
            return not self._file.execute(asked).fetchone()[0]

    def say(self, **about: str) -> None:
        with self._writing() as file:
            file.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", about.items())

    def said(self, key: str) -> str:
        with self._plainly():
            found = self._file.execute("SELECT value FROM about WHERE key = ?", (key,)).fetchone()
        return str(found[0]) if found else ""

    # --- working it off

    @property
    def rows(self) -> int:
        """Rows that were understood."""
        with self._plainly():
            return int(self._file.execute("SELECT count(*) FROM wanted").fetchone()[0])

    def begin(self, done_to: int) -> None:
        """To go on after the row `done_to`: what was put down about later ones was never committed to the records."""
        with self._writing() as file:
            file.execute("DELETE FROM errors WHERE late AND row > ?", (done_to,))
            file.execute("DELETE FROM claimed WHERE row > ?", (done_to,))
            file.execute("DELETE FROM owners")
            file.execute("DELETE FROM owner_keys")

    def after(self, row: int, most: int) -> list[Wanted]:
        """The next rows."""
        with self._plainly():
            found = self._file.execute("SELECT body FROM wanted WHERE row > ? ORDER BY row LIMIT ?", (row, most))
            return [_wanted_from.decode(body) for (body,) in found]

    def claimed(self, customer_ids: Collection[int]) -> frozenset[int]:
        """Those of these customers that earlier rows were."""
        with self._plainly():
            asked = f"SELECT customer_id FROM claimed WHERE customer_id IN ({_marks(customer_ids)})"
            return frozenset(id for (id,) in self._file.execute(asked, [*customer_ids]))

    def note(self, claimed: Iterable[tuple[int, int]], errors: Iterable[RowError]) -> None:
        """What a batch came to: (customer, row), and rows that could not be taken after all."""
        with self._writing() as file:
            file.executemany("INSERT OR IGNORE INTO claimed VALUES (?, ?)", claimed)
            file.executemany(
                "INSERT INTO errors VALUES (?, ?, ?, 1)", [(e.row, e.header, kept(e.message)) for e in errors]
            )

    def errors(self, most: int, unit: str = "row") -> tuple[int, list[RowError]]:
        """How many there are, and the first."""
        with self._plainly():
            count = self._file.execute("SELECT count(*) FROM errors").fetchone()[0]
            rows = self._file.execute("SELECT row, header, message FROM errors ORDER BY row LIMIT ?", (most,))
            return int(count), [RowError(row, header, told(said), unit) for row, header, said in rows]

    # --- a rehearsal: customers as they would be by now

    def imagine(self, owners: Iterable[Owner]) -> None:
        with self._writing() as file:
            for owner in owners:
                file.execute(
                    "INSERT OR REPLACE INTO owners VALUES (?, ?, ?)", (owner.id, owner.external_id, _bytes_of(owner))
                )
                keys = [(number.key, owner.id) for number in owner.numbers]
                file.executemany("INSERT OR IGNORE INTO owner_keys VALUES (?, ?)", keys)

    def imagined(self, wanted: Sequence[Wanted], customer_ids: Collection[int]) -> dict[int, Owner]:
        """Those that these rows may mean, and these."""
        keys = {number.key for one in wanted for number in one.numbers}
        ids = {one.fields["external_id"] for one in wanted if "external_id" in one.fields}
        asked = (
            f"SELECT id, body FROM owners WHERE id IN (SELECT id FROM owner_keys WHERE key IN ({_marks(keys)}))"
            f" OR external_id IN ({_marks(ids)}) OR id IN ({_marks(customer_ids)})"
        )
        with self._plainly():
            found = self._file.execute(asked, [*keys, *ids, *customer_ids])
            return {id: _owner_from.decode(body) for id, body in found}

    # ---

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._plainly(), self._file:
            self._file.execute("BEGIN")
            yield self._file

    @contextlib.contextmanager
    def _plainly(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as exc:
            said = say(
                "the rows of this import cannot be kept in {folder} ({why}); is there room, and a right?",
                folder=str(self.path.parent),
                why=str(exc),
            )
            raise Refused(said) from exc


def folder(data_dir: Path) -> Path:
    """Where stages and files that were sent lie."""
    return data_dir / "imports"


def new_name() -> str:
    return secrets.token_hex(8)


def stage_path(data_dir: Path, name: str) -> Path:
    return folder(data_dir) / f"{name}.db"


def file_path(data_dir: Path, name: str) -> Path:
    """A file that was sent to the desk."""
    return folder(data_dir) / f"{name}.file"


@contextlib.contextmanager
def at_work(data_dir: Path, name: str) -> Iterator[None]:
    """Held by the one program that works on this import, and let go whatever becomes of it. Raises Refused."""
    folder(data_dir).mkdir(parents=True, exist_ok=True, mode=0o750)
    lock = os.open(_lock(data_dir, name), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise Refused(say("another program is at work on this already; wait until it is done")) from None
    else:
        yield
    finally:
        os.close(lock)


def somebody_at_work(data_dir: Path, name: str) -> bool:
    """Whether a program of this machine is."""
    try:
        lock = os.open(_lock(data_dir, name), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def sweep(data_dir: Path, in_use: Collection[str]) -> None:
    """Takes away what programs that were killed before they wrote anything have left."""
    long_ago = time.time() - 3600  # a file that is being sent is not listed yet
    left = {path.stem for path in folder(data_dir).glob("*.db")}
    for path in folder(data_dir).glob("*.file"):
        with contextlib.suppress(OSError):  # gone meanwhile
            if path.stat().st_mtime < long_ago:
                left.add(path.stem)
    for name in left - set(in_use):
        if not somebody_at_work(data_dir, name):
            remove(data_dir, name)


def remove(data_dir: Path, name: str, but: str = "") -> None:
    """`but`: an ending that stays; a lock that others may wait for must not go while it is held."""
    for path in folder(data_dir).glob(f"{name}.*"):
        if path.suffix != f".{but}":
            path.unlink(missing_ok=True)


def _lock(data_dir: Path, name: str) -> Path:
    return folder(data_dir) / f"{name}.lock"


def _marks(values: Collection[object]) -> str:
    return ",".join("?" * len(values))
