"""What an import fills of the fields that the company defines: as of the built-in ones, on both databases."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from sqlalchemy import Engine, select, text, update

from config.card_fields import Field
from lookup.numbers import NumberPlan, read
from records.customers import change_customer
from records.database import reading, writing
from records.errors import Refused
from records.intake import imports, store
from records.intake.apply import Outcome
from records.intake.headers import meaning
from records.intake.imports import Intake
from records.intake.mappings import keep_mapping
from records.intake.rows import Cell, Meaning, Row, row_of
from records.intake.rules import Problem, Understanding
from records.intake.undo import kept
from records.numbers import ReadNumber
from records.tables import Customer

FIELDS = {
    "credit_limit": Field("Credit limit", "money"),
    "grade": Field(type="choice", choices=("Gold", "Silver")),
    "since": Field("Customer since", "date"),
    "vip": Field("VIP", "yes/no"),
    "score": Field(type="number"),
    "contract": Field(type="link"),
    "code": Field("Line 2"),
}
LIMIT = {"minor": 125_050, "currency": "USD"}


def read_number(raw: str) -> ReadNumber:
    return read(raw, NumberPlan("KH", "23"))


def means(database: Engine, folder: Path, fields: dict[str, Field] | None = None) -> Intake:
    return Intake(database, folder, read_number, own_fields=FIELDS if fields is None else fields)


def run(database: Engine, folder: Path, text: str, mapping: dict[str, str] | None = None) -> Outcome:
    path = folder / "customers.csv"
    path.write_text(text)
    intake = means(database, folder)
    table = imports.look_at(intake, path, mapping or {})
    tried = imports.rehearse_table(intake, table)
    outcome = imports.import_table(intake, table, path.name)[1]
    assert outcome == tried
    return outcome


def counts(outcome: Outcome) -> tuple[int, int, int, int]:
    return outcome.added, outcome.changed, outcome.unchanged, outcome.refused


def stored(database: Engine) -> dict[str, dict[str, Any]]:
    with reading(database) as session:
        return {one.name: one.custom for one in session.scalars(select(Customer).order_by(Customer.id))}


def undone(database: Engine, folder: Path, import_id: int) -> list[str]:
    imports.undo(means(database, folder), import_id)
    return [f"{name}: {why}" for _, name, why in kept(database, import_id, 100)]


HEAD = "name,phone,currency,CREDIT_LIMIT (each month),Grade,customer since,Vip,score,contract,Line 2\n"
TEXT = f"""\
{HEAD}A,012345678,,"1,250.50",gold,01.03.2026,yes,"12,5",https://files.example/7,ក្រុម
B,092345678,KHR,4000,,,,,,
C,016555019,,,,,,,,
"""
VALUES: dict[str, dict[str, Any]] = {
    "A": {
        "credit_limit": LIMIT,
        "grade": "Gold",
        "since": "2026-03-01",
        "vip": True,
        "score": 12.5,
        "contract": "https://files.example/7",
        "code": "ក្រុម",
    },
    "B": {"credit_limit": {"minor": 400_000, "currency": "KHR"}},
    "C": {},
}


def test_columns_called_like_a_field_fill_it_and_the_same_again_changes_nothing(
    database: Engine, tmp_path: Path
) -> None:
    assert counts(run(database, tmp_path, TEXT)) == (3, 0, 0, 0)
    assert stored(database) == VALUES
    assert counts(run(database, tmp_path, TEXT)) == (0, 0, 3, 0)
    with reading(database) as session:
        assert {one.version for one in session.scalars(select(Customer))} == {1}


def test_what_the_file_does_not_name_or_leaves_empty_stays(database: Engine, tmp_path: Path) -> None:
    run(database, tmp_path, TEXT)
    with writing(database) as session:
        session.execute(update(Customer).where(Customer.name == "C").values(custom={"other": {"a": None}, "score": 7}))
    lines = "name,phone,grade,score\nA,012345678,Silver,\nB,092345678,,\nC,016555019,Gold,\n"
    assert counts(run(database, tmp_path, lines)) == (0, 2, 1, 0)
    assert stored(database) == {
        "A": {**VALUES["A"], "grade": "Silver"},
        "B": VALUES["B"],
        "C": {"other": {"a": None}, "score": 7, "grade": "Gold"},
    }


@pytest.mark.parametrize("custom", ["[1]", "null", '{"x": 1000000000000000000000000000000}', "nonsense"])
def test_whatever_stands_in_the_column_does_not_stop_an_import(database: Engine, tmp_path: Path, custom: str) -> None:
    if custom == "nonsense" and database.dialect.name == "postgresql":
        custom = '"nonsense"'
    line = "name,phone,grade\nA,012345678,Gold\n"
    run(database, tmp_path, line.replace("Gold", ""))
    with writing(database) as session:
        session.execute(text("UPDATE customers SET custom = :custom"), {"custom": custom})
    assert counts(run(database, tmp_path, line)) == (0, 1, 0, 0)
    assert stored(database)["A"]["grade"] == "Gold"
    assert counts(run(database, tmp_path, line)) == (0, 0, 1, 0)


def test_what_others_put_beside_it_between_plan_and_writing_stays(database: Engine, tmp_path: Path) -> None:
    """Where writers do not wait for each other, a plan may be made from values that are older than the row."""
    run(database, tmp_path, TEXT)
    with writing(database) as session:
        (planned,) = store.owners(session, [3]).values()
        session.execute(update(Customer).where(Customer.id == 3).values(custom={"score": 7}))
        store.set_fields(session, [(planned.id, {"custom.grade": "Gold"})])
    assert stored(database)["C"] == {"score": 7, "grade": "Gold"}


def test_a_value_that_cannot_be_read_is_its_rows_error_under_the_header_as_written(
    database: Engine, tmp_path: Path
) -> None:
    head = "name,phone,Customer_Since,Credit limit,currency\n"
    outcome = run(database, tmp_path, f"{head}A,012345678,soon,,\nB,092345678,,12.50,JPY\nC,016555019,,12,JPY\n")
    assert [(error.row, error.header) for error in outcome.errors] == [(2, "Customer_Since"), (3, "Credit limit")]
    assert "'soon' is no date; write it like 2026-03-01" in str(outcome.errors[0])
    assert "more than the 0 digits after the point that JPY has" in str(outcome.errors[1])
    assert stored(database) == {"C": {"credit_limit": {"minor": 12, "currency": "JPY"}}}


def test_undo_puts_back_each_field_that_nobody_changed_since(database: Engine, tmp_path: Path) -> None:
    run(database, tmp_path, TEXT)
    lines = (
        f"{HEAD}A,012345678,,9,Silver,,no,,,\nB,092345678,,,,,,3,,\nC,016555019,,7,,,,,,\n"
        "D,023988710,,5,,,,,,\nE,023988711,,5,,,,,,\n"
    )
    assert counts(run(database, tmp_path, lines)) == (2, 3, 0, 0)
    with writing(database) as session:
        change_customer(session, 1, {"custom": {"credit_limit": {"minor": 1, "currency": "USD"}, "score": 99}})
        change_customer(session, 3, {"custom": {"credit_limit": None}})
        change_customer(session, 5, {"custom": {"vip": True}})
    assert undone(database, tmp_path, 2) == [
        "A: changed since: Credit limit",
        "C: changed since: Credit limit",
        "E: was changed since",
    ]
    assert stored(database) == {
        "A": {**VALUES["A"], "credit_limit": {"minor": 1, "currency": "USD"}, "score": 99},
        "B": VALUES["B"],
        "C": {},
        "E": {"credit_limit": {"minor": 500, "currency": "USD"}, "vip": True},
    }
    with reading(database) as session:
        assert {one.id: one.version for one in session.scalars(select(Customer))} == {1: 4, 2: 3, 3: 4, 5: 2}


def test_a_workbooks_numbers_and_dates_are_values(database: Engine, tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(["Name", "Phone", "Credit limit", "Score", "Customer since", "VIP", "Line 2"])
    sheet.append(["A", 12345678, 1250.5, 0.1 + 0.2, date(2026, 3, 1), True, 2.0])
    sheet.append(["B", 92345678, -3, 1e-7, datetime.combine(date(2026, 3, 1), time(14, 30)), False, 0.5])
    book.save(tmp_path / "c.xlsx")
    intake = means(database, tmp_path)
    outcome = imports.import_table(intake, imports.look_at(intake, tmp_path / "c.xlsx", {}), "c.xlsx")[1]
    assert outcome.errors == ()
    assert stored(database) == {
        "A": {"credit_limit": LIMIT, "score": 0.3, "since": "2026-03-01", "vip": True, "code": "2"},
        "B": {
            "credit_limit": {"minor": -300, "currency": "USD"},
            "score": 1e-7,
            "since": "2026-03-01",
            "vip": False,
            "code": "0.5",
        },
    }
    assert undone(database, tmp_path, 1) == []  # what came back from the database is what was put there
    assert stored(database) == {}


def test_a_column_is_said_to_be_a_field_and_a_field_that_is_gone_is_named(database: Engine, tmp_path: Path) -> None:
    lines = "name,phone,Kundenlimit\nA,012345678,7\n"
    mapping = {"Kundenlimit": "credit_limit"}
    assert counts(run(database, tmp_path, lines, mapping)) == (1, 0, 0, 0)
    assert stored(database) == {"A": {"credit_limit": {"minor": 700, "currency": "USD"}}}
    with writing(database) as session:
        keep_mapping(session, ["name", "phone", "Kundenlimit"], mapping)
    assert counts(run(database, tmp_path, lines.replace("7\n", "8\n"))) == (0, 1, 0, 0)
    path, without = tmp_path / "customers.csv", means(database, tmp_path, {"grade": Field()})
    with pytest.raises(Refused, match="kept of such files that 'Kundenlimit' is 'credit_limit', which is no field any"):
        imports.look_at(without, path, {})
    with pytest.raises(
        Refused, match=r"'credit_limit' is nothing that a column can be; write one of name.*, grade, or"
    ):
        imports.look_at(without, path, mapping)


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Code", Meaning("custom", "code")),  # else an external id
        ("line-2", Meaning("custom", "code")),
        ("Line", None),
        ("Name", Meaning("name")),
        ("Balance (EUR)", Meaning("custom", "owed")),
        ("Phone (mobile)", Meaning("number", "mobile")),
    ],
)
def test_own_fields_come_before_other_names_of_the_built_in_ones(header: str, field: Meaning | None) -> None:
    own = {"code": Field("Line 2"), "title": Field("Name"), "owed": Field("Balance"), "dots": Field("...")}
    assert meaning(header, own) == field
    assert meaning("", own) is None


def test_any_source_fills_a_field_by_the_meaning_of_its_columns() -> None:
    understand = Understanding(read_number, {}, own_fields=FIELDS)
    columns = (Meaning("name"), Meaning("number"), Meaning("custom", "score"), Meaning("custom", "score"))
    row = row_of(1, ["A", "012345678", "", "3"], ("a", "b", "c", "d"), columns)
    assert understand(row).fields == {"name": "A", "custom.score": 3}
    unknown = {"name": (Cell("A"),), "number": (Cell("012345678"),), "custom": (Cell("x", "shoes"),)}
    with pytest.raises(Problem, match="no field 'shoes'") as problem:
        understand(Row(1, unknown))  # type: ignore[arg-type]
    assert problem.value.header == "shoes"
