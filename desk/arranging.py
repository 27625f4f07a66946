"""The page that says which fields a card has, as values: the form that was sent, what its buttons do, how a field looks
on it, and what was changed from one time to the next. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from config.card_fields import BUILT_IN, ROLES, Field, FieldType, is_editable, is_kept, is_maskable, label_of
from config.card_said import FieldSaid, Given, Said, over, whole
from config.sentences import listed, say
from desk.people import join

TYPES: Mapping[FieldType, str] = {
    "text": say("text"),
    "number": say("number"),
    "money": say("money"),
    "date": say("date"),
    "yes/no": say("yes/no"),
    "link": say("link"),
    "choice": say("choice"),
}
"""The types of a field, and what they are called."""

SIGHTS = ("all", "masked", "no")
CALLED: Mapping[str, str] = {
    "label": say("its label"),
    "type": say("its type"),
    "default": say("its default"),
    "choices": say("its choices"),
    "roles": say("who sees it"),
    "masked": say("from whom it is masked"),
    "edits": say("who may change its values"),
}
UNNAMED: Mapping[str, str] = {"company": say("Company"), "note": say("Note")}
"""What the built-in fields are called here that stand on a card without a label."""


@dataclass(frozen=True, slots=True)
class Role:
    """What a role is called, one person of it and several."""

    one: str
    many: str


CALLED_ROLES: Mapping[str, Role] = {
    "agent": Role(say("Agent"), say("agents")),
    "supervisor": Role(say("Supervisor"), say("supervisors")),
    "administrator": Role(say("Administrator"), say("administrators")),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One field on the page."""

    name: str
    title: str
    said: FieldSaid  # whole, as typed
    of: str  # "built-in" | "settings" | "page"
    source: str  # the query that gives it; empty: none
    is_said: bool  # something is other than in the settings
    problem: str = ""

    @property
    def sees(self) -> Mapping[str, str]:
        masked = self.said.masked or ()
        return {
            role: "no" if role not in (self.said.roles or ()) else "masked" if role in masked else "all"
            for role in ROLES
        }

    @property
    def maskable(self) -> bool:
        return is_maskable(self.name)

    @property
    def summary(self) -> list[str]:
        """Who does not see all of it, in a few words."""
        sees = self.sees
        if all(sight == "no" for sight in sees.values()):
            return [say("on no card")]
        masked, no = ([CALLED_ROLES[role].many for role in ROLES if sees[role] == sight] for sight in ("masked", "no"))
        found: list[str] = []
        if masked:
            found.append(say("masked from {roles}", roles=join(masked)))
        if no:
            found.append(say("not for {roles}", roles=join(no)))
        return found


def rows(file: Mapping[str, Field], given: Sequence[Given], errors: Mapping[str, str]) -> list[Row]:
    """Of two that are called the same each says its name too."""
    found = [_row(file, one, errors.get(one.name, "")) for one in given]
    often = Counter(row.title for row in found)
    return [
        replace(row, title=say("{title} ({name})", title=row.title, name=row.name)) if often[row.title] > 1 else row
        for row in found
    ]


def read_form(
    sent: Iterable[tuple[str, str]], file: Mapping[str, Field], put: Callable[[str], str] = str
) -> list[Given]:
    """The fields in the order in which they stand in the form; a name that cannot be one is left out.

    `put`: into the language of the form. A built-in label that nobody touched is taken as what it is in every language.
    """
    pairs = list(sent)
    typed = dict(pairs)
    names = [value for key, value in pairs if key == "name" and re.fullmatch(r"[a-z][a-z0-9_]{0,59}", value)]
    return [Given(name, _typed(name, typed, file.get(name, Field()), put)) for name in dict.fromkeys(names)]


