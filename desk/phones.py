"""What a phone fetches during a call, by a signed address and without a session: card, picture, vCard.

The address is the whole permission, and it travels in SIP headers: so it is for one customer and some minutes, the
card leaves amounts out and what some role may not see, and an address that is wrong or too old gets the same short
refusal.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, PlainTextResponse, Response

from config.sentences import say
from desk import vcard
from desk.languages import language
from desk.services import Desk, Services
from desk.sessions import SignedIn
from lookup.links import Kind, Link, make, read
from records import customers
from records.aliases import id_of_now
from records.errors import NotFound
from records.photos import SIZES, photo_path
from records.seen import A_PHONE
from records.tables import Customer

router = APIRouter(include_in_schema=False)

SCREEN, PHONE = SIZES
REFUSED = say("This address is wrong or no longer valid. The next call brings a new one.")


@router.get("/c/{token}")
async def card(request: Request, desk: Desk, token: str) -> Response:
    """The card on a phone's small screen."""
    link, customer = await _allowed(desk, token, "card")
    if link is None or customer is None:
        return _refused(request, desk)
    photo = make(desk.parts.secret, "photo", customer.id, link.call_id, link.expires_at) if customer.photo else ""
    return desk.pages.plain(request, "phone_card.html", customer=customer, photo=photo, sees=_sees(desk))


@router.get("/p/{token}.jpg")
async def photo(request: Request, desk: Desk, token: str) -> Response:
    _, customer = await _allowed(desk, token, "photo")
    return _picture(request, desk, customer.photo if customer else "", PHONE)


@router.get("/v/{token}.vcf")
async def contact(request: Request, desk: Desk, token: str) -> Response:
    _, customer = await _allowed(desk, token, "vcard")
    if customer is None:
        return _refused(request, desk)
    return Response(
        vcard.of(customer, _sees(desk), language(desk.parts.settings.company.language).put),
        media_type="text/vcard; charset=utf-8",
    )


@router.get("/photos/{name}")
async def photo_for_the_desk(request: Request, desk: Desk, session: SignedIn, name: str) -> Response:
    """A picture on our own pages. Its name is its content's hash, so it may be kept."""
    response = _picture(request, desk, name, SCREEN)
    if response.status_code == 200:
        response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    return response


def _sees(desk: Services) -> frozenset[str]:
    """Fields that every role may see: nobody knows who looks at a phone."""
    return desk.layout.names_seen_by("")


async def _allowed(desk: Services, token: str, kind: Kind) -> tuple[Link | None, Customer | None]:
    link = read(desk.parts.secret, token, desk.parts.clock().timestamp())
    if link is None or link.kind != kind:
        return None, None
    await desk.layouts.expect()
    customer_id = link.customer_id
    found = await desk.store.read(lambda records: customers.customer(records, id_of_now(records, customer_id)))
    if found and kind != "photo":
        desk.seen.note(A_PHONE, [found.id], "file")
    return link, found


def _picture(request: Request, desk: Services, name: str, side: int) -> Response:
    try:
        return FileResponse(photo_path(desk.parts.settings.data_dir, name, side), media_type="image/jpeg")
    except NotFound:
        return _refused(request, desk)


def _refused(request: Request, desk: Services) -> Response:
    return PlainTextResponse(f"{desk.pages.spoken_to(request).put(REFUSED)}\n", 404)
