"""A customer as a vCard 3.0 (RFC 2426), the version that phones read. Pure."""

from __future__ import annotations

from collections.abc import Collection

from config.card_fields import BUILT_IN
from records.tables import Customer

_KINDS = {"mobile": "CELL", "work": "WORK", "home": "HOME", "fax": "FAX"}


def of(customer: Customer, sees: Collection[str] = BUILT_IN) -> str:
    """Name, company, numbers and e-mail, those of them that `sees` names; no amounts, no notes."""
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"FN:{_text(customer.name)}", f"N:{_text(customer.name)};;;;"]
    if customer.company and "company" in sees:
        lines.append(f"ORG:{_text(customer.company)}")
    for number in customer.numbers if "numbers" in sees else ():
        kind = _KINDS.get(number.label.casefold(), "VOICE")
        lines.append(f"TEL;TYPE={kind}:{_text(number.e164 or number.raw)}")
    if customer.email and "email" in sees:
        lines.append(f"EMAIL:{_text(customer.email)}")
    return "".join(_folded(line) for line in (*lines, "END:VCARD"))


def _text(value: str) -> str:
    """Escaped, and in one line whatever the record holds: a line break would begin another property."""
    one_line = " ".join(value.split())
    kept = "".join(char for char in one_line if char.isprintable() or char in "\u200c\u200d")
    return kept.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")


def _folded(line: str) -> str:
    """At most 75 octets a line, never cut inside a character."""
    pieces, piece = [], ""
    for char in line:
        if len((piece + char).encode()) > 74:
            pieces.append(piece)
            piece = ""
        piece += char
    return "\r\n ".join((*pieces, piece)) + "\r\n"
