"""Cards from the company's database: one number, one statement.

The database builds the whole card as JSON, whichever of the two kinds it is, so a cold lookup costs one round trip and
sees one state of the records. Statements run in a few threads of their own: a slow or frozen database keeps those busy
and nothing else, and only so many callers wait for them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    String,
    Text,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import aliased

from config.settings import LAST_ORDER
from lookup.answers import Number
from lookup.breaker import StoreGone
from lookup.card import ORDERS_SHOWN, Match, match_from
from lookup.engine import MOST_CANDIDATES
from lookup.numbers import unfolded
from records.database import open_database, speaking_plainly
from records.errors import DatabaseGone
from records.ranges import MOST_OPEN, covering, prefixes_of
from records.tables import (
    CallRow,
    Customer,
    Endpoint,
    EndpointPerson,
    NumberChoice,
    NumberRange,
    Order,
    PhoneNumber,
    Task,
    User,
)

THREADS = 4
MOST_WAITING = 64
"""Lookups under way at once; one more would come too late for any call."""

OURS_ALONE: Mapping[str, int] = {"": 0}
T = TypeVar("T")


class SqlCards:
    """A CardSource. `answer_s`: what one lookup may take, waiting for its turn included. `orders`: of the sources."""

    name = "database"

    def __init__(self, url: str, answer_s: float = 2.0, orders: Mapping[str, int] = OURS_ALONE) -> None:
        self._answer_s = answer_s
        self._engine = open_database(url, answer_s).execution_options(isolation_level="AUTOCOMMIT")
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="lookup")
        self._waiting = 0
        # Kept open: what the pool does around each use takes longer than the lookup itself.
        self._idle: deque[Connection] = deque()
        by_match_key, self._by_many, by_tail = _statements(self._engine.dialect.name, tuple(orders.items()))
        self._by_match_key = _Compiled(by_match_key, self._engine)
        self._by_tail = _Compiled(by_tail, self._engine)

    async def fetch(self, number: Number) -> tuple[Match, ...]:
        if not number.match_key:
            return await self._run(lambda connection: self._by_tail.matches(connection, {"tail": number.tail}))
        values = asking_for(number)
        return await self._run(lambda connection: self._by_match_key.matches(connection, values))

    async def fetch_many(self, match_keys: Collection[str]) -> dict[str, tuple[Match, ...]]:
        """Of those that a customer has, what `fetch` gives for each, without an extension. Raises StoreGone."""
        return await self._run(lambda connection: self._many(connection, match_keys))

    async def check(self) -> str:
        """The kind of database and how many customers it has."""
        customers = select(func.count()).select_from(Customer)
        count = await self._run(lambda connection: connection.execute(customers).scalar_one())
        return f"{self._engine.dialect.name}, {count} customer{'' if count == 1 else 's'}"

    async def close(self) -> None:
        """Waits for the lookups under way, which end by themselves within their time limit."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        self._close_idle()
        self._engine.dispose()

    def _many(self, connection: Connection, match_keys: Collection[str]) -> dict[str, tuple[Match, ...]]:
        ours = set(connection.scalars(select(Endpoint.name)))
        asked = [key for key in match_keys if not ours & {key, unfolded(key)[1]}]
        found: defaultdict[str, list[Match]] = defaultdict(list)
        for key, match in connection.execute(self._by_many, {"values": asked}):
            found[key].append(match_from(match))
        return {key: tuple(matches[:MOST_CANDIDATES]) for key, matches in found.items()}

    async def _run(self, work: Callable[[Connection], T]) -> T:
        if self._waiting >= MOST_WAITING:
            raise StoreGone(f"{self._waiting} lookups are waiting for it already")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._answer_s):
                return await asyncio.get_running_loop().run_in_executor(self._threads, self._connected, work)
        except TimeoutError as exc:
            raise StoreGone(f"no answer within {self._answer_s:g} s") from exc
        finally:
            self._waiting -= 1

    def _connected(self, work: Callable[[Connection], T]) -> T:
        """`work` with a connection; in a thread. Raises StoreGone."""
        try:
            with speaking_plainly(self._engine):
                return self._with_idle(work) if self._idle else self._with_new(work)
        except (DatabaseGone, SQLAlchemyError) as exc:
            raise StoreGone(str(exc).splitlines()[0]) from exc

    def _with_idle(self, work: Callable[[Connection], T]) -> T:
        try:
            connection = self._idle.pop()
        except IndexError:  # another thread was faster
            return self._with_new(work)
        try:
            return self._with(connection, work)
        except DBAPIError as exc:
            if not exc.connection_invalidated:
                raise
        # The server was restarted since: so the others are as dead, and a new connection tells more.
        self._close_idle()
        return self._with_new(work)

    def _with_new(self, work: Callable[[Connection], T]) -> T:
        return self._with(self._engine.connect(), work)

    def _with(self, connection: Connection, work: Callable[[Connection], T]) -> T:
        try:
            result = work(connection)
        except BaseException:
            connection.invalidate()
            connection.close()
            raise
        self._idle.append(connection)
        return result

    def _close_idle(self) -> None:
        while self._idle:
            with suppress(IndexError):
                self._idle.pop().close()


