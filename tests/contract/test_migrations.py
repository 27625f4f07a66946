"""Migrations on both databases: what they make, who may run them, and what is said when they cannot."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection as Pipe

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from records.database import open_database, writer
from records.errors import DatabaseForeign, DatabaseGone, DatabaseNewer, DatabaseOld
from records.migrate import LOCK, check, migrate
from records.tables import Base


def test_the_migrations_make_exactly_the_tables_of_the_models(empty_database_url: str) -> None:
    engine = open_database(empty_database_url)
    assert migrate(engine) is True
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_a_second_migration_finds_nothing_to_do(empty_database_url: str) -> None:
    engine = open_database(empty_database_url)
    migrate(engine)
    assert migrate(engine) is False
    check(engine)
    engine.dispose()


def test_an_empty_database_is_named_old_and_the_command_is_given(empty_database_url: str) -> None:
    engine = open_database(empty_database_url)
    with pytest.raises(DatabaseOld, match="run: ringcard migrate"):
        check(engine)
    engine.dispose()


def test_a_database_of_a_newer_ringcard_is_left_alone(database_url: str) -> None:
    engine = open_database(database_url)
    with writer(engine).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for ask in (check, migrate):
        with pytest.raises(DatabaseNewer, match=r"newer Ringcard.*upgrade Ringcard, or restore a backup"):
            ask(engine)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
    engine.dispose()


def test_a_database_of_another_program_is_left_alone(empty_database_url: str) -> None:
    engine = open_database(empty_database_url)
    with writer(engine).begin() as connection:
        connection.execute(text("CREATE TABLE users (shoe_size integer)"))
    with pytest.raises(DatabaseForeign, match="users"):
        migrate(engine)
    engine.dispose()


def test_a_migration_that_fails_leaves_the_database_as_it_was(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from records.migrations.versions import __file__ as versions  # noqa: F401

    engine = open_database(empty_database_url)

    def breaks(*_: object) -> None:
        raise RuntimeError("the power went")

    monkeypatch.setattr("alembic.runtime.migration.HeadMaintainer.update_to_step", breaks)
    with pytest.raises(RuntimeError, match="the power went"):
        migrate(engine)
    monkeypatch.undo()
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() is None
        tables = "sqlite_master" if engine.dialect.name == "sqlite" else "pg_tables WHERE schemaname = 'public'"
        assert connection.scalar(text(f"SELECT count(*) FROM {tables}")) == 0
    assert migrate(engine) is True
    engine.dispose()


def _migrate_in_a_process(url: str, pipe: Pipe) -> None:
    engine = open_database(url)
    pipe.send("ready")
    pipe.recv()
    try:
        pipe.send(migrate(engine))
    except Exception as exc:
        pipe.send(repr(exc))


def test_of_processes_that_migrate_at_once_one_does_and_the_others_wait(empty_database_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for _ in range(3):
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=_migrate_in_a_process, args=(empty_database_url, theirs))
        process.start()
        pipes.append(ours)
        processes.append(process)
    for pipe in pipes:
        assert pipe.recv() == "ready"
    for pipe in pipes:
        pipe.send("go")
    assert sorted(pipe.recv() for pipe in pipes) == [False, False, True]
    for process in processes:
        process.join(20)
        process.close()
    engine = open_database(empty_database_url)
    check(engine)
    engine.dispose()


def test_whoever_waits_for_the_lock_too_long_is_told_so(empty_database_url: str) -> None:
    engine = open_database(empty_database_url)
    with writer(engine).connect() as holder:
        if engine.dialect.name == "sqlite":
            holder.execute(text("SELECT 1"))
        else:
            holder.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        with pytest.raises(DatabaseGone, match="another process"):
            migrate(engine, patience_s=0.5)
    engine.dispose()


def test_a_server_that_is_not_there_is_named() -> None:
    engine = open_database("postgresql+psycopg://ringcard:secret@/x?host=/nowhere")
    with pytest.raises(DatabaseGone, match=r"postgresql.*is it running") as caught:
        check(engine)
    assert "secret" not in str(caught.value)
    engine.dispose()
