"""Which fields a card has, in which order, and which of them a role sees: [fields] over the built-in ones.

Pure. `desk/views.py` fills them for a reader; the pages of one customer ask here too, so that a field which a role may
not see is nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from config.card_fields import BUILT_IN, ROLES, Field, in_order, is_editable, is_kept, label_of


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
    """All fields in their order."""
    return tuple(Placed(name, label_of(name, one), one) for name, one in in_order(fields))


@dataclass(frozen=True, slots=True)
class Layout:
    """A card's fields. `currency`: of amounts that name none."""

    fields: tuple[Placed, ...] = field(default_factory=lambda: placed({}))
    currency: str = "USD"

    def seen_by(self, role: str) -> tuple[Placed, ...]:
        """Those of which this role sees everything, in their order. An unknown role sees what every role does."""
        masked = self.masked_from(role)
        return tuple(one for one in self.shown_to(role) if one.name not in masked)

    def shown_to(self, role: str) -> tuple[Placed, ...]:
        """Those, and between them the ones of which it sees only that there is something."""
        roles = _roles(role)
        return tuple(one for one in self.fields if roles <= set(one.field.roles))

    def masked_from(self, role: str) -> frozenset[str]:
        """Names of those of which this role sees only that there is something."""
        return frozenset(one.name for one in self.shown_to(role) if not _roles(role).isdisjoint(one.field.masked))

    def names_seen_by(self, role: str) -> frozenset[str]:
        return frozenset(one.name for one in self.seen_by(role))

    def kept_seen_by(self, role: str) -> tuple[Placed, ...]:
        """Those whose values are kept with the customer."""
        return tuple(one for one in self.seen_by(role) if one.kept)

    def changed_by(self, role: str) -> tuple[Placed, ...]:
        """Those whose values this role may change: what it does not see it cannot."""
        roles = _roles(role)
        may = (one for one in self.seen_by(role) if roles <= set(one.field.edits))
        return tuple(one for one in may if is_editable(one.name, one.field))

    def kept_changed_by(self, role: str) -> tuple[Placed, ...]:
        return tuple(one for one in self.changed_by(role) if one.kept)

    def queries_for(self, role: str) -> frozenset[str]:
        """Queries that give this role something to see."""
        return frozenset(one.field.query for one in self.seen_by(role) if one.field.query)

    def label(self, name: str) -> str:
        return next(one.label for one in self.fields if one.name == name)


def _roles(role: str) -> set[str]:
    return {role} if role in ROLES else set(ROLES)
