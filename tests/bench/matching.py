"""Whether anybody is ever called by a wrong name: strangers against a large base, and hostile callers.

No figure of speed is meant here. `strangers` has callers whom nobody entered, many of them one digit away from somebody
who is, looked up in a real database of many customers and ranges: none may be named. `hostile` sends what no telephone
should send through the whole lookup, with names in the base that no company should have: nothing may fail, and whoever
is found has the number that was called from. Both say the seed that repeats them.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import uvloop
from sqlalchemy import Connection
from sqlalchemy import Engine as Database

from config.settings import Did, Lookup, Routing
from lookup import numbers
from lookup.answers import Caller, Found, Unknown
from lookup.card import Card, CardNumber, Choice, Person, Phone
from lookup.channel_values import ALL, CALLER_NAME, INHERITED, channel_values, packed
from lookup.engine import Engine
from lookup.links import addresses
from lookup.memory_cards import MemoryCache, MemorySource
from lookup.naming import phone_name
from lookup.numbers import NORM_VERSION, NumberPlan
from lookup.routing import route
from lookup.sql_cards import SqlCards
from records import marks
from records.database import open_database, writer
from records.migrate import migrate
from records.tables import Base, Customer, NumberRange, PhoneNumber

T = TypeVar("T")

LATE_S = 60.0
AT_ONCE = 32
ROWS = 10_000
DAY = "2026-03-02 09:00:00.000000"

POOLS = (
    *(f"+7{code}" for code in (700, 701, 702, 705, 707, 708, 747, 771, 775, 776, 777, 778)),  # Kazakhstan
    *(f"+7{code}" for code in (903, 905, 909, 910, 915, 916, 917, 925, 926, 985)),  # Russia
    *(f"+8551{digit}" for digit in "0123456789"),  # Cambodia
    *(f"+1{code}" for code in (212, 213, 312, 415, 617, 718)),
)
"""How mobile numbers begin. As in a real base, most numbers of a caller's country begin like somebody's in it."""

LENGTH = {"+7": 12, "+8": 12, "+1": 12}  # characters of the whole; Cambodia's longest mobiles

RANGES = 1_000
RANGE_POOL = "+7495"  # Moscow, where nobody of the base has a mobile
PLANS = {"": NumberPlan("KH"), "us": NumberPlan("US"), "kz": NumberPlan("KZ", dial_prefixes=("9",))}


# --- strangers


@dataclass(frozen=True, slots=True)
class Strangers:
    """How many were named; `faults` has those who must not be."""

    seed: int
    base: int
    callers: int  # whose number was valid
    unvalidated: int  # whose number was not
    probable: int  # of these: shown as a card by last digits, and not named
    took_s: float
    faults: tuple[str, ...]

    def text(self) -> str:
        share = f" ({self.probable / self.unvalidated:.3%})" if self.unvalidated else ""
        return (
            f"  {self.callers} strangers with a valid number against {self.base} numbers and {RANGES} ranges: "
            f"{len(self.faults)} named (seed {self.seed}, {self.took_s:.0f} s)\n"
            f"  {self.unvalidated} strangers whose number was not valid: {self.probable}{share} shown by last digits, "
            "none named"
        )


def drawn(chance: random.Random) -> str:
    """A mobile number."""
    begin = chance.choice(POOLS)
    count = LENGTH[begin[:2]] - len(begin)
    return f"{begin}{chance.randrange(10**count):0{count}}"


def tail_of(number: str) -> str:
    return number[-8:] if number.startswith("+855") else number[-9:]


def pieces(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    rest = iter(items)
    while piece := tuple(islice(rest, size)):
        yield piece


def base_of(count: int, chance: random.Random) -> set[str]:
    base: set[str] = set()
    while len(base) < count:
        base.add(drawn(chance))
    return base


def ranges_of(chance: random.Random) -> set[str]:
    """Each a hundred numbers; every second hundred of some thousands, so that each has a stranger next door."""
    return {f"{RANGE_POOL}{number:05}" for number in chance.sample(range(20_000, 90_000, 2), RANGES)}


def callers_beside(base: set[str], spans: set[str], chance: random.Random) -> Iterator[str]:
    """Without end: numbers that nobody of the base has, as trunks bring them."""
    somebody = list(islice(base, 10_000))
    ranges = sorted(spans)
    while True:
        kind = chance.randrange(4)
        if kind == 0:  # one digit away from somebody
            number = list(chance.choice(somebody))
            number[chance.randrange(5, len(number))] = chance.choice("0123456789")
            stranger = "".join(number)
        elif kind == 1:  # next to a range
            prefix = chance.choice(ranges)
            stranger = f"{RANGE_POOL}{int(prefix.removeprefix(RANGE_POOL)) + 1:05}{chance.randrange(100):02}"
        else:
            stranger = drawn(chance)
        if stranger not in base:
            spaced = f"{stranger[:5]} {stranger[5:8]}-{stranger[8:]}"
            yield chance.choice((stranger, stranger, f"00{stranger[1:]}", spaced))


def fill(database: Database, base: Iterable[str], spans: Iterable[str]) -> None:
    """As fast as the driver takes rows, without the notes of changes: nobody keeps a cache of this base."""
    with writer(database).begin() as connection:
        marks.remove(connection)
        customer_id = 0
        for part in pieces(base, ROWS):
            first, customer_id = customer_id + 1, customer_id + len(part)
            ids = range(first, customer_id + 1)
            _insert(connection, Customer, [_customer(i) for i in ids])
            _insert(connection, PhoneNumber, [_number(i, number) for i, number in zip(ids, part, strict=True)])
        owned = list(enumerate(spans, customer_id + 1))
        _insert(connection, Customer, [_customer(i) for i, _ in owned])
        _insert(connection, NumberRange, [_span(i, span) for i, span in owned])
        marks.install(connection)


def _insert(connection: Connection, table: type[Base], rows: Sequence[Mapping[str, object]]) -> None:
    """By the driver's own executemany: SQLAlchemy looks at every value once more. What is not named has its default."""
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    into = f"{table.__tablename__} ({', '.join(rows[0])}) VALUES ({', '.join(mark for _ in rows[0])})"
    connection.exec_driver_sql(f"INSERT INTO {into}", [tuple(row.values()) for row in rows])


