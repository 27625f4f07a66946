"""The block list: who is not let in, as a page and in the API. Whoever sees a team's calls may block, and unblock."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session as Records

from config.sentences import say
from desk import described, shapes
from desk.bounds import Id
from desk.formats import rfc3339
from desk.services import Desk, Services
from desk.sessions import Session, SignedIn
from desk.views import sight
from lookup.blocking import is_emergency, read_prefix
from records import routing
from records.errors import Conflict, Refused
from records.tables import BlockedCaller

pages = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1/blocked", tags=["calls"])


async def may_block(session: SignedIn) -> Session:
    if not sight(session.reader.role).blocks:
        raise HTTPException(403, say("Blocking callers is for supervisors and administrators."))
    return session


MayBlock = Annotated[Session, Depends(may_block)]
Text = Annotated[str, Form(max_length=500)]


class NewBlocked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    caller: Annotated[str, Field(max_length=500, description="a number, +7495* for all that begin so, or withheld")]
    note: Annotated[str, Field(max_length=routing.LONGEST)] = ""


@pages.get("/blocked")
async def page(request: Request, desk: Desk, session: MayBlock, number: str = "") -> Response:
    return await _page(request, desk, session, typed={"caller": number[:100]})


@pages.post("/blocked")
async def add(request: Request, desk: Desk, session: MayBlock, caller: Text = "", note: Text = "") -> Response:
    """`caller`: a number, +7495* for all that begin so, or withheld."""
    try:
        await desk.store.write(lambda records: block(desk, records, caller, note, session.reader.user_id))
    except (Refused, Conflict) as refused:
        typed = {"caller": caller, "note": note}
        return await _page(request, desk, session, 422, said=str(refused), typed=typed)
    return RedirectResponse("/blocked", 303)


@pages.post("/blocked/{blocked_id}/unblock")
async def let_in(desk: Desk, session: MayBlock, blocked_id: int) -> Response:
    await desk.store.write(lambda records: routing.unblock(records, blocked_id))
    return RedirectResponse("/blocked", 303)


@api.get("", response_model=list[shapes.Blocked])
async def listed(desk: Desk, session: MayBlock) -> list[dict[str, Any]]:
    """Who is not let in, the newest first."""
    return [_told(row) for row in await desk.store.read(routing.blocked)]


@api.post("", status_code=201, response_model=shapes.Blocked, responses=described.also(409))
async def block_json(
    desk: Desk,
    session: MayBlock,
    new: NewBlocked,
) -> dict[str, Any]:
    """Block a number, all that begin alike (`+7495*`), or `withheld`. It holds from the next call on."""
    return _told(
        await desk.store.write(lambda records: block(desk, records, new.caller, new.note, session.reader.user_id))
    )


@api.delete("/{blocked_id}", status_code=204)
async def unblock_json(desk: Desk, session: MayBlock, blocked_id: Id) -> Response:
    """Let this caller in again."""
    await desk.store.write(lambda records: routing.unblock(records, blocked_id))
    return Response(status_code=204)


def block(desk: Services, records: Records, caller: str, note: str, by_id: int) -> BlockedCaller:
    """In a transaction. Raises Refused, Conflict."""
    settings = desk.parts.settings
    typed = caller.strip()
    if typed.casefold() == "withheld":
        return routing.block(records, "withheld", "", note, by_id)
    if typed[-1:] in ("*", "x", "X"):
        try:
            prefix = read_prefix(typed)
        except ValueError as exc:
            raise Refused(str(exc)) from None
        for did in settings.dids:
            if desk.parts.read_number(did).e164.startswith(prefix):
                raise Refused(
                    say("your own number {did} begins with {prefix}; write more digits", did=did, prefix=prefix)
                )
        return routing.block(records, "prefix", prefix, note, by_id)
    if is_emergency(typed, settings.company.country):
        raise Refused(say("{number} is a number for emergencies, which nobody may block", number=typed))
    read = desk.parts.read_number(typed)
    if read.own:
        raise Refused(say("{number} is one of your own numbers", number=typed))
    if not read.e164:
        raise Refused(say("{number!r} is no whole phone number; write it with + and the country code", number=typed))
    return routing.block(records, "number", read.match_key or read.e164, note, by_id)


def _told(row: BlockedCaller) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "value": row.value,
        "note": row.note,
        "blocked_by": row.by.name if row.by else None,
        "blocked_at": rfc3339(row.created_at),
    }


async def _page(
    request: Request, desk: Services, session: Session, status: int = 200, said: str = "", typed: Any = None
) -> Response:
    rows = await desk.store.read(routing.blocked)
    return await desk.pages.page(
        request, session, "blocked.html", status, blocked=rows, said=said, typed={"note": "", **(typed or {})}
    )
