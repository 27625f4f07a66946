"""What the columns of a table are to us: by their names in several languages, or as somebody said. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

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
    **{column: Meaning(column) for column in COLUMNS if column != "photo"},
    "phone": Meaning("number"),
    "first name": Meaning("name", "first"),
    "last name": Meaning("name", "last"),
}
LABELS = ("mobile", "work", "home", "main", "fax")
TARGETS: Mapping[str, str] = {
    "name": "Name",
    "first name": "First name",
    "last name": "Last name",
    "company": "Company",
    "phone": "Phone",
    **{f"phone:{label}": f"Phone ({label})" for label in LABELS},
    "email": "Email",
    "address": "Address",
    "debt": "Debt",
    "currency": "Currency",
    "manager": "Manager (login)",
    "external_id": "Your customer id",
    "note": "Note",
}
"""What a column may be said to be, and how that is called on the screen."""


def meaning(header: str) -> Meaning | None:
    """What a column is by its name: "Work_Phone 2" is a number with the label "work"."""
    words = _words(header)
    label = _LABEL.search(words)
    if label and (words == label.group() or _COLUMN_OF.get(_words(_LABEL.sub(" ", words))) == "number"):
        return Meaning("number", label.group()) if words in _COLUMN_OF or words != label.group() else None
    if words in _PARTS_OF_A_NAME:
        return Meaning("name", _PARTS_OF_A_NAME[words])
    column = _COLUMN_OF.get(words) or _COLUMN_OF.get(_words(re.sub(r"\(.*?\)", " ", header)))
    return Meaning(column) if column else None


def meanings(headers: Sequence[str], mapping: Mapping[str, str]) -> tuple[Meaning | None, ...]:
    """Of each header: what `mapping` (header -> target) says, else what its name says. Raises Refused."""
    known = {_same(header) for header in headers}
    if strangers := [header for header in mapping if _same(header) not in known]:
        raise Refused(
            f"there is no column {strangers[0]!r}; the columns are: {', '.join(map(repr, filter(None, headers)))}"
        )
    said = {_same(header): target_meaning(target) for header, target in mapping.items()}
    return tuple(said[_same(header)] if _same(header) in said else meaning(header) for header in headers)


def target_meaning(target: str) -> Meaning | None:
    """Of "external_id", "phone:work", or "-" for a column that is not to be used. Raises Refused."""
    name, _, label = target.strip().casefold().partition(":")
    name = name.strip() if name.strip() in _TARGETS else name.strip().replace("_", " ")
    if name in ("", NOT_USED):
        return None
    found = _TARGETS.get(name)
    if found is None or (label and found.column != "number"):
        raise Refused(f"{target!r} is nothing that a column can be; write one of {', '.join(TARGETS)}, or -")
    return Meaning(found.column, label.strip()) if label else found


def target_of(found: Meaning | None) -> str:
    """The other way round."""
    if found is None:
        return NOT_USED
    if found.column == "name" and found.label:
        return f"{found.label} name"
    return ("phone" if found.column == "number" else found.column) + (f":{found.label}" if found.label else "")


def required(headers: Sequence[str], found: Sequence[Meaning | None], file: object) -> None:
    """Raises Refused when no column can give a name, or none a number."""
    columns = {each.column for each in found if each is not None}
    named = bool(columns & {"name", "company"})
    if named and "number" in columns:
        return
    what = "phone" if named else "name"
    raise Refused(
        f"{file} has no column for the {what}; call it {what!r} in the first line, or say which one it is: "
        f"--map 'COLUMN={what}'. The columns found are: "
        f"{', '.join(header.strip() or '(no name)' for header in headers)}"
    )


def _same(header: str) -> str:
    return " ".join(header.casefold().split())


def _words(header: str) -> str:
    """Lower case, single blanks, no punctuation and no number at the end. Khmer marks count as letters."""
    return re.sub(r" ?\d+$", "", " ".join(re.findall(r"[\w\u1780-\u17ff]+", header.casefold().replace("_", " "))))
