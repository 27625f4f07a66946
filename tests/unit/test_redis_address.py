"""Addresses of Redis are read as the redis package reads them, so that one setting serves both."""

import re

import pytest
from redis.asyncio.connection import parse_url

from config.redis_address import read_address


@pytest.mark.parametrize(
    "url",
    [
        "redis://cache.example",
        "redis://cache.example:6380/3",
        "redis://:s3cret@cache.example?db=2",
        "redis://dara:p%40ss%2Fword@[::1]:6380/0",
        "rediss://dara:x@cache.example:6380/1?ssl_cert_reqs=none&ssl_ca_certs=/etc/ca.pem",
        "unix:///run/redis/redis.sock",
        "unix://dara:x@/run/my%20redis/redis.sock?db=3",
        "unix:///run/redis.sock?db=3&password=s3cret",
    ],
)
def test_both_find_the_same_in_an_address(url: str) -> None:
    theirs = {name: str(value) for name, value in parse_url(url).items() if name != "connection_class"}
    address = read_address(url)
    ours = {"path": address.path, "username": address.username, "password": address.password, "db": address.db}
    if address.places:
        ((host, port),) = address.places
        ours |= {"host": host, "port": str(port)}
    found = {name: value for name, value in ours.items() if value} | dict(address.options)
    assert found == {"port": "6379", **theirs} if "host" in theirs else found == theirs
    assert address.tls == url.startswith("rediss://")


def test_sentinels_and_their_master() -> None:
    address = read_address(
        "sentinel://dara:p%40ss@one,two:26380,[::1]:3/my%2Dmaster?db=2&sentinel_password=own&ssl=true&ssl_ca_certs=/ca.pem"
    )
    assert (address.kind, address.master, address.db, address.tls) == ("sentinel", "my-master", "2", True)
    assert address.places == (("one", 26379), ("two", 26380), ("::1", 3))
    master = address.at(("ten", 6379))
    assert (master.kind, str(master), master.username, master.password) == ("server", "ten:6379", "dara", "p@ss")
    asked = address.sentinels[1]
    assert (str(asked), asked.username, asked.password, asked.db, asked.tls) == ("two:26380", "", "own", "", True)


def test_nodes_of_a_cluster() -> None:
    address = read_address("cluster://:s3cret@one,two:6380")
    assert (address.kind, address.places) == ("cluster", (("one", 6379), ("two", 6380)))
    assert address.at(("ten", 1)).password == "s3cret"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://one", "begins with redis://"),
        ("redis://one:0", "port from 1 to 65535"),
        ("redis://one:66666", "range"),
        ("sentinel://one,two", "needs one name of a master"),
        ("sentinel://one,,two/m", "has '' where a host is expected"),
        ("sentinel://one:x/m", "is no address"),
        ("sentinel://one/m?sentinel_pasword=x", "has sentinel_pasword after the ?, which does nothing"),
        ("cluster://one/3", "a cluster has none"),
        ("cluster://", "has '' where a host is expected"),
    ],
)
def test_what_cannot_work_is_refused_with_what_to_write_instead(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        read_address(url)
