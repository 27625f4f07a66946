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
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import hiredis

from config.redis_address import NO, RedisAddress, read_address
from lookup.breaker import StoreGone

Word = str | bytes | int


class Refused(StoreGone):
    """Redis answered, and the answer is an error."""


_packed: Callable[[tuple[Word, ...]], bytes] = hiredis.pack_command  # type: ignore[assignment]
"""One command as Redis reads it."""

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

    async def ask_all(self, commands: Sequence[tuple[Word, ...]]) -> list[Any]:
        """The answers to several commands in one go; where one failed, its StoreGone stands."""
        answers: list[Any] = []
        answered: asyncio.Future[None] = self._loop.create_future()

        def settle(answer: Any) -> None:
            answers.append(answer)
            if len(answers) == len(commands) and not answered.done():
                answered.set_result(None)

        if commands:
            self.send_all([(words, settle) for words in commands])
            await answered
        return answers

    def send(self, words: tuple[Word, ...], settle: Settle) -> None:
        """The same without a task to wait in. `settle` must not raise."""
        self.send_all([(words, settle)])

    def send_all(self, questions: Sequence[tuple[tuple[Word, ...], Settle]]) -> None:
        """Several in one go."""
        if self.lost.done():
            for _, settle in questions:
                settle(StoreGone(self._reason))
            return
        until = self._loop.time() + self._answer_s
        self._owed.extend((settle, until) for _, settle in questions)
        self._transport.write(b"".join(_packed(words) for words, _ in questions))
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


async def open_link(address: RedisAddress | str, answer_s: float, prepare: Prepare | None = None) -> RedisLink:
    """Connect to a server, sign in, choose the database, and prepare the connection, all within `answer_s`.

    Raises StoreGone. (The redis package reads addresses too, but importing it takes 0.3 s, and the one-process AGI
    would do so while a caller waits.)
    """
    if isinstance(address, str):
        address = read_address(address)
    try:
        async with asyncio.timeout(answer_s):
            link = await _connect(address, answer_s)
            try:
                await _sign_in(link, address)
                if prepare:
                    await prepare(link)
            except BaseException:
                link.drop("signing in failed")
                raise
            return link
    except TimeoutError as exc:
        raise StoreGone(f"{address}: no connection within {answer_s * 1000:.0f} ms") from exc
    except (Refused, ssl.SSLError) as exc:
        raise StoreGone(f"{address}: {exc}") from exc
    except OSError as exc:
        raise StoreGone(f"{address}: {os.strerror(exc.errno) if exc.errno else exc}") from exc


async def _connect(address: RedisAddress, answer_s: float) -> RedisLink:
    loop = asyncio.get_running_loop()
    if address.path:
        return (await loop.create_unix_connection(lambda: RedisLink(answer_s), address.path))[1]
    ((host, port),) = address.places
    return (await loop.create_connection(lambda: RedisLink(answer_s), host, port, ssl=_tls(address)))[1]


async def _sign_in(link: RedisLink, address: RedisAddress) -> None:
    if address.password:
        await link.ask("AUTH", *([address.username] if address.username else []), address.password)
    if address.db:
        await link.ask("SELECT", address.db)


def _tls(address: RedisAddress) -> ssl.SSLContext | None:
    """What an encrypted connection is asked for, with the options that the redis package takes in an address."""
    if not address.tls:
        return None
    options = address.options
    context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    if certificate := options.get("ssl_certfile"):
        context.load_cert_chain(certificate, options.get("ssl_keyfile"))
    context.check_hostname = options.get("ssl_check_hostname", "true").lower() not in NO
    if options.get("ssl_cert_reqs") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
