"""The customer base as a company's CRM has it: a table of phones, written as people write numbers.

Beside what was written stands a column `digits` with an index, as only some have one. Ringcard has the same customers.
A few more are there for what a number can be like: see CASES.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lookup.answers import Number
from ringcard.phones import Dialled, Invite
from tests.bench.people import Person
from tests.company import Company

Verdict = Literal["right", "wrong", "none"]
"""What a telephone showed: a right name (or none, and that was right); another's; none where there is one."""

SPECIAL = (
    ("Chan Sophea", "012 345 678", ""),
    ("Kim Rithy", "092-345-679", ""),
    ("Noun Vanna", "+855 (0)16 777 888", ""),
    ("Lim Dara", "023 880 555", "Lim Trading"),
    ("Lim Bopha", "023 880 555", "Lim Trading"),
)
"""Name, number as written, company."""


@dataclass(frozen=True, slots=True)
class Case:
    """A caller whose number is a question. `right`: a name that may be shown; empty: none may."""

    what: str
    call: Dialled
    right: str


CASES = (
    Case("+855...", Dialled("+85512345678"), "Chan Sophea"),
    Case("855... without the plus", Dialled("85512345678"), "Chan Sophea"),
    Case("00855...", Dialled("0085512345678"), "Chan Sophea"),
    Case("national, 0...", Dialled("012345678"), "Chan Sophea"),
    Case("written with dashes in the base", Dialled("+85592345679"), "Kim Rithy"),
    Case("written as +855 (0)... in the base", Dialled("+85516777888"), "Noun Vanna"),
    Case("shared by two customers of one company", Dialled("+85523880555"), "Lim Trading"),
    Case("nobody's, with a customer's last 8 digits", Dialled("+77012345678"), ""),
    Case("nobody's short number, 888", Dialled("888"), ""),
    Case("withheld", Dialled("+85512345678", withheld="anonymous"), ""),
    Case("withheld, but known to the PBX", Dialled("+85512345678", withheld="privacy"), ""),
)


def verdict(invite: Invite, right: str) -> Verdict:
    shown = {invite.name, invite.asserted_name} - {"", "Anonymous"}
    if not shown:
        return "none" if right else "right"
    return "right" if shown == {right} else "wrong"


def written(person: Person) -> str:
    """One of five ways to write the number."""
    code, three, four = person.national[:3], person.national[3:6], person.national[6:]
    return (
        f"{code} {three} {four}",
        f"{code}-{three}-{four}",
        f"{code}{three}{four}",
        f"+855 {code[1:]} {three} {four}",
        f"00855{code[1:]}{three}{four}",
    )[person.index % 5]


def enter_special(company: Company) -> None:
    for name, number, employer in SPECIAL:
        company.customer(name, number=number, company=employer)


def make_crm(path: Path, people: Iterable[Person], read: Callable[[str], Number]) -> None:
    rows = [(person.name, written(person), person.number.removeprefix("+")) for person in people]
    rows += [(name, number, read(number).e164.removeprefix("+")) for name, number, _ in SPECIAL]
    database = sqlite3.connect(path)
    with database:
        database.execute("CREATE TABLE phones (id INTEGER PRIMARY KEY, name TEXT, number TEXT, digits TEXT)")
        database.executemany("INSERT INTO phones (name, number, digits) VALUES (?, ?, ?)", rows)
        database.execute("CREATE INDEX phones_digits ON phones (digits)")
    database.close()
