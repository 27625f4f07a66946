"""Importing customers from the files that companies have: what is understood, and what is said when it is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from lookup.numbers import NumberPlan, read
from records import customers, users
from records.database import reading, writing
from records.errors import Refused
from records.finding import find_customers
from records.intake import imports
from records.intake.apply import Outcome, Progress
from records.intake.imports import Intake
from records.numbers import ReadNumber
from records.tables import Customer, NumberRange
from records.touched import Touched


def read_number(raw: str) -> ReadNumber:
    return read(raw, NumberPlan("KH", "23"))


class Told:
    """A cache that is told what to forget."""

    def __init__(self) -> None:
        self.touched = Touched()

    def __call__(self, touched: Touched) -> bool:
        self.touched |= touched
        return True


def intake(database: Engine, tmp_path: Path, **fields: Any) -> Intake:
    return Intake(database, tmp_path, read_number, **fields)


def run(
    database: Engine, tmp_path: Path, text: str | bytes, *, dry_run: bool = False, cache: Told | None = None
) -> Outcome:
    path = tmp_path / "customers.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    means = intake(database, tmp_path, forget=cache or Told())
    table = imports.look_at(means, path, {})
    return imports.rehearse_table(means, table) if dry_run else imports.import_table(means, table, path.name)[1]


def counts(outcome: Outcome) -> tuple[int, int, int, int]:
    assert len(outcome.errors) == outcome.refused
    return outcome.added, outcome.changed, outcome.unchanged, outcome.refused


def stored(database: Engine) -> list[tuple[str, list[str]]]:
    with reading(database) as session:
        page = find_customers(session, limit=500)
        return [(row.name, [number.match_key or number.raw for number in row.numbers]) for row in page.items]


FULL = """\
external_id,name,company,phones,email,address,debt,currency,manager,note
7,Sok Dara,Rice Mill,"012 345 678; 023 988 710",dara@mill.example,"18 Street 271, Phnom Penh","1,250.50",USD,Vanna,rice
8,Иванов Пётр,Алатау,+7 (701) 555-01-32,,,,,,
"""


def test_every_column_arrives(database: Engine, tmp_path: Path) -> None:
    with writing(database) as session:
        users.add_user(session, "vanna", "Keo Vanna", "a long password")
    cache = Told()
    assert counts(run(database, tmp_path, FULL, cache=cache)) == (2, 0, 0, 0)
    assert cache.touched.keys == {"+85512345678", "+85523988710", "+77015550132"}
    with reading(database) as session:
        (dara,) = customers.customers_with(session, "+85523988710")
        assert dara.manager is not None
        assert (dara.external_id, dara.name, dara.company, dara.manager.login) == (
            "7",
            "Sok Dara",
            "Rice Mill",
            "vanna",
        )
        assert (dara.debt_minor, dara.currency) == (125050, "USD")
        assert (dara.email, dara.address, dara.note) == (
            "dara@mill.example",
            "18 Street 271, Phnom Penh",
            "rice",
        )


def ranges(database: Engine) -> list[tuple[str, str, str | None, int | None]]:
    with reading(database) as session:
        rows = session.scalars(select(NumberRange).order_by(NumberRange.id))
        return [(row.customer.name, row.raw, row.prefix, row.open_digits) for row in rows]


WITH_RANGES = """\
name,phone
Rice Mill,"012 345 678; 023 988 7xx"
Алатау,+7 (727) 250-1ххх
"""


def test_a_cell_may_hold_a_range_beside_a_number(database: Engine, tmp_path: Path) -> None:
    cache = Told()
    assert counts(run(database, tmp_path, WITH_RANGES, cache=cache)) == (2, 0, 0, 0)
    assert cache.touched.ranges == {("+855239887", 2), ("+77272501", 3)}
    assert ranges(database) == [
        ("Rice Mill", "023 988 7xx", "+855239887", 2),
        ("Алатау", "+7 (727) 250-1ххх", "+77272501", 3),
    ]
    assert counts(run(database, tmp_path, WITH_RANGES)) == (0, 0, 2, 0)


def test_a_range_says_whose_row_it_is_as_a_number_does(database: Engine, tmp_path: Path) -> None:
    run(database, tmp_path, "name,phone\nRice Mill,023 988 7xx\n")
    assert counts(run(database, tmp_path, "name,phone,debt\nRice Mill,+855 23 9887 xx,5\n")) == (0, 1, 0, 0)
    assert len(ranges(database)) == 1


def test_a_range_goes_with_the_import_that_brought_it(database: Engine, tmp_path: Path) -> None:
    run(database, tmp_path, "name,phone\nRice Mill,012 345 678\n")
    run(database, tmp_path, "name,phone\nRice Mill,012 345 678; 023 988 7xx\nMekong,023 988 6xx\n")
    assert len(ranges(database)) == 2
    cache = Told()
    imports.undo(intake(database, tmp_path, forget=cache), 2)
    assert ranges(database) == []
    assert cache.touched.ranges == {("+855239887", 2), ("+855239886", 2)}
    assert stored(database) == [("Rice Mill", ["+85512345678"])]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("+855 2xxxxx", "more than 4 x"),
        ("+855 12 34xx", "no range of whole phone numbers"),
        ("+855 23 988 700", "a line of your own company"),
        ("+855 17 111 222", "a phone of your own people"),
    ],
)
def test_what_no_customer_can_have_is_told_with_its_row(database: Engine, tmp_path: Path, cell: str, said: str) -> None:
    def knowing_our_line(raw: str) -> ReadNumber:
        number = read(raw, NumberPlan("KH", "23"))
        return replace(number, own=number.match_key == "+85523988700")

    with writing(database) as session:
        dara = users.add_user(session, "dara", "Dara", "a long password")
        users.seat(session, dara.id, "pbx", "+85517111222", inside=False)
    path = tmp_path / "customers.csv"
    path.write_text(f"name,phone\nSok,012345678\nBad,{cell}\n")
    means = Intake(database, tmp_path, knowing_our_line)
    result = imports.import_table(means, imports.look_at(means, path, {}), path.name)[1]
    assert counts(result) == (1, 0, 0, 1)
    assert "row 3" in str(result.errors[0])
    assert said in str(result.errors[0])
    assert [name for name, _ in stored(database)] == ["Sok"]


def test_the_same_file_again_changes_nothing(database: Engine, tmp_path: Path) -> None:
    text = FULL.replace("Vanna", "")
    run(database, tmp_path, text)
    before = stored(database)
    cache = Told()
    assert counts(run(database, tmp_path, text, cache=cache)) == (0, 0, 2, 0)
    assert cache.touched == Touched()
    assert stored(database) == before
    with reading(database) as session:
        assert {row.version for row in session.query(Customer)} == {1}


def test_a_row_without_a_number_is_told_and_the_others_arrive(database: Engine, tmp_path: Path) -> None:
    result = run(database, tmp_path, "name,phone\nA,012345678\nB,\n,\nC,092345678\n")
    assert counts(result) == (2, 0, 0, 1)
    assert str(result.errors[0]) == (
        "row 3, 'phone': B has no phone number; write one, best with + and the country code"
    )
    assert stored(database) == [("A", ["+85512345678"]), ("C", ["+85592345678"])]


@pytest.mark.parametrize(
    ("row", "header", "message"),
    [
        (",012345679,,,,", "Full name", "has no name"),
        ("B,n/a,,,,", "Phone", "'n' cannot be read; write the whole number"),
        ("B,8.55123E+10,,,,", "Phone", "format the column as text"),
        ("B,012345679,lots,,,", "Debt (USD)", "'lots' is no amount"),
        ("B,012345679,5,dollars,,", "currency", "write its three letters"),
        ("B,012345679,5,USD,nobody,", "manager", "nobody has the login 'nobody'; add them first"),
        ("B,012345679,5,USD,,,,,", "", ""),
        ("B,012345679,5,USD,,,x", "", "has 7 cells and the header 6"),
        ('B,"012345679" x,5,USD,,', "", "close every quotation mark"),
        ('B,"012345679,5,USD,,', "", "close every quotation mark"),
    ],
)
def test_each_mistake_in_a_row_is_named_with_its_place(
    database: Engine, tmp_path: Path, row: str, header: str, message: str
) -> None:
    result = run(database, tmp_path, f"Full name,Phone,Debt (USD),currency,manager,note\nA,012345678,,,,\n{row}\n")
    if not message:
        assert counts(result) == (2, 0, 0, 0)
        return
    assert counts(result) == (1, 0, 0, 1)
    assert (result.errors[0].row, result.errors[0].header) == (3, header)
    assert message in result.errors[0].message


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
def test_the_usual_programs_files_are_read(
    sqlite_database: Engine, tmp_path: Path, delimiter: str, encoding: str
) -> None:
    text = delimiter.join(("Имя", "Телефон", "Долг")) + "\r\n" + delimiter.join(("Пётр", "+7 701 555 01 32", '"1,50"'))
    assert counts(run(sqlite_database, tmp_path, text.encode(encoding))) == (1, 0, 0, 0)
    with reading(sqlite_database) as session:
        row = session.query(Customer).one()
        assert (row.name, row.debt_minor) == ("Пётр", 150)


@pytest.mark.parametrize(
    "header",
    [
        "name,phone",
        "Name , Phone Number",
        "FULL_NAME,Tel.",
        "customer,Mobile",
        "Company,Phone 1",
        "ФИО,Номер телефона",
        "ឈ្មោះ,ទូរស័ព្ទ",
        '"Name","Phone (work)"',
        "Client (legal),Work_Phone 2",
        "sep=,\nname,phone",
    ],
)
def test_headers_are_understood_however_they_are_written(sqlite_database: Engine, tmp_path: Path, header: str) -> None:
    assert counts(run(sqlite_database, tmp_path, f"{header}\nA,012345678\n")) == (1, 0, 0, 0)
    assert stored(sqlite_database) == [("A", ["+85512345678"])]


def test_several_phone_columns_keep_their_labels_and_first_and_last_names_are_joined(
    sqlite_database: Engine, tmp_path: Path
) -> None:
    text = "Last name,First Name,Work phone,Mobile Phone,Phone 2,Shoe size\nDara,Sok,023988710,012345678,,43\n"
    run(sqlite_database, tmp_path, text)
    with reading(sqlite_database) as session:
        row = session.query(Customer).one()
        assert row.name == "Sok Dara"
        assert [(number.raw, number.label) for number in row.numbers] == [
            ("023988710", "work"),
            ("012345678", "mobile"),
        ]


@pytest.mark.parametrize(
    ("cell", "keys"),
    [
        ('"012345678, 092345678"', ["+85512345678", "+85592345678"]),
        ("012345678;092345678", ["+85512345678", "+85592345678"]),
        ("012345678/092345678", ["+85512345678", "+85592345678"]),
        ('"012345678\n092345678"', ["+85512345678", "+85592345678"]),
        ("012/345/678", ["+85512345678"]),
        ("'012345678", ["+85512345678"]),
        ('"=""012345678"""', ["+85512345678"]),
        ("012 345 678 / +855 12 345 678", ["+85512345678"]),
        ("012345678;092345678;012 345 678", ["+85512345678", "+85592345678"]),
    ],
)
def test_a_cell_may_hold_several_numbers(sqlite_database: Engine, tmp_path: Path, cell: str, keys: list[str]) -> None:
    assert counts(run(sqlite_database, tmp_path, f"name,phone\nA,{cell}\n")) == (1, 0, 0, 0)
    assert stored(sqlite_database) == [("A", keys)]