def asking_for(number: Number) -> Mapping[str, Any]:
    """The values for the statement that finds the customers of a number."""
    values = {"key": number.match_key, "ext": number.ext, "same": unfolded(number.match_key)[1]}
    return values | dict(zip(PREFIXES, prefixes_of(number.match_key), strict=True))


@lru_cache(maxsize=16)
def _statements(dialect: str, orders: tuple[tuple[str, int], ...]) -> tuple[Select[Any], Select[Any], Select[Any]]:
    """By match key, by many of them, by tail: the same for whoever asks the same kind of database."""
    json = _Json(dialect)
    order = case(*((Customer.source == name, order) for name, order in orders), else_=LAST_ORDER)
    return _by_match_key(json, order), _by_many(json, order), _by_tail(json, order)


class _Compiled:
    """A statement made ready for the driver once; SQLAlchemy would look it up every time."""

    def __init__(self, statement: Select[Any], engine: Engine) -> None:
        compiled = statement.compile(engine)
        self._text = str(compiled)
        self._fixed = compiled.params
        self._order = compiled.positiontup  # None where the driver takes parameters by name

    def matches(self, connection: Connection, values: Mapping[str, str]) -> tuple[Match, ...]:
        named = {**self._fixed, **values}
        parameters = tuple(named[name] for name in self._order) if self._order else named
        rows = connection.exec_driver_sql(self._text, parameters)
        return tuple(match_from(row) for (row,) in rows)


