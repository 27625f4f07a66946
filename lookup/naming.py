"""The name that a phone may show.

Text from a customer base goes into SIP headers as it is, and Asterisk does not remove line breaks from it: one bad
record would be a caller who cannot be connected. So every text that leaves us for a channel passes `clean` first.
Letters of every script stay; what a header, a terminal or a reader could be fooled by goes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from lookup.answers import Found

LIMIT = 60  # graphemes: what a reader calls characters
OCTETS = 200  # of UTF-8; an INVITE has to fit a datagram

_JOINERS = "\u200c\u200d"  # format characters that Khmer, Arabic and Indic scripts and emoji are spelled with
_VIRAMA = 9  # the canonical combining class of signs that tie the next consonant to this one


def clean(text: str, limit: int = LIMIT, octets: int = OCTETS) -> str:
    """`text` in one line, without control, direction and other invisible characters, in NFC and not too long.

    Quotes and backslashes stay: Asterisk escapes them. The cut falls between graphemes, never inside one.
    """
    if text.isascii() and text.isprintable():  # as most texts are: each character is a grapheme and an octet
        return " ".join(text.split())[: min(limit, octets)].rstrip()
    line = unicodedata.normalize("NFC", "".join(map(_kept, text)))
    line = " ".join(line.split()).strip(_JOINERS + " ")
    return _cut(line, limit, octets).rstrip(_JOINERS + " ")


def phone_name(found: Found) -> str:
    """What the phone shows for this answer; "" leaves the name as it was received, as settings may want it.

    A match by last digits is marked with a question mark. Several customers of one company show the company, others
    show who it may be.
    """
    if found.may not in ("name", "route"):
        return ""
    if found.chosen:
        name = clean(found.chosen.name) or clean(found.chosen.company)
        return f"{clean(name, LIMIT - 1, OCTETS - 1)}?" if name and found.tier == "probable" else name
    companies = {clean(card.company) for card in found.candidates}
    if len(companies) == 1 and companies != {""}:
        return companies.pop()
    names = list(dict.fromkeys(name for card in found.candidates if (name := clean(card.name))))
    if len(names) < 2:
        return "".join(names)
    more = f" +{len(names) - 2}" if len(names) > 2 else ""
    room = len(" / ") + len(more)
    half = (LIMIT - room) // 2, (OCTETS - room) // 2
    return f"{clean(names[0], *half)} / {clean(names[1], *half)}{more}"


def _kept(char: str) -> str:
    category = unicodedata.category(char)
    if char.isspace() or category[0] == "Z":
        return " "
    if category in ("Cc", "Cs") or (category == "Cf" and char not in _JOINERS):
        return ""
    return char


def _cut(text: str, limit: int, octets: int) -> str:
    kept, room = "", octets
    for count, grapheme in enumerate(_graphemes(text)):
        room -= len(grapheme.encode())
        if count == limit or room < 0:
            break
        kept += grapheme
    return kept


def _graphemes(text: str) -> Iterator[str]:
    """The pieces between which a cut hurts no script: a base and what is written on, under or joined to it.

    Unicode's own rule (UAX 29) without its tables: what the categories say suffices for where a name is cut. A
    subscript consonant of Khmer is kept with its base, which UAX 29 would allow to be cut off.
    """
    piece = ""
    for char in text:
        if piece and not _joins(piece, char):
            yield piece
            piece = ""
        piece += char
    if piece:
        yield piece


def _joins(piece: str, char: str) -> bool:
    if len(piece) >= 16:  # nothing that is read is longer; a tower of accents is
        return False
    if unicodedata.category(char)[0] == "M" or char in _JOINERS or "\U0001f3fb" <= char <= "\U0001f3ff":
        return True
    if _is_flag_letter(char):
        return len(piece) == 1 and _is_flag_letter(piece)
    return char != " " and (piece[-1] == "\u200d" or unicodedata.combining(piece[-1]) == _VIRAMA)


def _is_flag_letter(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
