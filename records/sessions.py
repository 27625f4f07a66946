"""Who is signed in, browser by browser. A session holds while its row is there; its key is known by a hash only.

Keys are random and long, so a plain hash keeps them: nobody can try them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from config.sentences import say
from records.errors import NotFound
from records.tables import DeskSession

LONGEST_BROWSER = 400
MARGIN = timedelta(days=1)
"""Rows stay so much longer than their sessions: a clock that runs ahead for a while must not end any."""


class Seen(NamedTuple):
    at: datetime
    address: str


def hash_of(key: str) -> str:
    return sha256(key.encode()).hexdigest()


def begin(session: Session, user_id: int, key: str, browser: str, address: str, lasts: timedelta) -> None:
    """A new one; `lasts` is how long they do, and what is long over goes."""
    now = datetime.now(UTC)
    session.execute(delete(DeskSession).where(DeskSession.began_at < now - lasts - MARGIN))
    session.add(
        DeskSession(
            user_id=user_id,
            key_hash=hash_of(key),
            began_at=now,
            seen_at=now,
            browser=browser[:LONGEST_BROWSER],
            address=address,
        )
    )


def all_open(session: Session) -> frozenset[str]:
    """The hashes of every session that holds."""
    return frozenset(session.scalars(select(DeskSession.key_hash)))


def sessions_of(session: Session, user_id: int, lasts: timedelta) -> Sequence[DeskSession]:
    """The person's, the last seen first."""
    wanted = select(DeskSession).where(DeskSession.user_id == user_id, DeskSession.began_at > datetime.now(UTC) - lasts)
    return session.scalars(wanted.order_by(DeskSession.seen_at.desc(), DeskSession.id.desc())).all()


def seen(session: Session, when: Mapping[str, Seen]) -> None:
    """When and from where each was seen last, by its hash."""
    if when:
        noted = (
            update(DeskSession.__table__)  # type: ignore[arg-type]
            .where(DeskSession.key_hash == bindparam("its_hash"))
            .values(seen_at=bindparam("at"), address=bindparam("from"))
        )
        rows = [{"its_hash": its_hash, "at": last.at, "from": last.address} for its_hash, last in when.items()]
        session.connection().execute(noted, rows)


def end_keys(session: Session, hashes: Sequence[str]) -> None:
    session.execute(delete(DeskSession).where(DeskSession.key_hash.in_(hashes)))


def end_one(session: Session, user_id: int, session_id: int) -> None:
    """One of this person's. Raises NotFound: it is over, or somebody else's."""
    found = session.scalar(select(DeskSession).where(DeskSession.id == session_id, DeskSession.user_id == user_id))
    if found is None:
        raise NotFound(say("There is no such session any more; it may have ended by itself."))
    session.delete(found)


def end_all(session: Session, user_id: int, but: str = "") -> None:
    """Every session of the person, but for the one with this hash."""
    session.execute(delete(DeskSession).where(DeskSession.user_id == user_id, DeskSession.key_hash != but))
