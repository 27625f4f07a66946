"""What the columns of a table are to us: by their names in several languages, or as somebody said. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from config.card_fields import Field, label_of
from config.sentences import listed, say
from records.errors import Refused
from records.intake.rows import COLUMNS, Column, Meaning

_NAMES: Mapping[Column, tuple[str, ...]] = {
    "name": ("name", "customer", "client", "full name", "contact", "имя", "фио", "клиент", "заказчик", "ឈ្មោះ"),
    "company": ("company", "organization", "organisation", "firm", "компания", "организация", "фирма", "ក្រុមហ៊ុន"),
    "number": (
        *(
            "number",
            "numbers",
            "phone",
            "phones",
            "phone number",
            "phone numbers",
            "telephone",
            "tel",
            "mobile",
            "cell",
        ),
        *("телефон", "телефоны", "номер", "номер телефона", "мобильный", "ទូរស័ព្ទ", "លេខទូរស័ព្ទ"),
    ),
    "email": ("email", "e mail", "mail", "почта", "эл почта", "электронная почта", "អ៊ីមែល"),
    "address": ("address", "адрес", "អាសយដ្ឋាន"),
    "debt": ("debt", "balance due", "owes", "amount owed", "долг", "задолженность", "បំណុល"),
    "currency": ("currency", "валюта", "រូបិយប័ណ្ណ"),
    "manager": ("manager", "manager login", "responsible", "owner", "менеджер", "ответственный", "អ្នកគ្រប់គ្រង"),
    "external_id": ("external id", "externalid", "id", "code", "customer id", "код", "ид", "លេខកូដ"),
    "note": ("note", "notes", "comment", "comments", "remark", "примечание", "комментарий", "заметка", "ចំណាំ"),
}
_COLUMN_OF: Mapping[str, Column] = {name: column for column, names in _NAMES.items() for name in names}
_LABEL = re.compile(r"\b(mobile|work|home|office|fax|cell|main|other|business|рабочий|домашний|мобильный)\b")
_PARTS_OF_A_NAME = {
    **dict.fromkeys(("first name", "given name"), "first"),
    **dict.fromkeys(("last name", "family name", "surname", "фамилия"), "last"),
}

NOT_USED = "-"
_TARGETS: Mapping[str, Meaning] = {
    **{column: Meaning(column) for column in COLUMNS if column not in ("photo", "custom")},
    "phone": Meaning("number"),
    "first name": Meaning("name", "first"),
    "last name": Meaning("name", "last"),
}
TARGETS: Mapping[str, str] = {
    "name": say("Name"),
    "first name": say("First name"),
    "last name": say("Last name"),
    "company": say("Company"),
    "phone": say("Phone"),
    "phone:mobile": say("Phone (mobile)"),
    "phone:work": say("Phone (work)"),
    "phone:home": say("Phone (home)"),
    "phone:main": say("Phone (main)"),
    "phone:fax": say("Phone (fax)"),
    "email": say("Email"),
    "address": say("Address"),
    "debt": say("Debt"),
    "currency": say("Currency"),
    "manager": say("Manager (login)"),
    "external_id": say("Your customer id"),
    "note": say("Note"),
}
"""What a column may be said to be, and how that is called on the screen; the company's own fields besides."""

Own = Mapping[str, Field]
"""By name, the company's own fields that a column may fill: of `config.card_fields.kept_fields`."""

NONE: Own = {}


def targets(own: Own = NONE) -> dict[str, str]:
    """TARGETS and the company's own fields."""
    return {**TARGETS, **{name: label_of(name, field) for name, field in own.items()}}


def meaning(header: str, own: Own = NONE) -> Meaning | None:
    """What a column is by its name: "Work_Phone 2" is a number with the label "work".

    The company's own fields, by name or label, come before all that TARGETS are called otherwise.
    """
    words = _words(header)
    if field := _own_field(header, own):
        return Meaning("custom", field)
    label = _LABEL.search(words)
    if label and (words == label.group() or _COLUMN_OF.get(_words(_LABEL.sub(" ", words))) == "number"):
        return Meaning("number", label.group()) if words in _COLUMN_OF or words != label.group() else None
    if words in _PARTS_OF_A_NAME:
        return Meaning("name", _PARTS_OF_A_NAME[words])
    column = _COLUMN_OF.get(words) or _COLUMN_OF.get(_words(_unbracketed(header)))
    return Meaning(column) if column else None


