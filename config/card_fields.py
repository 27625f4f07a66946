"""Fields of the card, and the queries of other databases that fill some of them: what settings can say of these.

`faults` finds what cannot work, before anything is started. It reads a query's SQL only as far as it must to refuse
what would paste a caller's number into it, or do more than read; the databases refuse the rest.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Literal, get_args

from config.sentences import say

FieldType = Literal["text", "number", "money", "date", "yes/no", "link", "choice"]
Role = Literal["agent", "supervisor", "administrator"]

ROLES: tuple[str, ...] = get_args(Role)

BUILT_IN = {
    "company": "",
    "debt": say("Owes"),
    "manager": say("Manager"),
    "numbers": say("Other numbers"),
    "email": say("Contact"),
    "address": say("Contact"),
    "last_task": say("Last task"),
    "orders": say("Current orders"),
    "note": "",
}
"""Fields that every card has, with their labels, in the order of a card that nobody arranged. Without a label the
company stands under the name, and the note for itself; neighbours with one label are shown as one.
"""

MASKABLE = ("debt", "numbers", "email", "address", "orders")
"""Built-in fields of which a role may see that there is something without seeing what: of orders without the amounts.
"""

EDITABLE = ("company", "debt", "manager", "numbers", "email", "address", "note")
"""Built-in fields with a value that is changed on the customer's page; tasks and orders have places of their own."""

TAKEN = frozenset(
    {"id", "customer_id", "external_id", "version", "name", "photo", "phone", "currency", "custom", "fields"}
)
"""Names that say something else of a customer, here or in an import."""

PARAMETERS = ("number", "customer_id", "external_id", "name", "company", "email")
"""What a query may ask with."""

LONGEST_MS = 60_000


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the card. Its name is a built-in one's, or that under which the customers' own values are kept."""

    label: str = ""  # empty: a built-in one's own, else made of the name
    type: FieldType = "text"
    source: str = ""  # empty: kept with the customer; else QUERY.COLUMN
    order: int = 0  # smaller comes first; 0: a built-in one at its place (100, 200 ...), another after these
    default: str = ""  # shown where there is no value
    choices: tuple[str, ...] = ()  # of a choice
    roles: tuple[str, ...] = ROLES  # who sees it; nobody: it is on no card
    masked: tuple[str, ...] = ()  # who of them sees only that there is something
    edits: tuple[str, ...] = ROLES  # who of those that see all of it may change its values

    @property
    def query(self) -> str:
        """The query that gives it; empty: none does."""
        return self.source.partition(".")[0]

    @property
    def column(self) -> str:
        return self.source.partition(".")[2].lower()


@dataclass(frozen=True, slots=True)
class Query:
    """A question to another database of the company's: its first row's columns become values of fields."""

    url: str = ""  # an SQLAlchemy URL
    url_file: str = ""  # read instead of url when set
    sql: str = ""  # one SELECT, with :number and the like
    limit_ms: int = 2000  # one answer may take this long; the card does not wait for it
    cache_s: int = 60  # how long an answer is good for the next call


def label_of(name: str, field: Field) -> str:
    """What a field is called; empty where a built-in one stands without a label."""
    return field.label or BUILT_IN.get(name, name.replace("_", " ").capitalize())


def is_kept(name: str, field: Field) -> bool:
    """The company's own, with values that are kept with the customer and not brought by a query."""
    return name not in BUILT_IN and not field.source


def is_maskable(name: str) -> bool:
    return name not in BUILT_IN or name in MASKABLE


def is_editable(name: str, field: Field) -> bool:
    return name in EDITABLE or is_kept(name, field)


def in_order(card_fields: Mapping[str, Field]) -> list[tuple[str, Field]]:
    """All fields in their order; the built-in ones stand at 100, 200 and so on, others after them as written."""
    usual = {name: Field() for name in BUILT_IN}
    order = {name: (at + 1) * 100 for at, name in enumerate(BUILT_IN)}
    order |= {name: 1000 + at for at, name in enumerate(name for name in card_fields if name not in BUILT_IN)}
    order |= {name: one.order for name, one in card_fields.items() if one.order}
    return sorted({**usual, **card_fields}.items(), key=lambda one: order[one[0]])


def kept_fields(card_fields: Mapping[str, Field]) -> dict[str, Field]:
    return {name: field for name, field in card_fields.items() if is_kept(name, field)}


def faults_of_field(name: str, field: Field, queries: Mapping[str, Query]) -> Iterator[str]:
    """The same of one field."""
    return _faults_of_field(f"fields.{name}", name, field, queries)


def faults(card_fields: Mapping[str, Field], queries: Mapping[str, Query], read_files: bool = False) -> Iterator[str]:
    """What is wrong, each in a sentence that names the key and says what to write. `read_files`: url_file was read."""
    for name, query in queries.items():
        yield from _faults_of_query(f"queries.{name}", name, query, read_files)
    for name, field in card_fields.items():
        yield from _faults_of_field(f"fields.{name}", name, field, queries)


