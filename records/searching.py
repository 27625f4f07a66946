"""What somebody typed -> the tests that a row of `customer_search` must pass, from the best match to the least. Pure.

A test is a tree: pieces of text that stand in one of some columns, and `All` or `One` of several tests. How a database
asks it is said in `records.finding`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from records.folding import GAP, SIGNS, choice, digits, fold, is_near, latin, words

SHORTEST = 3  # letters of a piece that an index of threes can find
LONG_ENOUGH = 5  # letters of a word that may be mistyped
MOST_WORDS = 8

_WRITTEN_AS_NUMBER = re.compile(r"[\d\s+().\-/–]*")


@dataclass(frozen=True, slots=True)
class Has:
    """These pieces, in this order, in one of these columns."""

    pieces: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class All:
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class One:
    tests: tuple[Test, ...]


Test: TypeAlias = Has | All | One


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed, as tests. Whoever passes one of the first three passes `contains` or `exactly` too."""

    text: str  # folded: how the best names begin
    exactly: Test | None  # a number, a code, an address, whole
    begins: Test  # every word begins one
    contains: Test  # every word is a part of one
    nearly: Test | None  # candidates for `is_nearly`; None: too short to be forgiven
    words: tuple[str, ...]
    columns: tuple[str, ...]

    def is_nearly(self, texts: Sequence[str]) -> bool:
        """Whether every word is there, some of them with one wrong, missing or swapped letter."""
        held = [word for text in texts for word in text.split()]
        return all(any(word in one or (_forgiven(word) and is_near(word, one)) for one in held) for word in self.words)


def asked(typed: str, columns: tuple[str, ...], e164: str = "") -> Asked | None:
    """`columns`: what may be searched. `e164`: what was typed, where it is a whole number. None: nothing was typed."""
    found = tuple(dict.fromkeys(words(typed)))[:MOST_WORDS]
    if not found:
        return None
    begins: list[Test] = [All(tuple(_begins(word, columns) for word in found))]
    contains: list[Test] = [All(tuple(_contains(word, columns) for word in found))]
    exactly: list[Test] = []
    codes = tuple(name for name in columns if name != "company")
    if len(found) == 1 and codes and re.search(r"[\d@]", found[0]):
        exactly.append(Has((GAP + found[0] + GAP,), codes))
    if "numbers" in columns:
        for number in _as_numbers(typed, e164):
            exactly.append(Has((GAP + number + GAP,), ("numbers",)))
            begins.append(Has((GAP + number,), ("numbers",)))
            if len(number) >= SHORTEST:
                contains.append(Has((number,), ("numbers",)))
    return Asked(
        fold(typed),
        One(tuple(exactly)) if exactly else None,
        One(tuple(begins)),
        One((*contains, *exactly)),
        _nearly(found, columns),
        found,
        columns,
    )


def chosen(field: str, value: str) -> Test:
    """A value of one of the company's own fields."""
    return Has((GAP + choice(field, value) + GAP,), ("choices",))


def _as_numbers(typed: str, e164: str) -> list[str]:
    """The digits of what was typed, and without what is dialled before a national number; nothing of words."""
    if not _WRITTEN_AS_NUMBER.fullmatch(typed):
        return []
    every = digits(typed)
    return [*dict.fromkeys(number for number in (digits(e164), every, every.lstrip("0")) if number)]


def _spellings(word: str) -> tuple[str, ...]:
    """As it is, and in Latin letters; a sign of Chinese alone would be half of all names then."""
    in_latin = latin(word).replace(" ", "") if len(word) >= SHORTEST else ""
    return (word, in_latin) if in_latin else (word,)


def _begins(word: str, columns: tuple[str, ...]) -> Test:
    """Signs before a word are not looked at by PostgreSQL's index, which would give all who have the word."""
    signs = SIGNS.match(word)
    bare = word[signs.end() :] if signs else word
    begins = One(tuple(Has((GAP + one,), columns) for one in _spellings(bare or word)))
    return All((begins, _contains(word, columns))) if bare and bare != word else begins


def _contains(word: str, columns: tuple[str, ...]) -> Test:
    """One or two letters alone are in nearly every name: they begin a word."""
    return One(tuple(Has((one if len(one) >= SHORTEST else GAP + one,), columns) for one in _spellings(word)))


def _forgiven(word: str) -> bool:
    return len(word) >= LONG_ENOUGH and not any(letter.isdigit() for letter in word)


def _nearly(found: tuple[str, ...], columns: tuple[str, ...]) -> Test | None:
    if not any(map(_forgiven, found)):
        return None
    texts = tuple(name for name in columns if name in ("names", "company"))
    return All(tuple(_mistyped(word, texts) if _forgiven(word) else _contains(word, columns) for word in found))


def _mistyped(word: str, columns: tuple[str, ...]) -> Test:
    """Any word that has all but one letter of this one before and after some place, or two that changed places."""
    ways: list[Test] = [Has((word,), columns)]
    for at in range(len(word)):
        before, after = GAP + word[:at], word[at + 1 :] + GAP
        ways.append(Has(tuple(piece for piece in (before, after) if len(piece) >= SHORTEST), columns))
        swapped = word[:at] + word[at : at + 2][::-1] + word[at + 2 :]
        if swapped != word:
            ways.append(Has((GAP + swapped + GAP,), columns))
    return One(tuple(ways))
