"""Amounts as people write them -> whole minor units, as the tables keep them."""

from __future__ import annotations

import re

from config.sentences import say
from records.errors import Refused

_WITHOUT = frozenset(
    {
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    }
)
_THOUSANDTHS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
"""ISO 4217: currencies without a minor unit, and those whose minor unit is a thousandth. All others have hundredths."""

_LARGEST = 10**15  # of minor units; a typing mistake, and far below what a database's integer holds


def minor_digits(currency: str) -> int:
    """Digits after the point: 2 for USD, 0 for JPY."""
    return 0 if currency in _WITHOUT else 3 if currency in _THOUSANDTHS else 2


_PLAIN = re.compile(r"(\d+)(?:[.,](\d+))?")
_GROUPED = re.compile(r"(\d{1,3}([ .,'’])\d{3}(?:\2\d{3})*)(?:(?!\2)[.,](\d+))?")


def to_minor(text: str, currency: str) -> int:
    """Minor units of "1250", "1,250.50", "1 250,50", "$-25", "(25.00)", "USD 25". Raises Refused for no amount.

    One to three digits, a comma or point, and exactly three digits are thousands, unless the currency has three.
    """
    digits = minor_digits(currency)
    parts = re.fullmatch(r"(\D{0,6})(\d(?:.*\d)?)(\D{0,6})", text.strip(), re.DOTALL)
    whole, rest = _split(re.sub(r"\s", " ", parts.group(2)), digits) if parts else ("", "")
    if parts is None or not whole:
        raise Refused(say("{text!r} is no amount; write it like 1250.50", text=text.strip()))
    if len(rest) > digits:
        raise Refused(
            say(
                "{text!r} has more than the {digits} digits after the point that {currency} has",
                text=text.strip(),
                digits=digits,
                currency=currency,
            )
        )
    value = int(whole + rest.ljust(digits, "0"))
    if value > _LARGEST:
        raise Refused(say("{text!r} is too large for an amount of money", text=text.strip()))
    return -value if re.search(r"[-−(]", parts.group(1) + parts.group(3)) else value


def _split(core: str, digits: int) -> tuple[str, str]:
    """Digits before and after the point; two empty texts for what is no number."""
    plain = _PLAIN.fullmatch(core)
    if plain and (len(plain.group(2) or "") != 3 or len(plain.group(1)) > 3 or digits == 3):
        return plain.group(1), plain.group(2) or ""
    grouped = _GROUPED.fullmatch(core)
    return (re.sub(r"\D", "", grouped.group(1)), grouped.group(3) or "") if grouped else ("", "")