def _customer(customer_id: int) -> dict[str, object]:
    texts = dict.fromkeys(("company", "email", "address", "note", "photo"), "")
    numbers = {"debt_minor": 0, "currency": "USD", "version": 1, "created_at": DAY, "updated_at": DAY}
    return {"id": customer_id, "name": f"Customer {customer_id}", **texts, **numbers}


def _span(customer_id: int, span: str) -> dict[str, object]:
    read = {"raw": f"{span}xx", "prefix": span, "open_digits": 2}
    return {"customer_id": customer_id, "label": "", "norm_version": NORM_VERSION, **read}


def _number(customer_id: int, number: str) -> dict[str, object]:
    read = {"raw": number, "e164": number, "match_key": number, "nsn_tail": tail_of(number)}
    return {"customer_id": customer_id, "label": "", "ext": "", "norm_version": NORM_VERSION, **read}


async def strangers(url: str, base_count: int, caller_count: int, seed: int) -> Strangers:
    """Calls by `caller_count` strangers, with a migrated, empty database. Raises AssertionError when it stays empty."""
    chance = random.Random(seed)
    base, spans = base_of(base_count, chance), ranges_of(chance)
    database = open_database(url, LATE_S)
    fill(database, sorted(base), sorted(spans))  # in the order of the indexes
    database.dispose()
    source = SqlCards(url, LATE_S)
    engine = Engine(PLANS, MemoryCache(), source, Lookup())
    valid = unvalidated = probable = 0
    faults: list[str] = []
    began = time.monotonic()
    try:
        await _base_is_there(engine, base, spans)
        for raws in pieces(islice(callers_beside(base, spans, chance), caller_count), AT_ONCE):
            answers = await asyncio.gather(*(engine.find(Caller(raw), LATE_S) for raw in raws))
            for raw, answer in zip(raws, answers, strict=True):
                is_valid = bool(numbers.read(raw, PLANS[""]).match_key)
                valid, unvalidated = valid + is_valid, unvalidated + (not is_valid)
                if isinstance(answer, Found) and not is_valid and answer.tier == "probable" and not phone_name(answer):
                    probable += 1
                elif not isinstance(answer, Unknown):
                    faults.append(f"{raw} was {answer}")
    finally:
        await engine.close()
        await source.close()
    took_s = time.monotonic() - began
    return Strangers(seed, base_count, valid, unvalidated, probable, took_s, tuple(faults))


