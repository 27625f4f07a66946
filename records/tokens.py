"""Tokens with which a person's programs use the API. A token is shown once, when it is made; a hash of it is kept."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from config.sentences import say
from records.errors import NotFound, Refused
from records.sessions import hash_of
from records.tables import ApiToken

SCOPES = ("read", "write", "calls")
"""Ask; change; have calls placed and ended. Each allows nothing but itself."""

PREFIX = "rc_"  # so that a token in a file or a log is seen to be one
LONGEST = timedelta(days=2 * 366)
MOST = 50
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Token:
    """A token as a request needs it."""

    user_id: int
    scopes: frozenset[str]
    ends_at: datetime


def make(session: Session, user_id: int, name: str, scopes: Collection[str], ends_at: datetime) -> str:
    """The token, which is told now and never again. Raises Refused."""
    now = datetime.now(UTC)
    if not name.strip() or len(name) > LONGEST_NAME:
        raise Refused(
            say("a token needs a name that says what it is for, of at most {most} characters", most=LONGEST_NAME)
        )
    if not scopes or not set(scopes) <= set(SCOPES):
        raise Refused(say("say what the token may do: {scopes}", scopes=", ".join(SCOPES)))
    if not now < ends_at <= now + LONGEST:
        raise Refused(say("a token ends between tomorrow and two years from now"))
    if len(tokens_of(session, user_id)) >= MOST:
        raise Refused(say("you have {most} tokens; end some that are not used first", most=MOST))
    token = PREFIX + secrets.token_urlsafe(32)
    session.add(
        ApiToken(
            user_id=user_id,
            name=name.strip(),
            scopes=" ".join(scope for scope in SCOPES if scope in scopes),
            token_hash=hash_of(token),
            made_at=now,
            ends_at=ends_at,
        )
    )
    session.flush()
    return token


def all_tokens(session: Session) -> dict[str, Token]:
    """By their hashes."""
    return {
        row.token_hash: Token(row.user_id, frozenset(row.scopes.split()), row.ends_at)
        for row in session.scalars(select(ApiToken))
    }


def tokens_of(session: Session, user_id: int) -> Sequence[ApiToken]:
    """The person's, the last made first; those whose time is over too."""
    wanted = select(ApiToken).where(ApiToken.user_id == user_id)
    return session.scalars(wanted.order_by(ApiToken.made_at.desc(), ApiToken.id.desc())).all()


def used(session: Session, when: Mapping[str, datetime]) -> None:
    """When each was used last, by its hash."""
    if when:
        noted = (
            update(ApiToken.__table__)  # type: ignore[arg-type]
            .where(ApiToken.token_hash == bindparam("its_hash"))
            .values(used_at=bindparam("at"))
        )
        session.connection().execute(noted, [{"its_hash": its_hash, "at": at} for its_hash, at in when.items()])


def end_token(session: Session, user_id: int, token_id: int) -> None:
    """One of this person's. Raises NotFound."""
    found = session.scalar(select(ApiToken).where(ApiToken.id == token_id, ApiToken.user_id == user_id))
    if found is None:
        raise NotFound(say("There is no such token any more."))
    session.delete(found)


def end_tokens(session: Session, user_id: int) -> None:
    session.execute(delete(ApiToken).where(ApiToken.user_id == user_id))
