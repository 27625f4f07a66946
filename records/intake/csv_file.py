"""Importing customers from a CSV file: a row that fits a customer changes them, another one is a new customer.

A row is theirs who has its external id; else theirs who has one of its numbers, and the same name where several do.
Importing the same file again changes nothing. Nothing is ever removed: an empty cell leaves what is there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from records.customers import attach_number, change_customer, new_customer, settle
from records.database import writing
from records.errors import RecordsError
from records.intake.csv_table import Column, CsvTable, Row, look_at
from records.money import to_minor
from records.numbers import Reader
from records.ranges import is_range, span_of, why_not
from records.tables import Customer, NumberRange, PhoneNumber, User
from records.touched import Touched

AT_ONCE = 100
"""Rows per transaction: a few tenths of a second, so that whoever else writes waits no longer."""


@dataclass(frozen=True, slots=True)
class RowError:
    row: int  # as a spreadsheet counts; the header is row 1
    column: Column | None  # None: the row as a whole
    message: str

    def __str__(self) -> str:
        return f"row {self.row}{f', column {self.column}' if self.column else ''}: {self.message}"


@dataclass(frozen=True, slots=True)
class ImportResult:
    added: int
    changed: int
    unchanged: int
    errors: tuple[RowError, ...]
    unused_columns: tuple[str, ...]
    keys: Touched  # what the cache must forget


def import_customers(
    engine: Engine,
    path: Path,
    read_number: Reader,
    progress: Callable[[int], None] | None = None,
    *,
    currency: str = "USD",
    dry_run: bool = False,
) -> ImportResult:
    """Imports what it can and tells of each row that it could not, and why.

    `progress` is given the number of rows done, after each batch. `currency` is of rows that name none. A dry run does
    all of it in one transaction and takes that back. Raises Refused for a file that cannot be imported, DatabaseGone.
    """
    table = look_at(path)
    run = _Run(read_number, currency, table)
    rows = table.rows()
    if dry_run:
        run.rehearse(engine, rows, progress)
    else:
        while batch := list(islice(rows, AT_ONCE)):
            run.write(engine, batch)
            if progress is not None:
                progress(run.rows)
    return ImportResult(run.added, run.changed, run.unchanged, tuple(run.errors), table.unused, run.touched)


class _Problem(Exception):
    """What is wrong with one row."""

    def __init__(self, column: Column | None, message: str) -> None:
        super().__init__(message)
        self.column = column


class _RolledBack(Exception):
    """Ends a rehearsal."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A row as understood."""

    name: str
    fields: Mapping[str, Any]  # of customers.CHANGEABLE; only those that the row has
    numbers: tuple[tuple[str, str], ...]  # (text, label)
    keys: tuple[str, ...]  # match_key, or the text where there is none, or how a range reads, of each


