"""What is kept of an import: that it can be listed, gone on with when it was killed, and undone; and of its columns."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from lookup.numbers import NumberPlan, read
from records.customers import add_customer, attach_number, change_customer, customers_with
from records.database import open_database, reading, writing
from records.errors import Refused
from records.intake import apply, imports, stage
from records.intake.apply import Progress
from records.intake.imports import Intake
from records.intake.mappings import forget_mapping, keep_mapping, kept_mappings
from records.intake.undo import kept
from records.numbers import ReadNumber
from records.orders import add_order
from records.tables import Change, Customer, ImportedCustomer, PhoneNumber
from records.touched import Touched


def read_number(raw: str) -> ReadNumber:
    return read(raw, NumberPlan("KH", "23"))


def run(database: Engine, folder: Path, text: str, **mapping: str) -> int:
    path = folder / "customers.csv"
    path.write_text(text)
    means = Intake(database, folder, read_number)
    return imports.import_table(means, imports.look_at(means, path, mapping), path.name)[0]


def undo(database: Engine, folder: Path, import_id: int) -> list[str]:
    """Who was kept, and why."""
    imports.undo(Intake(database, folder, read_number), import_id)
    return [f"{name}: {why}" for _, name, why in kept(database, import_id, 100)]


def state(database: Engine) -> list[tuple[object, ...]]:
    """All of all customers but when and how often they were changed."""
    with reading(database) as session:
        return [
            (
                *(one.external_id, one.name, one.company, one.email, one.debt_minor, one.currency, one.note),
                sorted((number.raw, number.label, number.match_key) for number in one.numbers),
            )
            for one in session.scalars(select(Customer).order_by(Customer.name))
        ]


BEFORE = "id,name,phone,note\n1,A,012345678,old\n2,B,092345678,\n"
AFTER = "id,name,phone,note,debt\n1,A,012345678;016555019,new,5\n2,B B,092345678,,\n3,C,023988710,,7\n"


def test_an_import_is_undone(database: Engine, tmp_path: Path) -> None:
    run(database, tmp_path, BEFORE)
    before = state(database)
    import_id = run(database, tmp_path, AFTER)
    assert state(database) != before
    assert undo(database, tmp_path, import_id) == []
    assert state(database) == before
    row = imports.one_import(database, import_id)
    assert (row.state, row.kept, row.added, row.changed) == ("undone", 0, 1, 2)
    with reading(database) as session:
        left = session.scalars(select(ImportedCustomer.import_id).distinct()).all()
        assert left == [1]
    with pytest.raises(Refused, match="is undone; there is nothing to undo"):
        undo(database, tmp_path, import_id)


def test_imports_are_undone_one_after_the_other(database: Engine, tmp_path: Path) -> None:
    first = run(database, tmp_path, BEFORE)
    second = run(database, tmp_path, AFTER)
    undo(database, tmp_path, second)
    assert undo(database, tmp_path, first) == []
    assert state(database) == []


def test_what_somebody_changed_since_is_kept_and_named(database: Engine, tmp_path: Path) -> None:
    run(database, tmp_path, BEFORE)
    import_id = run(database, tmp_path, AFTER + "4,D,023988711,,\n5,E,023988712,,\n6,F,023988713,,\n")
    with writing(database) as session:
        ids = {one.external_id: one.id for one in session.scalars(select(Customer))}
        change_customer(session, ids["1"], {"note": "mine"})
        change_customer(session, ids["3"], {"email": "c@example.org"})
        add_order(session, ids["4"], "#1")
        attach_number(session, read_number, ids["5"], "011222333")
    assert undo(database, tmp_path, import_id) == [
        "A: changed since: note",
        "C: was changed since",
        "D: has an order",
        "E: was changed since",
    ]
    with reading(database) as session:
        (a,) = customers_with(session, "+85512345678")
        assert (a.note, a.debt_minor, [number.raw for number in a.numbers]) == ("mine", 0, ["012345678"])
        assert session.scalar(select(Customer.name).where(Customer.external_id == "2")) == "B"
        assert session.scalar(select(func.count()).where(Customer.external_id == "6")) == 0
    assert imports.one_import(database, import_id).kept == 4


def test_a_customer_that_was_added_and_changed_by_two_rows_goes(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "AT_ONCE", 1)
    import_id = run(database, tmp_path, "name,phone,note\nA,012345678,\nA,012345678/092345678,rice\n")
    assert len(state(database)) == 1
    assert undo(database, tmp_path, import_id) == []
    assert state(database) == []


# --- killed in the middle


ROWS = 2000


def write_rows(folder: Path) -> Path:
    path = folder / "many.csv"
    path.write_text("id,name,phone\n" + "".join(f"{n},Customer {n},0923{n:05}\n" for n in range(ROWS)))
    return path


def dies(url: str, folder: Path, after: int) -> None:
    def tell(progress: Progress) -> None:
        if progress.doing == "importing" and progress.done >= after:
            os.kill(os.getpid(), signal.SIGKILL)

    means = Intake(open_database(url), folder, read_number, tell=tell)
    imports.import_table(means, imports.look_at(means, folder / "many.csv", {}), "many.csv")


def killed(url: str, folder: Path) -> None:
    write_rows(folder)
    process = multiprocessing.get_context("spawn").Process(target=dies, args=(url, folder, 800))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def test_a_killed_import_is_said_to_be_interrupted_and_goes_on(
    database: Engine, database_url: str, tmp_path: Path
) -> None:
    killed(database_url, tmp_path)
    row = imports.one_import(database, 1)
    assert imports.is_interrupted(tmp_path, row)
    assert (row.state, row.done, row.added, row.rows) == ("importing", 800, 800, ROWS)
    outcome = imports.go_on(Intake(database, tmp_path, read_number), 1)
    assert (outcome.added, outcome.changed, outcome.refused) == (ROWS, 0, 0)
    with reading(database) as session:
        assert session.scalar(select(func.count()).select_from(Customer)) == ROWS
        assert session.scalar(select(func.count()).select_from(PhoneNumber)) == ROWS
    assert imports.one_import(database, 1).state == "done"
    assert [*(tmp_path / "imports").iterdir()] == []
    assert undo(database, tmp_path, 1) == []
    assert state(database) == []


def test_a_killed_import_is_finished_by_importing_again_and_can_be_undone(
    sqlite_database: Engine, sqlite_url: str, tmp_path: Path
) -> None:
    killed(sqlite_url, tmp_path)
    means = Intake(sqlite_database, tmp_path, read_number)
    outcome = imports.import_table(means, imports.look_at(means, tmp_path / "many.csv", {}), "many.csv")[1]
    assert (outcome.added, outcome.changed, outcome.unchanged) == (ROWS - 800, 0, 800)
    assert undo(sqlite_database, tmp_path, 2) == []
    assert undo(sqlite_database, tmp_path, 1) == []
    assert state(sqlite_database) == []


def test_only_one_program_works_on_an_import(sqlite_database: Engine, sqlite_url: str, tmp_path: Path) -> None:
    killed(sqlite_url, tmp_path)
    row = imports.one_import(sqlite_database, 1)
    with stage.at_work(tmp_path, row.stage):
        assert not imports.is_interrupted(tmp_path, row)
        for what in (imports.go_on, imports.undo):
            with pytest.raises(Refused, match="another program is at work"):
                what(Intake(sqlite_database, tmp_path, read_number), 1)


def test_what_killed_programs_left_is_taken_away_by_the_next_import(sqlite_database: Engine, tmp_path: Path) -> None:
    folder = stage.folder(tmp_path)
    folder.mkdir()
    for name, age_s in (("a.db", 0), ("a.lock", 0), ("b.file", 4000), ("c.file", 10)):
        (folder / name).write_text("x")
        os.utime(folder / name, (time.time() - age_s,) * 2)
    run(sqlite_database, tmp_path, BEFORE)
    assert [path.name for path in folder.iterdir()] == ["c.file"]


# --- others meanwhile


def test_others_write_while_a_file_is_read_and_between_any_two_batches(
    database: Engine, database_url: str, tmp_path: Path
) -> None:
    other = open_database(database_url, answer_s=2)
    wrote: list[str] = []

    def write(progress: Progress) -> None:
        with writing(other) as session:  # DatabaseGone, when the import had the records locked now
            session.add(Customer(name="Theirs", created_at=datetime.now(UTC), updated_at=datetime.now(UTC)))
        wrote.append(progress.doing)

    write_rows(tmp_path)
    means = Intake(database, tmp_path, read_number, tell=write)
    outcome = imports.import_table(means, imports.look_at(means, tmp_path / "many.csv", {}), "many.csv")[1]
    other.dispose()
    assert outcome.added == ROWS
    assert (wrote.count("reading"), wrote.count("importing")) == (2, 5)


def test_who_came_in_since_the_plan_was_made_is_not_doubled(database: Engine, tmp_path: Path) -> None:
    def enter(_: Touched) -> bool:
        """Called between the plan and the transaction: somebody enters the same customer."""
        with writing(database) as session:
            if not session.scalar(select(func.count()).select_from(Customer)):
                add_customer(session, read_number, name="A", numbers=["012345678"], note="theirs")
        return True

    path = tmp_path / "c.csv"
    path.write_text("name,phone,email\nA,012345678,a@example.org\n")
    means = Intake(database, tmp_path, read_number, forget=enter)
    outcome = imports.import_table(means, imports.look_at(means, path, {}), path.name)[1]
    assert (outcome.added, outcome.changed) == (0, 1)
    with reading(database) as session:
        (one,) = session.scalars(select(Customer))
        assert (one.note, one.email) == ("theirs", "a@example.org")


# --- the cache


def noted(database: Engine) -> dict[bool, int]:
    with reading(database) as session:
        done = Change.done_at.is_not(None)
        return {bool(is_done): count for is_done, count in session.execute(select(done, func.count()).group_by(done))}


@pytest.mark.parametrize(("told", "waiting"), [(True, 0), (False, 3)])
def test_of_new_customers_nothing_waits_for_the_worker_when_the_cache_was_told(
    database: Engine, tmp_path: Path, told: bool, waiting: int
) -> None:
    path = tmp_path / "c.csv"
    path.write_text("name,phone\nA,012345678\n")
    heard: list[Touched] = []

    def forget(touched: Touched) -> bool:
        assert state(database) == []  # before it is committed, and for longer than that takes
        heard.append(touched)
        return told

    with writing(database) as session:
        session.execute(Change.__table__.delete())  # type: ignore[attr-defined]
    means = Intake(database, tmp_path, read_number, forget=forget)
    imports.import_table(means, imports.look_at(means, path, {}), path.name)
    assert [touched.keys for touched in heard] == [{"+85512345678"}]
    assert noted(database).get(False, 0) == (2 if waiting else 0)


def test_what_is_changed_waits_for_the_worker_in_any_case(database: Engine, tmp_path: Path) -> None:
    run(database, tmp_path, "name,phone\nA,012345678\n")
    with writing(database) as session:
        session.execute(Change.__table__.delete())  # type: ignore[attr-defined]
    path = tmp_path / "c.csv"
    path.write_text("name,phone,note\nA,012345678,new\n")
    means = Intake(database, tmp_path, read_number, forget=lambda _: True)
    imports.import_table(means, imports.look_at(means, path, {}), path.name)
    assert noted(database) == {False: 1}


# --- columns


def test_a_mapping_is_kept_for_the_next_file_with_the_same_columns(database: Engine, tmp_path: Path) -> None:
    text = "Kundennummer,Kunde,Rufnummer\n7,A,012345678\n"
    mapping = {"kundennummer": "external_id", "Kunde": "name", "Rufnummer": "phone:work"}
    run(database, tmp_path, text, **mapping)
    with writing(database) as session:
        keep_mapping(session, ["Kundennummer", "Kunde", "Rufnummer"], mapping)
    run(database, tmp_path, "Rufnummer,KUNDENNUMMER,Kunde\n092345678,7,A\n")
    with reading(database) as session:
        (one,) = session.scalars(select(Customer))
        assert one.external_id == "7"
        assert [(number.raw, number.label) for number in one.numbers] == [("012345678", "work"), ("092345678", "work")]
    with writing(database) as session:
        assert kept_mappings(session) == [(1, mapping)]
        forget_mapping(session, 1)
    with pytest.raises(Refused, match=r"no column for the name.*--map 'COLUMN=name'.*Kundennummer, Kunde, Rufnummer"):
        run(database, tmp_path, text)


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"Name": "nome"}, "'nome' is nothing that a column can be; write one of name, first name"),
        ({"Nome": "name"}, "there is no column 'Nome'; the columns are: 'Name', 'Phone'"),
        ({"Name": "email:work"}, "'email:work' is nothing"),
        ({"Name": "-"}, "no column for the name"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused(
    sqlite_database: Engine, tmp_path: Path, mapping: dict[str, str], said: str
) -> None:
    with pytest.raises(Refused, match=said):
        run(sqlite_database, tmp_path, "Name,Phone\nA,012345678\n", **mapping)
