"""How many requests the desk answered, by class ("2xx"): an ASGI layer around all others."""

from __future__ import annotations

from collections import Counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Counted:
    """Wraps the application. `counts` is counted up; a request that broke our code is a "5xx"."""

    def __init__(self, app: ASGIApp, counts: Counter[str]) -> None:
        self._app = app
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def counting(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                self._counts[f"{message['status'] // 100}xx"] += 1
            await send(message)

        try:
            await self._app(scope, receive, counting)
        except Exception:
            self._counts["5xx"] += not begun
            raise