class _Run:
    """One import: counts, and which customers rows of this file have claimed."""

    def __init__(self, read_number: Reader, currency: str, table: CsvTable) -> None:
        self._read_number, self._currency, self._table = read_number, currency, table
        self.rows = self.added = self.changed = self.unchanged = 0
        self.errors: list[RowError] = []
        self.touched = Touched()
        self._claimed: set[int] = set()

    def write(self, engine: Engine, batch: list[Row]) -> None:
        """One short transaction; once more when somebody else entered one of these customers at the same moment."""
        before = (self.rows, self.added, self.changed, self.unchanged, self.errors[:], self.touched, set(self._claimed))
        try:
            with writing(engine) as session:
                self._take(session, batch)
        except IntegrityError:
            self.rows, self.added, self.changed, self.unchanged, self.errors, self.touched, self._claimed = before
            with writing(engine) as session:
                self._take(session, batch)

    def rehearse(self, engine: Engine, rows: Iterator[Row], progress: Callable[[int], None] | None) -> None:
        try:
            with writing(engine) as session:
                while batch := list(islice(rows, AT_ONCE)):
                    self._take(session, batch)
                    if progress is not None:
                        progress(self.rows)
                raise _RolledBack
        except _RolledBack:
            self.touched = Touched()

    def _take(self, session: Session, batch: list[Row]) -> None:
        logins = {user.login: user.id for user in session.execute(select(User.login, User.id))}
        wanted: list[tuple[Row, _Wanted]] = []
        for row in batch:
            self.rows += 1
            with self._telling(row):
                wanted.append((row, self._understood(row, logins)))
        known = _Known(session, [one for _, one in wanted], self._claimed)
        for row, one in wanted:
            with self._telling(row):
                self._put(session, known, one)
        self._settle(session, known)
        self._claimed.update(customer.id for customer in known.claimed)

    def _settle(self, session: Session, known: _Known) -> None:
        self.touched |= settle(session, known.added)
        self.added += len(known.added)
        known.added.clear()

    @contextmanager
    def _telling(self, row: Row) -> Iterator[None]:
        """What is wrong with this row goes to the list of errors, and the next row follows."""
        try:
            yield
        except _Problem as problem:
            self.errors.append(RowError(row.number, problem.column, str(problem)))
        except RecordsError as exc:
            self.errors.append(RowError(row.number, None, str(exc)))

    def _put(self, session: Session, known: _Known, one: _Wanted) -> None:
        customer = known.owner(one)
        if customer is None:
            fields = {"currency": self._currency, **one.fields}
            customer = new_customer(session, self._read_number, name=one.name, numbers=one.numbers, **fields)
            known.added.append(customer)
            known.learn(customer)
        else:
            if customer in known.added:  # a second row of one customer in one batch
                self._settle(session, known)
            touched = self._update(session, customer, one)
            self.changed, self.unchanged = self.changed + bool(touched), self.unchanged + (not touched)
            self.touched |= touched
        known.claimed.add(customer)

    def _update(self, session: Session, customer: Customer, one: _Wanted) -> Touched:
        touched = Touched()
        news = {"name": one.name, **one.fields}
        changes = {field: value for field, value in news.items() if value != getattr(customer, field)}
        if changes:
            touched |= change_customer(session, customer.id, changes)[1]
        for raw, label in one.numbers:
            touched |= attach_number(session, self._read_number, customer.id, raw, label)
        return touched

    def _understood(self, row: Row, logins: Mapping[str, int]) -> _Wanted:
        if row.problem:
            raise _Problem(None, row.problem)
        name = row.name()
        if not name:
            raise _Problem("name", "has no name; write one, or the company's")
        numbers = tuple(_numbers(row, self._read_number))
        if not numbers:
            raise _Problem("number", f"{name} has no phone number; write one, best with + and the country code")
        keys = tuple(_key(raw, self._read_number) for raw, _ in numbers)
        return _Wanted(name, self._fields(row, logins), numbers, keys)

    def _fields(self, row: Row, logins: Mapping[str, int]) -> dict[str, Any]:
        texts: tuple[Column, ...] = ("company", "email", "address", "note", "external_id")
        fields: dict[str, Any] = {column: row.text(column) for column in texts if row.text(column)}
        currency = row.text("currency").upper()
        if currency:
            if not re.fullmatch(r"[A-Z]{3}", currency):
                raise _Problem("currency", f"{currency!r} is no currency; write its three letters, like USD")
            fields["currency"] = currency
        if row.text("debt"):
            try:
                fields["debt_minor"] = to_minor(row.text("debt"), currency or self._currency)
            except RecordsError as exc:
                raise _Problem("debt", str(exc)) from exc
        if row.text("manager"):
            login = row.text("manager").casefold()
            if login not in logins:
                raise _Problem("manager", f"nobody has the login {login!r}; add them first, or leave the cell empty")
            fields["manager_id"] = logins[login]
        return fields


