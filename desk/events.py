"""GET /api/v1/events: the live calls of one reader as Server-Sent Events, for as long as they stay signed in."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Query, Request
from fastapi.responses import StreamingResponse

from desk import formats, shapes
from desk.announce import Audience, message
from desk.people import Reader
from desk.services import Desk, Services
from desk.sessions import SignedIn
from records.errors import DatabaseGone

router = APIRouter(prefix="/api/v1", tags=["live"])

HEARTBEAT_S = 15.0
LONGEST_ID = 100  # of a notice
LOOK_S = 3.0
"""So often every connection looks whether its session still holds: another process may have ended it."""


class EventStream(StreamingResponse):
    media_type = "text/event-stream"


@router.get("/events", response_class=EventStream, response_model=str)
async def events(
    request: Request,
    desk: Desk,
    session: SignedIn,
    after: Annotated[str, Query(max_length=LONGEST_ID, description="the last id that you saw")] = "",
    pieces: bool = False,
    last_event_id: Annotated[str, Header(max_length=LONGEST_ID, description="the same, as browsers say it")] = "",
) -> EventStream:
    """Follow the live calls, as Server-Sent Events that do not end.

    `ringing`, `answered`, `moved`, `ended`, `card_changed` with the call as you may see it, and
    `task_due` with a task of yours that has come up, or with `up` false when it was dealt with.

    Give the last id you saw as `after` and nothing is missed; when it is no longer known, a `snapshot` of all live
    calls comes first. `status` says that live calls are away; a snapshot follows when they are back. A `heartbeat`
    comes every 15 seconds; `signed_out` is the last one when your session ends.
    """
    audience = Audience(desk, session.reader, request if pieces else None)
    stream = _stream(request, desk, audience, last_event_id or after)
    return EventStream(stream, headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"})


@router.get("/live", response_model=shapes.Live)
async def live(desk: Desk, session: SignedIn) -> dict[str, Any]:
    """The live calls as you may see them, with the id to follow them from."""
    last_id, calls = desk.hub.calls()
    shown = await Audience(desk, session.reader).show_all(calls)
    return {"after": last_id, "live": desk.hub.up, "calls": shown}


async def _stream(request: Request, desk: Services, audience: Audience, after: str) -> AsyncIterator[bytes]:
    beat = looked = time.monotonic()
    with desk.hub.subscribe(after, audience.may_want) as subscription, desk.presence.here(audience.reader.user_id):
        yield _heartbeat(desk)
        for chunk in await audience.still_lacking():
            yield chunk
        while True:
            event = await subscription.next(min(HEARTBEAT_S, LOOK_S))
            if event is None and subscription.ended:
                return
            now = time.monotonic()
            if event is None or event.kind == "sessions" or now - looked > LOOK_S:
                looked = now
                reader = await _reader(request, desk, audience.reader)
                if reader is None:
                    yield message("signed_out", "", {})
                if reader != audience.reader:
                    return  # who may see something else now comes back, and gets that
            for chunk in await audience.messages(event) if event else ():
                desk.hub.sent += 1
                beat = now
                yield chunk
            if now - beat >= HEARTBEAT_S - LOOK_S / 2:  # also when others' calls come one after the other
                beat = now
                yield _heartbeat(desk)


def _heartbeat(desk: Services) -> bytes:
    at = formats.rfc3339(desk.parts.clock())
    return message("heartbeat", "", {"at": at, "live": desk.hub.up, "next_s": HEARTBEAT_S})


async def _reader(request: Request, desk: Services, before: Reader) -> Reader | None:
    """Who the session belongs to, as they are now; None: it does not hold any more."""
    try:
        session = await desk.sessions.of(request)
    except DatabaseGone:
        return before  # it held a moment ago, and nothing says that it does not any more
    except HTTPException:
        return None  # of a token
    return session.reader if session else None
