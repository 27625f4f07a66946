"""vCards (2.1, 3.0, 4.0), as phones and address books write them: each card a row, read card by card."""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import vobject

from config.sentences import say
from records.intake.rows import LONGEST_CELL, Cell, Column, Meaning, Row
from records.intake.texts import encoding_of, opened

MOST_LINE = 4_000_000  # characters; a photo may be a single one
MOST_CARD = 16_000_000

# What it skips, it would write to the log: hostile text, card by card.
logging.getLogger("vobject").setLevel(logging.CRITICAL + 1)

_COLUMNS: dict[str, Column] = {
    "FN": "name",
    "ORG": "company",
    "TEL": "number",
    "EMAIL": "email",
    "ADR": "address",
    "NOTE": "note",
    "UID": "external_id",
    "PHOTO": "photo",
}
_LABELS = {"fax": "fax", "cell": "mobile", "iphone": "mobile", "work": "work", "home": "home", "main": "main"}
_PARTS_OF_ADR = ("box", "extended", "street", "city", "region", "code", "country")


@dataclass(frozen=True, slots=True)
class Vcards:
    """A file of cards. Its properties are what they are: there is nothing to map."""

    path: Path
    encoding: str
    headers: tuple[str, ...] = tuple(_COLUMNS)
    meanings: tuple[Meaning | None, ...] = tuple(map(Meaning, _COLUMNS.values()))
    kind: str = "vCard"
    unit: str = "card"

    def sample(self, most: int) -> list[list[str]]:
        return [
            [", ".join(cell.text for cell in row.cells.get(column, ()) if cell.text) for column in _COLUMNS.values()]
            for row in islice(self.rows(), most)
        ]

    def rows(self) -> Iterator[Row]:
        """Each card; one that cannot be read is one error. Raises Refused."""
        for number, text in enumerate(_cards(self.path, self.encoding), 1):
            yield _row(number, text)


def look_at_vcards(path: Path) -> Vcards:
    """Raises Refused."""
    return Vcards(path, encoding_of(path))


def _cards(path: Path, encoding: str) -> Iterator[str]:
    """The text of each card; a part of it when it is far too long."""
    lines: list[str] | None = None
    length = 0
    with opened(path, encoding) as file:
        while line := file.readline(MOST_LINE):
            mark = line.strip().upper() if len(line) < 40 else ""
            if mark == "BEGIN:VCARD":
                if lines is not None:
                    yield "".join(lines)  # it has no end
                lines, length = [line], 0
            elif lines is not None:
                length += len(line)
                if length < MOST_CARD:
                    lines.append(line)
                if mark == "END:VCARD":
                    yield "".join(lines) if length < MOST_CARD else lines[0]
                    lines = None
    if lines is not None:
        yield "".join(lines)


def _row(number: int, text: str) -> Row:
    if not re.search(r"END:VCARD\s*$", text, re.IGNORECASE):
        return Row(number, {}, say("has no end, or is far too long; export it anew"))
    try:
        card = vobject.readOne(text, ignoreUnreadable=True, allowQP=True)
        cells = dict(_cells(card))
        photo = _photo(card)
    except Exception as exc:  # vobject says of hostile text whatever the part says that stumbled
        return Row(number, {}, say("cannot be read ({why}); export it anew", why=str(exc)[:200]))
    long = next((each for several in cells.values() for each in several if len(each.text) > LONGEST_CELL), None)
    if long:
        said = say(
            "has {n} characters under {header!r}; shorten it to {most}",
            n=len(long.text),
            header=long.header,
            most=LONGEST_CELL,
        )
        return Row(number, {}, said)
    return Row(number, cells, photo=photo)


def _cells(card: Any) -> Iterator[tuple[Column, tuple[Cell, ...]]]:
    for name, column in _COLUMNS.items():
        lines = [*card.contents.get(name.lower(), ())]
        if column == "photo":
            cells = [Cell("", "", name)]
        elif column == "number":
            cells = [Cell(_number(line.value), _label(line, card), name) for line in lines]
        else:
            cells = [Cell(_plain(line.value), "", name) for line in lines]
        if column == "name" and not any(cell.text for cell in cells):
            parts = [each.value for each in card.contents.get("n", ())][:1]
            cells = [Cell(_name(part), "", "N") for part in parts] or [Cell("", "", name)]
        yield column, tuple(cells) or (Cell("", "", name),)


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, list):  # of ORG the company, not the department
        value = next((part for part in value if part), "")
    if not isinstance(value, str):
        parts = [getattr(value, part, "") for part in _PARTS_OF_ADR]
        value = ", ".join(" ".join(part) if isinstance(part, list) else part for part in parts if part)
    text: str = value.replace("\x00", "").replace("\r\n", "\n").strip()
    return text


def _name(value: Any) -> str:
    parts = [getattr(value, part, "") for part in ("prefix", "given", "additional", "family", "suffix")]
    return " ".join(" ".join(part) if isinstance(part, list) else part for part in parts if part).strip()


def _number(value: Any) -> str:
    """Also a telephone URI (RFC 3966): "tel:+855-12-345-678;ext=12"."""
    text = _plain(value)
    if not text.lower().startswith("tel:"):
        return text
    number, *parameters = text[4:].split(";")
    ext = next((each.partition("=")[2] for each in parameters if each.lower().startswith("ext=")), "")
    return f"{number} ext. {ext}" if ext else number


def _label(line: Any, card: Any) -> str:
    """Of its types, or of the label that Apple writes beside it."""
    types = {kind.casefold() for several in line.params.get("TYPE", ()) for kind in several.split(",")}
    types |= {kind.casefold() for kind in line.singletonparams}
    known = next((label for kind, label in _LABELS.items() if kind in types), "")
    beside = [each.value for each in card.contents.get("x-ablabel", ()) if line.group and each.group == line.group]
    return known or (_plain(beside[0]).strip("_$!<>").casefold()[:40] if beside else "")


def _photo(card: Any) -> bytes:
    """The picture itself; nothing for one that lies elsewhere."""
    for line in card.contents.get("photo", ()):
        if isinstance(line.value, bytes):
            return line.value
        packed = re.fullmatch(r"(?:data:image/[\w.+-]+;base64,)?([A-Za-z0-9+/=\s]{40,})", line.value)
        if packed:
            try:
                return base64.b64decode(packed.group(1))
            except binascii.Error:
                continue
    return b""
