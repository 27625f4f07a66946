"""What a row means, and what is to be done about it: pure rules over values, the same for every source.

A row of a file is theirs who has its external id; else theirs who has one of its numbers, and the same name where
several do. The same rows again change nothing. Nothing is ever removed: an empty cell leaves what is there.

A row of a source (`records.sources`) is theirs who has its external id there, and what it says is how it is: what is
empty is emptied, and numbers that it does not name go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import msgspec
import orjson

from config.card_fields import Field
from config.sentences import say
from records.custom import OWN, read_value
from records.errors import RecordsError
from records.intake.rows import Cell, Column, Row
from records.money import to_minor
from records.numbers import Reader
from records.ranges import is_range, span_of, why_not

FIELDS = (
    "external_id",
    "name",
    "company",
    "email",
    "address",
    "note",
    "photo",
    "debt_minor",
    "currency",
    "manager_id",
)
"""Of a customer, what rows can set; columns of the table, in an order for good."""

EMPTY: Mapping[str, Any] = {"external_id": None, "debt_minor": 0, "manager_id": None}
TEXTS: tuple[Column, ...] = ("company", "email", "address", "note", "external_id")


class Problem(Exception):
    """What is wrong with one row."""

    def __init__(self, column: Column | None, message: str, header: str = "") -> None:
        super().__init__(message)
        self.column, self.header = column, header


class Number(msgspec.Struct, frozen=True, array_like=True):
    """A number as it is stored; or a range of numbers, whose match_keys begin with this one and go on as open."""

    raw: str
    label: str
    e164: str
    match_key: str
    tail: str
    ext: str
    rules: int
    open_digits: int = 0  # of a range, which has neither e164, tail nor ext

    @property
    def key(self) -> str:
        """What makes it the same phone: numbers that could not be read are the same when typed alike."""
        return (self.match_key or self.raw) + "x" * self.open_digits


class Wanted(msgspec.Struct, frozen=True, array_like=True):
    """A row as understood."""

    row: int
    fields: dict[str, Any]  # of FIELDS, with `name`, and OWN ones; only those that the row has
    numbers: tuple[Number, ...]  # none twice
    unread: tuple[str, ...] = ()  # fields that the row has and that could not be read

    @property
    def name(self) -> str:
        return str(self.fields["name"])


class Owner(msgspec.Struct, eq=False):
    """A customer as known so far. `id` 0: not written yet.

    One who was merged into another is an owner too, of an id below 0: with what was last told of them, so that what a
    row says otherwise is found, and with the customer it then goes on to. Only a row with their id or their name
    means them.
    """

    id: int
    fields: dict[str, Any]  # all of FIELDS, and OWN ones that have a value
    numbers: list[Number]
    merged_into: int = 0  # id of a customer; 0: nobody

    @property
    def customer_id(self) -> int:
        """Whose page shows it."""
        return self.merged_into or self.id

    @property
    def external_id(self) -> str | None:
        found: str | None = self.fields["external_id"]
        return found

    @property
    def name(self) -> str:
        return str(self.fields["name"])


# --- Row -> Wanted


@dataclass(frozen=True, slots=True)
class Understanding:
    """How rows are understood: what they do not say themselves. Raises Problem for a row that cannot be taken."""

    read_number: Reader
    logins: Mapping[str, int]
    currency: str = "USD"  # of rows that name none
    store_photo: Callable[[bytes], str] | None = None  # its name in the store; raises Refused
    own_phones: Set[str] = frozenset()  # of the company's own people, by name and match_key
    own_fields: Mapping[str, Field] = field(default_factory=dict)  # by name, those kept with the customer

    def __call__(self, row: Row) -> Wanted:
        wanted, problems = self.as_far_as_it_goes(row)
        if wanted and not wanted.numbers and not any(problem.column == "number" for problem in problems):
            said = say("{name} has no phone number; write one, best with + and the country code", name=wanted.name)
            raise Problem("number", said, row.header("number"))
        if problems or not wanted:
            raise problems[0]
        return wanted

    def as_far_as_it_goes(self, row: Row) -> tuple[Wanted | None, list[Problem]]:
        """What can be understood, and all that cannot. None: not even whom it means. It may have no number."""
        if row.problem:
            return None, [Problem(None, row.problem)]
        name = row.name()
        if not name:
            return None, [Problem("name", say("has no name; write one, or the company's"), row.header("name"))]
        read, problems = self._numbers(row)
        numbers: dict[tuple[str, str], Number] = {}
        for number in read:
            numbers.setdefault((number.key, number.ext), number)
        fields: dict[str, Any] = {column: text for column in TEXTS if (text := row.text(column))}
        unread = []
        for field_name, reading in (
            ("currency", self._currency),
            ("debt_minor", self._debt),
            ("manager_id", self._manager),
            ("photo", self._photo),
        ):
            try:
                value = reading(row)
            except Problem as problem:
                problems.append(problem)
                unread.append(field_name)
            else:
                fields |= {} if value is None else {field_name: value}
        for cell in self._own_cells(row):
            try:
                value = self._own(cell, row)
            except Problem as problem:
                problems.append(problem)
                unread.append(OWN + cell.label)
            else:
                fields |= {} if value is None else {OWN + cell.label: value}
        return Wanted(row.number, {"name": name, **fields}, tuple(numbers.values()), tuple(unread)), problems

    def _own_cells(self, row: Row) -> Iterator[Cell]:
        """Of several columns for one field, the first with something in it."""
        seen = set()
        for cell in row.cells.get("custom", ()):
            if cell.text and cell.label not in seen:
                seen.add(cell.label)
                yield cell

    def _own(self, cell: Cell, row: Row) -> Any:
        where = cell.header or cell.label
        if cell.label not in self.own_fields:
            raise Problem(
                "custom", say("there is no field {label!r} in the settings; define it", label=cell.label), where
            )
        try:
            return read_value(self.own_fields[cell.label], cell.text, row.text("currency").upper() or self.currency)
        except RecordsError as exc:
            raise Problem("custom", str(exc), where) from exc

    def _currency(self, row: Row) -> str | None:
        currency = row.text("currency").upper()
        if currency and not re.fullmatch(r"[A-Z]{3}", currency):
            said = say("{currency!r} is no currency; write its three letters, like USD", currency=currency)
            raise Problem("currency", said, row.header("currency"))
        return currency or None

    def _debt(self, row: Row) -> int | None:
        if not row.text("debt"):
            return None
        try:
            return to_minor(row.text("debt"), row.text("currency").upper() or self.currency)
        except RecordsError as exc:
            raise Problem("debt", str(exc), row.header("debt")) from exc

    def _manager(self, row: Row) -> int | None:
        login = row.text("manager").casefold()
        if login and login not in self.logins:
            said = say("nobody has the login {login!r}; add them first, or leave the cell empty", login=login)
            raise Problem("manager", said, row.header("manager"))
        return self.logins[login] if login else None

    def _photo(self, row: Row) -> str | None:
        if not row.photo or self.store_photo is None:
            return None
        try:
            return self.store_photo(row.photo)
        except RecordsError as exc:
            raise Problem("photo", str(exc), row.header("photo")) from exc

    def _numbers(self, row: Row) -> tuple[list[Number], list[Problem]]:
        found: list[Number] = []
        problems: list[Problem] = []
        for cell in row.cells.get("number", ()):
            try:
                texts = self._split(_bare(cell))
            except Problem as problem:
                problems.append(problem)
                continue
            for text in texts:
                try:
                    found.append(self._range(text, cell.label) if is_range(text) else self._number(text, cell.label))
                except ValueError as exc:
                    problems.append(Problem("number", str(exc), cell.header))
        return found, problems

    def _number(self, text: str, label: str) -> Number:
        read = self.read_number(text)
        if not (read.match_key or read.tail):
            raise ValueError(
                say("{text!r} cannot be read; write the whole number, best with + and the country", text=text)
            )
        if read.own:
            raise ValueError(
                say("{text!r} is a line of your own company; a customer needs one of their own", text=text)
            )
        if {text, read.match_key} & self.own_phones:
            raise ValueError(
                say("{text!r} is a phone of your own people; a customer needs one of their own", text=text)
            )
        return Number(text, label, read.e164, read.match_key, read.tail, read.ext, read.rules)

    def _range(self, text: str, label: str) -> Number:
        span = span_of(text, self.read_number)
        if span is None:
            raise ValueError(why_not(text, self.read_number))
        prefix, open_digits = span
        return Number(text, label, "", prefix, "", "", self.read_number("").rules, open_digits)

    def _split(self, cell: str) -> list[str]:
        """A cell that is one number stays whole ("012/555/025"), or one range; else it holds several."""
        if not cell or self.read_number(cell).match_key or span_of(cell, self.read_number):
            return [cell] if cell else []
        return [part.strip() for part in re.split(r"[,;/|\n]", cell) if part.strip()]


_QUOTED = re.compile(r'^="(.*)"$')
_ROUNDED = re.compile(r"\d[.,]\d+E\+\d+", re.IGNORECASE)


def _bare(cell: Cell) -> str:
    """Without what people write so that a spreadsheet leaves the digits alone: '012345678 and ="012345678"."""
    text = _QUOTED.sub(r"\1", cell.text).lstrip("'").strip()
    if _ROUNDED.fullmatch(text):
        raise Problem(
            "number",
            say("{text!r} is what a spreadsheet made of a number; format the column as text, fill it anew", text=text),
            cell.header,
        )
    return text


