"""The link to one Asterisk: its events in, our requests out, over one WebSocket.

It stands where ari-py stood and keeps ari-py's vocabulary: requests are named by resource and operation as Asterisk's
own API description names them (`channels.continueInDialplan`), and a test holds our names against that description.
They ride on the events' WebSocket where the server can do that (Asterisk >= 20.14, 22.4), else on kept-alive HTTP.

`run` connects, and connects again after every loss, for as long as it lives. Each new connection is announced as a
gap, because events of the time between are lost for good: whoever follows calls compares what it holds with what is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp
import orjson

from config.settings import Asterisk

log = logging.getLogger(__name__)

FRAME_LIMIT = 60_000
"""Bytes. Asterisk 22 drops the whole WebSocket on a request frame over 65 535 bytes (measured), so we refuse before."""

RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0)  # Asterisk itself is up again in 0.3 s; later only the last one repeats
PROBE_S = 1.0
NO_SUCH_SOURCE = 422  # what applications.subscribe says of a channel that is not there
HEARTBEAT_S = 10.0


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
SET_CHANNEL_VAR = Operation("channels", "setChannelVar", "POST", "channels/{channelId}/variable")
SET_CHANNEL_VARS = Operation("channels", "setChannelVars", "POST", "channels/{channelId}/variables")
CONTINUE = Operation("channels", "continueInDialplan", "POST", "channels/{channelId}/continue")

OPERATIONS = (GET_INFO, PING, GET_APPLICATION, SUBSCRIBE, FILTER, LIST_CHANNELS, SET_CHANNEL_VAR, CONTINUE)
"""What every supported Asterisk has; `SET_CHANNEL_VARS` is asked for and done without where it is missing."""


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


OnEvent = Callable[[Mapping[str, Any]], None]
OnConnected = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class LinkCounters:
    connected: int = 0
    lost: int = 0
    replaced: int = 0
    requests: int = 0
    refused: int = 0
    gone: int = 0


class AriLink:
    """One Asterisk, as one Stasis application that hears the `event_types` and nothing else."""

    def __init__(self, settings: Asterisk, event_types: Iterable[str]) -> None:
        self.settings = settings
        self.counters = LinkCounters()
        self.server = ""  # version, when connected
        self.over = ""  # "WebSocket" or "HTTP"
        self._event_types = sorted(event_types)
        self._on_event: OnEvent = lambda raw: None
        self._on_connected: OnConnected | None = None
        self._base = settings.ari_url.rstrip("/")
        self._limit_s = settings.request_ms / 1000
        self._wire: Wire | None = None
        self._several_variables = False
        self._trouble = ""  # what was last said to be wrong, so that an outage is logged once

    # --- requests ---

    async def send(self, *requests: Request) -> list[Any]:
        """The answers to `requests`, sent in this order. Raises AriGone or AriRefused."""
        if self._wire is None:
            self.counters.gone += 1
            raise AriGone("not connected to Asterisk")
        self.counters.requests += len(requests)
        try:
            return await self._wire.send(requests)
        except AriRefused:
            self.counters.refused += 1
            raise
        except AriGone:
            self.counters.gone += 1
            raise

    async def follow(self, channel_id: str) -> bool:
        """Hear the channel to its end. False: there is no such channel any more."""
        source = f"channel:{channel_id}"
        try:
            await self.send(request(SUBSCRIBE, applicationName=self.settings.app, eventSource=source))
        except AriRefused as exc:
            if exc.status != NO_SUCH_SOURCE:
                raise
            return False
        return True

    async def hand_back(self, channel_id: str, values: Mapping[str, str]) -> None:
        """Set `values` on the channel and let it go on in the dialplan; the order holds on the wire.

        Values that Asterisk refuses never keep the channel here: it then goes on without them.
        """
        go_on = request(CONTINUE, channelId=channel_id)
        try:
            await self.send(*self._setting(channel_id, values), go_on)
        except AriRefused as exc:
            if not values or exc.status in (404, 409):
                raise
            log.warning("Asterisk refused what we wanted to set, so the call goes on without: %s", exc)
            with contextlib.suppress(AriRefused):  # over the WebSocket it has gone on already
                await self.send(go_on)

    def _setting(self, channel_id: str, values: Mapping[str, str]) -> list[Request]:
        if not values:
            return []
        if self._several_variables:
            return [request(SET_CHANNEL_VARS, body={"variables": dict(values)}, channelId=channel_id)]
        return [
            request(SET_CHANNEL_VAR, channelId=channel_id, variable=name, value=value) for name, value in values.items()
        ]

    async def channels(self) -> list[Mapping[str, Any]]:
        (listed,) = await self.send(request(LIST_CHANNELS))
        return list(listed)

    # --- the connection ---

    async def run(self, on_event: OnEvent, on_connected: OnConnected) -> None:
        """Stay connected until cancelled.

        `on_event` gets every raw event, in order; `on_connected` is awaited after each new connection, when events of
        it may already have come.
        """
        self._on_event, self._on_connected = on_event, on_connected
        headers = {"Authorization": _basic(self.settings.username, self.settings.password)}
        async with aiohttp.ClientSession(headers=headers) as session:
            attempt = 0
            while True:
                try:
                    await self._connection(session)
                    attempt = 0
                except AriError as exc:
                    self._say(str(exc))
                await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
                attempt += 1

    async def _connection(self, session: aiohttp.ClientSession) -> None:
        """One connection from its opening to its loss."""
        http = HttpWire(session, self._base, self._limit_s)
        await self._greet(http)
        async with self._open(session) as socket:
            wire = SocketWire(socket, self._limit_s)
            reading = asyncio.create_task(self._read(socket, wire), name="ari-events")
            try:
                await self._settle(http, wire)
                replaced = await reading
            finally:
                self._wire = None
                wire.lost()
                reading.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await reading
        self.counters.lost += 1
        if replaced:
            await self._stand_by(http)
        else:
            self._say("the connection to Asterisk was lost; calls ring the company's own way until it is back")

    async def _greet(self, http: HttpWire) -> None:
        try:
            (info,) = await http.send([request(GET_INFO)])
        except AriRefused as exc:
            raise AriError(_refusal(exc, self._base)) from exc
        except AriGone as exc:
            raise AriError(
                f"Asterisk does not answer at {self._base} ({exc.__cause__ or exc}); it is tried until it does. "
                "Does it run, and has its http.conf enabled=yes?"
            ) from exc
        try:
            self.server = str(info["system"]["version"])
        except (TypeError, KeyError):
            raise AriError(
                f"{self._base} answers, but it is not Asterisk's REST interface; check asterisk.ari_url"
            ) from None

    @contextlib.asynccontextmanager
    async def _open(self, session: aiohttp.ClientSession) -> Any:
        try:
            async with asyncio.timeout(self._limit_s):
                socket = await session.ws_connect(
                    f"{self._base}/events", params={"app": self.settings.app}, heartbeat=HEARTBEAT_S, max_msg_size=0
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise AriError(f"Asterisk refuses the events' WebSocket at {self._base}/events ({exc})") from exc
        try:
            yield socket
        finally:
            with contextlib.suppress(TimeoutError, ConnectionError, aiohttp.ClientError):
                async with asyncio.timeout(1):
                    await socket.close()

    async def _settle(self, http: HttpWire, wire: SocketWire) -> None:
        """Find out what this server can do, ask it for our events only, and say that a new connection begins."""
        self._several_variables = await self._knows_several_variables(http)
        self._wire, self.over = (wire, "WebSocket") if await self._answers_on_socket(wire) else (http, "HTTP")
        # A filter that allows only some events also silences the answers to requests, unless it names them (measured).
        allowed = [{"type": name} for name in [*self._event_types, "RESTResponse"]]
        await self.send(request(FILTER, body={"allowed": allowed}, applicationName=self.settings.app))
        self.counters.connected += 1
        self._trouble = ""
        log.info(
            "ari connected",
            extra={"fields": {"asterisk": self.server, "requests": self.over, "app": self.settings.app}},
        )
        if self._on_connected is not None:
            await self._on_connected()

    async def _answers_on_socket(self, wire: SocketWire) -> bool:
        try:
            async with asyncio.timeout(PROBE_S):
                await wire.send([request(PING)])
        except (AriError, TimeoutError):
            return False
        return True

    async def _knows_several_variables(self, http: HttpWire) -> bool:
        description = Operation("api-docs", "channels", "GET", "api-docs/channels.json")
        try:
            (channels,) = await http.send([request(description)])
        except AriError:
            return False
        return any("/variables" in str(api.get("path")) for api in channels.get("apis", ()))

    async def _read(self, socket: aiohttp.ClientWebSocketResponse, wire: SocketWire) -> bool:
        """Events until the connection ends; true when another connection took our place."""
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            raw = orjson.loads(message.data)
            kind = raw.get("type")
            if kind == "RESTResponse":
                wire.answered(raw)
                continue
            self._on_event(raw)
            if kind == "ApplicationReplaced":
                return True
        wire.lost()
        return False

    async def _stand_by(self, http: HttpWire) -> None:
        """Somebody else serves our application. Two that fight for it serve nobody, so wait until it is free."""
        self.counters.replaced += 1
        log.error(
            "another program connected to this Asterisk as application %r and gets its calls now; "
            "stop one of the two. This one waits and takes over when the other is gone",
            self.settings.app,
        )
        with contextlib.suppress(AriError):
            while True:
                await http.send([request(GET_APPLICATION, applicationName=self.settings.app)])
                await asyncio.sleep(1)

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            log.warning("%s", trouble)


def _basic(username: str, password: str) -> str:
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()


def _refusal(exc: AriRefused, base: str) -> str:
    if exc.status == 401:
        return (
            f"Asterisk refuses our ARI name or password at {base}; compare asterisk.username and password with ari.conf"
        )
    if exc.status == 404:
        return f"nothing of ARI at {base}; check asterisk.ari_url, and that ari.conf and http.conf have enabled=yes"
    return f"Asterisk is not ready: {exc}"
