"""A customer as a vCard 3.0 (RFC 2426), the version that phones read. Pure."""

from __future__ import annotations

from collections.abc import Collection

from config.card_fields import BUILT_IN
from desk.content_lines import folded, text
from records.tables import Customer

_KINDS = {"mobile": "CELL", "work": "WORK", "home": "HOME", "fax": "FAX"}


def of(customer: Customer, sees: Collection[str] = BUILT_IN) -> str:
    """Name, company, numbers and e-mail, those of them that `sees` names; no amounts, no notes."""
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"FN:{text(customer.name)}", f"N:{text(customer.name)};;;;"]
    if customer.company and "company" in sees:
        lines.append(f"ORG:{text(customer.company)}")
    for number in customer.numbers if "numbers" in sees else ():
        kind = _KINDS.get(number.label.casefold(), "VOICE")
        lines.append(f"TEL;TYPE={kind}:{text(number.e164 or number.raw)}")
    if customer.email and "email" in sees:
        lines.append(f"EMAIL:{text(customer.email)}")
    return "".join(folded(line) for line in (*lines, "END:VCARD"))
