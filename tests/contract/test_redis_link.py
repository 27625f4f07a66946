"""The connection that calls wait on: against real servers that freeze, die, refuse and talk nonsense."""

import asyncio
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from lookup.breaker import StoreGone
from lookup.redis_cards import RedisCards
from lookup.redis_link import RedisLink, open_link
from ringcard.redis_server import OwnServer
from tests.fixtures.redis import command, frozen, kill
from tests.ports import free_ports

PATIENT_S = 5.0  # for tests of something else than the time limit


@asynccontextmanager
async def cards_at(url: str, answer_s: float = PATIENT_S) -> AsyncIterator[RedisCards]:
    cards = RedisCards(url, answer_s)
    yield cards
    await cards.close()


@asynccontextmanager
async def link_to(url: str, answer_s: float = PATIENT_S) -> AsyncIterator[RedisLink]:
    link = await open_link(url, answer_s)
    yield link
    link.drop("the test is over")
    await link.lost


# --- servers that do not answer ---


async def test_a_frozen_server_holds_nobody_and_what_it_says_later_reaches_nobody(breakable_redis: OwnServer) -> None:
    async with cards_at(breakable_redis.url) as patient:
        await asyncio.gather(*(patient.store(f"k{i}", f"card {i}".encode(), 60) for i in range(2)))
    async with cards_at(breakable_redis.url, 0.1) as cards:
        assert await cards.get("k0") == b"card 0"
        with frozen(breakable_redis.pid):
            began = time.monotonic()
            with pytest.raises(StoreGone, match="no answer within 100 ms"):
                await cards.get("k0")
            assert time.monotonic() - began < 2
        assert await _tried_until_answered(lambda: cards.get("k1")) == b"card 1"


async def test_a_server_that_is_killed_ends_every_question_at_once(breakable_redis: OwnServer) -> None:
    async with link_to(breakable_redis.url) as link:
        with frozen(breakable_redis.pid):
            asked = [asyncio.ensure_future(link.ask("GET", f"k{i}")) for i in range(5)]
            await asyncio.sleep(0)
            kill(breakable_redis.pid)
            for answer in await asyncio.gather(*asked, return_exceptions=True):
                assert isinstance(answer, StoreGone)
        with pytest.raises(StoreGone):
            await link.ask("GET", "k")


async def test_a_restart_between_two_calls_is_not_noticed(breakable_redis: OwnServer) -> None:
    async with cards_at(breakable_redis.url) as cards:
        await cards.store("k", b"card", 60)
        link = await cards._node.link()
        breakable_redis.stop()
        breakable_redis.start()
        await link.lost  # our loop has had a moment to see it, as it has between calls
        assert await cards.get("k") is None
        assert await cards.store("k", b"card", 60)


async def test_without_a_server_the_reason_names_the_place(tmp_path: Path) -> None:
    async with cards_at(f"unix://{tmp_path}/no.sock") as cards:
        with pytest.raises(StoreGone, match=r"no\.sock: No such file or directory"):
            await cards.get("k")
    async with cards_at(f"redis://127.0.0.1:{free_ports(1)[0]}") as cards:
        with pytest.raises(StoreGone, match=r"127\.0\.0\.1:\d+: Connection refused"):
            await cards.get("k")


async def test_a_server_that_accepts_and_stays_silent_while_we_sign_in_holds_nobody(tmp_path: Path) -> None:
    async with _server(tmp_path / "silent", b"") as path, cards_at(f"unix://:secret@{path}", 0.1) as cards:
        with pytest.raises(StoreGone, match=r"no (answer|connection) within"):
            await cards.get("k")


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"+OK\r\n+OK\r\n+OK\r\n"])
async def test_a_server_that_speaks_otherwise_is_given_up(tmp_path: Path, said: bytes) -> None:
    async with _server(tmp_path / "other", said) as path, link_to(f"unix://{path}") as link:
        with pytest.raises(StoreGone, match="does not speak"):
            await asyncio.gather(link.ask("PING"), link.ask("SELECT", 0), _lost(link))


