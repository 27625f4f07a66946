"""Sessions: a signed cookie that names a user and a row of `sessions`, checked against both at every request.

The cookie is made anew at each sign-in and holds nothing but ids, so there is none to plant before. It ends with its
time, and with its row: by signing out here or elsewhere, with a new password or another role, and when the person is
switched off. Rows are read with the people, so while the database is away the sessions of before go on.

A program has no cookie but a token (`Authorization: Bearer`), which stands for a person, as far as its scopes allow.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, HTTPException
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy.orm import Session as Records
from starlette.requests import HTTPConnection
from starlette.responses import Response

from config.sentences import say
from config.settings import Settings
from desk.directory import Account, People
from desk.guard import SAFE, bearer
from desk.people import Reader
from desk.problems import NotSignedIn
from desk.services import services_of
from desk.store import Store
from records import sessions as rows
from records import tokens
from records.errors import DatabaseGone, RecordsError

log = logging.getLogger(__name__)

CALLS = ("/api/v1/calls", "/api/v1/test-calls")
MOST_ENDED = 10_000
NOTE_S = 60.0
HALF = timedelta(minutes=15)
"""So long somebody whose password was right may take for the second factor, and for setting one up."""


@dataclass(frozen=True, slots=True)
class Session:
    reader: Reader
    key_hash: str  # of this sign-in, or of the token

    @property
    def tag(self) -> str:
        """Tells sessions apart in a browser without giving the key away."""
        return self.key_hash[:12]


class Sessions:
    """Makes, reads and ends them. One per process; `keep` belongs to the application's life."""

    def __init__(self, settings: Settings, secret: str, people: People, store: Store) -> None:
        if not secret:
            raise ValueError("sessions cannot be signed without a secret")
        self._people = people
        self._store = store
        self.lasts = timedelta(hours=settings.desk.session_hours)
        self._https = settings.public_url.startswith("https:")
        self._signer = URLSafeTimedSerializer(secret, salt="ringcard session 1")
        self._half_signer = URLSafeTimedSerializer(secret, salt="ringcard half a session 1")
        self._ended: dict[str, bool] = {}  # hashes; True: the row is to be removed yet
        self._seen: dict[str, rows.Seen] = {}  # and not yet noted
        self._used: dict[str, datetime] = {}
        self.cookie = "__Host-ringcard" if self._https else "ringcard"

    async def begin(self, response: Response, account: Account, connection: HTTPConnection | None = None) -> None:
        """A new session of this person, for who gets the response, in the place of the one that came with the request.
        Raises DatabaseGone."""
        user_id, key = account.reader.user_id, secrets.token_urlsafe(24)
        before = await self.read(connection) if connection else None
        browser = connection.headers.get("user-agent", "") if connection else ""
        address = _address(connection) if connection else ""
        await self._store.write(lambda records: rows.begin(records, user_id, key, browser, address, self.lasts))
        if before:
            self._remember_ended(before.key_hash, unremoved=True)
            with suppress(DatabaseGone):  # then its row is removed later; here it has ended
                await self._remove_rows()
        self._people.forget()
        self._set(response, self.cookie, self._signer.dumps([user_id, key]), self.lasts)
        self._remove(response, self._half_cookie)

    async def end(self, response: Response, session: Session | None) -> None:
        """At once for this process; while the database is away, for others when it is back."""
        self._remove(response, self.cookie)
        if session:
            self._remember_ended(session.key_hash, unremoved=True)
            try:
                await self._remove_rows()
            except DatabaseGone as gone:
                log.warning("a session has ended here, and will elsewhere when the database is back: %s", gone)

    async def read(self, connection: HTTPConnection) -> Session | None:
        """The session of this request's cookie, or None. Raises DatabaseGone when nobody can be known at all."""
        said = self._signed(self._signer, connection.cookies.get(self.cookie, ""), self.lasts)
        if said is None:
            return None
        account, key = await self._people.account(said[0]), rows.hash_of(str(said[1]))
        if account is None or not account.active or key in self._ended:
            return None
        if not await self._people.has_session(key):
            self._remember_ended(key)
            return None
        self._seen[key] = rows.Seen(datetime.now(UTC), _address(connection))
        return Session(account.reader, key)

    async def of(self, connection: HTTPConnection) -> Session | None:
        """Of the token when the request says one, else of its cookie. Raises 403 for what the token may not do."""
        token = bearer(connection.url.path, connection.headers)
        return await self.read(connection) if token is None else await self._by_token(connection, token)

    def begin_half(self, response: Response, account: Account) -> None:
        """The password was right, and something else is asked for."""
        value = self._half_signer.dumps([account.reader.user_id, account.stamp])
        self._set(response, self._half_cookie, value, HALF)

    async def half(self, connection: HTTPConnection) -> Account | None:
        """Whose password was right a moment ago in this browser."""
        said = self._signed(self._half_signer, connection.cookies.get(self._half_cookie, ""), HALF)
        account = await self._people.account(said[0]) if said else None
        same = account is not None and account.active and said is not None and account.stamp == said[1]
        return account if same else None

    async def keep(self) -> None:
        """Notes who was seen, every minute until cancelled."""
        while True:
            await asyncio.sleep(NOTE_S)
            try:
                await self.note()
            except RecordsError as exc:
                log.warning("when sessions were seen cannot be noted now: %s", exc)
            except Exception:  # to end here would note nothing any more
                log.exception("when sessions were seen cannot be noted")

    async def note(self) -> None:
        """Write down what `read` saw since the last time."""
        seen, used = self._seen, self._used
        self._seen, self._used = {}, {}

        def write(records: Records) -> None:
            rows.seen(records, seen)
            tokens.used(records, used)

        if seen or used:
            await self._store.write(write)
        await self._remove_rows()

    async def _by_token(self, connection: HTTPConnection, said: str) -> Session | None:
        key, now = rows.hash_of(said), datetime.now(UTC)
        token = await self._people.token(key)
        account = await self._people.account(token.user_id) if token else None
        if token is None or account is None or not account.active or token.ends_at <= now:
            return None
        needed = scope_of(connection.scope.get("method", "GET"), connection.url.path)
        if needed not in token.scopes:
            raise HTTPException(403, say("This token may not do that: it lacks the scope {needed}.", needed=needed))
        self._used[key] = now
        return Session(account.reader, key)

    def _signed(self, signer: URLSafeTimedSerializer, value: str, lasts: timedelta) -> list[Any] | None:
        """The two things in a value that we signed and whose time is not over."""
        try:
            said, at = signer.loads(value, return_timestamp=True)
        except (BadSignature, ValueError, TypeError):
            return None
        old = datetime.now(UTC) - at > lasts  # one of the future is ours too: the clock was set back meanwhile
        return said if not old and isinstance(said, list) and len(said) == 2 else None

    def _remember_ended(self, key_hash: str, unremoved: bool = False) -> None:
        self._ended[key_hash] = unremoved
        if len(self._ended) > MOST_ENDED:
            del self._ended[next(iter(self._ended))]

    async def _remove_rows(self) -> None:
        hashes = [key for key, unremoved in self._ended.items() if unremoved]
        if hashes:
            await self._store.write(lambda records: rows.end_keys(records, hashes))
            self._ended |= dict.fromkeys(hashes, False)
            self._people.forget()

    @property
    def _half_cookie(self) -> str:
        return f"{self.cookie}-half"

    def _set(self, response: Response, cookie: str, value: str, lasts: timedelta) -> None:
        response.set_cookie(
            cookie,
            value,
            max_age=int(lasts.total_seconds()),
            path="/",
            secure=self._https,
            httponly=True,
            samesite="lax",
        )

    def _remove(self, response: Response, cookie: str) -> None:
        response.delete_cookie(cookie, path="/", secure=self._https, httponly=True, samesite="lax")


