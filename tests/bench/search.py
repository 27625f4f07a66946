"""How long finding a customer takes among very many, beside the plain LIKE '%x%' of the same database.

A base of people with names in several scripts, each with a company, an address of mail, a number, an order and an
external id. Questions of each kind are asked one by one as the desk asks them, with everything that its page shows; of
every kind some are asked in turns with one statement by the driver alone that looks for the same text.
"""

from __future__ import annotations

import gc
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine, make_url, text

from lookup.numbers import NumberPlan, read
from records import search_index, search_rows
from records.database import open_database, reading, writer
from records.finding import Filters, find_customers
from tests.bench.base import DAY, fill_base
from tests.bench.distribution import Distribution, distribution, rows
from tests.bench.machine import Busy, watching
from tests.bench.scale import own_postgres

ASKED = 60  # of each kind
PLAINLY = 5  # of these, as a plain LIKE too
LONG_MS = 3000.0  # a plain one that took so long is not asked again
PLAIN_ENDS_MS = 10_000  # PostgreSQL is told to end one then: of some it would read a million rows for each of a million
PAGE = 50
ANSWER_S = 60.0


def _words(text: str) -> list[str]:
    return text.split()


FAMILY = _words(
    "Sok Chan Keo Lim Chea Heng Kim Meas Nget Ouk Pich Prak Sam Seng Som Sao Tep Touch Yim You Smith "
    "Jones Brown Miller Davis Garcia Martin Bernard Dubois Rossi Müller Schmidt Weber Fischer Novák "
    "Kowalski Nagy Popescu Silva Costa"
)
GIVEN = _words(
    "Dara Bopha Vanna Rithy Sophea Mony Chanthy Lina Piseth Samnang Kosal Vuthy Ratha Sreymom Thida Borey "
    "Kunthea James Mary Anna John Sarah Thomas Laura Peter Julia Martin Elena Lucas Zoë José André Chloé "
    "Björn Ákos Şule"
)
CYRILLIC = _words("Иванов Петров Сидоров Кузнецов Смирнов Попов Васильев Соколов Михайлов Новиков Фёдоров Морозов")
CYRILLIC_GIVEN = _words("Пётр Иван Алексей Мария Ольга Дмитрий Сергей Наталья Андрей Елена Юрий Татьяна")
KHMER = _words("សុខ ចាន់ កែវ លឹម ជា ហេង គឹម មាស ង៉ែត អ៊ុក ពេជ្រ ប្រាក់")
KHMER_GIVEN = _words("ដារា បុប្ផា វណ្ណា រិទ្ធី សុភា មុនី ចន្ធី លីណា ពិសិដ្ឋ សំណាង កុសល វុទ្ធី")
CHINESE = "王李张刘陈杨黄赵吴周徐孙"
CHINESE_GIVEN = "小明建国秀英志强丽华文军海燕春梅伟芳"
TRADES = _words(
    "Rice Dental Hotel Motors Textile Coffee Timber Export Garden Printing Marine Pharma Glass Travel Foods Steel"
)
PLACES = _words(
    "Angkor Mekong Bassac Kampot Takeo Pursat Riverside Northern Central Golden Lotus Naga Sunrise Union Delta"
)


@dataclass(frozen=True, slots=True)
class Folk:
    """Customer `id`: always the same."""

    id: int

    def _pick(self, of: Sequence[str], salt: int) -> str:
        """Each apart from the others: who has one name has any other."""
        drawn = blake2b(f"{salt} {self.id}".encode(), digest_size=4).digest()
        return of[int.from_bytes(drawn, "big") % len(of)]

    @property
    def name(self) -> str:
        match self.id % 10:
            case 0:
                return f"{self._pick(CHINESE, 1)}{self._pick(CHINESE_GIVEN, 2)}{self._pick(CHINESE_GIVEN, 3)}"
            case 1 | 2:
                return f"{self._pick(CYRILLIC, 1)} {self._pick(CYRILLIC_GIVEN, 2)}"
            case 3 | 4:
                return f"{self._pick(KHMER, 1)} {self._pick(KHMER_GIVEN, 2)}"
            case _:
                return f"{self._pick(FAMILY, 1)} {self._pick(GIVEN, 2)} {self._pick(GIVEN, 3)}"

    @property
    def company(self) -> str:
        return f"{self._pick(PLACES, 4)} {self._pick(TRADES, 5)} {self.id % 977}"

    @property
    def email(self) -> str:
        return f"office{self.id}@{self._pick(PLACES, 4).lower()}.example"

    @property
    def number(self) -> str:
        return f"+85596{(2_000_000 + self.id * 7_919) % 10_000_000:07}"

    @property
    def national(self) -> str:
        return "0" + self.number.removeprefix("+855")

    @property
    def external_id(self) -> str:
        return f"C-{self.id * 31 % 100_000_007:08}"

    @property
    def order(self) -> str:
        return f"#{self.id * 17 % 90_000_049:08}"


