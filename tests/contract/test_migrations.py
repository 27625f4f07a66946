"""Migrations on both databases: what they make, who may run them, and what is said when they cannot."""

from __future__ import annotations

import multiprocessing
import shutil
from datetime import UTC, datetime
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, make_url, select, text

import records.migrations
from records import marks, search_index
from records.database import open_database, reading, writer, writing
from records.errors import DatabaseForeign, DatabaseGone, DatabaseNewer, DatabaseOld
from records.migrate import LOCK, check, migrate, newest
from records.tables import Base, Change, Customer, PhoneNumber
from tests.fixtures.postgres import PostgresServer


def test_the_migrations_make_exactly_the_tables_of_the_models(empty_database_url: str) -> None:
    engine = open_database(empty_database_url)
    assert migrate(engine) is True
    compared = {
        "compare_type": True,
        "compare_server_default": True,
        "include_name": lambda name, *_: not search_index.belongs_to_no_model(name),
    }
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=compared)
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


REMAKE_CUSTOMERS = """
from alembic import op
import sqlalchemy as sa
revision, down_revision, branch_labels, depends_on = "0999", {newest!r}, None, None

def upgrade():
    with op.batch_alter_table("customers", recreate="auto") as table:
        table.alter_column("note", existing_type=sa.String(), type_=sa.Text(), existing_nullable=False)
        table.add_column(sa.Column("birthday", sa.Date()))
"""


def add_later_revision(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(Path(records.migrations.__file__).parent, folder / "migrations")
    later = REMAKE_CUSTOMERS.format(newest=newest())
    (folder / "migrations" / "versions" / "0999_later.py").write_text(later)
    monkeypatch.setattr("records.migrate._folder", lambda: folder / "migrations")


def test_a_table_made_anew_keeps_the_rows_that_refer_to_it(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_database(database_url)
    moment = datetime(2026, 3, 10, tzinfo=UTC)
    with writing(engine) as session:
        customer = Customer(name="Sok Dara", created_at=moment, updated_at=moment)
        customer.numbers.append(PhoneNumber(raw="012345678", ext="", norm_version=0))
        session.add(customer)
    add_later_revision(tmp_path, monkeypatch)
    with pytest.raises(DatabaseOld, match="this Ringcard needs 0999"):
        check(engine)
    assert migrate(engine) is True
    with reading(engine) as session:
        assert session.query(Customer).one().numbers[0].raw == "012345678"
        assert session.execute(text("SELECT birthday FROM customers")).all() == [(None,)]
    monkeypatch.undo()
    with pytest.raises(DatabaseNewer):
        check(engine)
    engine.dispose()


def noted(engine: Engine, *statements: str) -> list[int | None]:
    """Customers of whom these statements leave a note."""
    with writing(engine) as session:
        session.execute(text("DELETE FROM changes"))
        for statement in statements:
            session.execute(text(statement))
        return list(session.scalars(text("SELECT customer_id FROM changes ORDER BY id")))


ADD = (
    "INSERT INTO customers (id, name, company, email, address, note, photo, debt_minor, currency, version, created_at,"
    " updated_at) VALUES (7, 'Sok', '', '', '', '', '', 0, 'USD', 1, '2026-03-01', '2026-03-01')"
)
RENAME = "UPDATE customers SET name = 'Dara' WHERE id = 7"


def test_changes_of_a_table_made_anew_are_noted_as_before(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert noted(database, ADD) == [7]
    add_later_revision(tmp_path, monkeypatch)
    migrate(database)
    assert noted(database, RENAME) == [7]


def test_triggers_that_are_missing_or_of_another_version_are_put_right(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(marks, "MARKED", {"orders": marks.MARKED["orders"]})
        assert migrate(database) is True
        assert noted(database, ADD) == []
    assert migrate(database) is True
    assert migrate(database) is False
    assert noted(database, RENAME) == [7]


def test_what_truncate_takes_away_is_noted(postgres_url: str) -> None:
    engine = open_database(postgres_url)
    number = (
        "INSERT INTO phone_numbers (customer_id, raw, match_key, label, ext, norm_version)"
        " VALUES (7, '1', '+1', '', '', 1)"
    )
    assert set(noted(engine, ADD, number, "DELETE FROM changes", "TRUNCATE customers CASCADE")) == {7}
    with reading(engine) as session:
        assert "+1" in session.scalars(select(Change.match_key)).all()
    engine.dispose()


def test_notes_are_left_in_the_schema_that_the_tables_are_in(postgres: PostgresServer) -> None:
    empty = postgres.new_database()
    with writing(engine := open_database(empty)) as session:
        session.execute(text('CREATE SCHEMA "Odd one"'))
    engine.dispose()
    engine = open_database(f"{empty}&options=-csearch_path%3D%22Odd%5C%20one%22")
    assert migrate(engine) is True
    assert migrate(engine) is False
    assert noted(engine, ADD) == [7]
    with reading(engine) as session:
        assert session.scalar(text('SELECT customer_id FROM "Odd one".changes')) == 7
    engine.dispose()
    postgres.drop_database(empty)


def test_another_program_needs_no_right_to_write_notes(postgres_url: str) -> None:
    engine = open_database(postgres_url)
    noted(engine, ADD)
    role = f"crm_{make_url(postgres_url).database}"
    with writing(engine) as session:
        session.execute(text(f"CREATE ROLE {role}"))
        session.execute(text(f"GRANT SELECT, UPDATE ON customers TO {role}"))
    try:
        assert noted(engine, f"SET LOCAL ROLE {role}", RENAME, "RESET ROLE") == [7]
    finally:
        with writing(engine) as session:
            session.execute(text(f"DROP OWNED BY {role}"))
            session.execute(text(f"DROP ROLE {role}"))
        engine.dispose()


def test_whoever_waits_for_the_lock_too_long_is_told_so(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("records.migrate.QUIET_S", 0.05)
    told: list[str] = []
    engine = open_database(empty_database_url)
    with writer(engine).connect() as holder:
        if engine.dialect.name == "sqlite":
            holder.execute(text("SELECT 1"))
        else:
            holder.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        with pytest.raises(DatabaseGone, match="another process"):
            migrate(engine, told.append, patience_s=0.5)
    assert told == ["another Ringcard is bringing the database up to date; waiting for it"]
    engine.dispose()


def test_a_server_that_is_not_there_is_named() -> None:
    engine = open_database("postgresql+psycopg://ringcard:secret@/x?host=/nowhere")
    with pytest.raises(DatabaseGone, match=r"postgresql.*is it running") as caught:
        check(engine)
    assert "secret" not in str(caught.value)
    engine.dispose()
