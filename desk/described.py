"""The API's description of itself, OpenAPI 3.1: what FastAPI knows of each address, and what holds for all of them.

All of them say who may (a token with its scope, or a session), and which errors may come, in one form. What one address
has of its own stands at its function: `responses=described.also(409)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from desk import shapes
from desk.guard import SAFE, TOLD_BY_PROGRAMS
from desk.sessions import scope_of
from records.tokens import SCOPES

Described = dict[str, Any]
Responses = dict[int | str, dict[str, Any]]

API = "/api/v1/"
PROBLEM = "application/problem+json"
EVENTS = "text/event-stream"
VERBS = ("get", "put", "post", "patch", "delete")

ABOUT = """Everything that the desk's pages do, for programs of the company.

A token (`Authorization: Bearer rc_...`) is made by its owner on the page of their password and sessions. It sees and
does what its owner may, as far as its scopes allow: `read` asks, `write` changes, `calls` has test calls placed and
ended. A page of the desk itself uses its session instead, and says by `Origin` that it is one.

Errors are problem+json (RFC 9457); `detail` says what to do next. Times are RFC 3339 in UTC, phone numbers E.164 with
`+`, amounts whole minor units. Lists come in pages: give `next` as `after`. A change names by `If-Match` the `ETag`
that was read. What a role may not see of a customer is empty or null.
"""

ERRORS: Mapping[int, tuple[str, type[shapes.Problem]]] = {
    400: ("The body cannot be read at all.", shapes.Problem),
    401: ("No token or session, or one that does not hold any more.", shapes.Problem),
    403: ("The token lacks the scope, or the role may not do that.", shapes.Problem),
    404: ("There is no such thing, or it is not yours to see.", shapes.Problem),
    308: ("This customer was merged into another, whose address it is.", shapes.Problem),
    409: ("It cannot be so beside what is there already.", shapes.Problem),
    410: ("This customer was merged into another: read that one, and change it.", shapes.Problem),
    411: ("It is not said how long the body is.", shapes.Problem),
    412: ("Somebody changed it since you read it. Read it again.", shapes.Overtaken),
    413: ("The body is too long.", shapes.Problem),
    422: ("What was said cannot be read, or cannot be kept; `errors` names the fields.", shapes.Faults),
    428: ("Give the ETag that you read as If-Match.", shapes.Problem),
    429: ("Too many tries. Wait as long as Retry-After says.", shapes.Problem),
    503: ("The records cannot be read just now. Calls go on as always; try again in a moment.", shapes.Problem),
}

_ETAG = {"ETag": {"description": "Give it as If-Match with a change.", "schema": {"type": "string"}, "required": True}}
_LOCATION = {"Location": {"description": "Where it is.", "schema": {"type": "string"}, "required": True}}
_RETRY = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}, "required": True}}
_BEARER = {"WWW-Authenticate": {"description": "Bearer", "schema": {"type": "string"}, "required": True}}
_HEADERS = {308: _LOCATION, 401: _BEARER, 429: _RETRY, 503: _RETRY}

TAGGED: Responses = {"2XX": {"headers": _ETAG}}
"""Successes carry an ETag."""

MADE: Responses = {"2XX": {"headers": _ETAG | _LOCATION}}
"""And say where what was made is."""

_PICTURE = {"schema": {"type": "string", "format": "binary"}}


def picture(formats: Iterable[str]) -> Described:
    """The body is a picture of one of these, read by the function itself once it is known who sends it."""
    content = {f"image/{one.lower()}": _PICTURE for one in formats}
    return {"requestBody": {"required": True, "content": content}}


SECURITY = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": f"A token of a person, with the scope that the operation names: {', '.join(SCOPES)}.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "ringcard",
        "description": "Of somebody signed in at the desk; `__Host-ringcard` where the desk is reached by https.",
    },
    "origin": {
        "type": "apiKey",
        "in": "header",
        "name": "Origin",
        "description": "The desk's own address. Browsers say it by themselves: so no foreign page changes anything.",
    },
    "source": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of a source of the kind push, from the settings.",
    },
}


def also(*statuses: int) -> Responses:
    """Errors that an operation gives beside those that its parameters tell of."""
    return {status: {} for status in statuses}


def of(app: FastAPI) -> Described:
    """The whole description. Made once, when it is first asked for."""
    made: Described | None = getattr(app.state, "described", None)
    if made is None:
        made = app.state.described = _made(app)
    return made


def operations(described: Described) -> Iterator[tuple[str, str, Described]]:
    """Path, method in small letters, and what is said of it; of all addresses."""
    for path, item in described["paths"].items():
        for method in VERBS:
            if method in item:
                yield path, method, item[method]


def _made(app: FastAPI) -> Described:
    whole = get_openapi(
        title="Ringcard", version=app.version, openapi_version="3.1.0", description=ABOUT, routes=app.routes
    )
    parts = whole.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for model in (shapes.Problem, shapes.Faults, shapes.Overtaken):
        one = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= {**one.pop("$defs", {}), model.__name__: one}
    parts["responses"] = {_name(status): _error(status) for status in ERRORS}
    parts["securitySchemes"] = SECURITY
    for path, method, operation in operations(whole):
        if path.startswith(API):
            _complete(path, method, operation)
        else:  # of Asterisk and of who watches: they answer by themselves, in plain text
            operation["responses"].pop("422", None)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return whole


def _complete(path: str, method: str, operation: Described) -> None:
    told = (operation.get("description") or "").strip()
    summary = re.split(r"\.\s", told, maxsplit=1)[0]
    operation["summary"] = " ".join(summary.split()).rstrip(".")
    operation["description"] = told
    operation["operationId"] = operation_id(path, method)
    operation["security"] = _security(path, method)
    said = operation["responses"]
    common = said.pop("2XX", {})
    for status in [status for status in said if status.startswith("2")]:
        said[status] = {**said[status], **common}
        said[status]["headers"] = {**common.get("headers", {}), **said[status].get("headers", {})}
    wanted = {int(status) for status in said if not status.startswith("2")} | set(_errors(path, method, operation))
    for status in sorted(wanted):
        said[str(status)] = {"$ref": f"#/components/responses/{_name(status)}"}
    for answer in said.values():
        if EVENTS in answer.get("content", {}):
            answer["content"][EVENTS] = {}  # OpenAPI 3.1 has no word for the kind of each event
    operation["responses"] = dict(sorted(said.items()))


def _errors(path: str, method: str, operation: Described) -> Iterator[int]:
    """Those that follow from what an operation takes."""
    yield from (401, 503)
    if not path.startswith(TOLD_BY_PROGRAMS):
        yield 403
    parameters = operation.get("parameters", [])
    if parameters or "requestBody" in operation:
        yield 422
    if any(one["in"] == "path" for one in parameters):
        yield 404
    if any(one["name"].lower() == "if-match" for one in parameters):
        yield from (412, 428)
    if path.startswith("/api/v1/customers/{customer_id}"):
        yield 308 if method.upper() in SAFE else 410
    if method.upper() not in SAFE:
        yield from (411, 413)
    if "requestBody" in operation:
        yield 400


def _security(path: str, method: str) -> list[dict[str, list[str]]]:
    if path.startswith(TOLD_BY_PROGRAMS):
        return [{"source": []}]
    session: dict[str, list[str]] = {"session": []}
    if method.upper() not in SAFE:
        session["origin"] = []
    return [{"token": [scope_of(method.upper(), path)]}, session]


def operation_id(path: str, method: str) -> str:
    """From the address alone, so that it stays as long as that does: get_customers, get_customer, post_task_done."""
    words: list[str] = []
    for part in path.removeprefix(API).split("/"):
        if part.startswith("{"):
            words[-1:] = [_one_of(word) for word in words[-1:]]
        else:
            words.append(part)
    return "_".join([method, *words]).replace("-", "_").replace(".", "_")


def _one_of(word: str) -> str:
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return {"people": "person"}.get(word, re.sub(r"s$", "", word))


def _name(status: int) -> str:
    return re.sub(r"[^A-Za-z]", "", HTTPStatus(status).phrase)


def _error(status: int) -> Described:
    description, model = ERRORS[status]
    content = {PROBLEM: {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}
    return {"description": description, "headers": _HEADERS.get(status, {}), "content": content}
