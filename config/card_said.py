"""What an administrator said of the card's fields, over what the settings say: values and how the two go together.

Only what is other than in the settings is said, so a field that nobody touched follows the file. What a query asks is
said in the settings alone: it is code, and needs a secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from config.card_fields import (
    BUILT_IN,
    ROLES,
    Field,
    FieldType,
    faults_of_field,
    in_order,
    is_editable,
    is_kept,
    is_maskable,
    label_of,
)
from config.sentences import say

LONGEST_LABEL, LONGEST_CHOICE, LONGEST_DEFAULT = 60, 200, 200
MOST_FIELDS, MOST_CHOICES = 100, 200


@dataclass(frozen=True, slots=True)
class FieldSaid:
    """Of one field; None: as the settings have it. `type` is that of a field which they do not have, and always said of
    such a one."""

    label: str | None = None
    type: FieldType | None = None
    default: str | None = None
    choices: tuple[str, ...] | None = None
    roles: tuple[str, ...] | None = None
    masked: tuple[str, ...] | None = None
    edits: tuple[str, ...] | None = None

    @property
    def keys(self) -> dict[str, Any]:
        said = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in said.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Said:
    """Of the whole card. `order`: names in their order; empty: that of the settings."""

    order: tuple[str, ...] = ()
    fields: Mapping[str, FieldSaid] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Given:
    """One field as somebody gives it, whole. None: as the settings have it, or as a new field begins."""

    name: str
    said: FieldSaid = field(default_factory=FieldSaid)


def over(file: Mapping[str, Field], said: Said) -> dict[str, Field]:
    """The fields of the settings with what was said of them, each in its place. What cannot be any more, as after a
    change of the file, is as if it had not been said; but who does not see a field does not see it then either."""
    fields = dict(file)
    for name, of in said.fields.items():
        if merged := _merged(name, file, of):
            fields[name] = merged
    if not said.order:
        return fields
    ordered = _arranged([name for name, _ in in_order(fields)], said.order)
    return {name: replace(fields.get(name, Field()), order=place) for place, name in enumerate(ordered, 1)}


def said_by(file: Mapping[str, Field], given: Sequence[Given]) -> tuple[Said, dict[str, str]]:
    """What these fields, in this order, say beside the settings; and what is wrong, by the names of fields."""
    errors: dict[str, str] = {}
    fields: dict[str, FieldSaid] = {}
    seen: set[str] = set()
    for one in given:
        problem = say("there are two fields {name}", name=one.name) if one.name in seen else _problem(one, file)
        seen.add(one.name)
        if problem:
            errors[one.name] = problem
        unlike = _unlike(file.get(one.name, Field()), one)
        if one.name not in file and one.name not in BUILT_IN:
            unlike = replace(unlike, type=one.said.type or Field().type)
        if unlike.keys:
            fields[one.name] = unlike
    if len(fields) > MOST_FIELDS:
        errors["fields"] = say("at most {most} fields can be on a card", most=MOST_FIELDS)
    order = tuple(one.name for one in given)
    usual = tuple(name for name, _ in in_order(file))
    return Said(() if order == usual else order, fields), errors


def given_of(file: Mapping[str, Field], said: Said) -> list[Given]:
    """The whole card in its order, as it would be given to be said again."""
    return [Given(name, whole(name, one)) for name, one in in_order(over(file, said))]


def whole(name: str, of: Field) -> FieldSaid:
    """All that can be said of a field, as it is."""
    kept, built_in = is_kept(name, of), name in BUILT_IN
    return FieldSaid(
        label=label_of(name, of),
        type=None if built_in else of.type,
        default=None if built_in else of.default,
        choices=of.choices if kept else None,
        roles=of.roles,
        masked=of.masked if is_maskable(name) else None,
        edits=of.edits if is_editable(name, of) else None,
    )


def together(base: Said, mine: Said, theirs: Said) -> tuple[Said, frozenset[str]]:
    """What two people said who both began with `base`, and the names of the fields that both changed otherwise; of
    these, and of the order, mine is taken. What one took away and the other changed stays as that one has it.
    """
    nothing = FieldSaid()
    fields: dict[str, FieldSaid] = {}
    clashes: set[str] = set()
    for name in {**theirs.fields, **mine.fields}:
        was, my, their = (of.fields.get(name) for of in (base, mine, theirs))
        if was and not (my and their):
            stays = my or their
            if stays and stays != was:
                fields[name] = stays
            continue
        fields[name], clash = _key_by_key(was or nothing, my or nothing, their or nothing)
        clashes |= {name} if clash else set()
    return Said(theirs.order if mine.order == base.order else mine.order, fields), frozenset(clashes)


def _key_by_key(was: FieldSaid, my: FieldSaid, their: FieldSaid) -> tuple[FieldSaid, bool]:
    """Of one field; and whether one key was changed to two things."""
    taken, clash = {}, False
    for key in FieldSaid.__slots__:
        before, one, other = (getattr(of, key) for of in (was, my, their))
        taken[key] = other if one == before else one
        clash |= before not in (one, other) and one != other
    return FieldSaid(**taken), clash


def _merged(name: str, file: Mapping[str, Field], of: FieldSaid) -> Field | None:
    """As much of it as can be; None: there is no such field any more."""
    keys, base = of.keys, file.get(name, Field())
    if name in file or name in BUILT_IN:
        keys.pop("type", None)
    elif of.type is None:
        return None  # it was of the settings, and they gave it up
    for lacking in ((), ("default", "choices"), ("default", "choices", "label", "edits")):
        merged = replace(base, **{key: value for key, value in keys.items() if key not in lacking})
        if not _faults(name, merged):
            return merged
    return replace(base, roles=()) if name in file or name in BUILT_IN else None


def _faults(name: str, merged: Field) -> list[str]:
    bare = replace(merged, source="")  # its query was looked at with the settings
    if merged.source:
        bare = replace(bare, edits=ROLES)
    return list(faults_of_field(name, bare, {}))


def _unlike(base: Field, one: Given) -> FieldSaid:
    """What is given and other than in the base; sets of roles are the same in any order."""
    said = {name: value for name, value in one.said.keys.items() if value != getattr(base, name)}
    label = said.get("label")
    if label is not None and label == label_of(one.name, base):
        del said["label"]
    for key in ("roles", "masked", "edits"):
        if key in said and set(said[key]) == set(getattr(base, key)):
            del said[key]
    return FieldSaid(**said)


def _arranged(usual: Sequence[str], order: Sequence[str]) -> list[str]:
    """As said; a field that was not there then stands after the one that it usually stands after."""
    known = set(usual)
    ordered = [name for name in order if name in known]
    before: str | None = None
    for name in usual:
        if name not in ordered:
            ordered.insert(ordered.index(before) + 1 if before else 0, name)
        before = name
    return ordered


def _problems_of_choices(choices: Sequence[str]) -> Iterator[str]:
    if len(choices) > MOST_CHOICES or any(len(choice) > LONGEST_CHOICE for choice in choices):
        yield say("at most {most} choices of at most {letters} letters", most=MOST_CHOICES, letters=LONGEST_CHOICE)
    if len({choice.casefold() for choice in choices}) < len(choices):
        yield say("two choices are the same")


def _problem(one: Given, file: Mapping[str, Field]) -> str:
    """In words for who has the page before them."""
    return next(_problems(one, file), "")


def _problems(one: Given, file: Mapping[str, Field]) -> Iterator[str]:
    said, base = one.said, file.get(one.name, Field())
    merged = replace(base, **said.keys)
    is_new = one.name not in file and one.name not in BUILT_IN
    if said.type is not None and not is_new and said.type != base.type:
        yield say("its type is said in the settings; it cannot be changed here")
    if said.choices is not None and said.choices != base.choices and not is_kept(one.name, base):
        yield say("only a field whose values are kept with the customer has choices")
    if said.default and one.name in BUILT_IN:
        yield say("a built-in field has no default")
    if said.label != label_of(one.name, base) and len(merged.label) > LONGEST_LABEL:
        yield say("the label has more than {most} letters; write a shorter one", most=LONGEST_LABEL)
    if merged.default != base.default and len(merged.default) > LONGEST_DEFAULT:
        yield say("the default has more than {most} letters; write a shorter one", most=LONGEST_DEFAULT)
    if merged.choices != base.choices:
        yield from _problems_of_choices(merged.choices)
    if merged.type == "choice" and not merged.choices:
        yield say("a choice needs something to choose from; write one on each line")
    if merged.masked and not is_maskable(one.name):
        yield say("this field is seen or not; it cannot be masked")
    if said.edits is not None and set(said.edits) != set(base.edits) and not is_editable(one.name, base):
        yield say("nobody changes its values here")
    yield from _faults(one.name, merged)
