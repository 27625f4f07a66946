"""An import taken back: customers that it added go, what it changed of others is again as it was. Whatever somebody
has changed since is left as it is, and named.

Last things first and in short transactions, each of which also takes away what was noted about it: ended half-way, it
goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import orjson
from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session

from config.card_fields import Field, label_of
from config.sentences import kept as kept_text
from config.sentences import listed, say, told
from records import search_rows
from records.called import COLUMNS
from records.custom import OWN
from records.database import reading, writing
from records.intake import store
from records.intake.apply import Forget, Progress, Tell, touched_by
from records.intake.headers import Own
from records.intake.rules import Owner, digest
from records.tables import Customer, Import, ImportedCustomer, Note, NumberRange, Order, PhoneNumber, Task
from records.touched import touch

AT_ONCE = 200


def take_back(database: Engine, import_id: int, total: int, own: Own, forget: Forget, tell: Tell) -> None:
    """Raises DatabaseGone; what is taken back by then stays so."""

    def called(name: str) -> str:
        """A field, as people know it."""
        if not name.startswith(OWN):
            return COLUMNS[name]
        name = name.removeprefix(OWN)
        return label_of(name, own.get(name, Field()))

    last, done = 1 << 62, 0
    while True:
        with writing(database) as session:
            notes = session.scalars(
                select(ImportedCustomer)
                .where(ImportedCustomer.import_id == import_id, ImportedCustomer.id < last, ImportedCustomer.kept == "")
                .order_by(ImportedCustomer.id.desc())
                .limit(AT_ONCE)
            ).all()
            if not notes:
                return
            last = notes[-1].id
            touched = _take_back(session, notes, called)
        forget(touched)
        done += len(notes)
        tell(Progress("undoing", done, total))


def kept(database: Engine, import_id: int, most: int) -> list[tuple[int, str, str]]:
    """(customer, name, why) of those that undo has left."""
    wanted = (
        select(ImportedCustomer.customer_id, Customer.name, ImportedCustomer.kept)
        .join(Customer, Customer.id == ImportedCustomer.customer_id)
        .where(ImportedCustomer.import_id == import_id, ImportedCustomer.kept != "")
        .order_by(ImportedCustomer.customer_id)
        .limit(most)
    )
    with reading(database) as session:
        return [(id, name, told(why)) for id, name, why in session.execute(wanted)]


def _take_back(session: Session, notes: Sequence[ImportedCustomer], called: Callable[[str], str]) -> Any:
    ids = {note.customer_id for note in notes}
    owners = store.owners(session, ids)
    touched = touched_by([*owners.values()])
    in_use = _in_use(session, ids)
    gone: set[int] = set()
    undone: list[int] = []
    reasons: dict[int, str] = {}
    news: dict[int, dict[str, Any]] = {}
    for note in notes:
        owner = owners.get(note.customer_id)
        if owner is None or owner.id in gone:
            why = ""  # somebody has removed the customer
        elif note.mark:
            why = in_use.get(owner.id, "") or ("" if digest(owner) == note.mark else say("was changed since"))
            if not why:
                gone.add(owner.id)
        else:
            values, why = _as_before(session, owner, called, *orjson.loads(note.change))
            news.setdefault(owner.id, {}).update(values)
        if why:
            reasons[note.id] = why
        else:
            undone.append(note.id)
    store.set_fields(session, ((id, values) for id, values in news.items() if id not in gone))
    session.execute(delete(Customer).where(Customer.id.in_(gone)).execution_options(synchronize_session=False))
    touch(session, news.keys() - gone)
    search_rows.note(session, ids)
    session.execute(delete(ImportedCustomer).where(ImportedCustomer.id.in_(undone)))
    for note_id, why in reasons.items():
        session.execute(update(ImportedCustomer).where(ImportedCustomer.id == note_id).values(kept=kept_text(why)))
    if reasons:
        kept = Import.kept + len(reasons)
        session.execute(update(Import).where(Import.id == notes[0].import_id).values(kept=kept))
    return touched


def _in_use(session: Session, ids: Collection[int]) -> dict[int, str]:
    """What somebody has put to these customers since."""
    used: dict[int, str] = {}
    for table, what in ((Task, say("has a task")), (Order, say("has an order")), (Note, say("has a note"))):
        found = session.scalars(select(table.customer_id).where(table.customer_id.in_(ids)).distinct())
        used.update({customer_id: what for customer_id in found if customer_id is not None})
    return used


def _as_before(
    session: Session,
    owner: Owner,
    called: Callable[[str], str],
    before: dict[str, Any],
    after: dict[str, Any],
    numbers: list[list[str]],
) -> tuple[dict[str, Any], str]:
    """Fields that go back, and why the others do not. The numbers are taken away at once."""
    values = {name: value for name, value in before.items() if owner.fields.get(name) == after[name]}
    stays = [called(name) for name in before if name not in values]
    owner.fields |= values
    for raw, label in numbers:
        mine = next((number for number in owner.numbers if (number.raw, number.label) == (raw, label)), None)
        if mine is None:
            continue  # it has gone already
        if len(owner.numbers) == 1:
            stays.append(say("the number, as it is the only one"))
            continue
        owner.numbers.remove(mine)
        table = NumberRange if mine.open_digits else PhoneNumber
        session.execute(delete(table).where(table.customer_id == owner.id, table.raw == raw, table.label == label))
    return values, say("changed since: {fields}", fields=listed(stays)) if stays else ""
