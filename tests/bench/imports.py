"""How quick a large import is, beside the database's own way to load the same rows; and who waits for it meanwhile.

The import runs in a process of its own, as `ringcard import` does. Beside it, another process writes one small
transaction and looks one customer up, some fifty times a second: what a call's journal and a lookup without Redis do.
"""

from __future__ import annotations

import multiprocessing
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.string import TextLoader
from sqlalchemy import func, select

from lookup import numbers
from lookup.answers import Number
from lookup.numbers import NumberPlan
from records.customers import customers_with
from records.database import open_database, reading, writing
from records.intake import imports
from records.intake.apply import Progress
from records.intake.imports import Intake
from records.migrate import migrate
from records.tables import Customer, PhoneNumber, Task
from tests.bench.distribution import Distribution, distribution, rows
from tests.bench.machine import Busy, cpu_ms, watching
from tests.fixtures.postgres import PostgresServer

PLAN = NumberPlan("KH")
EVERY_S = 0.02
LOADED_AT_ONCE = 20_000
TABLES = (Customer.__tablename__, PhoneNumber.__tablename__)


@dataclass(frozen=True, slots=True)
class Import:
    """Times in seconds, waits in milliseconds, memory in MB."""

    database: str
    rows: int
    numbers: int
    machine: Busy
    reading_s: float  # and understanding, into the stage
    writing_s: float
    computing_s: float  # processor time of the importing process in both
    raw_s: float  # the same rows by the database's own way, in one transaction, with the same indexes and triggers
    memory: tuple[int, ...]  # at each tenth of the way
    writes: Distribution  # of somebody else meanwhile, from before the lock to after the commit
    lookups: Distribution
    faults: tuple[str, ...]


def run(count: int, kinds: Sequence[str], tell: Callable[[str], None]) -> list[Import]:
    found = []
    with tempfile.TemporaryDirectory(prefix="ringcard-bench-") as name:
        folder = Path(name)
        file = folder / "customers.csv"
        write_file(file, count)
        for kind in kinds:
            tell(f"\n{count:,} customers into {kind} ...")
            with _database(kind, folder) as (url, raw_url):
                found.append(_measured(kind, url, raw_url, file, count))
            tell(told(found[-1]))
    return found


def write_file(path: Path, count: int) -> None:
    """Customers with as much as companies know; every second has two numbers."""
    with path.open("w") as file:
        file.write("id,name,company,phone,mobile,email,address,debt,note\n")
        for n in range(count):
            mobile = f"+7701{n:07}" if n % 2 else ""
            file.write(
                f"{n},Sok Dara {n},Dara and Sons {n % 5000},+85596{n:07},{mobile},office{n}@dara.example,"
                f'"{n % 900} Street {n % 400}, Phnom Penh",{n % 1000}.50,Pays by the end of the month\n'
            )


def told(one: Import) -> str:
    def rate(seconds: float) -> str:
        return f"{seconds:.0f} s ({one.rows / seconds:,.0f} a second)"

    return "\n".join(
        (
            f"read and understood {rate(one.reading_s)}, written {rate(one.writing_s)}, all of it "
            f"{rate(one.reading_s + one.writing_s)}; processor time of it {rate(one.computing_s)}",
            f"the database's own way {rate(one.raw_s)}, so writing took {one.writing_s / one.raw_s:.1f} times that; "
            f"{one.machine}",
            f"memory at each tenth of the way, MB: {' '.join(map(str, one.memory))}",
            *rows({"somebody's write meanwhile": one.writes, "somebody's lookup meanwhile": one.lookups}, "ms", 1),
        )
    )


