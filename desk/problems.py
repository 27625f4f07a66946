"""Errors as RFC 9457 problem+json for programs and as a plain page for people; what to do next is always said."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config.sentences import counted, say
from desk.moved import moved
from desk.services import services_of
from lookup.breaker import StoreGone
from records.errors import Conflict, DatabaseGone, NotFound, Refused, Unfit

log = logging.getLogger(__name__)

RETRY_AFTER_S = 3
TITLES = {
    400: say("Bad Request"),
    401: say("Unauthorized"),
    403: say("Forbidden"),
    404: say("Not Found"),
    405: say("Method Not Allowed"),
    409: say("Conflict"),
    410: say("Gone"),
    411: say("Length Required"),
    412: say("Precondition Failed"),
    413: say("Request Entity Too Large"),
    422: say("Unprocessable Entity"),
    428: say("Precondition Required"),
    429: say("Too Many Requests"),
    500: say("Internal Server Error"),
    503: say("Service Unavailable"),
}
"""Of pages that say what went wrong, by their status."""


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
        return answer(request, 401, say("Sign in first."), {"WWW-Authenticate": "Bearer"})

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = allowed(request)
            said = say("At this address there is only {methods}.", methods=headers["Allow"])
            return answer(request, 405, said, headers)
        title = TITLES.get(error.status_code, "")  # all that the framework's own errors say
        return answer(request, error.status_code, title if title == error.detail else str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    async def unreadable(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _faulty(request, ((".".join(map(str, item["loc"][1:])), _fault(item)) for item in error.errors()))

    @app.exception_handler(NotFound)
    async def absent(request: Request, error: Exception) -> Response:
        return await moved(request, answer) or answer(request, 404, str(error))

    @app.exception_handler(Refused)
    async def not_so(request: Request, error: Exception) -> Response:
        return _faulty(request, error.errors.items()) if isinstance(error, Unfit) else answer(request, 422, str(error))

    @app.exception_handler(Conflict)
    async def not_any_more(request: Request, error: Exception) -> Response:
        return answer(request, 409, str(error))

    @app.exception_handler(DatabaseGone)
    @app.exception_handler(StoreGone)
    async def away(request: Request, error: Exception) -> Response:
        log.warning("%s answered 503: %s", request.url.path, error)
        said = say("The records cannot be read just now. Calls go on as always; try again in a moment.")
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
            said = answer(request, 500, say("Something went wrong here. It has been written to the log."))
            await said(scope, receive, send)


def answer(request: Request, status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> Response:
    """An error in the form that this address speaks; `more` is for programs."""
    if request.url.path.startswith("/dialplan/"):
        return PlainTextResponse("", status, headers)
    if _wants_page(request):
        return services_of(request).pages.error(request, status, detail, headers)
    return told_problem(request, status, detail, headers, **more)


def told_problem(
    request: Request, status: int, detail: str, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    """For a script or a program, in the language that it asks for."""
    spoken = services_of(request).pages.spoken_to(request)
    return problem(status, spoken.put(detail), {**(headers or {}), "Content-Language": spoken.code}, **more)


def _faulty(request: Request, faults: Iterable[tuple[str, str]]) -> Response:
    """What is wrong with single values, each by the name of its field."""
    put = services_of(request).pages.spoken_to(request).put
    errors = [{"field": field, "message": put(message)} for field, message in faults]
    detail = "; ".join(f"{each['field']}: {each['message']}" for each in errors)
    return answer(request, 422, detail, errors=errors)


def _fault(item: Mapping[str, Any]) -> str:
    """What pydantic found; a sentence of ours where people meet it, which has the same words."""
    match item["type"], item.get("ctx"):
        case "missing", _:
            return say("Field required")
        case "string_too_long", {"max_length": int(most)}:
            return counted(
                "String should have at most {n} character", "String should have at most {n} characters", most
            )
        case "int_parsing", _:
            return say("Input should be a valid integer, unable to parse string as an integer")
        case "greater_than_equal", {"ge": least}:
            return say("Input should be greater than or equal to {least}", least=least)
        case "less_than_equal", {"le": most}:
            return say("Input should be less than or equal to {most}", most=most)
        case "value_error", {"error": error}:
            return say("Value error, {what}", what=str(error))
        case _:
            return str(item["msg"])


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
