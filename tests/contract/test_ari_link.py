"""ari_app/ari_link.py against a real Asterisk: one suite over the WebSocket and over HTTP."""

import asyncio
import contextlib
import http.server
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from ari_app import ari_link, ari_requests, events, seat
from ari_app.ari_link import AriLink
from ari_app.ari_requests import AriGone, AriRefused, SocketWire
from ari_app.device_watch import GET_DEVICE_STATE, DeviceWatch
from ari_app.devices import DEVICE_STATE, Devices
from config.settings import Asterisk
from ringcard.lab import Lab
from ringcard.phones import Phone, call
from tests.fixtures.ari import app, freezes

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
        async with asyncio.timeout(30):
            while not self.of(kind):
                await asyncio.sleep(0.01)
        return self.of(kind)[0]


@contextlib.asynccontextmanager
async def connected(
    settings: Asterisk, event_types: frozenset[str] = events.IN_OUR_HANDS
) -> AsyncIterator[tuple[AriLink, Listener]]:
    link, listener = AriLink(settings, event_types), Listener()
    running = asyncio.create_task(link.run(listener.raw.append, listener.on_connected))
    try:
        async with asyncio.timeout(30):
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
    for operation in (*ari_requests.OPERATIONS, ari_requests.SET_CHANNEL_VARS, GET_DEVICE_STATE):
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
        await link.hand_back(channel_id, {"CALLERID(name)": 'សុខ "Dara" & Sons, $[1+1] %20+', "RINGCARD_REASON": "r"})
        assert (await calling).status == 200
        assert phone.invites[0].name == 'សុខ "Dara" & Sons, $[1+1] %20+'


async def test_telephones_tell_whether_they_are_there_and_talk_also_those_that_come_later(lab: Lab, over: str) -> None:
    devices, phones = Devices(), {"101", "106"}
    async with (
        connected(settings_of(lab), events.IN_OUR_HANDS | {DEVICE_STATE}) as (link, listener),
        Phone(lab, "101", talk_s=0.2),
    ):
        assert link.over == over
        watch = DeviceWatch(link, devices, lambda: phones)
        await watch.connected()
        assert devices.unreachable == {"106"}
        phones.add("102")
        later = asyncio.create_task(watch.run())
        async with asyncio.timeout(30):
            while "102" not in devices.unreachable:
                await asyncio.sleep(0.01)
        later.cancel()
        async with Phone(lab, "102"):
            calling = asyncio.create_task(call(lab, did=DIRECT, talk_s=0.5))
            channel_id = (await listener.heard("StasisStart"))["channel"]["id"]
            await link.hand_back(channel_id, {})
            assert (await calling).status == 200
        async with asyncio.timeout(30):
            while told_of_102(listener)[-1:] != ["UNAVAILABLE"]:
                await asyncio.sleep(0.01)
    assert [state for state in told_of_102(listener) if state != "RINGING"] == [
        "NOT_INUSE",
        "INUSE",
        "NOT_INUSE",
        "UNAVAILABLE",
    ]


def told_of_102(listener: Listener) -> list[str]:
    devices = [raw["device_state"] for raw in listener.of(DEVICE_STATE)]
    return [device["state"] for device in devices if device["name"] == "PJSIP/102"]


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
        assert not await link.has_channel("no-such-channel")


async def test_after_asterisk_restarts_the_link_is_there_again_and_says_that_there_was_a_gap(lab: Lab) -> None:
    async with connected(settings_of(lab)) as (link, listener):
        listener.connected.clear()
        await asyncio.to_thread(lab.restart)
        async with asyncio.timeout(30):
            await listener.connected.wait()
        assert (listener.connections, link.counters.lost) == (2, 1)
        assert isinstance(await link.channels(), list)


async def test_without_asterisk_a_request_fails_at_once(lab: Lab) -> None:
    link = AriLink(settings_of(lab), events.IN_OUR_HANDS)
    with pytest.raises(AriGone):
        await link.channels()


