"""Two customers become one: what is kept of each, what goes over, and how the one who is gone is known still.

All of it is one transaction. Nothing is lost: what was not kept is in the history. A customer who came from a source is
kept here from then on, because the source's next run would take away again whatever it does not know of; what it says
anew still comes (`records.intake.aliases`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from config.sentences import say
from records import search_rows
from records.aliases import merged_into
from records.custom import OWN, with_values
from records.customers import customer, hold
from records.errors import NotFound, Refused, Unfit
from records.history import kept_of, note, note_merge
from records.intake import store
from records.intake.aliases import told
from records.rows import no_row
from records.tables import (
    CallRow,
    Customer,
    CustomerAlias,
    CustomerChange,
    Note,
    NumberChoice,
    NumberRange,
    Order,
    PhoneNumber,
    Task,
)
from records.touched import Touched, lookups_of, touch

Side = Literal["this", "other"]

TEXTS = ("name", "company", "email", "address", "note", "photo")
FIELDS = (*TEXTS, "debt", "manager")
"""What one may choose of, as the history names it; besides the company's own fields, after `records.custom.OWN`."""

NOTHING_TO_CHOOSE = say("there is no such field to choose")

GOES_OVER: tuple[tuple[str, Any], ...] = (
    ("numbers", PhoneNumber),
    ("ranges", NumberRange),
    ("orders", Order),
    ("tasks", Task),
    ("notes", Note),
    ("calls", CallRow),
    ("choices", NumberChoice),
    ("changes", CustomerChange),
    ("aliases", CustomerAlias),
)


@dataclass(frozen=True, slots=True)
class Differing:
    """A field that two customers have otherwise. Values as the history has them; None: nothing."""

    name: str
    this: Any
    other: Any

    @property
    def kept(self) -> Side:
        """Unless somebody says otherwise."""
        return "other" if self.this is None else "this"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two customers beside each other: the one who stays, and the one who goes."""

    this: Customer  # with numbers, ranges and manager, as `other`
    other: Customer
    differing: tuple[Differing, ...]  # in the order of FIELDS, then the company's own
    goes_over: Mapping[str, int]  # how many of GOES_OVER


def pair(session: Session, customer_id: int, other_id: int) -> Pair:
    """Raises NotFound, Refused (one and the same)."""
    this, other = _two(session, customer_id, other_id)
    counts = {}
    for name, table in GOES_OVER:
        of_other = select(func.count()).select_from(table).where(table.customer_id == other_id)
        counts[name] = session.scalar(of_other) or 0
    return Pair(this, other, _differing(session, this, other), counts)


def merge(
    session: Session,
    customer_id: int,
    other_id: int,
    keep: Mapping[str, Side],
    versions: tuple[int, int],
    by_id: int | None,
) -> Touched:
    """`other_id` goes over to `customer_id`. `keep` says whose value stays, by name; of the rest this one's does, or
    the other's where this one has none. `versions` are of both, as they were looked at.

    Raises NotFound, Refused (one and the same), Unfit (a field that is none), Conflict (one was changed meanwhile).
    """
    both = select(Customer.id).where(Customer.id.in_((customer_id, other_id))).order_by(Customer.id)
    session.execute(both.with_for_update())  # what others add to the one who goes meanwhile would go too
    this, other = _two(session, customer_id, other_id)
    for one, version in zip((this, other), versions, strict=True):
        hold(session, one, version)
    known = {name for each in (this, other) for name in kept_of(session, each) if name.startswith(OWN)}
    if wrong := {name: NOTHING_TO_CHOOSE for name in keep if name not in {*FIELDS, *known}}:
        raise Unfit(wrong)
    differing = _differing(session, this, other)
    before = {"this": kept_of(session, this), "other": kept_of(session, other)}
    touched = lookups_of(session, [this.id, other.id])
    _make_known(session, this, other, by_id)
    for each in differing:
        if keep.get(each.name, each.kept) == "other":
            _take(this, other, each.name)
    unlike = _label_alike(this, other)
    _go_over(session, this, other)
    search_rows.note(session, {this.id, other.id})
    session.expunge(other)
    session.execute(delete(Customer).where(Customer.id == other_id))
    this.source, this.external_id = "", None if this.source else this.external_id
    session.flush()
    note(session, this.id, before["this"], kept_of(session, this), by_id)
    after = kept_of(session, this)
    lost = {name: value for name, value in before["other"].items() if after.get(name) != value}
    note_merge(session, this.id, other_id, other.name, lost, unlike, by_id)
    touched |= touch(session, [this.id])
    session.expire_all()
    return touched


def _two(session: Session, customer_id: int, other_id: int) -> tuple[Customer, Customer]:
    if customer_id == other_id:
        raise Refused(say("this is one and the same customer; choose another"))
    found = customer(session, customer_id), customer(session, other_id)
    for wanted, one in zip((customer_id, other_id), found, strict=True):
        if one is None:
            if now := merged_into(session, [wanted]).get(wanted):
                gone = say("there is no customer with the id {id}; it was merged into {now}", id=wanted, now=now)
                raise NotFound(gone)
            raise no_row(Customer, wanted)
    this, other = found
    assert this is not None
    assert other is not None
    return this, other


def _differing(session: Session, this: Customer, other: Customer) -> tuple[Differing, ...]:
    mine, theirs = kept_of(session, this), kept_of(session, other)
    own = sorted({name for name in (*mine, *theirs) if name.startswith(OWN)})
    values = ((name, mine.get(name), theirs.get(name)) for name in (*FIELDS, *own))
    return tuple(Differing(*each) for each in values if each[2] is not None and each[1] != each[2])


def _take(this: Customer, other: Customer, name: str) -> None:
    """The other's value."""
    if name == "debt":
        this.debt_minor, this.currency = other.debt_minor, other.currency
    elif name == "manager":
        this.manager_id = other.manager_id
    elif name.startswith(OWN):
        own = name.removeprefix(OWN)
        this.custom = with_values(this.custom, {own: other.custom[own]})
    else:
        setattr(this, name, getattr(other, name))