class _Known:
    """The customers that the rows of one batch may mean, fetched with two statements."""

    def __init__(self, session: Session, wanted: Iterable[_Wanted], claimed_before: set[int]) -> None:
        self.added: list[Customer] = []
        self.claimed: set[Customer] = set()
        self._claimed_before = claimed_before
        ids = {one.fields["external_id"] for one in wanted if "external_id" in one.fields}
        keys = {key for one in wanted for key in one.keys}
        self._by_id: dict[str, Customer] = {}
        self._by_key: dict[str, list[Customer]] = {}
        having = PhoneNumber.match_key.in_(keys) | (PhoneNumber.match_key.is_(None) & PhoneNumber.raw.in_(keys))
        owners = select(PhoneNumber.customer_id).where(having)
        spans = select(NumberRange.customer_id).where(NumberRange.prefix.in_({key.rstrip("x") for key in keys}))
        found = select(Customer).where(
            or_(Customer.external_id.in_(ids), Customer.id.in_(owners), Customer.id.in_(spans))
        )
        parts = (selectinload(Customer.numbers), selectinload(Customer.ranges))
        for customer in session.scalars(found.order_by(Customer.id).options(*parts)):
            self.learn(customer)

    def learn(self, customer: Customer) -> None:
        if customer.external_id:
            self._by_id[customer.external_id] = customer
        for number in customer.numbers:
            self._by_key.setdefault(number.match_key or number.raw, []).append(customer)
        for span in customer.ranges:
            if span.prefix and span.open_digits:
                self._by_key.setdefault(_range_key(span.prefix, span.open_digits), []).append(customer)

    def owner(self, one: _Wanted) -> Customer | None:
        """Whom a row means; None: somebody new.

        A number alone means its only owner, unless an earlier row of this file was that owner: then two share it.
        """
        external_id = one.fields.get("external_id")
        if external_id in self._by_id:
            if self._is_claimed(self._by_id[external_id]):
                raise _Problem("external_id", f"{external_id!r} was in an earlier row; each customer has one row")
            return self._by_id[external_id]
        owners = list(dict.fromkeys(customer for key in one.keys for customer in self._by_key.get(key, ())))
        if external_id:  # theirs who has none yet, so that the first import with ids doubles nobody
            owners = [customer for customer in owners if not customer.external_id]
        namesakes = [customer for customer in owners if customer.name.casefold() == one.name.casefold()]
        if namesakes:
            return namesakes[0]
        free = [customer for customer in owners if not self._is_claimed(customer)]
        if external_id or not free:
            return None
        if len(owners) > 1:
            names = ", ".join(customer.name for customer in owners)
            raise _Problem("number", f"several customers have it ({names}); write the name of one, or an external id")
        return free[0]

    def _is_claimed(self, customer: Customer) -> bool:
        return customer in self.claimed or customer.id in self._claimed_before


def _numbers(row: Row, read_number: Reader) -> Iterator[tuple[str, str]]:
    for cell in row.cells.get("number", ()):
        for text in _split(_bare(cell.text), read_number):
            if is_range(text):
                if span_of(text, read_number) is None:
                    raise _Problem("number", why_not(text, read_number))
                yield text, cell.label
                continue
            number = read_number(text)
            if not (number.match_key or number.tail):
                raise _Problem(
                    "number", f"{text!r} cannot be read; write the whole number, best with + and the country"
                )
            yield text, cell.label


def _key(raw: str, read_number: Reader) -> str:
    span = span_of(raw, read_number)
    return _range_key(*span) if span else read_number(raw).match_key or raw


def _range_key(prefix: str, open_digits: int) -> str:
    return prefix + "x" * open_digits


def _split(cell: str, read_number: Reader) -> list[str]:
    """A cell that is one number stays whole ("012/555/025"); else it holds several."""
    if not cell or read_number(cell).match_key:
        return [cell] if cell else []
    return [part.strip() for part in re.split(r"[,;/|\n]", cell) if part.strip()]


def _bare(cell: str) -> str:
    """Without what people write so that a spreadsheet leaves the digits alone: '012345678 and ="012345678"."""
    text = re.sub(r'^="(.*)"$', r"\1", cell).lstrip("'").strip()
    if re.fullmatch(r"\d[.,]\d+E\+\d+", text, re.IGNORECASE):
        raise _Problem(
            "number", f"{text!r} is what a spreadsheet made of a number; format the column as text, fill it anew"
        )
    return text