def scope_of(method: str, path: str) -> str:
    """What a token must allow for this request."""
    if method in SAFE:
        return "read"
    of_calls = path in CALLS or path.startswith(tuple(f"{one}/" for one in CALLS))
    return "calls" if of_calls and not path.endswith("/notes") else "write"


def _address(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else ""


async def signed_in(connection: HTTPConnection) -> Session:
    """The session, or NotSignedIn."""
    desk = services_of(connection)
    session = await desk.sessions.of(connection)
    if session is None:
        raise NotSignedIn
    await desk.layouts.expect()
    return session


async def the_reader(session: Annotated[Session, Depends(signed_in)]) -> Reader:
    return session.reader


SignedIn = Annotated[Session, Depends(signed_in)]
"""Parameter of an endpoint that refuses strangers: their session."""

TheReader = Annotated[Reader, Depends(the_reader)]
"""The same, when only the person matters."""


async def at_the_desk(connection: HTTPConnection, session: SignedIn) -> Session:
    if bearer(connection.url.path, connection.headers) is not None:
        raise HTTPException(403, say("No token may do that. Sign in at the desk, and do it there."))
    return session


AtTheDesk = Annotated[Session, Depends(at_the_desk)]
"""The same for what no token may change: passwords and second factors, and who is an administrator."""
