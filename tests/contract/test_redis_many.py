"""Several Redis as one cache: where the master is, where a slot is, and what follows when that changes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from config.redis_address import RedisAddress, read_address
from lookup import near_cards
from lookup.breaker import StoreGone
from lookup.redis_cards import RedisCards
from lookup.redis_cluster import ClusterCards, slot_of
from lookup.redis_node import RedisNode
from lookup.redis_sentinel import find_master
from ringcard.redis_server import OwnServer
from tests.fixtures.redis import command, frozen
from tests.fixtures.redis_many import OneOfMany, RedisCluster, Sentinels, id_of, until

PATIENT_S = 5.0
LONG_S = 20.0


@asynccontextmanager
async def cluster_at(url: str, near: int = 0, answer_s: float = PATIENT_S) -> AsyncIterator[ClusterCards]:
    cards = ClusterCards(url, answer_s, near)
    yield cards
    await cards.close()


async def becomes(ask: Callable[[], Awaitable[object]], wanted: object) -> None:
    seen: object = None
    async with asyncio.timeout(LONG_S):
        while (seen := await ask()) != wanted:
            await asyncio.sleep(0.01)
    assert seen == wanted


def holder(cluster: RedisCluster, key: str) -> tuple[OneOfMany, OneOfMany]:
    """The node that has this key, and one that has not."""
    here = cluster.nodes[slot_of(key) * 3 // 16384]
    assert not here.ask(f"GET {key}").startswith(b"-MOVED")
    return here, next(node for node in cluster.masters if node is not here)


# --- slots


@pytest.mark.parametrize(
    ("key", "slot"), [("123456789", 12739), ("{user}.a", 5474), ("a{}b", slot_of("a{}b")), ("foo{bar}{zap}", 5061)]
)
def test_a_key_has_the_slot_that_redis_gives_it(standing_cluster: RedisCluster, key: str, slot: int) -> None:
    assert slot_of(key) == slot
    assert standing_cluster.nodes[0].ask(f"CLUSTER KEYSLOT {key}") == b":%d" % slot


async def test_one_node_that_answers_is_enough_to_find_the_others(
    standing_cluster: RedisCluster, cluster_url: str
) -> None:
    url = f"cluster://127.0.0.1:1,127.0.0.1:{standing_cluster.nodes[1].port}"
    key = next(f"k{i}" for i in range(99) if slot_of(f"k{i}") >= 16384 * 2 // 3)
    async with cluster_at(url) as cards:
        assert await cards.store(key, b"card", 60)
        assert await cards.get(key) == b"card"
    assert standing_cluster.nodes[2].ask("DBSIZE") == b":1"


async def test_no_node_is_an_outage() -> None:
    async with cluster_at("cluster://127.0.0.1:1,127.0.0.1:2") as cards:
        for _ in range(2):
            with pytest.raises(StoreGone, match=r"no node of the cluster answers: .*refused"):
                await cards.get("k")


async def test_a_slot_that_moves_is_followed(redis_cluster: RedisCluster) -> None:
    key = "k"
    here, there = holder(redis_cluster, key)
    async with cluster_at(redis_cluster.url, near=10) as cards:
        assert await cards.store(key, b"old", 60)
        assert await cards.get(key) == b"old"
        here.ask(f"CLUSTER SETSLOT {slot_of(key)} MIGRATING {id_of(there)}")
        there.ask(f"CLUSTER SETSLOT {slot_of(key)} IMPORTING {id_of(here)}")
        here.ask(f"MIGRATE 127.0.0.1 {there.port} {key} 0 5000")
        assert here.ask(f"GET {key}").startswith(b"-ASK")
        await heard_all(cards)
        assert await cards.get(key) == b"old", "asked for where it is going"
        assert await cards.store(key, b"new", 60)
        assert await cards.get(key) == b"new"
        for node in (there, here):
            node.ask(f"CLUSTER SETSLOT {slot_of(key)} NODE {id_of(there)}")
        assert here.ask(f"GET {key}").startswith(b"-MOVED")
        assert await cards.get(key) == b"new"
        await cards.forget([key])
        assert await cards.get(key) is None
        assert there.ask(f"STRLEN {key}") == b":0"
        assert there.ask(f"EXISTS {key}") == b":1", "forgotten, not only gone"


async def heard_all(cards: ClusterCards) -> None:
    await asyncio.gather(*(node.redis.ask("PING") for node in cards._masters))


async def test_calls_of_one_moment_go_to_their_nodes_at_once(standing_cluster: RedisCluster, cluster_url: str) -> None:
    async with cluster_at(cluster_url) as cards:
        await asyncio.gather(*(cards.store(f"k{i}", b"%d" % i, 60) for i in range(60)))
        got = await asyncio.gather(*(cards.get(f"k{i}") for i in range(90)))
    assert got == [b"%d" % i if i < 60 else None for i in range(90)]
    assert {node.ask("DBSIZE") for node in standing_cluster.nodes}.isdisjoint({b":0", b":60"})


async def test_a_node_that_is_frozen_holds_nobody_and_harms_no_other(redis_cluster: RedisCluster) -> None:
    keys = [f"k{i}" for i in range(30)]
    async with cluster_at(redis_cluster.url) as patient:
        for key in keys:
            assert await patient.store(key, b"card", 60)
    dead = redis_cluster.nodes[1]
    lost = {key for key in keys if holder(redis_cluster, key)[0] is dead}
    loop = asyncio.get_running_loop()
    async with cluster_at(redis_cluster.url, answer_s=0.3) as cards:
        await asyncio.gather(*(cards.get(key) for key in keys))
        with frozen(dead.pid):
            for key in keys:
                began = loop.time()
                assert await cards.get(key) == (None if key in lost else b"card")
                assert loop.time() - began < 2
            with pytest.raises(StoreGone):
                await cards.forget(keys)
            for node in redis_cluster.nodes:
                if node is not dead:
                    assert not any(node.ask(f"STRLEN {key}") > b":0" for key in keys if key not in lost)
            assert "-" in (await cards.server()).split()


async def test_a_node_started_anew_is_another_server(redis_cluster: RedisCluster) -> None:
    async with cluster_at(redis_cluster.url) as cards:
        before = (await cards.server()).split()
        assert before == (await cards.server()).split()
        redis_cluster.nodes[2].kill()
        redis_cluster.nodes[2].start()

        async def new_names() -> int:
            return len({*(await cards.server()).split()} - {"-", *before})

        await becomes(new_names, 1)


# --- the master


async def test_the_master_is_found_though_sentinels_are_gone_or_frozen(sentinels: Sentinels) -> None:
    sentinels.sentinels[0].kill()
    address = read_address(sentinels.url)
    with frozen(sentinels.sentinels[1].pid):
        assert (await find_master(address, 0.5)).places == (("127.0.0.1", sentinels.master.port),)
    sentinels.sentinels[1].kill()
    sentinels.sentinels[2].kill()
    with pytest.raises(StoreGone, match="no sentinel names a master"):
        await find_master(address, PATIENT_S)


async def test_a_name_that_sentinels_do_not_know_is_said(standing_sentinels: Sentinels) -> None:
    cards = RedisCards(standing_sentinels.url.replace(standing_sentinels.name, "another"), PATIENT_S)
    with pytest.raises(StoreGone, match="knows no master called another"):
        await cards.get("k")
    await cards.close()


async def test_a_server_that_is_no_master_any_more_is_left(
    breakable_redis: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_cards, "BEAT_S", 0.01)
    address = read_address(breakable_redis.url)

    async def named() -> RedisAddress:
        return address

    node = RedisNode(named, PATIENT_S, near=10)
    await node.ask("SET", "k", "card")
    assert await node.get("k") == b"card"
    link = await node.link()
    command(breakable_redis, "REPLICAOF 127.0.0.1 1")
    async with asyncio.timeout(LONG_S):
        await link.lost
    with pytest.raises(StoreGone, match="no master"):
        await node.get("k")
    await node.close()


async def test_a_server_that_will_not_be_written_to_any_more_is_left(breakable_redis: OwnServer) -> None:
    address = read_address(breakable_redis.url)

    async def named() -> RedisAddress:
        return address

    cards = RedisCards("sentinel://127.0.0.1:1/mymaster", PATIENT_S)
    cards._node = RedisNode(named, PATIENT_S)
    assert await cards.store("k", b"card", 60)
    link = await cards._node.link()
    command(breakable_redis, "REPLICAOF 127.0.0.1 1")
    assert not await cards.store("k", b"card", 60)
    async with asyncio.timeout(LONG_S):
        await link.lost
    await cards.close()


async def test_who_waits_for_a_connection_that_is_given_up_is_told_and_not_cancelled(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(100):
            pass
        writer.close()

    async with await asyncio.start_unix_server(silent, tmp_path / "silent"):
        node = RedisNode(read_address(f"unix://:secret@{tmp_path}/silent"), PATIENT_S)
        waiting = asyncio.ensure_future(node.get("k"))
        await asyncio.sleep(0)
        await node.close()
        with pytest.raises(StoreGone, match="closed"):
            await waiting


async def test_a_replica_that_takes_over_is_not_read_until_it_was_told_what_changed(
    replicated_cluster: RedisCluster,
) -> None:
    """It has the card from before and the connection to its master is cut, as one that lags behind."""
    key = next(f"k{i}" for i in range(99) if slot_of(f"k{i}") < 16384 // 3)
    master, replica = replicated_cluster.masters[0], replicated_cluster.replicas[0]
    async with (
        cluster_at(replicated_cluster.url, near=10) as follower,
        cluster_at(replicated_cluster.url, near=10) as cards,
    ):
        assert await follower.store(key, b"old", 60)
        await follower.vouch(await follower.server())
        assert await cards.get(key) == b"old", "a node that was vouched for is read"
        written = int(master.fact("master_repl_offset"))
        await asyncio.to_thread(until, lambda: int(replica.fact("slave_repl_offset")) >= written, "the replica has it")
        master.kill()
        replica.ask("CLUSTER FAILOVER TAKEOVER")

        async def there() -> bool:
            answer: object = await cards._ask(key, "GET", key)
            return answer == b"old"

        await becomes(lambda: _or_false(there), True)
        assert await cards.get(key) is None, "what it has may be from before"
        assert await cards.get(key) is None
        await becomes(lambda: _or_false(lambda: _vouches(follower, replica)), True)
        await becomes(lambda: cards.get(key), b"old")


async def _vouches(follower: ClusterCards, of: OneOfMany) -> bool:
    server = await follower.server()
    await follower.vouch(server)
    return of.fact("run_id") in server.split()


async def _or_false(ask: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await ask()
    except StoreGone:
        return False
