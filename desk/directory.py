"""Everybody who may sign in and every phone, fetched together and remembered for some seconds.

A notice and a request each need to know who sits where and whether a session still holds; asking the database each
time would tie both to it. While the database is away the last known state is used, so that the live page goes on.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from desk.people import Directory, Reader
from desk.store import Store
from records.errors import DatabaseGone
from records.tables import Endpoint, User
from records.users import whose_calls_are_seen_by

log = logging.getLogger(__name__)

FRESH_S = 3.0


@dataclass(frozen=True, slots=True)
class Account:
    """A user as a session needs it. `stamp` changes with the password, which ends every session made before."""

    reader: Reader
    active: bool
    stamp: str


def stamp_of(password_hash: str) -> str:
    return hashlib.sha256(password_hash.encode()).hexdigest()[:16]


class People:
    """The remembered directory. One per process."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._directory = Directory()
        self._accounts: Mapping[int, Account] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def directory(self) -> Directory:
        """Who sits at which phone, at most FRESH_S seconds old; older only while the database is away."""
        await self._refresh()
        return self._directory

    async def account(self, user_id: int) -> Account | None:
        """The user, or None when there is none. Raises DatabaseGone only when nothing was ever read."""
        await self._refresh()
        if not self._accounts and self._store.gone:
            raise DatabaseGone(self._store.gone)
        return self._accounts.get(user_id)

    def forget(self) -> None:
        """Read again at the next question: something about the people was changed just now."""
        self._read_at = float("-inf")

    async def _refresh(self) -> None:
        if self._is_fresh():
            return
        async with self._reading:
            if self._is_fresh():
                return
            try:
                self._directory, self._accounts = await self._store.read(read_people)
            except DatabaseGone as gone:
                log.warning("who sits at which phone is not read again: %s", gone)
            self._read_at = self._clock()

    def _is_fresh(self) -> bool:
        return self._clock() - self._read_at < FRESH_S


def read_people(session: Session) -> tuple[Directory, dict[int, Account]]:
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
    )
    return directory, {user.id: _account(session, user) for user in users}


def _account(session: Session, user: User) -> Account:
    sees = whose_calls_are_seen_by(session, user)
    reader = Reader(user.id, user.login, user.name, user.role, sees)
    return Account(reader, user.active, stamp_of(user.password_hash))
