"""The desk's web server: uvicorn, told to end by us."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from ringcard.serving import StartError, unless_broken

GOODBYE_S = 3  # requests under way may take this long after the end was asked for


async def serve_web(
    app: Any, host: str, port: int, stop: asyncio.Event, *, opened: Callable[[], None], stopping: Callable[[], None]
) -> None:
    """Serve `app` until `stop`. StartError: the port is taken.

    `opened` is called when it listens, `stopping` when it begins to end: it ends what would stay open.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GOODBYE_S,
    )
    server = _Server(config)
    with _listening(host, port) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        opened()
        await unless_broken(serving, stop)
        stopping()
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """Without signal handlers of its own: ours asks it to end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as exc:
        mend = (
            "stop the program that has this port, or choose another as desk.port"
            if exc.errno == errno.EADDRINUSE
            else "write an address of this machine as desk.host, and a port that this user may have as desk.port"
        )
        raise StartError(f"the desk cannot listen on {host}:{port}: {exc.strerror or exc}; {mend}") from exc
