"""Values of the company's own fields: what a person, a file or another database wrote -> what is kept and shown.

Kept as JSON, by type: text, link and choice as text; number as a number; money as {"minor": 125000, "currency": "USD"};
date as "2026-03-01"; yes/no as true or false. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from config.card_fields import Field
from config.sentences import say
from records.errors import Refused
from records.money import minor_digits, to_minor

Value = str | int | float | bool | Mapping[str, Any]

OWN = "custom."
"""Before the name of such a field, where it stands among the other fields of a customer as one for itself."""

LONGEST = 1000
"""Letters of a text: more is no field of a card."""

_YES = frozenset({"yes", "y", "true", "1", "x", "on", "да"})
_NO = frozenset({"no", "n", "false", "0", "off", "нет"})
_NUMBER = re.compile(r"[-−]?(\d+|\d{1,3}([  '’]\d{3})+|\d{1,3}(,\d{3})+(?=\.))([.,]\d+)?")
_DIGITS = 15  # that a number keeps on its way through JSON


def read_value(field: Field, text: str, currency: str) -> Value | None:
    """What was typed, as it is kept; None for nothing. `currency`: of an amount that names none. Raises Refused."""
    shown = _cleaned(text)
    if not shown:
        return None
    if len(shown) > LONGEST:
        raise Refused(say("this is longer than the {most} letters that a field may have", most=LONGEST))
    match field.type:
        case "number":
            return _number(shown)
        case "money":
            return _money(shown, currency)
        case "date":
            return _date(shown)
        case "yes/no":
            return _yes_or_no(shown)
        case "link":
            return _link(shown)
        case "choice":
            return _choice(shown, field.choices)
        case _:
            return shown


def typed_value(field: Field, raw: Any, currency: str) -> Value | None:
    """What stands in a column, ours or another database's, as a value of the field; None for nothing.

    What does not fit the type comes as text, so that it is seen and can be put right.
    """
    if raw is None or isinstance(raw, bytes | bytearray | list):
        return None
    if isinstance(raw, Mapping):
        return _kept_money(raw) if field.type == "money" else None
    text = _as_text(raw)
    if field.type in ("number", "money"):
        text = _plain(raw, currency if field.type == "money" else "") or text
    try:
        return read_value(field, text, currency)
    except Refused:
        return _cleaned(text)[:LONGEST] or None


def given_value(field: Field, raw: Any, currency: str) -> Value | None:
    """What a program gave, as a value of the field or as its text; None for nothing. Raises Refused."""
    if raw is None or isinstance(raw, str):
        return read_value(field, raw or "", currency)
    value = typed_value(field, raw, currency)
    if value is None or (isinstance(value, str) and field.type != "text"):
        raise Refused(say("{given!r} is no value of the type {type}", given=raw, type=field.type))
    return value


def as_typed(value: Any) -> str:
    """A kept value as a person would type it, for the form that changes it."""
    if isinstance(value, Mapping):
        money = _kept_money(value)
        if not money:
            return ""
        return f"{Decimal(money['minor']).scaleb(-minor_digits(money['currency'])):f} {money['currency']}"
    return "" if value is None else _as_text(value)


def with_values(kept: Any, changes: Any) -> dict[str, Any]:
    """The values of a customer after a change; a new mapping. Raises Refused for what are no values by field."""
    if not isinstance(changes, Mapping) or not all(isinstance(name, str) for name in changes):
        raise Refused(say("{key} takes values by the name of their field", key="custom"))
    after = {**(kept if isinstance(kept, Mapping) else {}), **changes}
    return {name: value for name, value in after.items() if value is not None}


def _cleaned(text: str) -> str:
    """Without what cannot be seen, line breaks apart; joiners of Khmer and Arabic letters stay."""
    return "".join(char for char in text if char.isprintable() or char in "\n\u200c\u200d\u00a0\u202f").strip()


def _as_text(raw: Any) -> str:
    if isinstance(raw, bool):
        return "yes" if raw else "no"
    if isinstance(raw, datetime | date):
        return raw.isoformat()[:10]
    return str(raw)


def _plain(raw: Any, currency: str) -> str:
    """A number of another database's without its exponent, an amount cut to what its currency can have."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal):
        return ""
    number = Decimal(str(raw))
    if not number.is_finite() or number.adjusted() > _DIGITS:
        return ""
    if currency:
        number = round(number, minor_digits(currency))
    return f"{number:f}"


def _number(text: str) -> int | float:
    if not _NUMBER.fullmatch(text):
        raise Refused(say("{text!r} is no number; write it like 1250 or 12.5", text=text))
    if re.fullmatch(r"[-−]?[1-9]\d{0,2},\d{3}", text):
        whole, part = text.replace(",", ""), text.replace(",", ".")
        raise Refused(say("{text!r} may be two numbers; write {whole} or {part}", text=text, whole=whole, part=part))
    plain = re.sub(r"[  '’]", "", text).replace("−", "-")
    plain = plain.replace(",", "" if "." in plain else ".")
    number = Decimal(plain)
    if len(re.sub(r"\D", "", plain).strip("0")) > _DIGITS or number.adjusted() > _DIGITS:
        raise Refused(say("{text!r} has more than {most} digits; make the field a text", text=text, most=_DIGITS))
    return int(number) if number == number.to_integral_value() else float(number)


def _money(text: str, currency: str) -> dict[str, Any]:
    named = re.fullmatch(r"(?:([A-Za-z]{3})(?![A-Za-z])\s*(\S.*)|(.*[^A-Za-z\s])\s*([A-Za-z]{3}))", text, re.DOTALL)
    code, amount = currency, text
    if named:
        code, amount = (named[1] or named[4]).upper(), named[2] or named[3]
    return {"minor": to_minor(amount, code), "currency": code}


def _kept_money(raw: Mapping[str, Any]) -> dict[str, Any] | None:
    minor, currency = raw.get("minor"), raw.get("currency")
    if isinstance(minor, bool) or not isinstance(minor, int) or not isinstance(currency, str):
        return None
    return {"minor": minor, "currency": currency} if re.fullmatch(r"[A-Z]{3}", currency) else None


def _date(text: str) -> str:
    written = re.fullmatch(r"(\d{4})-(\d\d?)-(\d\d?)(?:[ T]\d\d:\d\d.*)?", text)  # a program writes the time too
    by_day = re.fullmatch(r"(\d\d?)\.(\d\d?)\.(\d{4})", text)
    if written or by_day:
        year, month, day = written.groups() if written else reversed(by_day.groups() if by_day else ())
        try:
            return date(int(year), int(month), int(day)).isoformat()
        except ValueError:
            pass
    raise Refused(say("{text!r} is no date; write it like 2026-03-01 or 01.03.2026", text=text))


def _yes_or_no(text: str) -> bool:
    if text.casefold() in _YES | _NO:
        return text.casefold() in _YES
    raise Refused(say("{text!r} is neither yes nor no", text=text))


def _link(text: str) -> str:
    try:
        parts = urlsplit(text)
        if parts.scheme in ("http", "https") and parts.hostname and not re.search(r"\s", text):
            return text
    except ValueError:
        pass
    raise Refused(say("{text!r} is no address of a page; write one that begins with https:// or http://", text=text))


def _choice(text: str, choices: tuple[str, ...]) -> str:
    for choice in choices:
        if choice.casefold() == text.casefold():
            return choice
    raise Refused(say("{text!r} is none of {choices}", text=text, choices=", ".join(choices)))
