"""A company's customers to measure with: each with a number, a photo, a debt, orders, a task and a manager.

A card of them has about a kilobyte. No two have the same number or name, so that one call can never warm up another's
lookup, and a name on a telephone tells whose card it came from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, delete, insert

from lookup.numbers import NORM_VERSION
from records.database import writing
from records.tables import Change, Customer, Order, PhoneNumber, Task, User
from records.users import add_user, seat
from ringcard.lab import NODE

_PASSWORD = "nobody-signs-in"
SOME_DAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Person:
    index: int
    is_customer: bool = True

    @property
    def customer_id(self) -> int:
        return 1 + self.index

    @property
    def name(self) -> str:
        return f"Sok Dara {self.index:05}"

    @property
    def number(self) -> str:
        """A Cambodian mobile number in E.164."""
        return f"+85596{2_000_000 + self.index:07}"

    @property
    def national(self) -> str:
        return "0" + self.number.removeprefix("+855")


def strangers(first: int, count: int) -> list[Person]:
    """People whom nobody will enter."""
    return [Person(5_000_000 + first + i, is_customer=False) for i in range(count)]


def enter_manager(database: Engine, phone: str = "101") -> int:
    """The manager of all customers, at `phone`, with a deputy and a team; the user's id."""
    with writing(database) as session:
        dara = add_user(session, "dara", "Kim Dara", _PASSWORD, team="sales")
        lina = add_user(session, "lina", "Chan Lina", _PASSWORD, team="sales", deputy=dara)
        for user, endpoint in ((lina, phone), (dara, "102")):
            seat(session, user.id, NODE, endpoint)
        return lina.id


def enter_managers(database: Engine, phones: Sequence[str]) -> dict[str, int]:
    """One manager at each of these telephones, who has no password; their ids by telephone."""
    with writing(database) as session:
        people = {
            phone: User(
                login=f"m{phone}", name=f"Manager {phone}", password_hash="", role="agent", created_at=datetime.now(UTC)
            )
            for phone in phones
        }
        session.add_all(people.values())
        session.flush()
        for phone, user in people.items():
            seat(session, user.id, NODE, phone)
        return {phone: user.id for phone, user in people.items()}


def enter_shared_out(database: Engine, people: Sequence[Person], managers: Mapping[str, int]) -> dict[str, str]:
    """These customers with the managers in turns; the telephone of each one's manager by the customer's number."""
    phones = list(managers)
    for i, phone in enumerate(phones):
        enter(database, people[i :: len(phones)], managers[phone])
    return {person.number: phones[i % len(phones)] for i, person in enumerate(people)}


def enter(database: Engine, people: Sequence[Person], manager_id: int) -> None:
    """The customers with everything that a card shows; many at a time, for a base of 100 000 is soon there.

    What is noted for Redis of them is taken away: it is empty, and nobody has asked it for one of these.
    """
    for i in range(0, len(people), AT_ONCE):
        some = people[i : i + AT_ONCE]
        with writing(database) as session:
            session.execute(insert(Customer), [_customer(person, manager_id) for person in some])
            session.execute(insert(PhoneNumber), [_number(person) for person in some])
            session.execute(insert(Order), [order for person in some for order in _orders(person)])
            session.execute(insert(Task), [_task(person, manager_id) for person in some])
            session.execute(delete(Change))


def _customer(person: Person, manager_id: int) -> dict[str, Any]:
    return {
        "id": person.customer_id,
        "name": person.name,
        "company": f"Dara and Sons {person.index}",
        "email": f"office{person.index}@dara.example",
        "address": f"{person.index} Street 310, Phnom Penh",
        "note": "Pays by the end of the month; delivery through the back yard.",
        "photo": hashlib.sha256(person.name.encode()).hexdigest(),
        "debt_minor": 12_000 + person.index,
        "manager_id": manager_id,
        "created_at": SOME_DAY,
        "updated_at": SOME_DAY,
    }


def _number(person: Person) -> dict[str, Any]:
    return {
        "customer_id": person.customer_id,
        "raw": person.national,
        "e164": person.number,
        "match_key": person.number,
        "nsn_tail": person.number[-9:],
        "label": "mobile",
        "norm_version": NORM_VERSION,
    }


def _orders(person: Person) -> list[dict[str, Any]]:
    return [
        {
            "customer_id": person.customer_id,
            "number": f"{person.index}-{i}",
            "title": "Rice, 50 kg",
            "total_minor": 4_250 * i,
            "placed_at": SOME_DAY,
        }
        for i in (1, 2)
    ]


def _task(person: Person, manager_id: int) -> dict[str, Any]:
    return {
        "customer_id": person.customer_id,
        "title": "Call about the delivery",
        "user_id": manager_id,
        "created_at": SOME_DAY,
    }
