"""A CSV file as rows of known columns, whatever program and language wrote it.

Read in a stream, so that a large file costs no memory. What cannot be read at all is refused with a sentence; a row
that cannot be read is one error, and the rows after it go on.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from config.sentences import say
from records.errors import Refused
from records.intake.headers import NONE, Own, meaning, meanings
from records.intake.rows import Meaning, Row, row_of
from records.intake.texts import encoding_of, opened

_DELIMITERS = ",;\t"
LONGEST_HEADER = 100_000
MOST_COLUMNS = 1000


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A file that was looked at: how it is written, and which columns it has."""

    path: Path
    encoding: str
    delimiter: str
    skipped: int  # lines before the header ("sep=;")
    headers: tuple[str, ...]
    meanings: tuple[Meaning | None, ...]
    kind: str = "CSV"
    unit: str = "row"

    def sample(self, most: int) -> list[list[str]]:
        with opened(self.path, self.encoding) as file:
            for _ in range(self.skipped):
                file.readline()
            reader = csv.reader(file, delimiter=self.delimiter)
            next(reader)
            try:
                return [*islice(filter(any, reader), most)]
            except csv.Error as exc:
                raise Refused(
                    say("{file} cannot be read ({why}); is it a CSV file?", file=self.path.name, why=str(exc))
                ) from exc

    def rows(self) -> Iterator[Row]:
        """Each row that is not empty. Raises Refused when the file cannot be read any more."""
        with opened(self.path, self.encoding) as file:
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
                        number,
                        {},
                        say(
                            "cannot be read ({why}); close every quotation mark, and double those inside", why=str(exc)
                        ),
                    )
                    continue
                if any(field.strip() for field in fields):
                    yield self._row(number, fields)

    def _row(self, number: int, fields: list[str]) -> Row:
        if len(fields) > len(self.headers) and any(field.strip() for field in fields[len(self.headers) :]):
            return Row(
                number,
                {},
                say(
                    "has {fields} cells and the header {headers}; put a cell that contains {delimiter!r} into "
                    "quotation marks",
                    fields=len(fields),
                    headers=len(self.headers),
                    delimiter=self.delimiter,
                ),
            )
        return row_of(number, fields, self.headers, self.meanings)


def look_at_csv(path: Path, mapping: Mapping[str, str], own: Own = NONE) -> CsvTable:
    """Finds out how the file is written. Raises Refused: missing, empty, a header that cannot be one."""
    encoding = encoding_of(path)
    with opened(path, encoding) as file:
        first = file.readline(LONGEST_HEADER)
        skipped = 1 if re.fullmatch(r"sep=.\s*", first, re.IGNORECASE) else 0
        header = file.readline(LONGEST_HEADER) if skipped else first
    if not header.strip():
        raise Refused(
            say("{file} is empty, or its first line is; the first line must name the columns", file=path.name)
        )
    delimiter = max(_DELIMITERS, key=lambda mark: (_known(_split(header, mark), own), header.count(mark)))
    headers = tuple(field.strip() for field in _split(header, delimiter))
    if len(header) == LONGEST_HEADER or len(headers) > MOST_COLUMNS:
        raise Refused(say("the first line of {file} is too long to name columns; is it a CSV file?", file=path.name))
    return CsvTable(path, encoding, delimiter, skipped, headers, meanings(headers, mapping, own))


def _known(fields: list[str], own: Own) -> int:
    return sum(meaning(field, own) is not None for field in fields)


def _split(header: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([header], delimiter=delimiter), [])
    except csv.Error:
        return [header]
