"""/me: one's own password, second factor, sessions, and the tokens of one's programs.

What somebody at an unlocked screen must not do is asked for with the password once more. No token reaches this page.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session as Records

from config.sentences import say
from desk import staff
from desk.browsers import named
from desk.second_factor import WRONG, SecondFactors
from desk.services import Desk, Services
from desk.sessions import Session, SignedIn
from desk.sign_in import TooMany, known
from records import tokens
from records.errors import Refused
from records.second_factor import new_recovery_codes, state_of, take_off
from records.sessions import end_all, end_one, sessions_of
from records.users import set_password

router = APIRouter(include_in_schema=False)

USUAL_DAYS = 90
NOT_YOURS = say("That is not your password. Nothing was changed.")

Text = Annotated[str, Form(max_length=2000)]


@router.get("/me")
async def page(request: Request, desk: Desk, session: SignedIn) -> Response:
    return await _page(request, desk, session)


@router.post("/me/password")
async def change_password(
    request: Request, desk: Desk, session: SignedIn, password: Text = "", new: Text = "", again: Text = ""
) -> Response:
    if new != again:
        return await _page(request, desk, session, 422, said=say("The two new passwords differ. Nothing was changed."))

    def change(records: Records) -> str:
        set_password(records, session.reader.user_id, new, keep=session.key_hash)
        return say("Your new password holds. Wherever else you were signed in, you are signed out.")

    return await _with_password(request, desk, session, password, change)


@router.post("/me/second-factor/begin")
async def offer(request: Request, desk: Desk, session: SignedIn, password: Text = "") -> Response:
    """A secret for the telephone, in the place of the one before as soon as a code of it is typed."""
    refused = await _refusal(request, desk, session, password)
    if refused:
        return refused
    factors: SecondFactors = request.app.state.second_factors
    made = factors.offer(session.reader.user_id, session.reader.login)
    return await desk.pages.page(request, session, "second_factor.html", said="", offer=made, codes=None)


@router.post("/me/second-factor")
async def take(request: Request, desk: Desk, session: SignedIn, offer: Text = "", code: Text = "") -> Response:
    factors: SecondFactors = request.app.state.second_factors
    user_id, login = session.reader.user_id, session.reader.login
    try:
        secret = factors.offered(user_id, offer)
    except Refused:
        return await _page(request, desk, session, 422, said=say("That page was open for too long. Begin again."))
    codes = await desk.store.write(lambda records: factors.take(records, user_id, secret, code))
    values: dict[str, Any] = {"said": "", "offer": None, "codes": codes}
    if codes is None:
        values = {"said": WRONG, "offer": factors.offer(user_id, login, secret), "codes": None}
    return await desk.pages.page(request, session, "second_factor.html", 200 if codes else 422, **values)


@router.post("/me/second-factor/codes")
async def new_codes(request: Request, desk: Desk, session: SignedIn, password: Text = "") -> Response:
    """Recovery codes in the place of those before."""
    refused = await _refusal(request, desk, session, password)
    if refused:
        return refused
    user_id = session.reader.user_id

    def write(records: Records) -> list[str]:
        if state_of(records, user_id) is None:
            raise Refused(say("You have no second factor."))
        return new_recovery_codes(records, user_id)

    codes = await desk.store.write(write)
    return await desk.pages.page(request, session, "second_factor.html", said="", offer=None, codes=codes)


@router.post("/me/second-factor/remove")
async def remove(request: Request, desk: Desk, session: SignedIn, password: Text = "") -> Response:
    if session.reader.role in desk.parts.settings.desk.second_factor:
        return await _page(request, desk, session, 422, said=say("Your role must have a second factor."))

    def off(records: Records) -> str:
        take_off(records, session.reader.user_id)
        return say("Your second factor is off.")

    return await _with_password(request, desk, session, password, off)


@router.post("/me/sessions/end-others")
async def end_others(desk: Desk, session: SignedIn) -> Response:
    await desk.store.write(lambda records: end_all(records, session.reader.user_id, but=session.key_hash))
    await staff.tell(desk)
    return RedirectResponse("/me#sessions", 303)


@router.post("/me/sessions/{session_id}/end")
async def end_session(desk: Desk, session: SignedIn, session_id: int) -> Response:
    await desk.store.write(lambda records: end_one(records, session.reader.user_id, session_id))
    await staff.tell(desk)
    return RedirectResponse("/me#sessions", 303)


@router.post("/me/tokens")
async def make_token(
    request: Request,
    desk: Desk,
    session: SignedIn,
    name: Text = "",
    scope: Annotated[list[str] | None, Form()] = None,
    until: Text = "",
    password: Text = "",
) -> Response:
    typed = {"token_name": name, "token_scopes": scope or [], "token_until": until}
    refused = await _refusal(request, desk, session, password, **typed)
    if refused:
        return refused
    user_id = session.reader.user_id
    try:
        ends_at = end_of(desk, until)
        made = await desk.store.write(lambda records: tokens.make(records, user_id, name, scope or [], ends_at))
    except Refused as problem:
        return await _page(request, desk, session, 422, said=str(problem), **typed)
    desk.people.forget()
    return await _page(request, desk, session, made=made, made_name=name)


@router.post("/me/tokens/{token_id}/end")
async def end_token(desk: Desk, session: SignedIn, token_id: int) -> Response:
    await desk.store.write(lambda records: tokens.end_token(records, session.reader.user_id, token_id))
    await staff.tell(desk)
    return RedirectResponse("/me#tokens", 303)


async def _with_password(
    request: Request, desk: Services, session: Session, password: str, work: Callable[[Records], str]
) -> Response:
    """Does what `work` does if this is the person's password, and shows what it says."""
    refused = await _refusal(request, desk, session, password)
    if refused:
        return refused
    try:
        done = await desk.store.write(work)
    except Refused as problem:
        return await _page(request, desk, session, 422, said=str(problem))
    await staff.tell(desk)
    return await _page(request, desk, session, done=done)