def _rows(table: str, first: int, count: int, manager: int) -> Iterator[tuple[object, ...]]:
    for id in range(first, first + count):
        one = Folk(id)
        if table == "customers":
            owes, by = (12_000 if id % 5_000 == 0 else 0), (manager if id % 20 == 0 else None)
            yield id, one.name, one.company, one.email, "", "", "", owes, "USD", by, 1, DAY, DAY
        elif table == "phone_numbers":
            yield id, id, one.national, one.number, one.number, one.number[-9:], "mobile", "", 1
        else:
            yield id, id, one.order, "Rice, 50 kg", "open", 4_250, "USD", DAY


@dataclass(frozen=True, slots=True)
class Question:
    typed: str
    wanted: int | None = None  # who must be among the first fifty
    filters: Filters = field(default_factory=Filters)
    after: str = ""


Kind = Callable[[random.Random, int], Question]


def _of(make: Callable[[Folk, random.Random], str], unique: bool = False) -> Kind:
    def kind(chance: random.Random, count: int) -> Question:
        one = Folk(chance.randint(1, count))
        return Question(make(one, chance), one.id if unique else None)

    return kind


def _inner(word: str, chance: random.Random, size: int) -> str:
    at = chance.randint(0, max(0, len(word) - size))
    return word[at : at + size]


def _mistyped(word: str, chance: random.Random) -> str:
    at = chance.randint(1, len(word) - 2)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


KINDS: Mapping[str, Kind] = {
    "a whole name": _of(lambda one, _: one.name),
    "the first letter": _of(lambda one, _: one.name[:1]),
    "the first two letters": _of(lambda one, _: one.name[:2]),
    "the first three letters": _of(lambda one, _: one.name[:3]),
    "the second word of a name": _of(lambda one, _: one.name.split()[-1]),
    "four letters from within": _of(lambda one, chance: _inner(one.name.split()[0], chance, 4)),
    "three letters from within": _of(lambda one, chance: _inner(one.name.split()[-1], chance, 3)),
    "a trade, which very many have": _of(lambda one, _: one.company.split()[1]),
    "a company": _of(lambda one, _: one.company),
    "a number, as dialled at home": _of(lambda one, _: one.national, unique=True),
    "a number, as the world dials it": _of(lambda one, _: one.number, unique=True),
    "the last five digits": _of(lambda one, _: one.number[-5:]),
    "four digits from within": _of(lambda one, chance: _inner(one.number, chance, 4)),
    "an address of mail": _of(lambda one, _: one.email, unique=True),
    "what ends every address": _of(lambda one, _: ".example"),
    "an order": _of(lambda one, _: one.order, unique=True),
    "an external id": _of(lambda one, _: one.external_id, unique=True),
    "a name and some digits": _of(lambda one, _: f"{one.name.split()[0]} {one.number[-4:]}"),
    "a name with a typing error": _of(lambda one, chance: _mistyped(one.company.split()[0], chance)),
    "nobody's name": _of(lambda one, chance: f"qx{_inner(one.company, chance, 4)}zq".replace(" ", "")),
}


