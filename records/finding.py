"""Finding customers: what was typed, filters, the best match first, a page at a time; over a million of them.

Names that few have are found by the index of letters by threes (`records.search_index`) and sorted. Of a word that many
have, the list is walked in the order of names, where the next fifty are seldom far. Where they are (a word in one
script among a million names in another), all who have it are gathered, with no more than their names. Every way gives
the same order, so a page may end in one and go on in another: the place of a customer is how well they match, their
name, their id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    and_,
    case,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    text,
    true,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session, selectinload

from records import search_index
from records.folding import GAP
from records.numbers import Reader
from records.pages import at_most, cursor, values_of
from records.search_rows import ROWS
from records.searching import SHORTEST, All, Asked, Has, One, Test, asked, chosen
from records.tables import Customer, User

FEW = 2000
LISTED = 2000  # whom filters leave, that are looked at one by one
WALKED = 4000  # names that are looked at before all who match are gathered
RARE_DIGITS = 7  # of the end of a number
SAMPLE = 400  # rows from everywhere that are looked at to see how common something is
GOLDEN, MILLION = 618_034, 1_000_000  # steps of this share of the whole fall evenly, and in no rhythm of ten
COMMON = 1  # percent
MOST_NEARLY = 400  # candidates that are compared letter by letter

EVERYTHING = ("names", "company", "email", "numbers", "orders")
"""What is searched for whoever may see everything. Names are never left out."""

EXACTLY, NAME_BEGINS, BEGINS, CONTAINS = range(4)

Place = tuple[int, str, int]  # how well it matches, the name as it is compared, the id

_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Tier:
    """Who matches so well, and not better."""

    number: int
    test: Test | None = None  # None: it is told by the name alone
    named: tuple[ColumnElement[bool], ...] = ()
    better: tuple[Test, ...] = ()  # whoever passes one of these is in another tier


@dataclass(frozen=True, slots=True)
class Filters:
    """Which customers are listed at all. None, False and "": all of them."""

    manager_id: int | None = None
    nobodys: bool = False  # without a manager
    owes: bool = False
    open_task: bool = False
    source: str | None = None  # a name of [sources]; empty: entered or imported here
    choices: Mapping[str, str] = field(default_factory=dict)  # of the company's own fields

    def __bool__(self) -> bool:
        return self != Filters()


@dataclass(frozen=True, slots=True)
class FoundCustomers:
    items: tuple[Customer, ...]  # with numbers, ranges and manager
    next: str = ""  # hand it in as `after` for the next page; empty: this was the last
    nearly: bool = False  # nobody matches what was typed: these do but for one letter in a word


def find_customers(
    session: Session,
    typed: str = "",
    *,
    columns: tuple[str, ...] = EVERYTHING,
    filters: Filters | None = None,
    read_number: Reader | None = None,
    after: str = "",
    limit: int = 50,
) -> FoundCustomers:
    """By how well they match what was typed, then by name. `columns`: what the reader may see, of EVERYTHING.

    Raises Refused for an `after` that is not ours.
    """
    place = _place(after)
    count = at_most(limit)
    wanted = asked(typed, columns, read_number(typed).e164 if read_number else "")
    search = _Search(session, filters or Filters())
    places = search.page(wanted, place, count + 1) if wanted else search.walk(Tier(0), place, count + 1)
    if wanted and wanted.nearly and not places and not after:
        ids = search.nearly(wanted, count)
        return FoundCustomers(_customers(session, ids), nearly=bool(ids))
    more = cursor(*places[count - 1]) if len(places) > count else ""
    return FoundCustomers(_customers(session, [id for _, _, id in places[:count]]), more)


def _place(after: str) -> Place | None:
    if not after:
        return None
    tier, name, id = values_of(after, int, str, int)
    return int(tier), str(name), int(id)


def _customers(session: Session, ids: Sequence[int]) -> tuple[Customer, ...]:
    """In this order. Who was removed a moment ago is left out."""
    wanted = select(Customer).where(Customer.id.in_(ids)).options(*WITH_NUMBERS)
    found = {customer.id: customer for customer in session.scalars(wanted)} if ids else {}
    return tuple(found[id] for id in ids if id in found)


WITH_NUMBERS = (
    selectinload(Customer.numbers),
    selectinload(Customer.ranges),
    selectinload(Customer.manager).selectinload(User.endpoints),
)


class _Search:
    """One question to one database."""

    def __init__(self, session: Session, filters: Filters) -> None:
        self._session = session
        self._sqlite = session.get_bind().dialect.name == "sqlite"
        self._has_index = not self._sqlite or search_index.is_there(session.connection())
        self._choices = tuple(chosen(name, value) for name, value in filters.choices.items())
        self._filters = _conditions(filters)
        self._many: set[Test] = set()  # that more than few pass, as was seen on the way

    def page(self, wanted: Asked, after: Place | None, count: int) -> list[Place]:
        every = All((wanted.contains, *self._choices))
        self._look_at_some(every, *(All((test, *self._choices)) for test in (wanted.exactly, wanted.begins) if test))
        tier = case(
            (self._passes(wanted.exactly), EXACTLY),
            (_name_begins(wanted.text), NAME_BEGINS),
            (self._passes(wanted.begins), BEGINS),
            else_=CONTAINS,
        )
        few = self._few(every, tier, (), after, count)
        if few is None and self._filters:
            few = self._of_few_listed(every, tier, after, count)
        return few if few is not None else self._of_many(wanted, after, count)

    def _of_many(self, wanted: Asked, after: Place | None, count: int) -> list[Place]:
        """Tier by tier; the first ones often suffice."""
        begins = _name_begins(wanted.text)
        exactly = (wanted.exactly,) if wanted.exactly else ()
        tiers = (
            *(Tier(EXACTLY, test) for test in exactly),
            Tier(NAME_BEGINS, None, (begins,), exactly),
            Tier(BEGINS, wanted.begins, (not_(begins),), exactly),
            Tier(CONTAINS, wanted.contains, (not_(begins),), (*exactly, wanted.begins)),
        )
        places: list[Place] = []
        for tier in tiers:
            if len(places) < count and (after is None or after[0] <= tier.number):
                here = after if after is not None and after[0] == tier.number else None
                places += self._tier(tier, here, count - len(places))
        return places

    def _tier(self, tier: Tier, after: Place | None, count: int) -> list[Place]:
        if tier.test is None:
            return self.walk(tier, after, count)
        all_of = (*tier.named, *(not_(self._passes(test)) for test in tier.better))
        few = self._few(All((tier.test, *self._choices)), literal_column(str(tier.number)), all_of, after, count)
        if few is not None:
            return few
        if not self._has_index:
            return self.walk(tier, after, count)
        near = self.walk(tier, after, count, WALKED)
        return near if len(near) == count else self._gathered(tier, tier.test, after, count)

    def walk(self, tier: Tier, after: Place | None, count: int, among: int = 0) -> list[Place]:
        """In the order of names, from a place on; `among`: no further than so many names, whoever has them."""
        name, id = ROWS.c.name, ROWS.c.customer_id
        wanted = select(name, id).where(
            *tier.named,
            *(self._passes(test) for test in (*((tier.test,) if tier.test else ()), *self._choices)),
            *(not_(self._passes(test)) for test in tier.better),
            *self._filters,
            *_named_later(after),
        )
        if among:
            ahead = select(name).where(*_named_later(after)).order_by(name, id).offset(among).limit(1)
            last = self._session.scalar(ahead)
            wanted = wanted if last is None else wanted.where(name <= last)
        rows = self._session.execute(wanted.order_by(name, id).limit(count))
        return [(tier.number, name, id) for name, id in rows]

    def _gathered(self, tier: Tier, test: Test, after: Place | None, count: int) -> list[Place]:
        """All who match by the index, then the first by name; of each no more is read than the filters need."""
        name, id = ROWS.c.name, ROWS.c.customer_id
        conditions = (*tier.named, *self._filters, *_named_later(after))
        wanted = All((test, *self._choices))
        if self._sqlite:
            better = "".join(f" NOT {_match(one)}" for one in tier.better)
            found = _MATCHING.bindparams(match=_match(wanted) + better, most=-1).columns(rowid=id.type)
            every = select(name, id).where(id.in_(found.scalar_subquery()), *conditions)
            every = every.with_hint(ROWS, f"INDEXED BY {search_index.NAMES}", "sqlite")
        else:
            self._keep_to_the_index()
            holds = (*conditions, *(not_(self._passes(one)) for one in tier.better))
            matching = select(name, id).where(_like(wanted), *holds).cte("matching").prefix_with("MATERIALIZED")
            every = select(*matching.c)
        first, second = every.selected_columns
        rows = self._session.execute(every.order_by(first.concat(""), second).limit(count))
        return [(tier.number, name, id) for name, id in rows]

    def _few(
        self,
        test: Test,
        tier: ColumnElement[Any],
        conditions: tuple[ColumnElement[bool], ...],
        after: Place | None,
        count: int,
    ) -> list[Place] | None:
        """The first of those who pass; None when they are many, or there is no index to tell."""
        if not self._has_index or test in self._many:
            return None
        holds = and_(true(), *conditions, *self._filters)
        columns = (ROWS.c.customer_id, ROWS.c.name, tier.label("tier"), holds.label("holds"))
        if self._sqlite:
            ids = self._ids(test, FEW + 1)
            if len(ids) > FEW:
                self._many.add(test)
                return None
            few = self._those(select(*columns), test, ids).cte("few")
        else:
            few = self._by_index(select(*columns), test, FEW + 1).cte("few")
        order = (few.c.tier, few.c.name, few.c.customer_id)
        first = select(*order).where(few.c.holds).order_by(*order).limit(count)
        if after is not None:
            first = first.where(_later(order, after))
        best = first.subquery()
        every = select(func.count().label("count")).select_from(few).subquery()
        rows = self._session.execute(select(every.c.count, *best.c).select_from(every.outerjoin(best, true()))).all()
        if rows[0][0] > FEW:
            self._many.add(test)
            return None
        return sorted((tier, name, id) for _, tier, name, id in rows if id is not None)

    def _of_few_listed(
        self, test: Test, tier: ColumnElement[Any], after: Place | None, count: int
    ) -> list[Place] | None:
        """Those who pass among the few whom the filters leave; None when these are many."""
        listed = select(ROWS.c.customer_id).where(*self._filters).limit(LISTED + 1)
        if (self._session.scalar(select(func.count()).select_from(listed.subquery())) or 0) > LISTED:
            return None
        order = (tier.label("tier"), ROWS.c.name, ROWS.c.customer_id)
        some = select(*order).where(ROWS.c.customer_id.in_(listed), self._passes(test)).order_by(*order).limit(count)
        if after is not None:
            some = some.where(_later((tier, ROWS.c.name, ROWS.c.customer_id), after))
        return [(tier, name, id) for tier, name, id in self._session.execute(some)]

    def _look_at_some(self, *tests: Test) -> None:
        """PostgreSQL gathers all whom its index gives before it looks at the first: of what every hundredth has, seen
        on some from everywhere, that takes longer than a walk. SQLite's index tells by itself that they are many.
        """
        if self._sqlite or not self._has_index:
            return
        last = select(sql_cast(func.max(ROWS.c.customer_id), BigInteger)).scalar_subquery()
        step = func.generate_series(1, SAMPLE).table_valued("step").render_derived()
        some = ROWS.c.customer_id.in_(select(1 + last * (step.c.step * GOLDEN % MILLION) // MILLION))
        passed = (func.count().filter(self._passes(test)) for test in tests)
        seen, *common = self._session.execute(select(func.count(), *passed).where(some)).one()
        if seen > SAMPLE // 2:
            self._many.update(test for test, one in zip(tests, common, strict=True) if seen * COMMON <= one * 100)

    def nearly(self, wanted: Asked, count: int) -> list[int]:
        if wanted.nearly is None or not self._has_index:
            return []
        texts = [ROWS.c[name] for name in wanted.columns]
        test = All((wanted.nearly, *self._choices))
        holds = and_(true(), *self._filters)
        some = self._by_index(select(ROWS.c.name, ROWS.c.customer_id, holds, *texts), test, MOST_NEARLY)
        rows = self._session.execute(some)
        near = sorted((name, id) for name, id, holds, *held in rows if holds and wanted.is_nearly(held))
        return [id for _, id in near[:count]]

    def _by_index(self, wanted: Select[Any], test: Test, most: int) -> Select[Any]:
        """At most so many: the others are not looked at."""
        if self._sqlite:
            return self._those(wanted, test, self._ids(test, most))
        self._keep_to_the_index()
        rough = _roughly(test)
        return wanted.where(_like(rough), *self._checked(test, rough)).limit(most)

    def _ids(self, test: Test, most: int) -> Sequence[int]:
        """At most so many, by SQLite's index, of those who may pass."""
        return self._session.scalars(_MATCHING, {"match": _match(_roughly(test)), "most": most}).all()

    def _those(self, wanted: Select[Any], test: Test, ids: Sequence[int]) -> Select[Any]:
        """Who passes of those whom `_ids` gave."""
        each = func.json_each(json.dumps(ids)).table_valued("value")
        among = ROWS.c.customer_id.in_(select(each.c.value))
        return wanted.where(among, *self._checked(test, _roughly(test)))

    def _checked(self, test: Test, rough: Test) -> tuple[ColumnElement[bool], ...]:
        return (self._passes(test),) if rough != test else ()

    def _keep_to_the_index(self) -> None:
        """PostgreSQL may think that so few are soon met with on the way through the whole table. And a search reads
        what is in memory: handing every page to a process that reads ahead takes up to twice as long (18, measured)."""
        settings = {"enable_seqscan": "off", "effective_io_concurrency": "0"}
        self._session.execute(select(*(func.set_config(name, value, True) for name, value in settings.items())))

    def _passes(self, test: Test | None) -> ColumnElement[bool]:
        """Seen on the row itself."""
        match test:
            case Has(pieces, columns):
                position = func.instr if self._sqlite else func.strpos
                return or_(*(and_(*(position(ROWS.c[name], one) > 0 for one in pieces)) for name in columns))
            case All(tests):
                return and_(true(), *map(self._passes, tests))
            case One(tests):
                return or_(*map(self._passes, tests))
            case None:
                return false()


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.nobodys:
        conditions.append(ROWS.c.manager_id.is_(None))
    elif filters.manager_id is not None:
        conditions.append(ROWS.c.manager_id == filters.manager_id)
    if filters.source is not None:
        conditions.append(ROWS.c.source == filters.source)
    if filters.owes:
        conditions.append(ROWS.c.owes)
    if filters.open_task:
        conditions.append(ROWS.c.open_task)
    return conditions


