"""A text that the rules of a call made in English, from a notice or the log -> the sentence it was made of.

Older texts and other people's words are given back as they are. A text is looked through for the fixed parts of a
template from left to right and never back, so that a long or hostile one takes no time. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from string import Formatter
from typing import Any

import lookup.reasons  # noqa: F401  # whose templates are read here
from config.sentences import TEMPLATES, Sentence

LONGEST = 4000  # characters; no rule makes so long a text
DEEPEST = 40  # texts within texts; each item of a list is one

SHOWN = ("text", "step", "why", "whom")
"""Kinds of what is kept by itself, and of the value `{reason}`; all others are parts of these."""
COUNTS = ("n", "seconds")


def read(text: str) -> str:
    """The sentence, which is put into a language where it is shown; else the text itself."""
    return text if isinstance(text, Sentence) or len(text) > LONGEST else _read(text, SHOWN)


def _read(text: str, kinds: Sequence[str], depth: int = 0) -> str:
    if text and depth <= DEEPEST:
        for shape in (shape for kind in kinds for shape in _shapes(kind)):
            taken = shape.taken_from(text)
            if taken is None:
                continue
            values = {name: _read(value, _kinds(name), depth + 1) for name, value in taken.items()}
            if shape.has_words or any(isinstance(value, Sentence) for value in values.values()):
                return shape.sentence(text, values)
    return text


def _kinds(name: str) -> Sequence[str]:
    """Of the text that has this name in a template; none: of what is somebody's own, as names are."""
    kind = name.rpartition("_")[2]
    return SHOWN if kind == "reason" else (kind,) if kind in TEMPLATES else ()


@dataclass(frozen=True, slots=True)
class _Shape:
    """A template, taken apart."""

    one: str
    many: str
    fixed: tuple[str, ...]  # before the first value, between two, behind the last
    names: tuple[str, ...]

    @property
    def has_words(self) -> bool:
        return any(map(str.isalpha, "".join(self.fixed)))

    def taken_from(self, text: str) -> Mapping[str, str] | None:
        """The values, if the text has this shape, at whose beginning a capital may stand for a small letter."""
        begin, *between = self.fixed
        if not text.startswith(begin) and text[0].lower() + text[1 : len(begin)] != begin:
            return None
        if not between:
            return {} if len(text) == len(begin) else None
        values, at, end = [], len(begin), len(text) - len(between[-1])
        for fixed in between[:-1]:
            found = text.find(fixed, at, end)
            if found < 0:
                return None
            values.append(text[at:found])
            at = found + len(fixed)
        if at > end or not text.endswith(between[-1]):
            return None
        taken = dict(zip(self.names, [*values, text[at:end]], strict=True))
        return taken if all(taken.get(name, "0").isdecimal() for name in COUNTS) else None

    def sentence(self, text: str, values: dict[str, Any]) -> Sentence:
        made = Sentence(text)
        made.sentence, made.many, made.n, made.values = self.one, self.many, 1, values
        if self.many:
            made.n = values["n"] = int(values["n"])
        return made


@cache
def _shapes(kind: str) -> tuple[_Shape, ...]:
    return tuple(_shape(one, many) for one, many in TEMPLATES[kind])


def _shape(one: str, many: str) -> _Shape:
    fixed, names = [""], []
    for literal, name, _, _ in Formatter().parse(many or one):
        fixed[-1] += literal
        if name is not None:
            names.append(name)
            fixed.append("")
    return _Shape(one, many, tuple(fixed), tuple(names))
