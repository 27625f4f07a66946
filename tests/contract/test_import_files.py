"""Files of other kinds than CSV: workbooks, vCards, and what only looks like one."""

from __future__ import annotations

import base64
import io
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from PIL import Image
from sqlalchemy import Engine

from lookup.numbers import NumberPlan, read
from records.database import reading
from records.errors import Refused
from records.intake import imports
from records.intake.apply import Outcome
from records.intake.files import open_table
from records.intake.imports import Intake
from records.numbers import ReadNumber
from records.photos import photo_path
from records.tables import Customer


def read_number(raw: str) -> ReadNumber:
    return read(raw, NumberPlan("KH", "23"))


def run(database: Engine, path: Path, **how: Any) -> Outcome:
    means = Intake(database, path.parent, read_number)
    return imports.import_table(means, imports.look_at(means, path, how.get("mapping", {}), how.get("sheet", "")), "f")[
        1
    ]


def stored(database: Engine) -> dict[str, list[tuple[str, str]]]:
    with reading(database) as session:
        return {
            row.name: [(number.match_key or number.raw, number.label) for number in row.numbers]
            for row in session.query(Customer).order_by(Customer.id)
        }


def workbook(path: Path, **sheets: list[list[Any]]) -> Path:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


PEOPLE: list[list[Any]] = [["Name", "Phone", "Debt"], ["A", "012 345 678", 12.5], ["B", 16555019, None]]


def test_a_workbooks_first_sheet_with_customers_is_read(sqlite_database: Engine, tmp_path: Path) -> None:
    path = workbook(tmp_path / "c.csv", Empty=[], Prices=[["Item", "Price"], ["Rice", 3]], People=[[], *PEOPLE])
    outcome = run(sqlite_database, path)
    assert (outcome.added, outcome.refused) == (2, 0)
    assert stored(sqlite_database) == {"A": [("+85512345678", "")], "B": [("+85516555019", "")]}


def test_another_sheet_is_read_when_it_is_named(sqlite_database: Engine, tmp_path: Path) -> None:
    path = workbook(tmp_path / "c.xlsx", One=PEOPLE, Two=[["Name", "Phone"], ["C", "092345678"]])
    run(sqlite_database, path, sheet="Two")
    assert stored(sqlite_database) == {"C": [("+85592345678", "")]}
    with pytest.raises(Refused, match="no sheet 'Three'; it has: 'One', 'Two'"):
        run(sqlite_database, path, sheet="Three")


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (85512345678, "85512345678"),
        (8.5512345678e10, "85512345678"),
        (12.5, "12.5"),
        (0.0000001, "0.0000001"),
        (date(2026, 3, 1), "2026-03-01"),
        (True, "yes"),
        ("=1+1", ""),  # a formula that no program has computed
        ("  text ", "text"),
    ],
)
def test_cells_are_read_as_a_person_sees_them(tmp_path: Path, cell: object, text: str) -> None:
    path = workbook(tmp_path / "c.xlsx", S=[["Name", "Phone", "Note"], ["A", "1", cell]])
    assert next(open_table(path).rows()).text("note") == text


def test_a_mistake_in_a_workbook_is_told_with_the_row_of_the_sheet(sqlite_database: Engine, tmp_path: Path) -> None:
    path = workbook(tmp_path / "c.xlsx", S=[[], ["Kunde", "Phone"], [], ["A", "n/a"]])
    outcome = run(sqlite_database, path, mapping={"Kunde": "name"})
    assert str(outcome.errors[0]).startswith("row 4, 'Phone': 'n' cannot be read")


def packed(path: Path, parts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in parts.items():
            archive.writestr(name, body)
    return path


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"xl/workbook.xml": b"", "xl/worksheets/sheet1.xml": b" " * 90_000_000}, "would unpack to 90 MB"),
        ({"content.xml": b""}, "OpenDocument"),
        ({"readme.txt": b"hello"}, "a ZIP archive; unpack it first"),
        ({"xl/workbook.xml": b"<broken"}, "is damaged"),
        (
            {
                "[Content_Types].xml": b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>',
                "xl/workbook.xml": b"<x/>",
            },
            "is damaged",
        ),
    ],
)
def test_a_zip_that_is_no_workbook_or_made_to_harm_is_refused(
    tmp_path: Path, parts: dict[str, bytes], said: str
) -> None:
    with pytest.raises(Refused, match=said):
        open_table(packed(tmp_path / "c.xlsx", parts))


def test_a_workbook_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "c.xlsx", S=PEOPLE)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(Refused, match="is damaged"):
        open_table(path)


def test_a_row_far_down_costs_no_more_rows_than_a_sheet_can_have(tmp_path: Path) -> None:
    path = workbook(tmp_path / "c.xlsx", S=PEOPLE)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = parts[sheet].replace(b'<row r="3"', b'<row r="999999999"')
    assert [row.number for row in open_table(packed(tmp_path / "d.xlsx", parts)).rows()] == [2]


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (16, 16), (200, 10, 10)).save(out, "PNG")
    return out.getvalue()


