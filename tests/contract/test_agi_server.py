"""The FastAGI server as its peers meet it: real connections, AGI bytes, and every way a peer can misbehave."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict

import pytest

from agi.conversation import MAX_LINE, Request, get_variable, set_variable, verbose
from agi.server import AgiServer, Channel, PortTaken, Script
from config.settings import Agi

REQUEST_S = 0.5  # long for an answer, short for a test that waits for the deadline


def opening(script: str) -> bytes:
    return f"agi_network: yes\nagi_network_script: {script}\nagi_request: agi://127.0.0.1/{script}\n\n".encode()


async def names(request: Request, channel: Channel) -> None:
    """Asks one thing and says one thing, as a script does."""
    reply = await channel.ask(get_variable("RINGCARD_TRUNK"))
    await channel.ask(set_variable("CALLERID(name)", f"from {reply.value}"))


async def breaks(request: Request, channel: Channel) -> None:
    raise RuntimeError("planted")


async def sleeps(request: Request, channel: Channel) -> None:
    await channel.ask(verbose("asleep"))
    await asyncio.Event().wait()


SCRIPTS: dict[str, Script] = {"names": names, "breaks": breaks, "sleeps": sleeps}


@asynccontextmanager
async def serving(scripts: Mapping[str, Script] = SCRIPTS, **settings: float) -> AsyncIterator[AgiServer]:
    server = AgiServer(Agi(**{"port": 0, "request_s": REQUEST_S, **settings}), scripts)  # type: ignore[arg-type]
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
        assert server.conversations == 0


class Peer:
    """A connection to the server, from Asterisk's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def line(self) -> bytes:
        return await asyncio.wait_for(self.reader.readline(), 10)

    async def the_end(self) -> bytes:
        """What comes until the server closes."""
        try:
            return await asyncio.wait_for(self.reader.read(), 10)
        except ConnectionResetError:
            return b""


@asynccontextmanager
async def peer_of(server: AgiServer) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):  # the server closed first, which many of these tests are about
            await writer.wait_closed()


async def a_named_call(server: AgiServer, trunk: str = "trunk") -> None:
    async with peer_of(server) as peer:
        peer.send(opening("names"))
        assert await peer.line() == b'GET VARIABLE "RINGCARD_TRUNK"\n'
        peer.send(f"200 result=1 ({trunk})\n".encode())
        assert await peer.line() == f'SET VARIABLE "CALLERID(name)" "from {trunk}"\n'.encode()
        peer.send(b"200 result=1\n")
        assert await peer.the_end() == b""


async def over(server: AgiServer, conversations: int) -> None:
    """Until this many conversations have ended."""
    async with asyncio.timeout(30):
        while sum(asdict(server.counters).values()) < conversations:
            await asyncio.sleep(0.001)


async def test_a_script_asks_and_sets_and_the_server_ends_the_conversation() -> None:
    async with serving() as server:
        await a_named_call(server)
        assert server.counters.done == 1


async def test_a_request_may_come_in_single_bytes() -> None:
    async with serving() as server, peer_of(server) as peer:
        for n in range(len(opening("names"))):
            peer.send(opening("names")[n : n + 1])
            await peer.writer.drain()
        assert await peer.line() == b'GET VARIABLE "RINGCARD_TRUNK"\n'


async def test_peers_that_connect_and_vanish_neither_stop_the_others_nor_leave_anything_behind() -> None:
    async with serving() as server:
        for _ in range(200):
            async with peer_of(server):
                pass
        await a_named_call(server)
        await over(server, 201)
        assert server.counters.vanished == 200
        assert server.conversations == 0


async def test_a_peer_that_closes_without_a_word_never_holds_the_event_loop() -> None:
    async with serving() as server, peer_of(server) as peer:
        peer.writer.write_eof()  # half closed: the server reads the end of input, and may still write
        await a_named_call(server)
        assert await peer.the_end() == b""
        assert server.counters.vanished == 1


@pytest.mark.parametrize("said", [b"", opening("names")[:40], opening("names")[:-1], opening("names")])
async def test_a_peer_that_falls_silent_is_let_go_at_the_deadline(said: bytes) -> None:
    async with serving() as server, peer_of(server) as peer:
        peer.send(said)
        await a_named_call(server)
        await peer.the_end()
        assert server.counters.late == 1


async def test_a_peer_that_leaves_in_the_middle_is_over_at_once() -> None:
    async with serving(request_s=60) as server:
        async with peer_of(server) as peer:
            peer.send(opening("names"))
            await peer.line()
        await over(server, 1)
        assert server.counters.vanished == 1


