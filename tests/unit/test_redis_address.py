"""Addresses of Redis are read as the redis package reads them, so that one setting serves both."""

import pytest
from redis.asyncio.connection import parse_url

from lookup.redis_link import address


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
    ours = address(url)
    assert ours.pop("scheme") == url.partition(":")[0]
    assert ours == theirs
