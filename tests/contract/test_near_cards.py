"""Cards that a process keeps near at hand are what Redis would answer: through changes, breaks, silence and time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from lookup import near_cards
from lookup.breaker import StoreGone
from lookup.redis_cards import RedisCards
from ringcard.redis_server import OwnServer, brought_program, find_program
from tests.fixtures.redis import command, frozen

PATIENT_S = 5.0
LONG_S = 20.0


@pytest.fixture(params=["redis", "valkey"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OwnServer]:
    program = find_program() if request.param == "redis" else brought_program()
    with OwnServer(tmp_path / "data", program) as server:
        yield server


@asynccontextmanager
async def cards_at(url: str, answer_s: float = PATIENT_S, near: int = 100) -> AsyncIterator[RedisCards]:
    cards = RedisCards(url, answer_s, near)
    yield cards
    await cards.close()


@pytest.fixture
async def cards(server: OwnServer) -> AsyncIterator[RedisCards]:
    async with cards_at(server.url) as cards:
        yield cards


@pytest.fixture
async def other(server: OwnServer) -> AsyncIterator[RedisCards]:
    """Another process."""
    async with cards_at(server.url, near=0) as cards:
        yield cards


def questions(server: OwnServer) -> int:
    """How often Redis was asked for cards since it started."""
    for line in command(server, "INFO commandstats").split(b"\r\n"):
        if line.startswith(b"cmdstat_mget:calls="):
            return int(line.split(b"=")[1].split(b",")[0])
    return 0


async def becomes(ask: Callable[[], Awaitable[object]], wanted: object) -> None:
    """The notice of a change is another process' doing and takes a moment."""
    seen: object = None
    with suppress(TimeoutError):
        async with asyncio.timeout(LONG_S):
            while (seen := await ask()) != wanted:
                await asyncio.sleep(0.005)
    assert seen == wanted


async def heard_all(cards: RedisCards) -> None:
    """What the server had to say until now has come."""
    await cards._node.ask("PING")


async def test_what_was_read_is_not_asked_again(server: OwnServer, cards: RedisCards, other: RedisCards) -> None:
    await other.store("customer", b"card", 60)
    await other.store("nobody", b"1[]", 60)
    await other.forget(["forgotten"])
    for _ in range(5):
        assert await cards.get("customer") == b"card"
        assert await cards.get("nobody") == b"1[]"
        assert await cards.get("forgotten") is None
    assert questions(server) == 3


async def test_what_is_not_there_is_asked_again_each_time(server: OwnServer, cards: RedisCards) -> None:
    for _ in range(3):
        assert await cards.get("nothing") is None
    assert questions(server) == 3


async def test_it_can_be_left_out(server: OwnServer, other: RedisCards) -> None:
    await other.store("k", b"card", 60)
    for _ in range(3):
        assert await other.get("k") == b"card"
    assert questions(server) == 3


async def test_a_change_of_another_process_is_told(cards: RedisCards, other: RedisCards) -> None:
    await other.store("k", b"old", 60)
    assert await cards.get("k") == b"old"
    await other.store("k", b"new", 60)
    await becomes(lambda: cards.get("k"), b"new")
    await other.forget(["k"])
    await becomes(lambda: cards.get("k"), None)


async def test_what_was_forgotten_and_is_stored_again_is_told(
    server: OwnServer, cards: RedisCards, other: RedisCards
) -> None:
    await other.forget(["k"])
    assert await cards.get("k") is None
    command(server, "DEL k")  # as its time does
    assert await other.store("k", b"new", 60)
    await becomes(lambda: cards.get("k"), b"new")


async def test_everything_at_once_is_told(server: OwnServer, cards: RedisCards, other: RedisCards) -> None:
    await other.store("k", b"old", 60)
    assert await cards.get("k") == b"old"
    command(server, "FLUSHALL")
    await becomes(lambda: cards.get("k"), None)


async def test_a_broken_connection_takes_along_what_it_would_have_been_told_of(
    server: OwnServer, cards: RedisCards, other: RedisCards
) -> None:
    await other.store("k", b"old", 60)
    assert await cards.get("k") == b"old"
    for state in (b"new", b"newer"):  # after the first break the server must be asked to tell once more
        link = await cards._node.link()
        command(server, "CLIENT KILL TYPE normal SKIPME yes")
        await link.lost
        await becomes_stored(other, "k", state)
        assert await cards.get("k") == state
    await other.store("k", b"newest", 60)
    await becomes(lambda: cards.get("k"), b"newest")