@pytest.mark.parametrize(
    "garbage",
    [b"\n", b"\x16\x03\x01\x00\xa5\n\n", b"SSH-2.0-x\r\n\r\n", b"x" * (MAX_LINE + 1), b"agi_a: b\n" * 10_000],
)
async def test_who_does_not_speak_agi_is_sent_away(garbage: bytes) -> None:
    async with serving(request_s=60) as server, peer_of(server) as peer:
        peer.send(garbage)
        assert await peer.the_end() == b""
        assert server.counters.nonsense == 1
        await a_named_call(server)


async def test_fifty_calls_at_once_each_hear_their_own_answer() -> None:
    async with serving(request_s=10) as server:
        await asyncio.gather(*(a_named_call(server, f"trunk {n}") for n in range(50)))
        assert server.counters.done == 50


async def test_more_than_the_limit_are_refused_at_once_and_the_others_go_on() -> None:
    async with serving(conversations=2, request_s=60) as server, peer_of(server) as first, peer_of(server) as second:
        for peer in (first, second):
            peer.send(opening("names"))
            await peer.line()
        async with peer_of(server) as third:
            assert await third.the_end() == b""
        assert server.counters.full == 1
        first.send(b"200 result=0\n")
        assert await first.line() == b'SET VARIABLE "CALLERID(name)" "from "\n'


async def test_a_fault_in_a_script_is_logged_and_the_call_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server:
        async with peer_of(server) as peer:
            peer.send(opening("breaks"))
            assert await peer.the_end() == b""
        assert server.counters.failed == 1
        assert "RuntimeError: planted" in caplog.text
        assert "the call goes on as it is" in caplog.text
        await a_named_call(server)


async def test_a_script_that_never_ends_is_cut_at_the_deadline(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server, peer_of(server) as peer:
        peer.send(opening("sleeps"))
        await peer.line()
        peer.send(b"200 result=1\n")
        assert await peer.the_end() == b""
        assert server.counters.late == 1
        assert "not over in 0.5 s" in caplog.text


async def test_an_unknown_script_is_named_in_both_logs(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server, peer_of(server) as peer:
        peer.send(opening("nmaes"))
        assert await peer.line() == (b'VERBOSE "Ringcard has no AGI script nmaes; known: breaks, names, sleeps" "3"\n')
        peer.send(b"200 result=1\n")
        assert await peer.the_end() == b""
        assert "nmaes" in caplog.text
        assert server.counters.no_such_script == 1


async def test_a_caller_who_hangs_up_ends_nothing_before_the_replies_do() -> None:
    async with serving() as server, peer_of(server) as peer:
        peer.send(opening("names"))
        await peer.line()
        peer.send(b"HANGUP\n511 Command Not Permitted on a dead channel\n")
        await peer.line()
        peer.send(b"511 Command Not Permitted on a dead channel\n")
        assert await peer.the_end() == b""
        assert server.counters.done == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [("/names", b"HTTP/1.1 200 OK"), ("/names?x=1", b"HTTP/1.1 200 OK"), ("/nmaes", b"HTTP/1.1 404 Not Found")],
)
async def test_whoever_may_not_wait_can_ask_by_http_whether_a_script_answers(path: str, status: bytes) -> None:
    async with serving() as server, peer_of(server) as peer:
        peer.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert (await peer.the_end()).startswith(status)
        assert server.counters.knocks == 1


async def test_stopping_lets_a_waiting_call_be_answered_and_closes_the_silent_ones() -> None:
    async with serving(request_s=60) as server, peer_of(server) as waiting, peer_of(server) as silent:
        waiting.send(opening("names"))
        await waiting.line()
        silent.send(opening("sleeps"))
        await silent.line()
        stopping = asyncio.create_task(server.stop())
        waiting.send(b"200 result=1 (x)\n")
        await waiting.line()
        waiting.send(b"200 result=1\n")
        assert await waiting.the_end() == b""
        assert await silent.the_end() == b""
        await stopping
        assert (server.counters.done, server.counters.stopped) == (1, 1)


async def test_a_stopped_server_takes_no_calls() -> None:
    async with serving() as server:
        port = server.port
        await server.stop()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_a_port_that_is_taken_is_a_clear_error() -> None:
    async with serving() as first:
        second = AgiServer(Agi(port=first.port), SCRIPTS)
        with pytest.raises(PortTaken, match=rf"127\.0\.0\.1:{first.port}.*agi\.port"):
            await second.start()
        await second.stop()


async def test_what_it_answers_is_logged_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        async with serving() as server:
            assert f"127.0.0.1:{server.port}: breaks, names, sleeps" in caplog.text
