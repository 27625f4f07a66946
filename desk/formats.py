"""How values look to a person: money, numbers, times, lengths, initials. Pure; the zone is always a parameter.

Only the screen uses these. What leaves by the API stays as it is kept: minor units, E.164, UTC. Where languages differ
the result is English that knows how others write it, `Local` or a `Sentence`; `desk.languages` puts it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from functools import lru_cache

import phonenumbers
from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.numbers import format_decimal

from config.sentences import say

HUES = 12
"""Colours that an avatar may have; `static/desk.css` has one class for each."""

MASK = "••••"
"""What stands where a role may see only that there is something."""

_LAST_SEEN = 2

_E164 = re.compile(r"\+[0-9]+")  # phonenumbers would read letters as the digits beside them on a telephone

_WHOLE = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF")
)
_THOUSANDTHS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))
"""ISO 4217: currencies whose minor unit is not a hundredth."""


class Local(str):
    """A value as English writes it, which each language writes in its own way. Digits are 0 to 9 in all of them."""

    __slots__ = ("put",)

    put: Callable[[Locale], str]


def local(english: str, put: Callable[[Locale], str]) -> Local:
    text = Local(english)
    text.put = put
    return text


def amount(minor: int, currency: str) -> str:
    """The figure alone: 123450, USD -> "1,234.50"; whole amounts keep their cents, so that columns line up."""
    digits = 0 if currency in _WHOLE else 3 if currency in _THOUSANDTHS else 2
    whole, part = divmod(abs(minor), 10**digits)
    text = f"{whole:,}" + (f".{part:0{digits}d}" if digits else "")
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    exact = Decimal(minor).scaleb(-digits)
    return local(f"−{text}" if minor < 0 else text, lambda locale: _figure(locale, exact, pattern))


def figure(value: int | float) -> str:
    """1234567.5 -> "1,234,567.5" """
    pattern = "#,##0" if isinstance(value, int) else "#,##0.##########"
    return local(f"{value:,}".replace("-", "−"), lambda locale: _figure(locale, value, pattern))


def _figure(locale: Locale, value: int | float | Decimal, pattern: str) -> str:
    return format_decimal(value, pattern, locale=locale, numbering_system="latn").replace("-", "−")


@lru_cache(maxsize=4096)
def number(text: str) -> str:
    """An E.164 number in its country's grouping ("+855 12 345 678"); anything else, as a range, as it came."""
    if not _E164.fullmatch(text):
        return text
    try:
        parsed = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return text
    if not phonenumbers.is_possible_number(parsed):
        return text
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def masked_number(text: str) -> str:
    """Country and last digits alone: "+855 •• ••• •78"; of what is no E.164 number the last digits."""
    shown = number(text)
    head, gap, rest = shown.partition(" ") if _E164.fullmatch(text) else ("", "", shown)
    covered = re.sub(r"\w", "•", rest[:-_LAST_SEEN])
    return f"{head}{gap}{covered or MASK}{rest[-_LAST_SEEN:] if covered else ''}"


@lru_cache(maxsize=4096)
def country(text: str) -> str:
    """ISO 3166-1 alpha-2 of an E.164 number, or ""."""
    if not _E164.fullmatch(text):
        return ""
    try:
        region = phonenumbers.region_code_for_number(phonenumbers.parse(text))
    except phonenumbers.NumberParseException:
        return ""
    return region if region and len(region) == 2 and region.isalpha() else ""


def clock(when: datetime, zone: tzinfo) -> str:
    return when.astimezone(zone).strftime("%H:%M")


def day(when: datetime, zone: tzinfo, today: date) -> str:
    """ "today", "yesterday", "14 Mar", or with the year when it is another one."""
    there = when.astimezone(zone).date()
    distance = (today - there).days
    if distance in (0, 1, -1):
        return {0: say("today"), 1: say("yesterday"), -1: say("tomorrow")}[distance]
    if there.year != today.year:
        return full_date(there)
    return local(f"{there.day} {there:%b}", lambda locale: _date(locale, there, "MMMd"))


def full_date(when: date) -> str:
    """ "14 Mar 2026" """
    return local(f"{when.day} {when:%b %Y}", lambda locale: _date(locale, when, "yMMMd"))


def whole_day(when: date) -> str:
    """ "Saturday, 14 March 2026" """
    return local(f"{when:%A}, {when.day} {when:%B %Y}", lambda locale: format_date(when, "full", locale))


def _date(locale: Locale, when: date, skeleton: str) -> str:
    return format_skeleton(skeleton, when, locale=locale)


def lasting(seconds: float | None) -> str:
    """ "12 s", "3:25 min", "1:04 h"; empty when there is none."""
    if seconds is None:
        return ""
    whole = int(seconds + 0.5)
    if whole < 60:
        return say("{seconds} s", seconds=whole)
    minutes, rest = divmod(whole, 60)
    time = f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}"
    return say("{time} min", time=time) if minutes < 60 else say("{time} h", time=time)


def exactly(when: datetime, zone: tzinfo) -> str:
    """ "08:00:41.502" """
    return when.astimezone(zone).isoformat(timespec="milliseconds")[11:23]


def after(ms: int) -> str:
    """How long after the beginning: "+12 ms", "+4.1 s", "+3:25 min"."""
    if ms < 1000:
        return say("+{ms} ms", ms=ms)
    seconds = f"{ms / 1000:.1f}"
    return say("+{seconds} s", seconds=seconds) if ms < 59_950 else say("+{time}", time=lasting(ms / 1000))


def rfc3339(when: datetime | None) -> str | None:
    """UTC with milliseconds and Z, as the API writes it."""
    if when is None:
        return None
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(ms: int) -> datetime:
    """Milliseconds since the epoch as an aware UTC time."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def initials(name: str) -> str:
    """One or two letters that stand for a name until there is a photo; marks stay with their letter."""
    words = [word for word in name.split() if word[0].isalnum()]
    if not words:
        return "?"
    chosen = words[:1] if len(words) == 1 else [words[0], words[-1]]
    return "".join(_first_letter(word) for word in chosen).upper()


def hue(key: int) -> int:
    """A colour for an avatar that stays the same for one customer."""
    return key * 7 % HUES


def _first_letter(word: str) -> str:
    end = 1
    while end < len(word) and unicodedata.category(word[end]) in ("Mn", "Mc"):
        end += 1
    return word[:end]


def is_version(text: str) -> bool:
    """Whether a form or a header says a version, of a customer or of the card's layout."""
    return text.isdecimal() and len(text) < 10