async def test_one_who_asks_for_the_connection_and_hangs_up_does_not_close_it_for_others(
    breakable_redis: OwnServer,
) -> None:
    async with cards_at(breakable_redis.url) as cards:
        first, second = (asyncio.ensure_future(cards.get("k")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second is None


# --- our own loop ---


def _busy_for(seconds: float) -> None:
    time.sleep(seconds)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_loop_that_was_held_up_does_not_take_the_server_for_silent(
    redis_url: str, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def ask_and_be_busy() -> None:
        async with link_to(redis_url) as patient:
            await patient.ask("SET", "k", "card")
        async with link_to(redis_url, 0.05) as link:
            answer = asyncio.ensure_future(link.ask("GET", "k"))
            await asyncio.sleep(0)
            _busy_for(0.2)
            assert await answer == b"card"

    _run(ask_and_be_busy(), loop)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_answers_go_to_their_questions_on_either_loop(
    redis_url: str, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def ask_much() -> None:
        async with link_to(redis_url) as link:
            big = b"x" * 3_000_000
            await asyncio.gather(*(link.ask("SET", f"k{i}", big if i == 5 else f"{i}") for i in range(20)))
            answers = await asyncio.gather(*(link.ask("GET", f"k{i}") for i in range(20)))
            assert answers == [big if i == 5 else f"{i}".encode() for i in range(20)]

    _run(ask_much(), loop)


def _run(main: Coroutine[Any, Any, None], loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main)


# --- what goes over it ---


async def test_calls_of_one_moment_are_one_question(redis_server: OwnServer, redis_url: str) -> None:
    async with cards_at(redis_url) as cards:
        await cards.get("first, which opens the connection")
        command(redis_server, "CONFIG RESETSTAT")
        await asyncio.gather(*(cards.get(f"k{i}") for i in range(50)))
    assert b"cmdstat_mget:calls=1," in command(redis_server, "INFO commandstats")


async def test_every_key_has_an_end(redis_server: OwnServer, redis_url: str) -> None:
    async with cards_at(redis_url) as cards:
        await cards.store("stored", b"card", 60)
        await cards.forget(["forgotten"])
    assert {command(redis_server, f"TTL {key}") > b":0" for key in ("stored", "forgotten")} == {True}


async def test_a_full_server_still_answers_calls_and_says_once_that_it_keeps_nothing(
    breakable_redis: OwnServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with cards_at(breakable_redis.url) as cards:
        await cards.store("k", b"card", 60)
        command(breakable_redis, "CONFIG SET maxmemory-policy noeviction")
        command(breakable_redis, "CONFIG SET maxmemory 1")
        assert [await cards.store(f"new{i}", b"card", 60) for i in range(3)] == [False] * 3
        assert await cards.get("k") == b"card"
        command(breakable_redis, "CONFIG SET maxmemory 0")
        assert await cards.store("new", b"card", 60)
    (warning,) = caplog.records
    assert "redis keeps no cards: OOM" in warning.message


# --- addresses ---


async def test_a_password_and_a_database_are_taken_from_the_address(breakable_redis: OwnServer) -> None:
    command(breakable_redis, "CONFIG SET requirepass s3cret")
    path = breakable_redis.url.removeprefix("unix://")
    for address in (f"unix://:s3cret@{path}?db=3", f"unix://default:s3cret@{path}?db=3"):
        async with link_to(address) as link:
            assert b"db=3" in await link.ask("CLIENT", "INFO")
    for address in (f"unix://:wrong@{path}", breakable_redis.url):
        async with cards_at(address) as cards:
            with pytest.raises(StoreGone, match=r"WRONGPASS|NOAUTH"):
                await cards.get("k")


async def test_it_connects_over_the_network(breakable_redis: OwnServer) -> None:
    (port,) = free_ports(1)
    command(breakable_redis, f"CONFIG SET bind 127.0.0.1 port {port}")
    async with link_to(f"redis://127.0.0.1:{port}/1") as link:
        assert b"db=1" in await link.ask("CLIENT", "INFO")


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes its certificates with openssl")
async def test_it_connects_encrypted_and_only_to_whom_it_trusts(breakable_redis: OwnServer, tmp_path: Path) -> None:
    key, certificate, (port,) = tmp_path / "key.pem", tmp_path / "certificate.pem", free_ports(1)
    _make_certificate(key, certificate)
    command(
        breakable_redis,
        f"CONFIG SET bind 127.0.0.1 tls-cert-file {certificate} tls-key-file {key} tls-ca-cert-file {certificate}"
        f" tls-auth-clients no tls-port {port}",
    )
    for trust in (f"ssl_ca_certs={certificate}", "ssl_cert_reqs=none"):
        async with link_to(f"rediss://localhost:{port}/?{trust}") as link:
            assert await link.ask("PING") == b"PONG"
    with pytest.raises(StoreGone, match="CERTIFICATE_VERIFY_FAILED"):
        await open_link(f"rediss://localhost:{port}/", PATIENT_S)


# --- arrangements ---


async def _tried_until_answered(ask: Callable[[], Awaitable[bytes | None]]) -> bytes | None:
    """A server that was just let go may need a moment on a busy machine."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await ask()
            except StoreGone:
                continue


async def _lost(link: RedisLink) -> None:
    await link.lost
    raise StoreGone("does not speak")


@asynccontextmanager
async def _server(path: Path, said: bytes) -> AsyncIterator[Path]:
    """Something that accepts, says this to whatever it hears first, and stays."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(said)
        await reader.read()
        writer.close()

    async with await asyncio.start_unix_server(answer, path):
        yield path


def _make_certificate(key: Path, certificate: Path) -> None:
    request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *request.split(), *files], check=True, capture_output=True)