async def _refusal(request: Request, desk: Services, session: Session, password: str, **typed: Any) -> Response | None:
    """None: it is the person's password."""
    try:
        if await known(request, desk, session.reader.login, password):
            return None
        return await _page(request, desk, session, 422, said=NOT_YOURS, **typed)
    except TooMany as wait:
        return await _page(request, desk, session, 429, said=str(wait), **typed)


async def _page(request: Request, desk: Services, session: Session, status: int = 200, **more: Any) -> Response:
    reader = session.reader

    def read(records: Records) -> dict[str, Any]:
        user, person = staff.one(records, reader.user_id)
        return {
            "user": user,
            "phones": staff.written(desk, person.phones),
            "factor": state_of(records, reader.user_id),
            "tokens": [(one, one.ends_at - timedelta(seconds=1)) for one in tokens.tokens_of(records, reader.user_id)],
            "sessions": [
                (one, named(one.browser), one.key_hash == session.key_hash)
                for one in sessions_of(records, reader.user_id, desk.sessions.lasts)
            ],
        }

    frame: dict[str, Any] = {
        "said": "",
        "done": "",
        "made": "",
        "made_name": "",
        "must": reader.role in desk.parts.settings.desk.second_factor,
        "token_name": "",
        "token_scopes": ["read"],
        "token_until": (desk.today() + timedelta(days=USUAL_DAYS)).isoformat(),
        "scopes": tokens.SCOPES,
    }
    return await desk.pages.page(request, session, "me.html", status, **(frame | await desk.store.read(read) | more))


def end_of(desk: Services, day: str) -> datetime:
    """The moment at which this day, YYYY-MM-DD, is over for the company. Raises Refused."""
    try:
        next_day = date.fromisoformat(day) + timedelta(days=1)
        return datetime.combine(next_day, time(), desk.zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(say("say until which day the token holds, like 2027-01-31")) from None