def test_what_looks_like_a_formula_stays_text(sqlite_database: Engine, tmp_path: Path) -> None:
    run(sqlite_database, tmp_path, 'name,phone,note\n"=HYPERLINK(""http://x"")",012345678,@SUM(1)\n')
    with reading(sqlite_database) as session:
        row = session.query(Customer).one()
        assert (row.name, row.note) == ('=HYPERLINK("http://x")', "@SUM(1)")


def test_a_row_is_theirs_who_has_the_number(database: Engine, tmp_path: Path) -> None:
    run(database, tmp_path, "name,phone,note\nSok Dara,012345678,old\n")
    cache = Told()
    text = "name,phone,note\nSok D.,+855 12 345 678; 092345678,\n"
    assert counts(run(database, tmp_path, text, cache=cache)) == (0, 1, 0, 0)
    assert cache.touched.keys == {"+85512345678", "+85592345678"}
    assert stored(database) == [("Sok D.", ["+85512345678", "+85592345678"])]
    with reading(database) as session:
        assert session.query(Customer).one().note == "old"


def test_people_who_share_a_number_stay_two_however_often_they_are_imported(database: Engine, tmp_path: Path) -> None:
    text = "name,phone\nHeng Ratha,023987654\nHeng Sopheap,023987654\n"
    assert counts(run(database, tmp_path, text)) == (2, 0, 0, 0)
    assert counts(run(database, tmp_path, text)) == (0, 0, 2, 0)
    result = run(database, tmp_path, "name,phone\nHeng Bopha,023987654\n")
    assert counts(result) == (0, 0, 0, 1)
    assert "several customers have it (Heng Ratha, Heng Sopheap)" in result.errors[0].message


