"""What a phone shows for a caller: the name, in the company's template.

The template is the company's, the parts are whatever a customer base or a caller chose; they are cleaned before they
are put in and can add no placeholder. An empty part takes with it the signs that belong to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lookup.answers import Answer, Found, Withheld
from lookup.naming import clean, phone_name

PLAIN = "{name}"

_PART = re.compile(r"(\([^()]*\{[^()]*\)|\[[^\[\]]*\{[^\[\]]*\]|\{[^{}]*\})")
"""A placeholder, or brackets with placeholders in them."""


def display_name(answer: Answer, template: str = PLAIN, label: str = "", received: str = "") -> str:
    """What the phone is to show; "" leaves what was received.

    `label` is what the call came in for ("Sales"), `received` the name that came with it. A caller whom nobody knows,
    or could look up in time, keeps the received name and gets the label, where the template has a place for it; who
    hides gets nothing.
    """
    if isinstance(answer, Withheld):
        return ""
    name = phone_name(answer) if isinstance(answer, Found) else ""
    company = clean(answer.chosen.company) if isinstance(answer, Found) and answer.chosen else ""
    label = clean(label)
    if not name:
        if not label or "{queue}" not in template:
            return ""
        name, company = clean(received), ""
    return filled(template, {"name": name, "company": company if company != name else "", "queue": label})


def filled(template: str, parts: Mapping[str, str]) -> str:
    """The template with its parts, cleaned and cut as every name. Without any part it is empty.

    Brackets around nothing but empty parts go as a whole; of the signs on both sides of an empty part those before it
    stay, when something follows; text after it goes, up to the next part.
    """
    return clean(_filled(template, parts))


def _filled(template: str, parts: Mapping[str, str]) -> str:
    before, *pieces = _PART.split(template)
    line, last = "", ""
    for part, after in zip(pieces[::2], pieces[1::2], strict=True):
        if part[0] == "{":
            last = parts.get(part[1:-1], "")
        else:
            inside = _filled(part[1:-1], parts)
            last = f"{part[0]}{inside}{part[-1]}" if inside else ""
        if last:
            line, before = line + before + last, after
    return line + before if last else line
