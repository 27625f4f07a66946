"""The form of one customer: what it was made from, what was typed into it, and how the two go together with what others
have changed meanwhile. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import orjson

from config.sentences import say
from desk.formats import is_version
from records.editing import MOST_LINES, Line
from records.errors import Refused

Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Shown:
    """A customer as a form shows it: values by the names of `records.editing`, and lines of numbers."""

    values: Values = field(default_factory=dict)
    lines: tuple[Line, ...] = ()

    def packed(self) -> str:
        """For a hidden field, so that the form says itself what it was made from."""
        return orjson.dumps({"values": dict(self.values), "lines": self.lines}).decode()


@dataclass(frozen=True, slots=True)
class Form:
    """What came back. `changed` and `changed_lines` are what somebody has typed, and all that is to be written."""

    typed: Shown
    was: Shown
    version: int  # of the customer that `was` is of; 0: a new one

    @property
    def changed(self) -> Values:
        return {name: value for name, value in self.typed.values.items() if self.was.values.get(name) != value}

    def beside(self, now: Shown) -> Shown:
        """What was typed, over what the customer is now: for the form that goes on after others changed something."""
        values = {**self.typed.values, **now.values, **self.changed}
        return Shown(values, (*self._lines_beside(now),))

    def _lines_beside(self, now: Shown) -> Iterable[Line]:
        was = {line.kept: line for line in self.was.lines}
        theirs = _by_row(now)
        for line in self.typed.lines:
            before = was.get(line.kept) if line.kept else None
            there = theirs.get(_row(before)) if before else None
            if there:
                yield there if line == before else line
            elif line != before and not line.is_empty:
                yield replace(line, kept="")  # they took it away, and here it was changed: it would be a new one
        known = _by_row(self.was)
        yield from (line for row, line in theirs.items() if row not in known)


@dataclass(frozen=True, slots=True)
class Overtaken:
    """One thing that somebody else has changed since a form was made. Texts as typed; empty: none."""

    name: str  # of the value, or "numbers"
    before: str
    now: str


def overtaken(was: Shown, now: Shown) -> list[Overtaken]:
    """What is not as it was."""
    names = [name for name in now.values if was.values.get(name, now.values[name]) != now.values[name]]
    found = [Overtaken(name, was.values[name], now.values[name]) for name in names]
    before, after = _by_row(was), _by_row(now)
    for row in {**before, **after}:
        old, new = before.get(row), after.get(row)
        if old != new:
            found.append(Overtaken("numbers", _as_text(old), _as_text(new)))
    return found


def read_form(sent: Iterable[tuple[str, Any]]) -> Form:
    """The fields of a form that was sent. Raises Refused for one that did not come from our page."""
    texts = {name: value for name, value in sent if isinstance(value, str)}
    version, was = texts.pop("version", ""), _unpacked(texts.pop("was", ""))
    if not is_version(version) or was is None:
        raise Refused(say("The form was sent without what it was made from; open it again."))
    lines: dict[int, dict[str, str]] = {}
    values: dict[str, str] = {}
    for name, value in texts.items():
        part, _, place = name.partition(".")
        if (
            part in ("number", "label", "ext", "kept")
            and place.isdecimal()
            and len(place) < 4
            and int(place) < MOST_LINES
        ):
            lines.setdefault(int(place), {})[part] = value.strip()
        else:
            values[name] = value.replace("\r\n", "\n")
    typed = tuple(Line(**{"number": "", **parts}) for _, parts in sorted(lines.items()))
    return Form(Shown(values, typed), was, int(version))


class _Packed(msgspec.Struct):
    values: dict[str, str]
    lines: list[Line]


def _unpacked(text: str) -> Shown | None:
    try:
        packed = msgspec.json.decode(text.encode("utf-8", "replace"), type=_Packed)
    except msgspec.DecodeError:
        return None
    return Shown(packed.values, tuple(packed.lines))


def _row(line: Line) -> tuple[str, str, str]:
    """What makes it the same row: SQLite gives the id of a number that went to one that comes."""
    return line.kept, line.number, line.ext


def _by_row(shown: Shown) -> dict[tuple[str, str, str], Line]:
    return {_row(line): line for line in shown.lines if line.kept}


def _as_text(line: Line | None) -> str:
    if line is None:
        return ""
    number = say("{number} ext. {ext}", number=line.number, ext=line.ext) if line.ext else line.number
    return say("{number} ({label})", number=number, label=line.label) if line.label else number