def test_an_external_id_finds_a_customer_whose_number_and_name_changed(database: Engine, tmp_path: Path) -> None:
    run(database, tmp_path, "id,name,phone\n7,Sok Dara,012345678\n")
    assert counts(run(database, tmp_path, "id,name,phone\n7,Chan Dara,092345678\n")) == (0, 1, 0, 0)
    assert stored(database) == [("Chan Dara", ["+85512345678", "+85592345678"])]
    result = run(database, tmp_path, "id,name,phone\n7,Chan Dara,092345678\n7,Other,016555019\n")
    assert counts(result) == (0, 0, 1, 1)
    assert "earlier row" in result.errors[0].message


def test_the_first_import_with_external_ids_doubles_nobody(database: Engine, tmp_path: Path) -> None:
    run(database, tmp_path, "name,phone\nSok Dara,012345678\n")
    assert counts(run(database, tmp_path, "id,name,phone\n7,sok dara,012345678\n8,Brother,012345678\n")) == (1, 1, 0, 0)
    with reading(database) as session:
        assert {row.external_id: row.name for row in session.query(Customer)} == {"7": "sok dara", "8": "Brother"}


def test_two_rows_of_one_customer_become_one_with_both_numbers(database: Engine, tmp_path: Path) -> None:
    text = "name,phone,note\nA,012345678,\nB,016555019,\nA,012345678/092345678,likes rice\n"
    assert counts(run(database, tmp_path, text)) == (2, 1, 0, 0)
    assert stored(database) == [("A", ["+85512345678", "+85592345678"]), ("B", ["+85516555019"])]


