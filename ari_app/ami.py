"""A name that came late, onto telephones that ring already: by AMI, because ARI has let go of these channels.

Optional, and on nobody's way: whoever has something to say puts it into a short queue and goes on. There is one
connection, made when it is first needed and anew when it was lost; what does not fit, comes too late or is refused is
counted and forgotten.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ari_app.actions import NameLate
from config.settings import Ami
from lookup.naming import clean

log = logging.getLogger(__name__)

WAITING = 200
"""Names that may wait to be sent."""

TOO_OLD_S = 5.0
"""A telephone that rang for so long shows what it shows."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CHANNEL = re.compile(r"[A-Za-z0-9_.+@/;-]{1,150}")


class AmiError(Exception):
    """AMI cannot be used; the message says why."""


@dataclass(slots=True)
class Counters:
    set: int = 0
    refused: int = 0  # the channel is gone, or the user may not
    dropped: int = 0  # too many, too old, or AMI away


class AmiLink:
    def __init__(self, settings: Ami) -> None:
        self.counters = Counters()
        self.gone = ""  # why it cannot be reached
        self._settings = settings
        self._waiting: asyncio.Queue[tuple[float, NameLate]] = asyncio.Queue(WAITING)
        self._session: AmiSession | None = None

    def put(self, late: NameLate) -> None:
        """Have it set, soon or not at all; returns at once. Nothing happens without ami.host."""
        if not self._settings.host:
            return
        try:
            self._waiting.put_nowait((asyncio.get_running_loop().time(), late))
        except asyncio.QueueFull:
            self.counters.dropped += 1

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                put_at, late = await self._waiting.get()
                if asyncio.get_running_loop().time() - put_at > TOO_OLD_S:
                    self.counters.dropped += 1
                else:
                    await self._send(late)
        finally:
            self._close()

    async def _send(self, late: NameLate) -> None:
        try:
            if self._session is not None:
                try:
                    return self._count(await self._session.set(late))
                except (AmiError, OSError):
                    self._close()  # it was lost since: Asterisk restarted
            self._session = await AmiSession.open(self._settings)
            self._count(await self._session.set(late))
        except (AmiError, OSError) as exc:
            self.counters.dropped += 1
            self._close()
            if not self.gone:
                log.warning("AMI is away, so names that come late are not shown on telephones: %s", exc)
            self.gone = str(exc)

    def _count(self, done: bool) -> None:
        self.counters.set += done
        self.counters.refused += not done
        if self.gone:
            log.warning("AMI is back")
        self.gone = ""

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None


class AmiSession:
    """A connection that is logged in, for a few actions one after the other. Everything raises AmiError or OSError."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit_s: float) -> None:
        self._reader = reader
        self._writer = writer
        self._limit_s = limit_s
        self._asked = 0

    @classmethod
    async def open(cls, settings: Ami) -> AmiSession:
        limit_s = settings.request_ms / 1000
        where = f"{settings.host}:{settings.port}"
        try:
            async with asyncio.timeout(limit_s):
                reader, writer = await asyncio.open_connection(settings.host, settings.port)
        except TimeoutError:
            raise AmiError(f"{where} does not answer in {limit_s:g} s") from None
        session = cls(reader, writer, limit_s)
        try:
            login = {"Username": settings.username, "Secret": settings.password, "Events": "off"}
            answer = await session.ask("Login", login)
            if answer.get("response") != "Success":
                raise AmiError(f"{where} refuses the user {settings.username}: {answer.get('message', 'no reason')}")
        except BaseException:
            session.close()
            raise
        return session

    async def set(self, late: NameLate) -> bool:
        """False: Asterisk refused, most often because the channel is gone."""
        if not _CHANNEL.fullmatch(late.channel):
            return False
        asked = {"Channel": late.channel, "Variable": late.function, "Value": clean(late.name)}
        return (await self.ask("Setvar", asked)).get("response") == "Success"

    async def ask(self, action: str, fields: Mapping[str, str]) -> dict[str, str]:
        """One action and its answer, its keys in small letters."""
        self._asked += 1
        action_id = f"ringcard-{self._asked}"
        try:
            async with asyncio.timeout(self._limit_s):
                self._writer.write(written({"Action": action, "ActionID": action_id, **fields}))
                await self._writer.drain()
                while True:
                    answer = read(await self._reader.readuntil(b"\r\n\r\n"))
                    if answer.get("actionid") == action_id:
                        return answer
        except TimeoutError:
            raise AmiError(f"no answer to {action} in {self._limit_s:g} s") from None
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as exc:
            raise AmiError(f"no answer to {action}: {exc}") from None

    def close(self) -> None:
        self._writer.close()


def written(fields: Mapping[str, str]) -> bytes:
    """A message as it goes over the wire. A line break in a value ends nothing: control characters are left out."""
    lines = (f"{key}: {_CONTROL.sub('', value)}\r\n" for key, value in fields.items())
    return ("".join(lines) + "\r\n").encode("utf-8", "replace")


def read(message: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in message.decode("utf-8", "replace").split("\r\n"))
    return {key.strip().lower(): value.strip() for key, colon, value in lines if colon}
