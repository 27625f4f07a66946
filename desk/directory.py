"""Everybody who may sign in, their sessions and every phone, fetched together and remembered for some seconds.

A notice and a request each need to know who sits where and whether a session still holds; asking the database each
time would tie both to it. While the database is away the last known state is used, so that the live page goes on.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from desk.people import Directory, Reader
from desk.store import Store
from records.errors import DatabaseGone
from records.sessions import all_open
from records.tables import Endpoint, Presence, User
from records.tokens import Token, all_tokens
from records.users import whose_calls_are_seen_by

log = logging.getLogger(__name__)

FRESH_S = 3.0


@dataclass(frozen=True, slots=True)
class Account:
    """A user as a session needs it. `stamp` changes with the password."""

    reader: Reader
    active: bool
    stamp: str


@dataclass(frozen=True, slots=True)
class Known:
    """What was read last, all of one moment."""

    directory: Directory = field(default_factory=Directory)
    accounts: Mapping[int, Account] = field(default_factory=dict)
    sessions: frozenset[str] = frozenset()  # hashes of those that hold
    tokens: Mapping[str, Token] = field(default_factory=dict)  # by their hashes


def stamp_of(password_hash: str) -> str:
    return hashlib.sha256(password_hash.encode()).hexdigest()[:16]


class People:
    """The remembered directory. One per process."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._known = Known()
        self._read_at = float("-inf")
        self._forgotten = 0  # times
        self._away = False  # the database, and that was logged
        self._reading = asyncio.Lock()

    async def directory(self) -> Directory:
        """Who sits at which phone, at most FRESH_S seconds old; older only while the database is away."""
        await self._refresh()
        return self._known.directory

    @property
    def fresh(self) -> Directory | None:
        """The same at once; None when it would have to be read."""
        return self._known.directory if self._is_fresh() else None

    async def account(self, user_id: int) -> Account | None:
        """The user, or None when there is none. Raises DatabaseGone only when nothing was ever read."""
        await self._refresh()
        self._expect_some()
        return self._known.accounts.get(user_id)

    async def has_session(self, key_hash: str) -> bool:
        """Whether the session is there. Raises DatabaseGone for one that is new to us while the database is away."""
        await self._refresh()
        if key_hash not in self._known.sessions:  # begun at another desk a moment ago?
            self.forget()
            await self._refresh()
            if self._store.gone and key_hash not in self._known.sessions:
                raise DatabaseGone(self._store.gone)
        return key_hash in self._known.sessions

    async def token(self, token_hash: str) -> Token | None:
        """Raises DatabaseGone only when nothing was ever read."""
        await self._refresh()
        self._expect_some()
        return self._known.tokens.get(token_hash)

    def forget(self) -> None:
        """Read again at the next question: something about the people was changed just now."""
        self._read_at = float("-inf")
        self._forgotten += 1

    def _expect_some(self) -> None:
        if not self._known.accounts and self._store.gone:
            raise DatabaseGone(self._store.gone)

    async def _refresh(self) -> None:
        if self._is_fresh():
            return
        async with self._reading:
            if self._is_fresh():
                return
            forgotten = self._forgotten
            try:
                self._known = await self._store.read(read_people)
                self._away = False
            except DatabaseGone as gone:
                if not self._away:
                    log.warning("people, phones and sessions are as they were read last: %s", gone)
                self._away = True
            if forgotten == self._forgotten:  # else what was read may be of before the change
                self._read_at = self._clock()

    def _is_fresh(self) -> bool:
        return self._clock() - self._read_at < FRESH_S


def read_people(session: Session) -> Known:
    users = session.scalars(select(User)).all()
    endpoints = session.scalars(select(Endpoint).options(selectinload(Endpoint.people))).all()
    sitting = {
        endpoint: frozenset(user.id for user in endpoint.people if user.active)
        for endpoint in endpoints
        if endpoint.people
    }
    directory = Directory(
        names={user.id: user.name for user in users},
        at_phone={(phone.node, phone.name): people for phone, people in sitting.items() if phone.inside},
        outside={phone.name: people for phone, people in sitting.items() if not phone.inside},
        undisturbed=frozenset(session.scalars(select(Presence.user_id).where(Presence.do_not_disturb))),
    )
    accounts = {user.id: _account(session, user) for user in users}
    return Known(directory, accounts, all_open(session), all_tokens(session))


def _account(session: Session, user: User) -> Account:
    sees = whose_calls_are_seen_by(session, user)
    reader = Reader(user.id, user.login, user.name, user.role, sees)
    return Account(reader, user.active, stamp_of(user.password_hash))