def pressed(given: Sequence[Given], file: Mapping[str, Field], button: str) -> list[Given]:
    """What a button of the form does with its fields: `up:NAME`, `down:NAME`, `remove:NAME`, `file:NAME`."""
    what, _, name = button.partition(":")
    now = list(given)
    place = next((at for at, one in enumerate(now) if one.name == name), None)
    if place is None:
        return now
    if what in ("up", "down"):
        other = max(0, min(len(now) - 1, place + (1 if what == "down" else -1)))
        now[place], now[other] = now[other], now[place]
    elif what == "remove" and name not in file and name not in BUILT_IN:
        del now[place]
    elif what == "file":
        now[place] = Given(name, whole(name, file.get(name, Field())))
    return now


def added(given: Sequence[Given], label: str, kind: str) -> list[Given]:
    """With one more field, called so; its name is made of the label where that has letters for one."""
    taken = {one.name for one in given}
    base = re.sub(r"[^a-z0-9]+", "_", label.casefold()).strip("_")[:40]
    base = base if re.match("[a-z]", base) else "field"
    name = next(name for name in (base, *(f"{base}_{at}" for at in range(2, 1000))) if name not in taken)
    as_type = next((one for one in TYPES if one == kind), Field().type)
    return [*given, Given(name, replace(whole(name, Field(type=as_type)), label=label))]


def changes(file: Mapping[str, Field], before: Said, after: Said) -> list[str]:
    """What is other after than before, a short text each."""
    was, now = over(file, before), over(file, after)
    found: list[str] = []
    for name in {**before.fields, **after.fields}:
        called = label_of(name, now.get(name) or was.get(name) or Field()) or UNNAMED.get(name, name)
        own = name not in file and name not in BUILT_IN
        if own and name not in before.fields:
            found.append(say("{field}: new", field=called))
        elif own and name not in after.fields:
            found.append(say("{field}: taken away", field=called))
        else:
            old, new = (of.get(name, FieldSaid()) for of in (before.fields, after.fields))
            if keys := [words for key, words in CALLED.items() if getattr(old, key) != getattr(new, key)]:
                found.append(say("{field}: {what}", field=called, what=listed(keys)))
    return [*found, say("the order")] if before.order != after.order else found


def _row(file: Mapping[str, Field], one: Given, problem: str) -> Row:
    base = file.get(one.name, Field())
    built_in = one.name in BUILT_IN
    label = one.said.label if one.said.label is not None else label_of(one.name, base)
    of = "built-in" if built_in else "settings" if one.name in file else "page"
    is_said = of != "page" and not _same(one.said, whole(one.name, base))
    return Row(one.name, label or UNNAMED.get(one.name, one.name), _full(one, base), of, base.source, is_said, problem)


def _full(one: Given, base: Field) -> FieldSaid:
    every = whole(one.name, base)
    return replace(every, **one.said.keys)


def _same(said: FieldSaid, other: FieldSaid) -> bool:
    keys = ("roles", "masked", "edits")
    alike = all(getattr(said, key) is None or set(getattr(said, key)) == set(getattr(other, key) or ()) for key in keys)
    rest = {key: value for key, value in said.keys.items() if key not in keys}
    return alike and all(value == getattr(other, key) for key, value in rest.items())


def _typed(name: str, typed: Mapping[str, str], base: Field, put: Callable[[str], str]) -> FieldSaid:
    built_in = name in BUILT_IN
    sees = {role: typed.get(f"sees.{name}.{role}", "all") for role in ROLES}
    kept = is_kept(name, base)
    lines = [line.strip() for line in typed.get(f"choices.{name}", "").splitlines()]
    kind = next((one for one in TYPES if one == typed.get(f"type.{name}")), base.type)
    label, usual = typed.get(f"label.{name}", "").strip(), label_of(name, base)
    return FieldSaid(
        label=usual if label == put(usual) else label,
        type=None if built_in else kind,
        default=None if built_in else typed.get(f"default.{name}", "").strip(),
        choices=tuple(line for line in lines if line and kind == "choice") if kept else None,
        roles=tuple(role for role in ROLES if sees[role] != "no"),
        masked=tuple(role for role in ROLES if sees[role] == "masked") if is_maskable(name) else None,
        edits=tuple(role for role in ROLES if typed.get(f"edits.{name}.{role}")) if is_editable(name, base) else None,
    )