def _measured(kind: str, url: str, raw_url: str, file: Path, count: int) -> Import:
    spawned = multiprocessing.get_context("spawn")
    ours, theirs = spawned.Pipe()
    stop = spawned.Event()
    waits, waiting = spawned.Pipe()
    others = spawned.Process(target=_others, args=(url, waiting, stop), daemon=True)
    importer = spawned.Process(target=_import, args=(url, file, theirs), daemon=True)
    with watching() as busy:
        others.start()
        waits.recv()  # it is ready
        importer.start()
        marks, memory, computed_ms = _followed(ours, importer.pid or 0)
        importer.join()
        stop.set()
        writes, lookups = waits.recv()
        others.join()
    database = open_database(url)
    with reading(database) as session:
        customers = session.scalar(select(func.count()).select_from(Customer)) or 0
        held = session.scalar(select(func.count()).select_from(PhoneNumber)) or 0
    database.dispose()
    wrong = () if customers == count else (f"{customers} customers of {count}",)
    raw_s = _raw_sqlite(url, raw_url) if kind == "SQLite" else _raw_postgres(url, raw_url)
    read_s, written_s = marks["importing"] - marks["reading"], marks["done"] - marks["importing"]
    tenths = tuple(memory[min(len(memory) - 1, len(memory) * n // 10)] for n in range(11)) if memory else ()
    return Import(
        *(kind, customers, held, busy, read_s, written_s, computed_ms / 1000, raw_s, tenths),
        *(distribution(writes), distribution(lookups), wrong),
    )


def _import(url: str, file: Path, pipe: Pipe) -> None:
    database = open_database(url)
    doing = ""

    def tell(progress: Progress) -> None:
        nonlocal doing
        if progress.doing != doing:
            doing = progress.doing
            pipe.send(doing)

    pipe.send("reading")
    doing = "reading"
    means = Intake(database, file.parent, _read, tell=tell, forget=lambda _: True)
    imports.import_table(means, imports.look_at(means, file, {}), file.name)
    pipe.send("done")
    database.dispose()


def _read(raw: str) -> Number:
    return numbers.read(raw, PLAN)


def _followed(pipe: Pipe, pid: int) -> tuple[dict[str, float], list[int], float]:
    """When each part began, how much memory it took every half second, and how long it computed."""
    marks: dict[str, float] = {}
    memory: list[int] = []
    computed = 0.0
    while "done" not in marks:
        if pipe.poll(0.5):
            marks[pipe.recv()] = time.monotonic()
        else:
            status = Path(f"/proc/{pid}/status").read_text()
            memory.append(int(status.partition("VmRSS:")[2].split()[0]) // 1024)
            computed = cpu_ms(pid)
    return marks, memory, computed


def _others(url: str, pipe: Pipe, stop: Any) -> None:
    database = open_database(url)
    writes: list[float] = []
    lookups: list[float] = []
    pipe.send("ready")
    while not stop.is_set():
        began = time.monotonic()
        with writing(database) as session:
            session.add(Task(title="a task of nobody", created_at=datetime.now(UTC)))
        wrote = time.monotonic()
        with reading(database) as session:
            customers_with(session, f"+85596{len(writes):07}")
        lookups.append((time.monotonic() - wrote) * 1000)
        writes.append((wrote - began) * 1000)
        time.sleep(EVERY_S)
    pipe.send((writes, lookups))


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[tuple[str, str]]:
    """A migrated database to import into, and another like it."""
    if kind == "SQLite":
        urls = (f"sqlite:///{folder / 'import.db'}", f"sqlite:///{folder / 'raw.db'}")
        for url in urls:
            _migrate(url)
        yield urls
        return
    home = Path(tempfile.mkdtemp(prefix="ringcard-pg-"))
    server = PostgresServer(home)
    try:
        server.start()
        made = (server.new_database(), server.new_database())
        for url in made:
            _migrate(url)
        yield made
    finally:
        server.stop()
        shutil.rmtree(home)


def _migrate(url: str) -> None:
    engine = open_database(url)
    migrate(engine)
    engine.dispose()


def _raw_sqlite(url: str, raw_url: str) -> float:
    """executemany of what the import has written; only that is timed."""
    source, target = (sqlite3.connect(each.removeprefix("sqlite:///"), isolation_level=None) for each in (url, raw_url))
    took = 0.0
    target.execute("PRAGMA synchronous=NORMAL")
    target.execute("BEGIN IMMEDIATE")
    for table in TABLES:
        all_rows = source.execute(f"SELECT * FROM {table} ORDER BY id")
        marks = ",".join("?" * len(all_rows.description))
        while some := [*islice(all_rows, LOADED_AT_ONCE)]:
            began = time.monotonic()
            target.executemany(f"INSERT INTO {table} VALUES ({marks})", some)
            took += time.monotonic() - began
    began = time.monotonic()
    target.execute("COMMIT")
    took += time.monotonic() - began
    source.close()
    target.close()
    return took


def _raw_postgres(url: str, raw_url: str) -> float:
    """COPY of what the import has written; only that is timed."""
    source, target = (psycopg.connect(_plain(each)) for each in (url, raw_url))
    for kind in ("json", "jsonb"):  # written again as it was read
        source.adapters.register_loader(kind, TextLoader)
    took = 0.0
    with source, target:
        for table in TABLES:
            with source.cursor(name="all") as cursor:
                cursor.execute(f"SELECT * FROM {table} ORDER BY id".encode())
                while some := cursor.fetchmany(LOADED_AT_ONCE):
                    began = time.monotonic()
                    with target.cursor() as into, into.copy(f"COPY {table} FROM STDIN".encode()) as copy:
                        for row in some:
                            copy.write_row(row)
                    took += time.monotonic() - began
        began = time.monotonic()
        target.commit()
        took += time.monotonic() - began
    return took


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")
