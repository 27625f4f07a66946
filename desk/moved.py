"""The address of a customer who was merged into another leads on to that one.

A page is sent on (302), and so is a form (307), whose text then arrives where it belongs: forms look themselves whether
they fit. By the API reading is sent on (308); a change is answered 410 with who it would concern now, because it was
made from what is gone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from config.sentences import say
from desk.services import services_of
from records.aliases import merged_into
from records.errors import DatabaseGone

_READS = ("GET", "HEAD")
_OF_CUSTOMER = re.compile(r"((?:/api/v1)?/customers/)([0-9]{1,9})(/.*)?")


async def moved(request: Request, answer: Callable[..., Response]) -> Response | None:
    """Where an address goes on to that found nobody; None: nowhere."""
    path = _OF_CUSTOMER.fullmatch(request.url.path)
    if path is None:
        return None
    before, old_id, rest = path[1], int(path[2]), quote(path[3] or "")
    try:
        now = (await services_of(request).store.read(lambda records: merged_into(records, [old_id]))).get(old_id)
    except DatabaseGone:
        return None
    if now is None:
        return None
    query = f"?{request.url.query}" if request.url.query else ""
    to = f"{before}{now}{rest}{query}"
    reads = request.method in _READS
    if not before.startswith("/api/"):
        return RedirectResponse(to, 302 if reads else 307)
    if reads:
        said = say("The customer {before} was merged into {now}.", before=old_id, now=now)
        return answer(request, 308, said, {"Location": to}, customer_id=now)
    link = {"Link": f'</api/v1/customers/{now}>; rel="successor-version"'}
    said = say(
        "The customer {before} was merged into {now}. Read that one, then make your change there.",
        before=old_id,
        now=now,
    )
    return answer(request, 410, said, link, customer_id=now)