async def test_a_stranger_who_takes_the_application_has_it_until_he_is_gone(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(settings_of(lab)) as (first, listener):
        async with app(lab, freezes):
            await listener.heard("ApplicationReplaced")
            await until(lambda: "is another process's now; this one stands by" in caplog.text)
            assert (first.stands_by, first.counters.replaced, listener.connections) == (True, 1, 1)
        await until(lambda: listener.connections == 2)
        assert not first.stands_by


async def test_the_second_stands_by_until_the_first_is_gone(lab: Lab) -> None:
    async with standing_by(lab) as (_, second, listener):
        await asyncio.sleep(3 * seat.LOOK_S)
        assert (second.stands_by, second.holder, listener.connections) == (True, seat.OURSELVES, 0)
    # `standing_by` ends the first, and sees the second connect


async def test_the_second_takes_over_when_the_first_makes_no_mark_any_more(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when it is frozen; its connection stays open."""
    monkeypatch.setattr(seat, "LOOK_S", 0.05)
    monkeypatch.setattr(seat, "MARK_S", 0.01)
    async with standing_by(lab) as (first, second, listener):
        monkeypatch.setattr(seat, "MARK_S", 60.0)
        await asyncio.sleep(0.1)  # its last mark is made
        monkeypatch.setattr(seat, "OURSELVES", "the second")
        await until(lambda: listener.connections == 1 and first.stands_by)
        assert second.up


async def test_who_leaves_is_replaced_before_it_is_gone(lab: Lab) -> None:
    async with standing_by(lab) as (first, second, listener):
        await asyncio.sleep(0.1)  # it has said that it stands by
        await first.leave()
        assert first.counters.replaced or first.stands_by
        await until(lambda: listener.connections == 1)
        assert second.up


@contextlib.asynccontextmanager
async def standing_by(lab: Lab) -> AsyncIterator[tuple[AriLink, AriLink, Listener]]:
    """One who has the application, and one who wants it; at the end the first goes and the second has it."""
    async with connected(settings_of(lab)) as (first, _):
        second, listener = AriLink(settings_of(lab), events.IN_OUR_HANDS), Listener()
        running = asyncio.create_task(second.run(listener.raw.append, listener.on_connected))
        await until(lambda: second.stands_by)
        try:
            yield first, second, listener
        except BaseException:
            running.cancel()
            raise
    await until(lambda: second.up and listener.connections == 1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.01)


async def test_who_waited_for_an_application_that_somebody_has_hears_of_every_channel_then(lab: Lab) -> None:
    def tracker() -> AriLink:
        return AriLink(settings_of(lab), events.ALL_CALLS, app="tracker", sources=events.SOURCES)

    one, other = Listener(), Listener()
    first = asyncio.create_task(tracker().run(one.raw.append, one.on_connected))
    async with asyncio.timeout(30):
        await one.connected.wait()
    second = asyncio.create_task(tracker().run(other.raw.append, other.on_connected))
    async with Phone(lab, "102"):
        assert (await call(lab, did=DIRECT)).status == 200
        await one.heard("ChannelDestroyed")
        assert {raw["type"] for raw in one.raw} >= {"ChannelCreated", "Dial", "ChannelEnteredBridge"}
        assert not other.connected.is_set()
        first.cancel()
        async with asyncio.timeout(30):
            await other.connected.wait()
        assert (await call(lab, did=DIRECT)).status == 200
        await other.heard("ChannelDestroyed")
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)


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
    running = asyncio.create_task(AriLink(settings, events.IN_OUR_HANDS).run(lambda raw: None, Listener().on_connected))
    async with asyncio.timeout(30):
        while expected not in caplog.text:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)  # it tries again meanwhile
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert caplog.text.count(expected) == 1


async def test_a_call_in_our_hands_keeps_us_not_out_after_our_own_connection_was_lost(lab: Lab) -> None:
    """Asterisk lists the application as long as a channel is in it, as if somebody had it."""
    lab.set_global("RINGCARD_GUARD", "60")
    try:
        async with connected(settings_of(lab)) as (link, listener), Phone(lab, "102"):
            calling = asyncio.create_task(call(lab, did=DIRECT))
            channel_id = (await listener.heard("StasisStart"))["channel"]["id"]
            wire = link._wire
            assert isinstance(wire, SocketWire)
            await wire._socket.close()
            await until(lambda: listener.connections == 2)
            await link.hand_back(channel_id, {})
            assert (await calling).status == 200
    finally:
        lab.set_global("RINGCARD_GUARD", "")