def _make_known(session: Session, this: Customer, other: Customer, by_id: int | None) -> None:
    """The other under the id here and under theirs; this one as well, where a source knows them."""
    now = datetime.now(UTC)
    for one in (this, other):
        if one is this and not one.source:
            continue
        if one.external_id:  # somebody else had it once, if another program has made this customer
            same = CustomerAlias.source == one.source, CustomerAlias.external_id == one.external_id
            session.execute(update(CustomerAlias).where(*same).values(external_id=None))
        owner = store.owners(session, [one.id], one.source)[one.id]
        session.add(
            CustomerAlias(
                old_id=one.id if one is other else None,
                customer_id=this.id,
                source=one.source,
                external_id=one.external_id,
                name=one.name,
                told=told(owner),
                by_id=by_id,
                at=now,
            )
        )
    session.flush()


def _go_over(session: Session, this: Customer, other: Customer) -> None:
    """All that belongs to the other; a number that both have stays once, with the label that it has."""
    stay = {
        PhoneNumber: _not_alike(this.numbers, other.numbers, _phone),
        NumberRange: _not_alike(this.ranges, other.ranges, _span),
    }
    session.flush()
    for _, table in GOES_OVER:
        theirs = update(table).where(table.customer_id == other.id)
        if table in stay:
            theirs = theirs.where(table.id.in_(stay[table]))
        session.execute(theirs.values(customer_id=this.id).execution_options(synchronize_session=False))


def _label_alike(this: Customer, other: Customer) -> list[PhoneNumber]:
    """A number that both have gets the other's label where it has none; those of the other with another label."""
    unlike = []
    for theirs in other.numbers:
        for mine in this.numbers:
            if _phone(mine) == _phone(theirs):
                mine.label = mine.label or theirs.label
                unlike += [theirs] if theirs.label not in ("", mine.label) else []
    return unlike


def _phone(number: PhoneNumber) -> tuple[str, str]:
    return number.match_key or number.raw, number.ext


def _span(span: NumberRange) -> tuple[str, int | None]:
    return span.prefix or span.raw, span.open_digits


def _not_alike(mine: Sequence[Any], theirs: Sequence[Any], key: Callable[[Any], Any]) -> list[int]:
    """Ids of the other's rows that this one has nothing like."""
    has = {key(one) for one in mine}
    return [one.id for one in theirs if key(one) not in has]
