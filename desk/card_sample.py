"""The customer in the preview of a card: one of the records as a call would bring them, or one who is made up. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from config.card_fields import FieldType
from config.sentences import say
from desk.formats import rfc3339
from desk.layout import Layout
from lookup.card import ORDERS_SHOWN, Card, CardNumber, CardOrder, CardTask, Money, Person
from records.customers import CustomerPage

NOBODY = 0
"""Of the one who is made up."""


def card_of(page: CustomerPage, sees: Collection[str]) -> Card:
    """As far as a card shows it, and of that the fields that are named."""
    of = page.customer
    current = [order for order in page.orders if order.state == "open"][:ORDERS_SHOWN]
    return Card(
        customer_id=of.id,
        version=of.version,
        name=of.name,
        company=of.company if "company" in sees else "",
        email=of.email if "email" in sees else "",
        address=of.address if "address" in sees else "",
        note=of.note if "note" in sees else "",
        photo=of.photo,
        numbers=tuple(
            CardNumber(item.e164 or item.raw, item.label, item.ext) for item in of.numbers if "numbers" in sees
        ),
        debt=Money(of.debt_minor if "debt" in sees else 0, of.currency),
        orders=tuple(
            CardOrder(
                order.number,
                order.title,
                order.state,
                Money(order.total_minor, order.currency),
                rfc3339(order.placed_at) or "",
            )
            for order in current
            if "orders" in sees
        ),
        manager=Person(of.manager.id, of.manager.name) if of.manager and "manager" in sees else None,
        last_task=next(
            (
                CardTask(task.title, task.state, rfc3339(task.due_at) or "", task.user.name if task.user else "")
                for task in page.tasks
                if "last_task" in sees
            ),
            None,
        ),
        custom={name: value for name, value in of.custom.items() if name in sees},
    )


def sample(layout: Layout, now: datetime) -> Card:
    """Somebody of whom everything is known."""
    own = {one.name: _value(one.field.type, one.field.choices, layout.currency) for one in layout.fields if one.kept}
    return Card(
        customer_id=NOBODY,
        version=1,
        name=say("Sample customer"),
        company=say("Sample company"),
        email="sample@example.com",
        address=say("12 Example Street"),
        note=say("A note about the customer stands here."),
        numbers=(CardNumber("+85512345678", say("mobile")), CardNumber("+85523880880", say("work"))),
        debt=Money(124_550, layout.currency),
        orders=(CardOrder("#2291", say("An order"), "open", Money(45_000, layout.currency), rfc3339(now) or ""),),
        manager=Person(NOBODY, say("The manager")),
        last_task=CardTask(say("A task"), "open", rfc3339(now + timedelta(days=2)) or "", say("The manager")),
        custom=own,
    )


def sample_answers(layout: Layout) -> dict[str, Mapping[str, Any]]:
    """What queries would say of them: by query, and in it by column."""
    answers: dict[str, Any] = {}
    for one in layout.fields:
        if one.field.query:
            value = _plain(one.field.type, one.field.choices)
            answers.setdefault(one.field.query, {})[one.field.column] = value
    return dict(answers)


def _value(kind: FieldType, choices: tuple[str, ...], currency: str) -> Any:
    """As it is kept."""
    return {"minor": 50_000, "currency": currency} if kind == "money" else _plain(kind, choices)


def _plain(kind: FieldType, choices: tuple[str, ...]) -> Any:
    match kind:
        case "number":
            return 42
        case "money":
            return "500"
        case "date":
            return "2026-03-01"
        case "yes/no":
            return True
        case "link":
            return "https://example.com/sample"
        case "choice":
            return choices[0] if choices else None
        case _:
            return "Sample"
