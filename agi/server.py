"""The FastAGI server: one connection is one conversation with one script about one call.

A call waits in its dialplan for as long as its conversation is open, and Asterisk puts no limit on that. So each has
one deadline, and whatever goes wrong the connection is closed: Asterisk then goes on with the call as it was.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from agi.conversation import Conversation, HungUp, Knock, Nonsense, Reply, Request, http_answer, verbose
from config.settings import Agi

log = logging.getLogger(__name__)

READ = 4096  # bytes at once
STOP_S = 1.0  # conversations still open when the server stops get this long to end by themselves


class Channel(Protocol):
    """What a script can do with its call."""

    async def ask(self, command: bytes) -> Reply:
        """Asterisk's reply to one command. Raises Vanished."""
        ...


Script = Callable[[Request, Channel], Awaitable[None]]


class Vanished(Exception):
    """Asterisk closed the connection, or does not speak AGI; nothing can be done for this call any more."""


class PortTaken(Exception):
    """The server cannot listen; the message says where and what to do."""


@dataclass(slots=True)
class Counters:
    """Every way a conversation can end (their sum is the number of connections that are over)."""

    done: int = 0  # the script ran to its end
    knocks: int = 0  # somebody looked whether we are here
    no_such_script: int = 0
    vanished: int = 0  # the peer left before the end
    nonsense: int = 0  # the peer does not speak AGI
    late: int = 0  # the deadline came first
    full: int = 0  # more at once than agi.conversations
    failed: int = 0  # a fault of ours, in the log with its traceback
    stopped: int = 0  # the server stopped first


class AgiServer:
    """Listens from `start` to `stop`. `scripts`: what answers, by the name that the dialplan calls."""

    def __init__(self, settings: Agi, scripts: Mapping[str, Script]) -> None:
        self.counters = Counters()
        self._settings = settings
        self._scripts = scripts
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def conversations(self) -> int:
        """How many are open now."""
        return len(self._open)

    @property
    def port(self) -> int:
        """The port that it listens on, which the settings leave open with 0; 0 while it does not listen."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server else 0

    async def start(self) -> None:
        """Listen on agi.host and agi.port. Raises PortTaken."""
        host, port = self._settings.host, self._settings.port
        try:
            self._server = await asyncio.start_server(self._accept, host, port, limit=READ)
        except OSError as exc:
            raise PortTaken(
                f"cannot listen for AGI on {host}:{port}: {exc.strerror or exc}; "
                "stop the program that has this port, or choose another as agi.port (and in the dialplan)"
            ) from exc
        log.info("answering AGI on %s:%d: %s", host, self.port, ", ".join(sorted(self._scripts)))

    async def stop(self) -> None:
        """Take no new calls, let those that wait be answered, then close what is left."""
        if self._server is None:
            return
        self._server.close()
        if self._open:
            await asyncio.wait(self._open, timeout=STOP_S)
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)
        await self._server.wait_closed()
        self._server = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= self._settings.conversations:
            self.counters.full += 1
            log.warning("%d AGI conversations are open; this call goes on as it is", len(self._open))
            writer.close()
            return
        task = asyncio.create_task(self._converse(_Line(reader, writer)), name="agi conversation")
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _converse(self, line: _Line) -> None:
        """One conversation, whatever happens in it. Only cancellation leaves here, after the connection is closed."""
        end = "failed"
        try:
            async with asyncio.timeout(self._settings.request_s):
                end = await self._answer(line)
        except TimeoutError:
            end = "late"
            log.warning("AGI conversation not over in %.1f s; the call goes on as it is", self._settings.request_s)
        except Vanished as exc:
            end = "nonsense" if line.nonsense else "vanished"
            log.debug("AGI peer lost: %s", exc)
        except asyncio.CancelledError:
            end = "stopped"
            raise
        except Exception:
            log.exception("AGI conversation failed; the call goes on as it is")
        finally:
            setattr(self.counters, end, getattr(self.counters, end) + 1)
            line.close(flush=end in ("done", "knocks", "no_such_script"))

    async def _answer(self, line: _Line) -> str:
        opening = await line.hear()
        if isinstance(opening, Knock):
            await line.say(self._answer_to(opening))
            return "knocks"
        if not isinstance(opening, Request):
            raise AssertionError("a conversation opens with a request or a knock, because replies come after it")
        script = self._scripts.get(opening.script)
        if script is None:
            known = ", ".join(sorted(self._scripts))
            log.warning("no AGI script %r (known: %s); the call goes on as it is", opening.script, known)
            await line.ask(verbose(f"Ringcard has no AGI script {opening.script}; known: {known}"))
            return "no_such_script"
        await script(opening, line)
        return "done"

    def _answer_to(self, knock: Knock) -> bytes:
        """Whoever may not wait for ever (the dialplan, by CURL) asks by HTTP whether agi://...SCRIPT would answer."""
        script = knock.path.partition("?")[0].strip("/")
        if script in self._scripts:
            return http_answer("200 OK", "alive")
        return http_answer("404 Not Found", f"an AGI port; its scripts: {', '.join(sorted(self._scripts))}")


class _Line:
    """One connection. A command is sent only after the reply to the one before it: Asterisk takes two that come in one
    packet for one, and sees the second when a third arrives."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.nonsense = False
        self._reader = reader
        self._writer = writer
        self._ear = Conversation()
        self._heard: deque[Request | Reply | HungUp | Knock | Nonsense] = deque()

    async def ask(self, command: bytes) -> Reply:
        await self.say(command)
        reply = await self.hear()
        if not isinstance(reply, Reply):
            raise AssertionError("only replies come after the request, because a connection carries one request")
        return reply

    async def say(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as exc:
            raise Vanished(f"the connection broke: {exc}") from exc

    async def hear(self) -> Request | Reply | Knock:
        """The next thing said; a hang-up is passed over, because replies to the commands still come."""
        while True:
            while self._heard:
                heard = self._heard.popleft()
                if isinstance(heard, Nonsense):
                    self.nonsense = True
                    raise Vanished(heard.reason)
                if not isinstance(heard, HungUp):
                    return heard
            self._heard += self._ear.receive(await self._read())

    async def _read(self) -> bytes:
        try:
            data = await self._reader.read(READ)
        except OSError as exc:
            raise Vanished(f"the connection broke: {exc}") from exc
        if not data:  # at the end of input read() returns at once for ever, so going on would stop every other call
            raise Vanished("the connection was closed")
        return data

    def close(self, *, flush: bool) -> None:
        """End the connection; `flush`: after what was said is on its way, which a peer that reads nothing can delay."""
        if flush:
            self._writer.close()
        else:
            self._writer.transport.abort()