def meanings(headers: Sequence[str], mapping: Mapping[str, str], own: Own = NONE) -> tuple[Meaning | None, ...]:
    """Of each header: what `mapping` (header -> target) says, else what its name says. Raises Refused."""
    known = {_same(header) for header in headers}
    if strangers := [header for header in mapping if _same(header) not in known]:
        raise Refused(
            say(
                "there is no column {column!r}; the columns are: {columns}",
                column=strangers[0],
                columns=", ".join(map(repr, filter(None, headers))),
            )
        )
    said = {_same(header): target_meaning(target, own) for header, target in mapping.items()}
    return tuple(said[_same(header)] if _same(header) in said else meaning(header, own) for header in headers)


def target_meaning(target: str, own: Own = NONE) -> Meaning | None:
    """Of "external_id", "phone:work", a field's name, or "-" for a column that is not to be used. Raises Refused."""
    if target.strip().casefold() in own:
        return Meaning("custom", target.strip().casefold())
    name, _, label = target.strip().casefold().partition(":")
    name = name.strip() if name.strip() in _TARGETS else name.strip().replace("_", " ")
    if name in ("", NOT_USED):
        return None
    found = _TARGETS.get(name)
    if found is None or (label and found.column != "number"):
        raise Refused(
            say(
                "{target!r} is nothing that a column can be; write one of {targets}, or -",
                target=target,
                targets=", ".join(targets(own)),
            )
        )
    return Meaning(found.column, label.strip()) if label else found


def target_of(found: Meaning | None) -> str:
    """The other way round."""
    if found is None:
        return NOT_USED
    if found.column == "custom":
        return found.label
    if found.column == "name" and found.label:
        return f"{found.label} name"
    return ("phone" if found.column == "number" else found.column) + (f":{found.label}" if found.label else "")


def no_targets(mapping: Mapping[str, str], own: Own = NONE) -> dict[str, str]:
    """Of a mapping that was kept, what no column can be any more: a field that is no longer defined."""
    found = {}
    for header, target in mapping.items():
        try:
            target_meaning(target, own)
        except Refused:
            found[header] = target
    return found


def required(headers: Sequence[str], found: Sequence[Meaning | None], file: object) -> None:
    """Raises Refused when no column can give a name, or none a number."""
    columns = {each.column for each in found if each is not None}
    named = bool(columns & {"name", "company"})
    if named and "number" in columns:
        return
    columns_found = listed(header.strip() or say("(no name)") for header in headers)
    if named:
        raise Refused(
            say(
                "{file} has no column for the phone; call it 'phone' in the first line, or say which one it is: "
                "--map 'COLUMN=phone'. The columns found are: {columns}",
                file=file,
                columns=columns_found,
            )
        )
    raise Refused(
        say(
            "{file} has no column for the name; call it 'name' in the first line, or say which one it is: "
            "--map 'COLUMN=name'. The columns found are: {columns}",
            file=file,
            columns=columns_found,
        )
    )


def _same(header: str) -> str:
    return " ".join(header.casefold().split())


def _own_field(header: str, own: Own) -> str:
    """The name of the field that is called so; empty: none is, or one of TARGETS is too."""
    if not own:
        return ""
    labels = {_letters(label_of(name, field)): name for name, field in own.items()}
    called = {**labels, **{_letters(name): name for name in own}, "": ""} | _TAKEN
    return called.get(_letters(header)) or called.get(_letters(_unbracketed(header)), "")


def _words(header: str) -> str:
    """Letters without the number at the end, which several columns of phones have."""
    return re.sub(r" ?\d+$", "", _letters(header))


def _letters(header: str) -> str:
    """Lower case, single blanks, no punctuation. Khmer marks count as letters."""
    return " ".join(re.findall(r"[\w\u1780-\u17ff]+", header.casefold().replace("_", " ")))


def _unbracketed(header: str) -> str:
    return re.sub(r"\(.*?\)", " ", header)


_TAKEN = {_letters(target): "" for target in TARGETS}
