"""A CSV file as rows of known columns, whatever program and language wrote it.

Read in a stream, so that a large file costs no memory. What cannot be read at all is refused with a sentence; a row
that cannot be read is one error, and the rows after it go on.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from records.errors import Refused

Column = Literal["name", "company", "number", "email", "address", "debt", "currency", "manager", "external_id", "note"]

_NAMES: Mapping[Column, tuple[str, ...]] = {
    "name": ("name", "customer", "client", "full name", "contact", "имя", "фио", "клиент", "заказчик", "ឈ្មោះ"),
    "company": ("company", "organization", "organisation", "firm", "компания", "организация", "фирма", "ក្រុមហ៊ុន"),
    "number": (
        *(
            "number",
            "numbers",
            "phone",
            "phones",
            "phone number",
            "phone numbers",
            "telephone",
            "tel",
            "mobile",
            "cell",
        ),
        *("телефон", "телефоны", "номер", "номер телефона", "мобильный", "ទូរស័ព្ទ", "លេខទូរស័ព្ទ"),
    ),
    "email": ("email", "e mail", "mail", "почта", "эл почта", "электронная почта", "អ៊ីមែល"),
    "address": ("address", "адрес", "អាសយដ្ឋាន"),
    "debt": ("debt", "balance due", "owes", "amount owed", "долг", "задолженность", "បំណុល"),
    "currency": ("currency", "валюта", "រូបិយប័ណ្ណ"),
    "manager": ("manager", "manager login", "responsible", "owner", "менеджер", "ответственный", "អ្នកគ្រប់គ្រង"),
    "external_id": ("external id", "externalid", "id", "code", "customer id", "код", "ид", "លេខកូដ"),
    "note": ("note", "notes", "comment", "comments", "remark", "примечание", "комментарий", "заметка", "ចំណាំ"),
}
_COLUMN_OF: Mapping[str, Column] = {name: column for column, names in _NAMES.items() for name in names}
_LABEL = re.compile(r"\b(mobile|work|home|office|fax|cell|main|other|business|рабочий|домашний|мобильный)\b")
_PARTS_OF_A_NAME = {
    **dict.fromkeys(("first name", "given name"), "first"),
    **dict.fromkeys(("last name", "family name", "surname", "фамилия"), "last"),
}
_DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    label: str = ""  # "work" for a column "Work phone"


@dataclass(frozen=True, slots=True)
class Row:
    """One row; `number` as a spreadsheet counts, where the header is row 1."""

    number: int
    cells: Mapping[Column, tuple[Cell, ...]]
    problem: str = ""  # why it cannot be read; `cells` is empty then

    def text(self, column: Column) -> str:
        """The first cell of that column with something in it."""
        return next((cell.text for cell in self.cells.get(column, ()) if cell.text), "")

    def name(self) -> str:
        """From the column of names, else first and last name, else the company's."""
        cells = self.cells.get("name", ())
        whole = next((cell.text for cell in cells if cell.text and not cell.label), "")
        parts = [cell.text for label in ("first", "last") for cell in cells if cell.text and cell.label == label]
        return whole or " ".join(parts) or self.text("company")


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A file that was looked at: how it is written, and which columns it has."""

    path: Path
    encoding: str
    delimiter: str
    skipped: int  # lines before the header ("sep=;")
    columns: tuple[tuple[Column, str] | None, ...]  # (column, label) of each; None: not one of ours
    unused: tuple[str, ...]  # headers of columns that are not ours

    def has(self, column: Column) -> bool:
        return any(known is not None and known[0] == column for known in self.columns)

    def rows(self) -> Iterator[Row]:
        """Each row that is not empty. Raises Refused when the file cannot be read any more."""
        with _opened(self.path, self.encoding) as file:
            for _ in range(self.skipped):
                file.readline()
            reader = csv.reader(file, delimiter=self.delimiter, strict=True)
            next(reader)
            number = 1
            while True:
                number += 1
                try:
                    fields = next(reader)
                except StopIteration:
                    return
                except csv.Error as exc:
                    yield Row(
                        number, {}, f"cannot be read ({exc}); close every quotation mark, and double those inside"
                    )
                    continue
                if any(field.strip() for field in fields):
                    yield self._row(number, fields)

    def _row(self, number: int, fields: list[str]) -> Row:
        if len(fields) > len(self.columns) and any(field.strip() for field in fields[len(self.columns) :]):
            return Row(
                number,
                {},
                f"has {len(fields)} cells and the header {len(self.columns)}; put a cell that contains "
                f"{self.delimiter!r} into quotation marks",
            )
        cells: dict[Column, tuple[Cell, ...]] = {}
        for known, field in zip(self.columns, fields, strict=False):
            if known is not None:
                cells[known[0]] = (*cells.get(known[0], ()), Cell(field.replace("\x00", "").strip(), known[1]))
        return Row(number, cells)


def look_at(path: Path) -> CsvTable:
    """Finds out how the file is written. Raises Refused: missing, empty, no CSV, no column for names or for numbers."""
    encoding = _encoding(path)
    with _opened(path, encoding) as file:
        first = file.readline()
        skipped = 1 if re.fullmatch(r"sep=.\s*", first, re.IGNORECASE) else 0
        header = file.readline() if skipped else first
    if not header.strip():
        raise Refused(f"{path} is empty, or its first line is; the first line must name the columns")
    delimiter = max(_DELIMITERS, key=lambda mark: (len(_known(_split(header, mark))), header.count(mark)))
    fields = _split(header, delimiter)
    table = CsvTable(
        path,
        encoding,
        delimiter,
        skipped,
        tuple(_meaning(field) for field in fields),
        tuple(field.strip() for field in fields if field.strip() and _meaning(field) is None),
    )
    named = table.has("name") or table.has("company")
    if not named or not table.has("number"):
        what = "phone" if named else "name"
        raise Refused(
            f"{path} has no column for the {what}; call it {what!r} in the first line. "
            f"The columns found are: {', '.join(field.strip() or '(no name)' for field in fields)}"
        )
    return table


def _known(fields: list[str]) -> list[str]:
    return [field for field in fields if _meaning(field) is not None]


def _split(header: str, delimiter: str) -> list[str]:
    return next(csv.reader([header], delimiter=delimiter), [])


def _meaning(header: str) -> tuple[Column, str] | None:
    """What a column is, and its label: "Work_Phone 2" is ("number", "work")."""
    words = _words(header)
    label = _LABEL.search(words)
    if label and (words == label.group() or _COLUMN_OF.get(_words(_LABEL.sub(" ", words))) == "number"):
        return ("number", label.group()) if words in _COLUMN_OF or words != label.group() else None
    if words in _PARTS_OF_A_NAME:
        return "name", _PARTS_OF_A_NAME[words]
    column = _COLUMN_OF.get(words) or _COLUMN_OF.get(_words(re.sub(r"\(.*?\)", " ", header)))
    return (column, "") if column else None


def _words(header: str) -> str:
    """Lower case, single blanks, no punctuation and no number at the end. Khmer marks count as letters."""
    return re.sub(r" ?\d+$", "", " ".join(re.findall(r"[\w\u1780-\u17ff]+", header.casefold().replace("_", " "))))


def _encoding(path: Path) -> str:
    """UTF-8 when all of it is, UTF-16 by its mark, else CP1251, which Excel writes on a Russian Windows."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
            if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                return "utf-16"
            if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
                raise Refused(f"{path} is a spreadsheet, not CSV; save it as 'CSV UTF-8' and import that")
            decoder = codecs.getincrementaldecoder("utf-8")()
            decoder.decode(start)
            while chunk := file.read(1 << 20):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1251"
    except OSError as exc:
        raise Refused(f"cannot read {path}: {exc.strerror}") from exc
    return "utf-8-sig"


def _opened(path: Path, encoding: str) -> TextIO:
    try:
        return path.open(encoding=encoding, errors="replace", newline="")
    except OSError as exc:
        raise Refused(f"cannot read {path}: {exc.strerror}") from exc
