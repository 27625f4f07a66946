"""A customer as a vCard 3.0 (RFC 2426), the version that phones read. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection

from config.card_fields import BUILT_IN
from config.sentences import say
from desk.content_lines import folded, text
from records.tables import Customer

_KINDS = {say("mobile"): "CELL", say("work"): "WORK", say("home"): "HOME", say("fax"): "FAX"}


def of(customer: Customer, sees: Collection[str] = BUILT_IN, put: Callable[[str], str] = str) -> str:
    """Name, company, numbers and e-mail, those of them that `sees` names; no amounts, no notes.

    `put` says words in the company's language, since labels are written in it.
    """
    kinds = {word.casefold(): kind for label, kind in _KINDS.items() for word in (label, put(label))}
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"FN:{text(customer.name)}", f"N:{text(customer.name)};;;;"]
    if customer.company and "company" in sees:
        lines.append(f"ORG:{text(customer.company)}")
    for number in customer.numbers if "numbers" in sees else ():
        kind = kinds.get(number.label.casefold(), "VOICE")
        lines.append(f"TEL;TYPE={kind}:{text(number.e164 or number.raw)}")
    if customer.email and "email" in sees:
        lines.append(f"EMAIL:{text(customer.email)}")
    return "".join(folded(line) for line in (*lines, "END:VCARD"))
