"""Entering and changing customers as people and programs write them: given values -> kept ones, or what is wrong where.

What is given is named as a form names it: columns of a customer, but `debt` for amount and currency, and the company's
own fields after `records.custom.OWN`. A value that does not change is not read, so one that does not fit may stay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from config.card_fields import Field
from config.sentences import counted, say
from records.custom import OWN, as_typed, given_value
from records.customers import (
    attach_number,
    change_customer,
    detach_number,
    detach_range,
    give_number,
    hold,
    label_number,
    new_customer,
    settle,
)
from records.errors import Refused, Unfit
from records.numbers import Reader
from records.rows import row
from records.sources.owned import refuse_of_a_source
from records.tables import Customer, NumberRange, PhoneNumber, User
from records.touched import Touched

TEXTS = {"name": 200, "company": 200, "email": 254, "address": 1000, "note": 10_000}
"""Letters that each may have. Address and note may have several lines."""

IN_LINES = ("address", "note")
LONGEST_LABEL = 40
LONGEST_NUMBER = 100
MOST_LINES = 100

MONEY = Field(type="money")


@dataclass(frozen=True, slots=True)
class Rules:
    """What somebody may give, and how it is read."""

    names: frozenset[str]  # some of TEXTS, "debt", "manager_id", "photo" and "numbers"
    own: Mapping[str, Field]
    currency: str  # of an amount that names none
    read_number: Reader


@dataclass(frozen=True, slots=True)
class Line:
    """A number, or a range, as a form has it. One that is `kept` and has no number any more goes."""

    number: str
    label: str = ""
    ext: str = ""
    kept: str = ""  # "n7" or "r7": the number or the range with this id; empty: a new one

    @property
    def is_empty(self) -> bool:
        return not (self.number or self.label or self.ext)


# --- kept -> as somebody would type it


def as_given(of: Customer, rules: Rules) -> dict[str, str]:
    """Every value that the rules let through, numbers apart."""
    debt = {"minor": of.debt_minor, "currency": of.currency}
    values = {
        **{name: getattr(of, name) for name in TEXTS},
        "photo": of.photo,
        "debt": as_typed(debt) if of.debt_minor else "",
        "manager_id": str(of.manager_id or ""),
    }
    own = of.custom if isinstance(of.custom, Mapping) else {}
    given = {name: value for name, value in values.items() if name in rules.names}
    return given | {OWN + name: as_typed(own.get(name)) for name in rules.own}


def lines_of(of: Customer) -> tuple[Line, ...]:
    return (*map(_line_of_number, of.numbers), *(Line(each.raw, each.label, "", f"r{each.id}") for each in of.ranges))


def _line_of_number(number: PhoneNumber) -> Line:
    apart = bool(number.ext and number.e164)  # else the text has the extension itself
    return Line(
        (number.e164 or "") if apart else number.raw, number.label, number.ext if apart else "", f"n{number.id}"
    )


# --- given -> kept


def enter(
    session: Session, given: Mapping[str, Any], lines: Sequence[Line], rules: Rules, by_id: int | None
) -> tuple[Customer, Touched]:
    """A new customer. Raises Unfit."""
    errors: dict[str, str] = {}
    changes = _understood(session, given, rules, None, errors)
    if "name" not in errors and not changes.get("name"):
        errors["name"] = NAMELESS
    made = new_customer(
        session, rules.read_number, **{**changes, "name": changes.get("name") or "-"}, created_by_id=by_id
    )
    for place, line in enumerate(lines):
        if not line.is_empty:
            with _errors_of(errors, f"numbers.{place}"):
                give_number(session, made, rules.read_number, _typed(line), _label(line))
    if errors:
        raise Unfit(errors)
    return made, settle(session, [made])


def edit(
    session: Session,
    customer_id: int,
    given: Mapping[str, Any],
    lines: Sequence[Line],
    rules: Rules,
    by_id: int | None,
    version: int,
) -> tuple[Customer, Touched]:
    """Changes what is given; numbers that no line names stay. Raises NotFound, Unfit, Refused (what a source gives),
    Conflict (somebody changed the customer since `version`).
    """
    customer = row(session, Customer, customer_id)
    hold(session, customer, version)
    errors: dict[str, str] = {}
    changes = _understood(session, given, rules, customer, errors)
    if "name" in changes and not changes["name"]:
        errors["name"] = NAMELESS
    if lines and "numbers" not in rules.names:
        errors["numbers"] = NOT_YOURS
    touched = Touched()
    if not errors and changes:
        touched |= change_customer(session, customer_id, changes, by_id=by_id)[1]
    kept = {line.kept: line for line in lines_of(customer)}
    for place, line in enumerate(lines if "numbers" in rules.names else ()):
        with _errors_of(errors, f"numbers.{place}"):
            touched |= _change_line(session, customer, line, kept.get(line.kept), rules, by_id)
    if errors:
        raise Unfit(errors)
    session.refresh(customer)
    return customer, touched


NOT_YOURS = say("there is no such field that you may change")
NAMELESS = say("write a name; for a company without a person the company's")


def _understood(
    session: Session, given: Mapping[str, Any], rules: Rules, of: Customer | None, errors: dict[str, str]
) -> dict[str, Any]:
    """Columns as they become; into `errors` what is wrong."""
    kept = as_given(of, rules) if of else {}
    changes: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for name, raw in given.items():
        if name not in rules.names and name.removeprefix(OWN) not in rules.own:
            errors[name] = NOT_YOURS
        elif raw != kept.get(name):
            with _errors_of(errors, name):
                if name.startswith(OWN):
                    own_name = name.removeprefix(OWN)
                    own[own_name] = given_value(rules.own[own_name], raw, rules.currency)
                else:
                    changes |= _read(session, name, raw, rules, of)
    return changes | ({"custom": own} if own else {})


def _read(session: Session, name: str, raw: Any, rules: Rules, of: Customer | None) -> dict[str, Any]:
    """Columns by what was given for one field. Raises Refused."""
    match name:
        case "debt":
            money: Any = given_value(MONEY, raw, rules.currency)
            return {"debt_minor": money["minor"], "currency": money["currency"]} if money else {"debt_minor": 0}
        case "manager_id":
            return {"manager_id": _person(session, raw, of)}
        case "photo":
            if raw and not (isinstance(raw, str) and re.fullmatch(r"[0-9a-f]{64}", raw)):
                raise Refused(say("there is no such picture; choose it again"))
            return {"photo": raw or ""}
        case _:
            return {name: _text(name, raw)}


def _text(name: str, raw: Any) -> str:
    if not isinstance(raw, str | None):
        raise Refused(say("write a text"))
    text = plain(raw or "", name in IN_LINES)
    if len(text) > TEXTS[name]:
        raise Refused(
            counted(
                "this has {n} letter; at most {most} can be kept",
                "this has {n} letters; at most {most} can be kept",
                len(text),
                most=TEXTS[name],
            )
        )
    if name == "email" and text and not re.fullmatch(r"[^\s@]+@[^\s@]+", text):
        raise Refused(say("{text!r} is no e-mail address; write one like name@example.com", text=text))
    return text


def plain(text: str, in_lines: bool = False) -> str:
    """Without what cannot be seen; joiners of Khmer and Arabic letters stay, and whatever a table might take for a
    formula is a text like any other."""
    text = re.sub(r"\r\n?", "\n", text)
    text = text.replace("\t", " ") if in_lines else re.sub(r"\s+", " ", text)
    return "".join(char for char in text if char.isprintable() or char in "\n\u200c\u200d\u00a0\u202f").strip()


def _person(session: Session, raw: Any, of: Customer | None) -> int | None:
    if raw is None or raw == "":
        return None
    if isinstance(raw, bool) or not isinstance(raw, int | str) or not re.fullmatch(r"[0-9]{1,9}", str(raw)):
        raise Refused(say("choose a person, or nobody"))
    person = session.get(User, int(raw))
    if person is None:
        raise Refused(say("this person is gone; choose another"))
    if not person.active and not (of and of.manager_id == person.id):
        raise Refused(say("{person} does not work here any more; choose another", person=person.name))
    return person.id


def _change_line(
    session: Session, customer: Customer, line: Line, before: Line | None, rules: Rules, by_id: int | None
) -> Touched:
    if before and (line.number, line.ext) == (before.number, before.ext):
        if line.label == before.label:
            return Touched()
        return label_number(session, _row_of(session, before), _label(line), by_id)
    if not line.number and (line.kept or line.is_empty):
        return _take_away(session, customer.id, before, by_id) if before else Touched()
    refuse_of_a_source(session, customer, {"numbers"})
    typed, label = _typed(line), _label(line)  # before anything is taken away
    touched = _take_away(session, customer.id, before, by_id) if before else Touched()
    return touched | attach_number(session, rules.read_number, customer.id, typed, label, by_id)


def _row_of(session: Session, line: Line) -> PhoneNumber | NumberRange:
    kind: type[PhoneNumber | NumberRange] = PhoneNumber if line.kept[0] == "n" else NumberRange
    return row(session, kind, int(line.kept[1:]))


def _take_away(session: Session, customer_id: int, line: Line, by_id: int | None) -> Touched:
    detach = detach_number if line.kept[0] == "n" else detach_range
    return detach(session, customer_id, int(line.kept[1:]), by_id)


def _typed(line: Line) -> str:
    """Number and extension as one text, as it is kept. Raises Refused."""
    number, ext = plain(line.number), plain(line.ext)
    if not number:
        raise Refused(say("write the number, or leave the whole line empty"))
    if len(number) > LONGEST_NUMBER:
        raise Refused(say("this is longer than any number"))
    if ext and not re.fullmatch(r"[0-9]{1,7}", ext):
        raise Refused(say("{ext!r} is no extension; write up to seven digits", ext=ext))
    return f"{number} ext. {ext}" if ext else number


def _label(line: Line) -> str:
    label = plain(line.label)
    if len(label) > LONGEST_LABEL:
        raise Refused(
            counted(
                "the label has {n} letter; at most {most} can be kept",
                "the label has {n} letters; at most {most} can be kept",
                len(label),
                most=LONGEST_LABEL,
            )
        )
    return label


class _errors_of:
    """What is refused within goes to `errors`, under this name, and the next field is read."""

    def __init__(self, errors: dict[str, str], name: str) -> None:
        self._errors, self._name = errors, name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, exc: BaseException | None, trace: Any) -> bool:
        if isinstance(exc, Refused):
            self._errors[self._name] = str(exc)
            return True
        return False