CARDS = """\
BEGIN:VCARD\r
VERSION:2.1\r
N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=D0=98=D0=B2=D0=B0=D0=BD=D0=BE=D0=B2;=D0=9F=D1=91=D1=82=D1=80;;;\r
TEL;CELL;VOICE:+7 701 555 01 32\r
TEL;WORK:023 988 710\r
END:VCARD\r
BEGIN:VCARD
VERSION:3.0
UID:abc-1
FN:Sok Dara
ORG:Rice Mill\\, Ltd;Sales
item1.TEL:+85512345678
item1.X-ABLabel:_$!<Shop>!$_
TEL;TYPE=WORK,FAX:023988711
EMAIL;TYPE=INTERNET:dara@mill.example
ADR;TYPE=WORK:;;18 Street 271;Phnom Penh;;12000;Cambodia
NOTE:one\\ntwo
PHOTO;ENCODING=b;TYPE=PNG:{photo}
END:VCARD
BEGIN:VCARD
FN:No number
END:VCARD
BEGIN:VCARD
VERSION:4.0
FN:Chan
TEL;VALUE=uri;TYPE="voice,home":tel:+855-12-777-888;ext=12
END:VCARD
BEGIN:VCARD
FN:No end
"""


def test_cards_of_all_versions_are_read(sqlite_database: Engine, tmp_path: Path) -> None:
    path = tmp_path / "contacts.txt"
    path.write_text(CARDS.format(photo=base64.b64encode(picture()).decode()), newline="")
    outcome = run(sqlite_database, path)
    assert stored(sqlite_database) == {
        "Пётр Иванов": [("+77015550132", "mobile"), ("+85523988710", "work")],
        "Sok Dara": [("+85512345678", "shop"), ("+85523988711", "fax")],
        "Chan": [("+85512777888", "home")],
    }
    assert [str(error) for error in outcome.errors] == [
        "card 3, 'TEL': No number has no phone number; write one, best with + and the country code",
        "card 5: has no end, or is far too long; export it anew",
    ]
    with reading(sqlite_database) as session:
        dara = session.query(Customer).filter_by(external_id="abc-1").one()
        chan = session.query(Customer).filter_by(name="Chan").one()
        assert (dara.company, dara.email, dara.note) == ("Rice Mill, Ltd", "dara@mill.example", "one\ntwo")
        assert dara.address == "18 Street 271, Phnom Penh, 12000, Cambodia"
        assert photo_path(tmp_path, dara.photo).is_file()
        assert chan.numbers[0].ext == "12"


def test_the_same_cards_again_change_nothing(sqlite_database: Engine, tmp_path: Path) -> None:
    path = tmp_path / "contacts.vcf"
    path.write_text(CARDS.format(photo=base64.b64encode(picture()).decode()))
    run(sqlite_database, path)
    again = run(sqlite_database, path)
    assert (again.added, again.changed, again.unchanged, again.refused) == (0, 0, 3, 2)


def test_cards_have_no_columns_to_be_said(sqlite_database: Engine, tmp_path: Path) -> None:
    path = tmp_path / "contacts.vcf"
    path.write_text(CARDS)
    with pytest.raises(Refused, match="leave --map out"):
        run(sqlite_database, path, mapping={"FN": "note"})


def test_a_dry_run_keeps_no_photo(sqlite_database: Engine, tmp_path: Path) -> None:
    path = tmp_path / "contacts.vcf"
    path.write_text(CARDS.format(photo=base64.b64encode(picture()).decode()))
    means = Intake(sqlite_database, tmp_path, read_number)
    assert imports.rehearse_table(means, open_table(path)).added == 3
    assert not (tmp_path / "photos").exists()
    assert [*(tmp_path / "imports").iterdir()] == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"%PDF-1.7", "a PDF; export the customers as CSV, XLSX or vCard"),
        (b"\x1f\x8b....", "compressed; unpack it first"),
        (b"SQLite format 3\x00", "a database"),
        (b"a" * 2_000_000, "too long to name columns"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, body: bytes, said: str) -> None:
    path = tmp_path / "customers.csv"
    path.write_bytes(body)
    with pytest.raises(Refused, match=said):
        open_table(path)


def test_a_huge_cell_is_one_error(sqlite_database: Engine, tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text(f"name,phone,note\nA,012345678,{'x' * 50_000}\nB,092345678,y\nC,{'1' * 200_000},z\n")
    outcome = run(sqlite_database, path)
    assert [*stored(sqlite_database)] == ["B"]
    assert "row 2: has 50000 characters under 'note'" in str(outcome.errors[0])
    assert outcome.errors[1].row == 4