def test_a_dry_run_counts_and_writes_nothing(database: Engine, tmp_path: Path) -> None:
    text = "name,phone\nA,012345678\nA,012345678\nB,\n" + "".join(f"N{n},0923{n:05}\n" for n in range(150))
    cache = Told()
    result = run(database, tmp_path, text, dry_run=True, cache=cache)
    assert stored(database) == []
    assert cache.touched == Touched()
    assert counts(run(database, tmp_path, text)) == counts(result) == (151, 0, 1, 1)


def test_progress_is_told_and_many_rows_arrive(database: Engine, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    path.write_text("name,phone\n" + "".join(f"Customer {n},0923{n:05}\n" for n in range(450)))
    told: list[Progress] = []
    means = intake(database, tmp_path, tell=told.append)
    assert imports.import_table(means, imports.look_at(means, path, {}), path.name)[1].added == 450
    assert told == [Progress("reading", 450), Progress("importing", 400, 450), Progress("importing", 450, 450)]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (None, "cannot read .*No such file"),
        (b"", "is empty"),
        (b"\n\nname,phone\n", "is empty, or its first line"),
        (b"\xd0\xcf\x11\xe0....", "save it as .xlsx or as 'CSV UTF-8'"),
        (b"name,shoes\nA,43\n", "no column for the phone; call it 'phone'.*found are: name, shoes"),
        (b"phone\n012345678\n", "no column for the name"),
        (b"\x00\xff\xfe\x00", "no column for the name"),
    ],
)
def test_a_file_that_cannot_be_imported_is_refused_with_what_to_do(
    sqlite_database: Engine, tmp_path: Path, body: bytes | None, message: str
) -> None:
    path = tmp_path / "customers.csv"
    if body is not None:
        path.write_bytes(body)
    with pytest.raises(Refused, match=message):
        imports.look_at(intake(sqlite_database, tmp_path), path, {})


def test_a_folder_is_no_file(sqlite_database: Engine, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="Is a directory"):
        imports.look_at(intake(sqlite_database, tmp_path), tmp_path, {})
