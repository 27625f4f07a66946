"""People before the desk, as programs: each is signed in, reads the live calls and notes when which card came.

They come back as a browser does: after any failure again, with the last id that they saw.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import orjson

from tests.accounts import Shown

AGAIN_S = 0.3
SILENCE_S = 20.0  # a heartbeat comes every 15 seconds


class Watcher:
    """One person, who sits at these telephones."""

    def __init__(self, client: httpx.AsyncClient, phones: frozenset[str]) -> None:
        self.phones = phones
        self.shown: list[Shown] = []
        self._client = client
        self._after = ""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with contextlib.suppress(httpx.HTTPError, OSError):
                await self._read()
            await asyncio.sleep(AGAIN_S)

    async def _read(self) -> None:
        kind = ""
        async with self._client.stream("GET", "/api/v1/events", params={"after": self._after}) as answer:
            if answer.status_code != 200:
                return
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "id":
                    self._after = value
                elif name == "data" and kind not in ("heartbeat", "status"):
                    self._note(orjson.loads(value))

    def _note(self, data: dict[str, Any]) -> None:
        now = time.time()
        for each in data.get("calls") or [data]:
            if call := each.get("call"):
                names = tuple(customer["name"] for customer in call["customers"])
                number = call["number"]["e164"] if call["number"] else ""
                self.shown.append(Shown(now, self.phones, number, names, call["state"]))


@asynccontextmanager
async def watching_desk(
    address: str, people: Mapping[str, Collection[str]], password: str
) -> AsyncIterator[list[Watcher]]:
    """These people (their telephones by login), signed in and reading. Raises AssertionError when one is not let in."""
    async with AsyncExitStack() as stack:
        watchers = []
        for login, phones in people.items():
            limits = httpx.Timeout(5.0, read=SILENCE_S)
            client = await stack.enter_async_context(
                httpx.AsyncClient(base_url=address, headers={"Origin": address}, timeout=limits, trust_env=False)
            )
            said = await client.post("/sign-in", data={"login": login, "password": password})
            assert said.status_code == 303, f"{login} could not sign in: {said.status_code}"
            watchers.append(Watcher(client, frozenset(phones)))
        reading = [asyncio.create_task(watcher.run()) for watcher in watchers]
        try:
            yield watchers
        finally:
            for task in reading:
                task.cancel()
            await asyncio.wait(reading)
