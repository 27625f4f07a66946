"""Sentences for people: English as they stand, with what is needed to say them in another language. Pure.

Every floor says what it has to say with `say` or `counted`; the result is a text like any other, which may be logged,
raised or stored. Where it is shown, `desk.languages` finds out the sentence and says it in the reader's language. So no
rule knows of languages, and a text that was made of other texts (`f"{...}"`) is shown as it is: make a sentence of it.
"""

from __future__ import annotations

from collections.abc import Iterable
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
    text = Sentence(sentence.format(**values) if values else sentence)
    text.sentence, text.many, text.n, text.values = sentence, "", 1, values
    return text


def counted(one: str, many: str, n: int, /, **values: Any) -> Sentence:
    """`counted("{n} row", "{n} rows", len(rows))`: languages have up to six forms; `n` is among the values."""
    values["n"] = n
    text = Sentence((one if n == 1 else many).format(**values))
    text.sentence, text.many, text.n, text.values = one, many, n, values
    return text


def listed(texts: Iterable[str]) -> str:
    """One after the other; nothing of none."""
    return reduce(lambda before, last: say("{before}, {last}", before=before, last=last), texts or [""])
