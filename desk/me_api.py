"""/api/v1/me: one's own day, sessions, tokens, password and second factor, as the page of these has them.

What opens a door (a token, a password, a second factor) is made only at the desk itself, with the password said once
more: no token makes another.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session as Records

from config.sentences import say
from desk import described, shapes, staff
from desk.bounds import Id
from desk.browsers import named
from desk.formats import rfc3339
from desk.me import NOT_YOURS, end_of
from desk.second_factor import WRONG, SecondFactors
from desk.services import Desk, Services
from desk.sessions import AtTheDesk, Session, SignedIn, TheReader
from desk.sign_in import TooMany, known
from desk.today import day_of
from records import routing, tokens
from records.errors import Refused
from records.second_factor import new_recovery_codes, state_of, take_off
from records.sessions import end_all, end_one, sessions_of
from records.tables import ApiToken
from records.users import set_password

router = APIRouter(prefix="/api/v1/me", tags=["me"])

Password = Annotated[str, Field(max_length=2000)]
TRIED: described.Responses = described.also(429)


class Proof(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    password: Annotated[Password, Field(description="your own, once more")]


class NewPassword(Proof):
    new: Password


class NewToken(Proof):
    name: Annotated[str, Field(max_length=tokens.LONGEST_NAME, description="what it is for")]
    scopes: Annotated[list[Literal["read", "write", "calls"]], Field(min_length=1, max_length=3)]
    until: Annotated[str, Field(max_length=10, description="the last day on which it holds, like 2027-01-31")]


class Taken(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    offer: Annotated[str, Field(max_length=2000)]
    code: Annotated[str, Field(max_length=20, description="that the telephone shows now")]


class Disturb(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    do_not_disturb: bool


@router.get("/today", response_model=shapes.Today)
async def today(desk: Desk, reader: TheReader) -> shapes.Today:
    """Your own figures of this day so far. Missed: calls from outside that rang at your phones and nobody answered."""
    of = await day_of(desk, reader)
    return shapes.Today(answered=of.answered, missed=of.missed, talk_s=of.talk_s, wait_s=of.wait_s)


@router.get("/do-not-disturb", response_model=shapes.Disturbed)
async def disturbed(desk: Desk, reader: TheReader) -> dict[str, bool]:
    """Whether calls that are routed pass you over."""
    return {"do_not_disturb": await desk.store.read(lambda records: routing.do_not_disturb(records, reader.user_id))}


@router.put("/do-not-disturb", response_model=shapes.Disturbed)
async def disturb(desk: Desk, reader: TheReader, wanted: Disturb) -> dict[str, bool]:
    """Be passed over by calls that are routed, or no longer."""
    on = wanted.do_not_disturb
    await desk.store.write_once(lambda records: routing.set_do_not_disturb(records, reader.user_id, on))
    desk.people.forget()
    return {"do_not_disturb": on}


@router.get("/sessions", response_model=list[shapes.OwnSignIn])
async def sessions(desk: Desk, session: SignedIn) -> list[dict[str, Any]]:
    """Where you are signed in, the last seen first."""
    found = await desk.store.read(lambda records: sessions_of(records, session.reader.user_id, desk.sessions.lasts))
    return [
        {
            "id": one.id,
            "began_at": rfc3339(one.began_at),
            "seen_at": rfc3339(one.seen_at),
            "browser": named(one.browser),
            "address": one.address,
            "is_this": one.key_hash == session.key_hash,
        }
        for one in found
    ]


@router.delete("/sessions", status_code=204)
async def end_others(desk: Desk, session: SignedIn) -> Response:
    """Sign yourself out everywhere but here."""
    await desk.store.write(lambda records: end_all(records, session.reader.user_id, but=session.key_hash))
    await staff.tell(desk)
    return Response(status_code=204)


@router.delete("/sessions/{session_id}", status_code=204)
async def end_session(desk: Desk, session: SignedIn, session_id: Id) -> Response:
    """Sign yourself out of one browser."""
    await desk.store.write(lambda records: end_one(records, session.reader.user_id, session_id))
    await staff.tell(desk)
    return Response(status_code=204)


@router.get("/tokens", response_model=list[shapes.Token])
async def own_tokens(desk: Desk, reader: TheReader) -> list[dict[str, Any]]:
    """The tokens of your programs, the last made first."""
    return await desk.store.read(lambda records: [_token(one) for one in tokens.tokens_of(records, reader.user_id)])


@router.post("/tokens", status_code=201, response_model=shapes.MadeToken, responses=TRIED)
async def make_token(request: Request, desk: Desk, session: AtTheDesk, new: NewToken) -> dict[str, Any]:
    """Make a token for a program of yours. It is told now and never again. Only at the desk, not by a token."""
    await _prove(request, desk, session, new.password)
    user_id, ends_at = session.reader.user_id, end_of(desk, new.until)

    def write(records: Records) -> dict[str, Any]:
        made = tokens.make(records, user_id, new.name, new.scopes, ends_at)
        [newest, *_] = tokens.tokens_of(records, user_id)
        return {**_token(newest), "token": made}

    told = await desk.store.write(write)
    desk.people.forget()
    return told


@router.delete("/tokens/{token_id}", status_code=204)
async def end_token(desk: Desk, session: SignedIn, token_id: Id) -> Response:
    """End one of your tokens, now."""
    await desk.store.write(lambda records: tokens.end_token(records, session.reader.user_id, token_id))
    await staff.tell(desk)
    return Response(status_code=204)


@router.put("/password", status_code=204, responses=TRIED)
async def change_password(request: Request, desk: Desk, session: AtTheDesk, given: NewPassword) -> Response:
    """Change your password. Wherever else you are signed in, you are signed out. Only at the desk, not by a token."""
    await _prove(request, desk, session, given.password)
    user_id, keep = session.reader.user_id, session.key_hash
    await desk.store.write(lambda records: set_password(records, user_id, given.new, keep=keep))
    await staff.tell(desk)
    return Response(status_code=204)


@router.get("/second-factor", response_model=shapes.SecondFactor)
async def second_factor(desk: Desk, reader: TheReader) -> dict[str, Any]:
    """Since when you have a second factor (null: you have none), and how many recovery codes are left."""
    held = await desk.store.read(lambda records: state_of(records, reader.user_id))
    return {"since": rfc3339(held.since) if held else None, "recovery_codes": held.codes_left if held else 0}


@router.post("/second-factor/offer", response_model=shapes.OfferedFactor, responses=TRIED)
async def offer(request: Request, desk: Desk, session: AtTheDesk, proof: Proof) -> dict[str, str]:
    """A secret for your telephone; it is yours once a code of it is said. Only at the desk, not by a token."""
    await _prove(request, desk, session, proof.password)
    made = _factors(request).offer(session.reader.user_id, session.reader.login)
    return {"offer": made.value, "secret": made.secret, "picture": made.picture}


@router.put("/second-factor", response_model=shapes.RecoveryCodes)
async def take(request: Request, desk: Desk, session: AtTheDesk, taken: Taken) -> dict[str, list[str]]:
    """Take the secret that was offered, in the place of one before. The recovery codes are told now and never again."""
    factors, user_id = _factors(request), session.reader.user_id
    secret = factors.offered(user_id, taken.offer)
    codes = await desk.store.write(lambda records: factors.take(records, user_id, secret, taken.code))
    if codes is None:
        raise Refused(WRONG)
    return {"codes": codes}


@router.post("/second-factor/codes", response_model=shapes.RecoveryCodes, responses=TRIED)
async def new_codes(request: Request, desk: Desk, session: AtTheDesk, proof: Proof) -> dict[str, list[str]]:
    """Recovery codes in the place of those before. Only at the desk, not by a token."""
    await _prove(request, desk, session, proof.password)
    user_id = session.reader.user_id

    def write(records: Records) -> list[str]:
        if state_of(records, user_id) is None:
            raise Refused(say("You have no second factor."))
        return new_recovery_codes(records, user_id)

    return {"codes": await desk.store.write(write)}


@router.post("/second-factor/remove", status_code=204, responses=TRIED)
async def remove(request: Request, desk: Desk, session: AtTheDesk, proof: Proof) -> Response:
    """Take your second factor off, where your role need not have one. Only at the desk, not by a token."""
    if session.reader.role in desk.parts.settings.desk.second_factor:
        raise Refused(say("Your role must have a second factor."))
    await _prove(request, desk, session, proof.password)
    await desk.store.write(lambda records: take_off(records, session.reader.user_id))
    await staff.tell(desk)
    return Response(status_code=204)


async def _prove(request: Request, desk: Services, session: Session, password: str) -> None:
    """Raises 403 for another password, 429 after too many."""
    try:
        right = await known(request, desk, session.reader.login, password)
    except TooMany as wait:
        raise HTTPException(429, str(wait), wait.headers) from None
    if right is None:
        raise HTTPException(403, NOT_YOURS)


def _factors(request: Request) -> SecondFactors:
    factors: SecondFactors = request.app.state.second_factors
    return factors


def _token(of: ApiToken) -> dict[str, Any]:
    return {
        "token_id": of.id,
        "name": of.name,
        "scopes": of.scopes.split(),
        "made_at": rfc3339(of.made_at),
        "ends_at": rfc3339(of.ends_at),
        "used_at": rfc3339(of.used_at),
    }
