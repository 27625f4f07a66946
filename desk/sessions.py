"""Sessions: a signed cookie that names a user, checked against the people at every request.

The cookie is made anew at each sign-in and holds nothing but ids, so there is none to plant before. It ends with its
time, with a sign-out, with a new password and with the user; the latter three on the server, whatever a browser
keeps.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import HTTPConnection
from starlette.responses import Response

from config.settings import Settings
from desk.directory import Account, People
from desk.people import Reader
from desk.problems import NotSignedIn
from desk.services import services_of

MOST_REVOKED = 10_000


@dataclass(frozen=True, slots=True)
class Session:
    reader: Reader
    key: str  # of this sign-in

    @property
    def tag(self) -> str:
        """Tells sessions apart in a browser without giving the key away."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:12]


class Sessions:
    """Makes, reads and ends them. Ended ones are remembered in this process for as long as their cookies last."""

    def __init__(self, settings: Settings, secret: str, people: People) -> None:
        if not secret:
            raise ValueError("sessions cannot be signed without a secret")
        self._people = people
        self._max_age_s = settings.desk.session_hours * 3600
        self._https = settings.public_url.startswith("https:")
        self._signer = URLSafeTimedSerializer(secret, salt="ringcard session 1")
        self._revoked: dict[str, None] = {}
        self.cookie = "__Host-ringcard" if self._https else "ringcard"

    def begin(self, response: Response, account: Account) -> None:
        value = self._signer.dumps([account.reader.user_id, account.stamp, secrets.token_urlsafe(12)])
        response.set_cookie(
            self.cookie, value, max_age=self._max_age_s, path="/", secure=self._https, httponly=True, samesite="lax"
        )

    def end(self, response: Response, session: Session | None) -> None:
        response.delete_cookie(self.cookie, path="/", secure=self._https, httponly=True, samesite="lax")
        if session:
            self._revoked[session.key] = None
            if len(self._revoked) > MOST_REVOKED:
                del self._revoked[next(iter(self._revoked))]

    async def read(self, connection: HTTPConnection) -> Session | None:
        """The session of this request, or None. Raises DatabaseGone when nobody can be known at all."""
        try:
            user_id, stamp, key = self._signer.loads(connection.cookies.get(self.cookie, ""), self._max_age_s)
        except (BadSignature, ValueError, TypeError):
            return None
        if key in self._revoked:
            return None
        account = await self._people.account(user_id)
        holds = account is not None and account.active and account.stamp == stamp
        return Session(account.reader, key) if account and holds else None


async def signed_in(connection: HTTPConnection) -> Session:
    """The session, or NotSignedIn."""
    session = await services_of(connection).sessions.read(connection)
    if session is None:
        raise NotSignedIn
    return session


async def the_reader(session: Annotated[Session, Depends(signed_in)]) -> Reader:
    return session.reader


SignedIn = Annotated[Session, Depends(signed_in)]
"""Parameter of an endpoint that refuses strangers: their session."""

TheReader = Annotated[Reader, Depends(the_reader)]
"""The same, when only the person matters."""
