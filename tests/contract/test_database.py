"""Using the database: two writers, a write in the wrong place, a server that freezes, dies and comes back."""

from __future__ import annotations

import multiprocessing
import sqlite3
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from records.database import open_database, reading, writing
from records.errors import DatabaseGone
from records.migrate import migrate
from records.tables import Team
from tests.fixtures.postgres import TEMPLATE, PostgresServer


def test_what_is_written_is_read(database: Engine) -> None:
    with writing(database) as session:
        session.add(Team(name="Sales"))
    with reading(database) as session:
        assert session.query(Team).one().name == "Sales"


def _add_and_break(session: Session) -> None:
    session.add(Team(name="Sales"))
    session.flush()
    raise OverflowError


def test_a_block_that_raises_writes_nothing(database: Engine) -> None:
    with pytest.raises(OverflowError), writing(database) as session:
        _add_and_break(session)
    with reading(database) as session:
        assert session.query(Team).count() == 0


@pytest.mark.parametrize("used", [False, True])
def test_sqlite_refuses_a_write_outside_writing(sqlite_url: str, used: bool) -> None:
    engine = open_database(sqlite_url)
    if used:  # a connection that wrote before goes back into the pool and must refuse again
        with writing(engine) as session:
            session.add(Team(name="Sales"))
    with pytest.raises(OperationalError, match="readonly"), reading(engine) as session:
        session.execute(insert(Team).values(name="Support"))
    engine.dispose()


def test_sqlite_keeps_foreign_keys_and_the_write_ahead_log(sqlite_url: str) -> None:
    engine = open_database(sqlite_url)
    with reading(engine) as session:
        assert session.scalar(text("PRAGMA foreign_keys")) == 1
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert session.scalar(text("PRAGMA synchronous")) == 1
    engine.dispose()


def _add_teams(url: str, name: str, many: int, pipe: Pipe) -> None:
    engine = open_database(url)
    pipe.send("ready")
    pipe.recv()
    for number in range(many):
        with writing(engine) as session:
            known = session.query(Team).count()  # reads first, then writes: what loses without BEGIN IMMEDIATE
            session.add(Team(name=f"{name}-{number}-{known}"))
    engine.dispose()
    pipe.send("done")


def test_processes_that_read_then_write_never_lose_to_each_other(database_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for name in ("a", "b"):
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=_add_teams, args=(database_url, name, 40, theirs))
        process.start()
        theirs.close()
        pipes.append(ours)
        processes.append(process)
    for pipe in pipes:
        assert pipe.recv() == "ready"
    for pipe in pipes:
        pipe.send("go")
    for pipe in pipes:
        assert pipe.recv() == "done"
    for process in processes:
        process.join(20)
        process.close()
    engine = open_database(database_url)
    with reading(engine) as session:
        assert session.query(Team).count() == 80
    engine.dispose()


def test_a_locked_sqlite_is_gone_only_for_as_long_as_it_is_locked(sqlite_url: str) -> None:
    engine = open_database(sqlite_url, answer_s=0.05)
    holder = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseGone, match="locked"), writing(engine) as session:
        session.add(Team(name="Sales"))
    holder.close()
    with writing(engine) as session:
        session.add(Team(name="Sales"))
    engine.dispose()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"not a database at all" * 100)
    engine = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    with pytest.raises(DatabaseGone, match=r"x\.db.*not a database"), reading(engine) as session:
        session.query(Team).count()
    engine.dispose()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    engine = open_database(f"sqlite:///{tmp_path / 'file' / 'ringcard.db'}")
    with pytest.raises(DatabaseGone, match=r"store\.data_dir"):
        migrate(engine)


def test_only_a_migration_makes_a_file(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'data' / 'ringcard.db'}")
    for use in (reading, writing):
        with pytest.raises(DatabaseGone, match="make it: ringcard migrate"), use(engine) as session:
            session.execute(text("SELECT 1"))
    assert list(tmp_path.iterdir()) == []
    migrate(engine)
    with reading(engine) as session:
        assert session.query(Team).count() == 0
    engine.dispose()


def test_a_wrong_statement_is_not_taken_for_a_lost_database(database: Engine) -> None:
    with pytest.raises(Exception, match="no_such_table") as caught, reading(database) as session:
        session.execute(text("SELECT * FROM no_such_table"))
    assert not isinstance(caught.value, DatabaseGone)


def test_a_frozen_server_is_given_up_and_used_again_when_it_thaws(own_postgres: PostgresServer) -> None:
    engine = open_database(own_postgres.new_database(TEMPLATE), answer_s=0.2)
    with writing(engine) as session:
        session.add(Team(name="Sales"))
    own_postgres.freeze()
    with pytest.raises(DatabaseGone), reading(engine) as session:
        session.query(Team).count()
    own_postgres.resume()
    with reading(engine) as session:
        assert session.query(Team).count() == 1
    engine.dispose()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_server_that_died_is_used_again_when_it_is_back(own_postgres: PostgresServer, end: str) -> None:
    engine = open_database(own_postgres.new_database(TEMPLATE))
    with writing(engine) as session:
        session.add(Team(name="Sales"))
    getattr(own_postgres, end)()
    with pytest.raises(DatabaseGone), reading(engine) as session:
        session.query(Team).count()
    own_postgres.start()
    with reading(engine) as session:
        assert session.query(Team).count() == 1
    engine.dispose()


def test_a_statement_that_takes_too_long_is_cut_by_the_server(postgres_url: str) -> None:
    engine = open_database(postgres_url, answer_s=0.1)
    with pytest.raises(DatabaseGone, match="statement timeout"), reading(engine) as session:
        session.execute(text("SELECT pg_sleep(5)"))
    engine.dispose()
