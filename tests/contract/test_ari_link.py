"""ari_app/ari_link.py against a real Asterisk: one suite over the WebSocket and over HTTP."""

import asyncio
import contextlib
import http.server
import logging
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from ari_app import ari_link, events
from ari_app.ari_link import AriGone, AriLink, AriRefused
from config.settings import Asterisk
from ringcard.lab import Lab
from ringcard.phones import Phone, call

DIRECT = "+85523900002"  # rings phone 102 in the company's own way


def settings_of(lab: Lab) -> Asterisk:
    return Asterisk(ari_url=lab.ari_url, username=lab.ari_user, password=lab.password)


class Listener:
    """What a switchboard would be: keeps the raw events, counts the connections."""

    def __init__(self) -> None:
        self.raw: list[Mapping[str, Any]] = []
        self.connected = asyncio.Event()
        self.connections = 0

    async def on_connected(self) -> None:
        self.connections += 1
        self.connected.set()

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        return [raw for raw in self.raw if raw["type"] == kind]

    async def heard(self, kind: str) -> Mapping[str, Any]:
        async with asyncio.timeout(10):
            while not self.of(kind):
                await asyncio.sleep(0.01)
        return self.of(kind)[0]


@contextlib.asynccontextmanager
async def connected(settings: Asterisk) -> AsyncIterator[tuple[AriLink, Listener]]:
    link, listener = AriLink(settings, events.NEEDED), Listener()
    running = asyncio.create_task(link.run(listener.raw.append, listener.on_connected))
    try:
        async with asyncio.timeout(10):
            await listener.connected.wait()
        yield link, listener
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture(params=["WebSocket", "HTTP"])
def over(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "HTTP":
        monkeypatch.setattr(ari_link, "PROBE_S", 0.0)  # as on a server that does not answer requests on its WebSocket
    return str(request.param)


@pytest.fixture(params=[True, False], ids=["at once", "one by one"])
def several(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_our_operations_are_those_of_asterisks_own_description(lab: Lab) -> None:
    for operation in (*ari_link.OPERATIONS, ari_link.SET_CHANNEL_VARS):
        _, described = lab.ari("GET", f"api-docs/{operation.resource}.json")
        known = {
            (each["nickname"], each["httpMethod"], api["path"].removeprefix("/"))
            for api in described["apis"]
            for each in api["operations"]
        }
        assert (operation.nickname, operation.method, operation.path) in known, operation


async def test_values_are_set_before_the_call_goes_on(lab: Lab, over: str, several: bool) -> None:
    async with connected(settings_of(lab)) as (link, listener), Phone(lab, "102") as phone:
        assert link.over == over
        assert link.server == lab.version
        link._several_variables = several
        calling = asyncio.create_task(call(lab, did=DIRECT))
        channel_id = (await listener.heard("StasisStart"))["channel"]["id"]
        await link.follow(channel_id)
        await link.hand_back(channel_id, {"CALLERID(name)": 'សុខ "Dara" & Sons, $[1+1] %20+', "RINGCARD_REASON": "r"})
        assert (await calling).status == 200
        assert phone.invites[0].name == 'សុខ "Dara" & Sons, $[1+1] %20+'
        await listener.heard("ChannelDestroyed")
        assert listener.of("Dial")


async def test_values_that_asterisk_refuses_do_not_keep_the_call(lab: Lab, over: str) -> None:
    async with connected(settings_of(lab)) as (link, listener), Phone(lab, "102") as phone:
        calling = asyncio.create_task(call(lab, did=DIRECT))
        channel_id = (await listener.heard("StasisStart"))["channel"]["id"]
        with contextlib.suppress(AriRefused):
            await link.hand_back(channel_id, {"": "no name", "CALLERID(name)": "Dara"})
        outcome = await calling
        assert outcome.status == 200
        assert len(phone.invites) == 1


async def test_a_frame_that_would_kill_the_socket_is_never_sent(lab: Lab) -> None:
    async with connected(settings_of(lab)) as (link, listener), Phone(lab, "102"):
        calling = asyncio.create_task(call(lab, did=DIRECT))
        channel_id = (await listener.heard("StasisStart"))["channel"]["id"]
        await link.hand_back(channel_id, {"RINGCARD_REASON": "x" * 70_000})
        assert (await calling).status == 200
        assert link.counters.lost == 0


async def test_a_channel_that_is_gone_is_a_refusal_with_its_status(lab: Lab, over: str) -> None:
    async with connected(settings_of(lab)) as (link, _):
        with pytest.raises(AriRefused) as refused:
            await link.hand_back("no-such-channel", {"CALLERID(name)": "x"})
        assert refused.value.status == 404
        assert not await link.follow("no-such-channel")


async def test_after_asterisk_restarts_the_link_is_there_again_and_says_that_there_was_a_gap(lab: Lab) -> None:
    async with connected(settings_of(lab)) as (link, listener):
        listener.connected.clear()
        await asyncio.to_thread(lab.restart)
        async with asyncio.timeout(15):
            await listener.connected.wait()
        assert (listener.connections, link.counters.lost) == (2, 1)
        assert isinstance(await link.channels(), list)


async def test_without_asterisk_a_request_fails_at_once(lab: Lab) -> None:
    link = AriLink(settings_of(lab), events.NEEDED)
    with pytest.raises(AriGone):
        await link.channels()


async def test_who_is_replaced_says_so_and_takes_over_when_the_other_is_gone(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(settings_of(lab)) as (first, listener):
        async with connected(settings_of(lab)):
            await listener.heard("ApplicationReplaced")
            async with asyncio.timeout(5):
                while not first.counters.replaced:
                    await asyncio.sleep(0.01)
            assert "another program connected" in caplog.text
            assert listener.connections == 1
        async with asyncio.timeout(10):
            while listener.connections < 2:
                await asyncio.sleep(0.01)


@pytest.fixture
def not_asterisk() -> Iterator[str]:
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"hello": "world"}')

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/ari"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("wrong", ["password", "address", "path", "not asterisk"])
async def test_each_wrong_setting_is_said_once_with_what_to_do(
    lab: Lab, wrong: str, not_asterisk: str, caplog: pytest.LogCaptureFixture
) -> None:
    right = settings_of(lab)
    settings, expected = {
        "password": (replace(right, password="wrong"), "compare asterisk.username and password with ari.conf"),
        "address": (replace(right, ari_url="http://127.0.0.1:9/ari"), "does not answer at http://127.0.0.1:9/ari"),
        "path": (replace(right, ari_url=right.ari_url + "x"), "check asterisk.ari_url"),
        "not asterisk": (replace(right, ari_url=not_asterisk), "is not Asterisk's REST interface"),
    }[wrong]
    caplog.set_level(logging.WARNING)
    running = asyncio.create_task(AriLink(settings, events.NEEDED).run(lambda raw: None, Listener().on_connected))
    async with asyncio.timeout(5):
        while expected not in caplog.text:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)  # it tries again meanwhile
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert caplog.text.count(expected) == 1