async def becomes_stored(cards: RedisCards, key: str, raw: bytes) -> None:
    async def is_stored() -> bool:
        with suppress(StoreGone):  # its connection was killed as well
            return await cards.store(key, raw, 60)
        return False

    await becomes(is_stored, True)


async def test_an_older_answer_is_never_kept_after_a_change(cards: RedisCards, other: RedisCards) -> None:
    """Questions and changes race each other; whatever was kept, the last change must have won."""
    for i in range(300):
        new = b"%d" % i
        await asyncio.gather(cards.get("k"), other.store("k", new, 60), cards.get("k"), cards.get("another"))
        await heard_all(cards)
        assert await cards.get("k") == new


async def test_a_server_that_falls_silent_is_not_believed_for_long(server: OwnServer, other: RedisCards) -> None:
    await other.store("k", b"card", 60)
    async with cards_at(server.url, 0.2) as cards:
        assert await cards.get("k") == b"card"
        with frozen(server.pid):
            await becomes(lambda: _gone(cards), True)
        await becomes(lambda: _answer(cards), b"card")


async def test_a_network_that_breaks_without_a_word_hides_a_change_no_longer_than_stated(
    server: OwnServer, other: RedisCards, tmp_path: Path
) -> None:
    await other.store("k", b"old", 60)
    loop = asyncio.get_running_loop()
    async with Between(tmp_path / "between", server) as between, cards_at(f"unix://{between.path}", 0.2) as cards:
        assert await cards.get("k") == b"old"
        between.passing.clear()
        broke = loop.time()
        await other.store("k", b"new", 60)
        last = broke
        async with asyncio.timeout(LONG_S):
            while True:
                asked = loop.time()
                try:
                    assert await cards.get("k") == b"old"
                    last = asked
                except StoreGone:
                    break
                await asyncio.sleep(0.01)
        assert last <= broke + near_cards.BELIEVED_S
        between.passing.set()
        await becomes(lambda: _answer(cards), b"new")


async def test_while_the_server_answers_it_is_believed_however_seldom_it_is_asked(
    server: OwnServer, cards: RedisCards, other: RedisCards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_cards, "BEAT_S", 0.01)
    await other.store("k", b"card", 60)
    await cards.get("k")
    link = await cards._node.link()
    proved = link.proved
    await becomes(lambda: asyncio.sleep(0, link.proved > proved), True)
    assert await cards.get("k") == b"card"
    assert questions(server) == 1


async def test_no_answer_is_kept_longer_than_stated(
    server: OwnServer, cards: RedisCards, other: RedisCards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_cards, "KEPT_S", 0.05)
    await other.store("k", b"old", 60)
    await cards._node.ask("CLIENT", "TRACKING", "OFF")  # a server that never says that it is over
    assert await cards.get("k") == b"old"
    await other.store("k", b"new", 60)
    await becomes(lambda: cards.get("k"), b"new")


async def test_it_stays_small(server: OwnServer, other: RedisCards) -> None:
    for key in ("a", "b", "c"):
        await other.store(key, b"card", 60)
    async with cards_at(server.url, near=2) as cards:
        for key in ("a", "b", "a", "c", "a"):
            await cards.get(key)
        assert (questions(server), cards._node.kept_near) == (3, 2)
        await cards.get("b")
        assert questions(server) == 4


async def test_a_server_that_may_not_tell_is_asked_each_time(server: OwnServer, other: RedisCards) -> None:
    await other.store("k", b"old", 60)
    command(server, "ACL SETUSER default -client|tracking")
    async with cards_at(server.url) as cards:
        assert await cards.get("k") == b"old"
        await other.store("k", b"new", 60)
        assert await cards.get("k") == b"new"
        assert (questions(server), cards._node.kept_near) == (2, 0)


async def _gone(cards: RedisCards) -> bool:
    try:
        await cards.get("k")
    except StoreGone:
        return True
    return False


async def _answer(cards: RedisCards) -> bytes | None:
    with suppress(StoreGone):
        return await cards.get("k")
    return None


class Between:
    """A network that can break: nothing passes any more, and nobody is told."""

    def __init__(self, path: Path, server: OwnServer) -> None:
        self.path = path
        self.passing = asyncio.Event()
        self._to = server.url.removeprefix("unix://")
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Between":
        self.passing.set()
        self._server = await asyncio.start_unix_server(self._connected, self.path)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self._to)
        for ends in ((reader, far_writer), (far_reader, writer)):
            self._tasks.add(asyncio.create_task(self._pass_on(*ends)))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self.passing.wait()
                writer.write(data)
        finally:
            writer.close()
