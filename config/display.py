"""How a name is written on a telephone: the company's template, and telephones that cannot show every script."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

PLACEHOLDERS = ("name", "company", "queue")
"""What a template can hold in braces: the customer, their company, what the call came in for (docs/names.md)."""

LOOKS = 4
"""So many different ways of showing a name at most, over all telephones and models."""

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Display:
    template: str = "{name}"  # of what phones show for a caller


@dataclass(frozen=True, slots=True)
class Screen:
    """What one telephone, or one model, can show."""

    ascii: bool = False  # only letters without accents: names are transliterated
    length: int = 0  # characters; 0: as many as come


def faults(templates: Mapping[str, str], screens: Mapping[str, Screen], models: Mapping[str, Screen]) -> Iterator[str]:
    """What cannot be used, each as a sentence that says what to write instead. Templates are named by their key."""
    for where, template in templates.items():
        for name in PLACEHOLDER.findall(template):
            if name not in PLACEHOLDERS:
                near = difflib.get_close_matches(name, PLACEHOLDERS, n=1, cutoff=0.5)
                known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
                yield f"{where} has {{{name}}}; " + (f"did you mean {{{near[0]}}}?" if near else f"known are {known}")
        if re.search(r"[{}]", PLACEHOLDER.sub("", template)):
            yield f"{where} = {template!r} has a brace without its other half"
        elif not PLACEHOLDER.search(template):
            yield f'{where} = {template!r} shows nothing of the caller; write "{{name}}" at least'
    if len({*screens.values(), *models.values()}) > LOOKS:
        yield f"phones and phone_models have more than {LOOKS} different pairs of ascii and length; make some alike"
    for name in screens:
        if not re.fullmatch(r"[A-Za-z0-9_.+-]{1,80}", name):
            yield f"phones.{name}: write the name of the telephone's endpoint"
    for pattern in models:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._/-]{0,60}\*?", pattern):
            yield (
                f"phone_models.{pattern}: write how the telephone's User-Agent begins, and a * for the rest, "
                'like "Yealink SIP-T4*"'
            )
