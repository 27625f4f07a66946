"""The second factor at the door: the page that asks for a code, and the one where it is set up when a role demands it.

Nobody is signed in here yet: the password was right, and half a session says so. A secret that is offered is kept in
the page alone, signed, until a first code shows that the telephone has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import segno
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy.orm import Session as Records

from config.sentences import say
from desk.directory import Account
from desk.parts import DeskParts
from desk.problems import NotSignedIn
from desk.services import Desk, Services
from desk.sessions import HALF
from desk.sign_in import Door, TooMany, local
from records.errors import Refused
from records.sealing import Seal
from records.second_factor import accept, address_of, new_secret, set_up, state_of, step_of

router = APIRouter(include_in_schema=False)

WRONG = say("That code is not right, or was used before. Wait for the next one; is your telephone's clock right?")
TOO_OLD = say("This page was open for too long. Here is a new one.")
UNREADABLE = say(
    "Your second factor cannot be read any more. Ask an administrator to take it off, then set it up anew."
)

Text = Annotated[str, Form(max_length=2000)]


@dataclass(frozen=True, slots=True)
class Offer:
    """A secret for the person's telephone, which is theirs once a code of it is typed."""

    value: str  # comes back with the form
    secret: str
    picture: str  # the QR code, as a data: address

    @property
    def groups(self) -> str:
        """The secret as one types it."""
        return " ".join(self.secret[at : at + 4] for at in range(0, len(self.secret), 4))


class SecondFactors:
    """Offers secrets, and opens those that are kept. One per application, as `app.state.second_factors`."""

    def __init__(self, parts: DeskParts) -> None:
        self._seal = Seal(parts.secret, "ringcard second factors 1")
        self._signer = URLSafeTimedSerializer(parts.secret, salt="ringcard second factor offered 1")
        self._issuer = f"Ringcard {parts.settings.company.name}"
        self._clock = parts.clock

    def offer(self, user_id: int, login: str, secret: str = "") -> Offer:
        secret = secret or new_secret()
        code = segno.make(address_of(secret, login, self._issuer), error="m", micro=False)
        picture = code.svg_data_uri(border=4, scale=4, dark="#000", light="#fff")
        return Offer(self._signer.dumps([user_id, secret]), secret, picture)

    def offered(self, user_id: int, value: str) -> str:
        """The secret of an offer that was made to this person. Raises Refused."""
        try:
            (whose, secret), at = self._signer.loads(value, return_timestamp=True)
        except (BadSignature, ValueError, TypeError):
            raise Refused(TOO_OLD) from None
        if whose != user_id or datetime.now(UTC) - at > HALF:
            raise Refused(TOO_OLD)
        return str(secret)

    def take(self, records: Records, user_id: int, secret: str, code: str) -> list[str] | None:
        """The secret is the person's when the code is one of it; then the recovery codes. In a transaction."""
        step = step_of(secret, code, self._clock().timestamp())
        if step is None:
            return None
        return set_up(records, user_id, self._seal.close(secret, _about(user_id)), step)

    def accepts(self, records: Records, user_id: int, code: str) -> bool:
        """In a transaction. Raises Refused when the desk's secret is not the one of then."""
        now_s = self._clock().timestamp()
        return accept(records, user_id, lambda sealed: self._seal.open(sealed, _about(user_id)), code, now_s)


def _about(user_id: int) -> str:
    return f"user {user_id}"


@router.get("/sign-in/code")
async def ask(request: Request, desk: Desk, next: str = "/") -> Response:
    await _half(request, desk)
    return desk.pages.plain(request, "second_factor_code.html", next=local(next))


@router.post("/sign-in/code")
async def enter(request: Request, desk: Desk, code: Text = "", next: Text = "/") -> Response:
    account = await _half(request, desk)
    factors: SecondFactors = request.app.state.second_factors
    door: Door = request.app.state.door
    user_id = account.reader.user_id
    try:
        door.take_code(user_id)
        right = await desk.store.write(lambda records: factors.accepts(records, user_id, code))
    except TooMany as wait:
        return _ask_again(request, desk, 429, str(wait), next, wait.headers)
    except Refused:
        return _ask_again(request, desk, 409, UNREADABLE, next)
    if not right:
        return _ask_again(request, desk, 401, WRONG, next)
    door.open_code(user_id)
    response = RedirectResponse(local(next), 303)
    await desk.sessions.begin(response, account, request)
    return response


@router.get("/sign-in/second-factor")
async def demand(request: Request, desk: Desk, next: str = "/") -> Response:
    """For who must have a second factor and has none."""
    account = await _without_one(request, desk)
    return _show_offer(request, desk, account, next)


@router.post("/sign-in/second-factor")
async def take(request: Request, desk: Desk, code: Text = "", offer: Text = "", next: Text = "/") -> Response:
    account = await _without_one(request, desk)
    factors: SecondFactors = request.app.state.second_factors
    user_id = account.reader.user_id
    try:
        secret = factors.offered(user_id, offer)
    except Refused as refused:
        return _show_offer(request, desk, account, next, 422, str(refused))
    codes = await desk.store.write(lambda records: factors.take(records, user_id, secret, code))
    if codes is None:
        return _show_offer(request, desk, account, next, 422, WRONG, secret)
    response = desk.pages.plain(request, "second_factor_door.html", next=local(next), codes=codes, offer=None)
    await desk.sessions.begin(response, account, request)
    return response


async def _half(request: Request, desk: Services) -> Account:
    account = await desk.sessions.half(request)
    if account is None:
        raise NotSignedIn
    return account


async def _without_one(request: Request, desk: Services) -> Account:
    """Half signed in, and without a second factor: whoever has one must show it, and not make another."""
    account = await _half(request, desk)
    if await desk.store.read(lambda records: state_of(records, account.reader.user_id)):
        raise NotSignedIn
    return account


def _ask_again(
    request: Request, desk: Services, status: int, said: str, next: str, headers: dict[str, str] | None = None
) -> Response:
    return desk.pages.plain(request, "second_factor_code.html", status, headers, said=said, next=local(next))


def _show_offer(
    request: Request, desk: Services, account: Account, next: str, status: int = 200, said: str = "", secret: str = ""
) -> Response:
    factors: SecondFactors = request.app.state.second_factors
    offer = factors.offer(account.reader.user_id, account.reader.login, secret)
    return desk.pages.plain(
        request, "second_factor_door.html", status, said=said, next=local(next), codes=None, offer=offer
    )
