"""Errors as RFC 9457 problem+json for programs and as a plain page for people; what to do next is always said."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from desk.moved import moved
from desk.services import services_of
from lookup.breaker import StoreGone
from records.errors import Conflict, DatabaseGone, NotFound, Refused, Unfit

log = logging.getLogger(__name__)

RETRY_AFTER_S = 3


class NotSignedIn(Exception):
    """No session, or one that no longer holds."""


class ProblemResponse(JSONResponse):
    """Says what somebody sent, and that may be no text: half a character is shown as a question mark."""

    media_type = "application/problem+json"

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> JSONResponse:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return ProblemResponse(body, status, headers)


def install(app: FastAPI) -> None:
    """Every error of the application becomes one of the three forms: JSON, page, or plain text for the dialplan."""

    @app.exception_handler(NotSignedIn)
    async def not_signed_in(request: Request, _: Exception) -> Response:
        if _wants_page(request):
            target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            target = target if request.method == "GET" else "/"  # a form that was sent is no page to come back to
            back = urlencode({"next": target}) if target != "/" else ""
            return RedirectResponse("/sign-in" + (f"?{back}" if back else ""), 303)
        return problem(401, "Sign in first.", {"WWW-Authenticate": "Bearer"})

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = allowed(request)
            return answer(request, 405, f"At this address there is only {headers['Allow']}.", headers)
        return answer(request, error.status_code, str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    async def unreadable(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        faults = [{"field": ".".join(map(str, item["loc"][1:])), "message": item["msg"]} for item in error.errors()]
        return answer(request, 422, "; ".join(f"{each['field']}: {each['message']}" for each in faults), errors=faults)

    @app.exception_handler(NotFound)
    async def absent(request: Request, error: Exception) -> Response:
        return await moved(request, problem) or answer(request, 404, str(error))

    @app.exception_handler(Refused)
    async def not_so(request: Request, error: Exception) -> Response:
        if not isinstance(error, Unfit):
            return answer(request, 422, str(error))
        faults = [{"field": field, "message": message} for field, message in error.errors.items()]
        return answer(request, 422, str(error), errors=faults)

    @app.exception_handler(Conflict)
    async def not_any_more(request: Request, error: Exception) -> Response:
        return answer(request, 409, str(error))

    @app.exception_handler(DatabaseGone)
    @app.exception_handler(StoreGone)
    async def away(request: Request, error: Exception) -> Response:
        log.warning("%s answered 503: %s", request.url.path, error)
        said = "The records cannot be read just now. Calls go on as always; try again in a moment."
        return answer(request, 503, said, {"Retry-After": str(RETRY_AFTER_S)})


class Broken:
    """An ASGI layer: what our own code broke at is an answer like any other, and passes the layers around it.

    The framework's own answer to it would not: it goes out past all layers, without what `desk.guard` adds to answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            if scope["type"] != "http" or begun:
                raise
            request = Request(scope)
            log.error("%s %s failed", request.method, request.url.path, exc_info=error)
            said = answer(request, 500, "Something went wrong here. It has been written to the log.")
            await said(scope, receive, send)


def answer(request: Request, status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> Response:
    """An error in the form that this address speaks; `more` is for programs."""
    if request.url.path.startswith("/dialplan/"):
        return PlainTextResponse("", status, headers)
    pages = services_of(request).pages
    if _wants_page(request):
        return pages.error(request, status, detail, headers)
    spoken = pages.spoken_to(request)
    for fault in more.get("errors", ()):
        fault["message"] = spoken.put(fault["message"])
    return problem(status, spoken.put(detail), {**(headers or {}), "Content-Language": spoken.code}, **more)


def allowed(request: Request) -> str:
    """All methods of this address, not only those of the first function that it leads to."""
    methods: set[str] = set()
    for route in request.app.state.addresses:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return ", ".join(sorted(methods))


def _wants_page(request: Request) -> bool:
    path = request.url.path
    return not path.startswith(("/api/", "/dialplan/", "/health", "/metrics", "/photos/"))
