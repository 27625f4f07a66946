"""A file as a table, whichever kind it is; that is told by what is in it, not by its name."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from pathlib import Path

from config.sentences import say
from records.errors import Refused
from records.intake.csv_table import look_at_csv
from records.intake.headers import NONE, Own
from records.intake.rows import Table

_OTHERS: Mapping[bytes, Callable[[str], str]] = {
    b"\xd0\xcf\x11\xe0": lambda file: say(
        "{file} is an old Excel file (.xls); save it as .xlsx or as 'CSV UTF-8'", file=file
    ),
    b"%PDF": lambda file: say("{file} is a PDF; export the customers as CSV, XLSX or vCard", file=file),
    b"\x1f\x8b": lambda file: say("{file} is compressed; unpack it first", file=file),
    b"SQLite format 3": lambda file: say("{file} is a database; export the customers as CSV, XLSX or vCard", file=file),
}


def open_table(path: Path, mapping: Mapping[str, str] | None = None, sheet: str = "", own: Own = NONE) -> Table:
    """Looks at a file. `mapping` says of headers what they are (`headers.targets`), `sheet` which of a workbook's.

    Raises Refused: missing, empty, of no kind that we read. Whether it has the columns needed, `required` tells.
    """
    start = _start(path)
    if other := next((said for mark, said in _OTHERS.items() if start.startswith(mark)), None):
        raise Refused(other(path.name))
    if start.startswith(b"PK\x03\x04"):
        from records.intake.xlsx_table import look_at_xlsx  # some 0.2 s, and only for those who have such a file

        return look_at_xlsx(path, mapping or {}, sheet, own)
    if sheet:
        raise Refused(say("{file} has no sheets; leave --sheet out", file=path.name))
    if _plain(start).upper().startswith("BEGIN:VCARD"):
        if mapping:
            raise Refused(say("{file} is a vCard, whose parts are what they are; leave --map out", file=path.name))
        from records.intake.vcards import look_at_vcards

        return look_at_vcards(path)
    return look_at_csv(path, mapping or {}, own)


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(512)
    except OSError as exc:
        raise Refused(say("cannot read {path}: {why}", path=str(path), why=exc.strerror)) from exc


def _plain(start: bytes) -> str:
    """The beginning as text, as far as telling a kind needs it."""
    wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return start.decode("utf-16" if wide else "utf-8-sig", "replace").lstrip()
