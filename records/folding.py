"""Text as it is compared when somebody is looked for: one function for what is stored and for what is typed. Pure.

Upper and lower case, the accents of Latin letters, full-width forms and signs that cannot be seen do not matter. Words
stand between two spaces, so that where one begins and ends are three letters like any others: indexes of letters by
threes, as both databases have them, then find a word of one letter as well as a part of a long one.
"""

from __future__ import annotations

import re
import unicodedata

from anyascii import anyascii

FOLD_VERSION = 2
"""Grows when a rule here changes what is stored, so that what is stored can be made again."""

GAP = "  "
LONGEST = 2000  # letters kept of one text

_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ё": "е", "’": "'"}
)
"""What no rule of Unicode takes apart; and people write е for ё."""

_EACH_A_WORD = re.compile("([\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff])")
"""Signs of Chinese, Japanese and Korean: names have two or three of them and no spaces."""


SIGNS = re.compile(r"[!-/:-@\[-`{-~]+")


def fold(text: str) -> str:
    """As it is compared, in one line; folded once more it stays as it is."""
    if text.isascii() and text.isprintable():
        return " ".join(text.lower().split())
    for _ in range(4):  # what becomes one letter may be folded as one
        before, text = text, _folded(text)
        if before == text:
            break
    return text


def words(text: str) -> list[str]:
    """Folded; of scripts without spaces each sign is a word."""
    return _EACH_A_WORD.sub(r" \1 ", fold(text)).split()


def stored(*texts: str) -> str:
    """The words of these texts, each once, as a column keeps them, and what stands between signs in them: of
    dara@rice.example somebody remembers rice. Empty without any."""
    whole = (word for text in texts for word in words(text[:LONGEST]))
    every = dict.fromkeys(part for word in whole for part in (word, *SIGNS.split(word)) if part)
    return f"{GAP}{GAP.join(every)}{GAP}"[: LONGEST + 2 * len(GAP)] if every else ""


def latin(text: str) -> str:
    """How it may be written in Latin letters, folded; empty when it is written so already."""
    folded = fold(text)
    return "" if folded.isascii() else fold(anyascii(folded))


def choice(field: str, value: str) -> str:
    """A value of one of the company's own fields as the word that it is found by."""
    return "_".join(fold(f"{field}={value}").split())


def digits(text: str) -> str:
    """The digits of whatever script as 0-9."""
    return "".join(str(unicodedata.decimal(char)) for char in text if char.isdecimal())


def is_near(one: str, other: str) -> bool:
    """Whether one wrong, missing, additional letter, or two that changed places, make one word of the other."""
    if abs(len(one) - len(other)) > 1:
        return False
    at = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    rest, others = one[at:], other[at:]
    swapped = rest[:2] == others[1::-1] and rest[2:] == others[2:]
    return rest[1:] == others[1:] or rest[1:] == others or rest == others[1:] or swapped


def _folded(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold()
    kept, base = [], ""
    for char in unicodedata.normalize("NFD", text):
        if unicodedata.category(char)[0] != "M":
            base = char
        elif base.isascii():
            continue
        if _is_seen(char):
            kept.append(char)
    return " ".join(unicodedata.normalize("NFKC", "".join(kept)).translate(_LETTERS).split())


def _is_seen(char: str) -> bool:
    return char.isspace() or unicodedata.category(char) not in ("Cc", "Cf", "Cs")