async def _base_is_there(engine: Engine, base: set[str], spans: set[str]) -> None:
    """Else nobody being found would say nothing."""
    known = [number for number in islice(base, 1000) if numbers.read(number, PLANS[""]).match_key]
    inside = [f"{span}50" for span in islice(spans, 3)]
    for raw, tier in [*((number, "exact") for number in known[:3]), *((number, "range") for number in inside)]:
        answer = await engine.find(Caller(raw), LATE_S)
        assert isinstance(answer, Found), raw
        assert answer.tier == tier, raw


# --- hostile callers


@dataclass(frozen=True, slots=True)
class Hostile:
    seed: int
    callers: int
    found: int
    took_s: float
    faults: tuple[str, ...]

    def text(self) -> str:
        return (
            f"  {self.callers} hostile callers, of whom {self.found} had a customer's number: "
            f"{len(self.faults)} faults (seed {self.seed}, {self.took_s:.0f} s)"
        )


NAMES = (
    "'; DROP TABLE customers; --",
    "<script>alert(1)</script>",
    "Sok\r\nX-Injected: yes",
    "${SHELL(id)}&System(id)",
    "\u202eevil\u202c|\x00\x1b[2J",
    "a\u0301" * 500,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 50,
    '"\\", <sip:x@y>',
    "សុខ" * 80,
    " ",
)
WORDS = (
    *("anonymous", "unknown", "NaN", "null", "None", "' OR 1=1 --", "%s%n", "../../etc/passwd", "sip:", "tel:;ext="),
    *("${EXTEN}", "`id`", "\x00", "\ud800", "\u200f", "+", "++", ";ext=", "x", "ext", "@", "<>", "｡", "٪", "𝟘"),
)
NOT_SHOWN = ("Cc", "Cf", "Cs", "Zl", "Zp")
JOINERS = "\u200c\u200d"  # scripts and emoji are spelled with these
SEPARATORS = (" ", "-", "(", ")", "/", ".", "\u00a0", "\u202d", "+", "0", ";", ",")
WRAPPERS = ("{}", "{}", "sip:{}@192.0.2.1", "<sip:{}>", "tel:{};ext=7", '"{}"', "00{}", "9{}", "{} ext 7")
LETTERS = "abcdefghijklmnopqrstuvwyzжщ中ក"


def no_number(chance: random.Random) -> str:
    """Text that nobody would take for a telephone number: words, or digits with letters all through them."""
    if chance.random() < 0.5:
        return "".join(chance.choice(WORDS) for _ in range(chance.randrange(1, 12)))
    pairs = (f"{chance.randrange(10)}{chance.choice(LETTERS)}" for _ in range(chance.randrange(4, 30)))
    return "".join(pairs) + chance.choice(LETTERS)


def battered(number: str, chance: random.Random) -> str:
    """A customer's number after an accident."""
    text = list(number)
    for _ in range(chance.randrange(4)):
        place = chance.randrange(len(text) + 1)
        match chance.randrange(4):
            case 0:
                text.insert(
                    place, chance.choice((" ", "-", "(", ")", "/", ".", "\u00a0", "\u202d", "+", "0", ";", ","))
                )
            case 1 if len(text) > 1:
                del text[place - 1]
            case 2 if place:
                text[place - 1] = chance.choice("0123456789٣៥")
            case _:
                text.insert(place, chance.choice(WORDS) if chance.random() < 0.3 else chance.choice("0123456789x#*"))
    return chance.choice(WRAPPERS).format("".join(text)) + chance.choice(("", "", "", "\r\nVia: x", "9" * 300, "\x00"))