@dataclass(slots=True)
class Search:
    """Times in milliseconds."""

    database: str
    customers: int
    machine: Busy = field(default_factory=Busy)
    filled_s: float = 0.0  # rows and index made of what was there
    bytes_each: float = 0.0  # that they take, of one customer
    ours: dict[str, Distribution] = field(default_factory=dict)
    computing: dict[str, Distribution] = field(default_factory=dict)  # of these, on the processor, the database's too
    plain: dict[str, Distribution] = field(default_factory=dict)
    plain_computing: dict[str, Distribution] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    def text(self) -> str:
        every = distribution([d.p99 for d in self.ours.values()])
        return "\n".join(
            (
                f"\n{self.database}, {self.customers:,} customers; {self.machine}",
                f"  made findable in {self.filled_s:.0f} s, {self.bytes_each:,.0f} bytes each;"
                f" the largest p99 of a kind {every.max:.0f} ms",
                *rows(self.ours, "ms", 1),
                "  of this on the processor:",
                *rows(self.computing, "ms", 1),
                "  plain LIKE:",
                *rows(self.plain, "ms", 1),
                "  of this on the processor:",
                *rows(self.plain_computing, "ms", 1),
            )
        )


def run(customers: int, kinds: Sequence[str], tell: Callable[[str], None]) -> list[Search]:
    tell("\nsearch: finding one among very many")
    measured = []
    for kind in kinds:
        with _database(kind) as url:
            measured.append(measure(kind, url, customers))
        tell(measured[-1].text())
    return measured


@contextmanager
def _database(kind: str) -> Iterator[str]:
    if kind == "SQLite":
        with tempfile.TemporaryDirectory(prefix="ringcard-bench-") as folder:
            yield f"sqlite:///{folder}/ringcard.db"
    else:
        with own_postgres() as server:
            yield server.new_database()


def measure(name: str, url: str, customers: int) -> Search:
    found = Search(name, customers)
    database = open_database(url, ANSWER_S)
    try:
        with watching() as found.machine:
            fill_base(database, customers, _rows)
            _make_findable(found, database)
            with closing(_plain(url)) as connection:
                _ask(found, database, connection)
    finally:
        database.dispose()
    return found


def _make_findable(found: Search, database: Engine) -> None:
    """As a migration does it."""
    before = _size(database)
    with writer(open_database(_url(database), 3600)).begin() as connection:
        connection.execute(
            text(
                "UPDATE customers SET external_id = 'C-' || substr('00000000' || CAST(id * 31 % 100000007 AS text), -8)"
            )
            if found.database == "SQLite"
            else text("UPDATE customers SET external_id = 'C-' || lpad((id::bigint * 31 % 100000007)::text, 8, '0')")
        )
    began = time.perf_counter()
    with writer(open_database(_url(database), 3600)).begin() as connection:
        search_index.remove(connection)
        if found.database == "PostgreSQL":
            connection.execute(text(f"DROP INDEX {search_index.INDEX}"))
        search_rows.make_all(connection)
        search_index.install(connection)
        connection.execute(text("DELETE FROM changes"))
    found.filled_s = time.perf_counter() - began
    found.bytes_each = (_size(database) - before) / found.customers
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if found.database == "PostgreSQL":
            connection.execute(text("VACUUM ANALYZE"))


def _url(database: Engine) -> str:
    return database.url.render_as_string(hide_password=False)


def _size(database: Engine) -> int:
    if database.dialect.name == "sqlite":
        return Path(str(database.url.database)).stat().st_size
    with database.connect() as connection:
        return int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)


def _ask(found: Search, database: Engine, connection: Any) -> None:
    chance = random.Random(1)
    backends = (_backend(database), connection.backend)
    ours: dict[str, list[tuple[float, float]]] = {}
    plain: dict[str, list[tuple[float, float]]] = {}
    questions = [(kind, make(chance, found.customers)) for kind, make in KINDS.items() for _ in range(ASKED)]
    questions += _lists(database, chance)
    asked: dict[str, int] = {}
    chance.shuffle(questions)
    gc.collect()
    gc.freeze()  # what was loaded for measuring is not looked through in between
    for _, question in questions[:50]:  # to warm up
        _timed(backends[0], _find, database, question)
    for kind, question in questions:
        took, page = _timed(backends[0], _find, database, question)
        ours.setdefault(kind, []).append(took)
        if question.wanted and question.wanted not in page:
            found.faults += (f"{found.database}: {question.typed} does not find customer {question.wanted}",)
        asked[kind] = asked.get(kind, 0) + 1
        long = any(took > LONG_MS for took, _ in plain.get(kind, ()))
        if question.typed and asked[kind] <= PLAINLY and not long:
            took, _ = _timed(backends[1], connection.ask, question.typed)
            plain.setdefault(kind, []).append(took)
    order = [*KINDS, *(kind for kind in ours if kind not in KINDS)]
    ours["all of these"] = [took for some in ours.values() for took in some]
    order.append("all of these")
    found.ours, found.computing = ({kind: distribution(t[at] for t in ours[kind]) for kind in order} for at in (0, 1))
    found.plain, found.plain_computing = (
        {kind: distribution(t[at] for t in plain[kind]) for kind in order if kind in plain} for at in (0, 1)
    )


