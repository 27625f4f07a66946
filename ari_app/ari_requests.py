"""Requests to Asterisk, and the two wires that they go over.

They are named by resource and operation as Asterisk's own API description names them (`channels.continueInDialplan`),
and a test holds our names against that description.
"""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp
import orjson

FRAME_LIMIT = 60_000
"""Bytes. Asterisk 22 drops the whole WebSocket on a request frame over 65 535 bytes (measured), so we refuse before."""

NOT_FOUND = 404


class AriError(Exception):
    """A request to Asterisk did not do what it was meant to."""


class AriGone(AriError):
    """No connection to Asterisk, or no answer in time."""


class AriRefused(AriError):
    """Asterisk answered no. `status` is the HTTP status: 404 the channel is gone, 409 it is no longer in our hands."""

    def __init__(self, operation: str, status: int, reason: str) -> None:
        super().__init__(f"{operation}: {status} {reason}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API description: resource, nickname, method, path with its path parameters in braces."""

    resource: str
    nickname: str
    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.resource}.{self.nickname}"


GET_INFO = Operation("asterisk", "getInfo", "GET", "asterisk/info")
PING = Operation("asterisk", "ping", "GET", "asterisk/ping")
GET_APPLICATION = Operation("applications", "get", "GET", "applications/{applicationName}")
SUBSCRIBE = Operation("applications", "subscribe", "POST", "applications/{applicationName}/subscription")
FILTER = Operation("applications", "filter", "PUT", "applications/{applicationName}/eventFilter")
LIST_CHANNELS = Operation("channels", "list", "GET", "channels")
GET_CHANNEL = Operation("channels", "get", "GET", "channels/{channelId}")
LIST_BRIDGES = Operation("bridges", "list", "GET", "bridges")
SET_CHANNEL_VAR = Operation("channels", "setChannelVar", "POST", "channels/{channelId}/variable")
SET_CHANNEL_VARS = Operation("channels", "setChannelVars", "POST", "channels/{channelId}/variables")
CONTINUE = Operation("channels", "continueInDialplan", "POST", "channels/{channelId}/continue")
GLOBAL_VAR = Operation("asterisk", "getGlobalVar", "GET", "asterisk/variable")
SET_GLOBAL_VAR = Operation("asterisk", "setGlobalVar", "POST", "asterisk/variable")
USER_EVENT = Operation("events", "userEvent", "POST", "events/user/{eventName}")
LIST_APPLICATIONS = Operation("applications", "list", "GET", "applications")
CLAIM = Operation("events", "claimChannel", "POST", "events/claim")

OPERATIONS = (
    *(GET_INFO, PING, GET_APPLICATION, SUBSCRIBE, FILTER),
    *(LIST_CHANNELS, GET_CHANNEL, LIST_BRIDGES, SET_CHANNEL_VAR, CONTINUE),
    *(GLOBAL_VAR, SET_GLOBAL_VAR, USER_EVENT, LIST_APPLICATIONS),
)
"""What every supported Asterisk has; `SET_CHANNEL_VARS` is asked for and done without where it is missing, and `CLAIM`
is only needed where StasisBroadcast() is."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, independent of the wire that it goes over."""

    operation: Operation
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


def request(operation: Operation, body: Any = None, **parameters: str) -> Request:
    """`parameters` whose name stands in the path go there, the others into the query."""
    in_path = {name: value for name, value in parameters.items() if "{" + name + "}" in operation.path}
    query = {name: value for name, value in parameters.items() if name not in in_path}
    return Request(operation, operation.path.format(**in_path), query, body)


class Wire(Protocol):
    """A way for requests. `send` puts them on the wire in order, and returns when all are answered."""

    async def send(self, requests: Iterable[Request]) -> list[Any]: ...


class HttpWire:
    """Kept-alive HTTP: one request after the other, since only that keeps their order."""

    def __init__(self, session: aiohttp.ClientSession, base: str, limit_s: float) -> None:
        self._session = session
        self._base = base
        self._limit = aiohttp.ClientTimeout(total=limit_s)

    async def send(self, requests: Iterable[Request]) -> list[Any]:
        return [await self._one(each) for each in requests]

    async def _one(self, each: Request) -> Any:
        try:
            async with self._session.request(
                each.operation.method,
                f"{self._base}/{each.path}",
                params=each.query,
                json=each.body,
                timeout=self._limit,
            ) as response:
                return _answer(each.operation, response.status, response.reason or "", await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise AriGone(f"{each.operation}: {exc or type(exc).__name__}") from exc


class SocketWire:
    """The events' own WebSocket: requests are written back to back, and answers find their request by its number."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, limit_s: float) -> None:
        self._socket = socket
        self._limit_s = limit_s
        self._waiting: dict[str, tuple[Operation, asyncio.Future[Any]]] = {}
        self._number = 0

    async def send(self, requests: Iterable[Request]) -> list[Any]:
        sent = [(self._next_number(), each) for each in requests]
        frames = [_frame(number, each) for number, each in sent]
        loop = asyncio.get_running_loop()
        for number, each in sent:
            self._waiting[number] = (each.operation, loop.create_future())
        answers = [self._waiting[number][1] for number, _ in sent]
        try:
            async with asyncio.timeout(self._limit_s):
                for frame in frames:
                    await self._socket.send_str(frame)
                return await _all(answers)
        except (TimeoutError, ConnectionError, aiohttp.ClientError) as exc:
            raise AriGone(f"no answer from Asterisk: {exc or type(exc).__name__}") from exc
        finally:
            for number, _ in sent:
                self._waiting.pop(number, None)

    def _next_number(self) -> str:
        self._number += 1
        return str(self._number)

    def answered(self, raw: Mapping[str, Any]) -> None:
        operation, future = self._waiting.pop(str(raw.get("request_id")), (None, None))
        if operation is None or future is None or future.done():
            return  # its time was over
        try:
            body = (raw.get("message_body") or "").encode()
            future.set_result(_answer(operation, raw["status_code"], raw.get("reason_phrase", ""), body))
        except AriError as exc:
            future.set_exception(exc)

    def lost(self) -> None:
        for operation, future in self._waiting.values():
            if not future.done():
                future.set_exception(AriGone(f"{operation}: the connection to Asterisk was lost"))
        self._waiting.clear()


def _frame(number: str, each: Request) -> str:
    message: dict[str, Any] = {
        "type": "RESTRequest",
        "request_id": number,
        "method": each.operation.method,
        "uri": each.path,
        "query_strings": [{"name": name, "value": value} for name, value in each.query.items()],
    }
    if each.body is not None:
        message |= {"content_type": "application/json", "message_body": orjson.dumps(each.body).decode()}
    frame = orjson.dumps(message)
    if len(frame) > FRAME_LIMIT:
        raise AriRefused(str(each.operation), 413, f"{len(frame)} bytes are more than Asterisk's WebSocket takes")
    return frame.decode()


async def _all(answers: list[asyncio.Future[Any]]) -> list[Any]:
    """Every answer; then the first refusal, if any, so that no request's fate is left unread."""
    results = await asyncio.gather(*answers, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def _answer(operation: Operation, status: int, reason: str, body: bytes) -> Any:
    if status >= 400:
        with contextlib.suppress(orjson.JSONDecodeError, AttributeError):
            reason = orjson.loads(body).get("message", reason)
        raise AriRefused(str(operation), status, reason)
    return orjson.loads(body) if body else None


def basic(username: str, password: str) -> str:
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()
