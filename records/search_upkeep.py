"""Making rows of `customer_search` anew after somebody else has written, in short transactions beside calls."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Engine

from records.database import reading, writing
from records.search_rows import differing, lacking, make, pieces


def renew(engine: Engine, customer_ids: Collection[int]) -> None:
    """Of customers whom somebody has changed; writes nothing when they are right. Raises DatabaseGone."""
    for some in pieces(customer_ids):
        with reading(engine) as session:
            wrong = differing(session.connection(), some)
        if wrong:
            with writing(engine) as session:
                make(session.connection(), wrong)


def renew_all(engine: Engine) -> int:
    """All that are missing, or made by older rules; how many. Ended half-way it goes on where it was."""
    count, last = 0, 0
    while True:
        with reading(engine) as session:
            ids = lacking(session.connection(), last)
        if not ids:
            return count
        with writing(engine) as session:
            make(session.connection(), ids)
        count, last = count + len(ids), ids[-1]
