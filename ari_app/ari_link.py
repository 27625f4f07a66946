"""The link to one Asterisk: its events in, our requests out, over one WebSocket.

It stands where ari-py stood and keeps ari-py's vocabulary (`ari_requests.py`). Requests ride on
the events' WebSocket where the server can do that (Asterisk >= 20.14, 22.4), else on kept-alive HTTP.

`run` connects, and connects again after every loss, for as long as it lives. Each new connection is announced as a
gap, because events of the time between are lost for good: whoever follows calls compares what it holds with what is.
An application is one process's at a time; the others that want it stand by (`seat.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from ari_app.ari_requests import (
    CONTINUE,
    FILTER,
    GET_CHANNEL,
    GET_INFO,
    LIST_BRIDGES,
    LIST_CHANNELS,
    NOT_FOUND,
    PING,
    SET_CHANNEL_VAR,
    SET_CHANNEL_VARS,
    SUBSCRIBE,
    AriError,
    AriGone,
    AriRefused,
    HttpWire,
    Operation,
    Request,
    SocketWire,
    Wire,
    basic,
    request,
)
from ari_app.seat import Seat
from config.settings import Asterisk

log = logging.getLogger(__name__)

RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0)  # Asterisk itself is up again in 0.3 s; later only the last one repeats
PROBE_S = 1.0
HEARTBEAT_S = 10.0
LINGER_S = 0.5  # who was replaced still gives back the calls in its hands
HANDED_ON_S = 2.0  # who leaves waits so long for who stands by, and who looks twice a second


class NoAsterisk(AriError):
    """There is no Asterisk that would take us at this address."""


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
    """One Asterisk, as one Stasis application that hears the `event_types` and nothing else.

    Without `app` it is the application that calls enter. `sources` are what it subscribes to beside the calls in its
    hands. `name` is for the log. `beside`: there is another link to this Asterisk, which says when it is gone.
    """

    def __init__(
        self,
        settings: Asterisk,
        event_types: Iterable[str],
        *,
        app: str = "",
        sources: Iterable[str] = (),
        name: str = "ari",
        beside: bool = False,
    ) -> None:
        self.settings = settings
        self.app = app or settings.app
        self._sources = tuple(sources)
        self._name = name
        self._beside = beside
        self._seat = Seat(self.app)
        self.placed = asyncio.Event()  # it is known whether another process has the application
        self.stands_by = False  # somebody else has the application, and we wait for it
        self._replaced = asyncio.Event()
        self._lost = False  # the last connection, and nobody said that another took its place
        self.counters = LinkCounters()
        self.server = ""  # version, when connected
        self.over = ""  # "WebSocket" or "HTTP"
        self._event_types = sorted(event_types)
        self._on_event: OnEvent = lambda raw: None
        self._on_connected: OnConnected | None = None
        self._on_standing_by: Callable[[], None] | None = None
        self._base = settings.ari_url.rstrip("/")
        self._limit_s = settings.request_ms / 1000
        self._wire: Wire | None = None
        self._several_variables = False
        self._trouble = ""  # what was last said to be wrong, so that an outage is logged once

    @property
    def up(self) -> bool:
        return self._wire is not None

    @property
    def holder(self) -> str:
        """The process that has the application, as far as we saw; ours is `seat.OURSELVES`."""
        return self._seat.holder

    async def leave(self) -> None:
        """Before the end: hand the application on to who stands by, if anybody does, so that no call meets nobody."""
        with contextlib.suppress(AriError, TimeoutError):
            if self.up and await self._seat.leave(self.send):
                async with asyncio.timeout(HANDED_ON_S):
                    await self._replaced.wait()

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

    async def bridges(self) -> list[Mapping[str, Any]]:
        (listed,) = await self.send(request(LIST_BRIDGES))
        return list(listed)

    async def has_channel(self, channel_id: str) -> bool:
        try:
            await self.send(request(GET_CHANNEL, channelId=channel_id))
        except AriRefused as exc:
            if exc.status != NOT_FOUND:
                raise
            return False
        return True

    # --- the connection ---

    async def run(
        self, on_event: OnEvent, on_connected: OnConnected, on_standing_by: Callable[[], None] | None = None
    ) -> None:
        """Stay connected until cancelled.

        `on_event` gets every raw event, in order; `on_connected` is awaited after each new connection, when events of
        it may already have come. `on_standing_by` is called when another process has the application.
        """
        self._on_event, self._on_connected, self._on_standing_by = on_event, on_connected, on_standing_by
        headers = {"Authorization": basic(self.settings.username, self.settings.password)}
        async with aiohttp.ClientSession(headers=headers) as session:
            attempt = 0
            while True:
                try:
                    await self._connection(session)
                    attempt = 0
                except NoAsterisk as exc:
                    self._say(str(exc), of_all=True)
                except AriError as exc:
                    self._say(str(exc))
                await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
                attempt += 1

    async def _connection(self, session: aiohttp.ClientSession) -> None:
        """One connection from its opening to its loss."""
        http = HttpWire(session, self._base, self._limit_s)
        await self._greet(http)
        await self._wait_until_free(http)
        async with self._open(session) as socket:
            wire = SocketWire(socket, self._limit_s)
            reading = asyncio.create_task(self._read(socket, wire), name="ari-events")
            keeping: asyncio.Task[None] | None = None
            try:
                await self._settle(http, wire)
                keeping = asyncio.create_task(self._seat.keep(self.send), name="ari-seat")
                replaced = await reading
                if replaced:
                    keeping.cancel()
                    self.stands_by = True
                    self._replaced.set()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(LINGER_S):
                            await self._read(socket, wire)
            finally:
                self._wire = None
                wire.lost()
                for task in filter(None, (reading, keeping)):
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
        self.counters.lost += 1
        if replaced:
            self.counters.replaced += 1
        else:
            self._lost = True
            self._say(
                "the connection to Asterisk was lost; calls ring the company's own way until it is back", of_all=True
            )

    async def _greet(self, http: HttpWire) -> None:
        try:
            (info,) = await http.send([request(GET_INFO)])
        except AriRefused as exc:
            raise NoAsterisk(_refusal(exc, self._base)) from exc
        except AriGone as exc:
            raise NoAsterisk(
                f"Asterisk does not answer at {self._base} ({exc.__cause__ or exc}); it is tried until it does. "
                "Does it run, and has its http.conf enabled=yes?"
            ) from exc
        try:
            self.server = str(info["system"]["version"])
        except (TypeError, KeyError):
            raise NoAsterisk(
                f"{self._base} answers, but it is not Asterisk's REST interface; check asterisk.ari_url"
            ) from None

    @contextlib.asynccontextmanager
    async def _open(self, session: aiohttp.ClientSession) -> Any:
        try:
            async with asyncio.timeout(self._limit_s):
                socket = await session.ws_connect(
                    f"{self._base}/events", params={"app": self.app}, heartbeat=HEARTBEAT_S, max_msg_size=0
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
        await self.send(request(FILTER, body={"allowed": allowed}, applicationName=self.app))
        if self._sources:
            await self.send(request(SUBSCRIBE, applicationName=self.app, eventSource=",".join(self._sources)))
        self.counters.connected += 1
        self._trouble = ""
        self._replaced.clear()
        log.info(
            "%s connected",
            self._name,
            extra={"fields": {"asterisk": self.server, "requests": self.over, "app": self.app}},
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

    async def _wait_until_free(self, http: HttpWire) -> None:
        """Two that fight for one application serve nobody, so wait until whoever has it is gone, frozen or leaves."""

        async def send(*requests: Request) -> list[Any]:
            return await http.send(requests)

        taken = await self._seat.is_taken(send)
        if taken and self._lost:  # not replaced: what is there is what is left of our own connection
            taken = not await self._seat.is_ours(send)
        self._lost, self.stands_by = False, taken
        self.placed.set()
        if self.stands_by:
            self._say(f"the application {self.app!r} is another process's now; this one stands by")
            if self._on_standing_by is not None:
                self._on_standing_by()
            await self._seat.wait(send)
            self.stands_by = False

    def _say(self, trouble: str, *, of_all: bool = False) -> None:
        """`of_all`: it is the same for every link to this Asterisk."""
        if trouble != self._trouble:
            self._trouble = trouble
            log.log(logging.DEBUG if of_all and self._beside else logging.WARNING, "%s", trouble)


def _refusal(exc: AriRefused, base: str) -> str:
    if exc.status == 401:
        return (
            f"Asterisk refuses our ARI name or password at {base}; compare asterisk.username and password with ari.conf"
        )
    if exc.status == 404:
        return f"nothing of ARI at {base}; check asterisk.ari_url, and that ari.conf and http.conf have enabled=yes"
    return f"Asterisk is not ready: {exc}"
