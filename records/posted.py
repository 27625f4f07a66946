"""Requests with an Idempotency-Key: what one made is found again when the same comes once more, and nothing is made.

Two that come at the same moment: the second one's transaction breaks on the key (IntegrityError); done again, it finds
what the first one made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from config.sentences import say
from records.errors import Refused
from records.tables import Posted

KEPT = timedelta(days=2)
LONGEST = 200  # letters of a key


def once(session: Session, user_id: int, kind: str, key: str, asked: str, make: Callable[[], int]) -> tuple[int, bool]:
    """The id of what this person's request made, and whether it was made now. Without a key it is made each time.

    `asked`: the whole request. Raises Refused when the key came with another request before.
    """
    if not key:
        return make(), True
    if len(key) > LONGEST:
        raise Refused(say("an Idempotency-Key has {most} letters at most", most=LONGEST))
    name = _digest(f"{user_id} {kind} {key}")
    before = session.get(Posted, name)
    if before is not None:
        if before.digest != _digest(asked):
            raise Refused(say("this Idempotency-Key was used for another request; give each request a key of its own"))
        return before.made_id, False
    now = datetime.now(UTC)
    session.execute(delete(Posted).where(Posted.at < now - KEPT))
    made_id = make()
    session.add(Posted(key=name, digest=_digest(asked), made_id=made_id, at=now))
    session.flush()
    return made_id, True


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