def _later(order: tuple[ColumnElement[Any], ...], place: Place) -> ColumnElement[bool]:
    (tier, name, id), (its_tier, its_name, its_id) = order, place
    same_tier = and_(tier == its_tier, or_(name > its_name, and_(name == its_name, id > its_id)))
    return or_(tier > its_tier, same_tier)


def _named_later(after: Place | None) -> tuple[ColumnElement[bool], ...]:
    if after is None:
        return ()
    _, name, id = after
    return ROWS.c.name >= name, or_(ROWS.c.name > name, ROWS.c.customer_id > id)


def _name_begins(text: str) -> ColumnElement[bool]:
    return and_(ROWS.c.name >= text, ROWS.c.name < text + _LAST)


def _like(test: Test) -> ColumnElement[bool]:
    """As PostgreSQL's index of trigrams takes it."""
    match test:
        case Has(pieces, columns):
            pattern = f"%{'%'.join(map(_escaped, pieces))}%"
            return or_(*(ROWS.c[name].like(pattern) for name in columns))
        case All(tests):
            return and_(*map(_like, tests))
        case One(tests):
            return or_(*map(_like, tests))


def _escaped(piece: str) -> str:
    return piece.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


_MATCHING = text(f"SELECT rowid FROM {search_index.TABLE} WHERE {search_index.TABLE} MATCH :match LIMIT :most")
"""`most` below 0: all."""