# --- Wanted and who is known -> what to do


@dataclass(slots=True)
class Change:
    """What some rows change of a customer who was there."""

    owner: Owner
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    numbers: list[Number] = field(default_factory=list)  # new ones
    gone: list[Number] = field(default_factory=list)


@dataclass(slots=True)
class Plan:
    """What to do about a batch of rows."""

    added: list[Owner] = field(default_factory=list)
    changes: dict[Owner, Change] = field(default_factory=dict)
    claimed: dict[Owner, int] = field(default_factory=dict)  # the row that was theirs
    problems: list[tuple[int, Problem]] = field(default_factory=list)
    changed: int = 0  # rows
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A source whose rows say how its customers are."""

    source: str
    owned: frozenset[str]  # of FIELDS, those that it gives; the others are ours, and so is what it does not know of


def mirror(
    wanted: Iterable[Wanted], owners: Iterable[Owner], claimed: frozenset[int], mirrored: Mirrored, currency: str
) -> Plan:
    """What to do so that the customers of a source are as these rows say. The rest is as with `plan`."""
    made = Plan()
    by_id = {owner.external_id: owner for owner in owners}
    for one in wanted:
        external_id = str(one.fields["external_id"])
        owner = by_id.get(external_id)
        if owner is None:
            fields = {name: EMPTY.get(name, "") for name in FIELDS} | {"currency": currency} | one.fields
            owner = by_id[external_id] = Owner(0, fields, [*one.numbers])
            made.added.append(owner)
        elif owner in made.claimed or owner.id in claimed:
            said = say(
                "{external_id!r} was in an earlier row; rows of one customer must follow each other",
                external_id=external_id,
            )
            made.problems.append((one.row, Problem("external_id", said)))
            continue
        elif change := _difference(owner, one, mirrored.owned - set(one.unread)):
            made.changes[owner] = change
            made.changed += 1
        else:
            made.unchanged += 1
        made.claimed[owner] = one.row
    return made


def _difference(owner: Owner, one: Wanted, owned: Iterable[str]) -> Change | None:
    should = {name: one.fields.get(name, _empty(name)) for name in owned if name != "currency"}
    if "currency" in owned and "currency" in one.fields:
        should["currency"] = one.fields["currency"]
    after = {name: value for name, value in should.items() if value != owner.fields.get(name)}
    has = {(number.raw, number.label) for number in owner.numbers}
    named = {(number.raw, number.label) for number in one.numbers}
    numbers = [number for number in one.numbers if (number.raw, number.label) not in has]
    gone = [number for number in owner.numbers if (number.raw, number.label) not in named]
    if not after and not numbers and not gone:
        return None
    before = {name: owner.fields.get(name) for name in after}
    owner.fields |= after
    owner.numbers = [number for number in owner.numbers if number not in gone] + numbers
    return Change(owner, before, after, numbers, gone)


def _empty(name: str) -> Any:
    return None if name.startswith(OWN) else EMPTY.get(name, "")


def plan(wanted: Iterable[Wanted], owners: Iterable[Owner], claimed: frozenset[int], currency: str) -> Plan:
    """What to do about these rows. `owners` is everybody whom they may mean, by id; they are changed in it as planned.

    `claimed` are ids of customers that earlier rows of the same file were. `currency` is of new customers whose row
    names none.
    """
    return _Planning(owners, claimed, currency).done(wanted)


class _Planning:
    def __init__(self, owners: Iterable[Owner], claimed: frozenset[int], currency: str) -> None:
        self._plan = Plan()
        self._claimed, self._currency = claimed, currency
        self._new_ones: set[Owner] = set()
        self._by_id: dict[str, Owner] = {}
        self._by_key: dict[str, list[Owner]] = {}
        for owner in owners:
            self._learn(owner)

    def done(self, wanted: Iterable[Wanted]) -> Plan:
        for one in wanted:
            try:
                self._put(one)
            except Problem as problem:
                self._plan.problems.append((one.row, problem))
        return self._plan

    def _learn(self, owner: Owner) -> None:
        if owner.external_id:
            self._by_id[owner.external_id] = owner
        for number in owner.numbers:
            known = self._by_key.setdefault(number.key, [])
            if owner not in known:
                known.append(owner)

    def _put(self, one: Wanted) -> None:
        owner = self._owner(one)
        if owner is None:
            owner = self._new(one)
        elif self._update(owner, one):
            self._plan.changed += 1
        else:
            self._plan.unchanged += 1
        self._plan.claimed[owner] = one.row

    def _new(self, one: Wanted) -> Owner:
        fields = {name: EMPTY.get(name, "") for name in FIELDS} | {"currency": self._currency} | one.fields
        owner = Owner(0, fields, [*one.numbers])
        self._plan.added.append(owner)
        self._new_ones.add(owner)
        self._learn(owner)
        return owner

    def _update(self, owner: Owner, one: Wanted) -> bool:
        after = {name: value for name, value in one.fields.items() if value != owner.fields.get(name)}
        has = {(number.key, number.ext) for number in owner.numbers}
        numbers = [number for number in one.numbers if (number.key, number.ext) not in has]
        if not after and not numbers:
            return False
        if owner not in self._new_ones:
            change = self._plan.changes.setdefault(owner, Change(owner))
            for name in after:
                change.before.setdefault(name, owner.fields.get(name))
            change.after |= after
            change.numbers += numbers
        owner.fields |= after
        owner.numbers += numbers
        self._learn(owner)
        return True

    def _owner(self, one: Wanted) -> Owner | None:
        """Whom a row means; None: somebody new.

        A number alone means its only owner, unless an earlier row of this file was that owner: then two share it.
        """
        external_id = one.fields.get("external_id")
        if external_id in self._by_id:
            owner = self._by_id[str(external_id)]
            if self._is_claimed(owner):
                raise Problem(
                    "external_id",
                    say("{external_id!r} was in an earlier row; each customer has one row", external_id=external_id),
                )
            return owner
        owners = list(dict.fromkeys(owner for number in one.numbers for owner in self._by_key.get(number.key, ())))
        if external_id:  # theirs who has none yet, so that the first import with ids doubles nobody
            owners = [owner for owner in owners if not owner.external_id]
        namesakes = [owner for owner in owners if owner.name.casefold() == one.name.casefold()]
        if namesakes:
            return namesakes[0]
        owners = [owner for owner in owners if not owner.merged_into]
        free = [owner for owner in owners if not self._is_claimed(owner)]
        if external_id or not free:
            return None
        if len(owners) > 1:
            names = ", ".join(owner.name for owner in owners)
            raise Problem(
                "number",
                say("several customers have it ({names}); write the name of one, or an external id", names=names),
            )
        return free[0]

    def _is_claimed(self, owner: Owner) -> bool:
        return owner in self._plan.claimed or owner.id in self._claimed


def own_values(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the company's own fields among these, by name; None: has none."""
    return {name.removeprefix(OWN): value for name, value in fields.items() if name.startswith(OWN)}


def digest(owner: Owner) -> str:
    """A mark of what a customer is, with texts and labels of the numbers: whoever changes it, it differs."""
    numbers = sorted((number.raw, number.label) for number in owner.numbers)
    own = sorted((name, value) for name, value in own_values(owner.fields).items() if value is not None)
    state: list[Any] = [[owner.fields[name] for name in FIELDS], numbers, *([own] if own else [])]
    return blake2b(orjson.dumps(state), digest_size=12).hexdigest()
