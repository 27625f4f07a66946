"""A sheet of an XLSX workbook as rows of known columns, read in a stream.

Texts that cells share are kept in memory by openpyxl, so a workbook takes about as much as they have; the rest is
streamed. A workbook that would unpack to far more than it is, is refused before anything of it is unpacked.
"""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from config.sentences import say
from records.errors import Refused
from records.intake.headers import NONE, Own, meanings
from records.intake.rows import Meaning, Row, row_of

MOST_UNPACKED = 2_000_000_000
MOST_TEXTS = 400_000_000
MOST_ROWS = 1_048_576  # as Excel has
MOST_COLUMNS = 1_000
SEARCHED_ROWS = 50  # for the header

# What a workbook has beside cells (charts, rules for input) is no matter here.
warnings.filterwarnings("ignore", module="openpyxl")

_BROKEN = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError, SyntaxError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError),
)
"""What zipfile, the XML parsers and openpyxl raise for files that are damaged or made to harm."""


@dataclass(frozen=True, slots=True)
class XlsxTable:
    """A sheet that was looked at."""

    path: Path
    sheet: str
    header_row: int
    headers: tuple[str, ...]
    meanings: tuple[Meaning | None, ...]
    kind: str = "XLSX"
    unit: str = "row"

    def sample(self, most: int) -> list[list[str]]:
        with _opened(self.path) as book, _plainly(self.path):
            rows = _cells(book[self.sheet], self.header_row + 1, len(self.headers))
            return [*islice(filter(any, ([*map(_text, cells)] for cells in rows)), most)]

    def rows(self) -> Iterator[Row]:
        """Each row that is not empty. Raises Refused when the file cannot be read any more."""
        with _opened(self.path) as book, _plainly(self.path):
            rows = _cells(book[self.sheet], self.header_row + 1, len(self.headers))
            for number, cells in enumerate(rows, self.header_row + 1):
                texts = [_text(cell) for cell in cells]
                if any(texts):
                    yield row_of(number, texts, self.headers, self.meanings)


def look_at_xlsx(path: Path, mapping: Mapping[str, str], sheet: str, own: Own = NONE) -> XlsxTable:
    """The sheet of this name, else the first that has columns for names and numbers. Raises Refused."""
    meanings([*mapping], mapping, own)  # what is no target on any sheet
    _unpackable(path)
    with _opened(path) as book, _plainly(path):
        names = [each.title for each in book.worksheets]
        if sheet and sheet not in names:
            raise Refused(
                say(
                    "{file} has no sheet {sheet!r}; it has: {sheets}",
                    file=path.name,
                    sheet=sheet,
                    sheets=", ".join(map(repr, names)),
                )
            )
        found = [table for name in names if sheet in ("", name) if (table := _look_at(path, book, name, mapping, own))]
    if not found:
        raise Refused(say("{file} is empty; the first row must name the columns", file=path.name))
    return max(found, key=_usable)  # of equal ones the first


def _look_at(path: Path, book: Any, name: str, mapping: Mapping[str, str], own: Own) -> XlsxTable | None:
    for number, cells in enumerate(islice(_cells(book[name], 1, MOST_COLUMNS), SEARCHED_ROWS), 1):
        headers = [_text(cell) for cell in cells]
        while headers and not headers[-1]:
            headers.pop()
        if headers:
            try:
                found = meanings(headers, mapping, own)
            except Refused:  # another sheet's may have been meant
                if len(book.worksheets) == 1:
                    raise
                found = meanings(headers, {}, own)
            return XlsxTable(path, name, number, tuple(headers), found)
    return None


def _usable(table: XlsxTable) -> tuple[bool, bool]:
    columns = {meaning.column for meaning in table.meanings if meaning is not None}
    return bool(columns & {"name", "company"}) and "number" in columns, bool(columns)


def _cells(sheet: Any, first: int, columns: int) -> Iterator[tuple[Any, ...]]:
    sheet.reset_dimensions()  # what a file says of its size is often wrong
    rows: Iterator[tuple[Any, ...]] = sheet.iter_rows(
        min_row=first, max_row=MOST_ROWS, max_col=columns, values_only=True
    )
    return rows


def _text(value: Any) -> str:
    """As a person sees it: a phone number that a spreadsheet took for a number has its digits again."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{Decimal(f'{value:.15g}'):f}"  # as many digits as Excel has, and no exponent
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value).strip()


def _unpackable(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as packed:
            parts = packed.infolist()
    except _BROKEN as exc:
        raise Refused(
            say("{file} is damaged, or no XLSX file; save it anew, or as 'CSV UTF-8'", file=path.name)
        ) from exc
    names = {part.filename for part in parts}
    if "xl/workbook.xml" not in names:
        if "content.xml" in names:
            raise Refused(say("{file} is an OpenDocument file; save it as .xlsx", file=path.name))
        raise Refused(say("{file} is a ZIP archive; unpack it first", file=path.name))
    texts = sum(part.file_size for part in parts if part.filename.endswith("sharedStrings.xml"))
    whole = sum(part.file_size for part in parts)
    if whole > MOST_UNPACKED or texts > MOST_TEXTS or whole > 50_000_000 + 200 * path.stat().st_size:
        raise Refused(
            say(
                "{file} would unpack to {size} MB; save it as 'CSV UTF-8' and import that",
                file=path.name,
                size=whole // 1_000_000,
            )
        )


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with _plainly(path):
        file = path.open("rb")  # of a name, openpyxl would look at the ending
    with file:
        with _plainly(path):
            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        yield book


@contextmanager
def _plainly(path: Path) -> Iterator[None]:
    try:
        yield
    except _BROKEN as exc:
        raise Refused(
            say("{file} is damaged ({why}); save it anew, or as 'CSV UTF-8'", file=path.name, why=str(exc))
        ) from exc
