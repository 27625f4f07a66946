"""Which fields a card has, in which order, and which of them a role sees: [fields] over the built-in ones.

Pure. `desk/views.py` fills them for a reader; the pages of one customer ask here too, so that a field which a role may
not see is nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from config.card_fields import BUILT_IN, ROLES, Field, is_kept, label_of


@dataclass(frozen=True, slots=True)
class Placed:
    """One field of the card, with the settings that hold for it."""

    name: str
    label: str  # empty: it stands where it needs none
    field: Field

    @property
    def built_in(self) -> bool:
        return self.name in BUILT_IN

    @property
    def kept(self) -> bool:
        """Its value is kept with the customer, and can be changed on the customer's page."""
        return is_kept(self.name, self.field)


def placed(fields: Mapping[str, Field]) -> tuple[Placed, ...]:
    """All fields in their order; the built-in ones stand at 100, 200 and so on, others after them as written."""
    usual = {name: Field(order=(at + 1) * 100) for at, name in enumerate(BUILT_IN)}
    own = [name for name in fields if name not in BUILT_IN]
    order = {name: one.order for name, one in usual.items()} | {name: 1000 + at for at, name in enumerate(own)}
    order |= {name: one.order for name, one in fields.items() if one.order}
    every = [Placed(name, label_of(name, one), one) for name, one in {**usual, **fields}.items()]
    return tuple(sorted(every, key=lambda one: order[one.name]))


@dataclass(frozen=True, slots=True)
class Layout:
    """A card's fields. `currency`: of amounts that name none."""

    fields: tuple[Placed, ...] = field(default_factory=lambda: placed({}))
    currency: str = "USD"

    def seen_by(self, role: str) -> tuple[Placed, ...]:
        """In their order. An unknown role sees what every role does."""
        roles = {role} if role in ROLES else set(ROLES)
        return tuple(one for one in self.fields if roles <= set(one.field.roles))

    def names_seen_by(self, role: str) -> frozenset[str]:
        return frozenset(one.name for one in self.seen_by(role))

    def kept_seen_by(self, role: str) -> tuple[Placed, ...]:
        """Those whose values this role may change."""
        return tuple(one for one in self.seen_by(role) if one.kept)

    def queries_for(self, role: str) -> frozenset[str]:
        """Queries that give this role something to see."""
        return frozenset(one.field.query for one in self.seen_by(role) if one.field.query)

    def label(self, name: str) -> str:
        return next(one.label for one in self.fields if one.name == name)
