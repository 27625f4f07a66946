"""What of a source's customers is the source's: it would be overwritten, so nobody may change it here."""

from __future__ import annotations

from collections.abc import Collection

import orjson
from sqlalchemy.orm import Session

from config.sentences import listed, say
from records.called import COLUMNS
from records.custom import OWN
from records.errors import Refused
from records.tables import Customer, SourceRow

_ALWAYS = frozenset({"name", "numbers", "external_id"})
_CALLED = {**COLUMNS, "external_id": say("your customer id"), "numbers": say("numbers")}


def owned(session: Session, source: str) -> frozenset[str]:
    """Fields of a customer that this source gives; "numbers" among them, and the company's own after OWN.

    None of customers entered or imported here.
    """
    if not source:
        return frozenset()
    row = session.get(SourceRow, source)
    return _ALWAYS | frozenset(orjson.loads(row.columns) if row else ())


def refuse_of_a_source(session: Session, customer: Customer, changes: Collection[str]) -> None:
    """Raises Refused when one of these fields is the source's."""
    if taken := sorted(owned(session, customer.source) & set(changes)):
        names = listed(_CALLED.get(name, name.removeprefix(OWN)) for name in taken)
        raise Refused(
            say(
                "{name} comes from {source}, which also gives: {names}; change it there, and it is changed here "
                "by the next run",
                name=customer.name,
                source=customer.source,
                names=names,
            )
        )