def _match(test: Test) -> str:
    """As FTS5 takes it."""
    match test:
        case Has(pieces, columns):
            phrases = " AND ".join(f'"{piece.replace(chr(34), chr(34) * 2)}"' for piece in pieces)
            return f"{{{' '.join(columns)}}} : ({phrases})"
        case All(tests):
            return f"({' AND '.join(dict.fromkeys(map(_match, tests)))})"
        case One(tests):
            return f"({' OR '.join(dict.fromkeys(map(_match, tests)))})"


def _roughly(test: Test) -> Test:
    """Others may pass this one as well, and an index tells them sooner."""
    match test:
        case Has(pieces, columns):
            return Has(tuple(map(_rare, pieces)), columns)
        case All(tests):
            return All(tuple(map(_roughly, tests)))
        case One(tests):
            return One(tuple(map(_roughly, tests)))


def _rare(piece: str) -> str:
    """What few have of it: all that very many have is read before it is known who has the rest too.

    Nearly all of a company's numbers begin alike, so of a number its end is asked for, of a whole one without what a
    country code may be; and many addresses of mail end alike.
    """
    name, at, _ = piece.partition("@")
    if at and len(name.strip()) >= SHORTEST:
        return name + at
    number = piece.strip()
    if not number.isdigit():
        return piece
    if piece.endswith(GAP):
        return number[-min(RARE_DIGITS, max(4, len(number) - 3)) :] + GAP
    return number[-RARE_DIGITS:] if len(number) > RARE_DIGITS else piece
