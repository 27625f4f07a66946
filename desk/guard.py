"""What every answer carries and every request must pass, before any page is asked: an ASGI layer without state.

Nothing but our own scripts, styles and pictures may load, nobody may frame us, and a request that changes something
must come from our own pages: browsers say so in Sec-Fetch-Site or Origin, and one that says neither is refused. A
program that says a token need not: no foreign page can, and beside a token no cookie counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config.sentences import say
from desk.formats import figure
from desk.problems import told_problem

CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # Bootstrap's own small pictures are data: addresses in its stylesheet
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), payment=(), usb=()",
}
TOLD_BY_PROGRAMS = "/api/v1/customers/by-external-id/"
FOR_TOKENS = ("/api/", "/photos/")
"""Addresses at which a token counts, and then nothing else does; on pages only a session does."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LARGEST_BODY = 1_000_000
LARGEST_FILE = 300_000_000
"""Of customers to import; a million rows have some 200 MB."""

LARGEST_LOGO = 6_000_000
LARGEST_PICTURE = 11_000_000
LARGEST = {
    "/import": LARGEST_FILE,
    "/api/v1/imports": LARGEST_FILE,
    "/company": LARGEST_LOGO,
    "/api/v1/company/logo": LARGEST_LOGO,
}
WITH_PICTURE = re.compile(r"/customers/(new|[0-9]+/edit)|/api/v1/customers/[0-9]+/photo")


class Guard:
    """Wraps the application. `public_url` is the address that browsers know us by."""

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        self._app = app
        self._origin = _origin(public_url)
        self._https = public_url.startswith("https:")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(MutableHeaders(scope=message))
            await send(message)

        refused = self._refusal(scope["method"], scope["path"], Headers(scope=scope))
        await (told_problem(Request(scope), *refused) if refused else self._app)(scope, receive, with_headers)

    def _refusal(self, method: str, path: str, headers: Headers) -> tuple[int, str] | None:
        if method in SAFE:
            return None
        is_program = path.startswith(TOLD_BY_PROGRAMS) or bearer(path, headers) is not None
        if not is_program and not self._is_ours(headers):
            return 403, say("This request did not come from a page of this desk. Open the desk and try again there.")
        length = headers.get("content-length", "")
        if method not in ("POST", "PUT", "PATCH") and not length and "transfer-encoding" not in headers:
            return None  # it has no body
        if not length.isdecimal():
            return 411, say("Say how long the body is.")
        largest = _largest(path)
        if len(length) > 18 or int(length) > largest:
            return 413, say("At most {size} bytes.", size=figure(largest))
        return None

    def _is_ours(self, headers: Headers) -> bool:
        site = headers.get("sec-fetch-site")
        if site:
            return site in ("same-origin", "none")
        origin = headers.get("origin", "")
        return origin != "" and (origin == self._origin or urlsplit(origin).netloc == headers.get("host"))

    def _add_headers(self, headers: MutableHeaders) -> None:
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        headers.setdefault("Cache-Control", "no-store")
        if self._https:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")


def bearer(path: str, headers: Mapping[str, str]) -> str | None:
    """The token that a request says, where one counts; None: it says none."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.casefold() == "bearer" and path.startswith(FOR_TOKENS) else None


def _largest(path: str) -> int:
    return LARGEST_PICTURE if WITH_PICTURE.fullmatch(path) else LARGEST.get(path, LARGEST_BODY)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
