"""Sentences for people: English as they stand, with what is needed to say them in another language. Pure.

Every floor says what it has to say with `say` or `counted`; the result is a text like any other, which may be logged,
raised or stored. Where it is shown, `desk.languages` finds out the sentence and says it in the reader's language. So no
rule knows of languages, and a text that was made of other texts (`f"{...}"`) is shown as it is: make a sentence of it.

What is stored or sent as plain text is made of a `template` with `str.format`, and `desk.reading` reads it back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any


class Sentence(str):
    """A text, and the sentence it was made of with its values, which may be `Sentence` themselves."""

    __slots__ = ("many", "n", "sentence", "values")

    sentence: str
    many: str  # the same of several; empty when nothing is counted
    n: int
    values: dict[str, Any]

    def __str__(self) -> str:
        return self  # str() of an exception is then what was said, not a plain copy of it


def say(sentence: str, /, **values: Any) -> Sentence:
    """`sentence` is a literal, so that it can be collected: `say("there is no team {name}", name=name)`."""
    return _said(sentence, "", 1, values)


def counted(one: str, many: str, n: int, /, **values: Any) -> Sentence:
    """`counted("{n} row", "{n} rows", len(rows))`: languages have up to six forms; `n` is among the values."""
    return _said(one, many, n, values | {"n": n})


def listed(texts: Iterable[str]) -> str:
    """One after the other; nothing of none."""
    return reduce(lambda before, last: say("{before}, {last}", before=before, last=last), texts or [""])


def with_values(text: str, change: Callable[[str], str]) -> str:
    """The same said with other values; what is no sentence is changed itself."""
    if not isinstance(text, Sentence):
        return change(text)
    values = {
        name: with_values(value, change) if isinstance(value, str) else value for name, value in text.values.items()
    }
    return _said(text.sentence, text.many, text.n, values)


# --- in a column of texts


def kept(text: str) -> str:
    """What `told` has the sentence of again; what is none stays as it is, also where it looks like one that was kept:
    somebody else's words are never filled in.
    """
    if isinstance(text, Sentence):
        return json.dumps(_packed(text), ensure_ascii=False)
    return f" {text}" if text.startswith(_MARK) else text


def told(text: str) -> str:
    """What was `kept`, or written there as it is."""
    if not text.startswith(_MARK):
        return text[1:] if text.startswith(f" {_MARK}") else text
    try:
        return str(_unpacked(json.loads(text)))
    except (ValueError, TypeError, LookupError, AttributeError):  # it only begins like one
        return text


_MARK = '{"sentence": '


def _packed(value: Any) -> Any:
    if isinstance(value, Sentence):
        values = {name: _packed(each) for name, each in value.values.items()}
        return {"sentence": value.sentence, "many": value.many, "n": value.n, "values": values}
    return value if isinstance(value, str | int | float | None) else str(value)


def _unpacked(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    values = {name: _unpacked(each) for name, each in value["values"].items()}
    return _said(value["sentence"], value["many"], value["n"], values)


def _said(one: str, many: str, n: int, values: dict[str, Any]) -> Sentence:
    sentence = many if many and n != 1 else one
    text = Sentence(sentence.format(**values) if values else sentence)
    text.sentence, text.many, text.n, text.values = one, many, n, values
    return text


TEMPLATES: dict[str, list[tuple[str, str]]] = {}
"""By kind, in the order in which they are tried: of one, and of several; the second is empty when nothing is counted.

A value whose name is a kind, or ends in one after a low line (`then_whom`), is a text of that kind.
"""


def template(sentence: str, /, *kinds: str) -> str:
    """`sentence` is a literal, as that of `say`; `kinds`: what a text that is made of it is part of."""
    return _known(sentence, "", kinds)


def templates(one: str, many: str, /, *kinds: str) -> str:
    """The same of what is counted, always several where it is made: `{n}` is among the values."""
    _known(one, many, kinds)
    return many


def _known(one: str, many: str, kinds: tuple[str, ...]) -> str:
    for kind in kinds:
        TEMPLATES.setdefault(kind, []).append((one, many))
    return one
