"""Addresses that a phone may fetch without signing in: signed, for one call and one kind of thing, until a moment.

A phone shows the picture of a Call-Info header or opens the card, but cannot sign in. So the address carries what it is
for, and a signature that only the holder of the secret can make. The token is text that is safe in a URL and a header.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Literal

from lookup.card import Card

Kind = Literal["card", "photo", "vcard"]

_KINDS: dict[str, Kind] = {"c": "card", "p": "photo", "v": "vcard"}
_TOKEN = re.compile(r"([cpv])\.([0-9]{1,19})\.([0-9]{1,12})\.([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]{22})")


@dataclass(frozen=True, slots=True)
class Link:
    """What one token allows."""

    kind: Kind
    customer_id: int
    call_id: str
    expires_at: int  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class Addresses:
    """The three addresses for one call's card; empty: there is no such thing to fetch."""

    card: str
    photo: str
    vcard: str


def make(secret: str, kind: Kind, customer_id: int, call_id: str, expires_at: int) -> str:
    """A token for one address. Raises ValueError without a secret or for a call id that is not plain letters."""
    if not secret:
        raise ValueError("links cannot be signed without a secret")
    body = f"{kind[0]}.{customer_id}.{expires_at}.{call_id}"
    token = f"{body}.{_signature(secret, body)}"
    if not _TOKEN.fullmatch(token):
        raise ValueError(f"no link can be made for call {call_id!r} and customer {customer_id}")
    return token


def read(secret: str, token: str, now: float) -> Link | None:
    """What the token allows at `now` (seconds since the epoch); None when it is not ours, changed or expired."""
    parts = _TOKEN.fullmatch(token)
    if not secret or not parts:
        return None
    kind, customer_id, expires_at, call_id, signature = parts.groups()
    # The signature is compared as text, so that no second spelling of the same bytes is accepted.
    if not hmac.compare_digest(_signature(secret, token.rpartition(".")[0]), signature) or now >= int(expires_at):
        return None
    return Link(_KINDS[kind], int(customer_id), call_id, int(expires_at))


def addresses(public_url: str, secret: str, card: Card, call_id: str, expires_at: int) -> Addresses:
    """Where a phone finds this customer's card, picture (if there is one) and vCard during this call."""

    def token(kind: Kind) -> str:
        return make(secret, kind, card.customer_id, call_id, expires_at)

    base = public_url.rstrip("/")
    return Addresses(
        card=f"{base}/c/{token('card')}",
        photo=f"{base}/p/{token('photo')}.jpg" if card.photo else "",
        vcard=f"{base}/v/{token('vcard')}.vcf",
    )


def _signature(secret: str, body: str) -> str:
    """128 bits of HMAC-SHA256; the prefix keeps the secret's other uses apart from this one."""
    digest = hmac.digest(secret.encode(), b"ringcard link 1 " + body.encode(), "sha256")
    return urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
