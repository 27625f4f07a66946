"""The least that asking Redis can take here: one GET's bytes out, its answer's bytes in, nothing read out of them.

It is what a lookup is compared with, so it shares everything that is not the lookup's own doing: the event loop, the
kind of socket, the server, the pace, and keys of the same kind with values of the same size.
"""

from __future__ import annotations

import asyncio
from typing import cast


class RawGet(asyncio.Protocol):
    def __init__(self) -> None:
        self._held = b""
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport

    async def get(self, key: bytes) -> bytes:
        """The bytes of the answer, one question at a time. Raises ConnectionError."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key))
        return await self._answer

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._held += data
        size, _, rest = self._held.partition(b"\r\n")
        if len(rest) == max(int(size[1:]) + 2, 0) and self._answer:
            self._answer.set_result(rest)
            self._held = b""

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionError("Redis closed the connection"))


async def open_raw(url: str) -> RawGet:
    """A unix:// address."""
    path = url.removeprefix("unix://")
    return (await asyncio.get_running_loop().create_unix_connection(RawGet, path))[1]
