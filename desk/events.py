"""GET /api/v1/events: the live calls of one reader as Server-Sent Events, for as long as they stay signed in."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse

from desk import formats
from desk.announce import Audience, message
from desk.services import Desk, Services
from desk.sessions import SignedIn
from records.errors import DatabaseGone

router = APIRouter(prefix="/api/v1", tags=["live"])

HEARTBEAT_S = 15.0


class EventStream(StreamingResponse):
    media_type = "text/event-stream"


@router.get("/events", response_class=EventStream)
async def events(
    request: Request,
    desk: Desk,
    session: SignedIn,
    after: str = "",
    pieces: bool = False,
    last_event_id: Annotated[str, Header()] = "",
) -> EventStream:
    """Server-Sent Events: `ringing`, `answered`, `moved`, `ended`, `card_changed` with the call as you may see it.

    Give the last id you saw as `after` and nothing is missed; when it is no longer known, a `snapshot` of all live
    calls comes first. `status` says that live calls are away; a snapshot follows when they are back. A `heartbeat`
    comes every 15 seconds; `signed_out` is the last one when your session ends.
    """
    audience = Audience(desk, session.reader, pieces)
    stream = _stream(request, desk, audience, last_event_id or after)
    return EventStream(stream, headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"})


@router.get("/live")
async def live(desk: Desk, session: SignedIn) -> dict[str, Any]:
    """The live calls as you may see them, with the id to follow them from."""
    last_id, calls = desk.hub.calls()
    shown = await Audience(desk, session.reader).show_all(calls)
    return {"after": last_id, "live": desk.hub.up, "calls": shown}


async def _stream(request: Request, desk: Services, audience: Audience, after: str) -> AsyncIterator[bytes]:
    checked = time.monotonic()
    with desk.hub.subscribe(after) as subscription:
        yield _heartbeat(desk)
        for chunk in await audience.still_lacking():
            yield chunk
        while True:
            event = await subscription.next(HEARTBEAT_S)
            if event is None and subscription.ended:
                return
            if event is None or event.kind == "sessions" or time.monotonic() - checked > HEARTBEAT_S:
                checked = time.monotonic()
                if not await _still_signed_in(request, desk):
                    yield message("signed_out", "", {})
                    return
            if event is None:
                yield _heartbeat(desk)
                continue
            for chunk in await audience.messages(event):
                yield chunk


def _heartbeat(desk: Services) -> bytes:
    at = formats.rfc3339(desk.parts.clock())
    return message("heartbeat", "", {"at": at, "live": desk.hub.up, "next_s": HEARTBEAT_S})


async def _still_signed_in(request: Request, desk: Services) -> bool:
    try:
        return await desk.sessions.read(request) is not None
    except DatabaseGone:
        return True  # it held a moment ago, and nothing says that it does not any more
