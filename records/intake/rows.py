"""A row as every source gives it: texts under the columns that we know. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from config.sentences import say

Column = Literal[
    "name",
    "company",
    "number",
    "email",
    "address",
    "debt",
    "currency",
    "manager",
    "external_id",
    "note",
    "photo",
    "custom",
]
COLUMNS: tuple[Column, ...] = get_args(Column)

LONGEST_CELL = 20_000
"""Characters; what is longer is no field of a customer. Excel's own limit is 32,767."""


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    label: str = ""  # "work" for a column "Work phone"; "first" and "last" of names; of `custom` the field's name
    header: str = ""  # of its column, as the source writes it


@dataclass(frozen=True, slots=True)
class Row:
    """One customer of the source; `number` as a spreadsheet counts, where the header is row 1."""

    number: int
    cells: Mapping[Column, tuple[Cell, ...]]
    problem: str = ""  # why it cannot be read; `cells` is empty then
    photo: bytes = b""

    def text(self, column: Column) -> str:
        """The first cell of that column with something in it."""
        for cell in self.cells.get(column, ()):
            if cell.text:
                return cell.text
        return ""

    def header(self, column: Column) -> str:
        """What the source calls that column."""
        return next((cell.header for cell in self.cells.get(column, ()) if cell.header), column)

    def name(self) -> str:
        """From the column of names, else first and last name, else the company's."""
        cells = self.cells.get("name", ())
        whole = next((cell.text for cell in cells if cell.text and not cell.label), "")
        parts = [cell.text for label in ("first", "last") for cell in cells if cell.text and cell.label == label]
        return whole or " ".join(parts) or self.text("company")


class Table(Protocol):
    """A source that was looked at. Rows can be had more than once."""

    @property
    def kind(self) -> str: ...  # "CSV", "XLSX" or "vCard"
    @property
    def unit(self) -> str: ...  # what one customer is called there: "row" or "card"
    @property
    def headers(self) -> tuple[str, ...]: ...  # as written
    @property
    def meanings(self) -> tuple[Meaning | None, ...]: ...  # of each; None: not used
    def sample(self, most: int) -> list[list[str]]: ...  # the first rows, as they are written
    def rows(self) -> Iterator[Row]: ...  # raises Refused when it cannot be read any more


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a column is to us: Meaning("number", "work"), Meaning("custom", "credit_limit")."""

    column: Column
    label: str = ""  # as of a Cell


@dataclass(frozen=True, slots=True)
class RowError:
    row: int
    header: str  # of the cell, as the source writes it; empty: the row as a whole
    message: str
    unit: str = "row"

    def __str__(self) -> str:
        values = {"n": self.row, "header": self.header, "message": self.message}
        if self.unit == "card":
            return (
                say("card {n}, {header!r}: {message}", **values)
                if self.header
                else say("card {n}: {message}", **values)
            )
        return say("row {n}, {header!r}: {message}", **values) if self.header else say("row {n}: {message}", **values)


def row_of(number: int, texts: list[str], headers: tuple[str, ...], meanings: tuple[Meaning | None, ...]) -> Row:
    """The cells of one line of a table, in the order of its columns."""
    cells: dict[Column, tuple[Cell, ...]] = {}
    for meaning, header, text in zip(meanings, headers, texts, strict=False):
        if meaning is None:
            continue
        if len(text) > LONGEST_CELL:
            return Row(
                number,
                {},
                say(
                    "has {n} characters under {header!r}; shorten it to {most}",
                    n=len(text),
                    header=header,
                    most=LONGEST_CELL,
                ),
            )
        cell = Cell(text.replace("\x00", "").strip(), meaning.label, header)
        cells[meaning.column] = (*cells.get(meaning.column, ()), cell)
    return Row(number, cells)