def _lists(database: Engine, chance: random.Random) -> list[tuple[str, Question]]:
    """The list without a search, filtered, and far from its beginning."""
    with reading(database) as session:
        far = find_customers(session, limit=500)
        for _ in range(10):
            far = find_customers(session, limit=500, after=far.next or "")
    return [
        (kind, question)
        for kind, question in (
            ("the whole list", Question("")),
            ("the list, 5500 customers on", Question("", after=far.next)),
            ("a manager's customers", Question("", filters=Filters(manager_id=1))),
            ("who owes money", Question("", filters=Filters(owes=True))),
            ("who owes money, by a letter", Question("s", filters=Filters(owes=True))),
            ("a manager's, by a trade", Question("rice", filters=Filters(manager_id=1))),
        )
        for _ in range(ASKED)
    ]


def _find(database: Engine, question: Question) -> list[int]:
    with reading(database) as session:
        page = find_customers(
            session,
            question.typed,
            filters=question.filters,
            read_number=lambda raw: read(raw, NumberPlan("KH")),
            after=question.after,
            limit=PAGE,
        )
    return [one.id for one in page.items]


def _timed(backend: int, does: Callable[..., Any], *of: Any) -> tuple[tuple[float, float], Any]:
    """Milliseconds by the clock, and on the processor."""
    began, spent = time.perf_counter(), _spent(backend)
    result = does(*of)
    return ((time.perf_counter() - began) * 1000, (_spent(backend) - spent) / 1e6), result


def _spent(backend: int) -> int:
    """Nanoseconds of processor time, ours and that of PostgreSQL's process for us."""
    theirs = int(Path(f"/proc/{backend}/schedstat").read_text().split()[0]) if backend else 0
    return time.thread_time_ns() + theirs


def _backend(database: Engine) -> int:
    """The process that answers the only connection in use; 0: SQLite has none."""
    if database.dialect.name == "sqlite":
        return 0
    with database.connect() as connection:
        return int(connection.scalar(text("SELECT pg_backend_pid()")) or 0)


# --- the plain way

PLAIN = """
    SELECT id, name FROM customers WHERE lower(name) LIKE {0} OR lower(company) LIKE {0} OR lower(email) LIKE {0}
        OR external_id LIKE {0} OR id IN (SELECT customer_id FROM phone_numbers WHERE raw LIKE {0} OR e164 LIKE {0})
        OR id IN (SELECT customer_id FROM orders WHERE number LIKE {0})
    ORDER BY name LIMIT 51
"""


class _Plain:
    def __init__(self, connection: Any, place: str) -> None:
        self._connection = connection
        self.backend: int = connection.info.backend_pid if place == "%s" else 0
        self._statement = PLAIN.format(place)
        self._count = self._statement.count(place) if place == "%s" else 1

    def ask(self, typed: str) -> list[Any]:
        try:
            return list(self._connection.execute(self._statement, (f"%{typed.lower()}%",) * self._count).fetchall())
        except psycopg.errors.QueryCanceled:
            return []

    def close(self) -> None:
        self._connection.close()


def _plain(url: str) -> _Plain:
    parts = make_url(url)
    if parts.get_backend_name() == "sqlite":
        connection = sqlite3.connect(str(parts.database))
        connection.create_function("lower", 1, lambda value: value and value.lower(), deterministic=True)
        return _Plain(connection, "?1")
    place: dict[str, Any] = {"host": str(parts.query["host"]), "user": parts.username, "dbname": parts.database}
    own = psycopg.connect(**place, autocommit=True)
    own.execute(f"SET statement_timeout = {PLAIN_ENDS_MS}")
    return _Plain(own, "%s")
