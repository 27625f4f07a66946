"""One connection to Redis for the call path: commands go out as they come, answers return in that order.

The redis package does far more, and one small answer through it takes about twice as long; here a caller is waiting.
Every answer has the same time limit. When one is late the connection is given up with all that it still owes, so that
no answer ever reaches the wrong question.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import hiredis

from lookup.breaker import StoreGone

Word = str | bytes | int


class Refused(StoreGone):
    """Redis answered, and the answer is an error."""


Settle = Callable[[Any], None]
"""Called once per command, with the answer, or with the StoreGone that came in its place."""

Push = Callable[[Sequence[Any]], None]
"""Called with what the server says without being asked, in its place among the answers."""


Prepare = Callable[["RedisLink"], Awaitable[None]]
"""What more is to be said before a new connection is used."""


class RedisLink(asyncio.Protocol):
    """An open connection; made by `open_link`. Once `lost` is done it is of no more use."""

    def __init__(self, answer_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self.on_push: Push = lambda _: None
        self.proved = self._loop.time()
        """When the latest question was asked that has been answered: all that the server said before has been heard."""
        self._answer_s = answer_s
        self._reader = hiredis.Reader()
        self._owed: deque[tuple[Settle, float]] = deque()  # oldest first, each with the time until which it may come
        self._timer: asyncio.TimerHandle | None = None
        self._reason = "it closed the connection"
        self._transport: asyncio.Transport

    async def ask(self, *words: Word) -> Any:
        """The answer to one command. Raises StoreGone when it is an error, late, or the connection breaks."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self.send(words, lambda answer: hand_over(answer, future))
        return await future

    def send(self, words: tuple[Word, ...], settle: Settle) -> None:
        """The same without a task to wait in. `settle` must not raise."""
        if self.lost.done():
            settle(StoreGone(self._reason))
            return
        until = self._loop.time() + self._answer_s
        self._owed.append((settle, until))
        self._transport.write(packed(words))
        self._timer = self._timer or self._loop.call_at(until, self._look_for_late)

    def drop(self, reason: str) -> None:
        """Give the connection up, and everything that it owes."""
        self._reason = reason
        self._transport.abort()
        self._forgive()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not derived from it

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while (answer := self._reader.gets()) is not False:
                if isinstance(answer, hiredis.PushNotification):
                    self.on_push(answer)
                    continue
                settle, until = self._owed.popleft()
                self.proved = until - self._answer_s
                settle(Refused(str(answer)) if isinstance(answer, hiredis.ReplyError) else answer)
        except (hiredis.ProtocolError, IndexError):
            self.drop("it does not speak as Redis does")

    def connection_lost(self, exc: Exception | None) -> None:
        if exc:
            self._reason = str(exc)
        self._forgive()
        self.lost.set_result(None)

    def _look_for_late(self) -> None:
        # One timer for all: the oldest question is late first. asyncio and uvloop read sockets before they run timers,
        # so an answer that came while our own loop was held up has been read by now.
        self._timer = None
        if not self._owed:
            return
        _, until = self._owed[0]
        if until <= self._loop.time():
            self.drop(f"no answer within {self._answer_s * 1000:.0f} ms")
        else:
            self._timer = self._loop.call_at(until, self._look_for_late)

    def _forgive(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        while self._owed:
            settle, _ = self._owed.popleft()
            settle(StoreGone(self._reason))


def hand_over(answer: Any, future: asyncio.Future[Any]) -> None:
    """To whoever waits, if anyone still does."""
    if future.done():
        return
    if isinstance(answer, StoreGone):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def packed(words: tuple[Word, ...]) -> bytes:
    """One command as Redis reads it."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        raw = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)


async def open_link(url: str, answer_s: float, prepare: Prepare | None = None) -> RedisLink:
    """Connect, sign in, choose the database of a redis://, rediss:// or unix:// address, and prepare the connection,
    all within `answer_s`. Raises StoreGone.
    """
    options = address(url)
    place = options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
    try:
        async with asyncio.timeout(answer_s):
            link = await _connect(options, answer_s)
            try:
                await _sign_in(link, options)
                if prepare:
                    await prepare(link)
            except BaseException:
                link.drop("signing in failed")
                raise
            return link
    except TimeoutError as exc:
        raise StoreGone(f"{place}: no connection within {answer_s * 1000:.0f} ms") from exc
    except (Refused, ssl.SSLError) as exc:
        raise StoreGone(f"{place}: {exc}") from exc
    except OSError as exc:
        raise StoreGone(f"{place}: {os.strerror(exc.errno) if exc.errno else exc}") from exc


def address(url: str) -> dict[str, str]:
    """What stands in an address, named as the redis package names it.

    That package reads it too, but importing it takes 0.3 s, and the one-process AGI does so while a caller waits.
    """
    parts = urlsplit(url)
    found = {"scheme": parts.scheme, "username": parts.username, "password": parts.password}
    if parts.scheme == "unix":
        found["path"] = parts.path
    else:
        found |= {"host": parts.hostname, "port": str(parts.port or ""), "db": parts.path.strip("/")}
    return {name: unquote(value) for name, value in found.items() if value} | dict(parse_qsl(parts.query))


async def _connect(options: Mapping[str, str], answer_s: float) -> RedisLink:
    loop = asyncio.get_running_loop()
    if "path" in options:
        return (await loop.create_unix_connection(lambda: RedisLink(answer_s), options["path"]))[1]
    host, port = options.get("host", "localhost"), int(options.get("port", 6379))
    return (await loop.create_connection(lambda: RedisLink(answer_s), host, port, ssl=_tls(options)))[1]


async def _sign_in(link: RedisLink, options: Mapping[str, str]) -> None:
    if password := options.get("password"):
        await link.ask("AUTH", *([options["username"]] if options.get("username") else []), password)
    if db := options.get("db"):
        await link.ask("SELECT", db)


def _tls(options: Mapping[str, str]) -> ssl.SSLContext | None:
    """What rediss:// asks for, with the options that the redis package takes in an address."""
    if options["scheme"] != "rediss":
        return None
    context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    if certificate := options.get("ssl_certfile"):
        context.load_cert_chain(certificate, options.get("ssl_keyfile"))
    context.check_hostname = options.get("ssl_check_hostname", "true").lower() not in ("0", "f", "false", "n", "no")
    if options.get("ssl_cert_reqs") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
