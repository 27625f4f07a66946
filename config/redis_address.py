"""Where Redis is, read from one address: a server, a master that sentinels know, or a cluster.

    redis://[user:password@]host[:port][/db]       rediss:// the same, encrypted
    unix://[user:password@]/path[?db=N]
    sentinel://[user:password@]host[:port],host[:port],.../master[?db=N]
    cluster://[user:password@]host[:port],host[:port],...

After "?", in the words of the redis package: ssl=true (sentinel, cluster), ssl_ca_certs, ssl_certfile, ssl_keyfile,
ssl_cert_reqs, ssl_check_hostname; for the sentinels themselves sentinel_username and sentinel_password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

SCHEMES = ("redis", "rediss", "unix", "sentinel", "cluster")
PORT, SENTINEL_PORT = 6379, 26379
NO = ("0", "f", "false", "n", "no")
_OPTIONS = (
    *("db", "ssl", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"),
    *("sentinel_username", "sentinel_password"),
)

Kind = Literal["server", "sentinel", "cluster"]
Place = tuple[str, int]
"""Host and port."""


@dataclass(frozen=True, slots=True)
class RedisAddress:
    kind: Kind
    places: tuple[Place, ...]  # of the server; of the sentinels; of some nodes of the cluster
    path: str = ""  # of the server's socket, instead of a place
    master: str = ""  # the sentinels' name for it
    username: str = ""
    password: str = ""
    db: str = ""
    tls: bool = False
    options: Mapping[str, str] = field(default_factory=dict)  # the rest

    def __str__(self) -> str:
        return self.path or ",".join(f"{host}:{port}" for host, port in self.places)

    def at(self, place: Place) -> RedisAddress:
        """One server of these, with the same password and encryption."""
        return replace(self, kind="server", places=(place,), master="")

    @property
    def sentinels(self) -> tuple[RedisAddress, ...]:
        """Each by itself, with the sentinels' own password."""
        own = replace(
            self,
            username=self.options.get("sentinel_username", ""),
            password=self.options.get("sentinel_password", ""),
            db="",
        )
        return tuple(own.at(place) for place in self.places)


def read_address(url: str) -> RedisAddress:
    """Raises ValueError, which says what to write instead."""
    scheme, _, _ = url.partition("://")
    if scheme not in SCHEMES:
        raise ValueError(f"is no address; write one that begins with {' or '.join(f'{each}://' for each in SCHEMES)}")
    try:
        if scheme == "sentinel":
            return _many("sentinel", url)
        if scheme == "cluster":
            return _many("cluster", url)
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        place = (parts.hostname or "localhost", PORT if parts.port is None else parts.port)
    except _Wrong:
        raise
    except ValueError as exc:
        raise ValueError(f"is no address: {exc}") from exc
    if not place[1]:
        raise ValueError("is no address; write a port from 1 to 65535")
    unix = scheme == "unix"
    return RedisAddress(
        kind="server",
        places=() if unix else (place,),
        path=unquote(parts.path) if unix else "",
        username=options.pop("username", unquote(parts.username or "")),
        password=options.pop("password", unquote(parts.password or "")),
        db=options.pop("db", "" if unix else parts.path.strip("/")),
        tls=scheme == "rediss",
        options=options,
    )


class _Wrong(ValueError):
    """Says what to write instead."""


def _many(kind: Literal["sentinel", "cluster"], url: str) -> RedisAddress:
    """Several hosts are no URL of the standard, and Python 3.13 refuses brackets among them: they are read here."""
    rest = url.partition("://")[2]
    netloc = re.split("[/?#]", rest, maxsplit=1)[0]
    parts = urlsplit(f"//{rest.removeprefix(netloc)}")
    options = dict(parse_qsl(parts.query))
    if unknown := set(options) - set(_OPTIONS):
        raise _Wrong(f"has {min(unknown)} after the ?, which does nothing; known there: {', '.join(_OPTIONS)}")
    before, _, hosts = netloc.rpartition("@")
    username, _, password = before.partition(":")
    master, db = unquote(parts.path.strip("/")), options.pop("db", "")
    if kind == "sentinel" and (not master or "/" in master):
        raise _Wrong("needs one name of a master after the hosts, as in sentinel://host1,host2,host3/mymaster")
    if kind == "cluster" and (master or db not in ("", "0")):
        raise _Wrong("has a database after the hosts, and a cluster has none; write cluster://host1,host2,host3")
    default = SENTINEL_PORT if kind == "sentinel" else PORT
    return RedisAddress(
        kind=kind,
        places=tuple(_place(host, default) for host in hosts.split(",")),
        master=master,
        username=unquote(username),
        password=unquote(password),
        db="" if kind == "cluster" else db,
        tls=options.pop("ssl", "no").lower() not in NO,
        options=options,
    )


def _place(text: str, default: int) -> Place:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.port == 0:
        raise _Wrong(f"has {text!r} where a host is expected; write them like host1:{default},host2:{default}")
    return parts.hostname, parts.port or default
