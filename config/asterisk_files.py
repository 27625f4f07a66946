"""Asterisk's configuration files, read and changed so that all else in them stays as it was. Pure: text in, text out.

A file is sections, `[name]` or `[name](template,...)`, of lines `key = value` or `key => value`. A semicolon begins a
comment unless a backslash stands before it, `;--` one that goes on to `--;`. What stands before the first section is in
the section "": a file that another includes may have no more. Files that are included are not looked into.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_HEADER = re.compile(r"\s*\[([^\]]+)\]\s*(?:\(([^)]*)\))?")
_SETTING = re.compile(r"\s*([^=\s\[#][^=]*?)\s*=>?\s*(.*?)\s*$", re.DOTALL)
_COMMENT = re.compile(r"(?<!\\);.*$", re.DOTALL)
_TRUE = ("yes", "true", "y", "t", "1", "on")


@dataclass(slots=True)
class Section:
    """`lines` are those of the file, counted from 0, in which it has a key; `after` is where one more belongs."""

    name: str
    after: int
    lines: list[tuple[int, str, str]] = field(default_factory=list)  # which one, key, value
    given: Mapping[str, str] = field(default_factory=dict)  # by its templates
    is_template: bool = False

    @property
    def values(self) -> dict[str, str]:
        """Of several values of a key the last one."""
        return {**self.given, **{key: value for _, key, value in self.lines}}

    def all_of(self, key: str) -> list[str]:
        """Of a key that may stand there many times, like load."""
        return [value for _, each, value in self.lines if each == key]

    def is_on(self, key: str) -> bool:
        return self.values.get(key, "").lower() in _TRUE


def sections(text: str) -> list[Section]:
    """In order; of one name there may be several. The first is the one before any header."""
    found, in_comment = [Section("", 0)], False
    for at, raw in enumerate(text.splitlines()):
        said, in_comment = _without_comments(raw, in_comment)
        if header := _HEADER.match(said):
            given: dict[str, str] = {}
            options = [name.strip() for name in (header[2] or "").split(",")]
            for name in options:
                given |= next((each.values for each in found[1:] if each.name == name), {})
            found.append(Section(header[1].strip(), at + 1, given=given, is_template="!" in options))
        elif setting := _SETTING.match(said):
            found[-1].lines.append((at, setting[1], setting[2]))
            found[-1].after = at + 1
    return found


def section(text: str, name: str) -> Section:
    """The first of that name, which is the one that most of Asterisk reads; an empty one when there is none."""
    return next(_of(text, name), Section(name, 0))


def _of(text: str, name: str) -> Iterator[Section]:
    return (each for each in sections(text) if each.name == name)


def _without_comments(raw: str, in_comment: bool) -> tuple[str, bool]:
    if in_comment:
        _, end, rest = raw.partition("--;")
        return _without_comments(rest, False) if end else ("", True)
    before, begin, rest = raw.partition(";--")
    if begin and not rest.startswith("-") and not _COMMENT.search(before):
        rest, still = _without_comments(rest, True)
        return before + rest, still
    return _COMMENT.sub("", raw), False


def with_values(text: str, name: str, values: Mapping[str, str], *, arrow: str = "=", type: str = "") -> str:
    """These settings in the first section of that name, which is made when it is not there.

    `type`: in the first of those that say so, as pjsip.conf has several of one name.
    """
    for key, value in values.items():
        chosen = next((each for each in _of(text, name) if not type or each.values.get("type") == type), None)
        wanted = f"{key} {arrow} {value}"
        if chosen is None:
            text = _with_section(text, name, [wanted])
        elif chosen.values.get(key) != value:
            there = [at for at, each, _ in chosen.lines if each == key]
            text = _with_line(text, there[-1] if there else chosen.after, wanted, instead=bool(there))
    return text


def with_more(text: str, name: str, key: str, values: Collection[str]) -> str:
    """A line `key = value` for each of these that is not there yet."""
    for value in values:
        chosen = next(_of(text, name), None)
        if chosen is None:
            text = _with_section(text, name, [f"{key} = {value}"])
        elif value not in chosen.all_of(key):
            text = _with_line(text, chosen.after, f"{key} = {value}")
    return text


def with_ending(text: str, line: str) -> str:
    """The line at the end, unless it is in the file already."""
    return text if line in map(str.strip, text.splitlines()) else text + _gap(text) + f"{line}\n"


def _with_line(text: str, at: int, line: str, *, instead: bool = False) -> str:
    raws = text.splitlines(keepends=True)
    if at and not raws[at - 1].endswith("\n"):
        raws[at - 1] += "\n"
    if instead:
        line = _between_comments(raws, at, line)
    raws[at : at + instead] = [line + ("\r\n" if "\r\n" in text else "\n")]
    return "".join(raws)


def _between_comments(raws: Sequence[str], at: int, line: str) -> str:
    """What takes the place of a line: it ends the comment that the line ended, and begins the one that it began."""
    in_comment = False
    for raw in raws[:at]:
        _, in_comment = _without_comments(raw, in_comment)
    old = raws[at].rstrip("\r\n")
    if in_comment:
        line = f"{old[: old.index('--;') + 3]} {line}"
    if _without_comments(old, in_comment)[1]:
        line = f"{line} {old[old.rindex(';--') :]}"
    return line


def _with_section(text: str, name: str, lines: Iterable[str]) -> str:
    return text + _gap(text) + "\n".join([f"[{name}]", *lines]) + "\n"


def _gap(text: str) -> str:
    return "" if not text else "\n" if text.endswith("\n") else "\n\n"
