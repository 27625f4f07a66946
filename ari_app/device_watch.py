"""Has Asterisk tell the states of our people's telephones, and asks for them once after each new connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from urllib.parse import quote

from ari_app.ari_link import AriLink
from ari_app.ari_requests import SUBSCRIBE, AriError, AriGone, Operation, request
from ari_app.devices import PREFIX, Devices

log = logging.getLogger(__name__)

GET_DEVICE_STATE = Operation("deviceStates", "get", "GET", "deviceStates/{deviceName}")

AT_ONCE = 50  # telephones in one request, so that a frame stays small
EVERY_S = 1.0


class DeviceWatch:
    """`phones`: names of the endpoints that matter now. Until their states are told, they count as free and there."""

    def __init__(self, link: AriLink, devices: Devices, phones: Callable[[], Collection[str]]) -> None:
        self._link = link
        self._devices = devices
        self._phones = phones
        self._watched: set[str] = set()
        self._refused = False

    async def connected(self) -> None:
        """A new connection: nothing that we subscribed to before holds."""
        self._devices.forget()
        self._watched.clear()
        self._refused = False
        await self._catch_up()

    async def run(self) -> None:
        """Until cancelled: people get other telephones."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self._catch_up()

    async def _catch_up(self) -> None:
        new = sorted({*self._phones()} - self._watched)
        try:
            for some in _pieces(new):
                if not self._refused:
                    await self._watch(some)
        except AriGone as exc:
            log.debug("telephones are watched again with the next connection: %s", exc)
        except AriError as exc:
            self._refused = True
            log.warning("Asterisk does not tell which telephones talk or are gone (%s); all count as free", exc)

    async def _watch(self, phones: list[str]) -> None:
        """First subscribe, then ask: so nothing between is missed."""
        sources = ",".join(f"deviceState:{PREFIX}{phone}" for phone in phones)
        await self._link.send(request(SUBSCRIBE, applicationName=self._link.app, eventSource=sources))
        self._watched.update(phones)
        asked = [request(GET_DEVICE_STATE, deviceName=quote(PREFIX + phone, safe="")) for phone in phones]
        for device in await self._link.send(*asked):
            self._devices.answered(device)


def _pieces(phones: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(phones)
    while some := list(islice(rest, AT_ONCE)):
        yield some