def parameters(sql: str) -> frozenset[str]:
    """Names of the parameters in a statement, read as SQLAlchemy reads them."""
    return frozenset(_PARAMETER.findall(_without_quoted(sql)))


_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PARAMETER = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")
_PASTED = re.compile(r"%s|%\(\w+\)s|\{\w*\}|\$\{?\w+\}?")
_COMMENT = r"--[^\n]*|/\*.*?\*/"
_QUOTED = re.compile(rf"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|{_COMMENT}", re.DOTALL)


def _faults_of_field(where: str, name: str, field: Field, queries: Mapping[str, Query]) -> Iterator[str]:
    yield from _faults_of_name(where, name)
    if name in TAKEN:
        yield say("{field}: {name} means something else of a customer; choose another name", field=where, name=name)
    for key, roles in (("roles", field.roles), ("masked", field.masked), ("edits", field.edits)):
        for role in roles:
            if role not in ROLES:
                yield say(
                    "{field}.{key} has {role!r}; write some of {known}",
                    field=where,
                    key=key,
                    role=role,
                    known=", ".join(map(repr, ROLES)),
                )
    if name in BUILT_IN:
        yield from _faults_of_built_in(where, name, field)
        return
    if field.source and field.edits != ROLES:
        yield f"{where}.edits: what a query gives is changed by nobody here; leave it out"
    if field.type == "choice" and not field.choices:
        yield f'{where} is a choice; write what of: choices = ["one", "another"]'
    if field.choices and field.type != "choice":
        yield say("{field}.{key} go with {type}", field=where, key="choices", type='type = "choice"')
    if field.source and not (_NAME.fullmatch(field.query) and field.column):
        yield f"{where}.source = {field.source!r}; write QUERY.COLUMN, or nothing for a value of your own"
    elif field.source and field.query not in queries:
        yield f"{where}.source = {field.source!r}: there is no [queries.{field.query}]{_nearest(field.query, queries)}"


def _faults_of_built_in(where: str, name: str, field: Field) -> Iterator[str]:
    takes = ["label", "order", "roles"]
    takes += ["masked"] if name in MASKABLE else []
    takes += ["edits"] if name in EDITABLE else []
    for key in fields(Field):
        if key.name not in takes and getattr(field, key.name) != key.default:
            only = f"{', '.join(takes[:-1])} and {takes[-1]}"
            yield f"{where}.{key.name}: {name} is a built-in field, which takes only {only}"


def _faults_of_query(where: str, name: str, query: Query, read_files: bool) -> Iterator[str]:
    yield from _faults_of_name(where, name)
    if not query.url and (read_files or not query.url_file):
        yield f"{where}.url is missing; write the database's address, like postgresql+psycopg://user@host/database"
    elif query.url and not re.match(r"[a-z][a-z0-9]*(\+[a-z0-9_]+)?://", query.url):
        yield f"{where}.url is no address; write one like postgresql+psycopg://user@host/database"
    if not 0 < query.limit_ms <= LONGEST_MS:
        yield f"{where}.limit_ms = {query.limit_ms}; write milliseconds from 1 to {LONGEST_MS}"
    yield from _faults_of_sql(f"{where}.sql", query.sql)


def _faults_of_sql(where: str, sql: str) -> Iterator[str]:
    if not sql.strip():
        yield f"{where} is missing; write one SELECT, like SELECT balance FROM accounts WHERE id = :external_id"
        return
    bare = _without_quoted(sql).strip()
    if not re.match(r"(?i)(select|with)\b", bare):
        yield f"{where} must be one SELECT: a query only reads"
    if ";" in bare:
        yield f"{where} has a semicolon; write one SELECT, and no semicolon at its end"
    quoted = _QUOTED.findall(sql)
    if pasted := _PASTED.search(bare) or next(filter(None, (_PASTED.fullmatch(text[1:-1]) for text in quoted)), None):
        yield (
            f"{where} has {pasted.group()}, and nothing is ever pasted into SQL; "
            f"write a parameter instead: {_named(PARAMETERS)}"
        )
    for text in quoted:
        if inside := _PARAMETER.search(text):
            yield f"{where}: take :{inside.group(1)} out of its quotes; the database is given the value as it is"
    for unknown in sorted(parameters(sql) - set(PARAMETERS)):
        yield f"{where} has :{unknown}; known are {_named(PARAMETERS)}"


def _faults_of_name(where: str, name: str) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield say("{name}: names are made of small letters, digits and _, and begin with a letter", name=where)


def _without_quoted(sql: str) -> str:
    return _QUOTED.sub("''", sql)


def _named(names: Collection[str]) -> str:
    return ", ".join(f":{name}" for name in names)


def _nearest(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""
