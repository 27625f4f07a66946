"""GET /dialplan/...: what a dialplan asks by CURL when the ARI application is not there. Plain text, empty: unknown.

For machines of the company alone: the token and the sender's address must both fit. It takes no session and no
database of ours beyond the lookup itself, and answers within the lookup's budget.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request
from fastapi.responses import PlainTextResponse

from desk.services import Desk, Services, services_of
from lookup.answers import Answer, Caller, Found
from lookup.naming import phone_name

router = APIRouter(prefix="/dialplan", tags=["dialplan"])

PLAIN_NAME = re.compile(r"[A-Za-z0-9_.+-]+")
"""What an endpoint's name may be made of before it goes into a Dial()."""


def for_our_pbx(
    request: Request,
    token: Annotated[str, Query()] = "",
    x_ringcard_token: Annotated[str, Header()] = "",
) -> None:
    """403 unless the token is right and the address is one of desk.dialplan_from."""
    parts = services_of(request).parts
    given = (x_ringcard_token or token).encode()
    right = bool(parts.dialplan_token) and hmac.compare_digest(given, parts.dialplan_token.encode())
    if not right or not is_allowed(request.client.host if request.client else "", parts.settings.desk.dialplan_from):
        raise HTTPException(403, "wrong token or address")


@router.get("/caller-name", response_class=PlainTextResponse, dependencies=[Depends(for_our_pbx)])
async def caller_name(desk: Desk, number: str = "", trunk: str = "", presentation: str = "") -> PlainTextResponse:
    """The name that a phone may show for this caller."""
    answer = await _find(desk, Caller(number, presentation=presentation, trunk=trunk))
    return PlainTextResponse(phone_name(answer) if isinstance(answer, Found) else "")


@router.get("/manager", response_class=PlainTextResponse, dependencies=[Depends(for_our_pbx)])
async def manager(
    desk: Desk, number: str = "", trunk: str = "", presentation: str = "", node: str = ""
) -> PlainTextResponse:
    """Names of the phones of the caller's manager on this PBX, joined by "&"."""
    answer = await _find(desk, Caller(number, presentation=presentation, trunk=trunk))
    chosen = answer.chosen if isinstance(answer, Found) and answer.may == "route" else None
    phones = chosen.manager.phones if chosen and chosen.manager else ()
    here = node or desk.parts.settings.asterisk.node
    names = [phone.name for phone in phones if phone.inside and phone.node == here]
    return PlainTextResponse("&".join(name for name in names if PLAIN_NAME.fullmatch(name)))


def is_allowed(address: str, networks: tuple[str, ...]) -> bool:
    """Whether the address lies in one of the networks; what is no address is refused."""
    try:
        sender = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(sender, ipaddress.IPv6Address) and sender.ipv4_mapped:
        sender = sender.ipv4_mapped
    return any(sender in ipaddress.ip_network(network, strict=False) for network in networks)


async def _find(desk: Services, caller: Caller) -> Answer:
    return await desk.parts.finder.find(caller, desk.parts.settings.lookup.budget_ms / 1000)