async def hostile(caller_count: int, seed: int) -> Hostile:
    """All stores in memory: what is tried is the way from the caller's text to the channel's variables."""
    chance = random.Random(seed)
    source, people = MemorySource(), _people(chance)
    for card, prefix in people.values():
        number = card.numbers[0]
        if prefix:
            source.add_range(card, prefix, 2, number.e164)
        else:
            source.add(card, number.e164, tail_of(number.e164))
    for card, _ in list(people.values())[::10]:
        choice = Choice(chance.choice(NAMES), "2026-03-01T08:00:00Z")
        source.choose(card.numbers[0].e164, card.customer_id, choice)
    engine = Engine(PLANS, MemoryCache(), source, Lookup())
    known = [card.numbers[0].e164.replace("x", "5") for card, _ in people.values()]
    found, faults, began = 0, list[str](), time.monotonic()
    for _ in range(caller_count):
        is_number = chance.random() < 0.7
        raw = battered(chance.choice(known), chance) if is_number else no_number(chance)
        presentation = chance.choice(("", "allowed", "prohib", "x\r\n"))
        caller = Caller(raw, chance.choice(NAMES), presentation, chance.choice(("", "us", "kz", *NAMES)))
        with _telling(faults, caller):
            answer = await engine.find(caller, LATE_S)
            way = route(answer, Did("route"), Routing(), "pbx")
            name = phone_name(answer) if isinstance(answer, Found) else ""
            chosen = answer.chosen if isinstance(answer, Found) else None
            links = addresses("https://desk.example", "secret", chosen, "call-1", 2_000_000_000) if chosen else None
            _check_values(channel_values("call-1", answer, way, name, links))
            if isinstance(answer, Found):
                found += 1
                assert is_number, f"found {answer}"
                assert caller.presentation != "prohib", "was withheld"
                for card in answer.candidates:
                    assert _is_in(card, raw), f"is not {card.numbers[0].e164}"
    await engine.close()
    return Hostile(seed, caller_count, found, time.monotonic() - began, tuple(faults))


@contextmanager
def _telling(faults: list[str], caller: Caller) -> Iterator[None]:
    try:
        yield
    except Exception as exc:  # whatever it is, it is what was looked for
        faults.append(f"{caller!r}: {type(exc).__name__}: {exc}")


def _people(chance: random.Random) -> dict[int, tuple[Card, str]]:
    """Customers with hostile names, every fifth with a range (then the text is how it begins)."""
    people: dict[int, tuple[Card, str]] = {}
    for customer_id in range(1, 301):
        number = drawn(chance)
        prefix = number[:-2] if customer_id % 5 == 0 else ""
        manager = Person(1, chance.choice(NAMES), (Phone("pbx", chance.choice(("101", *NAMES))),))
        card = Card(
            customer_id,
            1,
            chance.choice(NAMES),
            company=chance.choice(NAMES),
            photo="ab" * 32,
            numbers=(CardNumber(f"{prefix}xx" if prefix else number, ext=chance.choice(("", "7"))),),
            manager=chance.choice((None, manager)),
        )
        people[customer_id] = card, prefix
    return people


def _is_in(card: Card, raw: str) -> bool:
    """The customer's digits, without the country's, stand in the text as it came, in their order."""
    digits = "".join(str(unicodedata.decimal(char, "")) for char in unicodedata.normalize("NFKC", raw))
    e164 = card.numbers[0].e164.rstrip("x")
    national = e164.removeprefix("+855").removeprefix("+7").removeprefix("+1")
    return national[-8:] in digits


def _check_values(values: dict[str, str]) -> None:
    assert {name.removeprefix(INHERITED) for name in values} <= ALL | {CALLER_NAME}
    for name, value in (values | packed(values)).items():
        hidden = {char for char in value if unicodedata.category(char) in NOT_SHOWN and char not in JOINERS}
        assert not hidden, f"{name} is {value!r}"
        assert len(value.encode()) < 20_000, f"{name} has {len(value.encode())} octets"


# --- both


def run(
    base: int, callers: int, fuzz: int, seed: int, url: str, tell: Callable[[str], None]
) -> list[Strangers | Hostile]:
    """`url`: an empty database; empty text: SQLite in a folder that is thrown away."""
    numbers.warm()
    tell("\nmatching: nobody is called by a wrong name")
    with tempfile.TemporaryDirectory(prefix="ringcard-bench-") as folder:
        url = url or f"sqlite:///{Path(folder) / 'ringcard.db'}"
        database = open_database(url)
        migrate(database)
        database.dispose()
        measured: list[Strangers | Hostile] = [uvloop.run(hostile(fuzz, seed))]
        tell(measured[-1].text())
        measured.append(uvloop.run(strangers(url, base, callers, seed)))
        tell(measured[-1].text())
    return measured