class _Json:
    """JSON made by the database, in the words of its kind."""

    def __init__(self, dialect: str) -> None:
        self._sqlite = dialect == "sqlite"

    def object(self, **values: Any) -> ColumnElement[Any]:
        pairs: list[Any] = []
        for key, value in values.items():
            pairs += [literal_column(f"'{key}'"), value]
        return func.json_object(*pairs) if self._sqlite else func.json_build_object(*pairs)

    def truth(self, value: Any) -> ColumnElement[Any]:
        """A boolean; SQLite has none, but its JSON has."""
        return func.json(case((value, "true"), else_="false")) if self._sqlite else value

    def moment(self, value: Any) -> ColumnElement[str]:
        """RFC 3339 in UTC; empty for null."""
        written = (
            func.strftime("%Y-%m-%dT%H:%M:%SZ", value)
            if self._sqlite
            else func.to_char(func.timezone("UTC", value), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        )
        return func.coalesce(written, "")

    def kept(self, column: Any) -> ColumnElement[Any]:
        """An object that somebody kept in a column of JSON; an empty one where there is something else in it."""
        if self._sqlite:
            valid = func.json_valid(column) == 1
            return func.json(case((valid, case((func.json_type(column) == "object", column), else_="{}")), else_="{}"))
        return case((func.jsonb_typeof(column) == "object", column), else_=literal_column("'{}'::jsonb"))

    def one(self, row: Select[Any]) -> ColumnElement[Any]:
        """The only row's object, or null."""
        value = row.scalar_subquery()
        return func.json(value) if self._sqlite else value  # SQLite forgets on the way out that it was JSON

    def many(self, rows: Select[Any]) -> ColumnElement[Any]:
        """The objects of all rows, in their order."""
        items = rows.subquery()
        (item,) = items.c
        if self._sqlite:
            return func.json(select(func.json_group_array(func.json(item))).scalar_subquery())
        return select(func.coalesce(func.json_agg(item), literal_column("'[]'::json"))).scalar_subquery()


PREFIXES = tuple(f"prefix{count}" for count in range(1, MOST_OPEN + 1))


def _by_match_key(json: _Json, order: ColumnElement[int]) -> Select[Any]:
    """Who has the number :key, else whose narrowest range holds it; :ext is the extension that came with it.

    Nobody, when it is a phone of our own people: :key, or :same, its other spelling. Who comes first is decided before
    any card is made, because a switchboard may have hundreds of owners.
    """
    key, ext = bindparam("key", type_=String), bindparam("ext", type_=String)
    prefixes = [bindparam(name, type_=String) for name in PREFIXES]
    has_ext = case((and_(PhoneNumber.ext == ext, ext != ""), 1), else_=0)
    exact = select(PhoneNumber.customer_id, literal("").label("range"), has_ext.label("has_ext"))
    exact = exact.where(PhoneNumber.match_key == key)
    holding = covering(key, prefixes)
    narrowest = select(func.min(NumberRange.open_digits)).where(holding).scalar_subquery()
    ranges = select(NumberRange.customer_id, NumberRange.raw, literal(0))
    ranges = ranges.where(holding, NumberRange.open_digits == narrowest, ~exact.exists())
    owners = union_all(exact, ranges).subquery("owners")

    chosen_by, chosen_at = NumberChoice.chosen_by_id, NumberChoice.chosen_at
    is_other = case((NumberChoice.customer_id == owners.c.customer_id, 0), else_=1)
    ours = exists().where(Endpoint.name.in_([key, bindparam("same", type_=String)]))
    first = (
        select(
            owners.c.customer_id, func.min(owners.c.range).label("range"), func.max(owners.c.has_ext).label("has_ext")
        )
        .add_columns(order.label("place"), is_other.label("is_other"), chosen_by, chosen_at)
        .join(Customer, Customer.id == owners.c.customer_id)
        .outerjoin(NumberChoice, and_(NumberChoice.match_key == key, NumberChoice.customer_id == owners.c.customer_id))
        .where(~ours)
        .group_by(owners.c.customer_id, Customer.source, is_other, chosen_by, chosen_at)
        .order_by(order, func.max(owners.c.has_ext).desc(), is_other, owners.c.customer_id)
        .limit(MOST_CANDIDATES)
        .subquery("first_owners")
    )
    choice = _choice(json, first.c.chosen_by_id, first.c.chosen_at, first)
    match = json.object(
        card=_card(json, order), range=first.c.range, choice=case((first.c.is_other == 0, choice), else_=None)
    )
    return (
        select(cast(match, Text))
        .select_from(first)
        .join(Customer, Customer.id == first.c.customer_id)
        .order_by(first.c.place, first.c.has_ext.desc(), first.c.is_other, Customer.id)
    )


def _by_many(json: _Json, order: ColumnElement[int]) -> Select[Any]:
    """With each of :values, match keys, who has that number."""
    has = PhoneNumber.match_key.in_(bindparam("values", expanding=True))
    owners = select(PhoneNumber.match_key, PhoneNumber.customer_id).where(has).distinct().subquery("owners")
    is_other = case((NumberChoice.customer_id == owners.c.customer_id, 0), else_=1)
    choice = _choice(json, NumberChoice.chosen_by_id, NumberChoice.chosen_at, NumberChoice)
    match = json.object(card=_card(json, order), choice=case((is_other == 0, choice), else_=None))
    chosen = and_(NumberChoice.match_key == owners.c.match_key, NumberChoice.customer_id == owners.c.customer_id)
    return (
        select(owners.c.match_key, cast(match, Text))
        .join(Customer, Customer.id == owners.c.customer_id)
        .outerjoin(NumberChoice, chosen)
        .order_by(owners.c.match_key, order, is_other, Customer.id)
    )


def _choice(json: _Json, by_id: Any, at: Any, outer: Any) -> ColumnElement[Any]:
    who = select(User.name).where(User.id == by_id).correlate(outer).scalar_subquery()
    return json.object(who=func.coalesce(who, "somebody"), at=json.moment(at))


def _by_tail(json: _Json, order: ColumnElement[int]) -> Select[Any]:
    """Who has a number with the last digits :tail that is no phone of our own people."""
    ours = exists().where(Endpoint.name.in_([PhoneNumber.e164, PhoneNumber.match_key]))
    owners = select(PhoneNumber.customer_id).where(PhoneNumber.nsn_tail == bindparam("tail", type_=String), ~ours)
    match = json.object(card=_card(json, order))
    return select(cast(match, Text)).where(Customer.id.in_(owners)).order_by(order, Customer.id).limit(MOST_CANDIDATES)


def _card(json: _Json, order: ColumnElement[int]) -> ColumnElement[Any]:
    return json.object(
        customer_id=Customer.id,
        version=Customer.version,
        name=Customer.name,
        company=Customer.company,
        email=Customer.email,
        address=Customer.address,
        note=Customer.note,
        photo=Customer.photo,
        source=Customer.source,
        order=order,
        numbers=_numbers(json),
        debt=json.object(minor=Customer.debt_minor, currency=Customer.currency),
        orders=_orders(json),
        manager=_manager(json),
        deputy=_deputy(json),
        team=_team(json),
        last_task=_last_task(json),
        external_id=func.coalesce(Customer.external_id, ""),
        custom=json.kept(Customer.custom),
        spoke_last=_spoke_last(json),
    )


def _numbers(json: _Json) -> ColumnElement[Any]:
    """Numbers, then ranges as typed."""
    shown = func.coalesce(PhoneNumber.e164, PhoneNumber.raw).label("shown")
    numbers = select(literal(0).label("kind"), PhoneNumber.id, shown, PhoneNumber.label, PhoneNumber.ext)
    ranges = select(literal(1), NumberRange.id, NumberRange.raw, NumberRange.label, literal(""))
    rows = union_all(
        numbers.where(PhoneNumber.customer_id == Customer.id).correlate(Customer),
        ranges.where(NumberRange.customer_id == Customer.id).correlate(Customer),
    ).subquery()
    number = json.object(e164=rows.c.shown, label=rows.c.label, ext=rows.c.ext)
    return json.many(select(number).order_by(rows.c.kind, rows.c.id))


def _orders(json: _Json) -> ColumnElement[Any]:
    """Current ones, newest first."""
    order = json.object(
        number=Order.number,
        title=Order.title,
        state=Order.state,
        total=json.object(minor=Order.total_minor, currency=Order.currency),
        placed_at=json.moment(Order.placed_at),
    )
    return json.many(
        select(order)
        .where(Order.customer_id == Customer.id, Order.state == "open")
        .order_by(Order.placed_at.desc(), Order.id.desc())
        .limit(ORDERS_SHOWN)
        .correlate(Customer)
    )


def _manager(json: _Json) -> ColumnElement[Any]:
    manager = aliased(User)
    return json.one(select(_person(json, manager)).where(manager.id == Customer.manager_id).correlate(Customer))


def _deputy(json: _Json) -> ColumnElement[Any]:
    manager, deputy = aliased(User), aliased(User)
    return json.one(
        select(_person(json, deputy))
        .join(manager, manager.deputy_id == deputy.id)
        .where(manager.id == Customer.manager_id)
        .correlate(Customer)
    )


def _spoke_last(json: _Json) -> ColumnElement[Any]:
    """Who of our people answered the last call of this customer that somebody did."""
    colleague = aliased(User)
    spoke = json.object(person=_person(json, colleague), at=json.moment(CallRow.answered_at))
    return json.one(
        select(spoke)
        .select_from(CallRow)
        .join(colleague, colleague.id == CallRow.answered_by_id)
        .where(CallRow.customer_id == Customer.id, CallRow.answered_by_id.is_not(None))
        .order_by(CallRow.answered_at.desc())
        .limit(1)
        .correlate(Customer)
    )


def _person(json: _Json, user: Any) -> ColumnElement[Any]:
    """Who has left stays on the card, so that people know whom to ask about; their phones no longer ring."""
    seats = select(EndpointPerson.endpoint_id).where(EndpointPerson.user_id == user.id, user.active).correlate(user)
    return json.object(user_id=user.id, name=user.name, phones=_phones(json, seats, user))


def _team(json: _Json) -> ColumnElement[Any]:
    """The phones of everyone in the manager's team, each once."""
    manager, member = aliased(User), aliased(User)
    seats = (
        select(EndpointPerson.endpoint_id)
        .join(member, member.id == EndpointPerson.user_id)
        .join(manager, manager.team_id == member.team_id)
        .where(manager.id == Customer.manager_id, member.active)
        .correlate(Customer)
    )
    return _phones(json, seats, Customer)


def _phones(json: _Json, seats: Select[Any], outer: Any) -> ColumnElement[Any]:
    phone = json.object(node=Endpoint.node, name=Endpoint.name, inside=json.truth(Endpoint.inside))
    return json.many(select(phone).where(Endpoint.id.in_(seats)).order_by(Endpoint.id).correlate(outer))


def _last_task(json: _Json) -> ColumnElement[Any]:
    """What is still to be done comes before what is done; of these the newest."""
    responsible = select(User.name).where(User.id == Task.user_id).correlate(Task).scalar_subquery()
    task = json.object(
        title=Task.title,
        state=Task.state,
        due_at=json.moment(Task.due_at),
        responsible=func.coalesce(responsible, ""),
    )
    return json.one(
        select(task)
        .where(Task.customer_id == Customer.id)
        .order_by(case((Task.state == "open", 0), else_=1), Task.created_at.desc(), Task.id.desc())
        .limit(1)
        .correlate(Customer)
    )
